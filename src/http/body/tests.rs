#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Body, BodyError, IDS_MAX, Name, Pointer, Rule, is_overridden, judge_head};
use crate::http::head::Head;
use crate::http::query;

const RULE: Rule = Rule { bytes_max: 1_000 };
const JSON: (&str, &str) = ("content-type", "application/json");

fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

#[track_caller]
fn head(headers: &[(&str, &str)], expected: Result<(), BodyError>) {
    assert_eq!(judge_head(RULE, &Head::from_pairs(headers)), expected, "{headers:?}");
}

#[track_caller]
fn ids(body: &str, at: &str, expected: Result<&[&str], BodyError>) {
    let found = Body::parse(RULE, body.as_bytes()).and_then(|body| {
        let ids = body.ids(&pointer(at))?;
        Ok(ids.into_iter().map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(found, expected.map(|ids| ids.iter().map(ToString::to_string).collect()), "{body}");
}

#[test]
fn plain_json_is_read() {
    for media in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
        head(&[("content-type", media)], Ok(()));
    }
    head(&[("content-type", "application/json;charset=\"UTF-8\"")], Ok(()));
    head(&[JSON, ("content-encoding", "identity"), ("content-length", "1000")], Ok(()));
}

#[test]
fn other_types_and_codings_are_unsupported() {
    let other = ["", "text/plain", "application/json, text/plain", "application/x-www-form-urlencoded"];
    let close = ["application/jsonp", "application/json; charset=utf-16", "application/json; charset=utf-8; a=b"];
    for media in other.into_iter().chain(close) {
        head(&[("content-type", media)], Err(BodyError::Unsupported));
    }
    head(&[], Err(BodyError::Unsupported));
    head(&[JSON, JSON], Err(BodyError::Unsupported));
    for coding in ["gzip", "br", "identity, gzip", ""] {
        head(&[JSON, ("content-encoding", coding)], Err(BodyError::Unsupported));
    }
    head(&[JSON, ("content-encoding", "identity"), ("content-encoding", "gzip")], Err(BodyError::Unsupported));
}

#[test]
fn announced_length_over_the_cap_is_too_large() {
    for length in ["1001", "99999999999999999999999"] {
        head(&[JSON, ("content-length", length)], Err(BodyError::TooLarge));
    }
    head(&[JSON, ("content-length", "-1")], Err(BodyError::Malformed));
}

#[test]
fn request_without_a_body_is_malformed() {
    let ending = Head::from_pairs(&[JSON]).ending(true);
    assert_eq!(judge_head(RULE, &ending), Err(BodyError::Malformed));
}

#[test]
fn ids_are_one_or_many() {
    ids(r#"{"limit":25,"districtlea":"1503000"}"#, "/districtlea", Ok(&["1503000"]));
    ids(r#"{"s":["a","b"]}"#, "/s", Ok(&["a", "b"]));
    ids(r#"{"a":{"b":"c"}}"#, "/a/b", Ok(&["c"]));
    ids(r#"{"a/b":{"~":"c"}}"#, "/a~1b/~0", Ok(&["c"]));
    ids(r#"{"s":["école","学校"]}"#, "/s", Ok(&["école", "学校"]));
    // none
    ids("{}", "/s", Ok(&[]));
    ids(r#"{"s":[]}"#, "/s", Ok(&[]));
    ids(r#"{"b":"c"}"#, "/a/b", Ok(&[]));
    // such names elsewhere, and a constructor that is none
    ids(r#"{"s":"in","x":{"__proto__":{}},"constructor":"Wren"}"#, "/s", Ok(&["in"]));
    ids(r#"{"s":"in","x":{"_method":"GET"},"method":"cash","pay_method":"cash"}"#, "/s", Ok(&["in"]));
    // a decoy at another depth
    ids(r#"{"x":{"s":"out"},"s":"in"}"#, "/s", Ok(&["in"]));
}

#[test]
fn what_servers_read_differently_is_malformed() {
    for body in [
        // duplicate members, also escaped, also deep
        r#"{"s":"a","s":"b"}"#,
        r#"{"s":"a","\u0073":"b"}"#,
        r#"{"s":"a","x":{"y":1,"y":2}}"#,
        // a name that some servers fold to it
        r#"{"s":"a","S":"b"}"#,
        r#"{"s":"a","s_":"b"}"#,
        r#"{"s":"a","ſ":"b"}"#,
        r#"{"s":"a","s\u0000x":"b"}"#,
        r#"{"s":"a","s[0]":"b"}"#,
        // where a script that merges objects finds other members
        r#"{"s":"a","__proto__":{"s":"b"}}"#,
        r#"{"\u005f_proto__":{"s":"b"}}"#,
        r#"{"s":"a","constructor":{"prototype":{"s":"b"}}}"#,
        // by which Laravel takes a POST for a request of another method
        r#"{"s":"a","_method":"GET"}"#,
        r#"{"s":"a","\u005fMethod":"GET"}"#,
        // wrong types
        r#"{"s":7}"#,
        r#"{"s":null}"#,
        r#"{"s":true}"#,
        r#"{"s":{"a":"b"}}"#,
        r#"{"s":["a",7]}"#,
        r#"{"s":[["a"]]}"#,
        // values that are no ids
        r#"{"s":""}"#,
        r#"{"s":["a",""]}"#,
        r#"{"s":"a\u0000"}"#,
        // no object, two documents, a byte order mark, nothing, not JSON, not UTF-8 as text
        r#"[{"s":"a"}]"#,
        r#"{"s":"a"}{"s":"b"}"#,
        "\u{feff}{\"s\":\"a\"}",
        "",
        " ",
        "s=a",
        "{\"s\":\"a\"",
    ] {
        ids(body, "/s", Err(BodyError::Malformed));
    }
    assert_eq!(Body::parse(RULE, b"{\"s\":\"\xff\"}").unwrap_err(), BodyError::Malformed);
    assert_eq!(
        Body::parse(RULE, "{\"s\":\"a\"}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>().as_slice())
            .unwrap_err(),
        BodyError::Malformed
    );
    // a name without letters, which an index folds to
    ids(r#"{"-":"a","0":"b"}"#, "/-", Err(BodyError::Malformed));
    // through something that is no object
    ids(r#"{"a":["b"]}"#, "/a/b", Err(BodyError::Malformed));
}

#[test]
fn body_over_the_cap_is_too_large() {
    let body = |len: usize| format!("{{\"s\":\"a\"{}}}", " ".repeat(len - 9));
    assert!(Body::parse(RULE, body(1_000).as_bytes()).is_ok());
    assert_eq!(Body::parse(RULE, body(1_001).as_bytes()).unwrap_err(), BodyError::TooLarge);
}

#[test]
fn ids_of_one_place_are_bounded() {
    for (count, expected) in [(IDS_MAX, Ok(IDS_MAX)), (IDS_MAX + 1, Err(BodyError::Malformed))] {
        let bytes = json!({"s": vec!["a"; count]}).to_string();
        let body = Body::parse(Rule { bytes_max: 10_000 }, bytes.as_bytes()).unwrap();
        assert_eq!(body.ids(&pointer("/s")).map(|ids| ids.len()), expected, "{count}");
    }
}

#[test]
fn number_is_whole_and_from_one() {
    #[track_caller]
    fn check(value: &Value, expected: Result<Option<u32>, BodyError>) {
        let body = Body::parse(RULE, json!({"limit": value}).to_string().as_bytes()).unwrap();
        assert_eq!(body.number(&pointer("/limit")), expected, "{value}");
    }
    check(&json!(25), Ok(Some(25)));
    check(&json!(u64::MAX), Ok(Some(u32::MAX)));
    for wrong in [json!(0), json!(-1), json!(2.5), json!("25"), json!(null), json!([25])] {
        check(&wrong, Err(BodyError::Malformed));
    }
    assert_eq!(Body::parse(RULE, b"{}").unwrap().number(&pointer("/limit")), Ok(None));
}

#[test]
fn query_may_not_name_what_the_body_is_judged_by() {
    for query in ["district=a", "District=a", "a=b&district[]=c", "district=%zz", "filter[district]=a", "filter=a"] {
        assert!(is_overridden(query, &pointer("/filter/district")), "{query}");
    }
    for query in ["", "a=b", "districts2=a"] {
        assert!(!is_overridden(query, &pointer("/filter/district")), "{query}");
    }
}

#[test]
fn errors_have_texts_of_their_own() {
    for (error, text) in [
        (BodyError::Malformed, "body is malformed"),
        (BodyError::TooLarge, "body is too long"),
        (BodyError::Unsupported, "body is not plain JSON"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn pointers_lead_to_a_member() {
    for wrong in ["", "a", "/", "/a/", "//a", "/a~", "/a~2"] {
        assert_eq!(Pointer::parse(wrong), None, "{wrong}");
    }
    let names: Vec<_> = pointer("/a~01/b~1c").0.into_iter().map(|name| name.text).collect();
    assert_eq!(names, ["a~1", "b/c"]);
}

proptest! {
    /// The short way for ordinary names tells the same as the long one for all.
    #[test]
    fn names_fold_alike_on_both_ways(text in "[a-zA-Z_-]{1,6}", other in "[a-zA-Z0-9_. \\[\\]\\x00ſ-]{0,8}") {
        let name = Name::new(text);
        for other in [other, name.text.to_uppercase(), name.text.replace('_', "-")] {
            prop_assert_eq!(name.is_folded_from(&other), query::folds_to(&other, &query::fold(&name.text)), "{}", other);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(body) = Body::parse(RULE, &bytes) {
            let _ = (body.ids(&pointer("/s")), body.number(&pointer("/a/b")));
        }
    }

    #[test]
    fn ids_that_are_read_are_those_of_the_document(list in proptest::collection::vec("[a-z0-9]{1,8}", 0..20)) {
        let bytes = json!({"s": list}).to_string();
        let body = Body::parse(RULE, bytes.as_bytes()).unwrap();
        prop_assert_eq!(body.ids(&pointer("/s")).unwrap(), list);
    }
}
