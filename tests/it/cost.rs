//! Cost and its settlement through a real Envoy.

mod bodies;
mod trailers;

use serde_json::{Value, json};

use crate::support::policy::{config, expect_problem, start, token};
use crate::support::{Answer, Gateway, Response, Upstream};

/// Routes that cost what is asked for; a tier of a hundred units an hour.
fn costly() -> Value {
    let mut config = config(&json!([
        {"match": {"path": "/flat"}, "cost": 30},
        {"match": {"path": "/limit"}, "cost": {"weight": 2, "times": {"query": "limit", "default": 10}}},
        {"match": {"path": "/schools"}, "cost": {"weight": 20, "times": "schools"},
         "scope": {"schools": {"query": "school_id", "separator": ",", "missing": "allow"}}},
        {"match": {"path": "/a"}},
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
    ]));
    config["tiers"]["standard"] = json!({"limits": [{"name": "work", "cost": 100, "per": "366d"}]});
    config["settlement_header"] = json!("x-actual-cost");
    config
}

/// Sends as another client each time `client` differs; every client has the whole budget.
fn ask(gateway: &Gateway, client: &str, target: &str) -> Response {
    gateway.get(target).bearer(token().claim("client_id", client).sign()).send()
}

/// How many units of the budget the client has left, found by spending them.
fn left(gateway: &Gateway, upstream: &Upstream, client: &str) -> u32 {
    upstream.answer(|_| Answer::new(200));
    let signed = token().claim("client_id", client).sign();
    (0..=1000).take_while(|_| gateway.get("/a").bearer(&signed).send().status == 200).count().try_into().unwrap()
}

#[test]
fn requests_cost_what_they_ask_for() {
    let (upstream, gateway) = start(costly());
    for (nth, (target, cost)) in [
        ("/flat", 30),
        ("/limit", 20),
        ("/limit?limit=1", 2),
        ("/limit?limit=49", 98),
        ("/schools", 20),
        ("/schools?school_id=oakwood-primary", 20),
        ("/schools?school_id=oakwood-primary,ravenscroft-high", 40),
        ("/schools?school_id=oakwood-primary&school_id=ravenscroft-high", 40),
    ]
    .into_iter()
    .enumerate()
    {
        let client = format!("client-{nth}");
        ask(&gateway, &client, target).expect_status(200);
        assert_eq!(left(&gateway, &upstream, &client), 100 - cost, "{target}");
    }
    // More than the budget ever holds; no number; a number that two servers read differently.
    for (target, status) in [
        ("/limit?limit=51", 429),
        ("/limit?limit=99999999999999999999", 429),
        ("/limit?limit=0", 400),
        ("/limit?limit=-1", 400),
        ("/limit?limit=1.5", 400),
        ("/limit?limit=1e1", 400),
        ("/limit?limit=010", 400),
        ("/limit?limit=%2B1", 400),
        ("/limit?limit=", 400),
        ("/limit?limit=1&limit=1", 400),
        ("/limit?limit=1&LIMIT=90", 400),
    ] {
        let response = ask(&gateway, "refused", target);
        let code = if status == 429 { "too-costly" } else { "malformed-request" };
        expect_problem(&response, status, code);
    }
    // None of that was charged, and a client's own word on costs counts nothing.
    let signed = token().claim("client_id", "refused").sign();
    let request = gateway.get("/flat").bearer(&signed).header("x-actual-cost", "0").header("x-cost", "0");
    request.send().expect_status(200);
    assert_eq!(left(&gateway, &upstream, "refused"), 70);
}

#[test]
fn settlement_gives_back_at_most_what_was_charged() {
    let (upstream, gateway) = start(costly());
    for (nth, (actual, cost)) in [
        // less; nothing; the same; more than the estimate; more than the budget
        (Some("10"), 10),
        (Some("0"), 0),
        (Some(" 5 "), 5),
        (Some("30"), 30),
        (Some("45"), 45),
        (Some("4294967295"), 100),
        (Some("99999999999999999999"), 100),
        // no number: as charged
        (None, 30),
        (Some("-1"), 30),
        (Some("-100"), 30),
        (Some("1e1"), 30),
        (Some("abc"), 30),
        (Some(""), 30),
        (Some("+5"), 30),
    ]
    .into_iter()
    .enumerate()
    {
        upstream.answer(move |_| match actual {
            Some(actual) => Answer::new(200).header("x-actual-cost", actual),
            None => Answer::new(200),
        });
        let client = format!("client-{nth}");
        let response = ask(&gateway, &client, "/flat");
        response.expect_status(200);
        assert_eq!(response.headers("x-actual-cost"), [""; 0], "{actual:?}");
        assert_eq!(left(&gateway, &upstream, &client), 100 - cost, "{actual:?}");
    }

    // a settled budget lasts longer
    let run = |client: &str| (0..12).map(|_| ask(&gateway, client, "/flat").status).collect::<Vec<_>>();

    // Thirty each of a hundred: three.
    assert_eq!(run("unsettled"), [200, 200, 200, 429, 429, 429, 429, 429, 429, 429, 429, 429]);
    // Settled for five each, the request of thirty must still fit: fifteen times.
    upstream.answer(|_| Answer::new(200).header("x-actual-cost", "5"));
    assert_eq!(run("settled"), [200; 12]);
}
