//! What is charged, to whom, and what is given back.

use std::time::Duration;

use serde_json::json;

use super::setup::{REMOTE, forged, good, remote, signed, unknown_kid};
use super::stack::{Exchange, Stack};
use crate::answer::denial::Denial;
use crate::credentials::jwt::jose::Alg;

#[track_caller]
fn passes(exchange: &Exchange) {
    assert_eq!(exchange.verdict(), "pass", "{}", exchange.steps());
}

/// Names of the limits that refused.
#[track_caller]
fn violated(exchange: &Exchange) -> Vec<String> {
    match exchange.denial() {
        Denial::LimitReached(limit) => limit.violated.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn plan_is_charged_once_per_request() {
    let mut stack = Stack::new(&[]);
    for _ in 0..3 {
        let exchange = stack.get("/plain", &good());
        passes(&exchange);
        assert_eq!(exchange.trace.iter().filter(|step| *step == "charge minute+cost").count(), 1);
    }
    let denied = stack.get("/plain", &good());
    assert_eq!(violated(&denied), ["minute"]);
    // A third of a minute brings one request back, and not two.
    stack.sleep(20_000);
    passes(&stack.get("/plain", &good()));
    assert_eq!(violated(&stack.get("/plain", &good())), ["minute"]);
}

#[test]
fn refusal_of_one_limit_charges_none() {
    let mut stack = Stack::new(&[]);
    passes(&stack.get("/list?limit=9", &good()));
    assert_eq!(violated(&stack.get("/list?limit=2", &good())), ["cost"]);
    // Of three requests one is used up, not two.
    passes(&stack.get("/list?limit=1", &good()));
    assert_eq!(stack.get("/stats?school_id=elm", &good()).verdict(), "limit-reached");
}

#[test]
fn cost_counts_schools() {
    let mut stack = Stack::new(&[]);
    let both = signed(&json!({"schools": ["oak", "elm"]}));
    passes(&stack.get("/each?school_id=oak,elm", &both));
    assert_eq!(violated(&stack.get("/each?school_id=oak", &both)), ["cost"]);
}

#[test]
fn scope_denial_keeps_the_charge() {
    let mut stack = Stack::new(&[]);
    for path in ["/stats?school_id=elm", "/stats", "/stats?school_id=oak&SCHOOL_ID=oak"] {
        assert_ne!(stack.get(path, &good()).verdict(), "pass");
    }
    assert_eq!(violated(&stack.get("/stats?school_id=oak", &good())), ["minute"]);
}

#[test]
fn too_costly_request_is_charged_nothing() {
    let mut stack = Stack::new(&[]);
    let small = signed(&json!({"tier": "small"}));
    for (path, token) in [("/list?limit=5", &small), ("/list?limit=11", &good()), ("/list?limit=0", &good())] {
        assert_ne!(stack.get(path, token).verdict(), "pass", "{path}");
    }
    for path in ["/list?limit=8", "/list?limit=1", "/list?limit=1"] {
        passes(&stack.get(path, &good()));
    }
}

#[test]
fn two_tiers_of_one_client_share_a_budget() {
    let mut stack = Stack::new(&[]);
    for _ in 0..3 {
        passes(&stack.get("/plain", &good()));
    }
    assert_eq!(violated(&stack.get("/plain", &signed(&json!({"tier": "small"})))), ["minute"]);
    passes(&stack.get("/plain", &signed(&json!({"tier": "small", "client_id": "other"}))));
}

#[test]
fn issuers_are_strangers() {
    let mut stack = Stack::new(&[]);
    stack.fetch(&[Alg::EdDsa], 7);
    for _ in 0..3 {
        passes(&stack.get("/plain", &good()));
    }
    assert_eq!(stack.get("/plain", &good()).verdict(), "limit-reached");
    passes(&stack.get("/plain", &remote()));
}

#[test]
fn failed_credentials_cost_the_guesser() {
    for (what, bad) in
        [("forged", forged(&json!({}))), ("unreadable", "x".to_owned()), ("not even a token", "a, b".to_owned())]
    {
        let mut stack = Stack::new(&[]);
        for _ in 0..3 {
            assert!(stack.get("/plain", &bad).denial().code().starts_with("token-"), "{what}");
        }
        assert_eq!(violated(&stack.get("/plain", &bad)), ["authentication-failures"], "{what}");
        // Nobody behind this address gets a cold token in, and everybody else does.
        assert_eq!(violated(&stack.get("/plain", &good())), ["authentication-failures"], "{what}");
        stack.address = Some("192.0.2.2".parse().unwrap());
        passes(&stack.get("/plain", &good()));
    }
}

/// What a known key has signed is no guess: whoever sends it makes a mistake, and keeps no neighbour out.
#[test]
fn mistakes_cost_nobody() {
    for (what, bad) in [
        ("expired", signed(&json!({"exp": 1}))),
        ("not valid yet", signed(&json!({"nbf": 9_000_000_000_u64}))),
        ("a claim missing", signed(&json!({"client_id": null}))),
        ("bound to a key", signed(&json!({"cnf": {"jkt": "a"}}))),
        ("for logout", signed(&json!({"events": {}}))),
    ] {
        let mut stack = Stack::new(&[]);
        for _ in 0..5 {
            let exchange = stack.get("/plain", &bad);
            assert!(exchange.denial().code().starts_with("token-"), "{what}");
            assert!(!exchange.steps().contains("charge"), "{what}: {}", exchange.steps());
        }
        passes(&stack.get("/plain", &good()));
    }
}

#[test]
fn budget_that_is_used_up_refuses_before_any_crypto() {
    let mut stack = Stack::new(&[]);
    for nth in 0..3 {
        let exchange = stack.get("/plain", &forged(&json!({"jti": nth.to_string()})));
        let steps = "address, peek authentication-failures, verify, charge authentication-failures, deny token-invalid";
        assert_eq!(exchange.steps(), steps);
    }
    let refused = stack.get("/plain", &forged(&json!({"jti": "3"})));
    assert_eq!(refused.steps(), "address, peek authentication-failures, deny limit-reached");
    // From then on not even the budget is asked, nor the token read, until something can have come back.
    for token in [forged(&json!({"jti": "3"})), good(), "x".to_owned(), "a, b".to_owned()] {
        let exchange = stack.get("/plain", &token);
        assert_eq!(exchange.steps(), "address, deny limit-reached");
        assert_eq!(violated(&exchange), ["authentication-failures"]);
    }
    assert_eq!(stack.send("GET", "/plain", &[]).steps(), "deny token-missing");
    // A dry run says so once, and goes on.
    let mut stack = Stack::new(&[("/dry_run", json!(true))]);
    for nth in 0..4 {
        let exchange = stack.get("/plain", &forged(&json!({"jti": nth.to_string()})));
        assert_eq!(exchange.verdict(), "token-invalid");
    }
    assert_eq!(stack.counted("hallpass.dry_run_denials_total"), 1);
    let exchange = stack.get("/plain", &good());
    assert_eq!(exchange.steps(), "address, verify, charge minute+cost, pass");
    assert_eq!(stack.counted("hallpass.dry_run_denials_total"), 1);
}

#[test]
fn budget_that_others_use_up_meanwhile_still_counts() {
    // As when four workers saw room for the last one: each checks its token, and one of them has it.
    let mut stack = Stack::new(&[("/authentication_failures", json!({"requests": 1, "per": "1m"}))]);
    let bad = (0..4).map(|nth| forged(&json!({"jti": nth.to_string()})));
    let mut racing: Vec<_> = bad.map(|token| stack.up_to_the_signature("/plain", &token)).collect();
    let mut ends: Vec<_> = racing.iter_mut().map(|exchange| stack.verified(exchange, false)).collect();
    ends.sort_unstable();
    assert_eq!(ends, ["limit-reached", "limit-reached", "limit-reached", "token-invalid"]);
}

#[test]
fn addresses_of_one_subscriber_share_a_budget() {
    for (first, second, same) in [
        ("2001:db8::1", "2001:db8::ffff:0:0:2", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
    ] {
        let mut stack = Stack::new(&[]);
        stack.address = Some(first.parse().unwrap());
        for _ in 0..3 {
            stack.get("/plain", "x");
        }
        stack.address = Some(second.parse().unwrap());
        assert_eq!(stack.get("/plain", "x").verdict() == "limit-reached", same, "{first} {second}");
    }
    // Sources that Envoy does not tell apart are one.
    let mut stack = Stack::new(&[]);
    stack.address = None;
    for _ in 0..3 {
        assert_eq!(stack.get("/plain", "x").verdict(), "token-invalid");
    }
    assert_eq!(stack.get("/plain", "x").verdict(), "limit-reached");
}

#[test]
fn good_credentials_cost_the_address_nothing() {
    let mut stack = Stack::new(&[]);
    for nth in 0..10 {
        passes(&stack.get("/plain", &signed(&json!({"client_id": format!("app-{nth}")}))));
    }
    // Nor does it cost anything to send none.
    for _ in 0..10 {
        assert_eq!(stack.send("GET", "/plain", &[]).steps(), "deny token-missing");
    }
}

#[test]
fn keys_that_cannot_be_had_are_no_fault_of_the_caller() {
    let mut stack = Stack::new(&[]);
    stack.fail_fetch(Duration::from_mins(1));
    for _ in 0..10 {
        let exchange = stack.get("/plain", &remote());
        assert_eq!(exchange.steps(), "address, charge authentication-failures, refund, deny keys-unavailable");
    }
    let mut stack = Stack::new(&[]);
    for _ in 0..10 {
        let exchange = stack.get("/plain", &unknown_kid(REMOTE));
        assert_eq!(exchange.steps(), "address, charge authentication-failures, refund, await");
    }
}

#[test]
fn unknown_kid_holds_its_charge_while_it_waits() {
    let mut stack = Stack::new(&[("/authentication_failures", json!({"requests": 2, "per": "1m"}))]);
    stack.fetch(&[Alg::EdDsa], 1);
    stack.sleep(1_000);
    let mut waiters: Vec<_> = (0..2).map(|_| stack.get("/plain", &unknown_kid(REMOTE))).collect();
    for waiter in &waiters {
        assert_eq!(waiter.steps(), "address, charge authentication-failures, await");
    }
    // One address cannot hold all places.
    assert_eq!(stack.get("/plain", &unknown_kid(REMOTE)).verdict(), "limit-reached");
    // When the keys cannot be had, it was not the caller's fault.
    stack.fail_fetch(Duration::from_mins(1));
    for waiter in &mut waiters {
        stack.tick(waiter);
        assert_eq!(waiter.steps(), "address, charge authentication-failures, await, refund, deny keys-unavailable");
    }
    assert_eq!(stack.get("/plain", "x").verdict(), "token-invalid");
}

#[test]
fn guard_may_be_off() {
    let mut stack = Stack::new(&[("/authentication_failures", json!("off"))]);
    for _ in 0..10 {
        assert_eq!(stack.get("/plain", "x").verdict(), "token-invalid");
    }
    assert_eq!(stack.get("/plain", &good()).steps(), "verify, charge minute+cost, pass");
}

#[test]
fn tokens_that_a_worker_knows_pass_while_the_budget_is_used_up() {
    let mut stack = Stack::new(&[]);
    let known = good();
    passes(&stack.get("/plain", &known));
    for _ in 0..5 {
        stack.get("/plain", "x");
    }
    assert_eq!(stack.get("/plain", "x").steps(), "address, deny limit-reached");
    assert_eq!(stack.get("/plain", &known).steps(), "charge minute+cost, pass");
    // One comes back in 20 seconds; nobody waits longer for it.
    stack.sleep(19_999);
    assert_eq!(stack.get("/plain", "x").verdict(), "limit-reached");
    stack.sleep(1);
    assert_eq!(stack.get("/plain", "x").verdict(), "token-invalid");
    assert_eq!(stack.get("/plain", "x").verdict(), "limit-reached");
}

#[test]
fn address_limits_of_a_route_count_before_anything_else() {
    let mut stack = Stack::new(&[]);
    let login = |stack: &mut Stack| stack.send("POST", "/login", &[]);
    assert_eq!(login(&mut stack).steps(), "address, charge login, pass");
    passes(&login(&mut stack));
    assert_eq!(violated(&login(&mut stack)), ["login"]);
    // Another route has its own budget, another address as well.
    passes(&stack.get("/limited", &good()));
    stack.address = Some("192.0.2.2".parse().unwrap());
    passes(&login(&mut stack));
}

#[test]
fn shared_data_that_fails_lets_nothing_pass() {
    // The calls of a cold request: one for the guard, two for the plan.
    for (calls, steps) in [
        (0, "address, peek authentication-failures, deny unavailable"),
        (1, "address, peek authentication-failures, verify, charge minute+cost, deny unavailable"),
        (2, "address, peek authentication-failures, verify, charge minute+cost, deny unavailable"),
        (3, "address, peek authentication-failures, verify, charge minute+cost, pass"),
    ] {
        let mut stack = Stack::new(&[]);
        stack.shelf.failing.after = Some(calls);
        assert_eq!(stack.get("/plain", &good()).steps(), steps, "{calls}");
    }
    // Of a bad one: one to see whether there is room, two to take it.
    for (calls, verdict) in [(0, "unavailable"), (1, "unavailable"), (2, "unavailable"), (3, "token-invalid")] {
        let mut stack = Stack::new(&[]);
        stack.shelf.failing.after = Some(calls);
        assert_eq!(stack.get("/plain", &forged(&json!({}))).verdict(), verdict, "{calls}");
    }
    let mut stack = Stack::new(&[("/dry_run", json!(true))]);
    stack.shelf.failing.after = Some(0);
    assert_eq!(stack.send("POST", "/login", &[]).verdict(), "unavailable");
}
