//! Waiting for keys: for which, for how long, how many at a time, and how it ends.

use std::time::Duration;

use serde_json::json;

use super::setup::{REMOTE, REMOTE_ID, remote, unknown_kid};
use super::stack::{Exchange, Stack};
use crate::answer::denial::Denial;
use crate::credentials::jwt::jose::Alg;
use crate::filter::request::{Event, Step};

/// A request that waits, as its only one.
#[track_caller]
fn waiting(stack: &mut Stack, token: &str) -> Exchange {
    let exchange = stack.get("/plain", token);
    assert_eq!(exchange.verdict(), "waits", "{}", exchange.steps());
    assert!(exchange.request.is_waiting() && !exchange.request.is_passed());
    assert_eq!(stack.worker.waiting, 1);
    exchange
}

/// The request has ended like this, and no longer counts as waiting.
#[track_caller]
fn ended(stack: &Stack, exchange: &Exchange, verdict: &str) {
    assert_eq!(exchange.verdict(), verdict, "{}", exchange.steps());
    assert_eq!(stack.worker.waiting, 0);
    assert!(!exchange.request.is_waiting());
}

#[test]
fn request_passes_once_the_first_keys_are_there() {
    let mut stack = Stack::new(&[]);
    let mut exchange = waiting(&mut stack, &remote());
    stack.sleep(100);
    stack.tick(&mut exchange);
    assert_eq!(exchange.verdict(), "waits");
    stack.fetch(&[Alg::EdDsa], 1);
    stack.tick(&mut exchange);
    ended(&stack, &exchange, "pass");
    assert_eq!(
        exchange.steps(),
        "address, charge authentication-failures, refund, await, \
         peek authentication-failures, verify, charge minute+cost, pass"
    );
}

#[test]
fn unknown_kid_is_refused_only_after_a_fresh_document() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    // A document as young as the request is fresh.
    assert_eq!(stack.get("/plain", &unknown_kid(REMOTE)).verdict(), "token-invalid");
    stack.sleep(1_000);
    let mut exchange = waiting(&mut stack, &unknown_kid(REMOTE));
    stack.tick(&mut exchange);
    assert_eq!(exchange.verdict(), "waits");
    stack.sleep(1_000);
    // The same document, but fetched after the request arrived.
    stack.fetch(&[Alg::EdDsa], 1);
    stack.tick(&mut exchange);
    ended(&stack, &exchange, "token-invalid");
}

#[test]
fn known_kid_does_not_wait_for_a_fresh_document() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    stack.sleep(500_000);
    assert_eq!(stack.get("/plain", &remote()).verdict(), "pass");
}

#[test]
fn real_rotation_gets_through() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::Rs256], 1);
    stack.sleep(1_000);
    let mut exchange = waiting(&mut stack, &remote());
    stack.sleep(1_000);
    stack.fetch(&[Alg::Rs256, Alg::EdDsa], 2);
    stack.tick(&mut exchange);
    ended(&stack, &exchange, "pass");
}

#[test]
fn waiting_ends_at_the_deadline() {
    let mut stack = Stack::new(&[]);
    let mut exchange = waiting(&mut stack, &remote());
    // Cooldown, timeout and a second.
    stack.sleep(4_999);
    stack.tick(&mut exchange);
    assert_eq!(exchange.verdict(), "waits");
    stack.sleep(1);
    stack.tick(&mut exchange);
    ended(&stack, &exchange, "keys-unavailable");
}

#[test]
fn failed_fetch_ends_the_waiting() {
    let mut stack = Stack::new(&[]);
    let mut exchange = waiting(&mut stack, &remote());
    stack.sleep(10);
    stack.fail_fetch(Duration::from_secs(2));
    stack.tick(&mut exchange);
    ended(&stack, &exchange, "keys-unavailable");
    let retry_after = Duration::from_secs(2);
    assert_eq!(*exchange.denial(), Denial::KeysUnavailable { retry_after });
}

#[test]
fn waiters_are_bounded_and_their_count_returns_to_zero() {
    let mut stack = Stack::new(&[("/bounds", json!({"max_waiters": 2}))]);
    let mut first = waiting(&mut stack, &remote());
    let mut second = stack.get("/plain", &remote());
    assert_eq!((second.verdict(), stack.worker.waiting), ("waits", 2));
    let third = stack.get("/plain", &remote());
    assert_eq!(third.steps(), "address, charge authentication-failures, refund, deny keys-unavailable");
    assert_eq!(stack.worker.waiting, 2);
    stack.gone(&mut first);
    assert_eq!(stack.worker.waiting, 1);
    assert_eq!(stack.get("/plain", &unknown_kid(REMOTE)).verdict(), "waits");
    stack.sleep(1);
    stack.fetch(&[Alg::EdDsa], 1);
    stack.tick(&mut second);
    assert_eq!((second.verdict(), stack.worker.waiting), ("pass", 1));
}

#[test]
fn request_that_is_gone_says_nothing_more() {
    let mut stack = Stack::new(&[]);
    let mut exchange = waiting(&mut stack, &remote());
    stack.gone(&mut exchange);
    assert_eq!(stack.worker.waiting, 0);
    stack.gone(&mut exchange);
    stack.fetch(&[Alg::EdDsa], 1);
    assert!(!exchange.request.is_ready(&stack.worker, stack.now));
    let Exchange { request, head, .. } = &mut exchange;
    let step = request.step(&mut stack.worker, head, stack.now, Event::Ready);
    assert!(matches!(step, Step::Nothing));
    assert_eq!(stack.worker.waiting, 0);
}

#[test]
fn woken_too_early_it_waits_again() {
    let mut stack = Stack::new(&[]);
    let mut exchange = waiting(&mut stack, &remote());
    let Exchange { request, head, .. } = &mut exchange;
    let step = request.step(&mut stack.worker, head, stack.now, Event::Ready);
    assert!(matches!(step, Step::Charge(_)));
    assert_eq!(stack.worker.waiting, 0);
}

#[test]
fn guard_that_is_used_up_meanwhile_ends_the_waiting() {
    let mut stack = Stack::new(&[]);
    let mut exchange = waiting(&mut stack, &remote());
    for _ in 0..3 {
        stack.get("/plain", "x");
    }
    stack.fetch(&[Alg::EdDsa], 1);
    stack.tick(&mut exchange);
    ended(&stack, &exchange, "limit-reached");
}

#[test]
fn long_cooldown_is_not_waited_for() {
    let mut stack = Stack::new(&[("/issuers/1/jwks/remote/cooldown", json!("5m"))]);
    stack.fetch(&[Alg::EdDsa], 1);
    let mut record = super::setup::fetched(stack.now, 1);
    record.next_at = stack.now.after(Duration::from_mins(5));
    stack.worker.on_record(REMOTE_ID, record);
    stack.sleep(1_000);
    let exchange = stack.get("/plain", &unknown_kid(REMOTE));
    let retry_after = Duration::from_secs(299);
    assert_eq!(*exchange.denial(), Denial::KeysUnavailable { retry_after });
    assert_eq!(stack.worker.waiting, 0);
}

#[test]
fn clock_set_back_holds_no_request_for_longer() {
    let mut stack = Stack::new(&[]);
    let mut exchange = waiting(&mut stack, &remote());
    stack.now = crate::values::time::Timestamp::from_secs(stack.now.secs() - 3_600);
    stack.tick(&mut exchange);
    assert_eq!(exchange.verdict(), "waits");
    assert!(stack.worker.wanted(REMOTE_ID) <= Some(stack.now));
    stack.sleep(5_000);
    stack.tick(&mut exchange);
    ended(&stack, &exchange, "keys-unavailable");
}
