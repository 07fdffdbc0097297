//! The configuration of the tests, changed in one place at a time, and the tokens that fit it.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::config::Config;
use crate::credentials::fetch::{Document, Place, Record};
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::testing::{jwk_members, token, token_with_header};
use crate::credentials::opaque::Grant;
use crate::filter::document::DocumentId;
use crate::values::time::Timestamp;

/// When the tests begin: a day's noon, so that calendar quotas do not turn over.
pub(super) const START: Timestamp = Timestamp::from_secs(1_780_228_800);

/// An issuer with keys in the configuration.
pub(super) const INLINE: &str = "https://inline.example/";
/// An issuer with keys over the network.
pub(super) const REMOTE: &str = "https://remote.example/";
/// The place of [`REMOTE`] in the configuration.
pub(super) const REMOTE_ID: DocumentId = DocumentId::Keys(1);

/// Limits: three requests and ten units of cost a minute for `free`, no limits for `open`, a ceiling for `small`.
fn document() -> Value {
    /// Points of P-384 take their time.
    static KEYS: OnceLock<Value> = OnceLock::new();
    let keys = KEYS.get_or_init(|| jwks(&[Alg::EdDsa, Alg::Rs256, Alg::Es384]));
    let claims = json!({"client": "client_id", "tier": "tier", "schools": "schools"});
    json!({
        "issuers": [
            {"issuer": INLINE, "jwks": {"inline": keys}, "claims": claims},
            {"issuer": REMOTE, "claims": claims, "tiers": ["free"], "jwks": {"remote": {
                "uri": "https://remote.example/jwks", "cluster": "remote",
                "timeout": "2s", "refresh": "10m", "max_stale": "1h", "cooldown": "2s"
            }}}
        ],
        "tiers": {
            "free": {"limits": [
                {"name": "minute", "requests": 3, "per": "1m"},
                {"name": "cost", "cost": 10, "per": "1m"}
            ]},
            "open": {"limits": []},
            "small": {"limits": [{"name": "minute", "requests": 3, "per": "1m"}], "max_cost": 4}
        },
        "routes": [
            {"match": {"path": "/open"}, "require": []},
            {"match": {"path": "/login", "methods": ["POST"]}, "require": [],
             "address_limits": [{"name": "login", "requests": 2, "per": "1m"}]},
            {"match": {"path": "/limited", "methods": ["GET"]},
             "address_limits": [{"name": "address", "requests": 2, "per": "1m"}]},
            {"match": {"path": "/inline-only"}, "issuers": [INLINE]},
            {"match": {"path": "/socket"}, "upgrades": true},
            {"match": {"path": "/list"}, "cost": {"weight": 1, "times": {"query": "limit", "default": 1}}},
            {"match": {"path": "/stats", "methods": ["GET", "POST"]}, "cors_preflight": true,
             "scope": {"schools": {"query": "school_id", "missing": "refuse"}}},
            {"match": {"path": "/each"}, "cost": {"weight": 4, "times": "schools"},
             "scope": {"schools": {"query": "school_id", "missing": "allow", "separator": ","}}},
            {"match": {"path": "/plain"}}
        ],
        "authentication_failures": {"requests": 3, "per": "1m"},
        "settlement_header": "x-actual-cost",
        "forward": {"max_schools_bytes": 20}
    })
}

/// The configuration with what stands at JSON Pointers replaced or added; null removes.
#[track_caller]
pub(super) fn config(changes: &[(&str, Value)]) -> Config {
    let mut document = document();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(members) if value.is_null() => drop(members.remove(name)),
            Value::Object(members) => drop(members.insert(name.to_owned(), value.clone())),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("{pointer} has no parent"),
        }
    }
    Config::from_bytes(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{changes:?}: {errors}"))
}

/// A key set of the test keys of these algorithms, each named after its algorithm.
pub(super) fn jwks(algs: &[Alg]) -> Value {
    let key = |alg: &Alg| {
        let name = alg.name();
        serde_json::from_str::<Value>(&format!(r#"{{"kid":"{name}","alg":"{name}",{}}}"#, jwk_members(*alg))).unwrap()
    };
    json!({"keys": algs.iter().map(key).collect::<Vec<_>>()})
}

/// What a token says: that of client `app` in tier `free` for the school `oak`, for an hour, with changes.
pub(super) fn claims(changes: &Value) -> String {
    let mut claims = json!({
        "iss": INLINE, "client_id": "app", "tier": "free", "schools": ["oak"], "exp": START.secs() + 3600
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.to_string()
}

/// A token with these claims changed, signed by the Ed25519 key.
pub(super) fn signed(changes: &Value) -> String {
    token(Alg::EdDsa, &claims(changes))
}

/// The usual token.
pub(super) fn good() -> String {
    signed(&json!({}))
}

/// A token of the issuer with remote keys.
pub(super) fn remote() -> String {
    signed(&json!({"iss": REMOTE}))
}

/// The same, signed by a key of this name that no key set has.
pub(super) fn unknown_kid(issuer: &str) -> String {
    token_with_header(Alg::EdDsa, r#"{"alg":"EdDSA","kid":"new"}"#, &claims(&json!({"iss": issuer})))
}

/// A token whose signature is that of another.
pub(super) fn forged(changes: &Value) -> String {
    let (message, _) = signed(changes).rsplit_once('.').map(|(m, s)| (m.to_owned(), s.to_owned())).unwrap();
    let other = signed(&json!({"client_id": "other"}));
    format!("{message}.{}", other.rsplit_once('.').unwrap().1)
}

/// An issuer with a list of opaque tokens over the network.
pub(super) fn district_tokens() -> Value {
    json!({"issuer": "district-tokens", "tiers": ["free"], "tokens": {"remote": {
        "uri": "https://tokens.example/tokens.json", "cluster": "remote",
        "timeout": "2s", "refresh": "10m", "max_stale": "1h", "cooldown": "2s"
    }}})
}

/// What the list says of the token `known`.
pub(super) fn grant() -> Grant {
    Grant {
        client: "app".to_owned(),
        district: "d-known".to_owned(),
        schools: vec!["s-known".to_owned()],
        tier: "free".to_owned(),
        not_before: Timestamp::default(),
        not_after: Timestamp::from_micros(u64::MAX),
    }
}

/// The shared record after a fetch that began at `started` and brought a document of this generation.
pub(super) fn fetched(started: Timestamp, generation: u64) -> Record {
    let secs = |secs| std::time::Duration::from_secs(secs);
    let (refresh_at, stale_at) = (started.after(secs(600)), started.after(secs(3600)));
    let document =
        Some(Document { started, refresh_at, stale_at, generation, version: 0, place: Place::First, build: 1 });
    Record { started, next_at: started.after(secs(2)), document, ..Record::default() }
}
