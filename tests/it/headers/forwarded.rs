//! What the upstream is told about key and token, exactly; and what a client cannot tell it.

use bytes::Bytes;
use serde_json::json;

use crate::support::body_scope::{ACME, GRANTED, Student, api_key, config, token};
use crate::support::{Seen, raw};

/// Headers that only the filter may set, and their values.
const CLAIMS: [(&str, &str); 5] = [
    ("x-claim-districts", "1503000"),
    ("x-claim-schools", "15040001"),
    ("x-claim-permissions", "students.read,students.list"),
    ("x-claim-client-id", "acme"),
    ("x-claim-tier", "enterprise"),
];

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace(|it: char| !it.is_ascii_alphanumeric(), "-")
}

/// Panics unless the claim headers are exactly these, under any spelling.
#[track_caller]
fn expect_claims(seen: &Seen, expected: &[(&str, &str)]) {
    let mut found: Vec<(String, String)> = seen
        .headers
        .iter()
        .filter(|(name, _)| folded(name.as_str()).starts_with("x-claim"))
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut expected: Vec<(String, String)> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{seen:?}");
    assert_eq!(seen.header("x-api-key"), None, "{seen:?}");
}

#[test]
fn upstream_is_told_who_calls() {
    let mut config = config();
    config["routes"].as_array_mut().unwrap().push(json!({"match": {"path": "/login"}, "require": ["api_key"]}));
    config["api_keys"]["inline"]["keys"].as_array_mut().unwrap().push(api_key("third", "key-of-third", "enterprise"));
    let student = Student::with(config);
    student.post("/v1/students", GRANTED).expect_status(200);
    expect_claims(&student.upstream.last(), &CLAIMS);
    assert!(student.upstream.last().header("authorization").is_some());

    // empty lists are told too
    let body = json!({"schoolleas": []}).to_string();
    let empty = token().claim("schools", json!([])).claim("districts", json!([])).sign();
    let request = student.client(false).request("POST", "/either").header("x-api-key", ACME).bearer(empty);
    request.header("content-type", "application/json").body(body).send().expect_status(200);
    let none = CLAIMS.map(|(name, value)| match name {
        "x-claim-districts" | "x-claim-schools" => (name, ""),
        _ => (name, value),
    });
    expect_claims(&student.upstream.last(), &none);

    student.gateway.get("/open/a").header("x-api-key", ACME).send().expect_status(200);
    expect_claims(&student.upstream.last(), &[]);

    // a key alone: a token beside it is no part of it
    let request = student.client(false).request("POST", "/login").header("x-api-key", "key-of-third");
    request.bearer(token().sign()).body("x").send().expect_status(200);
    expect_claims(&student.upstream.last(), &[("x-claim-client-id", "third"), ("x-claim-tier", "enterprise")]);
}

#[test]
fn clients_cannot_tell_the_upstream_anything() {
    let student = Student::start();
    let signed = token().sign();
    for (path, credentials, claims) in [
        ("/v1/students", format!("x-api-key: {ACME}\r\nauthorization: Bearer {signed}\r\n"), &CLAIMS[..]),
        ("/open/a", String::new(), &[]),
    ] {
        for (name, _) in CLAIMS {
            let spellings = [
                name.to_owned(),
                name.to_ascii_uppercase(),
                name.replace('-', "_"),
                name.replacen('-', "_", 1),
                name.replace('-', "."),
                name.replace("x-c", "X-C").replace("m-", "M_"),
            ];
            let spoofed: String = spellings.each_ref().map(|name| format!("{name}: evil\r\n{name}: 9\r\n")).concat();
            let trailers: String = spellings.each_ref().map(|name| format!("{name}: evil\r\n")).concat();
            let request = format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\n{spoofed}{credentials}content-type: application/json\r\n\
                 connection: close\r\ntransfer-encoding: chunked\r\n\r\n19\r\n{GRANTED}\r\n0\r\nx-end: 1\r\n{trailers}\r\n"
            );
            let (status, text) = raw::request(student.gateway.address(), request.as_bytes());
            assert_eq!(status, Some(200), "{name}: {text}");
            let seen = student.upstream.last();
            expect_claims(&seen, claims);
            let trailers = seen.trailers.expect("trailers");
            assert_eq!(trailers.len(), 1, "{trailers:?}");
            assert!(trailers.contains_key("x-end"), "{trailers:?}");
        }
    }
    // the same over HTTP/2
    let spoofed =
        [("x-end", "1"), ("x-claim-districts", "9"), ("x_claim_permissions", "all"), ("x.claim.client.id", "evil")];
    let mut request = student.request(true, "/v1/students").pieces(vec![Bytes::from(GRANTED)], &spoofed);
    for (name, value) in &spoofed[1..] {
        request = request.header(name, value).header(name, "again");
    }
    request.send().expect_status(200);
    let seen = student.upstream.last();
    expect_claims(&seen, &CLAIMS);
    assert_eq!(seen.trailers.map(|trailers| trailers.len()), Some(1));
    student.expect_no_trap();
}

#[test]
fn names_and_format_of_forwarded_headers_are_configured() {
    let mut config = config();
    config["forward"] = json!({
        "districts": "x-lea", "schools": "x-schools", "permissions": "x-flags", "client": "x-vendor",
        "schools_format": "json", "authorization": false,
    });
    config["api_keys"]["forward"] = json!(true);
    let student = Student::with(config);
    let mut request = student.request(false, "/v1/students").body(GRANTED);
    for name in ["x-lea", "X_Lea", "x-flags", "x.flags", "x-vendor", "x-claim-districts", "x-claim-client-id"] {
        request = request.header(name, "evil");
    }
    request.send().expect_status(200);
    let seen = student.upstream.last();
    for (name, value) in [
        ("x-lea", r#"["1503000"]"#),
        ("x-schools", r#"["15040001"]"#),
        ("x-flags", r#"["students.read","students.list"]"#),
        ("x-vendor", "acme"),
        ("x-api-key", ACME),
    ] {
        assert_eq!(seen.headers(name), [value], "{name}: {seen:?}");
    }
    for name in ["x_lea", "x.flags", "x-claim-districts", "x-claim-client-id", "x-claim-permissions", "authorization"] {
        assert_eq!(seen.headers(name), [""; 0], "{name}: {seen:?}");
    }
}
