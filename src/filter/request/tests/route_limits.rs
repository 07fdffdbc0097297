//! Limits and tiers of a route, and rate limit fields of refusals alone.

use serde_json::{Value, json};

use super::setup::{good, signed};
use super::stack::Stack;
use crate::answer::denial::Denial;

const PLAIN: &str = "/routes/8/limits";
const STATS: &str = "/routes/6/limits";

fn hour(requests: u32) -> Value {
    json!({"free": [{"name": "hour", "requests": requests, "per": "1h"}]})
}

#[track_caller]
fn check(stack: &mut Stack, path: &str, token: &str, verdict: &str) {
    let exchange = stack.get(path, token);
    assert_eq!(exchange.verdict(), verdict, "{path}: {}", exchange.steps());
}

#[test]
fn route_adds_limits_to_those_of_the_tier() {
    let mut stack = Stack::new(&[(PLAIN, hour(1))]);
    let exchange = stack.get("/plain", &good());
    assert_eq!(exchange.verdict(), "pass");
    let denied = stack.get("/plain", &good());
    let Denial::LimitReached(limit) = denied.denial() else { panic!("{}", denied.steps()) };
    assert_eq!(limit.violated, ["hour"]);
    assert_eq!(stack.counted("hallpass.limits_reached_total.limit=.=hour;.;tier=.=free"), 1);
    // What it refused charged nothing of the tier: two of three are left, elsewhere.
    check(&mut stack, "/inline-only", &good(), "pass");
    check(&mut stack, "/inline-only", &good(), "pass");
    check(&mut stack, "/inline-only", &good(), "limit-reached");
}

#[test]
fn refusal_of_the_tier_charges_nothing_of_the_route() {
    let mut stack = Stack::new(&[(PLAIN, hour(1))]);
    for _ in 0..3 {
        check(&mut stack, "/inline-only", &good(), "pass");
    }
    check(&mut stack, "/plain", &good(), "limit-reached");
    stack.sleep(60_000);
    check(&mut stack, "/plain", &good(), "pass");
    check(&mut stack, "/plain", &good(), "limit-reached");
}

#[test]
fn budgets_of_routes_and_of_clients_are_their_own() {
    let mut stack = Stack::new(&[(PLAIN, hour(1)), (STATS, hour(1))]);
    check(&mut stack, "/plain", &good(), "pass");
    check(&mut stack, "/plain", &good(), "limit-reached");
    // The same name on another route, and another client.
    check(&mut stack, "/stats?school_id=oak", &good(), "pass");
    check(&mut stack, "/stats?school_id=oak", &good(), "limit-reached");
    check(&mut stack, "/plain", &signed(&json!({"client_id": "other"})), "pass");
    // A tier for which the route says nothing has its own limits alone.
    for _ in 0..5 {
        check(&mut stack, "/plain", &signed(&json!({"tier": "open"})), "pass");
    }
}

#[test]
fn tiers_of_one_route_share_a_budget_by_name() {
    let both = json!({
        "free": [{"name": "hour", "requests": 1, "per": "1h"}], "open": [{"name": "hour", "requests": 2, "per": "1h"}],
    });
    let mut stack = Stack::new(&[(PLAIN, both)]);
    check(&mut stack, "/plain", &good(), "pass");
    let upgraded = signed(&json!({"tier": "open"}));
    check(&mut stack, "/plain", &upgraded, "pass");
    check(&mut stack, "/plain", &upgraded, "limit-reached");
}

#[test]
fn cost_of_a_request_is_charged_to_limits_of_the_route() {
    let costs = json!({"open": [{"name": "rows", "cost": 10, "per": "1h"}]});
    let mut stack = Stack::new(&[("/routes/5/limits", costs)]);
    let open = signed(&json!({"tier": "open"}));
    check(&mut stack, "/list?limit=11", &open, "too-costly");
    check(&mut stack, "/list?limit=7", &open, "pass");
    check(&mut stack, "/list?limit=4", &open, "limit-reached");
    check(&mut stack, "/list?limit=3", &open, "pass");
}

#[test]
fn dry_run_covers_limits_of_a_route() {
    let mut stack = Stack::new(&[(PLAIN, hour(1)), ("/tiers/free/dry_run", json!(true))]);
    for _ in 0..3 {
        check(&mut stack, "/plain", &good(), "pass");
    }
    assert_eq!(stack.counted("hallpass.dry_run_denials_total.decision=.=limit-reached;.;tier=.=free"), 2);
}

#[test]
fn route_is_for_its_tiers_alone() {
    let mut stack = Stack::new(&[("/routes/8/tiers", json!(["free", "small"]))]);
    check(&mut stack, "/plain", &good(), "pass");
    check(&mut stack, "/plain", &signed(&json!({"tier": "small"})), "pass");
    let refused = stack.get("/plain", &signed(&json!({"tier": "open"})));
    assert_eq!(refused.verdict(), "tier-not-allowed", "{}", refused.steps());
    assert!(!refused.steps().contains("charge"), "{}", refused.steps());
    // What is no tier at all is told apart, and other routes are not concerned.
    check(&mut stack, "/plain", &signed(&json!({"tier": "gold"})), "tier-unknown");
    check(&mut stack, "/inline-only", &signed(&json!({"tier": "open"})), "pass");
    // A dry run never lets it pass.
    let mut stack = Stack::new(&[("/routes/8/tiers", json!(["free"])), ("/dry_run", json!(true))]);
    check(&mut stack, "/plain", &signed(&json!({"tier": "open"})), "tier-not-allowed");
}

#[test]
fn fields_of_refusals_alone() {
    for (when, passed) in [("always", true), ("refused", false)] {
        let mut stack = Stack::new(&[("/rate_limit_headers", json!({"fields": "draft-11", "when": when}))]);
        for _ in 0..3 {
            let mut exchange = stack.get("/plain", &good());
            let reply = stack.reply(&mut exchange, None).unwrap();
            assert_eq!(reply.fields.iter().any(|(name, _)| *name == "ratelimit"), passed, "{when}");
        }
        let denied = stack.get("/plain", &good());
        let answer = denied.request.answer(denied.denial(), &denied.head, &stack.worker.config, "id");
        assert!(answer.headers.iter().any(|(name, _)| *name == "ratelimit"), "{when}");
        assert!(answer.headers.iter().any(|(name, _)| *name == "retry-after"), "{when}");
    }
}
