//! A dry run lets pass what limits, cost and early scope refuse, and counts it; nothing else.

use crate::credentials::grant::DistrictSchools;
use serde_json::{Value, json};

use super::setup::{forged, good, signed};
use super::stack::Stack;

fn global() -> Vec<(&'static str, Value)> {
    vec![("/dry_run", json!(true))]
}

fn of_tiers() -> Vec<(&'static str, Value)> {
    vec![("/tiers/free/dry_run", json!(true)), ("/tiers/small/dry_run", json!(true))]
}

/// The last of `times` requests is refused with `code` in earnest, and passes in every of these dry runs, counted.
#[track_caller]
fn reported(code: &str, runs: &[Vec<(&str, Value)>], path: &str, token: &str, times: usize) {
    let last = |stack: &mut Stack| (0..times).map(|_| stack.get(path, token)).last().unwrap();
    assert_eq!(last(&mut Stack::new(&[])).verdict(), code, "{path} in earnest");
    for changes in runs {
        let mut stack = Stack::new(changes);
        assert_eq!(last(&mut stack).verdict(), "pass", "{path} {changes:?}");
        let name = format!("hallpass.dry_run_denials_total.decision=.={code};.;");
        assert_eq!(stack.counted(&name), 1, "{path} {changes:?}");
        let mut stack = Stack::new(changes);
        let exchange = last(&mut stack);
        assert_eq!(exchange.request.would_deny(), Some(code), "{path} {changes:?}");
        assert_eq!(exchange.request.limit().is_some(), code == "limit-reached", "{path} {changes:?}");
    }
}

/// The request is refused with `code` in earnest and in every dry run.
#[track_caller]
fn enforced(code: &str, path: &str, token: &str) {
    for changes in [vec![], global(), of_tiers()] {
        let mut stack = Stack::new(&changes);
        assert_eq!(stack.get(path, token).verdict(), code, "{path} {changes:?}");
        assert_eq!(stack.counted("hallpass.dry_run_denials_total"), 0);
    }
}

#[test]
fn limits_cost_and_schools_are_reported_only() {
    let both = [global(), of_tiers()];
    reported("limit-reached", &both, "/plain", &good(), 4);
    reported("too-costly", &both, "/list?limit=11", &good(), 1);
    reported("too-costly", &both, "/list?limit=5", &signed(&json!({"tier": "small"})), 1);
    reported("school-out-of-scope", &both, "/stats?school_id=elm", &good(), 1);
    reported("school-missing", &both, "/stats", &good(), 1);
}

#[test]
fn budgets_of_addresses_belong_to_no_tier() {
    let good = good();
    reported("limit-reached", &[global()], "/limited", &good, 3);
    let mut stack = Stack::new(&of_tiers());
    for expected in ["pass", "pass", "limit-reached"] {
        assert_eq!(stack.get("/limited", &good).verdict(), expected);
    }
    let mut stack = Stack::new(&global());
    for _ in 0..5 {
        assert_eq!(stack.get("/plain", "x").verdict(), "token-invalid");
    }
    assert_eq!(stack.counted("hallpass.dry_run_denials_total.decision=.=limit-reached"), 2);
}

#[test]
fn signatures_claims_and_strictness_are_enforced() {
    enforced("token-invalid", "/plain", &forged(&json!({})));
    enforced("token-invalid", "/plain", &signed(&json!({"iss": "https://other.example/"})));
    enforced("token-expired", "/plain", &signed(&json!({"exp": 1})));
    enforced("tier-unknown", "/plain", &signed(&json!({"tier": "gold"})));
    enforced("schools-too-long", "/plain", &signed(&json!({"schools": ["a-school-of-21-letter"]})));
    enforced("malformed-request", "/stats?school_id=oak&SCHOOL_ID=elm", &good());
    enforced("malformed-request", "/list?limit=x", &good());
    enforced("malformed-request", "/plain/%2e%2e/open", &good());
    enforced("no-route", "/nothing", &good());
}

#[test]
fn dry_run_of_another_tier_changes_nothing() {
    let mut stack = Stack::new(&[("/tiers/small/dry_run", json!(true))]);
    let verdicts: Vec<_> = (0..4).map(|_| stack.get("/plain", &good()).verdict()).collect();
    assert_eq!(verdicts, ["pass", "pass", "pass", "limit-reached"]);
    assert_eq!(stack.get("/stats?school_id=elm", &good()).verdict(), "limit-reached");
}

#[test]
fn reported_request_tells_the_upstream_only_what_was_granted() {
    let exchange = Stack::new(&global()).get("/stats?school_id=elm", &good());
    let caller = exchange.forward().caller.clone().unwrap();
    assert!(!caller.may_see("elm", &DistrictSchools::default()));
    assert_eq!(caller.schools.as_ref().unwrap().header(), b"oak");
}
