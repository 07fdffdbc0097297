//! A sample, changed in one place at a time.
#![allow(clippy::arithmetic_side_effects)]

use prost::Message as _;
use serde_json::{Value, json};

use super::wire::{Kind, List, MapEntry, ProtoValue, Struct};
use super::{Config, ConfigErrors};

mod accepted;
mod claims;
mod conflicts;
mod documents;
mod forwarded_claims;
mod properties;
mod refused;
mod refused_policy;
mod retirement;
mod route_tiers;
mod student;
mod tokens;
mod unused;

/// A configuration as a user would write it, in JSON.
fn sample() -> Value {
    json!({
        "realm": "education-data",
        "errors": "problem-json",
        "issuers": [{
            "issuer": "https://auth.example.com/",
            "audiences": ["https://api.example.com"],
            "jwks": {"remote": {
                "uri": "https://auth.example.com/.well-known/jwks.json",
                "cluster": "auth",
                "timeout": "2s",
                "refresh": "10m",
                "max_stale": "24h",
                "cooldown": "2s"
            }},
            "clock_skew": "30s",
            "claims": {"client": "client_id", "tier": "tier", "schools": "schools"},
            "tiers": ["free", "standard", "premium"]
        }],
        "tiers": {
            "free": {
                "limits": [
                    {"name": "minute", "requests": 60, "per": "1m", "burst": 10},
                    {"name": "day", "requests": 1000, "per": "day"},
                    {"name": "cost", "cost": 300, "per": "1m"}
                ],
                "max_cost": 20
            },
            "standard": {
                "limits": [
                    {"name": "minute", "requests": 600, "per": "1m", "burst": 50},
                    {"name": "day", "requests": 50000, "per": "day"},
                    {"name": "cost", "cost": 3000, "per": "1m"}
                ],
                "max_cost": 100
            },
            "premium": {
                "limits": [
                    {"name": "minute", "requests": 6000, "per": "1m", "burst": 200},
                    {"name": "day", "requests": 1_000_000, "per": "day"},
                    {"name": "cost", "cost": 30000, "per": "1m"}
                ]
            }
        },
        "routes": [{
            "match": {"host": "api.example.com", "path": "/stats/v1/", "methods": ["GET"]},
            "require": ["bearer"],
            "scope": {"schools": {"query": "school_id", "missing": "refuse"}},
            "cost": 5
        }],
        "forward": {"schools": "x-claim-schools", "tier": "x-claim-tier", "client": "x-claim-client-id"},
        "rate_limit_headers": "draft-11"
    })
}

/// Replaces or adds what stands at a JSON Pointer; `-` appends to an array; null removes a member.
#[track_caller]
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent).unwrap() {
        Value::Object(members) if value.is_null() => drop(members.remove(&name)),
        Value::Object(members) => drop(members.insert(name, value)),
        Value::Array(items) if name == "-" => items.push(value),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer} has no parent"),
    }
}

/// The sample with changes.
#[track_caller]
fn changed(changes: &[(&str, Value)]) -> Value {
    changed_from(sample(), changes)
}

#[track_caller]
fn changed_from(mut document: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        set(&mut document, pointer, value.clone());
    }
    document
}

fn load(document: &Value) -> Result<Config, ConfigErrors> {
    Config::from_bytes(document.to_string().as_bytes())
}

/// The changed sample loads.
#[track_caller]
fn accepted(changes: &[(&str, Value)]) -> Config {
    accepted_from(sample(), changes)
}

#[track_caller]
fn accepted_from(document: Value, changes: &[(&str, Value)]) -> Config {
    load(&changed_from(document, changes)).unwrap_or_else(|errors| panic!("{changes:?}: {errors}"))
}

/// The changed sample is refused for exactly this.
#[track_caller]
fn refused(changes: &[(&str, Value)], problem: &str) {
    refused_from(sample(), changes, problem);
}

#[track_caller]
fn refused_from(document: Value, changes: &[(&str, Value)], problem: &str) {
    match load(&changed_from(document, changes)) {
        Ok(_) => panic!("{changes:?} is accepted"),
        Err(errors) => assert_eq!(errors.to_string(), problem, "{changes:?}"),
    }
}

/// The document as Envoy serializes a `google.protobuf.Struct`.
fn protobuf(document: &Value) -> Vec<u8> {
    fields(document).encode_to_vec()
}

fn fields(document: &Value) -> Struct {
    let members = document.as_object().unwrap();
    let entry = |(key, value): (&String, &Value)| MapEntry { key: key.clone(), value: Some(proto_value(value)) };
    Struct { fields: members.iter().map(entry).collect() }
}

fn proto_value(value: &Value) -> ProtoValue {
    let kind = match value {
        Value::Null => Kind::Null(0),
        Value::Bool(flag) => Kind::Bool(*flag),
        Value::Number(number) => Kind::Number(number.as_f64().unwrap()),
        Value::String(text) => Kind::String(text.clone()),
        Value::Array(items) => Kind::List(List { values: items.iter().map(proto_value).collect() }),
        Value::Object(_) => Kind::Struct(fields(value)),
    };
    ProtoValue { kind: Some(kind) }
}
