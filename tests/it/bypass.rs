//! The bypass corpus through a real Envoy: whatever reaches the upstream is read there as servers of many kinds read it, by
//! models that share no code with the filter (`tests/upstreams`).

use std::fmt::Write as _;

use serde_json::json;
use upstreams::{body, corpus, header, path, query};

use crate::support::policy::{config, expect_no_trap, start, token, vms};
use crate::support::{Gateway, Seen, Upstream, raw};

/// What the usual token grants.
const GRANTED: [&str; 2] = ["oakwood-primary", "ravenscroft-high"];

/// Writes the corpus' `in` and `in-2` as schools of the token.
fn named(text: &str) -> String {
    text.replace("in-2", GRANTED[1])
        .replace("=in", &format!("={}", GRANTED[0]))
        .replace("\"in\"", "\"oakwood-primary\"")
}

/// Sends each request on a connection of its own; gives what reached the upstream.
fn send(upstream: &Upstream, gateway: &Gateway, head: &str, body: &[u8]) -> Option<Seen> {
    let before = upstream.heads();
    let _ = raw::request(gateway.address(), &[format!("{head}connection: close\r\n\r\n").as_bytes(), body].concat());
    (upstream.heads() > before).then(|| upstream.last())
}

#[test]
fn queries_that_reach_the_upstream_are_in_scope_for_every_server() {
    let (upstream, gateway) = start(config(&json!([
        {"match": {"path": "/open/alive"}, "require": []},
        {"match": {"path": "/q"}, "scope": {"schools": {"query": "school_id", "missing": "allow"}}},
    ])));
    let before = vms(&gateway);
    let bearer = format!("host: a\r\nauthorization: Bearer {}\r\n", token().sign());
    let (mut sent, mut passed) = (0, 0);
    // Every name with what is out of scope on either side of what is in, and every value.
    let odd = corpus::names().map(|name| format!("{name}=out"));
    let values = corpus::values().map(|value| format!("school_id{value}"));
    for odd in odd.chain(values).map(|odd| named(&odd)) {
        for query in [format!("school_id={}&{odd}", GRANTED[0]), format!("{odd}&school_id={}", GRANTED[0]), odd] {
            sent += 1;
            let Some(seen) = send(&upstream, &gateway, &format!("GET /q?{query} HTTP/1.1\r\n{bearer}"), b"") else {
                continue;
            };
            passed += 1;
            let (_, reached) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
            for reader in query::all() {
                let read = (reader.read)(reached, "school_id");
                assert!(
                    read.iter().all(|id| GRANTED.contains(&id.as_str())),
                    "{} reads {read:?} in {reached}",
                    reader.name
                );
            }
        }
    }
    // Twins: other parameters pass.
    assert!(passed >= 10 && sent > 300, "{passed} of {sent}");
    expect_no_trap(&gateway, before);
}

#[test]
fn paths_that_reach_the_upstream_are_those_that_were_judged() {
    let routes = json!([
        {"match": {"path": "/open/alive"}, "require": []},
        {"match": {"path": "/admin/"}},
        {"match": {"path": "/a/secret"}},
        {"match": {"path": "/s/{id}/pupils"}, "scope": {"schools": {"path": "id"}}},
        {"match": {"path": "/a/"}, "require": [], "open_subtree": true},
        {"match": {"path": "/s/"}, "require": [], "open_subtree": true},
    ]);
    for normalizes in [true, false] {
        let upstream = Upstream::start();
        let gateway = Gateway::builder()
            .config(config(&routes))
            .upstream(upstream.port())
            .edit_connection_manager(move |manager| {
                manager["normalize_path"] = json!(normalizes);
                manager["merge_slashes"] = json!(normalizes);
            })
            .start();
        let before = vms(&gateway);
        let mut passed = 0;
        for target in corpus::paths() {
            // Nobody shows a token: only what is open may pass, for every server.
            let Some(seen) = send(&upstream, &gateway, &format!("GET {target} HTTP/1.1\r\nhost: a\r\n"), b"") else {
                continue;
            };
            passed += 1;
            let reached = seen.target.split('?').next().unwrap_or_default();
            for reader in path::ALL {
                let segments = (reader.read)(reached).unwrap_or_default();
                let is = |at: usize, literal: &str| {
                    segments
                        .get(at)
                        .is_some_and(|it| it == literal || (reader.ignores_case && it.eq_ignore_ascii_case(literal)))
                };
                let is_guarded = (is(0, "admin") && segments.len() > 1)
                    || (is(0, "a") && is(1, "secret") && segments.len() == 2)
                    || (is(0, "s") && is(2, "pupils") && segments.len() == 3 && !segments[1].is_empty());
                assert!(!is_guarded, "{} reads {reached} as {segments:?}, sent as {target}", reader.name);
            }
        }
        assert!(passed >= 1, "normalizing {normalizes}: {passed}");
        expect_no_trap(&gateway, before);
    }
}

#[test]
fn headers_that_reach_the_upstream_are_the_filters_own() {
    let (upstream, gateway) = start(config(&json!([
        {"match": {"path": "/open/alive"}, "require": []},
        {"match": {"path": "/open"}, "require": []},
        {"match": {"path": "/a"}},
    ])));
    let before = vms(&gateway);
    let bearer = format!("authorization: Bearer {}\r\n", token().sign());
    let judge = |seen: &Seen, line: &str| {
        let trailers = seen.trailers.clone().unwrap_or_default();
        let all: Vec<(&[u8], &[u8])> = seen
            .headers
            .iter()
            .chain(&trailers)
            .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
            .collect();
        for reader in header::ALL {
            for name in [
                "x-claim-schools",
                "x-claim-tier",
                "x-claim-client-id",
                "x-claim-districts",
                "x-claim-permissions",
                "x-claim-client-id",
                "x-http-method-override",
                "x-http-method",
                "x-method-override",
                "x-original-url",
                "x-rewrite-url",
                "x-original-uri",
                "x-forwarded-uri",
                "x-forwarded-path",
                "x-script-name",
                "script-name",
                "x-forwarded-method",
            ] {
                let read = reader.values(&all, name);
                let is_own = read.iter().all(|value| !value.windows(4).any(|it| it == b"evil"));
                assert!(is_own && read.len() < 2, "{} reads {name} in {seen:?} after {line:?}", reader.name);
            }
        }
        assert_eq!(seen.target.contains("/a"), seen.headers.contains_key("x-claim-schools"), "{line:?}: {seen:?}");
    };
    let mut passed = 0;
    for line in corpus::headers() {
        for (path, credentials) in [("/open", ""), ("/a", bearer.as_str())] {
            let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{line}\r\n{credentials}");
            if let Some(seen) = send(&upstream, &gateway, &head, b"") {
                passed += 1;
                judge(&seen, &line);
            }
            let chunked = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{credentials}transfer-encoding: chunked\r\n");
            if let Some(seen) = send(&upstream, &gateway, &chunked, format!("1\r\nx\r\n0\r\n{line}\r\n\r\n").as_bytes())
            {
                judge(&seen, &line);
            }
        }
    }
    assert!(passed > 50, "{passed}");
    expect_no_trap(&gateway, before);
}

#[test]
fn bodies_that_reach_the_upstream_are_in_scope_for_every_server() {
    let (upstream, gateway) = start(config(&json!([
        {"match": {"path": "/open/alive"}, "require": []},
        {"match": {"path": "/b", "methods": ["POST"]}, "body": {"max_bytes": 1000},
         "scope": {"schools": {"body": "/school", "missing": "allow"}}},
    ])));
    let before = vms(&gateway);
    let bearer = format!("authorization: Bearer {}\r\n", token().sign());
    let mut passed = 0;
    for (content_type, body) in corpus::bodies().flat_map(|body| [("application/json", body), ("text/json", body)]) {
        let body = named(body);
        let mut head = format!("POST /b HTTP/1.1\r\nhost: a\r\n{bearer}content-type: {content_type}\r\n");
        let _ = write!(head, "content-length: {}\r\n", body.len());
        let Some(seen) = send(&upstream, &gateway, &head, body.as_bytes()) else { continue };
        passed += 1;
        assert_eq!((content_type, &seen.body[..]), ("application/json", body.as_bytes()));
        let documents = body::documents(&seen.body);
        assert_eq!(documents.len(), 1, "{body}");
        for reader in body::ALL {
            let read = reader.read(&documents[0], &["school"]);
            assert!(read.iter().all(|id| GRANTED.contains(&id.as_str())), "{} reads {read:?} in {body}", reader.name);
        }
    }
    assert!(passed >= 4, "{passed}");
    expect_no_trap(&gateway, before);
}
