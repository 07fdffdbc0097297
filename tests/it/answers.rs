//! Answers of the filter: every row of the table of refusals, with its headers and its body, and the twin that passes.

mod dialects;

use serde_json::{Value, json};

use crate::support::policy::{config, expect_problem, start, token};
use crate::support::{Client, Gateway, Response, Upstream, raw};

/// A challenge after a token was shown.
const INVALID: &str =
    r#"Bearer realm="education-data", error="invalid_token", error_description="the token is not valid""#;
const EXPIRED: &str = r#"Bearer realm="education-data", error="invalid_token", error_description="the token expired""#;
const SCOPE: &str = r#"Bearer realm="education-data", error="insufficient_scope""#;

fn policy() -> Value {
    let mut config = config(&json!([
        {"match": {"path": "/open", "methods": ["GET", "POST"]}, "require": []},
        {"match": {"path": "/summary", "methods": ["GET", "POST"]}, "scope": {"schools": {"query": "school_id"}}},
        {"match": {"path": "/records", "methods": ["GET"]}, "cost": {"weight": 1, "times": {"query": "limit", "default": 5}}},
        {"match": {"path": "/data/", "methods": ["GET"]}},
    ]));
    config["tiers"] = json!({
        "standard": {"limits": [{"name": "minute", "requests": 1000, "per": "1m"}], "max_cost": 50},
        "rate": {"limits": [{"name": "minute", "requests": 2, "per": "1m"}, {"name": "day", "requests": 5, "per": "day"}]},
        "cost": {"limits": [{"name": "minute", "requests": 9, "per": "1m"}, {"name": "work", "cost": 10, "per": "1h"}]},
        "quota": {"limits": [{"name": "daily", "requests": 2, "per": "day"}]},
        "both": {"limits": [{"name": "minute", "requests": 1, "per": "1m"}, {"name": "daily", "requests": 1, "per": "day"}]},
    });
    config["issuers"][0]["required_claims"] = json!(["iss", "schools"]);
    config["forward"] = json!({"max_schools_bytes": 40});
    config
}

fn with(gateway: &Gateway, path: &str, tier: &str) -> Response {
    gateway.get(path).bearer(token().claim("tier", tier).claim("client_id", tier).sign()).send()
}

#[track_caller]
fn expect_challenge(response: &Response, challenge: Option<&str>) {
    assert_eq!(response.header("www-authenticate").as_deref(), challenge, "{response:?}");
    assert_eq!(response.header("retry-after"), None, "{response:?}");
}

/// Panics unless the wait is at least a second and at most `max`.
#[track_caller]
fn expect_wait(response: &Response, max: u64) {
    let wait: u64 = response.header("retry-after").expect("Retry-After").parse().expect("whole seconds");
    assert!((1..=max).contains(&wait), "{response:?}");
    assert_eq!(response.header("www-authenticate"), None, "{response:?}");
}

#[test]
fn refusals_are_told_apart_and_challenged() {
    let (upstream, gateway) = start(policy());
    for client in [*gateway.client(), gateway.client().http2()] {
        check_credentials(client, &upstream);
        check_scope(client, &upstream);
        check_requests(client, &upstream);
    }
}

#[track_caller]
fn check_credentials(client: Client, upstream: &Upstream) {
    upstream.forget();
    let challenge = r#"Bearer realm="education-data""#;

    let missing = client.get("/data/a").send();
    expect_problem(&missing, 401, "token-missing");
    expect_challenge(&missing, Some(challenge));
    for (token, code, challenge) in [
        // no token at all
        ("x".to_owned(), "token-invalid", INVALID),
        // another key
        (token().forged_with(crate::support::Key::P256No2).sign(), "token-invalid", INVALID),
        // another issuer
        (token().claim("iss", "https://auth.example.com").sign(), "token-invalid", INVALID),
        // long gone, and just now
        (token().claim("exp", 1_780_821_709).sign(), "token-expired", EXPIRED),
        (token().claim("exp", crate::support::tokens::now()).sign(), "token-expired", EXPIRED),
        // each claim that the issuer promises
        (token().claim("tier", json!(null)).sign(), "token-invalid", INVALID),
        (token().claim("schools", json!(null)).sign(), "token-invalid", INVALID),
        (token().claim("client_id", json!(null)).sign(), "token-invalid", INVALID),
        (token().claim("iss", json!(null)).sign(), "token-invalid", INVALID),
        (token().claim("exp", json!(null)).sign(), "token-invalid", INVALID),
    ] {
        let refused = client.get("/data/a").bearer(&token).send();
        expect_problem(&refused, 401, code);
        expect_challenge(&refused, Some(challenge));
    }
    let basic = client.get("/data/a").header("authorization", "Basic YTpi").send();
    expect_problem(&basic, 401, "token-invalid");
    expect_challenge(&basic, Some(INVALID));
    assert_eq!(upstream.heads(), 0);
    client.get("/data/a").bearer(token().sign()).send().expect_status(200);
}

#[track_caller]
fn check_scope(client: Client, upstream: &Upstream) {
    upstream.forget();
    let send = |path: &str, token: &str| client.get(path).bearer(token).send();
    let valid = token().sign();
    let long = token().claim("schools", json!(["oakwood-primary", "ravenscroft-high", "elm-park-1"])).sign();
    let full = token().claim("schools", json!(["oakwood-primary", "ravenscroft-high", "elm-par"])).sign();

    for (path, token, code) in [
        // not in the list, none of an empty list, none asked for
        ("/summary?school_id=elm-park", &valid, "school-out-of-scope"),
        ("/summary?school_id=oakwood-primary", &token().claim("schools", json!([])).sign(), "school-out-of-scope"),
        ("/summary", &valid, "school-missing"),
        // a tier that nobody configured
        ("/data/a", &token().claim("tier", "gold").sign(), "tier-unknown"),
        // one byte more than may be forwarded
        ("/data/a", &long, "schools-too-long"),
    ] {
        let refused = send(path, token);
        expect_problem(&refused, 403, code);
        expect_challenge(&refused, Some(SCOPE));
    }
    assert_eq!(upstream.heads(), 0);
    send("/summary?school_id=oakwood-primary", &valid).expect_status(200);
    send("/data/a", &full).expect_status(200);
    assert_eq!(upstream.last().headers("x-claim-schools"), ["oakwood-primary,ravenscroft-high,elm-par"]);
    // An empty list is no school, and forwarded as such.
    send("/data/a", &token().claim("schools", json!([])).sign()).expect_status(200);
    assert_eq!(upstream.last().headers("x-claim-schools"), [""]);
}

#[track_caller]
fn check_requests(client: Client, upstream: &Upstream) {
    upstream.forget();
    let valid = token().sign();
    let send = |method: &str, path: &str| client.request(method, path).bearer(&valid).send();

    for (method, path, status, code) in [
        // ambiguous scope, malformed encoding, a cost that is no number
        ("GET", "/summary?school_id=oakwood-primary&SCHOOL_ID=x", 400, "malformed-request"),
        ("GET", "/summary?school_id=%zz", 400, "malformed-request"),
        ("GET", "/data/%zz", 400, "malformed-request"),
        ("GET", "/records?limit=-1", 400, "malformed-request"),
        ("GET", "/nowhere", 404, "no-route"),
        // an exact path has nothing below
        ("GET", "/summary/", 404, "no-route"),
        ("DELETE", "/data/a", 405, "method-not-allowed"),
    ] {
        let refused = send(method, path);
        expect_problem(&refused, status, code);
        expect_challenge(&refused, None);
        let allow = (status == 405).then_some("GET, HEAD");
        assert_eq!(refused.header("allow").as_deref(), allow, "{refused:?}");
    }
    let form = client
        .request("POST", "/summary?school_id=oakwood-primary")
        .bearer(&valid)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("school_id=elm-park")
        .send();
    expect_problem(&form, 415, "body-unsupported");
    assert_eq!(upstream.heads(), 0);
    send("GET", "/records?limit=1").expect_status(200);
    let json = client.request("POST", "/summary?school_id=oakwood-primary").bearer(&valid).json(&json!({})).send();
    json.expect_status(200);
}

#[test]
fn used_up_limits_name_themselves_and_the_wait() {
    let (upstream, gateway) = start(policy());
    for (tier, path, passing, violated, wait) in [
        // two a minute: one in half a minute
        ("rate", "/data/a", 2, json!(["minute"]), 30),
        // ten an hour at a cost of five each
        ("cost", "/records", 2, json!(["work"]), 1800),
        // capped at an hour
        ("quota", "/data/a", 2, json!(["daily"]), 3600),
        // the one that binds longest comes first, almost always the day
        ("both", "/data/a", 1, Value::Null, 3600),
    ] {
        for _ in 0..passing {
            with(&gateway, path, tier).expect_status(200);
        }
        let before = upstream.heads();
        let refused = with(&gateway, path, tier);
        expect_problem(&refused, 429, "limit-reached");
        expect_wait(&refused, wait);
        if violated.is_null() {
            assert_eq!(refused.json()["violated-policies"].as_array().map(Vec::len), Some(2), "{refused:?}");
        } else {
            assert_eq!(refused.json()["violated-policies"], violated, "{refused:?}");
        }
        assert_eq!(upstream.heads(), before);
    }
    // The budget is the client's, whatever the tier of its token says.
    let other = token().claim("tier", "rate").claim("client_id", "another").sign();
    gateway.get("/data/a").bearer(other).send().expect_status(200);
}

#[test]
fn request_that_can_never_pass_is_not_told_to_wait() {
    let (upstream, gateway) = start(policy());

    // over the tier's ceiling; more than a bucket holds
    for (tier, path) in [("standard", "/records?limit=51"), ("cost", "/records?limit=11")] {
        let refused = with(&gateway, path, tier);
        expect_problem(&refused, 429, "too-costly");
        expect_challenge(&refused, None);
        assert_eq!(refused.header("ratelimit"), None);
    }
    assert_eq!(upstream.heads(), 0);
    with(&gateway, "/records?limit=50", "standard").expect_status(200);
    with(&gateway, "/records?limit=10", "cost").expect_status(200);
}

#[test]
fn configured_base_and_realm_are_in_answers() {
    let mut config = policy();
    config["realm"] = json!("Schools, of (all) sorts");
    config["problem_base"] = json!("https://docs.example.com/errors#");
    let (_upstream, gateway) = start(config);

    let refused = gateway.get("/data/a").send();
    assert_eq!(refused.header("www-authenticate").as_deref(), Some(r#"Bearer realm="Schools, of (all) sorts""#));
    assert_eq!(refused.json()["type"], "https://docs.example.com/errors#token-missing");
}

#[test]
fn head_is_answered_without_a_body() {
    let (upstream, gateway) = start(policy());

    for path in ["/data/a", "/nowhere", "/data/%zz"] {
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let (status, text) = raw::request(gateway.address(), request.as_bytes());
        assert!(status.is_some_and(|status| status >= 400), "{text}");
        let (_, body) = text.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, "", "{path}");
    }
    let response = gateway.client().http2().request("HEAD", "/data/a").send();
    response.expect_status(401);
    assert!(response.body.is_empty());
    // HEAD follows GET.
    gateway.request("HEAD", "/data/a").bearer(token().sign()).send().expect_status(200);
    assert_eq!(upstream.last().method, "HEAD");
}

#[test]
fn upstreams_own_errors_carry_the_request_id() {
    let upstream = Upstream::answering(|_| crate::support::Answer::new(500).body("broken"));
    let gateway = Gateway::builder().config(policy()).upstream(upstream.port()).start();

    let response = gateway.get("/data/a").bearer(token().sign()).send();
    response.expect_status(500);
    assert_eq!(response.text(), "broken");
    assert_eq!(response.header("x-request-id"), upstream.last().header("x-request-id"));
    assert!(response.header("ratelimit").is_some());

    // Nobody is there: Envoy's own 503.
    let gateway = Gateway::builder().config(policy()).start();
    let response = gateway.get("/data/a").bearer(token().sign()).send();
    response.expect_status(503);
    assert!(response.header("x-request-id").is_some());
}
