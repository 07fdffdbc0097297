//! `forward.claims`: further claims for the upstream.

use serde_json::{Value, json};

use super::{accepted, refused};

const CLAIMS: &str = "/forward/claims";

#[test]
fn claims_are_read_at_every_issuer() {
    let config = accepted(&[(CLAIMS, json!({"X-Claim-Sub": "sub", "x-claim-org": "/org/name"}))]);
    let claims: Vec<_> =
        config.forward.claims.iter().map(|(header, claim)| (header.as_str(), claim.0.as_str())).collect();
    assert_eq!(claims, [("x-claim-sub", "sub"), ("x-claim-org", "/org/name")]);
    let read: Vec<_> = config.issuers[0].rules.forwarded.iter().map(|claim| claim.0.as_str()).collect();
    assert_eq!(read, ["sub", "/org/name"]);
    let names = config.forward.names();
    assert!(names.contains(&("claims", "x-claim-sub")), "{names:?}");
    assert!(accepted(&[]).issuers[0].rules.forwarded.is_empty());
}

#[test]
fn headers_of_claims_are_free_and_distinct() {
    let why = "upstreams may fold every character but letters and digits";
    let many: serde_json::Map<String, Value> = (0..17).map(|nth| (format!("x-{nth}"), json!("sub"))).collect();
    for (claims, problem) in [
        (json!({"X_Claim-Tier": "plan"}), format!(": expected another name than that of `tier`; {why}")),
        (json!({"x-a": "a", "x_a": "b"}), format!(": expected another name than that of `claims`; {why}")),
        (
            json!({"host": "a"}),
            ".host: expected a header name that is free, got one that HTTP or Envoy needs itself".to_owned(),
        ),
        (json!({"x a": "a"}), "[\"x a\"]: expected a header name of at most 64 bytes, got another string".to_owned()),
        (
            json!({"x-a": ""}),
            ".x-a: expected a claim's name, or a JSON Pointer such as `/org/schools`, got an empty string".to_owned(),
        ),
        (
            json!({"x-a": "/a~2"}),
            ".x-a: expected a claim's name, or a JSON Pointer such as `/org/schools`, got another string".to_owned(),
        ),
        (json!(many), ": expected at most 16 claims, got 17".to_owned()),
        (json!([]), ": expected an object, got an array".to_owned()),
    ] {
        refused(&[(CLAIMS, claims)], &format!("forward.claims{problem}"));
    }
    refused(
        &[(CLAIMS, json!({"x-cost": "a"})), ("/settlement_header", json!("X_Cost"))],
        "settlement_header: expected another name than that of `forward.claims`",
    );
}
