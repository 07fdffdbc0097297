//! Answers in every dialect: status, headers and body of each refusal, exactly.

use std::fmt::Write as _;

use serde_json::{Value, json};
use snapbox::data::DataFormat;
use snapbox::{Data, assert_data_eq};

use crate::support::body_scope::{ACME, GRANTED, ISSUER, OTHER, Student, api_key, config, token};
use crate::support::client::RequestBuilder;
use crate::support::process::root;
use crate::support::sample::NEVER;
use crate::support::tokens::now;
use crate::support::{Response, Token};

/// What causes a refusal of this code.
struct Row(&'static str, fn(&Student) -> RequestBuilder);

fn with(student: &Student, key: &str, token: &Token, body: &'static str) -> RequestBuilder {
    let request = student.client(false).request("POST", "/v1/students").header("x-api-key", key).bearer(token.sign());
    request.header("content-type", "application/json").body(body)
}

fn rows() -> Vec<Row> {
    vec![
        Row("body-malformed", |it| it.request(false, "/v1/students").body("{")),
        Row("malformed-request", |it| it.request(false, "/v1/students?districtlea=9").body(GRANTED)),
        Row("malformed-request", |it| it.request(false, "/a%zz").body(GRANTED)),
        Row("token-missing", |it| it.client(false).request("POST", "/v1/students").header("x-api-key", ACME)),
        Row("token-invalid", |it| {
            it.client(false).request("POST", "/v1/students").header("x-api-key", ACME).bearer("x")
        }),
        Row("token-expired", |it| with(it, ACME, &token().claim("exp", now() - 9), GRANTED)),
        Row("token-revoked", |it| with(it, ACME, &token().claim("jti", "gone"), GRANTED)),
        Row("key-refused", |it| it.client(false).request("POST", "/v1/students").bearer(token().sign())),
        Row("key-refused", |it| with(it, "wrong", &token(), GRANTED)),
        Row("client-mismatch", |it| with(it, OTHER, &token(), GRANTED)),
        Row("permission-missing", |it| with(it, ACME, &token().claim("permissions", json!([])), GRANTED)),
        Row("district-out-of-scope", |it| with(it, ACME, &token(), r#"{"districtlea":"9"}"#)),
        Row("school-out-of-scope", |it| with(it, ACME, &token(), r#"{"schoolleas":"9"}"#)),
        Row("scope-missing", |it| with(it, ACME, &token(), "{}")),
        Row("school-missing", |it| it.request(false, "/school").body(GRANTED)),
        Row("no-route", |it| it.request(false, "/nowhere").body(GRANTED)),
        Row("method-not-allowed", |it| it.gateway.get("/v1/students")),
        Row("body-too-large", |it| it.request(false, "/small").body("x".repeat(65))),
        Row("body-unsupported", |it| it.bare(false, "/v1/students").body(GRANTED)),
        Row("limit-reached", |it| with(it, "key-of-poor", &token().claim("vendor", "poor"), GRANTED)),
        Row("too-costly", |it| {
            with(it, "key-of-cheap", &token().claim("vendor", "cheap"), r#"{"districtlea":"1503000"}"#)
        }),
        Row("keys-unavailable", |it| {
            it.gateway.get("/down").bearer(token().claim("iss", "https://down.example.com/").sign())
        }),
    ]
}

/// A client that has used its one request, one that may afford none, a revoked token, and an issuer without keys.
fn policy(dialect: &str) -> Value {
    let mut config = config();
    match dialect {
        // the default
        "problem-json" => drop(config.as_object_mut().unwrap().remove("errors")),
        other => config["errors"] = json!(other),
    }
    let keys = config["api_keys"]["inline"]["keys"].as_array_mut().unwrap();
    keys.extend([api_key("poor", "key-of-poor", "poor"), api_key("cheap", "key-of-cheap", "cheap")]);
    config["api_keys"]["issuer"] = json!(ISSUER);
    config["issuers"][0]["revocations"] = json!({"inline": {"tokens": ["gone"], "clients": []}});
    config["issuers"].as_array_mut().unwrap().push(json!({
        "issuer": "https://down.example.com/",
        "jwks": {"remote": {"uri": "https://down.example.com/jwks", "cluster": "auth", "cooldown": "100ms", "timeout": "1s"}},
        "claims": {"client": "vendor"},
        "default_tier": "enterprise",
    }));
    config["tiers"]["poor"] = json!({"limits": [{"name": "total", "requests": 1, "per": NEVER}]});
    config["tiers"]["cheap"] = json!({"limits": [{"name": "work", "cost": 9, "per": NEVER}]});
    config["routes"][0]["cost"] = json!({"times": {"body": "/limit", "default": 10}});
    config["routes"].as_array_mut().unwrap().push(json!({
        "match": {"path": "/down"}, "issuers": ["https://down.example.com/"],
    }));
    config
}

/// Sends every row in this dialect, where `member` of the body holds the text (in `plain`, what follows the code). Status, text and headers are the same in each
/// dialect, and stand in `dialects/common.txt`; the bodies stand in `dialects/DIALECT.txt`.
#[track_caller]
fn check_answers(dialect: &str, media: &str, member: &str) {
    let student = Student::with(policy(dialect));
    with(&student, "key-of-poor", &token().claim("vendor", "poor"), r#"{"districtlea":"1503000","limit":1}"#)
        .send()
        .expect_status(200);
    student.upstream.forget();
    let (mut common, mut bodies) = (String::new(), String::new());
    for Row(code, request) in rows() {
        let response = request(&student).send();
        assert_eq!(response.header("content-type").as_deref(), Some(media), "{code}: {response:?}");
        student.expect_silence(code);
        let id = response.header("x-request-id").expect("an id");
        assert_eq!(id.len(), 36, "{code}: {response:?}");
        let body = response.text().trim_end().replace(&id, "<id>");
        let text = match serde_json::from_str::<Value>(&body) {
            Ok(body) => body[member].as_str().expect("a text").to_owned(),
            Err(_) => body.split_once(": ").expect("a text").1.to_owned(),
        };
        writeln!(common, "{code}: {text}\n  {}", head(&response)).unwrap();
        writeln!(bodies, "{code}: {}", body.replace(&text, "<text>")).unwrap();
    }
    expect_snapshot("common", common);
    expect_snapshot(dialect, bodies);
    student.expect_passed(&student.post("/v1/students", GRANTED), GRANTED, "granted");
    student.expect_no_trap();
}

/// Status and headers of a response, without those that Envoy sets or that go with the body; numbers of seconds are left out.
fn head(response: &Response) -> String {
    let mut lines = vec![response.status.to_string()];
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match name.as_str() {
            "content-type" | "content-length" | "x-request-id" | "connection" | "date" | "server" => continue,
            "retry-after" => {
                assert!(value.parse::<u64>().is_ok_and(|seconds| seconds > 0), "{response:?}");
                "<seconds>".into()
            }
            "ratelimit" => value.split_inclusive("t=").next().unwrap_or_default().to_owned() + "<seconds>",
            _ => value.into_owned(),
        };
        lines.push(format!("{name}: {value}"));
    }
    lines[1..].sort();
    lines.join("\n  ")
}

/// Panics unless this is what the file says; `SNAPSHOTS=overwrite` writes the file.
#[track_caller]
fn expect_snapshot(name: &str, actual: String) {
    let path = root().join(format!("tests/it/answers/dialects/{name}.txt"));
    let expected = Data::read_from(&path, Some(DataFormat::Text)).raw();
    assert_data_eq!(Data::text(actual).raw(), expected);
}

#[test]
fn problem_details_are_the_default() {
    check_answers("problem-json", "application/problem+json", "detail");
}

#[test]
fn student_data_api_answers_in_its_own_words() {
    check_answers("student-data-api", "application/json", "message");
}

#[test]
fn oneroster_answers_in_its_own_words() {
    check_answers("oneroster", "application/json", "imsx_description");
}

#[test]
fn oauth_answers_in_its_own_words() {
    check_answers("oauth", "application/json", "error_description");
}

#[test]
fn plain_answers_are_text() {
    check_answers("plain", "text/plain; charset=utf-8", "");
}
