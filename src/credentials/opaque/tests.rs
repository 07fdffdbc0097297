#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use serde_json::json;

use super::testing::{entry, hex};
use super::*;
use crate::values::time::rfc3339;

mod bucket;
mod build;
mod reader;

fn read(list: &Value) -> Result<TokenList, ListError> {
    TokenList::from_value(list, &["free", "paid"])
}

/// An entry with one member changed; null removes it.
fn with(member: &str, value: Value) -> Value {
    let mut entry = entry("a");
    match value {
        Value::Null => drop(entry.as_object_mut().unwrap().remove(member)),
        value => entry[member] = value,
    }
    entry
}

/// Why the list of this one entry is refused.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "calls read better")]
fn refused(entry: Value, reason: &str) {
    let error = read(&json!({"tokens": [entry]})).expect_err(reason);
    assert_eq!(error.to_string(), reason);
}

#[test]
fn token_is_found_by_its_hash() {
    let list = read(&json!({"tokens": [entry("a"), entry("b")]})).unwrap();
    assert_eq!(list.len(), 2);
    let grant = list.find(&TokenHash::of(b"a")).unwrap();
    assert_eq!((grant.client.as_str(), grant.district.as_str(), grant.tier.as_str()), ("app", "d-a", "free"));
    assert_eq!(grant.schools, ["s-a"]);
    assert_eq!((grant.not_before, grant.not_after.micros()), (Timestamp::default(), u64::MAX));
    // another token, the hash itself, nothing
    for other in ["c", &hex("a"), ""] {
        assert!(list.find(&TokenHash::of(other.as_bytes())).is_none(), "{other}");
    }
}

#[test]
fn dates_of_a_token_are_read_to_the_second() {
    let mut entry = with("not_before", json!("2026-01-01T00:00:00+01:00"));
    entry["not_after"] = json!("2026-01-02T00:00:00Z");
    let list = read(&json!({"tokens": [entry]})).unwrap();
    let grant = list.find(&TokenHash::of(b"a")).unwrap();
    assert_eq!(Some(grant.not_before), rfc3339("2025-12-31T23:00:00Z"));
    assert_eq!(Some(grant.not_after), rfc3339("2026-01-02T00:00:00Z"));
}

#[test]
fn bad_entry_refuses_the_list() {
    let plain = "expected visible ASCII without comma, quote and backslash, at most 256 bytes";
    let district = "expected the same without `*`, a district's id";
    let schools = "expected distinct school ids, visible ASCII without comma and `*`";
    let array = "expected an array of at most 10000 school ids";
    let date = "expected a date such as `2026-01-01T00:00:00Z`";
    // the token itself instead of its hash
    refused(with("sha256", json!("a")), "`tokens[0].sha256`: expected 64 hexadecimal digits");
    refused(with("sha256", Value::Null), "`tokens[0].sha256`: expected 64 hexadecimal digits");
    // values that would break a header or a list
    refused(with("client", json!("a,b")), &format!("`tokens[0].client`: {plain}"));
    refused(with("client", json!("")), &format!("`tokens[0].client`: {plain}"));
    refused(with("client", json!("é")), &format!("`tokens[0].client`: {plain}"));
    refused(with("client", json!("a".repeat(257))), &format!("`tokens[0].client`: {plain}"));
    refused(with("district", json!("*")), &format!("`tokens[0].district`: {district}"));
    refused(with("district", json!(7)), &format!("`tokens[0].district`: {district}"));
    refused(with("district", Value::Null), &format!("`tokens[0].district`: {district}"));
    refused(with("schools", json!(["*"])), &format!("`tokens[0].schools`: {schools}"));
    refused(with("schools", json!(["s", "t", "s"])), &format!("`tokens[0].schools`: {schools}"));
    refused(with("schools", json!([7])), &format!("`tokens[0].schools`: {schools}"));
    refused(with("schools", json!("s")), &format!("`tokens[0].schools`: {array}"));
    refused(with("schools", Value::Null), &format!("`tokens[0].schools`: {array}"));
    refused(with("tier", json!("gold")), "`tokens[0].tier`: expected one of `tiers`");
    refused(with("tier", Value::Null), "`tokens[0].tier`: expected a tier's name");
    refused(with("not_after", json!("2026-01-01")), &format!("`tokens[0].not_after`: {date}"));
    refused(with("not_before", json!(0)), &format!("`tokens[0].not_before`: {date}"));
    let mut turned = with("not_before", json!("2026-01-02T00:00:00Z"));
    turned["not_after"] = json!("2026-01-02T00:00:00Z");
    refused(turned, "`tokens[0].not_after`: expected a date after `not_before`");
    // a misspelt date must never mean "for ever"
    refused(
        with("notafter", json!("2026-01-01T00:00:00Z")),
        "`tokens[0].notafter`: unknown member; did you mean `not_after`?",
    );
    refused(json!("a"), "`tokens[0]`: expected an object");
}

#[test]
fn bad_list_is_refused() {
    let refused = |list: &Value, reason: &str| assert_eq!(read(list).unwrap_err().to_string(), reason);
    refused(&json!([]), "list: expected an object");
    refused(&json!({}), "`tokens`: expected an array");
    refused(&json!({"tokens": {}}), "`tokens`: expected an array");
    refused(&json!({"tokens": [], "more": 1}), "list: expected no other members than the documented ones");
    refused(&json!({"tokens": [], "version": "1"}), "`version`: expected a whole number from 0");
    refused(
        &json!({"tokens": [entry("a"), entry("a")]}),
        "`tokens[1].sha256`: expected a hash that no other token has",
    );
    let many: Vec<Value> = (0..=INLINE_TOKENS_MAX).map(|n| entry(&n.to_string())).collect();
    refused(&json!({"tokens": many}), "`tokens`: expected at most 1000 tokens; a list over the network may have more");
    // the twins that pass
    assert_eq!(read(&json!({"tokens": many[1..]})).unwrap().len(), INLINE_TOKENS_MAX);
    assert!(read(&json!({"tokens": [], "version": 1})).unwrap().is_empty());
}

#[test]
fn nothing_of_a_list_is_shown() {
    let list = read(&json!({"tokens": [entry("a")]})).unwrap();
    assert!(!list.is_empty());
    let shown = format!("{list:?} {:?}", TokenHash::of(b"a"));
    assert_eq!(shown, "TokenList { len: 1, .. } TokenHash(..)");
    for secret in [hex("a").as_str(), "d-a", "s-a", "app"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
