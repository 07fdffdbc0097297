//! A policy whose old keys retire, with tokens beside them: dates are told from now on.

use serde_json::{Value, json};

use super::lists::{date, hash};
use super::policy::issuer;
use super::sample::total;
use super::tokens::now;
use super::{Response, Token};

/// The page that every announcement links to.
pub const DOCS: &str = "https://docs.example.com/district-tokens";

/// Limits of [`policy`]: the harder ones leave less of the same budget.
pub const ROOMY: u32 = 1_000;
/// How many requests the harder tier lets pass.
pub const HARD: u32 = 3;

/// A moment so many seconds from now.
pub fn at(from_now: i64) -> u64 {
    now().checked_add_signed(from_now).expect("a moment of our time")
}

/// A schedule of the whole class.
pub fn schedule(announced: u64, throttled_from: u64, refused_from: u64) -> Value {
    json!({
        "announced": date(announced), "throttled_from": date(throttled_from), "throttled_tier": "trickle",
        "refused_from": date(refused_from), "link": DOCS, "replacement": "district tokens",
    })
}

/// Dates of one client; none: those of all.
pub fn extension(client: &str, throttled_from: Option<u64>, refused_from: Option<u64>) -> Value {
    let mut extension = json!({"client": client});
    for (name, moment) in [("throttled_from", throttled_from), ("refused_from", refused_from)] {
        if let Some(moment) = moment {
            extension[name] = json!(date(moment));
        }
    }
    extension
}

/// A key `key-ACCOUNT` of this client, which opens the school `oakwood-primary`.
pub fn key(client: &str) -> Value {
    json!({"id": format!("id-{client}"), "client": client, "tier": "standard", "sha256": hash(&format!("key-{client}")),
           "schools": ["oakwood-primary"]})
}

/// Keys of these clients retire by this schedule; a token will do as well. `/open/` is open, `/body` judges bodies.
pub fn policy(clients: &[&str], schedule: &Value) -> Value {
    let either = json!(["bearer", "api_key"]);
    json!({
        "realm": "education-data",
        "issuers": [issuer()],
        "api_keys": {
            "basic": true, "inline": {"keys": clients.iter().map(|it| key(it)).collect::<Vec<_>>()}, "retirement": schedule,
        },
        "tiers": {"standard": {"limits": [total("all", ROOMY)]}, "trickle": {"limits": [total("all", HARD)]}},
        "routes": [
            {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
            {"match": {"path": "/body", "methods": ["POST"]}, "require_any": either,
             "scope": {"schools": {"body": "/school"}}, "body": {"max_bytes": 100}},
            {"match": {"path": "/"}, "require_any": either, "scope": {"schools": {"query": "school", "missing": "allow"}}},
        ],
        "authentication_failures": "off",
    })
}

/// A token of this client.
pub fn token(client: &str) -> Token {
    super::policy::token().claim("client_id", client)
}

/// `Authorization: Basic` with this user and password.
pub fn basic(text: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

/// The value of `Sunset` for a moment.
pub fn http_date(moment: u64) -> String {
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(moment))
}

/// The value of `Link` that is added.
pub fn link() -> String {
    format!(r#"<{DOCS}>; rel="deprecation"; type="text/html", <{DOCS}>; rel="sunset"; type="text/html""#)
}

/// Panics unless the response announces exactly this, once each, beside `links` of the upstream.
#[track_caller]
pub fn expect_announced(response: &Response, announced: u64, refused_from: u64, links: &[&str]) {
    assert_eq!(response.header("deprecation"), Some(format!("@{announced}")), "{response:?}");
    assert_eq!(response.header("sunset"), Some(http_date(refused_from)), "{response:?}");
    let links: Vec<String> = links.iter().map(ToString::to_string).chain([link()]).collect();
    assert_eq!(response.headers("link"), links, "{response:?}");
}

/// Panics if the response announces anything.
#[track_caller]
pub fn expect_silent(response: &Response) {
    for name in ["deprecation", "sunset", "link"] {
        assert_eq!(response.headers(name), Vec::<String>::new(), "{name}: {response:?}");
    }
}
