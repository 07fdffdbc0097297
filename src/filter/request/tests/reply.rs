//! The upstream's response: fields, settlement, each once.

use super::setup::good;
use super::stack::Stack;

#[test]
fn response_tells_how_the_limits_stand() {
    let mut stack = Stack::new(&[]);
    let mut exchange = stack.get("/plain", &good());
    let edits = stack.reply(&mut exchange, None).unwrap();
    let fields: Vec<_> = edits.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // A cost limit never appears.
    assert_eq!(fields, [("ratelimit-policy", r#""minute";q=3;w=60"#), ("ratelimit", r#""minute";r=2;t=20"#)]);
    assert!(edits.settle.is_empty());
    let mut open = stack.send("GET", "/open", &[]);
    assert_eq!(stack.reply(&mut open, None).unwrap().fields, []);
}

#[test]
fn actual_cost_is_settled_once() {
    let mut stack = Stack::new(&[]);
    let mut exchange = stack.get("/list?limit=9", &good());
    assert_eq!(stack.get("/list?limit=5", &good()).verdict(), "limit-reached");
    let edits = stack.reply(&mut exchange, Some(b" 3 ")).unwrap();
    stack.settle(edits);
    assert!(stack.reply(&mut exchange, Some(b"0")).is_none());
    assert_eq!(stack.get("/list?limit=8", &good()).verdict(), "limit-reached");
    assert_eq!(stack.get("/list?limit=7", &good()).verdict(), "pass");
}

#[test]
fn actual_cost_that_is_no_number_changes_nothing() {
    for value in [&b""[..], b"-1", b"+3", b"3.5", b"three", b"\xff"] {
        let mut stack = Stack::new(&[]);
        let mut exchange = stack.get("/list?limit=9", &good());
        let edits = stack.reply(&mut exchange, Some(value)).unwrap();
        assert!(edits.settle.is_empty(), "{value:?}");
        // A second response head cannot make up for it.
        assert!(stack.reply(&mut exchange, Some(b"1")).is_none());
    }
}

#[test]
fn refusals_and_streams_that_are_gone_have_no_reply() {
    let mut stack = Stack::new(&[]);
    let mut denied = stack.get("/plain", "x");
    assert!(stack.reply(&mut denied, Some(b"0")).is_none());
    let mut gone = stack.get("/plain", &good());
    stack.gone(&mut gone);
    assert!(!gone.request.is_passed());
    assert!(stack.reply(&mut gone, Some(b"0")).is_none());
}

#[test]
fn request_stays_open_after_an_early_response() {
    let mut stack = Stack::new(&[]);
    let mut exchange = stack.get("/plain", &good());
    stack.reply(&mut exchange, None).unwrap();
    assert!(exchange.request.is_passed());
}

#[test]
fn aborted_request_never_passes() {
    let mut stack = Stack::new(&[]);
    let mut exchange = stack.get("/plain", &good());
    exchange.request.abort();
    assert!(!exchange.request.is_passed());
    assert_eq!(exchange.request.decision(), Some("unavailable"));
    assert!(stack.reply(&mut exchange, None).is_none());
}
