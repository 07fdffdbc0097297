//! What the shell learns of a request besides its steps.

use std::time::Duration;

use crate::filter::note_overflow;
use crate::filter::testing::{Stack, token};
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
        standings: Vec::new(),
        receipt: None,
    };
    let mut stack = Stack::new(&[]);
    let name = "hallpass.limit_overflow_total";
    note_overflow(&mut stack.worker, &outcome(false));
    assert_eq!(stack.counted(name), 0);
    note_overflow(&mut stack.worker, &outcome(true));
    assert_eq!(stack.counted(name), 1);
}
