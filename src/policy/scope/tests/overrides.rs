//! What a server may read in place of the query or the path that was checked: bodies, charsets, headers.

use super::*;

#[track_caller]
fn check_body(pairs: &[(&str, &str)], end_of_stream: bool, expected: Result<ScopeCheck, ScopeError>) {
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
    check_body(&[("content-type", "application/json")], false, Ok(ScopeCheck::Granted));
    check_body(&[("content-type", "application/vnd.a+json; v=1")], false, Ok(ScopeCheck::Granted));
    check_body(&[("content-type", "application/vnd.pgrst.object+json")], false, Ok(ScopeCheck::Granted));
    check_body(&[], true, Ok(ScopeCheck::Granted));
    check_body(&[("content-length", "0")], true, Ok(ScopeCheck::Granted));
    // A form is no danger where the query is not judged.
    let form = head("POST", &[("content-type", "multipart/form-data")]).ending(false);
    assert_eq!(answer(&by_path(), "/s/in/", &form), Ok(ScopeCheck::Granted));
}

/// An upgrade by this head, whose stream goes on, as the rule of a query and that of a path see it.
#[track_caller]
fn check_upgrade(method: &str, pairs: &[(&str, &str)], expected: Result<ScopeCheck, ScopeError>) {
    let head = head(method, pairs).ending(false);
    assert_eq!(answer(&by_query(), "/s/x/?school_id=in", &head), expected, "{method} {pairs:?}");
    let of_path = if method == "GET" { expected } else { Ok(ScopeCheck::Granted) };
    assert_eq!(answer(&by_path(), "/s/in/", &head), of_path, "{method} {pairs:?}");
}

#[test]
fn upgraded_streams_are_no_bodies() {
    let upgrade = ("upgrade", "websocket");
    let listed = ("connection", "Upgrade");
    for pairs in [
        vec![upgrade, listed],
        vec![upgrade, ("connection", "keep-alive, UPGRADE")],
        vec![upgrade, listed, ("content-length", "0")],
        vec![upgrade, listed, ("content-type", "application/json")],
    ] {
        check_upgrade("GET", &pairs, Ok(ScopeCheck::Granted));
    }
    check_upgrade("CONNECT", &[(":protocol", "websocket")], Ok(ScopeCheck::Granted));
    let out = head("GET", &[upgrade, listed]).ending(false);
    assert_eq!(answer(&by_query(), "/s/x/?school_id=out", &out), Ok(ScopeCheck::OutOfScope));
}

#[test]
fn upgrades_that_say_that_they_have_a_body_have_one() {
    let upgrade = ("upgrade", "websocket");
    let listed = ("connection", "Upgrade");
    for pairs in [
        vec![upgrade, listed, ("content-length", "5")],
        vec![upgrade, listed, ("transfer-encoding", "chunked")],
        vec![upgrade, listed, ("content-length", "0"), ("content-length", "5")],
        // Without both headers, and with either twice, it is no upgrade: the stream is a body.
        vec![upgrade],
        vec![listed],
        vec![upgrade, ("connection", "keep-alive")],
        vec![upgrade, ("connection", "no-upgrade")],
        vec![upgrade, upgrade, listed],
        vec![upgrade, listed, listed],
        // Extended CONNECT has another method.
        vec![(":protocol", "websocket")],
    ] {
        check_upgrade("GET", &pairs, Err(ScopeError::FormBody));
    }
    check_upgrade("CONNECT", &[], Err(ScopeError::FormBody));
    check_upgrade("CONNECT", &[(":protocol", "websocket"), ("content-length", "5")], Err(ScopeError::FormBody));
    // The charset of the type still says how the query reads.
    let charset = ("content-type", "application/json; charset=utf-7");
    let utf7 = head("GET", &[upgrade, listed, charset]).ending(false);
    assert_eq!(answer(&by_query(), "/s/x/?school_id=in", &utf7), Err(ScopeError::FormBody));
}

#[test]
fn body_of_a_get_is_refused_where_the_query_is_judged() {
    // Laravel, and `req.param` of Express 4, read JSON before the query.
    let json = ("content-type", "application/json");
    for method in ["GET", "HEAD"] {
        let answer = |rule: &ScopeRule, pairs: &[(&str, &str)], ends: bool| {
            answer(rule, "/s/in/?school_id=in", &head(method, pairs).ending(ends))
        };
        assert_eq!(answer(&by_query(), &[json], false), Err(ScopeError::FormBody));
        assert_eq!(answer(&by_query(), &[json, ("content-length", "2")], true), Err(ScopeError::FormBody));
        // Their twins: no body, whatever type it is said to have; and where the query is not judged.
        assert_eq!(answer(&by_query(), &[json], true), Ok(ScopeCheck::Granted));
        assert_eq!(answer(&by_query(), &[json, ("content-length", "0")], true), Ok(ScopeCheck::Granted));
        // Laravel's `$request->id` reads it before the path.
        assert_eq!(answer_in_path(method, false), Err(ScopeError::FormBody));
        assert_eq!(answer_in_path(method, true), Ok(ScopeCheck::Granted));
        assert_eq!(answer(&by_header(), &[json, ("x-school-id", "in")], false), Ok(ScopeCheck::Granted));
    }
    assert_eq!(answer_in_path("PUT", false), Ok(ScopeCheck::Granted));
}

fn answer_in_path(method: &str, ends: bool) -> Result<ScopeCheck, ScopeError> {
    let head = head(method, &[("content-type", "application/json")]).ending(ends);
    answer(&by_path(), "/s/in/", &head)
}

#[test]
fn charset_in_which_the_query_reads_otherwise_is_refused() {
    let judged = |rule: &ScopeRule, method: &str, media: &str| {
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
        assert_eq!(judged(&by_header(), "GET", media), Ok(ScopeCheck::Missing), "{media}");
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
        assert_eq!(judged(&by_query(), "GET", media), Ok(ScopeCheck::Granted), "{media}");
    }
    let twice = head("GET", &[("content-type", "text/plain"); 2]);
    assert_eq!(answer(&by_query(), "/s/in/?school_id=in", &twice), Err(ScopeError::FormBody));
}

#[test]
fn header_of_a_missing_parameter_is_ambiguous() {
    // Spring 6.2 binds it to the field of the parameter's name.
    let rule = or_all(by_query());
    let answer = |rule: &ScopeRule, query: &str, name: &str| {
        answer(rule, &format!("/s/x/{query}"), &head("GET", &[(":path", "/s/x/"), (name, "out")]))
    };
    for name in ["school_id", "school-id", "SchoolId", "schoolid"] {
        assert_eq!(answer(&rule, "", name), Err(ScopeError::Ambiguous), "{name}");
        assert_eq!(answer(&rule, "?x=1", name), Err(ScopeError::Ambiguous), "{name}");
        // The parameter goes first, or must be there.
        assert_eq!(answer(&rule, "?school_id=in", name), Ok(ScopeCheck::Granted), "{name}");
        assert_eq!(answer(&by_query(), "", name), Ok(ScopeCheck::Missing), "{name}");
    }
    for name in ["x-school-id", "school", "school-ids", "accept"] {
        assert_eq!(answer(&rule, "", name), Ok(ScopeCheck::Granted), "{name}");
    }
    // A pseudo-header is none.
    let by_path_name = or_all(by(Location::Query("path".to_owned())));
    assert_eq!(answer(&by_path_name, "", "x-a"), Ok(ScopeCheck::Granted));
}

#[test]
fn query_may_not_name_the_variable_of_the_path() {
    // Laravel's `$request->id` reads the query first.
    for query in ["id=out", "ID=out", "%69d=out", "id[]=out", "a=1;id=out", "id=in", "id"] {
        assert_eq!(answer(&by_path(), &format!("/s/in/?{query}"), &head("GET", &[])), Err(ScopeError::Ambiguous));
    }
    for query in ["", "a=id", "ids=out", "school_id=out"] {
        assert_eq!(answer(&by_path(), &format!("/s/in/?{query}"), &head("GET", &[])), Ok(ScopeCheck::Granted));
    }
}
