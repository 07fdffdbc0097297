//! Hostile tokens and credentials through a real Envoy: each is 401, none traps a VM, none reaches the upstream.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::policy::{expect_no_trap, expect_problem, open_and_guarded, start, token, vms};
use crate::support::{Gateway, Upstream, raw};

/// A gateway, its upstream, and the number of VMs at the start.
fn guarded() -> (Upstream, Gateway, u64) {
    let (upstream, gateway) = start(open_and_guarded());
    let before = vms(&gateway);
    (upstream, gateway, before)
}

/// Sends raw header lines; the answer's status.
fn send_raw(gateway: &Gateway, path: &str, lines: &[&[u8]]) -> Option<u16> {
    let mut request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n").into_bytes();
    for line in lines {
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    raw::request(gateway.address(), &request).0
}

#[test]
fn credentials_in_another_form_or_twice_are_refused() {
    let (upstream, gateway, before) = guarded();
    check_other_forms(&upstream, &gateway);
    check_two_headers(&upstream, &gateway);
    expect_no_trap(&gateway, before);
}

#[track_caller]
fn check_other_forms(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let t = token().sign();
    let (first, rest) = t.split_at(t.len() / 2);
    let encoded: String = t.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    });

    for value in [
        // two in one header, in every order
        format!("Bearer {t}, Bearer {t}"),
        format!("Bearer {t},{t}"),
        format!("Basic x Bearer {t}"),
        format!("Bearer {t} Basic x"),
        format!("Basic x, Bearer {t}"),
        // other spellings of one
        format!("Bearer \"{t}\""),
        format!("Bearer '{t}'"),
        format!("Bearer {encoded}"),
        format!("Bearer  {t}"),
        format!("Bearer\t{t}"),
        format!("Bearer{t}"),
        format!("Bearer: {t}"),
        format!("Bearer={t}"),
        format!("Bearer token={t}"),
        format!("Bearer {first} {rest}"),
        format!("Bearer {first}\t{rest}"),
        format!("Bearer {t};"),
        format!("Token {t}"),
        format!("JWT {t}"),
        t.clone(),
        // nothing
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer null".to_owned(),
        // segments: one, two, four, five, empty ones
        "Bearer x".to_owned(),
        format!("Bearer {}", &t[..t.rfind('.').unwrap()]),
        format!("Bearer {t}.x"),
        format!("Bearer {t}.x.x"),
        format!("Bearer .{t}"),
        format!("Bearer {t}."),
        "Bearer ..".to_owned(),
        format!("Bearer {}", t.replace('.', "..")),
    ] {
        let response = gateway.get("/a").header("authorization", &value).send();
        assert_eq!(response.status, 401, "{value}: {response:?}");
        let response = gateway.client().http2().get("/a").header("authorization", &value).send();
        assert_eq!(response.status, 401, "{value} over HTTP/2: {response:?}");
    }
    // Elsewhere a token is no credential.
    let elsewhere = gateway.get(&format!("/a?access_token={t}")).header("cookie", format!("access_token={t}")).send();
    expect_problem(&elsewhere, 401, "token-missing");
    assert_eq!(upstream.heads(), 0);
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        gateway.get("/a").header("authorization", format!("{scheme} {t}")).send().expect_status(200);
    }
}

#[track_caller]
fn check_two_headers(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let t = token().sign();
    let good = format!("Bearer {t}");

    for pair in [
        [good.as_str(), "Bearer x"],
        ["Bearer x", &good],
        [&good, &good],
        ["Basic YTpi", &good],
        [&good, "Basic YTpi"],
        [&good, "Basic"],
    ] {
        for client in [*gateway.client(), gateway.client().http2()] {
            let request = client.get("/a").header("authorization", pair[0]).header("authorization", pair[1]);
            let response = request.send();
            assert_eq!(response.status, 401, "{pair:?}: {response:?}");
        }
    }
    assert_eq!(upstream.heads(), 0);
    // Envoy drops an empty one when it joins the two: what is judged is what the upstream gets.
    for pair in [["", good.as_str()], [&good, ""]] {
        let request = gateway.get("/a").header("authorization", pair[0]).header("authorization", pair[1]);
        request.send().expect_status(200);
        assert_eq!(upstream.last().header("authorization").as_ref(), Some(&good));
    }
}

#[test]
fn two_authorization_headers_are_refused_while_keys_cannot_be_had() {
    let mut config = open_and_guarded();
    config["issuers"][0]["jwks"] = json!({"remote": {
        "uri": "https://auth.example.com/jwks", "cluster": "auth", "timeout": "500ms", "cooldown": "200ms",
    }});
    let (upstream, gateway) = start(config);
    let before = vms(&gateway);
    let good = format!("Bearer {}", token().sign());

    for pair in [[good.as_str(), "Bearer x"], ["Bearer x", &good], [&good, &good]] {
        let request = gateway.get("/a").header("authorization", pair[0]).header("authorization", pair[1]);
        request.send().expect_status(401);
    }
    gateway.get("/a").header("authorization", &good).send().expect_status(503);
    assert_eq!(upstream.heads(), 0);
    expect_no_trap(&gateway, before);
}

#[test]
fn bytes_that_are_not_utf8_trap_nothing() {
    let (upstream, gateway, before) = guarded();
    let bearer = format!("authorization: Bearer {}", token().sign());

    // In the credential: refused.
    for line in [&b"authorization: \xff"[..], b"authorization: Bearer \xff\xfe", b"authorization: B\xe9arer x.y.z"] {
        assert_eq!(send_raw(&gateway, "/a", &[line]), Some(401), "{}", line.escape_ascii());
    }
    assert_eq!(upstream.heads(), 0);
    // Anywhere else: no matter.
    for line in [
        &b"x-any: \xff\x80"[..],
        b"cookie: \xff",
        b"x-request-id: \xff",
        b"content-type: \xff",
        b"origin: \xff",
        b"access-control-request-method: \xff",
        b"x-claim-schools: \xff",
        b"x-forwarded-for: \xff",
        b"user-agent: \xff\xff",
    ] {
        assert_eq!(send_raw(&gateway, "/a", &[line, bearer.as_bytes()]), Some(200), "{}", line.escape_ascii());
        assert_eq!(send_raw(&gateway, "/open/a", &[line]), Some(200), "{}", line.escape_ascii());
        assert_eq!(send_raw(&gateway, "/a", &[line]), Some(401), "{}", line.escape_ascii());
    }
    let seen = upstream.seen();
    assert!(seen.iter().all(|it| it.headers("x-claim-schools").iter().all(|it| it != "\u{fffd}")), "{seen:?}");
    // In the path or the host Envoy or the filter refuses.
    for request in [
        &b"GET /\xff HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"[..],
        b"GET /a HTTP/1.1\r\nhost: \xff\r\nconnection: close\r\n\r\n",
    ] {
        let (status, text) = raw::request(gateway.address(), request);
        assert!(status.is_some_and(|it| (400..500).contains(&it)), "{text}");
    }
    expect_no_trap(&gateway, before);
}

#[test]
fn size_of_tokens_is_capped_before_anything_else() {
    let mut config = open_and_guarded();
    config["bounds"] = json!({"max_token_bytes": 2000});
    let (upstream, gateway) = start(config);
    let before = vms(&gateway);
    // base64url knows lengths of 4n, 4n + 2 and 4n + 3, so that not every length can be had: pad until one fits.
    let of_length = |length: usize| {
        (0..2000).map(|pad| token().claim("pad", "p".repeat(pad)).sign()).find(|it| it.len() >= length).unwrap()
    };
    let (fits, over) = (of_length(1997), of_length(2001));
    assert!(fits.len() <= 2000, "{}", fits.len());

    gateway.get("/a").bearer(&fits).send().expect_status(200);
    upstream.forget();
    expect_problem(&gateway.get("/a").bearer(&over).send(), 401, "token-invalid");
    // Long ones of every kind: Envoy takes 60 KiB of headers.
    for long in [
        "a".repeat(59_000),
        format!("{}.{}.{}", "a".repeat(19_000), "a".repeat(19_000), "a".repeat(19_000)),
        ".".repeat(59_000),
    ] {
        expect_problem(&gateway.get("/a").bearer(&long).send(), 401, "token-invalid");
    }
    assert_eq!(upstream.heads(), 0);
    expect_no_trap(&gateway, before);
}
