//! Keys over the network: rotation, withdrawal, staleness.

use serde_json::json;

use super::setup::{REMOTE, REMOTE_ID, claims, fetched, forged, remote};
use super::stack::Stack;
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::testing::token;

fn open(alg: Alg) -> String {
    token(alg, &claims(&json!({"iss": REMOTE, "tier": "free"})))
}

#[test]
fn withdrawn_key_ends_cached_callers() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    assert_eq!(stack.get("/plain", &remote()).verdict(), "pass");
    stack.sleep(3_000);
    stack.fetch(&[Alg::Rs256], 2);
    assert_eq!(stack.get("/plain", &remote()).verdict(), "token-invalid");
    assert_eq!(stack.get("/plain", &open(Alg::Rs256)).verdict(), "pass");
}

#[test]
fn same_document_fetched_again_keeps_the_cache() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    stack.get("/plain", &remote());
    stack.sleep(3_000);
    stack.fetch(&[Alg::EdDsa], 1);
    assert_eq!(stack.get("/plain", &remote()).steps(), "charge minute+cost, pass");
}

#[test]
fn rotation_that_keeps_the_key_verifies_again() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    stack.get("/plain", &remote());
    stack.sleep(3_000);
    stack.fetch(&[Alg::EdDsa, Alg::Rs256], 2);
    let exchange = stack.get("/plain", &remote());
    assert!(exchange.steps().contains("verify"), "{}", exchange.steps());
    assert_eq!(exchange.verdict(), "pass");
}

#[test]
fn bad_signature_is_forgotten_with_its_key_set() {
    let mut stack = Stack::new(&[]);
    let bad = forged(&json!({"iss": REMOTE}));
    stack.fetch(&[Alg::EdDsa], 1);
    assert!(stack.get("/plain", &bad).steps().contains("verify"));
    assert!(!stack.get("/plain", &bad).steps().contains("verify"));
    stack.sleep(3_000);
    stack.fetch(&[Alg::EdDsa, Alg::Rs256], 2);
    assert!(stack.get("/plain", &bad).steps().contains("verify"));
}

#[test]
fn stale_keys_serve_nobody() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    assert_eq!(stack.get("/plain", &remote()).verdict(), "pass");
    let long = token(Alg::EdDsa, &claims(&json!({"iss": REMOTE, "exp": 4_000_000_000_u64})));
    stack.sleep(3_599_999);
    assert_eq!(stack.get("/plain", &long).verdict(), "pass");
    // One hour after the last good fetch.
    stack.sleep(1);
    assert_eq!(stack.get("/plain", &long).verdict(), "waits");
    stack.fetch(&[Alg::EdDsa], 1);
    assert_eq!(stack.get("/plain", &long).verdict(), "pass");
}

#[test]
fn stale_keys_serve_again_once_they_are_confirmed() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    stack.sleep(3_600_000);
    let begun = stack.now;
    stack.sleep(1_000);
    let mut exchange =
        stack.get("/plain", &token(Alg::EdDsa, &claims(&json!({"iss": REMOTE, "exp": 4_000_000_000_u64}))));
    assert_eq!(exchange.verdict(), "waits");
    // The fetch began before the request arrived and brought the keys that were there: they will do.
    assert!(!stack.worker.on_record(REMOTE_ID, fetched(begun, 1)));
    stack.tick(&mut exchange);
    assert_eq!(exchange.verdict(), "pass");
}

#[test]
fn document_that_is_no_key_set_changes_nothing() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 1);
    stack.sleep(3_000);
    let record = fetched(stack.now, 2);
    for body in ["", "<html>", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#] {
        assert!(stack.worker.on_record(REMOTE_ID, record), "{body} is asked for until it is there");
        assert!(stack.worker.on_document(REMOTE_ID, record, body.as_bytes()).is_err(), "{body}");
        assert_eq!(stack.get("/open", "").verdict(), "pass");
    }
    assert_eq!(stack.get("/plain", &remote()).verdict(), "pass");
    // Nor does the record of a document that is not here make the older keys live longer.
    stack.sleep(3_597_000);
    assert_eq!(stack.get("/plain", &remote()).verdict(), "waits");
}

#[test]
fn keys_of_one_issuer_verify_no_token_of_another() {
    let mut stack = Stack::new(&[("/issuers/0/jwks/inline", super::setup::jwks(&[Alg::Rs256]))]);
    stack.fetch(&[Alg::EdDsa], 1);
    assert_eq!(stack.get("/plain", &super::setup::good()).verdict(), "token-invalid");
    assert_eq!(stack.get("/plain", &remote()).verdict(), "pass");
}
