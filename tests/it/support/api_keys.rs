//! A small policy of the Student Data API with its keys, lists and tokens: for tests of keys, limits and revocations.

use serde_json::{Value, json};

use super::client::RequestBuilder;
use super::lists::{hash, source};
use super::sample::{NEVER, total};
use super::tokens::now;
use super::{Gateway, Key, Response, Token};

pub const ISSUER: &str = "https://students.example.com/";
/// Public: never trust it. 64 bytes, the least for HS512.
pub const SECRET: &str = "a-secret-of-the-tests-that-everyone-may-know-0123456789-abcdefgh";
/// A key of the client `acme`, by [`policy`].
pub const ACME: &str = "acme-key-0123456789abcdef";
/// A key of the client `globex`, by [`policy`].
pub const GLOBEX: &str = "globex-key-0123456789abcdef";

/// Keys of `acme` and `globex`, one issuer, one roomy tier, no budget for failed credentials.
///
/// `/open/` is open; `/login` and `/key` need a key; `/flagged` needs permissions; `/scope` names schools and districts in its
/// query; everything else needs key and token.
pub fn policy() -> Value {
    json!({
        "errors": "student-data-api",
        "api_keys": {"inline": {"keys": [entry("acme-1", "acme", ACME), entry("globex-1", "globex", GLOBEX)]}},
        "issuers": [{
            "issuer": ISSUER,
            "secrets": [{"kid": "k", "alg": "HS512", "text": SECRET}],
            "clock_skew": "0s",
            "claims": {
                "client": "vendor", "schools": "schools", "districts": "districts", "permissions": "permissions",
                "id": "jti",
            },
        }],
        "tiers": {"starter": {"limits": [total("all", 1_000_000)]}},
        "routes": [
            {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
            {"match": {"path": "/login"}, "require": ["api_key"],
             "failure_limits": [{"name": "logins", "requests": 5, "per": NEVER}]},
            {"match": {"path": "/key"}, "require": ["api_key"]},
            {"match": {"path": "/flagged"}, "require": ["api_key", "bearer"],
             "permissions": ["students.read", "students.write"]},
            {"match": {"path": "/scope"}, "require": ["api_key", "bearer"], "scope": {
                "schools": {"query": "school", "missing": "allow"},
                "districts": {"query": "district", "missing": "allow"},
            }},
            {"match": {"path": "/"}, "require": ["api_key", "bearer"]},
        ],
        "authentication_failures": "off",
    })
}

/// [`policy`] with the key list of a [`KeyServer`]; `extra` goes into `remote`.
pub fn remote_policy(extra: &Value) -> Value {
    let mut policy = policy();
    policy["api_keys"] = json!({"remote": remote("keys.json", extra)});
    policy
}

/// A remote list that is fetched as often as the filter ticks; `extra` goes into it.
pub fn remote(name: &str, extra: &Value) -> Value {
    source(&format!("http://students.example.com/v1/{name}"), extra)
}

/// An entry of a key list.
pub fn entry(id: &str, client: &str, key: &str) -> Value {
    json!({"id": id, "client": client, "sha256": hash(key), "tier": "starter"})
}

/// A key list as it comes from the network.
pub fn key_list(version: u64, keys: &[Value]) -> Value {
    json!({"version": version, "keys": keys})
}

/// A permission token of this vendor that was issued a minute ago.
pub fn token(vendor: &str) -> Token {
    let claims = json!({
        "iss": ISSUER, "vendor": vendor, "jti": format!("{vendor}-{}", rand::random::<u64>()),
        "iat": now() - 60, "exp": now() + 600,
        "districts": ["d1"], "schools": ["s1"], "permissions": ["students.read", "students.write"],
    });
    Token::new(Key::Secret(SECRET.as_bytes()), "k", claims)
}

/// A GET with this API key.
pub fn with_key(gateway: &Gateway, path: &str, key: &str) -> RequestBuilder {
    gateway.get(path).header("x-api-key", key)
}

/// Panics unless the filter refused with this status and code, in the dialect of the API.
#[track_caller]
pub fn expect_error(response: &Response, status: u16, code: &str) {
    assert_eq!(response.status, status, "{code}: {response:?}");
    assert_eq!(response.header("content-type").as_deref(), Some("application/json"), "{response:?}");
    assert_eq!(response.header("cache-control").as_deref(), Some("no-store"), "{response:?}");
    let body = response.json();
    assert_eq!((&body["actionOk"], &body["error"]), (&json!(false), &json!([code])), "{response:?}");
    assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{response:?}");
    assert_eq!(body.as_object().expect("an object").len(), 3, "{response:?}");
    let waits = response.header("retry-after").and_then(|value| value.parse().ok()).is_some_and(|wait: u64| wait >= 1);
    assert_eq!(waits, matches!(status, 429 | 503), "Retry-After: {response:?}");
}
