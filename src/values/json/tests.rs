use std::cell::RefCell;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{JsonError, Limits, parse, parse_each};

const SMALL: Limits = Limits { depth_max: 3, values_max: 5 };

#[track_caller]
fn refused(bytes: &[u8], expected: JsonError) {
    assert_eq!(parse(bytes, SMALL), Err(expected), "{}", String::from_utf8_lossy(bytes));
}

#[track_caller]
fn accepted(text: &str) {
    let expected: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parse(text.as_bytes(), SMALL), Ok(expected), "{text}");
}

#[test]
fn plain_documents_are_read_as_serde_json_reads_them() {
    for text in [
        "null",
        "true",
        "0",
        "-1",
        "18446744073709551615",
        "1.5",
        "-0",
        "1e3",
        "\"\"",
        "\"\\u00e9\\n\"",
        "[]",
        "{}",
        " { \"a\" : [ 1 , { } ] } ",
        "{\"a\":1,\"A\":2}",
    ] {
        accepted(text);
    }
}

#[test]
fn duplicate_members_are_refused_at_any_depth() {
    for text in [
        r#"{"a":1,"a":1}"#,
        // The same name, written differently.
        r#"{"a":1,"\u0061":2}"#,
        r#"[{"b":{"a":1,"a":2}}]"#,
        r#"{"":1,"":2}"#,
    ] {
        refused(text.as_bytes(), JsonError::DuplicateMember);
    }
    // The same name in two objects is fine.
    accepted(r#"[{"a":1},{"a":2}]"#);
}

#[test]
fn everything_around_one_document_is_refused() {
    refused(b"\xef\xbb\xbf{}", JsonError::ByteOrderMark);
    refused(b"\"\xff\"", JsonError::Utf8);
    // A surrogate in UTF-8, an overlong NUL.
    refused(b"\"\xed\xa0\x80\"", JsonError::Utf8);
    refused(b"\"\xc0\x80\"", JsonError::Utf8);
    refused(b"{}{}", JsonError::TrailingData);
    refused(b"{} x", JsonError::TrailingData);
    refused(b"{}\0", JsonError::TrailingData);
    accepted("{}\r\n\t ");
}

#[test]
fn broken_syntax_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\"}",
        "{a:1}",
        "'a'",
        "NaN",
        "Infinity",
        "01",
        "+1",
        "1.",
        ".5",
        "1e999",
        "nul",
        "\"\u{1}\"",
        r#""\ud800""#,
        r#""\x""#,
        "// c\n1",
        "/**/1",
    ] {
        let result = parse(text.as_bytes(), SMALL);
        assert!(matches!(result, Err(JsonError::Syntax { .. })), "{text}: {result:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    accepted("[[[]]]");
    refused(b"[[[[]]]]", JsonError::TooDeep);
    refused(br#"{"a":{"a":{"a":{}}}}"#, JsonError::TooDeep);
    refused("[".repeat(100_000).as_bytes(), JsonError::TooDeep);
    refused(r#"{"a":"#.repeat(100_000).as_bytes(), JsonError::TooDeep);
    let at_limit = "[".repeat(32) + &"]".repeat(32);
    assert!(parse(at_limit.as_bytes(), Limits::TOKEN).is_ok());
    assert_eq!(parse(format!("[{at_limit}]").as_bytes(), Limits::TOKEN), Err(JsonError::TooDeep));
}

#[test]
fn members_and_elements_are_bounded_together() {
    accepted("[1,2,3,4,5]");
    refused(b"[1,2,3,4,5,6]", JsonError::TooManyValues);
    accepted(r#"{"a":[1,2],"b":[3]}"#);
    refused(br#"{"a":[1,2],"b":[3,4]}"#, JsonError::TooManyValues);
    let members: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":0")).collect();
    let document = format!("{{{}}}", members.join(","));
    assert_eq!(parse(document.as_bytes(), Limits::TOKEN), Err(JsonError::TooManyValues));
    assert!(parse(document.as_bytes(), Limits::DOCUMENT).is_ok());
}

#[test]
fn errors_do_not_quote_the_document() {
    let error = parse(br#"{"canary-7781":canary-7781}"#, SMALL).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}

/// What is handed out, and what is left.
fn each(text: &str, limits: Limits) -> (Vec<Value>, Result<Value, JsonError>) {
    let taken = RefCell::new(Vec::new());
    let take = |element: &Value| {
        taken.borrow_mut().push(element.clone());
        true
    };
    let rest = parse_each(text.as_bytes(), limits, "keys", &take);
    (taken.into_inner(), rest)
}

#[test]
fn elements_of_one_array_are_handed_out() {
    for (text, elements, rest) in [
        (
            r#"{"a":[1],"keys":[{"keys":[1]},2],"z":3}"#,
            json!([{"keys": [1]}, 2]),
            json!({"a": [1], "keys": [], "z": 3}),
        ),
        (r#"{"keys":[]}"#, json!([]), json!({"keys": []})),
        // no array, none, not in the root, no object
        (r#"{"keys":{"keys":[1]}}"#, json!([]), json!({"keys": {"keys": [1]}})),
        (r#"{"a":{"keys":[1]}}"#, json!([]), json!({"a": {"keys": [1]}})),
        (r#"[{"keys":[1]}]"#, json!([]), json!([{"keys": [1]}])),
        ("1", json!([]), json!(1)),
    ] {
        let (taken, left) = each(text, Limits::DOCUMENT);
        assert_eq!((Value::Array(taken), left), (elements, Ok(rest)), "{text}");
    }
}

#[test]
fn what_is_handed_out_is_read_as_strictly() {
    for text in [
        r#"{"keys":[1,2,3,4]}"#,
        // too many values, too deep, a name twice in an element and in the root, two documents, none
        r#"{"keys":[1,2,3,4,5]}"#,
        r#"{"keys":[[[]]]}"#,
        r#"{"keys":[{"a":1,"a":2}]}"#,
        r#"{"keys":[1],"keys":[2]}"#,
        r#"{"keys":[1]}1"#,
        r#"{"keys":[1,]}"#,
        "",
    ] {
        let whole = parse(text.as_bytes(), SMALL);
        assert_eq!(each(text, SMALL).1.err(), whole.err(), "{text}");
    }
}

#[test]
fn reading_ends_when_an_element_is_refused() {
    let taken = RefCell::new(0);
    let take = |element: &Value| {
        *taken.borrow_mut() += 1;
        element != &json!(2)
    };
    let read = parse_each(br#"{"keys":[1,2,3]}"#, Limits::DOCUMENT, "keys", &take);
    assert!(read.is_err() && taken.into_inner() == 2);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, SMALL);
    }

    #[test]
    fn nearly_json_agrees_with_serde_json(text in r#"[\[\]{}",:a01 .e\\u-]{0,24}"#) {
        if let Ok(value) = parse(text.as_bytes(), Limits::TOKEN) {
            prop_assert_eq!(Some(value), serde_json::from_str::<Value>(&text).ok());
        }
    }
}
