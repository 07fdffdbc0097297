//! Reading piece by piece against reading the whole.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::entry::{self, ENTRY_BYTES_MAX};
use super::super::reader::{ListReader, Read};
use super::super::testing::{entry, hex, list};
use super::super::{Grant, LIST_FIELDS, TOKEN_FIELDS, TOKENS_MAX, TokenHash};
use crate::credentials::list::{self as lists, Entry, ListError, Origin};

/// The version and the entries, read piece by piece.
fn pieces(bytes: &[u8]) -> Result<(u64, Vec<(TokenHash, Grant)>), ListError> {
    let mut reader = ListReader::default();
    let mut entries = Vec::new();
    loop {
        let before = reader.position();
        match reader.next(bytes)? {
            Read::Entry(hash, grant) => entries.push((hash, grant)),
            Read::More => {}
            Read::End(version) => return Ok((version, entries)),
        }
        assert!(reader.position() > before || matches!(bytes.get(before), Some(b']' | b'}')), "no progress");
    }
}

/// The same, read at once.
fn whole(bytes: &[u8]) -> Result<(u64, Vec<(TokenHash, Grant)>), ListError> {
    let value = lists::parse(bytes)?;
    let root = Entry::root(&value, LIST_FIELDS)?;
    let version = root.version(Origin::Remote)?;
    if root.get("tokens").is_none() {
        return Err(root.wrong("tokens", "an array"));
    }
    let entries = root.entries("tokens", TOKEN_FIELDS)?;
    let entries: Result<Vec<_>, _> = entries.iter().map(entry::read).collect();
    Ok((version, entries?))
}

#[track_caller]
fn same(bytes: &[u8]) {
    let (pieces, whole) = (pieces(bytes), whole(bytes));
    assert_eq!(pieces.is_ok(), whole.is_ok(), "{pieces:?} {whole:?} {}", bytes.escape_ascii());
    if whole.is_ok() {
        assert_eq!(pieces, whole, "{}", bytes.escape_ascii());
    }
}

#[test]
fn lists_in_every_layout_are_read_alike() {
    let (a, b) = (entry("a"), entry("b"));
    for text in [
        list(7, &[]),
        list(7, &[a.clone(), b.clone()]),
        // the members the other way round, blank space everywhere
        format!(" \r\n{{ \"tokens\" :\t[ {a} ,\n {b} ] , \"version\" : 7 }} \n"),
        format!("{:#}", json!({"version": 7, "tokens": [a, b]})),
        // escaped names are the same names
        format!("{{\"\\u0076ersion\":0,\"tok\\u0065ns\":[{a}]}}"),
        // versions
        "{\"tokens\":[],\"version\":18446744073709551615}".to_owned(),
        "{\"tokens\":[],\"version\":18446744073709551616}".to_owned(),
        "{\"tokens\":[],\"version\":-1}".to_owned(),
        "{\"tokens\":[],\"version\":1.0}".to_owned(),
        "{\"tokens\":[],\"version\":1e1}".to_owned(),
        "{\"tokens\":[],\"version\":null}".to_owned(),
        "{\"tokens\":[],\"version\":01}".to_owned(),
        "{\"tokens\":[],\"version\":\"1\"}".to_owned(),
        // no lists
        String::new(),
        " ".to_owned(),
        "[]".to_owned(),
        "7".to_owned(),
        "<html>".to_owned(),
        "{}".to_owned(),
        "{\"version\":7}".to_owned(),
        "{\"tokens\":[]}".to_owned(),
        "{\"version\":7,\"tokens\":{}}".to_owned(),
        "{\"version\":7,\"tokens\":null}".to_owned(),
        // commas
        "{\"version\":7,\"tokens\":[],}".to_owned(),
        "{,\"version\":7,\"tokens\":[]}".to_owned(),
        "{\"version\":7 \"tokens\":[]}".to_owned(),
        "{\"version\":7,,\"tokens\":[]}".to_owned(),
        "{\"version\" 7,\"tokens\":[]}".to_owned(),
        "{\"version\"::7,\"tokens\":[]}".to_owned(),
        "{version:7,\"tokens\":[]}".to_owned(),
        "{7:7,\"tokens\":[]}".to_owned(),
        format!("{{\"version\":7,\"tokens\":[{a},]}}"),
        format!("{{\"version\":7,\"tokens\":[,{a}]}}"),
        format!("{{\"version\":7,\"tokens\":[{a}{b}]}}"),
        format!("{{\"version\":7,\"tokens\":[{a} {b}]}}"),
        format!("{{\"version\":7,\"tokens\":[{a}}}]}}"),
        // members twice, others, and more behind the end
        "{\"version\":7,\"version\":7,\"tokens\":[]}".to_owned(),
        "{\"version\":7,\"\\u0076ersion\":7,\"tokens\":[]}".to_owned(),
        "{\"version\":7,\"tokens\":[],\"tokens\":[]}".to_owned(),
        "{\"version\":7,\"tokens\":[],\"more\":[]}".to_owned(),
        "{\"version\":7,\"tokens\":[]}x".to_owned(),
        "{\"version\":7,\"tokens\":[]}{}".to_owned(),
        "{\"version\":7,\"tokens\":[]}\u{0}".to_owned(),
        "\u{feff}{\"version\":7,\"tokens\":[]}".to_owned(),
        // entries that are none
        "{\"version\":7,\"tokens\":[7]}".to_owned(),
        "{\"version\":7,\"tokens\":[[]]}".to_owned(),
        "{\"version\":7,\"tokens\":[{}]}".to_owned(),
        "{\"version\":7,\"tokens\":[\"a\"]}".to_owned(),
        format!("{{\"version\":7,\"tokens\":[{}]}}", a.to_string().replacen("\"tier\"", "\"tier\":\"x\",\"tier\"", 1)),
        format!(
            "{{\"version\":7,\"tokens\":[{}]}}",
            a.to_string().replacen("\"tier\"", "\"t\\u0069er\":\"x\",\"tier\"", 1)
        ),
        format!("{{\"version\":7,\"tokens\":[{}]}}", a.to_string().replacen("free", "fr\u{1}ee", 1)),
    ] {
        same(text.as_bytes());
    }
    assert_eq!(pieces(list(7, &[a]).as_bytes()).unwrap().0, 7);
}

#[test]
fn every_beginning_of_a_list_is_refused() {
    let text = list(7, &[entry("a"), entry("b")]);
    for len in 0..text.len() {
        assert!(pieces(&text.as_bytes()[..len]).is_err(), "{len}");
    }
    assert!(pieces(text.as_bytes()).is_ok());
}

#[test]
fn long_entry_is_refused_before_it_is_read() {
    let with_schools = |count: usize| {
        let mut entry = entry("a");
        entry["schools"] = (0..count).map(|n| format!("school-{n:06}")).collect();
        (entry.to_string().len(), list(1, &[entry]))
    };
    let (len, text) = with_schools(4_000);
    assert!(len < ENTRY_BYTES_MAX);
    assert_eq!(pieces(text.as_bytes()).unwrap().1[0].1.schools.len(), 4_000);
    let (len, text) = with_schools(4_200);
    assert!(len > ENTRY_BYTES_MAX);
    let message = "`tokens[0]`: expected at most 65536 bytes";
    assert_eq!(pieces(text.as_bytes()).unwrap_err().to_string(), message);
    // to the byte
    for (len, fits) in [(ENTRY_BYTES_MAX, true), (ENTRY_BYTES_MAX + 1, false)] {
        let text = format!("{{{}}}", " ".repeat(len - 2));
        let error = pieces(format!("{{\"version\":1,\"tokens\":[{text}]}}").as_bytes()).unwrap_err().to_string();
        assert_eq!(error != message, fits, "{error}");
    }
    // also one that never ends, and a name that does not
    let endless = format!("{{\"version\":1,\"tokens\":[{}", "[".repeat(1 << 20));
    assert_eq!(pieces(endless.as_bytes()).unwrap_err().to_string(), message);
    let endless = format!("{{\"{}", "x".repeat(1 << 20));
    assert!(pieces(endless.as_bytes()).is_err());
    let blank = format!("{}{}", " ".repeat(1 << 20), list(1, &[]));
    assert!(pieces(blank.as_bytes()).is_ok());
}

#[test]
fn too_many_tokens_are_refused() {
    let text = |count: usize| {
        let entries: Vec<String> = (0..count)
            .map(|n| {
                format!("{{\"sha256\":\"{n:064x}\",\"client\":\"a\",\"district\":\"d\",\"schools\":[],\"tier\":\"t\"}}")
            })
            .collect();
        format!("{{\"version\":1,\"tokens\":[{}]}}", entries.join(","))
    };
    assert_eq!(pieces(text(TOKENS_MAX).as_bytes()).unwrap().1.len(), TOKENS_MAX);
    assert_eq!(
        pieces(text(TOKENS_MAX + 1).as_bytes()).unwrap_err().to_string(),
        "`tokens`: expected at most 100000 tokens"
    );
}

#[test]
fn first_thing_wrong_is_told() {
    for (text, expected) in [
        ("\u{feff}{\"version\":7,\"tokens\":[]}", "list begins with a byte order mark"),
        ("[]", "list: expected an object"),
        ("<html>", "list: expected an object"),
        ("", "list is not JSON from byte 0 on"),
        ("{\"tokens\":{}}", "`tokens`: expected an array"),
        ("{\"tokens\":[]]", "list is not JSON from byte 12 on"),
        ("{\"version\":7}", "`tokens`: expected an array"),
        ("{\"tokens\":[]}", "`version`: expected a whole number from 0"),
        ("{\"version\":\"7\"}", "`version`: expected a whole number from 0"),
        ("{\"more\":7}", "list: expected no other members than the documented ones"),
        ("{\"verson\":7}", "`verson`: unknown member; did you mean `version`?"),
        ("{\"version\" 7}", "list is not JSON from byte 11 on"),
        ("{7:7}", "list is not JSON from byte 2 on"),
        ("{\"version\":7,\"tokens\":[]}x", "list has data after its end"),
        // an entry that is broken, and one that is cut off
        ("{\"tokens\":[{]}", "list is not JSON from byte 11 on"),
        ("{\"tokens\":[{\"a\"", "list is not JSON from byte 11 on"),
    ] {
        assert_eq!(pieces(text.as_bytes()).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn errors_name_places_and_no_values() {
    let mut bad = entry("b");
    bad["district"] = json!("secret,district");
    let error = pieces(list(1, &[entry("a"), bad]).as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with("`tokens[1].district`: expected"), "{error}");
    let text = list(1, &[entry("a")]);
    let error = pieces(&text.as_bytes()[..text.len() - 1]).unwrap_err().to_string();
    for secret in [hex("a").as_str(), "d-a", "secret"] {
        assert!(!error.contains(secret), "{error}");
    }
}

/// Pieces of JSON, of which a few make a list.
fn soup() -> impl Strategy<Value = String> {
    let a = entry("a").to_string();
    let parts = vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\"version\"",
        "\"tokens\"",
        "7",
        "-1",
        "null",
        "\"x\"",
        "\"",
        "\\",
        "\"version\":7",
        "\"tokens\":[",
        "{\"version\":7,\"tokens\":[",
        "]}",
        "\u{1}",
        "é",
    ];
    let parts: Vec<String> = parts.into_iter().map(str::to_owned).chain([a]).collect();
    prop::collection::vec(prop::sample::select(parts), 0..9).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_is_judged_as_if_read_at_once(text in soup()) {
        same(text.as_bytes());
    }

    #[test]
    fn any_change_of_a_list_is_judged_as_if_read_at_once(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..3)
    ) {
        let mut bytes = list(7, &[entry("a"), entry("b")]).into_bytes();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        same(&bytes);
    }

    #[test]
    fn any_list_reads_back(tokens in prop::collection::btree_set("[a-z]{1,6}", 0..20), version in any::<u64>()) {
        let entries: Vec<Value> = tokens.iter().map(|token| entry(token)).collect();
        let (found, read) = pieces(list(version, &entries).as_bytes()).unwrap();
        prop_assert_eq!(found, version);
        let hashes: Vec<_> = tokens.iter().map(|token| TokenHash::of(token.as_bytes())).collect();
        prop_assert_eq!(read.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), hashes);
    }
}
