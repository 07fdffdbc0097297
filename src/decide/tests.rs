#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Call, Gate, Pair, SetupError, Verdict, decide};
use crate::config::Config;
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::signature::NoHost;
use crate::credentials::jwt::testing::{OCT_K, jwk_members, token};
use crate::credentials::opaque::testing::{entry, list};
use crate::filter::document::DocumentId;
use crate::filter::request::Edit;
use crate::filter::request::testing::{self as filter, document};
use crate::values::time::Timestamp;

mod bound_tokens;
mod providers;

const NOW: Timestamp = Timestamp::from_secs(1_780_228_800);

fn config() -> Value {
    json!({
        "issuers": [{
            "issuer": "https://auth.example.com/",
            "jwks": {"remote": {"uri": "https://auth.example.com/keys", "cluster": "auth"}},
            "claims": {"client": "client_id", "schools": "schools"},
            "default_tier": "standard"
        }],
        "tiers": {"standard": {"limits": [{"name": "minute", "requests": 2, "per": "1m"}]}},
        "routes": [
            {"match": {"path": "/stats/", "methods": ["GET", "POST"]}, "scope": {"schools": {"query": "school_id"}}},
            {"match": {"path": "/students", "methods": ["POST"]}, "scope": {"schools": {"body": "/school"}},
             "body": {"max_bytes": 20}}
        ]
    })
}

fn keys() -> Vec<u8> {
    format!(r#"{{"keys":[{{"kid":"EdDSA",{}}}]}}"#, jwk_members(Alg::EdDsa)).into_bytes()
}

fn bearer() -> Vec<u8> {
    bearer_until(NOW.secs() + 60)
}

fn bearer_until(exp: u64) -> Vec<u8> {
    let payload = json!({
        "iss": "https://auth.example.com/", "exp": exp, "client_id": "c", "schools": ["oakwood"]
    });
    format!("Bearer {}", token(Alg::EdDsa, &payload.to_string())).into_bytes()
}

fn head<'a>(method: &'a str, path: &'a str, bearer: &'a [u8]) -> Vec<Pair<'a>> {
    vec![
        (b":method", method.as_bytes()),
        (b":path", path.as_bytes()),
        (b":authority", b"a"),
        (b"X-Claim_Schools", b"all"),
        (b"content-type", b"application/json"),
        (b"authorization", bearer),
    ]
}

/// `pass`, `waits` or the denial's code, with the key set there.
#[track_caller]
fn verdict_of(call: &Call<'_>) -> &'static str {
    code(&decide(config().to_string().as_bytes(), &[(DocumentId::Keys(0), &keys())], call, &NoHost, NOW).unwrap())
}

fn code(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass(_) => "pass",
        Verdict::Deny(denied) => denied.denial.code(),
        Verdict::Waits => "waits",
    }
}

#[test]
fn request_in_scope_passes_and_its_own_claims_are_stripped() {
    let bearer = bearer();
    let head = head("POST", "/stats/?school_id=oakwood", &bearer);
    let trailers: [Pair<'_>; 2] = [(b"x-claim-tier", b"premium"), (b"x-checksum", b"1")];
    let call = Call { head: &head, trailers: &trailers, ..Call::default() };
    let verdict = decide(config().to_string().as_bytes(), &[(DocumentId::Keys(0), &keys())], &call, &NoHost, NOW);
    let Ok(Verdict::Pass(passed)) = verdict else { panic!("{verdict:?}") };
    assert_eq!([passed.client.as_deref(), passed.tier.as_deref()], [Some("c"), Some("standard")]);
    let head = [
        "remove X-Claim_Schools",
        "set x-request-id: 00000000-0000-4000-8000-000000000000",
        "set x-claim-schools: oakwood",
        "set x-claim-client-id: c",
        "set x-claim-tier: standard",
    ];
    assert_eq!(shown(&passed.head), head);
    assert_eq!(shown(&passed.trailers), ["remove x-claim-tier"]);
    let response = [r#"set ratelimit-policy: "minute";q=2;w=60"#, r#"set ratelimit: "minute";r=1;t=30"#];
    assert_eq!(shown(&passed.response), response);
    assert_eq!(verdict_of(&call), "pass");
}

#[test]
fn all_that_the_shell_does_to_heads_is_in_the_verdict() {
    let mut config = retiring();
    config["settlement_header"] = json!("x-actual-cost");
    config["forward"] = json!({"authorization": false, "districts": "x-districts"});
    config["routes"] = json!([{"match": {"path": "/"}, "require": ["api_key", "bearer"], "upgrades": true}]);
    config["rate_limit_headers"] = json!("off");
    let bearer = format!("Bearer {}", filter::token(&json!({})));
    let head: [Pair<'_>; 8] = [
        (b":method", b"GET"),
        (b":path", b"/"),
        (b":authority", b"a"),
        (b"x-api-key", b"key-acme1"),
        (b"authorization", bearer.as_bytes()),
        (b"x-request-id", b"id-1"),
        (b"connection", b"upgrade, x-districts"),
        (b"upgrade", b"websocket"),
    ];
    let call = Call { head: &head, random: [1; 16], ..Call::default() };
    let verdict = decide(config.to_string().as_bytes(), &[], &call, &NoHost, NOW);
    let Ok(Verdict::Pass(passed)) = verdict else { panic!("{verdict:?}") };
    let edits = [
        "remove x-api-key",
        "set x-claim-schools: s1",
        "set x-districts: d1",
        "set x-claim-permissions: read,write",
        "remove authorization",
        "set x-claim-client-id: acme",
        "set x-claim-tier: starter",
        "set connection: upgrade",
    ];
    assert_eq!(shown(&passed.head), edits);
    assert_eq!((passed.client.as_deref(), passed.tier.as_deref()), (Some("acme"), Some("starter")));
    let retires = [
        "remove x-actual-cost",
        "set deprecation: @1780228800",
        "set sunset: Mon, 01 Jun 2026 12:00:00 GMT",
        r#"add link: <https://a/b>; rel="deprecation"; type="text/html", <https://a/b>; rel="sunset"; type="text/html""#,
    ];
    assert_eq!(shown(&passed.response), retires);
}

#[test]
fn refusal_comes_with_the_whole_answer() {
    let config = retiring();
    let head: [Pair<'_>; 5] = [
        (b":method", b"GET"),
        (b":path", b"/plain"),
        (b":authority", b"a"),
        (b"x-api-key", b"key-acme1"),
        (b"x-request-id", b"id-1"),
    ];
    let call = Call { head: &head, ..Call::default() };
    let verdict = decide(config.to_string().as_bytes(), &[], &call, &NoHost, NOW);
    let Ok(Verdict::Deny(denied)) = verdict else { panic!("{verdict:?}") };
    assert_eq!((denied.denial.code(), denied.answer.status), ("token-missing", 401));
    let headers: Vec<_> = denied.answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let expected = [
        "x-request-id: id-1",
        "cache-control: no-store",
        r#"www-authenticate: Bearer realm="api""#,
        "content-type: application/json",
        "deprecation: @1780228800",
        "sunset: Mon, 01 Jun 2026 12:00:00 GMT",
        r#"link: <https://a/b>; rel="deprecation"; type="text/html", <https://a/b>; rel="sunset"; type="text/html""#,
    ];
    assert_eq!(headers, expected);
    assert!(denied.answer.body.contains(r#""error":["unauthorized"]"#), "{}", denied.answer.body);
}

/// Keys and tokens, of which keys were announced to retire just now.
fn retiring() -> Value {
    let mut config = document();
    config["issuers"][0]["secrets"] = json!([{"alg": "HS512", "base64": OCT_K}]);
    config["api_keys"]["retirement"] = json!({
        "announced": "2026-05-31T12:00:00Z", "refused_from": "2026-06-01T12:00:00Z", "link": "https://a/b",
        "replacement": "a token"
    });
    config
}

fn shown(edits: &[Edit<Vec<u8>>]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let show = |edit: &Edit<Vec<u8>>| match edit {
        Edit::Remove(name) => format!("remove {}", text(name)),
        Edit::Set(name, value) => format!("set {}: {}", text(name), text(value)),
        Edit::Add(name, value) => format!("add {}: {}", text(name), text(value)),
    };
    edits.iter().map(show).collect()
}

#[test]
fn request_that_must_not_pass_does_not() {
    let bearer = bearer();
    for (method, path, bearer, expected) in [
        ("GET", "/stats/?school_id=other", bearer.as_slice(), "school-out-of-scope"),
        ("GET", "/stats/?school_id=oakwood", b"Bearer x", "token-invalid"),
        ("GET", "/other", &bearer, "no-route"),
        ("PUT", "/stats/", &bearer, "method-not-allowed"),
    ] {
        assert_eq!(verdict_of(&Call { head: &head(method, path, bearer), ..Call::default() }), expected, "{path}");
    }
    assert_eq!(verdict_of(&Call::default()), "malformed-request");
}

#[test]
fn body_is_judged_up_to_its_bound() {
    let bearer = bearer();
    let head = head("POST", "/students", &bearer);
    for (body, expected) in [
        (Some(br#"{"school":"oakwood"}"#.as_slice()), "pass"),
        (Some(br#"{"school":"other"}"#), "school-out-of-scope"),
        (Some(br#"{"school":"oakwood"} "#), "body-too-large"),
        (None, "body-malformed"),
    ] {
        assert_eq!(verdict_of(&Call { head: &head, body, ..Call::default() }), expected, "{body:?}");
    }
}

#[test]
fn request_waits_for_keys_that_are_not_given() {
    let bearer = bearer();
    let head = head("GET", "/stats/?school_id=oakwood", &bearer);
    let call = Call { head: &head, ..Call::default() };
    let mut gate = Gate::new(Config::from_bytes(config().to_string().as_bytes()).unwrap());
    assert_eq!(code(&gate.decide(&call, &NoHost, NOW)), "waits");
    assert_eq!(gate.worker.waiting, 0);
    gate.load(DocumentId::Keys(0), &keys(), NOW).unwrap();
    // One worker: its limit of two requests holds.
    for expected in ["pass", "pass", "limit-reached"] {
        assert_eq!(code(&gate.decide(&call, &NoHost, NOW)), expected);
    }
}

#[test]
fn what_is_no_configuration_or_document_is_an_error() {
    let refused = decide(b"{}", &[], &Call::default(), &NoHost, NOW).unwrap_err();
    assert!(matches!(refused, SetupError::Config(_)), "{refused}");
    assert!(refused.to_string().contains("routes"), "{refused}");
    let documents: [(DocumentId, &[u8]); 1] = [(DocumentId::Keys(0), b"<html>")];
    let refused = decide(config().to_string().as_bytes(), &documents, &Call::default(), &NoHost, NOW).unwrap_err();
    assert!(matches!(refused, SetupError::Document(_)), "{refused}");
    assert!(!refused.to_string().is_empty());
}

#[test]
fn loaded_documents_serve_as_long_as_fetched_ones() {
    let mut config = config();
    let remote =
        |name: &str| json!({"uri": format!("https://auth.example.com/{name}"), "cluster": "auth", "max_stale": "1h"});
    config["issuers"][0]["jwks"]["remote"] = remote("keys");
    let tokens = json!({"issuer": "district-tokens", "tokens": {"remote": remote("tokens")}});
    config["issuers"].as_array_mut().unwrap().push(tokens);
    let mut listed = entry("a");
    listed["tier"] = json!("standard");
    let list = list(1, &[listed]);
    let bearer = bearer_until(NOW.secs() + 100_000);
    let after = |secs: u64| Timestamp::from_secs(NOW.secs() + secs);
    let mut gate = Gate::new(Config::from_bytes(config.to_string().as_bytes()).unwrap());
    // Loaded, and after half an hour the same once more.
    for secs in [0, 1800] {
        gate.load(DocumentId::Keys(0), &keys(), after(secs)).unwrap();
        gate.load(DocumentId::Tokens, list.as_bytes(), after(secs)).unwrap();
    }
    for (secs, expected) in [(1800, "pass"), (5399, "pass"), (5400, "waits")] {
        for (school, bearer) in [("s-a", b"Bearer a".as_slice()), ("oakwood", &bearer)] {
            let path = format!("/stats/?school_id={school}");
            let head = head("GET", &path, bearer);
            let call = Call { head: &head, ..Call::default() };
            assert_eq!(code(&gate.decide(&call, &NoHost, after(secs))), expected, "{school} after {secs} s");
        }
    }
}

#[test]
fn listed_token_passes_once_its_list_is_there() {
    let mut config = config();
    config["issuers"] = json!([{
        "issuer": "district-tokens", "tokens": {"remote": {"uri": "https://auth.example.com/tokens", "cluster": "auth"}}
    }]);
    let mut gate = Gate::new(Config::from_bytes(config.to_string().as_bytes()).unwrap());
    let judge = |gate: &mut Gate, school: &str| {
        let path = format!("/stats/?school_id={school}");
        let head = head("GET", &path, b"Bearer a");
        code(&gate.decide(&Call { head: &head, ..Call::default() }, &NoHost, NOW))
    };
    assert_eq!(judge(&mut gate, "s-a"), "waits");
    let mut entry = entry("a");
    entry["tier"] = json!("standard");
    gate.load(DocumentId::Tokens, list(1, &[entry]).as_bytes(), NOW).unwrap();
    assert_eq!((judge(&mut gate, "s-a"), judge(&mut gate, "s-b")), ("pass", "school-out-of-scope"));
    assert!(gate.load(DocumentId::Tokens, b"<html>", NOW).is_err());
    // Of every later list it is no part, also where that stands in the place of the first.
    for version in 2..5 {
        gate.load(DocumentId::Tokens, list(version, &[]).as_bytes(), NOW).unwrap();
        assert_eq!(judge(&mut gate, "s-a"), "token-invalid", "{version}");
    }
}
