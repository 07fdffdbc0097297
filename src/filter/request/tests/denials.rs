//! Every denial that a request alone can earn, each with a request that differs in that one thing and passes.

use serde_json::{Value, json};

use super::setup::{INLINE, START, claims, forged, good, signed, unknown_kid};
use super::stack::{Stack, head};
use crate::answer::denial::{Denial, Malformed};
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::testing::{RustHost, token};
use crate::http::head::Head;

/// The request `denied` is refused with `code`; `passes` is not. Both with a GET and a token, on fresh workers.
#[track_caller]
fn check(code: &str, changes: &[(&str, Value)], denied: (&str, &str), passes: (&str, &str)) {
    for ((path, token), expected) in [(denied, code), (passes, "pass")] {
        let exchange = Stack::new(changes).get(path, token);
        assert_eq!(exchange.verdict(), expected, "{path} {:?}", exchange.end);
    }
}

/// The same for requests that differ in more than path and token.
#[track_caller]
fn check_heads(code: &str, denied: Head, passes: Head) {
    for (head, expected) in [(denied, code), (passes, "pass")] {
        let exchange = Stack::new(&[]).send_head(head);
        assert_eq!(exchange.verdict(), expected, "{:?}", exchange.end);
    }
}

fn bearer(method: &str, path: &str, headers: &[(&str, &str)]) -> Head {
    let authorization = format!("Bearer {}", good());
    let all: Vec<_> = [("authorization", authorization.as_str())].into_iter().chain(headers.iter().copied()).collect();
    head(method, path, &all).ending(true)
}

#[test]
fn malformed_heads_are_refused() {
    let whole = || bearer("GET", "/plain", &[]);
    // Envoy's way to say that there are too many headers.
    check_heads("malformed-request", Head::default(), whole());
    check_heads("malformed-request", Head::from_pairs(&[(":method", "GET")]), whole());
    check_heads("malformed-request", bearer("GET", "/plain", &[(":path", "/open")]), whole());
    check_heads("malformed-request", bearer("GET", "/plain", &[(":authority", "evil.example")]), whole());
}

#[test]
fn paths_and_parameters_with_two_readings_are_refused() {
    for (path, what) in [
        ("/plain/../open", Malformed::Path),
        ("/plain%2fopen", Malformed::Path),
        // A repeated scope parameter with one value out of scope is one that is out of scope; another spelling is ambiguous.
        ("/stats?school_id=oak&School_Id=elm", Malformed::Parameter),
        ("/stats?school_id=%zz", Malformed::Parameter),
        ("/list?limit=0", Malformed::CostParameter),
        ("/list?limit=1&limit=2", Malformed::CostParameter),
    ] {
        let exchange = Stack::new(&[]).get(path, &good());
        assert_eq!(*exchange.denial(), Denial::Malformed(what), "{path}");
    }
    for path in ["/plain", "/stats?school_id=oak", "/stats?school_id=oak&school_id=oak", "/list?limit=2"] {
        assert_eq!(Stack::new(&[]).get(path, &good()).verdict(), "pass", "{path}");
    }
}

#[test]
fn routes_hosts_and_methods_are_judged() {
    check("no-route", &[], ("/nothing", &good()), ("/plain", &good()));
    let here = [("/routes/8/match/host", json!("api.example.com"))];
    let elsewhere = [("/routes/8/match/host", json!("other.example.com"))];
    assert_eq!(Stack::new(&elsewhere).get("/plain", &good()).verdict(), "no-route");
    assert_eq!(Stack::new(&here).get("/plain", &good()).verdict(), "pass");
    let exchange = Stack::new(&[]).send("DELETE", "/stats?school_id=oak", &[]);
    assert_eq!(*exchange.denial(), Denial::MethodNotAllowed("GET, HEAD, POST".to_owned()));
    assert_eq!(Stack::new(&[]).send_head(bearer("HEAD", "/stats?school_id=oak", &[])).verdict(), "pass");
}

#[test]
fn missing_token_is_told_from_an_unreadable_one() {
    let with = |authorization: &str| head("GET", "/plain", &[("authorization", authorization)]).ending(true);
    check_heads("token-missing", head("GET", "/plain", &[]).ending(true), bearer("GET", "/plain", &[]));
    let good = good();
    for authorization in [
        String::new(),
        "Bearer".to_owned(),
        format!("Basic {good}"),
        format!("Bearer  {good}"),
        format!("Bearer {good}, Bearer {good}"),
        format!("Bearer {good} "),
    ] {
        check_heads("token-invalid", with(&authorization), with(&format!("bearer {good}")));
    }
    check_heads(
        "token-invalid",
        bearer("GET", "/plain", &[("authorization", "Bearer x")]),
        bearer("GET", "/plain", &[]),
    );
}

#[test]
fn invalid_tokens_are_refused() {
    let plain = |token: &str| ("/plain", token.to_owned());
    for (what, bad) in [
        ("the signature of another token", forged(&json!({}))),
        ("a key that no inline set ever gets", unknown_kid(INLINE)),
        ("a key of another algorithm", token(Alg::Ps256, &claims(&json!({})))),
        ("an issuer that is not configured", signed(&json!({"iss": "https://other.example/"}))),
        ("a claim missing", signed(&json!({"schools": null}))),
        ("a school that could break the header", signed(&json!({"schools": ["oak,elm"]}))),
        ("a school that might mean all", signed(&json!({"schools": ["*"]}))),
        ("not valid yet", signed(&json!({"nbf": START.secs() + 31}))),
        ("no JWS", "a.b".to_owned()),
    ] {
        let (path, token) = plain(&bad);
        assert_eq!(Stack::new(&[]).get(path, &token).verdict(), "token-invalid", "{what}");
    }
    check("token-invalid", &[], ("/plain", &format!("{}x", good())), ("/plain", &good()));
    check(
        "token-invalid",
        &[],
        ("/plain", &signed(&json!({"nbf": START.secs() + 31}))),
        ("/plain", &signed(&json!({"nbf": START.secs() + 30}))),
    );
    // Every school is named by its issuer's bound, or the token is refused whole.
    let bound = [("/issuers/0/schools", json!(["oak"]))];
    check("token-invalid", &bound, ("/plain", &signed(&json!({"schools": ["oak", "elm"]}))), ("/plain", &good()));
    // An empty list is no school; it differs from an absent one.
    check(
        "school-out-of-scope",
        &[],
        ("/stats?school_id=oak", &signed(&json!({"schools": []}))),
        ("/plain", &signed(&json!({"schools": []}))),
    );
}

#[test]
fn expired_token_is_told_apart() {
    // The tolerance is 30 seconds.
    let token = |exp: u64| signed(&json!({"exp": START.secs() + exp - 60}));
    check("token-expired", &[], ("/plain", &token(30)), ("/plain", &token(31)));
}

#[test]
fn tier_must_be_configured_and_granted() {
    check("tier-unknown", &[], ("/plain", &signed(&json!({"tier": "gold"}))), ("/plain", &good()));
    let only_free = [("/issuers/0/tiers", json!(["free"]))];
    check("tier-unknown", &only_free, ("/plain", &signed(&json!({"tier": "open"}))), ("/plain", &good()));
}

#[test]
fn schools_are_judged_where_the_route_says() {
    let good = good();
    check("school-out-of-scope", &[], ("/stats?school_id=elm", &good), ("/stats?school_id=oak", &good));
    check("school-out-of-scope", &[], ("/stats?school_id=oak&school_id=elm", &good), ("/stats?school_id=oak", &good));
    check("school-missing", &[], ("/stats", &good), ("/stats?school_id=oak", &good));
    check("malformed-request", &[], ("/stats?school_id=", &good), ("/stats?school_id=oak", &good));
    check("school-out-of-scope", &[], ("/each?school_id=oak,elm", &good), ("/each", &good));
}

#[test]
fn list_of_schools_is_never_cut() {
    let long = signed(&json!({"schools": ["oak", "elm", "beech", "maples"]}));
    let fits = signed(&json!({"schools": ["oak", "elm", "beech", "maple"]}));
    check("schools-too-long", &[("/forward/max_schools_bytes", json!(19))], ("/plain", &long), ("/plain", &fits));
    let exchange = Stack::new(&[]).get("/plain", &fits);
    let caller = exchange.forward().caller.as_ref().unwrap();
    assert_eq!(caller.schools.as_ref().unwrap().header(), b"oak,elm,beech,maple");
}

#[test]
fn form_that_could_override_the_query_is_refused() {
    let post = |kind: &str| bearer("POST", "/stats?school_id=oak", &[("content-type", kind)]).ending(false);
    check_heads("body-unsupported", post("application/x-www-form-urlencoded"), post("application/json"));
    check_heads("body-unsupported", post("multipart/form-data; boundary=x"), post("text/csv"));
    // Also where the query tells what the request costs.
    let post = |kind: &str| bearer("POST", "/list?limit=1", &[("content-type", kind)]).ending(false);
    check_heads("body-unsupported", post("application/x-www-form-urlencoded"), post("application/json"));
    let get = bearer("GET", "/list?limit=1", &[("content-type", "application/json")]);
    check_heads("body-unsupported", get.ending(false), bearer("GET", "/list?limit=1", &[]));
    let get = |charset: &str| bearer("GET", "/list?limit=1", &[("content-type", &format!("a/b; charset={charset}"))]);
    check_heads("body-unsupported", get("utf-7"), get("utf-8"));
}

#[test]
fn header_that_stands_for_the_parameter_of_the_cost_is_refused() {
    // Spring reads it where the parameter is missing.
    let get = |path: &str, name: &str| bearer("GET", path, &[(name, "100000")]);
    check_heads("malformed-request", get("/list", "limit"), get("/list?limit=1", "limit"));
    check_heads("malformed-request", get("/list?x=1", "Limit"), get("/list?x=1", "x-limit"));
}

#[test]
fn method_that_the_query_overrides_is_refused_on_every_route() {
    for path in ["/plain", "/open", "/list?limit=1"] {
        let evaluation = if path.contains('?') { '&' } else { '?' };
        let send = |method: &str, query: &str| bearer(method, &format!("{path}{evaluation}{query}"), &[]);
        check_heads("malformed-request", send("POST", "_method=DELETE"), send("POST", "payment_method=card"));
        check_heads("malformed-request", send("POST", "%zz&_Method=DELETE"), send("POST", "a=_method"));
        // WordPress reads it whatever the method is.
        check_heads("malformed-request", send("GET", "_method=DELETE"), send("GET", "payment_method=card"));
    }
}

#[test]
fn upgrades_and_preflights_pass_only_where_configured() {
    let socket = |path: &str| bearer("GET", path, &[("connection", "Upgrade"), ("upgrade", "websocket")]);
    check_heads("upgrade-refused", socket("/plain"), socket("/socket"));
    let tunnel = bearer("CONNECT", "/socket", &[]);
    assert_ne!(Stack::new(&[]).send_head(tunnel).verdict(), "pass");
    let nominates =
        |path: &str| bearer("GET", path, &[("connection", "Upgrade, x-claim-schools"), ("upgrade", "websocket")]);
    check_heads("upgrade-refused", nominates("/plain"), nominates("/socket"));
    assert!(Stack::new(&[]).send_head(nominates("/socket")).forward().rewrite_connection);
    assert!(!Stack::new(&[]).send_head(socket("/socket")).forward().rewrite_connection);
    // Nominating without an upgrade is refused even where upgrades pass.
    let without_upgrade = bearer("GET", "/socket", &[("connection", "x-claim-schools")]);
    check_heads("upgrade-refused", without_upgrade, bearer("GET", "/socket", &[("connection", "keep-alive")]));

    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
    let options = |path: &str, headers: &[(&str, &str)]| head("OPTIONS", path, headers).ending(true);
    check_heads("token-missing", options("/plain", &preflight), options("/stats", &preflight));
    check_heads("method-not-allowed", options("/stats", &preflight[..1]), options("/stats", &preflight));
    assert!(Stack::new(&[]).send_head(options("/stats", &preflight)).forward().caller.is_none());
}

#[test]
fn open_route_asks_for_nothing_and_tells_nothing() {
    for authorization in ["Bearer x", "garbage"] {
        let exchange = Stack::new(&[]).send("GET", "/open", &[("authorization", authorization)]);
        assert!(exchange.forward().caller.is_none());
        assert_eq!(exchange.steps(), "pass");
    }
}

#[test]
fn native_and_rust_crypto_accept_the_same() {
    for alg in [Alg::EdDsa, Alg::Rs256] {
        for (token, expected) in [(token(alg, &claims(&json!({}))), "pass"), (forged(&json!({})), "token-invalid")] {
            let mut native = Stack::new(&[]);
            native.host = Box::new(RustHost);
            assert_eq!(native.get("/plain", &token).verdict(), expected);
            assert_eq!(Stack::new(&[]).get("/plain", &token).verdict(), expected);
        }
    }
    // P-384 has no Rust code: without a host that can, it is refused.
    let p384 = token(Alg::Es384, &claims(&json!({})));
    assert_eq!(Stack::new(&[]).get("/plain", &p384).verdict(), "token-invalid");
    let mut native = Stack::new(&[]);
    native.host = Box::new(RustHost);
    assert_eq!(native.get("/plain", &p384).verdict(), "pass");
}

#[test]
fn upstream_is_told_who_calls() {
    let exchange = Stack::new(&[]).get("/plain", &good());
    let caller = exchange.forward().caller.as_ref().unwrap();
    assert_eq!(caller.client, "app");
    assert_eq!(caller.schools.as_ref().unwrap().header(), b"oak");
    assert_eq!(exchange.request.caller().unwrap().client, "app");
    assert_eq!(exchange.request.decision(), Some("allow"));
    let denied = Stack::new(&[]).get("/plain", &forged(&json!({})));
    assert_eq!(denied.request.decision(), Some("token-invalid"));
    assert!(denied.request.caller().is_none());
    assert!(!denied.request.is_passed());
}
