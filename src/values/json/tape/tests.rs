use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{Node, Tape};
use crate::values::json::{JsonError, Limits, parse};

const SMALL: Limits = Limits { depth_max: 3, values_max: 5 };

/// A document as `serde_json` would hold it; what a tape does not tell apart is null.
fn value(node: Node<'_>) -> Value {
    if let Some(text) = node.text() {
        return text.into();
    }
    if let Some(flag) = node.boolean() {
        return flag.into();
    }
    if let Some(number) = node.unsigned() {
        return number.into();
    }
    if let Some(number) = node.float() {
        return number.into();
    }
    if let Some(elements) = node.elements() {
        let list: Vec<Value> = elements.map(value).collect();
        assert_eq!((list.len(), list.is_empty()), (node.len(), node.is_empty()));
        return list.into();
    }
    node.members().map_or(Value::Null, |members| {
        let map: Map<_, _> = members.map(|(name, it)| (name.to_owned(), value(it))).collect();
        assert_eq!(map.len(), node.len());
        map.into()
    })
}

/// The same of what `serde_json` has read.
fn told(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_u64() {
            Some(whole) => whole.into(),
            None => number.as_f64().into(),
        },
        Value::Array(list) => list.into_iter().map(told).collect(),
        Value::Object(map) => map.into_iter().map(|(name, it)| (name, told(it))).collect(),
        other => other,
    }
}

/// Both readers answer alike, to the error.
#[track_caller]
fn agrees(bytes: &[u8], limits: Limits) {
    let expected = parse(bytes, limits).map(told);
    let found = Tape::parse(bytes, limits).map(|tape| value(tape.root()));
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(bytes));
}

#[test]
fn documents_are_read_as_the_other_reader_reads_them() {
    for text in [
        "null",
        "true",
        "0",
        "-1",
        "-0",
        "18446744073709551615",
        "-9223372036854775808",
        "1e3",
        "1e999",
        r#""\u00e9\n\ud83d\ude00""#,
        "[]",
        "{}",
        r#" { "a" : [ 1 , { } ] } "#,
        r#"{"a":1,"A":2}"#,
        // Two names that are one, written alike and not, above and below each other.
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"[{"b":{"a":1,"a":2}}]"#,
        r#"[{"a":1},{"a":2}]"#,
        r#"{"a":1,"a":"#,
        // One value, or level, too many.
        "[1,2,3,4,5]",
        "[1,2,3,4,5,6]",
        "[[[]]]",
        "[[[[]]]]",
        r#"{"a":{"a":{"a":{}}}}"#,
        // What is no document.
        "",
        "{",
        "[1,]",
        r#"{"a"}"#,
        "{a:1}",
        "{1:2}",
        "{}{}",
        "NaN",
        r#""\ud800""#,
        "\u{feff}{}",
    ] {
        agrees(text.as_bytes(), SMALL);
    }
    agrees(b"\"\xff\"", SMALL);
    agrees("[".repeat(100_000).as_bytes(), SMALL);
}

#[test]
fn doubled_name_is_found_among_many() {
    let names: Vec<String> = (0..40).map(|n| format!("\"n{n}\":{n}")).collect();
    agrees(format!("{{{}}}", names.join(",")).as_bytes(), Limits::TOKEN);
    for nth in 0..40 {
        let document = format!("{{{},\"n{nth}\":0}}", names.join(","));
        assert_eq!(Tape::parse(document.as_bytes(), Limits::TOKEN).unwrap_err(), JsonError::DuplicateMember, "{nth}");
    }
}

#[test]
fn pointers_lead_where_serde_json_goes() {
    let text = r#"{"a":{"b":[10,{"c":"x"},[]],"":1},"~/":2,"0":{"01":3},"n":null}"#;
    let (tape, whole): (_, Value) =
        (Tape::parse(text.as_bytes(), Limits::TOKEN).unwrap(), serde_json::from_str(text).unwrap());
    for pointer in [
        "", "/", "a", "/a", "/a/", "/a/b", "/a/b/0", "/a/b/1/c", "/a/b/2", "/a/b/3", "/a/b/00", "/a/b/+1", "/a/b/-1",
        "/a/b/01", "/a/b/c", "/a/b/0/0", "/~0~1", "/~01", "/0/01", "/0/1", "/n", "/n/x", "/missing", "//",
    ] {
        let expected = whole.pointer(pointer).cloned().map(told);
        assert_eq!(tape.root().pointer(pointer).map(value), expected, "{pointer}");
    }
    assert!(tape.root().get("n").is_some_and(Node::is_null));
    assert!(tape.root().is_object() && tape.root().get("missing").is_none());
}

#[test]
fn values_do_not_show() {
    let tape = Tape::parse(br#"{"a":"canary-7781"}"#, Limits::TOKEN).unwrap();
    assert!(!format!("{tape:?}").contains("canary"));
}

proptest! {
    #[test]
    fn any_bytes_are_answered_alike(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        agrees(&bytes, SMALL);
    }

    #[test]
    fn nearly_json_is_answered_alike(text in r#"[\[\]{}",:a01 .e\\u-]{0,24}"#) {
        agrees(text.as_bytes(), Limits::TOKEN);
        agrees(text.as_bytes(), SMALL);
    }
}

#[test]
fn member_of_an_object_is_none_of_those_beside_it() {
    let tape = Tape::parse(br#"{"a":{"x":1},"b":2}"#, Limits::TOKEN).unwrap();
    let inner = tape.root().get("a").unwrap();
    assert_eq!(inner.get("x").and_then(Node::unsigned), Some(1));
    assert!(inner.get("b").is_none(), "it stands right behind the object");
    assert_eq!(tape.root().get("b").and_then(Node::unsigned), Some(2));
}

#[test]
fn tape_shows_no_value() {
    let tape = Tape::parse(br#"["secret",1]"#, Limits::TOKEN).unwrap();
    assert_eq!(format!("{tape:?}"), "Tape(3 values)");
}
