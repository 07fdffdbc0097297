use std::borrow::Cow;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Missing, Place, Rule, ScopeError, Verdict, judge, requested};
use crate::head::Head;
use crate::path::{Pattern, RawPath};

const GRANTED: [&str; 2] = ["in", "in-2"];

fn by(place: Place) -> Rule {
    Rule { place, missing: Missing::Refuse, separator: None }
}

fn by_query() -> Rule {
    by(Place::Query("school_id".to_owned()))
}

fn by_path() -> Rule {
    by(Place::Path("id".to_owned()))
}

fn by_header() -> Rule {
    by(Place::Header("x-school-id".to_owned()))
}

fn with_commas(rule: Rule) -> Rule {
    Rule { separator: Some(','), ..rule }
}

fn or_all(rule: Rule) -> Rule {
    Rule { missing: Missing::Allow, ..rule }
}

fn answer(rule: &Rule, path: &str, head: &Head) -> Result<Verdict, ScopeError> {
    let pattern = Pattern::parse("/s/{id}/").unwrap();
    let path = RawPath::parse(path.as_bytes()).unwrap();
    let ids = requested(rule, head, &path, &pattern)?;
    Ok(judge(rule, &ids, |id| GRANTED.contains(&id)))
}

fn head(method: &str, pairs: &[(&str, &str)]) -> Head {
    Head::from_pairs(&[&[(":method", method)], pairs].concat()).ending(true)
}

#[track_caller]
fn check_path(rule: &Rule, path: &str, expected: Result<Verdict, ScopeError>) {
    assert_eq!(answer(rule, path, &head("GET", &[])), expected, "{path}");
}

#[track_caller]
fn check_query(rule: &Rule, query: &str, expected: Result<Verdict, ScopeError>) {
    check_path(rule, &format!("/s/x/?{query}"), expected);
}

#[test]
fn every_school_in_the_query_must_be_granted() {
    let rule = by_query();
    check_query(&rule, "school_id=in", Ok(Verdict::Granted));
    check_query(&rule, "school_id=in&school_id=in-2", Ok(Verdict::Granted));
    check_query(&rule, "school_id=i%6e", Ok(Verdict::Granted));
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
        check_query(&rule, query, Ok(Verdict::OutOfScope));
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
    check_query(&by_query(), "", Ok(Verdict::Missing));
    check_query(&by_query(), "x=1", Ok(Verdict::Missing));
    check_query(&or_all(by_query()), "x=1", Ok(Verdict::Granted));
    check_query(&or_all(by_query()), "school_id=out", Ok(Verdict::OutOfScope));
    // An empty one is not a missing one.
    check_query(&or_all(by_query()), "school_id=", Err(ScopeError::Malformed));
}

#[test]
fn separator_splits_values() {
    let rule = with_commas(by_query());
    check_query(&rule, "school_id=in,in-2", Ok(Verdict::Granted));
    check_query(&rule, "school_id=in%2Cin-2", Ok(Verdict::Granted));
    check_query(&rule, "school_id=in,out", Ok(Verdict::OutOfScope));
    check_query(&rule, "school_id=in%2Cout", Ok(Verdict::OutOfScope));
    check_query(&rule, "school_id=in,%20in", Ok(Verdict::OutOfScope));
    for query in ["school_id=in,", "school_id=,in", "school_id=in,,in", "school_id=,"] {
        check_query(&rule, query, Err(ScopeError::Malformed));
    }
    let list = |count: usize| format!("school_id={}", vec!["in"; count].join(","));
    check_query(&rule, &list(100), Ok(Verdict::Granted));
    check_query(&rule, &list(101), Err(ScopeError::TooMany));
}

#[test]
fn school_in_the_path_must_be_granted() {
    check_path(&by_path(), "/s/in/", Ok(Verdict::Granted));
    check_path(&by_path(), "/s/i%6e/x", Ok(Verdict::Granted));
    check_path(&by_path(), "/s/out/", Ok(Verdict::OutOfScope));
    check_path(&by_path(), "/s/in,out/", Ok(Verdict::OutOfScope));
    check_path(&by_path(), "/s/in;out/", Err(ScopeError::Ambiguous));
    check_path(&by_path(), "/s/%256en/", Err(ScopeError::Ambiguous));
    check_path(&with_commas(by_path()), "/s/in,in-2/", Ok(Verdict::Granted));
    check_path(&with_commas(by_path()), "/s/in,out/", Ok(Verdict::OutOfScope));
}

#[track_caller]
fn check_header(rule: &Rule, pairs: &[(&str, &str)], expected: Result<Verdict, ScopeError>) {
    assert_eq!(answer(rule, "/s/x/", &head("GET", pairs)), expected, "{pairs:?}");
}

#[test]
fn every_school_in_the_header_must_be_granted() {
    let (rule, within) = (by_header(), ("x-school-id", "in"));
    check_header(&rule, &[within], Ok(Verdict::Granted));
    check_header(&rule, &[("X-School-Id", "in")], Ok(Verdict::Granted));
    check_header(&rule, &[within, ("x-school-id", "in-2")], Ok(Verdict::Granted));
    check_header(&rule, &[within, ("x-school-id", "out")], Ok(Verdict::OutOfScope));
    check_header(&rule, &[("x-school", "in")], Ok(Verdict::Missing));
    // Another name of the same length is another header.
    check_header(&rule, &[within, ("x-pupils-id", "out")], Ok(Verdict::Granted));
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
    check_header(&rule, &[("x-school-id", "in,in-2")], Ok(Verdict::Granted));
    check_header(&rule, &[("x-school-id", "in, in-2")], Ok(Verdict::Granted));
    check_header(&rule, &[("x-school-id", "in,out")], Ok(Verdict::OutOfScope));
    check_header(&rule, &[("x-school-id", "in, ")], Err(ScopeError::Malformed));
}

#[test]
fn every_error_has_a_text_of_its_own() {
    let errors = [ScopeError::Ambiguous, ScopeError::Malformed, ScopeError::TooMany, ScopeError::FormBody];
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() == errors.len() && !texts.contains(""), "{texts:?}");
}

#[track_caller]
fn check_body(pairs: &[(&str, &str)], end_of_stream: bool, expected: Result<Verdict, ScopeError>) {
    let head = head("POST", pairs).ending(end_of_stream);
    assert_eq!(answer(&by_query(), "/s/x/?school_id=in", &head), expected, "{pairs:?}");
}

#[test]
fn form_bodies_are_refused_where_the_query_is_judged() {
    for content_type in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        "application/x-www-form-urlencoded ;x",
        // Old Werkzeug, and CGI.pm, which looks at the beginning alone.
        "application/x-url-encoded",
        "application/x-www-form-urlencoded.a",
        "multipart/form-data; boundary=a",
        "MULTIPART/mixed",
        // What cannot be read.
        "",
        "json",
        "application/json, application/x-www-form-urlencoded",
        "application/json/x",
        "/",
        // One half that is no word, and a comma where the rest is good.
        "/json",
        "appli cation/json",
        "application/",
        "application/js on",
        "application/json; a=1, b/c",
    ] {
        check_body(&[("content-type", content_type)], false, Err(ScopeError::FormBody));
    }
    // No type, or two.
    let json = ("content-type", "application/json");
    check_body(&[], false, Err(ScopeError::FormBody));
    check_body(&[json, json], false, Err(ScopeError::FormBody));
    check_body(&[("content-length", "5")], true, Err(ScopeError::FormBody));
    check_body(&[("transfer-encoding", "chunked")], true, Err(ScopeError::FormBody));
}

#[test]
fn other_bodies_and_none_pass() {
    check_body(&[("content-type", "application/json")], false, Ok(Verdict::Granted));
    check_body(&[("content-type", "application/vnd.a+json; v=1")], false, Ok(Verdict::Granted));
    check_body(&[("content-type", "application/vnd.pgrst.object+json")], false, Ok(Verdict::Granted));
    check_body(&[], true, Ok(Verdict::Granted));
    check_body(&[("content-length", "0")], true, Ok(Verdict::Granted));
    // A form is no danger where the query is not judged.
    let form = head("POST", &[("content-type", "multipart/form-data")]).ending(false);
    assert_eq!(answer(&by_path(), "/s/in/", &form), Ok(Verdict::Granted));
}

#[test]
fn body_of_a_get_is_refused_where_the_query_is_judged() {
    // Laravel, and `req.param` of Express 4, read JSON before the query.
    let json = ("content-type", "application/json");
    for method in ["GET", "HEAD"] {
        let answer = |rule: &Rule, pairs: &[(&str, &str)], ends: bool| {
            answer(rule, "/s/in/?school_id=in", &head(method, pairs).ending(ends))
        };
        assert_eq!(answer(&by_query(), &[json], false), Err(ScopeError::FormBody));
        assert_eq!(answer(&by_query(), &[json, ("content-length", "2")], true), Err(ScopeError::FormBody));
        // Their twins: no body, whatever type it is said to have; and where the query is not judged.
        assert_eq!(answer(&by_query(), &[json], true), Ok(Verdict::Granted));
        assert_eq!(answer(&by_query(), &[json, ("content-length", "0")], true), Ok(Verdict::Granted));
        // Laravel's `$request->id` reads it before the path.
        assert_eq!(answer_in_path(method, false), Err(ScopeError::FormBody));
        assert_eq!(answer_in_path(method, true), Ok(Verdict::Granted));
        assert_eq!(answer(&by_header(), &[json, ("x-school-id", "in")], false), Ok(Verdict::Granted));
    }
    assert_eq!(answer_in_path("PUT", false), Ok(Verdict::Granted));
}

fn answer_in_path(method: &str, ends: bool) -> Result<Verdict, ScopeError> {
    let head = head(method, &[("content-type", "application/json")]).ending(ends);
    answer(&by_path(), "/s/in/", &head)
}

#[test]
fn charset_in_which_the_query_reads_otherwise_is_refused() {
    let judged = |rule: &Rule, method: &str, media: &str| {
        answer(rule, "/s/in/?school_id=in", &head(method, &[("content-type", media)]))
    };
    for media in [
        // Django decodes the query by it, though there is no body: `+ACY-` is `&`, and `%00s` is `s`.
        "text/plain; charset=utf-7",
        "application/json;CHARSET=UTF-16",
        "; charset=utf-7",
        "text/plain; charset=\"utf-7\"",
        "text/plain; charset = utf-7",
        "text/plain; charset*=utf-8''utf-7",
        "text/plain; charset*0=utf; charset*1=-7",
        "text/plain; charset=utf-8; charset=utf-7",
        "text/plain; charset=utf-7; charset=utf-8",
        "text/plain; charset=utf-8, text/plain; charset=utf-7",
        // ASP.NET, where there is a body.
        "text/plain; charset=ibm500",
        // What begins like a good one; nothing.
        "text/plain; charset=utf-80",
        "text/plain; charset=utf-8-sig",
        "text/plain; charset=",
        "text/plain; charset",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(judged(&by_query(), method, media), Err(ScopeError::FormBody), "{media}");
        }
        // Their twin: a query that is not judged.
        assert_eq!(judged(&by_header(), "GET", media), Ok(Verdict::Missing), "{media}");
    }
    for media in [
        "application/json",
        "",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "text/plain; charset=\"utf-8\"; x=1",
        "text/plain;charset=utf8 ; x=1",
        "text/xml; charset=US-ASCII",
        "text/plain; charset=ISO-8859-1",
        "application/json; charset=utf-8, application/json; charset=utf-8",
    ] {
        assert_eq!(judged(&by_query(), "GET", media), Ok(Verdict::Granted), "{media}");
    }
    let twice = head("GET", &[("content-type", "text/plain"); 2]);
    assert_eq!(answer(&by_query(), "/s/in/?school_id=in", &twice), Err(ScopeError::FormBody));
}

#[test]
fn header_of_a_missing_parameter_is_ambiguous() {
    // Spring 6.2 binds it to the field of the parameter's name.
    let rule = or_all(by_query());
    let answer = |rule: &Rule, query: &str, name: &str| {
        answer(rule, &format!("/s/x/{query}"), &head("GET", &[(":path", "/s/x/"), (name, "out")]))
    };
    for name in ["school_id", "school-id", "SchoolId", "schoolid"] {
        assert_eq!(answer(&rule, "", name), Err(ScopeError::Ambiguous), "{name}");
        assert_eq!(answer(&rule, "?x=1", name), Err(ScopeError::Ambiguous), "{name}");
        // The parameter goes first, or must be there.
        assert_eq!(answer(&rule, "?school_id=in", name), Ok(Verdict::Granted), "{name}");
        assert_eq!(answer(&by_query(), "", name), Ok(Verdict::Missing), "{name}");
    }
    for name in ["x-school-id", "school", "school-ids", "accept"] {
        assert_eq!(answer(&rule, "", name), Ok(Verdict::Granted), "{name}");
    }
    // A pseudo-header is none.
    let by_path_name = or_all(by(Place::Query("path".to_owned())));
    assert_eq!(answer(&by_path_name, "", "x-a"), Ok(Verdict::Granted));
}

#[test]
fn query_may_not_name_the_variable_of_the_path() {
    // Laravel's `$request->id` reads the query first.
    for query in ["id=out", "ID=out", "%69d=out", "id[]=out", "a=1;id=out", "id=in", "id"] {
        assert_eq!(answer(&by_path(), &format!("/s/in/?{query}"), &head("GET", &[])), Err(ScopeError::Ambiguous));
    }
    for query in ["", "a=id", "ids=out", "school_id=out"] {
        assert_eq!(answer(&by_path(), &format!("/s/in/?{query}"), &head("GET", &[])), Ok(Verdict::Granted));
    }
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
        if judge(&rule, &ids, |id| GRANTED.contains(&id)) != Verdict::Granted {
            return Ok(());
        }
        for reader in upstreams::query::ALL {
            for value in (reader.read)(&query, "school_id") {
                prop_assert!(GRANTED.contains(&value.as_str()), "{} reads {value:?}", reader.name);
                prop_assert!(ids.contains(&Cow::Borrowed(value.as_str())), "{} reads {value:?}", reader.name);
            }
        }
    }
}
