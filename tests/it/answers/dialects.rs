//! Answers of the Student Data API in every dialect: status, headers and body of each refusal, exactly.

use serde_json::{Value, json};

use crate::support::body_scope::{ACME, GRANTED, ISSUER, NEVER, OTHER, Student, api_key, config, token};
use crate::support::client::RequestBuilder;
use crate::support::policy::expect_problem;
use crate::support::tokens::now;
use crate::support::{Response, Token};

/// One refusal: what causes it, its status, and its code in each dialect (problem details, Student Data API, `OneRoster`,
/// OAuth).
struct Row(fn(&Student) -> RequestBuilder, u16, &'static str, &'static str, &'static str, &'static str);

const INVALID: &str = r#", error="invalid_token", error_description="the token is not valid""#;
const EXPIRED: &str = r#", error="invalid_token", error_description="the token expired""#;
const REVOKED: &str = r#", error="invalid_token", error_description="the token was revoked""#;
const SCOPE: &str = r#", error="insufficient_scope""#;

fn with(student: &Student, key: &str, token: &Token, body: &'static str) -> RequestBuilder {
    let request = student.client(false).request("POST", "/v1/students").header("x-api-key", key).bearer(token.sign());
    request.header("content-type", "application/json").body(body)
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    vec![
        Row(|it| it.request(false, "/v1/students").body("{"), 400, "body-malformed", "bad-request", "invaliddata", "invalid_request"),
        Row(|it| it.request(false, "/v1/students?districtlea=9").body(GRANTED), 400, "malformed-request", "bad-request", "invaliddata", "invalid_request"),
        Row(|it| it.request(false, "/a%zz").body(GRANTED), 400, "malformed-request", "bad-request", "invaliddata", "invalid_request"),
        Row(|it| it.client(false).request("POST", "/v1/students").header("x-api-key", ACME), 401, "token-missing", "unauthorized", "unauthorisedrequest", "unauthorized"),
        Row(|it| it.client(false).request("POST", "/v1/students").header("x-api-key", ACME).bearer("x"), 401, "token-invalid", "invalid-token", "unauthorisedrequest", "invalid_token"),
        Row(|it| with(it, ACME, &token().claim("exp", now() - 9), GRANTED), 401, "token-expired", "invalid-token", "unauthorisedrequest", "invalid_token"),
        Row(|it| with(it, ACME, &token().claim("jti", "gone"), GRANTED), 401, "token-revoked", "invalid-token", "unauthorisedrequest", "invalid_token"),
        Row(|it| it.client(false).request("POST", "/v1/students").bearer(token().sign()), 403, "key-refused", "Forbidden", "unauthorisedrequest", "invalid_client"),
        Row(|it| with(it, "wrong", &token(), GRANTED), 403, "key-refused", "Forbidden", "unauthorisedrequest", "invalid_client"),
        Row(|it| with(it, OTHER, &token(), GRANTED), 403, "client-mismatch", "no-privilege", "forbidden", "insufficient_scope"),
        Row(|it| with(it, ACME, &token().claim("permissions", json!([])), GRANTED), 403, "permission-missing", "no-privilege", "forbidden", "insufficient_scope"),
        Row(|it| with(it, ACME, &token(), r#"{"districtlea":"9"}"#), 403, "district-out-of-scope", "no-districtlea", "forbidden", "insufficient_scope"),
        Row(|it| with(it, ACME, &token(), r#"{"schoolleas":"9"}"#), 403, "school-out-of-scope", "no-privilege", "forbidden", "insufficient_scope"),
        Row(|it| with(it, ACME, &token(), "{}"), 403, "scope-missing", "no-privilege", "forbidden", "insufficient_scope"),
        Row(|it| it.request(false, "/school").body(GRANTED), 403, "school-missing", "no-privilege", "forbidden", "insufficient_scope"),
        Row(|it| it.request(false, "/nowhere").body(GRANTED), 404, "no-route", "not-found", "unknownobject", "not_found"),
        Row(|it| it.gateway.get("/v1/students"), 405, "method-not-allowed", "method-not-allowed", "invaliddata", "invalid_request"),
        Row(|it| it.request(false, "/small").body("x".repeat(65)), 413, "body-too-large", "bad-request", "invaliddata", "invalid_request"),
        Row(|it| it.bare(false, "/v1/students").body(GRANTED), 415, "body-unsupported", "bad-request", "invaliddata", "invalid_request"),
        Row(|it| with(it, "key-of-poor", &token().claim("vendor", "poor"), GRANTED), 429, "limit-reached", "too-many-requests", "server_busy", "slow_down"),
        Row(|it| with(it, "key-of-cheap", &token().claim("vendor", "cheap"), r#"{"districtlea":"1503000"}"#), 429, "too-costly", "too-many-requests", "server_busy", "invalid_request"),
        Row(|it| it.gateway.get("/down").bearer(token().claim("iss", "https://down.example.com/").sign()), 503, "keys-unavailable", "unavailable", "server_busy", "temporarily_unavailable"),
    ]
}

/// A client that has used its one request, one that may afford none, a revoked token, and an issuer without keys.
fn policy(errors: Option<&str>) -> Value {
    let mut config = config();
    match errors {
        Some(errors) => config["errors"] = json!(errors),
        None => drop(config.as_object_mut().unwrap().remove("errors")),
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

/// Panics unless the headers are exactly those of this refusal.
#[track_caller]
fn expect_headers(response: &Response, code: &str, media: &str) {
    let challenge = match code {
        "token-missing" => Some(""),
        "token-invalid" => Some(INVALID),
        "token-expired" => Some(EXPIRED),
        "token-revoked" => Some(REVOKED),
        "client-mismatch"
        | "permission-missing"
        | "district-out-of-scope"
        | "school-out-of-scope"
        | "scope-missing"
        | "school-missing" => Some(SCOPE),
        _ => None,
    };
    let challenge = challenge.map(|error| format!(r#"Bearer realm="student-data"{error}"#));
    assert_eq!(response.header("www-authenticate"), challenge, "{code}: {response:?}");
    assert_eq!(response.header("content-type").as_deref(), Some(media), "{code}: {response:?}");
    assert_eq!(response.header("cache-control").as_deref(), Some("no-store"), "{code}: {response:?}");
    assert_eq!(response.header("x-request-id").expect("an id").len(), 36, "{code}: {response:?}");
    let allow = (code == "method-not-allowed").then_some("POST");
    assert_eq!(response.header("allow").as_deref(), allow, "{code}: {response:?}");
    let waits = matches!(code, "limit-reached" | "keys-unavailable");
    let wait: Option<u64> = response.header("retry-after").map(|wait| wait.parse().expect("whole seconds"));
    assert_eq!(wait.is_some_and(|wait| wait > 0), waits, "{code}: {response:?}");
    for name in ["ratelimit", "ratelimit-policy"] {
        assert_eq!(response.header(name).is_some(), code == "limit-reached", "{code}: {response:?}");
    }
}

/// Sends every row and hands its answer to `check`.
fn check_rows(errors: Option<&str>, check: impl Fn(&Response, &Row)) {
    let student = Student::with(policy(errors));
    with(&student, "key-of-poor", &token().claim("vendor", "poor"), r#"{"districtlea":"1503000","limit":1}"#)
        .send()
        .expect_status(200);
    student.upstream.forget();
    for row in rows() {
        let response = (row.0)(&student).send();
        assert_eq!(response.status, row.1, "{}: {response:?}", row.2);
        check(&response, &row);
        student.expect_silence(row.2);
    }
    student.expect_passed(&student.post("/v1/students", GRANTED), GRANTED, "granted");
    student.expect_no_trap();
}

#[track_caller]
fn take_text(body: &mut Value, member: &str) {
    let text = body.as_object_mut().expect("an object").remove(member).expect("a text");
    assert!(text.as_str().is_some_and(|text| text.len() > 10), "{member}: {text}");
}

#[test]
fn student_data_api_answers_in_its_own_words() {
    check_rows(Some("student-data-api"), |response, row| {
        expect_headers(response, row.2, "application/json");
        let mut body = response.json();
        take_text(&mut body, "message");
        assert_eq!(body, json!({"actionOk": false, "error": [row.3]}), "{response:?}");
    });
}

#[test]
fn oneroster_answers_in_its_own_words() {
    check_rows(Some("oneroster"), |response, row| {
        expect_headers(response, row.2, "application/json");
        let mut body = response.json();
        take_text(&mut body, "imsx_description");
        let field = json!({"imsx_codeMinorFieldName": "TargetEndSystem", "imsx_codeMinorFieldValue": row.4});
        let minor = json!({"imsx_codeMinorField": [field]});
        let expected = json!({"imsx_codeMajor": "failure", "imsx_severity": "error", "imsx_CodeMinor": minor});
        assert_eq!(body, expected, "{response:?}");
    });
}

#[test]
fn oauth_answers_in_its_own_words() {
    check_rows(Some("oauth"), |response, row| {
        expect_headers(response, row.2, "application/json");
        let mut body = response.json();
        take_text(&mut body, "error_description");
        assert_eq!(body, json!({"error": row.5}), "{response:?}");
    });
}

#[test]
fn problem_details_stay_the_default() {
    check_rows(None, |response, row| {
        expect_headers(response, row.2, "application/problem+json");
        expect_problem(response, row.1, row.2);
    });
}
