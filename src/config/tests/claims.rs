//! Forms of claims, required values, types of tokens, bound tokens.

use serde_json::json;

use super::{accepted, refused};
use crate::credentials::jwt::claims::{BoundTokens, ListForm};
use crate::credentials::jwt::jose::TokenType;

#[test]
fn claims_are_declared_with_their_form() {
    let config = accepted(&[(
        "/issuers/0/claims",
        json!({
            "client": {"claim": "app", "numbers": true}, "tier": {"claim": "plan"},
            "schools": {"claim": "schools", "form": "separated", "separator": ";", "numbers": true},
            "districts": {"claim": "districts", "form": "string"},
            "permissions": "scope",
            "district_schools": {"claim": "open", "form": "separated"}
        }),
    )]);
    let names = &config.issuers[0].rules.names;
    assert!(names.client.numbers && !names.tier.as_ref().unwrap().numbers);
    let schools = names.schools.as_ref().unwrap();
    assert_eq!((schools.form, schools.numbers), (ListForm::Separated(';'), true));
    let form = |claim: &Option<crate::credentials::jwt::claims::ClaimSource>| claim.as_ref().unwrap().form;
    assert_eq!(form(&names.grants.districts), ListForm::One);
    assert_eq!(form(&names.grants.permissions), ListForm::ArrayOrScope);
    assert_eq!(form(&names.grants.district_schools), ListForm::Separated(','));
}

#[test]
fn forms_that_contradict_themselves_are_refused() {
    let at = "/issuers/0/claims/schools";
    for (value, expected) in [
        (json!({"claim": "s", "separator": ","}), "separator: expected none without `form: separated`"),
        (
            json!({"claim": "s", "form": "string", "separator": ","}),
            "separator: expected none without `form: separated`",
        ),
        (
            json!({"claim": "s", "form": "separated", "separator": "::"}),
            "separator: expected one of `,`, a space, `;` and `|`, got another string",
        ),
        (
            json!({"claim": "s", "form": "list"}),
            "form: expected `array` or `string` or `separated`, got another string",
        ),
        (json!({"form": "array"}), "claim: missing"),
        (json!({"claim": "s", "numbers": 1}), "numbers: expected a boolean, got a number"),
    ] {
        refused(&[(at, value)], &format!("issuers[0].claims.schools.{expected}"));
    }
    refused(
        &[("/issuers/0/claims/client", json!({"claim": "c", "form": "string"}))],
        "issuers[0].claims.client.form: unknown field",
    );
}

#[test]
fn tokens_are_told_apart_by_values_and_types() {
    let config = accepted(&[
        ("/issuers/0/required_claims", json!(["jti", {"claim": "token_use", "values": ["access"]}])),
        ("/issuers/0/types", json!(["at+jwt"])),
        ("/issuers/0/bound_tokens", json!("mtls")),
    ]);
    let rules = &config.issuers[0].rules;
    assert_eq!(rules.required[1].values, ["access"]);
    assert!(rules.required[0].values.is_empty());
    assert_eq!((rules.types.as_slice(), rules.bound_tokens), (&[TokenType::AccessToken][..], BoundTokens::Mtls));
    for (at, value, expected) in [
        (
            "required_claims",
            json!([{"claim": "a", "values": []}]),
            "required_claims[0].values: expected at least one value, got none",
        ),
        ("required_claims", json!([{"claim": "a"}]), "required_claims[0].values: missing"),
        (
            "required_claims",
            json!(["a", {"claim": "/a", "values": ["b"]}]),
            "required_claims[1]: expected distinct claims, got one a second time",
        ),
        ("types", json!([]), "types: expected at least one type, got none; leave it out to accept every type"),
        ("types", json!(["id"]), "types[0]: expected `at+jwt` or `JWT`, got another string"),
        ("bound_tokens", json!("dpop"), "bound_tokens: expected `refuse` or `ignore` or `mtls`, got another string"),
    ] {
        refused(&[(&format!("/issuers/0/{at}"), value)], &format!("issuers[0].{expected}"));
    }
    let warning = "issuers[0].bound_tokens: whoever steals a token that is bound to a key can use it";
    assert!(accepted(&[("/issuers/0/bound_tokens", json!("ignore"))]).warnings.iter().any(|it| it == warning));
}

/// Without an audience, something else must keep ID tokens out.
#[test]
fn what_tells_access_tokens_apart_is_no_warning() {
    let warns = |changes: &[(&str, serde_json::Value)]| {
        let changes = [&[("/issuers/0/audiences", json!(null))], changes].concat();
        accepted(&changes).warnings.iter().any(|warning| warning.contains("ID tokens"))
    };
    assert!(warns(&[]));
    assert!(warns(&[("/issuers/0/types", json!(["JWT"]))]));
    assert!(warns(&[("/issuers/0/types", json!(["JWT", "at+jwt"]))]));
    assert!(warns(&[("/issuers/0/required_claims", json!(["jti"]))]));
    assert!(!warns(&[("/issuers/0/types", json!(["at+jwt"]))]));
    assert!(!warns(&[("/issuers/0/required_claims", json!([{"claim": "token_use", "values": ["access"]}]))]));
}
