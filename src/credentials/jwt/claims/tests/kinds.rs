//! Which tokens are for access: required values, types of the header, logout tokens, tokens that are bound.

use serde_json::{Value, json};

use super::{BoundTokens, ClaimError, ClaimRules, NOW, accepted, must, refused, required, rules, with};
use crate::credentials::jwt::claims::Claims;
use crate::credentials::jwt::jose::{Payload, TokenType};
use crate::values::json::Limits;
use crate::values::json::tape::Tape;

#[test]
fn required_values_tell_tokens_apart() {
    let strict = ClaimRules { required: vec![must("token_use", &["access", "service"])], ..rules() };
    for good in [json!("access"), json!("service"), json!(["id", "access"])] {
        accepted(&strict, &with("token_use", &good));
    }
    let bad = [
        json!("id"),
        json!("Access"),
        json!("access "),
        json!(""),
        json!([]),
        json!(["id"]),
        json!([["access"]]),
        json!(1),
        json!({"access": 1}),
    ];
    for bad in bad {
        refused(&strict, &with("token_use", &bad), ClaimError::Value("token_use".to_owned()));
    }
    refused(&strict, &with("token_use", &json!("absent")), required("token_use"));
    // In place of an audience.
    let client = ClaimRules { required: vec![must("client_id", &["YOUR_CLIENT_ID"])], ..rules() };
    accepted(&client, &with("x", &json!(1)));
    refused(&client, &with("client_id", &json!("other")), ClaimError::Value("client_id".to_owned()));
}

fn of_type(types: &[TokenType], typ: Option<TokenType>) -> Result<Claims, ClaimError> {
    let claims = Tape::parse(super::EXAMPLE.as_bytes(), Limits::TOKEN).unwrap();
    ClaimRules { types: types.to_vec(), ..rules() }.validate(&Payload { typ, claims }, NOW)
}

#[test]
fn types_keep_other_tokens_out() {
    use TokenType::{AccessToken, Jwt};
    for typ in [None, Some(Jwt), Some(AccessToken)] {
        assert!(of_type(&[], typ).is_ok());
        let is_good = |types: &[TokenType]| of_type(types, typ).map(|_| true);
        assert_eq!(is_good(&[AccessToken]), if typ == Some(AccessToken) { Ok(true) } else { Err(ClaimError::Type) });
        assert_eq!(is_good(&[Jwt]), if typ == Some(Jwt) { Ok(true) } else { Err(ClaimError::Type) });
        assert_eq!(is_good(&[Jwt, AccessToken]), if typ.is_some() { Ok(true) } else { Err(ClaimError::Type) });
    }
}

#[test]
fn logout_token_is_refused() {
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for events in [event, json!({}), json!(null), json!([])] {
        refused(&rules(), &with("events", &events), ClaimError::Logout);
    }
}

/// SHA-256 in base64url, as in RFC 8705 section 3.1.
const DIGEST: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0";

fn bound(bound_tokens: BoundTokens) -> ClaimRules {
    ClaimRules { bound_tokens, ..rules() }
}

#[test]
fn bound_token_is_refused_unless_its_key_is_proved() {
    let certificate = json!({"x5t#S256": DIGEST});
    let others: [Value; 9] = [
        json!({"jkt": DIGEST}),
        json!({"x5t#S256": DIGEST, "jkt": DIGEST}),
        json!({"x5t#S256": "AAAA"}),
        json!({"x5t#S256": format!("{}=", DIGEST)}),
        json!({"x5t#S256": 1}),
        json!({}),
        json!([]),
        json!(null),
        json!("x"),
    ];
    refused(&bound(BoundTokens::Refuse), &with("cnf", &certificate), ClaimError::Bound);
    let mtls = bound(BoundTokens::Mtls);
    assert!(accepted(&mtls, &with("cnf", &certificate)).certificate.is_some());
    for other in &others {
        refused(&bound(BoundTokens::Refuse), &with("cnf", other), ClaimError::Bound);
        refused(&mtls, &with("cnf", other), ClaimError::Bound);
    }
    for any in others.iter().chain([&certificate]) {
        assert_eq!(accepted(&bound(BoundTokens::Ignore), &with("cnf", any)).certificate, None);
    }
    // What is bound to nothing passes anywhere.
    assert_eq!(accepted(&mtls, &with("x", &json!(1))).certificate, None);
}
