//! Tokens that are bound to a key or a certificate (RFC 7800): of no use to whoever stole them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Call, Config, Gate, NOW, code, config, head, keys};
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::signature::NoHost;
use crate::credentials::jwt::testing::token;
use crate::filter::document::DocumentId;

const OWN: CertificateDigest = [7; 32];
const OTHER: CertificateDigest = [8; 32];

fn gate(bound_tokens: Option<&str>) -> Gate {
    let mut config = config();
    if let Some(word) = bound_tokens {
        config["issuers"][0]["bound_tokens"] = json!(word);
    }
    config["tiers"]["standard"]["limits"][0]["requests"] = json!(1_000);
    let mut gate = Gate::new(Config::from_bytes(config.to_string().as_bytes()).unwrap());
    gate.load(DocumentId::Keys(0), &keys(), NOW).unwrap();
    gate
}

fn bearer(cnf: &Value) -> Vec<u8> {
    let mut payload = json!({
        "iss": "https://auth.example.com/", "exp": NOW.secs() + 60, "client_id": "c", "schools": ["oakwood"]
    });
    if !cnf.is_null() {
        payload["cnf"] = cnf.clone();
    }
    format!("Bearer {}", token(Alg::EdDsa, &payload.to_string())).into_bytes()
}

fn ask(gate: &mut Gate, bearer: &[u8], certificate: Option<CertificateDigest>) -> &'static str {
    let head = head("GET", "/stats/?school_id=oakwood", bearer);
    code(&gate.decide(&Call { head: &head, certificate, ..Call::default() }, &NoHost, NOW))
}

#[test]
fn token_of_a_certificate_passes_with_that_certificate_alone() {
    let mut gate = gate(Some("mtls"));
    let bound = bearer(&json!({"x5t#S256": URL_SAFE_NO_PAD.encode(OWN)}));
    // Also once the token is known: a thief has another connection.
    for (certificate, expected) in [
        (None, "token-invalid"),
        (Some(OTHER), "token-invalid"),
        (Some(OWN), "pass"),
        (None, "token-invalid"),
        (Some(OTHER), "token-invalid"),
        (Some(OWN), "pass"),
    ] {
        assert_eq!(ask(&mut gate, &bound, certificate), expected, "{certificate:?}");
    }
    // What is bound to nothing needs none.
    for certificate in [None, Some(OTHER)] {
        assert_eq!(ask(&mut gate, &bearer(&json!(null)), certificate), "pass");
    }
    // A key of DPoP (RFC 9449) is never proved here.
    let dpop = bearer(&json!({"jkt": URL_SAFE_NO_PAD.encode(OWN)}));
    assert_eq!(ask(&mut gate, &dpop, Some(OWN)), "token-invalid");
}

#[test]
fn bound_token_is_refused_where_nothing_is_said_about_it() {
    let bound = bearer(&json!({"x5t#S256": URL_SAFE_NO_PAD.encode(OWN)}));
    for (word, expected) in [(None, "token-invalid"), (Some("refuse"), "token-invalid"), (Some("ignore"), "pass")] {
        let mut gate = gate(word);
        for certificate in [None, Some(OWN), Some(OTHER)] {
            assert_eq!(ask(&mut gate, &bound, certificate), expected, "{word:?}");
        }
        assert_eq!(ask(&mut gate, &bearer(&json!(null)), None), "pass");
    }
}
