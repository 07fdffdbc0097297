use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::answer::denial::{LimitReached, Malformed, Retired};
use crate::answer::rate_fields::tests::ten_a_day;

const ID: &str = "5f3c1a52-1b1e-4e1f-9d3c-0d6f1c2b3a4d";

const INVALID: &str =
    r#"Bearer realm="education data", error="invalid_token", error_description="the token is not valid""#;
const EXPIRED: &str = r#"Bearer realm="education data", error="invalid_token", error_description="the token expired""#;
const REVOKED: &str =
    r#"Bearer realm="education data", error="invalid_token", error_description="the token was revoked""#;
const RETIRED: &str =
    r#"Bearer realm="education data", error="invalid_token", error_description="the token is retired""#;
const SCOPE: &str = r#"Bearer realm="education data", error="insufficient_scope""#;
const BARE: &str = r#"Bearer realm="education data""#;

fn config(errors: &str) -> Config {
    let document = json!({
        "realm": "education data",
        "errors": errors,
        "problem_base": "https://api.example.com/problems#",
        "bounds": {"max_retry_after": "1h"},
        "routes": [{"match": {"path": "/open"}, "require": []}]
    });
    Config::from_bytes(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn limit_reached(retry_after: Duration) -> Denial {
    let violated = vec!["day".to_owned(), "minute".to_owned()];
    Denial::LimitReached(LimitReached { violated, retry_after, statuses: ten_a_day() })
}

fn retired(is_token: bool) -> Denial {
    Denial::CredentialRetired(Retired { replacement: "district tokens".into(), is_token })
}

fn keys_unavailable(millis: u64) -> Denial {
    Denial::KeysUnavailable { retry_after: Duration::from_millis(millis) }
}

/// A denial, its status, its code, and the headers that are its own.
struct Row(Denial, u16, &'static str, Vec<(&'static str, &'static str)>);

/// Every denial.
fn rows() -> Vec<Row> {
    let challenge = |text| vec![("www-authenticate", text)];
    let policy = r#""day";q=10;w=86400"#;
    vec![
        Row(Denial::Malformed(Malformed::Head), 400, "malformed-request", vec![]),
        Row(Denial::Malformed(Malformed::Path), 400, "malformed-request", vec![]),
        Row(Denial::Malformed(Malformed::Parameter), 400, "malformed-request", vec![]),
        Row(Denial::Malformed(Malformed::CostParameter), 400, "malformed-request", vec![]),
        // RFC 6750 section 3.1: no error code where no token was shown.
        Row(Denial::TokenMissing, 401, "token-missing", challenge(BARE)),
        Row(Denial::TokenInvalid, 401, "token-invalid", challenge(INVALID)),
        Row(Denial::TokenExpired, 401, "token-expired", challenge(EXPIRED)),
        Row(Denial::TierUnknown, 403, "tier-unknown", challenge(SCOPE)),
        Row(Denial::SchoolOutOfScope, 403, "school-out-of-scope", challenge(SCOPE)),
        Row(Denial::SchoolMissing, 403, "school-missing", challenge(SCOPE)),
        Row(Denial::SchoolsTooLong, 403, "schools-too-long", challenge(SCOPE)),
        Row(Denial::UpgradeRefused, 403, "upgrade-refused", vec![]),
        Row(Denial::NoRoute, 404, "no-route", vec![]),
        Row(Denial::MethodNotAllowed("GET, HEAD".into()), 405, "method-not-allowed", vec![("allow", "GET, HEAD")]),
        Row(Denial::BodyUnsupported, 415, "body-unsupported", vec![]),
        Row(
            limit_reached(Duration::from_secs(7)),
            429,
            "limit-reached",
            vec![
                ("retry-after", "7"),
                ("ratelimit-policy", policy),
                ("ratelimit", r#""day";r=0;t=41400"#),
                ("x-envoy-ratelimited", "true"),
            ],
        ),
        // Waiting never helps: no Retry-After.
        Row(Denial::TooCostly, 429, "too-costly", vec![("x-envoy-ratelimited", "true")]),
        Row(keys_unavailable(1_500), 503, "keys-unavailable", vec![("retry-after", "2")]),
        Row(Denial::Unavailable, 503, "unavailable", vec![("retry-after", "1")]),
        Row(Denial::KeyRefused, 403, "key-refused", vec![]),
        Row(Denial::ClientMismatch, 403, "client-mismatch", challenge(SCOPE)),
        Row(Denial::TokenRevoked, 401, "token-revoked", challenge(REVOKED)),
        Row(Denial::PermissionMissing, 403, "permission-missing", challenge(SCOPE)),
        Row(Denial::DistrictOutOfScope, 403, "district-out-of-scope", challenge(SCOPE)),
        Row(Denial::ScopeMissing, 403, "scope-missing", challenge(SCOPE)),
        Row(Denial::BodyMalformed, 400, "body-malformed", vec![]),
        Row(Denial::BodyTooLarge, 413, "body-too-large", vec![]),
        Row(Denial::CredentialsAmbiguous, 400, "credentials-ambiguous", vec![]),
        Row(Denial::KeyInvalid, 401, "key-invalid", challenge(BARE)),
        Row(retired(true), 401, "credential-retired", challenge(RETIRED)),
        Row(retired(false), 401, "credential-retired", challenge(BARE)),
        Row(Denial::TierNotAllowed, 403, "tier-not-allowed", challenge(SCOPE)),
    ]
}

fn headers<'a>(answer: &'a Answer<'_>) -> Vec<(&'a str, &'a str)> {
    answer.headers.iter().map(|(name, value)| (*name, value.as_ref())).collect()
}

/// Status and headers of every denial in this dialect.
#[track_caller]
fn check_heads(errors: &str, content_type: &str) {
    let config = config(errors);
    for Row(denial, status, code, own) in rows() {
        let answer = answer(&denial, &config, ID);
        assert_eq!((answer.status, denial.code()), (status, code));
        let mut expected = vec![("x-request-id", ID), ("cache-control", "no-store")];
        expected.extend(own);
        expected.push(("content-type", content_type));
        assert_eq!(headers(&answer), expected, "{code}");
    }
}

#[test]
fn status_and_headers_are_those_of_the_table() {
    check_heads("problem-json", "application/problem+json");
    check_heads("plain", "text/plain; charset=utf-8");
}

#[test]
fn all_denials_are_in_the_table() {
    for code in Denial::codes() {
        assert!(rows().iter().any(|Row(_, _, it, _)| *it == code), "{code}");
    }
}

#[test]
fn problem_details_have_their_members() {
    let config = config("problem-json");
    for Row(denial, status, code, _) in rows() {
        let body: Value = serde_json::from_str(&answer(&denial, &config, ID).body).unwrap();
        let members = body.as_object().unwrap();
        let is_limit = code == "limit-reached";
        assert_eq!(members.len(), if is_limit { 6 } else { 5 }, "{body}");
        let kind = format!("https://api.example.com/problems#{code}");
        let kind = if is_limit { "https://iana.org/assignments/http-problem-types#quota-exceeded" } else { &kind };
        assert_eq!(body["type"], kind);
        assert_eq!(body["status"], status);
        assert_eq!(body["instance"], format!("urn:uuid:{ID}"));
        for text in ["title", "detail"] {
            assert!(body[text].as_str().is_some_and(|text| !text.is_empty()), "{code} {text}");
        }
        assert_eq!(body.get("violated-policies"), is_limit.then(|| json!(["day", "minute"])).as_ref());
    }
}

#[test]
fn detail_tells_what_of_a_request_is_malformed() {
    let config = config("problem-json");
    for (what, word) in [
        (Malformed::Head, "headers"),
        (Malformed::Path, "path"),
        (Malformed::Parameter, "decides about access"),
        (Malformed::CostParameter, "whole number"),
    ] {
        let body: Value = serde_json::from_str(&answer(&Denial::Malformed(what), &config, ID).body).unwrap();
        assert!(body["detail"].as_str().unwrap().contains(word), "{body}");
    }
}

#[test]
fn bodies_are_written_as_serde_json_writes_them() {
    let odd = Retired { replacement: "a \"b\" \\ \n\u{1}\u{7f} ü".into(), is_token: true };
    for dialect in ["problem-json", "student-data-api"] {
        // A quote in what the operator says, too.
        let config = Config { problem_base: r#"https://x.example/"'#"#.to_owned(), ..config(dialect) };
        let denials = rows().into_iter().map(|Row(denial, ..)| denial).chain([Denial::CredentialRetired(odd.clone())]);
        for denial in denials {
            let body = answer(&denial, &config, ID).body;
            let value: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body, value.to_string());
        }
    }
    let body = answer(&Denial::CredentialRetired(odd), &config("student-data-api"), ID).body;
    let value: Value = serde_json::from_str(&body).unwrap();
    assert!(value["message"].as_str().unwrap().contains("a \"b\" \\ \n\u{1}\u{7f} ü"), "{body}");
}

#[test]
fn plain_bodies_are_one_line_with_the_code() {
    let config = config("plain");
    for Row(denial, _, code, _) in rows() {
        let body = answer(&denial, &config, ID).body;
        assert!(body.starts_with(&format!("{code}: ")), "{body}");
        assert_eq!(body.matches('\n').count(), 1, "{body}");
        assert!(body.ends_with('\n'));
    }
}

#[test]
fn grpc_status_is_one_that_clients_retry_only_where_that_helps() {
    for Row(denial, status, code, _) in rows() {
        let expected = match status {
            400 | 415 => 3,
            401 => 16,
            403 => 7,
            404 | 405 => 12,
            413 | 429 => 8,
            503 => 14,
            other => panic!("{code} has no gRPC status: {other}"),
        };
        assert_eq!(denial.grpc_status(), expected, "{code}");
        let config = config("plain");
        let answer = answer(&denial, &config, ID).into_grpc(&denial);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{code}");
        let all = headers(&answer);
        let header = |name| all.iter().filter(|(it, _)| *it == name).map(|(_, value)| *value).collect::<Vec<_>>();
        assert_eq!(
            (header("content-type"), header("grpc-status")),
            (vec!["application/grpc"], vec![&*expected.to_string()])
        );
        let message = header("grpc-message")[0];
        assert!(message.starts_with(&format!("{code}: ")) && message.is_ascii(), "{message}");
    }
}

#[test]
fn grpc_message_is_percent_encoded() {
    let odd = Retired { replacement: "50% \n ü".into(), is_token: true };
    let message = grpc_message(&Denial::CredentialRetired(odd));
    assert_eq!(message, "credential-retired: This token is retired and works no more. Use 50%25 %0A %C3%BC instead.");
}

#[test]
fn no_header_can_be_split() {
    for errors in ["problem-json", "plain"] {
        let config = config(errors);
        for Row(denial, _, code, _) in rows() {
            for (name, value) in answer(&denial, &config, ID).headers {
                assert!(!name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it == b'-'), "{name}");
                assert!(
                    !value.is_empty() && !value.contains(|it: char| !it.is_ascii() || it.is_control()),
                    "{code} {name}"
                );
            }
        }
    }
}

#[test]
fn id_that_is_no_uuid_stands_in_the_header_only() {
    let config = config("problem-json");
    for (id, is_uuid) in
        [(ID, true), (&ID.to_ascii_uppercase(), true), ("req-7", false), (&ID.replace('-', "0"), false)]
    {
        let answer = answer(&Denial::NoRoute, &config, id);
        assert_eq!(answer.headers[0], ("x-request-id", id.into()));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body.get("instance").is_some(), is_uuid, "{id}");
    }
}

#[test]
fn retry_after_is_whole_seconds_from_one_to_the_cap() {
    let config = config("problem-json");
    for (millis, expected) in [
        (0, "1"),
        (1, "1"),
        (1_000, "1"),
        (1_001, "2"),
        (59_999, "60"),
        (3_600_000, "3600"),
        (3_600_001, "3600"),
        (u64::MAX, "3600"),
    ] {
        for denial in [limit_reached(Duration::from_millis(millis)), keys_unavailable(millis)] {
            let answer = answer(&denial, &config, ID);
            let found = answer.headers.iter().find(|(name, _)| *name == "retry-after");
            assert_eq!(found.map(|(_, value)| value.as_ref()), Some(expected), "{millis}");
        }
    }
}

#[test]
fn retired_credential_is_told_its_replacement_in_every_dialect() {
    for dialect in ["problem-json", "plain", "student-data-api", "oneroster", "oauth"] {
        for (is_token, what) in [(true, "This token"), (false, "This API key")] {
            let body = answer(&retired(is_token), &config(dialect), ID).body;
            let text = format!("{what} is retired and works no more. Use district tokens instead.");
            assert!(body.contains(&text), "{dialect}: {body}");
        }
    }
}
