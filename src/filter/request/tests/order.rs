//! The order of checks: of two faults the earlier stage names the first, and no stage runs before its time.

use serde_json::json;

use super::setup::{config, forged, good, signed};
use super::stack::Stack;
use crate::filter::worker::Worker;

/// The request is refused with `code` although later stages would refuse it as well.
#[track_caller]
fn first(code: &str, stack: &mut Stack, method: &str, path: &str, headers: &[(&str, &str)]) {
    let exchange = stack.send(method, path, headers);
    assert_eq!(exchange.verdict(), code, "{path}: {}", exchange.steps());
}

fn authorization(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn cold_request_takes_every_step_in_order() {
    let exchange = Stack::new(&[]).get("/stats?school_id=oak", &good());
    assert_eq!(exchange.steps(), "address, peek authentication-failures, verify, charge minute+cost, pass");
    let exchange = Stack::new(&[]).get("/limited", &good());
    assert_eq!(
        exchange.steps(),
        "address, charge address, peek authentication-failures, verify, charge minute+cost, pass"
    );
}

#[test]
fn route_comes_before_credentials() {
    let forged = authorization(&forged(&json!({})));
    let headers = [("authorization", forged.as_str())];
    for (path, steps) in [("/a/../b", "deny malformed-request"), ("/nothing", "deny no-route")] {
        assert_eq!(Stack::new(&[]).send("GET", path, &headers).steps(), steps);
    }
    assert_eq!(Stack::new(&[]).send("PUT", "/stats", &headers).steps(), "deny method-not-allowed");
    let upgrade = [headers[0], ("connection", "upgrade"), ("upgrade", "websocket")];
    assert_eq!(Stack::new(&[]).send("GET", "/limited", &upgrade).steps(), "deny upgrade-refused");
}

#[test]
fn admission_comes_before_credentials() {
    let mut stack = Stack::new(&[]);
    for _ in 0..2 {
        first("token-missing", &mut stack, "GET", "/limited", &[]);
    }
    first("limit-reached", &mut stack, "GET", "/limited", &[]);
    first("token-missing", &mut stack, "GET", "/plain", &[]);

    let mut stack = Stack::new(&[]);
    let forged = authorization(&forged(&json!({})));
    for _ in 0..3 {
        first("token-invalid", &mut stack, "GET", "/plain", &[("authorization", &forged)]);
    }
    let exchange = stack.send("GET", "/plain", &[("authorization", &forged)]);
    assert_eq!(exchange.steps(), "address, charge authentication-failures, deny limit-reached");
}

#[test]
fn binding_comes_before_the_plan() {
    let unknown = signed(&json!({"tier": "gold"}));
    for _ in 0..5 {
        let exchange = Stack::new(&[]).get("/list?limit=1000", &unknown);
        assert_eq!(exchange.steps(), "address, peek authentication-failures, verify, deny tier-unknown");
    }
    // More schools than a header holds; the tier is named first.
    let many: Vec<String> = (0..50).map(|nth| format!("school-{nth}")).collect();
    for (tier, code) in [("gold", "tier-unknown"), ("free", "schools-too-long")] {
        assert_eq!(Stack::new(&[]).get("/plain", &signed(&json!({"tier": tier, "schools": many}))).verdict(), code);
    }
}

#[test]
fn plan_comes_before_the_scope() {
    let mut stack = Stack::new(&[]);
    for _ in 0..3 {
        assert_eq!(stack.get("/stats?school_id=elm", &good()).verdict(), "school-out-of-scope");
    }
    // The limit is not widened by asking for what is out of scope, and what is out of scope is not told any more.
    assert_eq!(stack.get("/stats?school_id=elm", &good()).verdict(), "limit-reached");
    let small = signed(&json!({"tier": "small"}));
    let scope = json!({"schools": {"query": "school_id", "missing": "refuse"}});
    let mut stack = Stack::new(&[("/routes/5/scope", scope)]);
    assert_eq!(stack.get("/list?limit=5&school_id=elm", &small).verdict(), "too-costly");
    assert_eq!(stack.get("/list?limit=4&school_id=elm", &small).verdict(), "school-out-of-scope");
}

#[test]
fn credentials_of_another_issuer_never_fall_through() {
    let mut stack = Stack::new(&[]);
    assert_eq!(stack.get("/inline-only", &signed(&json!({"iss": super::setup::REMOTE}))).verdict(), "token-invalid");
    assert_eq!(stack.get("/inline-only", &good()).verdict(), "pass");
}

#[test]
fn every_header_that_the_filter_sets_is_stripped() {
    let worker = Worker::new(config(&[("/forward/schools", json!("x-my-schools"))]), 1);
    let stripped =
        ["x-my-schools", "X_My_Schools", "x-claim-schools", "x.claim.tier", "x-claim-client-id", "X-Actual_Cost"];
    for name in stripped {
        assert!(worker.strip.contains(name.as_bytes()), "{name}");
    }
    for name in ["x-my-school", "authorization", "x-request-id", "accept"] {
        assert!(!worker.strip.contains(name.as_bytes()), "{name}");
    }
}
