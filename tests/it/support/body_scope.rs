//! The Student Data API as the tests of its bodies, scopes and answers see it: a key and a token beside each other, and
//! routes whose scope stands in the body.

use std::cell::Cell;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::client::RequestBuilder;
use crate::support::lists::hash;
use crate::support::policy::{expect_no_trap, start, vms};
use crate::support::tokens::now;
use crate::support::{Client, Gateway, Key, Response, Token, Upstream};

pub const ISSUER: &str = "https://students.example.com/";
/// The client `acme` under the tier `enterprise`.
pub const ACME: &str = "key-of-acme-0123456789";
/// The client `other` under the tier `enterprise`.
pub const OTHER: &str = "key-of-other-0123456789";
/// Long enough for HS512.
pub const SECRET: &str = "a-secret-of-the-tests-that-has-sixty-four-bytes-or-more-0123456789";
/// A body that is granted.
pub const GRANTED: &str = r#"{"districtlea":"1503000"}"#;

pub fn api_key(client: &str, key: &str, tier: &str) -> Value {
    json!({"id": format!("{client}-1"), "client": client, "sha256": hash(key), "tier": tier})
}

/// A route of key and token with this scope.
pub fn route(path: &str, scope: &Value) -> Value {
    json!({
        "match": {"path": path, "methods": ["POST"]},
        "require": ["api_key", "bearer"],
        "permissions": ["students.read"],
        "scope": scope,
    })
}

/// Routes for every shape of scope, one with a small cap, one without a rule for its body, and one that is open.
pub fn config() -> Value {
    let district = json!({"body": "/districtlea"});
    let school = json!({"body": "/schoolleas"});
    let optional = |place: &str| json!({"body": place, "missing": "allow"});
    let both = json!({"districts": optional("/districtlea"), "schools": optional("/schoolleas")});
    let mut small = route("/small", &both);
    small["body"] = json!({"max_bytes": 64});
    let mut either = both.clone();
    either["require_one"] = json!(false);
    json!({
        "realm": "student-data",
        "errors": "student-data-api",
        "authentication_failures": "off",
        "api_keys": {"inline": {"keys": [api_key("acme", ACME, "enterprise"), api_key("other", OTHER, "enterprise")]}},
        "issuers": [{
            "issuer": ISSUER,
            "secrets": [{"alg": "HS512", "text": SECRET}],
            "clock_skew": "0s",
            "claims": {"client": "vendor", "districts": "districts", "schools": "schools", "permissions": "permissions"},
        }],
        "tiers": {"enterprise": {"limits": [{"name": "minute", "requests": 100_000, "per": "1m"}]}},
        "districts": {"1503000": ["15030001", "15030002"], "1504000": ["15040001", "15040002"]},
        "routes": [
            route("/v1/students", &both),
            small,
            route("/district", &json!({"districts": district})),
            route("/school", &json!({"schools": school})),
            route("/both", &json!({"districts": district, "schools": school})),
            route("/either", &either),
            route("/nested", &json!({"districts": {"body": "/filter/districtlea"}})),
            {"match": {"path": "/flat", "methods": ["GET", "POST"]}, "require": ["api_key", "bearer"]},
            {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
        ],
    })
}

/// A token of `acme` for one district and one school of another district.
pub fn token() -> Token {
    let claims = json!({
        "iss": ISSUER, "vendor": "acme", "exp": now() + 3600, "iat": now(), "jti": "t-1",
        "districts": ["1503000"], "schools": ["15040001"], "permissions": ["students.read", "students.list"],
    });
    Token::new(Key::Secret(SECRET.as_bytes()), "k", claims).header("kid", Value::Null)
}

/// An upstream, and a gateway of one worker in front of it.
pub struct Student {
    pub upstream: Upstream,
    pub gateway: Gateway,
    vms: u64,
    passed: Cell<u64>,
}

impl Student {
    #[track_caller]
    pub fn start() -> Self {
        Self::with(config())
    }

    #[track_caller]
    pub fn with(config: Value) -> Self {
        let (upstream, gateway) = start(config);
        Self::around(upstream, gateway)
    }

    pub fn around(upstream: Upstream, gateway: Gateway) -> Self {
        let vms = vms(&gateway);
        Self { upstream, gateway, vms, passed: Cell::default() }
    }

    pub fn client(&self, http2: bool) -> Client {
        if http2 { self.gateway.client().http2() } else { *self.gateway.client() }
    }

    /// A request with key and token, without a content type and a body.
    pub fn bare(&self, http2: bool, path: &str) -> RequestBuilder {
        self.client(http2).request("POST", path).header("x-api-key", ACME).bearer(token().sign())
    }

    /// A request with key, token and the content type of JSON, without a body.
    pub fn request(&self, http2: bool, path: &str) -> RequestBuilder {
        self.bare(http2, path).header("content-type", "application/json")
    }

    /// Sends a body with its length over HTTP/1.1.
    #[track_caller]
    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> Response {
        self.request(false, path).body(body).send()
    }

    /// Panics unless this was refused so, and nothing of it reached the upstream.
    #[track_caller]
    pub fn expect_refused(&self, response: &Response, status: u16, code: &str, what: &str) {
        assert_eq!(response.status, status, "{what}: {response:?}");
        let body = response.json();
        assert_eq!((&body["actionOk"], &body["error"]), (&json!(false), &json!([code])), "{what}: {response:?}");
        self.expect_silence(what);
    }

    /// Panics unless the request passed, with this body.
    #[track_caller]
    pub fn expect_passed(&self, response: &Response, body: impl AsRef<[u8]>, what: &str) {
        assert_eq!(response.status, 200, "{what}: {response:?}");
        assert_eq!(self.upstream.heads(), 1, "{what}");
        assert_eq!(self.upstream.last().body.escape_ascii().to_string(), body.as_ref().escape_ascii().to_string());
        self.upstream.forget();
        self.passed.set(self.passed.get() + 1);
    }

    /// Panics if the upstream saw a head, whether whole or not.
    #[track_caller]
    pub fn expect_silence(&self, what: &str) {
        assert_eq!(self.upstream.heads(), 0, "{what}");
    }

    /// Panics if Envoy asked the upstream for anything but what [`Self::expect_passed`] has seen, or connected for it.
    #[track_caller]
    pub fn expect_nothing_else_upstream(&self) {
        let passed = self.passed.get();
        assert_eq!(self.stat("cluster.upstream.upstream_rq_total"), passed);
        assert!(passed > 0 || self.stat("cluster.upstream.upstream_cx_total") == 0);
    }

    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        self.gateway.admin().stat(name).unwrap_or_else(|| panic!("there is no statistic `{name}`"))
    }

    /// Panics if a VM trapped since the start.
    #[track_caller]
    pub fn expect_no_trap(&self) {
        expect_no_trap(&self.gateway, self.vms);
    }
}
