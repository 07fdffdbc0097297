//! Limits as a client sees them: several at once, refill, tiers and issuers, calendar quotas, response fields.

mod addresses;
mod authentication_failures;
mod races;
mod routes;

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::Response;
use crate::support::policy::start;
use crate::support::sample::{ISSUER, NEVER, config, issuer, key_set, token, total};
use crate::support::tokens::now;
use crate::support::wait_for;

#[test]
fn denial_by_one_limit_uses_no_other_limit() {
    let mut config = config(&json!([total("calls", 4), {"name": "cost", "cost": 10, "per": NEVER}]));
    config["tiers"]["capped"] = json!({"limits": [total("all", 5)], "max_cost": 3});
    config["routes"][0]["cost"] = json!({"times": {"query": "limit", "default": 1}});
    let (upstream, gateway) = start(config);
    let signed = token("a").sign();
    let ask = |limit: u32| gateway.get(&format!("/a?limit={limit}")).bearer(&signed).send();

    assert_eq!(ask(8).left(), 3);
    for _ in 0..9 {
        check_refused(&ask(5), &["cost"]);
    }
    let too_costly = ask(11);
    assert_eq!((too_costly.status, too_costly.header("retry-after")), (429, None), "{too_costly:?}");
    assert!(too_costly.json()["type"].as_str().unwrap().ends_with("#too-costly"));
    assert_eq!(ask(1).left(), 2, "no refusal used a call");
    assert_eq!(ask(1).left(), 1, "no refusal used cost");

    let capped = token("b").claim("tier", "capped").sign();
    let ask = |limit: u32| gateway.get(&format!("/a?limit={limit}")).bearer(&capped).send();
    assert_eq!((ask(4).status, ask(4).header("retry-after")), (429, None), "over the ceiling: waiting never helps");
    assert_eq!(ask(3).left(), 4, "the refusals used nothing");
    assert_eq!(upstream.heads(), 4, "what passed");
}

#[test]
fn all_limits_that_refuse_are_named_and_the_longest_wait_is_told_up_to_a_cap() {
    let hour = json!({"name": "slow", "requests": 1, "per": "1h"});
    let minute = json!({"name": "quick", "requests": 1, "per": "1m"});
    let mut config = config(&json!([minute, hour]));
    config["tiers"]["once"] = json!({"limits": [total("all", 1)]});
    let (_upstream, gateway) = start(config);
    let token = token("a");
    let signed = token.sign();

    gateway.get("/a").bearer(&signed).send().expect_status(200);
    let refused = gateway.get("/a").bearer(&signed).send();

    check_refused(&refused, &["slow", "quick"]);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_590..=3_600).contains(&wait), "{wait}");

    // a wait of a year is told as an hour
    let once = token.claim("tier", "once").claim("client_id", "b").sign();
    gateway.get("/a").bearer(&once).send().expect_status(200);
    let refused = gateway.get("/a").bearer(&once).send();
    check_refused(&refused, &["all"]);
    assert_eq!(refused.header("retry-after").as_deref(), Some("3600"));
}

#[test]
fn bucket_refills_continuously_and_never_admits_more() {
    let (_upstream, gateway) = start(config(&json!([{"name": "rate", "requests": 20, "per": "1s", "burst": 5}])));
    let token = token("a").sign();
    let (start, mut passed) = (Instant::now(), 0.0);

    while start.elapsed() < Duration::from_millis(1_500) {
        passed += f64::from(u8::from(gateway.get("/a").bearer(&token).send().status == 200));
    }

    let most = 5.0 + 20.0 * start.elapsed().as_secs_f64();
    assert!(passed <= most, "{passed} of {most}");
    // a busy machine asks less often than the bucket refills
    assert!(passed >= most * 0.5, "{passed} of {most}");
}

#[test]
fn request_passes_after_retry_after_and_not_before() {
    let (_upstream, gateway) = start(config(&json!([{"name": "rate", "requests": 1, "per": "2s"}])));
    let token = token("a").sign();
    let send = || gateway.get("/a").bearer(&token).send();

    let start = Instant::now();
    send().expect_status(200);
    let refused = send();
    let said: u64 = refused.expect_status(429).header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&said), "{refused:?}");
    wait_for("an admission", Duration::from_secs(10), || (send().status == 200).then_some(()));

    let took = start.elapsed();
    // the gateway's clock starts a little before the response
    assert!(took >= Duration::from_millis(1_900), "{took:?}");
}

#[test]
fn rate_limit_fields_tell_policy_and_state() {
    let limits = json!([
        {"name": "minute", "requests": 60, "per": "1m", "burst": 5},
        total("all", 100),
        {"name": "cost", "cost": 100, "per": "1m"},
    ]);
    let cases = [
        (
            json!("draft-11"),
            vec![
                ("ratelimit-policy", r#""minute";q=5;w=5, "all";q=100;w=31622400"#),
                ("ratelimit", r#""minute";r=4;t=1, "all";r=99;t=316224"#),
            ],
        ),
        (
            json!("x-ratelimit"),
            vec![("x-ratelimit-limit", "5"), ("x-ratelimit-remaining", "4"), ("x-ratelimit-reset", "1")],
        ),
        (json!("off"), vec![]),
    ];
    for (mode, expected) in cases {
        let mut config = config(&limits);
        config["rate_limit_headers"] = mode;
        config["routes"] = json!([{"match": {"path": "/open"}, "require": []}, {"match": {"path": "/"}}]);
        let (_upstream, gateway) = start(config);
        let token = token("a").sign();

        let passed = gateway.get("/a").bearer(&token).send();
        passed.expect_status(200);
        let names = passed.headers.keys().filter(|name| name.as_str().contains("ratelimit"));
        let mut found: Vec<(&str, String)> =
            names.map(|name| (name.as_str(), passed.header(name.as_str()).unwrap())).collect();
        found.sort_by_key(|(name, _)| expected.iter().position(|(other, _)| other == name));
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(found, expected);

        // nothing was judged on an open route
        let open = gateway.get("/open").send();
        assert!(open.headers.keys().all(|name| !name.as_str().contains("ratelimit")), "{open:?}");
        // a refusal carries the same fields
        let refused = wait_for("a refusal", Duration::from_secs(10), || {
            Some(gateway.get("/a").bearer(&token).send()).filter(|response| response.status == 429)
        });
        assert!(expected.iter().all(|(name, _)| refused.header(name).is_some()), "{refused:?}");
        assert!(refused.header("ratelimit").is_none_or(|it| it.starts_with(r#""minute";r=0;t="#)), "{refused:?}");
    }
}

#[test]
fn upgraded_client_draws_on_the_same_budget() {
    let mut config = config(&json!([]));
    config["tiers"] = json!({"free": {"limits": [total("all", 5)]}, "premium": {"limits": [total("all", 8)]}});
    let (_upstream, gateway) = start(config);
    let (free, premium) = (token("a").claim("tier", "free").sign(), token("a").claim("tier", "premium").sign());
    let with = |token: &str| gateway.get("/a").bearer(token).send();

    assert_eq!([with(&free), with(&free), with(&free)].map(|it| it.left()), [4, 3, 2]);
    assert_eq!(with(&premium).left(), 4, "three are used of eight");
    assert_eq!(with(&free).left(), 0);
    with(&free).expect_status(429);
    assert_eq!([with(&premium), with(&premium), with(&premium)].map(|it| it.left()), [2, 1, 0]);
    with(&premium).expect_status(429);
    let other = token("b").claim("tier", "free").sign();
    assert_eq!(with(&other).left(), 4, "another client");
}

#[test]
fn same_client_of_two_issuers_has_two_budgets() {
    const OTHER: &str = "https://other.example.com/";
    let mut config = config(&json!([total("all", 2)]));
    let keys = json!({"inline": key_set()});
    config["issuers"] = json!([issuer(&keys), issuer(&keys)]);
    config["issuers"][1]["issuer"] = json!(OTHER);
    let (_upstream, gateway) = start(config);

    for issuer in [ISSUER, OTHER] {
        let token = token("a").claim("iss", issuer).sign();
        assert_eq!(gateway.get("/a").bearer(&token).send().left(), 1, "{issuer}");
        assert_eq!(gateway.get("/a").bearer(&token).send().left(), 0, "{issuer}");
        gateway.get("/a").bearer(&token).send().expect_status(429);
    }
}

#[test]
fn day_quota_ends_at_midnight_utc() {
    const DAY: u64 = 86_400;
    // Next to midnight the answers below would differ from one to the next.
    wait_for("the first seconds of the day", Duration::from_secs(40), || (now() % DAY < DAY - 30).then_some(()));
    let mut config = config(&json!([{"name": "day", "requests": 2, "per": "day"}]));
    config["bounds"] = json!({"max_retry_after": "2d"});
    let (_upstream, gateway) = start(config);
    let token = token("a").sign();
    let until_midnight = |seconds: u64| seconds.abs_diff(DAY - now() % DAY) <= 2;

    let passed = gateway.get("/a").bearer(&token).send();
    assert_eq!(passed.header("ratelimit-policy").unwrap(), r#""day";q=2;w=86400"#);
    let state = passed.header("ratelimit").unwrap();
    let reset = state.strip_prefix(r#""day";r=1;t="#).unwrap_or_else(|| panic!("{state}"));
    assert!(until_midnight(reset.parse().unwrap()), "{state}");
    gateway.get("/a").bearer(&token).send().expect_status(200);
    let refused = gateway.get("/a").bearer(&token).send();
    check_refused(&refused, &["day"]);
    assert!(until_midnight(refused.header("retry-after").unwrap().parse().unwrap()), "{refused:?}");
}

#[track_caller]
fn check_refused(response: &Response, limits: &[&str]) {
    response.expect_status(429);
    assert!(response.header("retry-after").is_some(), "{response:?}");
    assert_eq!(response.json()["violated-policies"], json!(limits), "{response:?}");
}
