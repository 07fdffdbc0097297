#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::filter::request::testing::{End, Stack, token};
use crate::filter::request::{Event, Step};

#[track_caller]
fn check(claims: &Value, body: &str, expected: &str) {
    let mut stack = Stack::new(&[]);
    assert_eq!(stack.students("acme1", &token(claims), body).verdict(), expected, "{claims} {body}");
}

#[test]
fn every_value_must_be_granted() {
    for body in [r#"{"d":"d1"}"#, r#"{"s":"s1"}"#, r#"{"d":["d1"],"s":["s1"]}"#, r#"{"limit":1,"s":["s1","s1"]}"#] {
        check(&json!({}), body, "pass");
    }
    check(&json!({}), r#"{"d":"d2"}"#, "district-out-of-scope");
    check(&json!({}), r#"{"d":["d1","d2"]}"#, "district-out-of-scope");
    check(&json!({}), r#"{"s":["s1","s2"]}"#, "school-out-of-scope");
    check(&json!({}), r#"{"d":"d1","s":"s2"}"#, "school-out-of-scope");
    // An empty grant is none.
    check(&json!({"districts": []}), r#"{"d":"d1"}"#, "district-out-of-scope");
}

#[test]
fn district_opens_its_schools() {
    // by the configuration
    check(&json!({}), r#"{"s":["s11","s12"]}"#, "pass");
    check(&json!({}), r#"{"s":"s21"}"#, "school-out-of-scope");
    check(&json!({"districts": ["d2"]}), r#"{"s":"s21"}"#, "pass");
    // by the token, of a district that it has
    check(&json!({"open": {"d1": ["s99"]}}), r#"{"s":"s99"}"#, "pass");
    check(&json!({"open": {"d2": ["s99"]}}), r#"{"s":"s99"}"#, "school-out-of-scope");
    check(&json!({"open": ["s99"]}), r#"{"s":"s1"}"#, "token-invalid");
}

#[test]
fn request_that_names_nothing_is_refused_where_the_rule_says_so() {
    for body in ["{}", r#"{"s":[]}"#, r#"{"x":{"d":"d1"}}"#] {
        check(&json!({}), body, "scope-missing");
    }
    let rule = |missing: &str| json!({"body": "/d", "missing": missing});
    for (rules, expected) in [
        (json!({"districts": rule("refuse")}), "scope-missing"),
        (json!({"districts": rule("allow")}), "pass"),
        (json!({"schools": rule("refuse")}), "school-missing"),
        (json!({"schools": rule("allow"), "districts": rule("allow"), "require_one": false}), "pass"),
    ] {
        let mut routes = crate::filter::request::testing::document()["routes"].clone();
        routes[1]["scope"] = rules.clone();
        let mut stack = Stack::new(&[("/routes", routes)]);
        assert_eq!(stack.students("acme1", &token(&json!({})), "{}").verdict(), expected, "{rules}");
    }
}

#[test]
fn cost_is_awaited_until_the_body_has_told_it() {
    let times = |times: &str| json!({"weight": 2, "times": {times: if times == "body" { "/limit" } else { "limit" }, "default": 1}});
    for (cost, expected) in [
        (times("body"), true),
        (json!({"weight": 2, "times": "schools"}), true),
        (times("query"), false),
        (json!({"weight": 2}), false),
    ] {
        let mut stack = Stack::new(&[("/routes/1/cost", cost.clone())]);
        let json = [("content-type", "application/json")];
        let mut exchange = stack.send("POST", "/students", "acme1", &token(&json!({})), &json, false);
        assert_eq!((exchange.verdict(), exchange.request.awaits_cost(&stack.worker)), ("body", expected), "{cost}");
        stack.body(&mut exchange, br#"{"s":"s1","limit":3}"#);
        assert_eq!((exchange.verdict(), exchange.request.awaits_cost(&stack.worker)), ("pass", false), "{cost}");
    }
}

#[test]
fn bodies_that_cannot_be_judged_are_refused() {
    for body in ["", "[]", r#"{"d":"d1","d":"d2"}"#, r#"{"d":"d1","D":"d2"}"#, r#"{"d":1}"#, r#"{"d":"d1"} {}"#] {
        check(&json!({}), body, "body-malformed");
    }
    check(&json!({}), r#"{"d":"d1","limit":0}"#, "body-malformed");
}

#[test]
fn head_is_judged_before_the_body_is_read() {
    let mut stack = Stack::new(&[]);
    let token = token(&json!({}));
    let json = ("content-type", "application/json");
    let mut check = |path: &str, headers: &[(&str, &str)], ends: bool, expected: &str| {
        stack.sleep(60);
        let exchange = stack.send("POST", path, "acme1", &token, headers, ends);
        assert_eq!(exchange.verdict(), expected, "{path} {headers:?}");
    };
    check("/students", &[json], false, "body");
    check("/students", &[json], true, "body-malformed");
    check("/students", &[], false, "body-unsupported");
    check("/students", &[json, ("content-encoding", "gzip")], false, "body-unsupported");
    check("/students", &[json, ("content-length", "1001")], false, "body-too-large");
    check("/students?d=d2", &[json], false, "malformed-request");
    check("/students?limit=1", &[json], false, "malformed-request");
    check("/students?_method=GET", &[json], false, "malformed-request");
}

#[test]
fn base_is_charged_before_the_body_and_the_rest_after() {
    let mut stack = Stack::new(&[]);
    let token = token(&json!({}));
    let exchange = stack.students("acme1", &token, r#"{"d":"d1","limit":10}"#);
    assert_eq!(exchange.trace, ["rate+cost+dayx1/2", "verify", "rate+cost+dayx0/18"]);
    assert_eq!((exchange.verdict(), exchange.request.cost()), ("pass", 20));
    // What is assumed without a number; what costs no more than the base is charged once.
    let exchange = stack.students("acme1", &token, r#"{"d":"d1"}"#);
    assert_eq!((exchange.trace.len(), exchange.request.cost()), (2, 10));
    let exchange = stack.students("acme1", &token, r#"{"d":"d1","limit":1}"#);
    assert_eq!((exchange.trace.len(), exchange.request.cost()), (1, 2));
    // Out of scope: the base only.
    let exchange = stack.students("acme1", &token, r#"{"d":"d2","limit":10}"#);
    assert_eq!((exchange.trace.len(), exchange.request.cost()), (1, 2));
    // 34 are used; this one has 66 left and wants 80.
    let exchange = stack.students("acme1", &token, r#"{"d":"d1","limit":40}"#);
    assert_eq!(exchange.verdict(), "limit-reached");
}

#[test]
fn tier_that_limits_cost_alone_is_charged_the_rest() {
    let limits = json!([{"name": "cost", "cost": 100, "per": "1m"}]);
    let mut stack = Stack::new(&[("/tiers/starter/limits", limits)]);
    for verdict in ["pass", "pass", "limit-reached"] {
        assert_eq!(stack.students("acme1", &token(&json!({})), r#"{"d":"d1","limit":20}"#).verdict(), verdict);
    }
}

#[test]
fn schools_of_the_body_are_counted() {
    let mut stack = Stack::new(&[
        ("/routes/1/scope", json!({"schools": {"body": "/s"}})),
        ("/routes/1/cost", json!({"weight": 2, "times": "schools"})),
    ]);
    // Three schools, one of them twice: as many as are named. The head alone costs as much as one.
    let exchange = stack.students("acme1", &token(&json!({})), r#"{"s":["s1","s11","s12","s1"]}"#);
    assert_eq!(exchange.trace, ["rate+cost+dayx1/2", "verify", "rate+cost+dayx0/6"]);
    assert_eq!((exchange.verdict(), exchange.request.cost()), ("pass", 8));
}

#[test]
fn more_than_a_limit_holds_is_too_costly() {
    check(&json!({}), r#"{"d":"d1","limit":51}"#, "too-costly");
    check(&json!({}), r#"{"d":"d1","limit":99999999999}"#, "too-costly");
    check(&json!({}), r#"{"d":"d1","limit":50}"#, "pass");
}

#[test]
fn actual_cost_settles_both_charges() {
    for (actual, left) in [(&b"20"[..], 80), (b"1", 99), (b"2", 98), (b"5", 95), (b"50", 50)] {
        let mut stack = Stack::new(&[]);
        let token = token(&json!({}));
        let mut exchange = stack.students("acme1", &token, r#"{"d":"d1","limit":10}"#);
        stack.reply(&mut exchange, 200, Some(actual));
        // What is left is what can still be asked for, in steps of two.
        let ask = |limit: i32| format!(r#"{{"d":"d1","limit":{limit}}}"#);
        let over = stack.students("acme1", &token, &ask(left / 2 + 1)).verdict();
        assert!(matches!(over, "limit-reached" | "too-costly"), "{actual:?} {over}");
    }
}

#[test]
fn body_over_the_cap_ends_the_request() {
    let mut stack = Stack::new(&[]);
    let headers = [("content-type", "application/json")];
    let mut exchange = stack.send("POST", "/students", "acme1", &token(&json!({})), &headers, false);
    assert!(matches!(exchange.end, End::Body(1000)));
    stack.run(&mut exchange, Event::TooBig);
    assert_eq!(exchange.verdict(), "body-too-large");
    // What comes after changes nothing.
    stack.run(&mut exchange, Event::Body(br#"{"d":"d1"}"#));
    assert_eq!(exchange.verdict(), "body-too-large");
    assert!(!exchange.request.is_passed());
}

#[test]
fn request_that_is_gone_while_its_body_is_awaited_stays_closed() {
    let mut stack = Stack::new(&[]);
    let headers = [("content-type", "application/json")];
    let mut exchange = stack.send("POST", "/students", "acme1", &token(&json!({})), &headers, false);
    stack.run(&mut exchange, Event::Gone);
    stack.run(&mut exchange, Event::Body(br#"{"d":"d1"}"#));
    assert!(!exchange.request.is_passed());
}

#[test]
fn dry_run_reports_scope_and_keeps_bodies_strict() {
    let mut stack = Stack::new(&[("/dry_run", json!(true))]);
    let token = token(&json!({}));
    assert_eq!(stack.students("acme1", &token, r#"{"d":"d2"}"#).verdict(), "pass");
    assert_eq!(stack.students("acme1", &token, r#"{"d":7}"#).verdict(), "body-malformed");
    assert_eq!(stack.students("globex", &token, r#"{"d":"d1"}"#).verdict(), "client-mismatch");
}

#[test]
fn dry_run_charges_nothing_of_what_a_limit_would_refuse() {
    let mut stack = Stack::new(&[("/dry_run", json!(true))]);
    let token = token(&json!({}));
    for _ in 0..5 {
        let exchange = stack.students("acme1", &token, r#"{"d":"d1","limit":2}"#);
        assert_eq!((exchange.trace.last().unwrap().as_str(), exchange.request.cost()), ("rate+cost+dayx0/2", 4));
    }
    // The sixth of the minute, which allows five.
    let exchange = stack.students("acme1", &token, r#"{"d":"d1","limit":10}"#);
    assert_eq!((exchange.verdict(), exchange.request.cost()), ("pass", 0));
    assert_eq!(exchange.trace, ["rate+cost+dayx1/2"]);
    assert_eq!(stack.counted("hallpass.dry_run_denials_total.decision=.=limit-reached"), 1);
}

#[test]
fn dry_run_tells_the_first_part_alone_where_a_limit_would_refuse_the_rest() {
    let mut stack = Stack::new(&[("/dry_run", json!(true))]);
    let token = token(&json!({}));
    // The second wants 78 more of a hundred, of which 82 are used.
    for cost in [80, 2] {
        let exchange = stack.students("acme1", &token, r#"{"d":"d1","limit":40}"#);
        assert_eq!((exchange.verdict(), exchange.request.cost()), ("pass", cost));
    }
}

#[test]
fn dry_run_counts_once_and_as_cost_only_what_was_charged_when_the_rest_is_refused() {
    // How many are asked for, at two each; a bucket of a hundred refuses the last for now, or for good.
    for (asked, why) in [(vec![45, 45], "for now"), (vec![60], "for good")] {
        let mut stack = Stack::new(&[("/dry_run", json!(true))]);
        let token = token(&json!({}));
        let ask = |limit: &i32| stack.students("acme1", &token, &format!(r#"{{"d":"d1","limit":{limit}}}"#));
        let last = asked.iter().map(ask).last().unwrap();
        assert_eq!((last.verdict(), last.request.cost()), ("pass", 2), "{why}");
        assert_eq!(stack.counted("hallpass.dry_run_denials_total"), 1, "{why}");
    }
}

fn any_event() -> impl Strategy<Value = usize> {
    0..8_usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Events in any order: the request passes only by a body that is in scope, while one is awaited.
    #[test]
    fn no_order_of_events_passes_without_a_verdict(events in proptest::collection::vec(any_event(), 0..12)) {
        let mut stack = Stack::new(&[]);
        let headers = [("content-type", "application/json")];
        let mut exchange = stack.send("POST", "/students", "acme1", &token(&json!({})), &headers, false);
        prop_assert_eq!(exchange.verdict(), "body");
        let mut first = None;
        for nth in events {
            let event = match nth {
                0 => Event::Head,
                1 => Event::Body(br#"{"d":"d1"}"#),
                2 => Event::Body(br#"{"d":"d2"}"#),
                3 => Event::Ready,
                4 => Event::Verified(true),
                5 => Event::Refunded,
                6 => Event::TooBig,
                _ => Event::Address(None),
            };
            if first.is_none() && matches!(nth, 1 | 2 | 6) {
                first = Some(nth);
            }
            stack.run(&mut exchange, event);
            prop_assert_eq!(exchange.request.is_passed(), first == Some(1));
        }
    }

    /// Scope is judged by set membership, whatever the ids are.
    #[test]
    fn scope_is_membership(granted in proptest::collection::vec("[a-e]", 0..4), asked in proptest::collection::vec("[a-e]", 0..4)) {
        let mut stack = Stack::new(&[]);
        let token = token(&json!({"districts": granted}));
        let verdict = stack.students("acme1", &token, &json!({"d": asked}).to_string()).verdict();
        let expected = match (asked.is_empty(), asked.iter().all(|id| granted.contains(id))) {
            (true, _) => "scope-missing",
            (false, true) => "pass",
            (false, false) => "district-out-of-scope",
        };
        prop_assert_eq!(verdict, expected);
    }
}

/// A closed request answers nothing.
#[test]
fn body_of_a_request_that_needs_none_is_no_event() {
    let mut stack = Stack::new(&[]);
    let mut exchange = stack.get("acme1", &token(&json!({})));
    let head = crate::http::head::Head::default();
    let step = exchange.request.step(&mut stack.worker, &head, stack.now, Event::Body(b"{}"));
    assert!(matches!(step, Step::Nothing) && exchange.request.is_passed());
}
