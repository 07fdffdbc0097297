//! What the shell learns of a request besides its steps.

use std::time::Duration;

use super::setup::good;
use super::stack;
use crate::filter::request::testing::{Stack, token};
use crate::filter::request::{Event, Request, Step, note_overflow};
use crate::limits::outcome::Outcome;

#[test]
fn status_matters_only_where_a_failure_was_charged() {
    let mut stack = Stack::new(&[]);
    // The route limits failures of a key.
    assert!(stack.login("acme1").request.needs_status());
    let good = token(&serde_json::json!({}));
    assert!(!stack.get("acme1", &good).request.needs_status());
}

#[test]
fn route_and_key_are_told() {
    let mut stack = Stack::new(&[]);
    let exchange = stack.login("acme1");
    assert_eq!(exchange.request.template(&stack.worker), Some("/login"));
    assert_eq!(exchange.request.api_key().map(|key| key.id.as_str()), Some("acme1"));
    // A key that is not listed, a path that is no route's.
    let exchange = stack.login("other");
    assert_eq!(exchange.request.api_key().map(|key| key.id.as_str()), None);
    let exchange = stack.send("GET", "/nowhere", "acme1", "", &[], true);
    assert_eq!(exchange.request.template(&stack.worker), None);
}

#[test]
fn charge_to_a_shared_budget_is_counted() {
    let outcome = |overflow| Outcome {
        admitted: true,
        never: false,
        retry_after: Duration::ZERO,
        overflow,
        statuses: Vec::new(),
        receipt: None,
    };
    let mut stack = Stack::new(&[]);
    let name = "hallpass.limit_overflow_total";
    note_overflow(&mut stack.worker, &outcome(false));
    assert_eq!(stack.counted(name), 0);
    note_overflow(&mut stack.worker, &outcome(true));
    assert_eq!(stack.counted(name), 1);
}

#[test]
fn shared_budget_that_is_only_looked_at_is_not_counted() {
    let mut stack = stack::Stack::new(&[]);
    let bearer = format!("Bearer {}", good());
    let head = stack::head("GET", "/plain", &[("authorization", &bearer)]).ending(true);
    let (mut request, now) = (Request::default(), stack.now);
    let mut step = |event| request.step(&mut stack.worker, &head, now, event);
    assert!(matches!(step(Event::Head), Step::NeedAddress));
    assert!(matches!(step(Event::Address(stack.address)), Step::Peek(_)));
    let outcome = Outcome {
        admitted: false,
        never: false,
        retry_after: Duration::from_secs(1),
        overflow: true,
        statuses: Vec::new(),
        receipt: None,
    };
    assert!(matches!(step(Event::Peeked(Ok(outcome))), Step::Deny(_)));
    assert_eq!(stack.counted("hallpass.limit_overflow_total"), 0);
}

#[test]
fn refused_key_charges_nothing_where_failures_are_not_limited() {
    for (limit, charges) in [(serde_json::json!("off"), 0), (serde_json::json!({"requests": 3, "per": "1m"}), 1)] {
        let mut stack = Stack::new(&[("/authentication_failures", limit)]);
        let exchange = stack.get("unknown", "");
        assert_eq!((exchange.verdict(), exchange.trace.len()), ("key-refused", charges));
    }
}
