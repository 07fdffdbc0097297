use std::borrow::Cow;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Location, Missing, ScopeCheck, ScopeError, ScopeRule, check, requested};
use crate::http::head::Head;
use crate::http::path::{Pattern, RawPath};

mod overrides;

const GRANTED: [&str; 2] = ["in", "in-2"];

fn by(place: Location) -> ScopeRule {
    ScopeRule { place, missing: Missing::Refuse, separator: None }
}

fn by_query() -> ScopeRule {
    by(Location::Query("school_id".to_owned()))
}

fn by_path() -> ScopeRule {
    by(Location::Path("id".to_owned()))
}

fn by_header() -> ScopeRule {
    by(Location::Header("x-school-id".to_owned()))
}

fn with_commas(rule: ScopeRule) -> ScopeRule {
    ScopeRule { separator: Some(','), ..rule }
}

fn or_all(rule: ScopeRule) -> ScopeRule {
    ScopeRule { missing: Missing::Allow, ..rule }
}

fn answer(rule: &ScopeRule, path: &str, head: &Head) -> Result<ScopeCheck, ScopeError> {
    let pattern = Pattern::parse("/s/{id}/").unwrap();
    let path = RawPath::parse(path.as_bytes()).unwrap();
    let ids = requested(rule, head, &path, &pattern)?;
    Ok(check(rule, &ids, |id| GRANTED.contains(&id)))
}

fn head(method: &str, pairs: &[(&str, &str)]) -> Head {
    Head::from_pairs(&[&[(":method", method)], pairs].concat()).ending(true)
}

#[track_caller]
fn check_path(rule: &ScopeRule, path: &str, expected: Result<ScopeCheck, ScopeError>) {
    assert_eq!(answer(rule, path, &head("GET", &[])), expected, "{path}");
}

#[track_caller]
fn check_query(rule: &ScopeRule, query: &str, expected: Result<ScopeCheck, ScopeError>) {
    check_path(rule, &format!("/s/x/?{query}"), expected);
}

#[test]
fn every_school_in_the_query_must_be_granted() {
    let rule = by_query();
    check_query(&rule, "school_id=in", Ok(ScopeCheck::Granted));
    check_query(&rule, "school_id=in&school_id=in-2", Ok(ScopeCheck::Granted));
    check_query(&rule, "school_id=i%6e", Ok(ScopeCheck::Granted));
    for query in [
        // Alone, last, first.
        "school_id=out",
        "school_id=in&school_id=out",
        "school_id=out&school_id=in",
        // Another case, a space, a list without a separator, a wildcard.
        "school_id=IN",
        "school_id=in%20",
        "school_id=in,in-2",
        "school_id=*",
    ] {
        check_query(&rule, query, Ok(ScopeCheck::OutOfScope));
    }
}

#[test]
fn ambiguous_and_malformed_queries_are_refused() {
    let rule = by_query();
    for query in ["%73chool_id=in", "school_id=in&SCHOOL_ID=out", "school_id=in+", "school_id=in;x"] {
        check_query(&rule, query, Err(ScopeError::Ambiguous));
    }
    for query in ["school_id=", "school_id=%zz", "school_id=in%00"] {
        check_query(&rule, query, Err(ScopeError::Malformed));
    }
    check_query(&rule, &"x&".repeat(10_000), Err(ScopeError::TooMany));
}

#[test]
fn missing_school_is_judged_by_the_rule() {
    check_query(&by_query(), "", Ok(ScopeCheck::Missing));
    check_query(&by_query(), "x=1", Ok(ScopeCheck::Missing));
    check_query(&or_all(by_query()), "x=1", Ok(ScopeCheck::Granted));
    check_query(&or_all(by_query()), "school_id=out", Ok(ScopeCheck::OutOfScope));
    // An empty one is not a missing one.
    check_query(&or_all(by_query()), "school_id=", Err(ScopeError::Malformed));
}

#[test]
fn separator_splits_values() {
    let rule = with_commas(by_query());
    check_query(&rule, "school_id=in,in-2", Ok(ScopeCheck::Granted));
    check_query(&rule, "school_id=in%2Cin-2", Ok(ScopeCheck::Granted));
    check_query(&rule, "school_id=in,out", Ok(ScopeCheck::OutOfScope));
    check_query(&rule, "school_id=in%2Cout", Ok(ScopeCheck::OutOfScope));
    check_query(&rule, "school_id=in,%20in", Ok(ScopeCheck::OutOfScope));
    for query in ["school_id=in,", "school_id=,in", "school_id=in,,in", "school_id=,"] {
        check_query(&rule, query, Err(ScopeError::Malformed));
    }
    let list = |count: usize| format!("school_id={}", vec!["in"; count].join(","));
    check_query(&rule, &list(100), Ok(ScopeCheck::Granted));
    check_query(&rule, &list(101), Err(ScopeError::TooMany));
}

#[test]
fn school_in_the_path_must_be_granted() {
    check_path(&by_path(), "/s/in/", Ok(ScopeCheck::Granted));
    check_path(&by_path(), "/s/i%6e/x", Ok(ScopeCheck::Granted));
    check_path(&by_path(), "/s/out/", Ok(ScopeCheck::OutOfScope));
    check_path(&by_path(), "/s/in,out/", Ok(ScopeCheck::OutOfScope));
    check_path(&by_path(), "/s/in;out/", Err(ScopeError::Ambiguous));
    check_path(&by_path(), "/s/%256en/", Err(ScopeError::Ambiguous));
    check_path(&with_commas(by_path()), "/s/in,in-2/", Ok(ScopeCheck::Granted));
    check_path(&with_commas(by_path()), "/s/in,out/", Ok(ScopeCheck::OutOfScope));
}

#[track_caller]
fn check_header(rule: &ScopeRule, pairs: &[(&str, &str)], expected: Result<ScopeCheck, ScopeError>) {
    assert_eq!(answer(rule, "/s/x/", &head("GET", pairs)), expected, "{pairs:?}");
}

#[test]
fn every_school_in_the_header_must_be_granted() {
    let (rule, within) = (by_header(), ("x-school-id", "in"));
    check_header(&rule, &[within], Ok(ScopeCheck::Granted));
    check_header(&rule, &[("X-School-Id", "in")], Ok(ScopeCheck::Granted));
    check_header(&rule, &[within, ("x-school-id", "in-2")], Ok(ScopeCheck::Granted));
    check_header(&rule, &[within, ("x-school-id", "out")], Ok(ScopeCheck::OutOfScope));
    check_header(&rule, &[("x-school", "in")], Ok(ScopeCheck::Missing));
    // Another name of the same length is another header.
    check_header(&rule, &[within, ("x-pupils-id", "out")], Ok(ScopeCheck::Granted));
    // Spellings that CGI folds together; a list that is none; an empty value; a tab; bytes that are not UTF-8.
    check_header(&rule, &[within, ("x_school_id", "in")], Err(ScopeError::Ambiguous));
    check_header(&rule, &[("x-school.id", "in")], Err(ScopeError::Ambiguous));
    check_header(&rule, &[("x-school-id", "in,in-2")], Err(ScopeError::Ambiguous));
    check_header(&rule, &[("x-school-id", "")], Err(ScopeError::Malformed));
    check_header(&rule, &[("x-school-id", "in\t")], Err(ScopeError::Malformed));
    let bytes = Head::from_pairs(&[(&b"x-school-id"[..], &b"\xff"[..])]);
    assert_eq!(answer(&rule, "/s/x/", &bytes), Err(ScopeError::Malformed));
}

#[test]
fn separator_splits_headers() {
    let rule = with_commas(by_header());
    check_header(&rule, &[("x-school-id", "in,in-2")], Ok(ScopeCheck::Granted));
    check_header(&rule, &[("x-school-id", "in, in-2")], Ok(ScopeCheck::Granted));
    check_header(&rule, &[("x-school-id", "in,out")], Ok(ScopeCheck::OutOfScope));
    check_header(&rule, &[("x-school-id", "in, ")], Err(ScopeError::Malformed));
}

#[test]
fn every_error_has_a_text_of_its_own() {
    let errors = [ScopeError::Ambiguous, ScopeError::Malformed, ScopeError::TooMany, ScopeError::FormBody];
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() == errors.len() && !texts.contains(""), "{texts:?}");
}

#[test]
fn errors_show_no_id() {
    let head = head("GET", &[]);
    let path = RawPath::parse(b"/s/x/?school_id=canary+").unwrap();
    let pattern = Pattern::parse("/s/{id}/").unwrap();
    let error = requested(&by_query(), &head, &path, &pattern).unwrap_err();
    assert!(!format!("{error} {error:?} {path:?}").contains("canary"));
}

fn parameter() -> impl Strategy<Value = String> {
    let names = vec![
        "school_id",
        "school_id",
        "school_id",
        "School_ID",
        "%73chool_id",
        "school%5fid",
        "school.id",
        "school+id",
        "school_id[]",
        "school_id[a]",
        "school_id%5B%5D",
        "school_id[",
        "[school_id]",
        "school_id%00",
        "+school_id",
        "%20school_id",
        "?school_id",
        "x",
        "y.z",
        "x[a]",
        "x;school_id",
        "amp;school_id",
        "%2573chool_id",
        "school[0]_id",
        "school_id[0][a]",
        "",
    ];
    let values = vec![
        "=in",
        "=in",
        "=in-2",
        "=out",
        "=i%6e",
        "=o%75t",
        "=in,out",
        "=in;school_id=out",
        "=in=out",
        "=in+",
        "=in%26school_id=out",
        "=in%00out",
        "=%2569n",
        "",
        "=",
        "=in%zz",
    ];
    let (names, values) = (proptest::sample::select(names), proptest::sample::select(values));
    (names, values).prop_map(|(name, value)| format!("{name}{value}"))
}

fn query() -> impl Strategy<Value = String> {
    let separator = proptest::sample::select(vec!["&", "&", "&", ";", "&&"]);
    let listed = proptest::collection::vec((parameter(), separator), 1..5)
        .prop_map(|it| it.into_iter().map(|(a, b)| a + b).collect::<String>());
    prop_oneof![
        3 => listed,
        1 => "(school_id=|school_id|in|out|[&=;]|%[0-9a-f]{2}|[\\[\\].+_s,]){0,10}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_server_reads_a_school_that_was_not_granted(query in query()) {
        let head = head("GET", &[]);
        let target = format!("/s/x/?{query}");
        let Ok(path) = RawPath::parse(target.as_bytes()) else { return Ok(()) };
        let pattern = Pattern::parse("/").unwrap();
        let rule = or_all(by_query());
        let Ok(ids) = requested(&rule, &head, &path, &pattern) else { return Ok(()) };
        if check(&rule, &ids, |id| GRANTED.contains(&id)) != ScopeCheck::Granted {
            return Ok(());
        }
        for reader in upstreams::query::all() {
            for value in (reader.read)(&query, "school_id") {
                prop_assert!(GRANTED.contains(&value.as_str()), "{} reads {value:?}", reader.name);
                prop_assert!(ids.contains(&Cow::Borrowed(value.as_str())), "{} reads {value:?}", reader.name);
            }
        }
    }
}
