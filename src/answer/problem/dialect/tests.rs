use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::denial::{Denial, LimitReached, Malformed, Retired};
use crate::answer::problem::{Answer, answer};
use crate::config::{Config, Dialect};

fn config(errors: Dialect) -> Config {
    let minimal = br#"{"routes": [{"match": {"path": "/"}, "require": [], "open_subtree": true}]}"#;
    Config { errors, ..Config::from_bytes(minimal).unwrap() }
}

fn body(denial: &Denial, errors: Dialect) -> (Answer<'static>, Value) {
    let config = config(errors);
    let Answer { status, headers, body } = answer(denial, &config, "id");
    let value = serde_json::from_str(&body).unwrap();
    let headers = headers.into_iter().map(|(name, value)| (name, value.into_owned().into())).collect();
    (Answer { status, headers, body }, value)
}

fn limit() -> Denial {
    Denial::LimitReached(LimitReached { violated: vec![], retry_after: Duration::from_millis(1500), statuses: vec![] })
}

#[track_caller]
fn check(denial: &Denial, status: u16, student: &str, oneroster: &str, oauth: &str) {
    let (answer, found) = body(denial, Dialect::StudentDataApi);
    assert_eq!(answer.status, status, "{denial:?}");
    assert_eq!((&found["actionOk"], &found["error"]), (&json!(false), &json!([student])), "{denial:?}");
    assert!(found["message"].is_string() && found.as_object().unwrap().len() == 3);
    let (answer, found) = body(denial, Dialect::OneRoster);
    assert_eq!(answer.status, status);
    assert_eq!(found["imsx_codeMajor"], "failure");
    assert_eq!(found["imsx_severity"], "error");
    assert_eq!(found["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"], oneroster, "{denial:?}");
    let (_, found) = body(denial, Dialect::OAuth);
    assert_eq!(found["error"], oauth, "{denial:?}");
    assert!(found["error_description"].is_string());
}

#[test]
fn every_denial_has_its_code_in_each_dialect() {
    let (auth, scope) = ("unauthorisedrequest", "insufficient_scope");
    check(&Denial::KeyRefused, 403, "Forbidden", auth, "invalid_client");
    check(&Denial::TokenMissing, 401, "unauthorized", auth, "unauthorized");
    for invalid in [Denial::TokenInvalid, Denial::TokenExpired, Denial::TokenRevoked] {
        check(&invalid, 401, "invalid-token", auth, "invalid_token");
    }
    check(&Denial::CredentialsAmbiguous, 400, "bad-request", "invaliddata", "invalid_request");
    check(&Denial::KeyInvalid, 401, "unauthorized", auth, "invalid_client");
    for (is_token, code) in [(true, "invalid_token"), (false, "invalid_client")] {
        let retired = Denial::CredentialRetired(Retired { replacement: "x".into(), is_token });
        check(&retired, 401, "credential-retired", auth, code);
    }
    for scoped in [
        Denial::SchoolOutOfScope,
        Denial::SchoolMissing,
        Denial::ScopeMissing,
        Denial::SchoolsTooLong,
        Denial::PermissionMissing,
        Denial::ClientMismatch,
    ] {
        check(&scoped, 403, "no-privilege", "forbidden", scope);
    }
    check(&Denial::DistrictOutOfScope, 403, "no-districtlea", "forbidden", scope);
    check(&Denial::TierUnknown, 403, "Forbidden", "forbidden", scope);
    check(&Denial::TierNotAllowed, 403, "Forbidden", "forbidden", scope);
    check(&limit(), 429, "too-many-requests", "server_busy", "slow_down");
    check(&Denial::TooCostly, 429, "too-many-requests", "server_busy", "invalid_request");
    for (bad, status) in [
        (Denial::Malformed(Malformed::Head), 400),
        (Denial::BodyMalformed, 400),
        (Denial::BodyTooLarge, 413),
        (Denial::BodyUnsupported, 415),
    ] {
        check(&bad, status, "bad-request", "invaliddata", "invalid_request");
    }
    check(&Denial::NoRoute, 404, "not-found", "unknownobject", "not_found");
    check(&Denial::MethodNotAllowed("GET".to_owned()), 405, "method-not-allowed", "invaliddata", "invalid_request");
    check(&Denial::UpgradeRefused, 403, "Forbidden", "forbidden", "invalid_request");
    let unavailable = Denial::KeysUnavailable { retry_after: Duration::ZERO };
    check(&unavailable, 503, "unavailable", "server_busy", "temporarily_unavailable");
    check(&Denial::Unavailable, 503, "unavailable", "server_busy", "temporarily_unavailable");
}

#[test]
fn dialect_changes_the_body_only() {
    let header = |answer: &Answer<'_>, name: &str| {
        answer.headers.iter().find(|(it, _)| *it == name).map(|(_, value)| value.to_string()).unwrap_or_default()
    };
    for errors in [Dialect::StudentDataApi, Dialect::OneRoster, Dialect::OAuth] {
        let (limited, _) = body(&limit(), errors);
        assert_eq!(header(&limited, "retry-after"), "2");
        assert_eq!(header(&limited, "content-type"), "application/json");
        assert_eq!(header(&limited, "cache-control"), "no-store");
        assert_eq!(header(&limited, "x-request-id"), "id");
        let (revoked, _) = body(&Denial::TokenRevoked, errors);
        assert!(header(&revoked, "www-authenticate").contains(r#"error="invalid_token""#));
        let (refused, _) = body(&Denial::KeyRefused, errors);
        assert_eq!(header(&refused, "www-authenticate"), "");
    }
}
