//! A small policy with district tokens beside JWTs on one route, and lists of tokens: for tests of opaque tokens.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Gateway;
use super::client::RequestBuilder;
use super::lists::{hash, source};
use super::sample::{issuer, key_set, total};

/// The name of the issuer with the list.
pub const DISTRICT_TOKENS: &str = "district-tokens";

/// An entry for the token of this text, of this application and district, with the school `s-DISTRICT`.
pub fn entry(token: &str, application: &str, district: &str) -> Value {
    json!({
        "sha256": hash(token), "client": application, "district": district,
        "schools": [format!("s-{district}")], "tier": "standard",
    })
}

/// A list as it comes from the network.
pub fn list(version: u64, tokens: &[Value]) -> Value {
    json!({"version": version, "tokens": tokens})
}

/// JWTs of one issuer, and tokens of the source `tokens`: on `/`, on `/schools` by `school`, on `/districts/{d}`; JWTs alone on
/// `/jwt`, tokens alone on `/opaque`. No budget for failed credentials.
pub fn policy(tokens: &Value) -> Value {
    json!({
        "realm": "districts",
        "issuers": [issuer(&json!({"inline": key_set()})), {"issuer": DISTRICT_TOKENS, "tokens": tokens}],
        "tiers": {"standard": {"limits": [total("all", 1_000_000)]}},
        "districts": {"d1": ["s-d1", "s-more"]},
        "routes": [
            {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
            {"match": {"path": "/schools"}, "scope": {"schools": {"query": "school"}}},
            {"match": {"path": "/districts/{d}"}, "issuers": [DISTRICT_TOKENS], "scope": {"districts": {"path": "d"}}},
            {"match": {"path": "/jwt"}, "issuers": [super::sample::ISSUER]},
            {"match": {"path": "/opaque"}, "issuers": [DISTRICT_TOKENS]},
            {"match": {"path": "/"}},
        ],
        "forward": {"authorization": false},
        "authentication_failures": "off",
    })
}

/// [`policy`] with this list in the configuration.
pub fn inline(tokens: &[Value]) -> Value {
    policy(&json!({"inline": {"tokens": tokens}}))
}

/// [`policy`] with a list that is fetched as often as the filter ticks; `extra` goes into `remote`.
pub fn remote(extra: &Value) -> Value {
    policy(&json!({"remote": source("http://tokens.example.com/tokens.json", extra)}))
}

/// A GET with this token.
pub fn with_token(gateway: &Gateway, path: &str, token: &str) -> RequestBuilder {
    gateway.get(path).bearer(token)
}

/// A list of so many tokens, `token-0` and on, of 50 applications, each with a district of its own and four schools.
pub fn many(version: u64, count: usize) -> String {
    let mut text = format!("{{\"version\":{version},\"tokens\":[");
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let hash = Sha256::digest(format!("token-{n}"));
        let (application, d) = (n % 50, format!("{n:07}"));
        write!(
            text,
            "{comma}{{\"sha256\":\"{hash:x}\",\"client\":\"application-{application}\",\"district\":\"{d}\",\
             \"schools\":[\"{d}01\",\"{d}02\",\"{d}03\",\"{d}04\"],\"tier\":\"standard\"}}"
        )
        .expect("a string takes everything");
    }
    text.push_str("]}");
    text
}
