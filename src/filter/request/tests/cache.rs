//! Verified tokens and bad signatures are remembered, with everything that may change checked at every hit.

use serde_json::json;

use super::setup::{INLINE, START, forged, good, signed, unknown_kid};
use super::stack::Stack;

#[test]
fn second_request_with_a_token_needs_neither_crypto_nor_address() {
    let mut stack = Stack::new(&[]);
    stack.get("/plain", &good());
    assert_eq!(stack.get("/plain", &good()).steps(), "charge minute+cost, pass");
    let open = signed(&json!({"tier": "open"}));
    stack.get("/plain", &open);
    assert_eq!(stack.get("/plain", &open).steps(), "pass");
    assert_eq!(stack.counted("hallpass.token_cache_total.result=.=hit"), 2);
}

#[test]
fn cached_caller_passes_although_its_address_guesses() {
    let mut stack = Stack::new(&[]);
    stack.get("/plain", &good());
    for _ in 0..4 {
        stack.get("/plain", "x");
    }
    assert_eq!(stack.get("/plain", &good()).verdict(), "pass");
}

#[test]
fn one_byte_more_is_another_token() {
    let mut stack = Stack::new(&[]);
    stack.get("/plain", &good());
    let longer = format!("{}A", good());
    assert_eq!(stack.get("/plain", &longer).verdict(), "token-invalid");
    let upper = good().to_ascii_uppercase();
    assert_eq!(stack.get("/plain", &upper).verdict(), "token-invalid");
}

#[test]
fn cached_token_expires() {
    let mut stack = Stack::new(&[]);
    let token = signed(&json!({"exp": START.secs() + 10, "tier": "open"}));
    assert_eq!(stack.get("/plain", &token).verdict(), "pass");
    // 30 seconds of tolerance.
    stack.sleep(39_999);
    assert_eq!(stack.get("/plain", &token).steps(), "pass");
    stack.sleep(1);
    assert_eq!(stack.get("/plain", &token).verdict(), "token-expired");
}

#[test]
fn clock_set_back_before_the_token_began_refuses_it() {
    let mut stack = Stack::new(&[]);
    let token = signed(&json!({"nbf": START.secs(), "tier": "open"}));
    assert_eq!(stack.get("/plain", &token).verdict(), "pass");
    stack.now = crate::values::time::Timestamp::from_secs(START.secs() - 31);
    assert_eq!(stack.get("/plain", &token).verdict(), "token-invalid");
}

#[test]
fn bad_signature_is_checked_once_and_charged_every_time() {
    let mut stack = Stack::new(&[]);
    let bad = forged(&json!({}));
    let first = "address, peek authentication-failures, verify, charge authentication-failures, deny token-invalid";
    assert_eq!(stack.get("/plain", &bad).steps(), first);
    for _ in 0..2 {
        assert_eq!(stack.get("/plain", &bad).steps(), "address, charge authentication-failures, deny token-invalid");
    }
    assert_eq!(stack.get("/plain", &bad).verdict(), "limit-reached");
    assert_eq!(stack.counted("hallpass.token_cache_total.result=.=bad"), 2);
}

#[test]
fn failure_that_time_mends_is_not_remembered() {
    let mut stack = Stack::new(&[]);
    let early = signed(&json!({"nbf": START.secs() + 40}));
    assert_eq!(stack.get("/plain", &early).verdict(), "token-invalid");
    stack.sleep(10_000);
    assert_eq!(stack.get("/plain", &early).verdict(), "pass");
}

#[test]
fn unknown_kid_of_an_inline_set_is_not_remembered_as_bad() {
    let mut stack = Stack::new(&[]);
    stack.get("/plain", &unknown_kid(INLINE));
    stack.get("/plain", &unknown_kid(INLINE));
    assert_eq!(stack.counted("hallpass.token_cache_total.result=.=bad"), 0);
}

#[test]
fn cached_caller_of_an_issuer_that_a_route_does_not_accept_is_refused() {
    let mut stack = Stack::new(&[("/routes/3/issuers", json!([super::setup::REMOTE]))]);
    assert_eq!(stack.get("/plain", &good()).verdict(), "pass");
    for _ in 0..3 {
        let exchange = stack.get("/inline-only", &good());
        assert_eq!(exchange.steps(), "address, charge authentication-failures, deny token-invalid");
    }
    assert_eq!(stack.get("/inline-only", &good()).verdict(), "limit-reached");
    assert_eq!(stack.get("/plain", &good()).verdict(), "pass");
}

#[test]
fn refused_caller_is_cached_as_refused() {
    let mut stack = Stack::new(&[]);
    let gold = signed(&json!({"tier": "gold"}));
    stack.get("/plain", &gold);
    assert_eq!(stack.get("/plain", &gold).steps(), "deny tier-unknown");
    assert_eq!(stack.counted("hallpass.requests_total.decision=.=tier-unknown;.;tier=.=none"), 2);
}

#[test]
fn cache_may_be_off() {
    let mut stack = Stack::new(&[("/bounds", json!({"max_cached_tokens": 0}))]);
    stack.get("/plain", &good());
    assert!(stack.get("/plain", &good()).steps().contains("verify"));
}
