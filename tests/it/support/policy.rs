//! Configurations and gateways that many tests start from, and what must hold after every hostile request.

use serde_json::{Value, json};

use super::tokens::jwks;
use super::{Gateway, Key, KeyServer, Response, Token, Upstream};

/// The issuer of [`Token::education`].
pub const ISSUER: &str = "https://auth.example.com/";

/// The key of [`issuer`], with the `kid` "k".
pub const KEY: Key = Key::P256No1;

/// An issuer with one inline key, every claim, and no clock skew.
pub fn issuer() -> Value {
    json!({
        "issuer": ISSUER,
        "jwks": {"inline": jwks(&[KEY.named("k")])},
        "clock_skew": "0s",
        "claims": {"client": "client_id", "tier": "tier", "schools": "schools"},
    })
}

/// A configuration with these routes: one issuer, one roomy tier, no budget for failed credentials.
pub fn config(routes: &Value) -> Value {
    json!({
        "realm": "education-data",
        "issuers": [issuer()],
        "tiers": {"standard": {"limits": [{"name": "minute", "requests": 100_000, "per": "1m"}]}},
        "routes": routes,
        "authentication_failures": "off",
    })
}

/// Everything below `/open/` is open, everything else needs a token.
pub fn open_and_guarded() -> Value {
    config(&json!([
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
        {"match": {"path": "/of-a-school"}, "scope": {"schools": {"header": "x-school-id"}}},
        {"match": {"path": "/"}},
    ]))
}

/// A valid token of [`issuer`].
pub fn token() -> Token {
    Token::education(KEY, "k")
}

/// An upstream, and a gateway of one worker in front of it.
#[track_caller]
pub fn start(config: Value) -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).start();
    (upstream, gateway)
}

/// A server of this list or key set, an upstream, and a gateway of so many workers in front of them.
#[track_caller]
pub fn start_remote(list: &Value, config: Value, workers: u32) -> (KeyServer, Upstream, Gateway) {
    let (lists, upstream) = (KeyServer::start(list), Upstream::start());
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(lists.port());
    (lists, upstream, gateway.concurrency(workers).start())
}

/// Panics unless the filter refused with this status and code, in problem details that tell nothing else.
#[track_caller]
pub fn expect_problem(response: &Response, status: u16, code: &str) {
    assert_eq!(response.status, status, "{code}: {response:?}");
    assert_eq!(response.header("content-type").as_deref(), Some("application/problem+json"), "{response:?}");
    assert_eq!(response.header("cache-control").as_deref(), Some("no-store"), "{response:?}");
    let id = response.header("x-request-id").expect("a request id");
    let body = response.json();
    let kind = match code {
        "limit-reached" => "https://iana.org/assignments/http-problem-types#quota-exceeded".to_owned(),
        code => format!("https://github.com/hallpass/hallpass#{code}"),
    };
    assert_eq!(body["type"], kind, "{response:?}");
    assert_eq!(body["status"], status, "{response:?}");
    assert_eq!(body["instance"], format!("urn:uuid:{id}"), "{response:?}");
    for member in ["title", "detail"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {response:?}");
    }
    let members = body.as_object().expect("an object").len();
    assert_eq!(members, if code == "limit-reached" { 6 } else { 5 }, "{response:?}");
}

/// How many VMs Envoy has made so far; a trap makes one more.
pub fn vms(gateway: &Gateway) -> u64 {
    gateway.admin().stat("wasm.envoy.wasm.runtime.v8.created").expect("the statistic of VMs")
}

/// Panics if a VM trapped since there were `before`, or the gateway no longer serves `/open/`.
#[track_caller]
pub fn expect_no_trap(gateway: &Gateway, before: u64) {
    let log = gateway.log();
    for sign in ["panicked", "wasm trap", "Uncaught", "proxy_on_"] {
        assert!(!log.contains(sign), "`{sign}` in the log:\n{log}");
    }
    assert_eq!(vms(gateway), before, "a VM was made anew:\n{log}");
    gateway.get("/open/alive").send().expect_status(200);
}
