//! Scope and paths through a real Envoy.

use serde_json::{Value, json};

use crate::support::policy::{config, expect_no_trap, expect_problem, open_and_guarded, start, token, vms};
use crate::support::{Gateway, Response, Upstream, raw};

const IN: &str = "oakwood-primary";

fn policy() -> Value {
    config(&json!([
        {"match": {"path": "/query"}, "scope": {"schools": {"query": "school_id"}}},
        {"match": {"path": "/query-any"}, "scope": {"schools": {"query": "school_id", "missing": "allow"}}},
        {"match": {"path": "/query-list"}, "scope": {"schools": {"query": "school_id", "separator": ","}}},
        {"match": {"path": "/path/{id}/"}, "scope": {"schools": {"path": "id"}}},
        {"match": {"path": "/header"}, "scope": {"schools": {"header": "x-school-id"}}},
        {"match": {"path": "/header-list"}, "scope": {"schools": {"header": "x-school-id", "separator": ","}}},
        {"match": {"path": "/header-any"}, "scope": {"schools": {"header": "x-school-id", "missing": "allow"}}},
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
    ]))
}

#[track_caller]
fn expect(response: &Response, status: u16, what: &str) {
    assert_eq!(response.status, status, "{what}: {response:?}");
    match status {
        200 => {}
        400 => expect_problem(response, 400, "malformed-request"),
        415 => expect_problem(response, 415, "body-unsupported"),
        _ if response.json()["type"].as_str().is_some_and(|it| it.ends_with("school-missing")) => {
            expect_problem(response, 403, "school-missing");
        }
        _ => expect_problem(response, 403, "school-out-of-scope"),
    }
}

#[test]
fn schools_in_the_query_are_judged() {
    let (upstream, gateway) = start(policy());
    let before = vms(&gateway);
    let valid = token().sign();
    let many = |count: usize| format!("{}school_id={IN}", "x=1&".repeat(count));

    for (target, status) in [
        // in, both, escaped
        (format!("/query?school_id={IN}"), 200),
        (format!("/query?school_id={IN}&school_id=ravenscroft-high"), 200),
        ("/query?school_id=%6fakwood-primary".to_owned(), 200),
        (format!("/query?a=b&school_id={IN}&c"), 200),
        // out: alone, last, first, another case, a list, a wildcard, a space, doubled encoding of a value
        ("/query?school_id=elm-park".to_owned(), 403),
        (format!("/query?school_id={IN}&school_id=elm-park"), 403),
        (format!("/query?school_id=elm-park&school_id={IN}"), 403),
        ("/query?school_id=OAKWOOD-PRIMARY".to_owned(), 403),
        (format!("/query?school_id={IN},ravenscroft-high"), 403),
        ("/query?school_id=*".to_owned(), 403),
        (format!("/query?school_id={IN}%20"), 403),
        // missing
        ("/query".to_owned(), 403),
        ("/query?".to_owned(), 403),
        ("/query?other=1".to_owned(), 403),
        ("/query-any".to_owned(), 200),
        ("/query-any?other=1".to_owned(), 200),
        (format!("/query-any?school_id={IN}"), 200),
        ("/query-any?school_id=elm-park".to_owned(), 403),
        // ambiguous
        (format!("/query?%73chool_id={IN}"), 400),
        (format!("/query?school_id={IN}&%73chool_id=elm-park"), 400),
        (format!("/query?school_id={IN}&School_Id=elm-park"), 400),
        (format!("/query?school_id={IN}&school-id=elm-park"), 400),
        (format!("/query?school_id={IN}&schoolId=elm-park"), 400),
        (format!("/query?school_id={IN}&school.id=elm-park"), 400),
        (format!("/query?school_id={IN}&school_id[]=elm-park"), 400),
        (format!("/query?school_id={IN}&school_id%5B0%5D=elm-park"), 400),
        (format!("/query?school_id={IN}&filter.school_id=elm-park"), 400),
        (format!("/query?school_id={IN}&filter%5BSchoolId%5D=elm-park"), 400),
        ("/query-any?filter.school_id=elm-park".to_owned(), 400),
        (format!("/query?school_id={IN}&filter.grade=7"), 200),
        (format!("/query?school_id={IN}&%2573chool_id=elm-park"), 400),
        (format!("/query?school_id={IN};school_id=elm-park"), 400),
        (format!("/query?a=b;school_id=elm-park&school_id={IN}"), 400),
        (format!("/query?school_id={IN}+"), 400),
        ("/query?school_id=%256fakwood-primary".to_owned(), 400),
        ("/query-any?SCHOOL_ID=elm-park".to_owned(), 400),
        // malformed
        ("/query?school_id=".to_owned(), 400),
        ("/query?school_id".to_owned(), 400),
        ("/query-any?school_id=".to_owned(), 400),
        ("/query?school_id=%zz".to_owned(), 400),
        (format!("/query?school_id={IN}%00"), 400),
        ("/query?school_id=%ff".to_owned(), 400),
        // many
        (many(900), 200),
        (many(10_000), 400),
        (format!("/query?{}", vec![format!("school_id={IN}"); 101].join("&")), 400),
        // lists
        (format!("/query-list?school_id={IN},ravenscroft-high"), 200),
        (format!("/query-list?school_id={IN},elm-park"), 403),
        (format!("/query-list?school_id={IN},"), 400),
    ] {
        let target = if target.starts_with('/') { target } else { format!("/query?{target}") };
        let seen = upstream.heads();
        expect(&gateway.get(&target).bearer(&valid).send(), status, &target);
        assert_eq!(upstream.heads(), seen + usize::from(status == 200), "{target}");
        if status == 200 {
            // The upstream reads what was judged, byte by byte.
            assert_eq!(upstream.last().target, target.trim_end_matches('?'), "{target}");
        }
    }
    expect_no_trap(&gateway, before);
}

#[test]
fn schools_in_path_and_header_are_judged() {
    let (upstream, gateway) = start(policy());
    check_path(&upstream, &gateway);
    check_header(&upstream, &gateway);
}

#[track_caller]
fn check_path(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let valid = token().sign();

    for (target, status) in [
        (format!("/path/{IN}/"), 200),
        (format!("/path/{IN}/a/b?c=d"), 200),
        ("/path/%6fakwood-primary/a".to_owned(), 200),
        ("/path/elm-park/a".to_owned(), 403),
        (format!("/path/{IN},elm-park/a"), 403),
        ("/path/OAKWOOD-PRIMARY/a".to_owned(), 403),
        (format!("/path/{IN};elm-park/a"), 400),
        (format!("/path/{IN}%3belm-park/a"), 400),
        ("/path/%256fakwood-primary/a".to_owned(), 400),
        (format!("/path/{IN}+/a"), 400),
        ("/path//a".to_owned(), 400),
    ] {
        let seen = upstream.heads();
        expect(&gateway.get(&target).bearer(&valid).send(), status, &target);
        assert_eq!(upstream.heads(), seen + usize::from(status == 200), "{target}");
    }
}

#[track_caller]
fn check_header(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let valid = token().sign();

    for (path, headers, status) in [
        ("/header", &[("x-school-id", IN)][..], 200),
        ("/header", &[("x-school-id", "elm-park")], 403),
        ("/header", &[], 403),
        ("/header-any", &[], 200),
        ("/header-any", &[("x-school-id", "elm-park")], 403),
        ("/header", &[("x-school-id", IN), ("x-school-id", "elm-park")], 403),
        ("/header", &[("x-school-id", "elm-park"), ("x-school-id", IN)], 403),
        ("/header", &[("x-school-id", IN), ("x_school_id", "elm-park")], 400),
        ("/header", &[("x-school.id", IN)], 400),
        ("/header-any", &[("x_school_id", "elm-park")], 400),
        ("/header", &[("x-school-id", "oakwood-primary,ravenscroft-high")], 400),
        ("/header", &[("x-school-id", "")], 400),
        ("/header", &[("x-school-id", "sch\u{f6}n")], 403),
        ("/header-list", &[("x-school-id", "oakwood-primary, ravenscroft-high")], 200),
        ("/header-list", &[("x-school-id", "oakwood-primary,elm-park")], 403),
    ] {
        for client in [*gateway.client(), gateway.client().http2()] {
            let seen = upstream.heads();
            let request = headers.iter().fold(client.get(path), |request, (name, value)| request.header(name, value));
            expect(&request.bearer(&valid).send(), status, &format!("{path} {headers:?}"));
            assert_eq!(upstream.heads(), seen + usize::from(status == 200), "{path} {headers:?}");
        }
    }
}

#[test]
fn what_may_override_query_or_path_is_refused() {
    let (upstream, gateway) = start(policy());
    check_forms(&upstream, &gateway);
    check_charsets_headers_and_bodies(&upstream, &gateway);
}

#[track_caller]
fn check_forms(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let valid = token().sign();
    let target = format!("/query?school_id={IN}");
    let form = "school_id=elm-park";

    for client in [*gateway.client(), gateway.client().http2()] {
        for (content_type, status) in [
            (Some("application/x-www-form-urlencoded"), 415),
            (Some("Application/X-WWW-Form-URLencoded; charset=utf-8"), 415),
            (Some("multipart/form-data; boundary=a"), 415),
            (Some("application/json, application/x-www-form-urlencoded"), 415),
            (Some(""), 415),
            (None, 415),
            (Some("application/json"), 200),
            (Some("text/plain; charset=utf-8"), 200),
            (Some("application/json; charset=ibm500"), 415),
        ] {
            for chunked in [false, true] {
                let mut request = client.request("POST", &target).bearer(&valid);
                if let Some(content_type) = content_type {
                    request = request.header("content-type", content_type);
                }
                let request = if chunked { request.pieces(vec![form.into()], &[]) } else { request.body(form) };
                let seen = upstream.heads();
                expect(&request.send(), status, &format!("{content_type:?} {chunked}"));
                assert_eq!(upstream.heads(), seen + usize::from(status == 200), "{content_type:?}");
            }
        }
        // No body, no form; a method that the query overrides is ambiguous.
        expect(&client.request("POST", &target).bearer(&valid).send(), 200, "no body");
        for name in ["_method", "X-HTTP-Method-Override"] {
            expect(&client.request("POST", &format!("{target}&{name}=PUT")).bearer(&valid).send(), 400, name);
        }
    }
}

#[track_caller]
fn check_charsets_headers_and_bodies(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let valid = token().sign();
    // Django, in UTF-7, reads a second `school_id` here.
    let target = format!("/query?school_id={IN}&x=+ACY-school_id+AD0-elm-park");

    for client in [*gateway.client(), gateway.client().http2()] {
        for (target, name, value, status) in [
            (target.as_str(), "content-type", "text/plain; charset=utf-7", 415),
            (&target, "content-type", "text/plain; charset*=utf-8''utf-7", 415),
            (&target, "content-type", "text/plain; charset=utf-8", 200),
            ("/path/oakwood-primary/a", "content-type", "text/plain; charset=utf-7", 200),
            // Spring binds a header to the field of a parameter that is not there.
            ("/query-any", "schoolid", "elm-park", 400),
            ("/query-any?a=b", "school-id", "elm-park", 400),
            ("/query-any?school_id=oakwood-primary", "schoolid", "elm-park", 200),
            ("/query-any", "x-school", "elm-park", 200),
        ] {
            let seen = upstream.heads();
            let response = client.get(target).bearer(&valid).header(name, value).send();
            expect(&response, status, &format!("{target} {name}: {value}"));
            assert_eq!(upstream.heads(), seen + usize::from(status == 200), "{target} {name}: {value}");
        }
        // Laravel reads the body of a GET before the path.
        for (method, path, status) in
            [("GET", "/path/oakwood-primary/a", 415), ("PUT", "/path/oakwood-primary/a", 200), ("GET", "/header", 200)]
        {
            let request = client.request(method, path).bearer(&valid).header("x-school-id", IN);
            let response = request.header("content-type", "application/json").body("{\"id\":\"elm-park\"}").send();
            expect(&response, status, &format!("{method} {path}"));
        }
    }
}

#[test]
fn paths_with_two_readings_are_refused_on_every_route() {
    let upstream = Upstream::start();
    // The filter must not count on Envoy's normalization.
    let gateway = Gateway::builder()
        .config(open_and_guarded())
        .upstream(upstream.port())
        .edit_connection_manager(|manager| manager["normalize_path"] = json!(false))
        .start();
    let before = vms(&gateway);
    let bearer = format!("authorization: Bearer {}\r\n", token().sign());
    let send = |path: &str, headers: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        raw::request(gateway.address(), request.as_bytes())
    };

    for segment in [
        ".",
        "..",
        "%2e",
        "%2E%2e",
        ".%2e",
        "%2e.",
        "%252e%252e",
        "..;a",
        ".;",
        "%2e%2e;a=b",
        "..%3ba",
        ";",
        ";a",
        "a%2fb",
        "a%2Fb",
        "a%252fb",
        "a\\b",
        "a%5cb",
        "a%5Cb",
        "a%255cb",
        "a%00",
        "a%2500",
        "%zz",
        "%",
        "%2",
        "a%0ab",
        "a%7f",
        "%ff",
        "%c0%ae",
        "",
        "a%25252e",
    ] {
        for path in [
            format!("/open/{segment}/a"),
            format!("/open/a/{segment}/b"),
            format!("/{segment}/open/a"),
            format!("/a/{segment}/b"),
        ] {
            let (status, text) = send(&path, &bearer);
            assert_eq!(status, Some(400), "{path}: {text}");
        }
        if !segment.is_empty() {
            let (status, text) = send(&format!("/open/{segment}"), "");
            assert_eq!(status, Some(400), "/open/{segment}: {text}");
        }
    }
    for path in ["open/a", "*", "http://a", "/open/a#b", "/open/\u{e4}"] {
        let (status, text) = send(path, "");
        assert!(status.is_some_and(|it| (400..500).contains(&it)), "{path}: {text}");
    }
    assert_eq!(upstream.heads(), 0);
    // Twins that look alike and are harmless.
    for path in [
        "/open/...",
        "/open/.a",
        "/open/a..b",
        "/open/a;b=c",
        "/open/%61",
        "/open/a?b=../%2f..",
        "/open/",
        "/open/%C3%A4",
    ] {
        assert_eq!(send(path, "").0, Some(200), "{path}");
        assert_eq!(upstream.last().target, path);
    }
    expect_no_trap(&gateway, before);
}

#[test]
fn normalized_paths_are_judged_as_envoy_routes_them() {
    let (upstream, gateway) = start(open_and_guarded());
    let send = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        raw::request(gateway.address(), request.as_bytes()).0
    };

    // What Envoy makes of them is guarded, or refused.
    for path in [
        "/open/../a",
        "/open/%2e%2e/a",
        "/open/a/../../b",
        "/open/..",
        "/open/%2E%2e;x/b",
        "/open/..%2fa",
        "/open/..\\a",
    ] {
        let status = send(path);
        assert!(matches!(status, Some(400 | 401)), "{path}: {status:?}");
    }
    assert_eq!(upstream.heads(), 0);
    assert_eq!(send("/a/../open/b"), Some(200));
    assert_eq!(upstream.last().target, "/open/b");
}

#[test]
fn refused_scope_is_charged_and_never_widened() {
    let mut config = policy();
    config["tiers"]["standard"] = json!({"limits": [{"name": "hour", "requests": 3, "per": "1h"}]});
    let (upstream, gateway) = start(config);
    let signed = token().sign();

    for _ in 0..3 {
        expect_problem(&gateway.get("/query?school_id=elm-park").bearer(&signed).send(), 403, "school-out-of-scope");
    }
    expect_problem(&gateway.get("/query?school_id=elm-park").bearer(&signed).send(), 429, "limit-reached");
    assert_eq!(upstream.heads(), 0);
}
