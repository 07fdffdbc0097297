//! Why a token is refused, and which limit refuses: told to operators, never to the client.

use serde_json::json;

use super::setup::{START, forged, good, signed};
use super::stack::Stack;
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::testing::token_with_header;

/// The refusal of a token: its code, and the reason that the access log and the counter have.
#[track_caller]
fn check(token: &str, code: &str, reason: &str) {
    let mut stack = Stack::new(&[]);
    let exchange = stack.get("/plain", token);
    assert_eq!((exchange.verdict(), exchange.request.reason()), (code, Some(reason)), "{token}");
    assert_eq!(stack.counted(&format!("hallpass.token_refusals_total.reason=.={reason};.;")), 1);
}

#[test]
fn refused_token_has_its_reason() {
    let header = |header: &str| token_with_header(Alg::EdDsa, header, &super::setup::claims(&json!({})));
    for (token, reason) in [
        ("x".to_owned(), "syntax"),
        (header(r#"{"alg":"none"}"#), "algorithm"),
        (header(r#"{"alg":"EdDSA","kid":"other"}"#), "kid"),
        (header(r#"{"alg":"EdDSA","typ":"secevent+jwt"}"#), "type"),
        (signed(&json!({"iss": "https://inline.example"})), "issuer"),
        (forged(&json!({})), "signature"),
        (signed(&json!({"nbf": START.secs() + 3600})), "not-before"),
        (signed(&json!({"schools": "oak"})), "claim:schools"),
        (signed(&json!({"client_id": null})), "claim:client"),
        (signed(&json!({"tier": 1})), "claim:tier"),
    ] {
        check(&token, "token-invalid", reason);
    }
    check(&signed(&json!({"exp": START.secs() - 3600})), "token-expired", "expired");
}

#[test]
fn token_that_is_known_to_be_bad_keeps_its_reason() {
    let mut stack = Stack::new(&[]);
    let forged = forged(&json!({}));
    for _ in 0..2 {
        assert_eq!(stack.get("/plain", &forged).request.reason(), Some("signature"));
    }
}

#[test]
fn limit_that_refuses_is_named_and_a_request_that_passes_has_neither() {
    let mut stack = Stack::new(&[]);
    let good = good();
    for _ in 0..3 {
        let passed = stack.get("/plain", &good).request;
        assert_eq!((passed.reason(), passed.limit(), passed.would_deny()), (None, None, None));
    }
    let refused = stack.get("/plain", &good).request;
    assert_eq!((refused.reason(), refused.limit(), refused.would_deny()), (None, Some("minute"), None));
    // An address that has used up its failures is refused by that limit, whatever its token is.
    let mut stack = Stack::new(&[]);
    for expected in [None, None, None, Some("authentication-failures")] {
        assert_eq!(stack.get("/plain", "x").request.limit(), expected);
    }
}
