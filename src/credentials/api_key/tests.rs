#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::hash::{BuildHasher as _, BuildHasherDefault};

use serde_json::{Value, json};

use super::table::{Hashed, KeyHash};
use super::{Context, KEY_BYTES_MAX, KeyList, Presented, presented};
use crate::credentials::ids::ListFormat;
use crate::credentials::list::Origin;
use crate::filter::request::testing::sha256;
use crate::http::head::Head;
use crate::limits::KeyKind;
use crate::values::time::Timestamp;

const CONTEXT: Context<'_> = Context {
    issuer: Some("https://i/"),
    tiers: &["starter", "pro"],
    format: ListFormat::Comma,
    origin: Origin::Remote,
};

fn entry(id: &str, client: &str, key: &str) -> Value {
    json!({"id": id, "client": client, "sha256": sha256(key), "tier": "pro"})
}

fn list(keys: &[Value]) -> Value {
    json!({"version": 3, "keys": keys})
}

#[track_caller]
fn accepted(keys: &[Value]) -> KeyList {
    KeyList::from_bytes(list(keys).to_string().as_bytes(), &CONTEXT).unwrap()
}

#[track_caller]
fn refused(document: &Value, problem: &str) {
    // Entry by entry, and as a whole.
    let bytes = KeyList::from_bytes(document.to_string().as_bytes(), &CONTEXT);
    for list in [bytes, KeyList::from_value(document, &CONTEXT)] {
        assert_eq!(list.unwrap_err().to_string(), problem, "{document}");
    }
}

#[test]
fn key_is_found_by_its_hash() {
    let keys = accepted(&[entry("k1", "acme", "secret-1"), entry("k2", "acme", "secret-2"), entry("k3", "other", "x")]);
    let found = keys.find(b"secret-2").unwrap();
    assert_eq!((found.id.as_str(), found.client.as_str(), found.tier), ("k2", "acme", Some(1)));
    assert_eq!((keys.version(), keys.len()), (3, 3));
    // one byte off, empty, the hash itself, non-ASCII, too long
    let long = vec![b'a'; KEY_BYTES_MAX + 1];
    for wrong in [b"secret-3".as_slice(), b"", sha256("x").as_bytes(), b"\xff", &long, &vec![b'a'; 65_536]] {
        assert!(keys.find(wrong).is_none(), "{wrong:?}");
    }
}

#[test]
fn keys_of_one_client_share_an_owner() {
    let keys = accepted(&[entry("k1", "acme", "a"), entry("k2", "acme", "b"), entry("k3", "other", "c")]);
    let limit_key = |key: &[u8]| keys.find(key).unwrap().limit_keys.of(KeyKind::Client);
    assert_eq!(limit_key(b"a"), limit_key(b"b"));
    assert_ne!(limit_key(b"a"), limit_key(b"c"));
}

#[test]
fn key_is_valid_between_its_dates() {
    let mut dated = entry("k", "acme", "a");
    dated["not_before"] = json!("2026-01-01T00:00:00Z");
    dated["not_after"] = json!("2026-02-01T00:00:00Z");
    let keys = accepted(&[dated]);
    let key = keys.find(b"a").unwrap();
    let (begin, end) = (1_767_225_600_000_000, 1_769_904_000_000_000);
    for (micros, valid) in [(begin - 1, false), (begin, true), (end - 1, true), (end, false)] {
        assert_eq!(key.is_valid(Timestamp::from_micros(micros)), valid, "{micros}");
    }
    let always = accepted(&[entry("k", "acme", "a")]);
    assert!(always.find(b"a").unwrap().is_valid(Timestamp::default()));
}

#[test]
fn bad_lists_are_refused_whole() {
    let with = |name: &str, value: Value| {
        let mut bad = entry("k2", "acme", "b");
        bad[name] = value;
        list(&[entry("k1", "acme", "a"), bad])
    };
    let plain = "expected visible ASCII without comma, quote and backslash, at most 256 bytes";
    let hex = "`keys[1].sha256`: expected 64 hexadecimal digits";
    let date = "expected a date such as `2026-01-01T00:00:00Z`";
    // a misspelt date must not mean "for ever"
    refused(&with("not_affter", json!("x")), "`keys[1].not_affter`: unknown member; did you mean `not_after`?");
    // what is nearly none of the members is not repeated: it may be a key
    let others = "`keys[1]`: expected no other members than the documented ones";
    refused(&with("c2VjcmV0IGtleQ", json!("x")), others);
    refused(&with(&format!("id{}", "d".repeat(39)), json!("x")), others);
    // nor what could end the line of a log
    refused(&with("not_after\n", json!("x")), "`keys[1]`: unknown member; did you mean `not_after`?");
    refused(&with("id", json!("a,b")), &format!("`keys[1].id`: {plain}"));
    refused(&with("client", json!(null)), &format!("`keys[1].client`: {plain}"));
    refused(&with("sha256", json!("ab")), hex);
    refused(&with("sha256", json!("g".repeat(64))), hex);
    refused(&with("sha256", json!(format!("{}0", sha256("b")))), hex);
    refused(&with("tier", json!(1)), "`keys[1].tier`: expected a tier's name");
    refused(&with("not_after", json!(7)), &format!("`keys[1].not_after`: {date}"));
    refused(&with("not_before", json!("2026-01-01")), &format!("`keys[1].not_before`: {date}"));
    // one key under two entries, one id for two keys
    refused(&with("sha256", json!(sha256("a"))), "`keys[1].sha256`: expected a hash that no other key has");
    refused(&with("id", json!("k1")), "`keys[1].id`: expected an id that no other key has");
    refused(&json!({"keys": []}), "`version`: expected a whole number from 0");
    refused(&json!({"version": 1}), "`keys`: expected an array");
    refused(&json!([]), "list: expected an object");
    refused(&json!({"version": 1, "keys": {}}), "`keys`: expected an array");
    refused(&json!({"version": 1, "keys": [1]}), "`keys[0]`: expected an object");
    refused(&json!({"version": 1, "keys": [], "more": 1}), "list: expected no other members than the documented ones");
    accepted(&[]);
}

#[test]
fn unknown_tier_is_kept_from_the_network_and_refused_inline() {
    let mut other = entry("k", "acme", "a");
    other["tier"] = json!("gold");
    assert_eq!(accepted(std::slice::from_ref(&other)).find(b"a").unwrap().tier, None);
    let inline = Context { origin: Origin::Inline, ..CONTEXT };
    let error = KeyList::from_value(&json!({"keys": [other]}), &inline).unwrap_err();
    assert_eq!(error.to_string(), "`keys[0].tier`: expected one of `tiers`");
    KeyList::from_value(&json!({"keys": [entry("k", "acme", "a")]}), &inline).unwrap();
}

/// What is presented where Basic does not count, and where it does.
#[track_caller]
fn check_presented(headers: &[(&str, &str)], alone: &Presented<'_>, with_basic: &Presented<'_>) {
    let head = Head::from_pairs(headers);
    for (basic, expected) in [(false, alone), (true, with_basic)] {
        let found = presented(&head, "x-api-key", basic);
        assert!(found == *expected, "{headers:?}, basic {basic}: {found:?}");
    }
}

fn shown(key: &[u8]) -> Presented<'_> {
    Presented::Key(key.into())
}

#[test]
fn header_must_stand_once_in_one_spelling() {
    for (headers, expected) in [
        (&[("x-api-key", "a")][..], shown(b"a")),
        (&[("X-API-Key", "a"), ("x-api", "b"), ("authorization", "Bearer t")], shown(b"a")),
        (&[("x-api-key", "")], shown(b"")),
        (&[], Presented::Absent),
        (&[("authorization", "Bearer t")], Presented::Absent),
        // two, also alike, also in a spelling that a server may fold to it, also joined by a proxy
        (&[("x-api-key", "a"), ("x-api-key", "a")], Presented::Doubled),
        (&[("x-api-key", "a"), ("x_api_key", "b")], Presented::Doubled),
        (&[("x.api.key", "a"), ("x-api-key", "b"), ("x-api-key", "c")], Presented::Doubled),
        (&[("x-api-key", "a,b")], Presented::Doubled),
        (&[("x-api-key", "a,")], Presented::Doubled),
        // the other spelling alone
        (&[("x_api_key", "a")], Presented::Malformed),
    ] {
        check_presented(headers, &expected, &expected);
    }
}

#[test]
fn key_may_be_the_user_of_basic() {
    let (good, bad) = (("authorization", "Basic a2V5Og=="), ("authorization", "Basic a2V5OnB3"));
    check_presented(&[good], &Presented::Absent, &shown(b"key"));
    check_presented(&[bad], &Presented::Absent, &Presented::Malformed);
    // beside a header: two credentials, also where one is bad or both are alike
    for basic in [good, bad] {
        check_presented(&[basic, ("x-api-key", "key")], &shown(b"key"), &Presented::Doubled);
        check_presented(&[("x_api_key", "key"), basic], &Presented::Malformed, &Presented::Doubled);
    }
    // twice
    check_presented(&[good, good], &Presented::Absent, &Presented::Malformed);
}

#[test]
fn key_is_never_printed() {
    assert_eq!(format!("{:?}", shown(b"secret")), "Key(..)");
}

#[test]
fn what_a_key_opens_alone_is_listed() {
    let with = |members: &Value| {
        let mut key = entry("k", "acme", "a");
        key.as_object_mut().unwrap().append(&mut members.as_object().unwrap().clone());
        key
    };
    let keys = accepted(&[with(&json!({"districts": ["d1", "d2"], "schools": ["s1"]}))]);
    let grants = keys.find(b"a").unwrap().grants.clone().unwrap();
    assert_eq!((grants.districts.header(), grants.schools.header()), (&b"d1,d2"[..], &b"s1"[..]));
    // one list brings the other, empty
    for (members, districts, schools) in [
        (json!({"districts": ["d1"]}), &b"d1"[..], &b""[..]),
        (json!({"schools": ["s1"]}), b"", b"s1"),
        (json!({"districts": []}), b"", b""),
    ] {
        let grants = accepted(&[with(&members)]).find(b"a").unwrap().grants.clone().unwrap();
        assert_eq!((grants.districts.header(), grants.schools.header()), (districts, schools), "{members}");
    }
    assert!(accepted(&[entry("k", "acme", "a")]).find(b"a").unwrap().grants.is_none());
    let what = "expected distinct ids, at most 10000: visible ASCII without comma, quote, backslash and `*`";
    let many: Vec<String> = (0..=10_000).map(|n| n.to_string()).collect();
    // the wildcard, a comma, nothing, no string, twice, too many
    for bad in [json!(["*"]), json!(["d1*"]), json!(["a,b"]), json!([""]), json!([1]), json!(["d1", "d1"]), json!(many)]
    {
        for name in ["districts", "schools"] {
            refused(&list(&[with(&json!({name: bad}))]), &format!("`keys[0].{name}`: {what}"));
        }
    }
    refused(&list(&[with(&json!({"schools": "s1"}))]), "`keys[0].schools`: expected an array");
    refused(&list(&[with(&json!({"schools": null}))]), "`keys[0].schools`: expected an array");
}

#[test]
fn debug_shows_no_hash() {
    let keys = accepted(&[entry("k", "a", "a")]);
    let shown = format!("{keys:?} {:?}", keys.find(b"a").unwrap());
    assert_eq!(shown, r#"KeyList { version: 3, len: 1, .. } ApiKey { id: "k", client: "a", .. }"#);
}

#[test]
fn each_of_ten_thousand_keys_is_found() {
    let keys: Vec<Value> =
        (0..10_000).map(|n| entry(&format!("k{n}"), &format!("a{n}"), &format!("key-{n}"))).collect();
    let bytes = list(&keys).to_string();
    let many = KeyList::from_bytes(bytes.as_bytes(), &CONTEXT).unwrap();
    for n in [0, 1, 5_000, 9_999] {
        assert_eq!(many.find(format!("key-{n}").as_bytes()).unwrap().id, format!("k{n}"));
    }
    assert!(many.find(b"key-10000").is_none());
}

#[test]
fn presented_key_is_looked_up_up_to_its_bound() {
    let of = |len: usize| "a".repeat(len);
    let lens = [0, 1, KEY_BYTES_MAX, KEY_BYTES_MAX + 1, KEY_BYTES_MAX + 2];
    let keys = accepted(&lens.map(|len| entry(&format!("k{len}"), "acme", &of(len))));
    assert!(!keys.is_empty() && accepted(&[]).is_empty());
    // The list has all of them.
    for (len, found) in lens.into_iter().zip([false, true, true, false, false]) {
        assert_eq!(keys.find(of(len).as_bytes()).is_some(), found, "{len} bytes");
    }
}

#[test]
fn key_tells_its_end() {
    let mut ending = entry("k1", "acme", "a");
    ending["not_after"] = json!("2026-01-01T00:00:00Z");
    let keys = accepted(&[ending, entry("k2", "acme", "b")]);
    let end = |key: &[u8]| keys.find(key).unwrap().not_after();
    assert_eq!((end(b"a"), end(b"b")), (Timestamp::from_secs(1_767_225_600), Timestamp::from_micros(u64::MAX)));
}

#[test]
fn keys_of_a_list_are_bounded() {
    let keys = (0..100_001).map(|nth| entry(&format!("k{nth}"), "acme", &nth.to_string()));
    let mut keys: Vec<Value> = keys.collect();
    let refused = KeyList::from_value(&list(&keys), &CONTEXT).unwrap_err();
    assert_eq!(refused.to_string(), "`keys`: expected at most 100000 keys");
    keys.pop();
    assert!(KeyList::from_value(&list(&keys), &CONTEXT).is_ok());
}

#[test]
fn whole_hashes_are_compared() {
    let same = |a: &[u8; 32], b: &[u8; 32]| KeyHash(*a) == KeyHash(*b);
    let hash = [7; 32];
    assert!(same(&hash, &hash));
    for at in 0..32 {
        let mut other = hash;
        other[at] ^= 1;
        assert!(!same(&hash, &other), "byte {at}");
        // a second difference does not make up for the first
        other[(at + 8) % 32] ^= 1;
        assert!(!same(&hash, &other), "byte {at} and eight further");
    }
}

#[test]
fn ids_of_a_key_are_bounded() {
    let with = |count: usize| {
        let mut entry = entry("k", "a", "a");
        entry["schools"] = (0..count).map(|nth| format!("s{nth}")).collect();
        KeyList::from_value(&list(&[entry]), &CONTEXT).is_ok()
    };
    assert!(with(10_000));
    assert!(!with(10_001));
}

#[test]
fn places_of_keys_follow_from_their_hashes() {
    let place = |first: u8, last: u8| {
        let mut hash = [0; 32];
        (hash[0], hash[31]) = (first, last);
        BuildHasherDefault::<Hashed>::default().hash_one(KeyHash(hash))
    };
    assert_eq!((place(7, 0), place(8, 0), place(7, 9)), (7, 8, 7));
}
