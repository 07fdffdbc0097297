//! The signed examples of RFC 7515 (appendix A), RFC 7520 (section 4) and RFC 8037 (appendix A).
//!
//! Some sign a text that is no JSON. Then the signature verifies, and the token is refused for its payload.

use hallpass::credentials::jwt::jose::{Alg, TokenError};
use hallpass::credentials::jwt::keyset::{KeySet, KeySetError, Origin};
use hallpass::credentials::jwt::signature::{NoHost, verify_compact};
use serde_json::{Value, json};

use super::{Group, Vector, judge, unb64};

/// RFC 7515 A.1 to A.4: `{"iss":"joe","exp":1300819380,"http://example.com/is_root":true}`, with line ends.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// RFC 7520 section 4: a text.
const BILBO: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";

struct Example {
    name: &'static str,
    alg: Alg,
    jwk: Value,
    header: &'static str,
    payload: &'static str,
    signature: &'static str,
}

impl Example {
    fn group(&self) -> Group {
        let message = format!("{}.{}", self.header, self.payload).into_bytes();
        let vector = Vector { name: String::new(), message, signature: unb64(self.signature), good: true };
        let vectors = vec![vector.clone(), Vector { message: b"another".to_vec(), good: false, ..vector }];
        Group { name: self.name.to_owned(), alg: self.alg, jwk: self.jwk.clone(), vectors }
    }
}

fn bilbo_rsa() -> Value {
    json!({
        "kty": "RSA", "kid": "bilbo.baggins@hobbiton.example", "use": "sig", "e": "AQAB",
        "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
    })
}

fn examples() -> Vec<Example> {
    vec![
        Example {
            name: "RFC 7515 A.1",
            alg: Alg::Hs256,
            jwk: json!({"kty": "oct",
                "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}),
            header: "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            payload: JOE,
            signature: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        },
        Example {
            name: "RFC 7515 A.2",
            alg: Alg::Rs256,
            jwk: json!({"kty": "RSA", "e": "AQAB",
                "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}),
            header: "eyJhbGciOiJSUzI1NiJ9",
            payload: JOE,
            signature: "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        },
        Example {
            name: "RFC 7515 A.3",
            alg: Alg::Es256,
            jwk: json!({"kty": "EC", "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
            header: "eyJhbGciOiJFUzI1NiJ9",
            payload: JOE,
            signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        },
        Example {
            name: "RFC 7520 4.1",
            alg: Alg::Rs256,
            jwk: bilbo_rsa(),
            header: "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            payload: BILBO,
            signature: "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
        },
        Example {
            name: "RFC 7520 4.2",
            alg: Alg::Ps384,
            jwk: bilbo_rsa(),
            header: "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            payload: BILBO,
            signature: "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
        },
        Example {
            name: "RFC 7520 4.4",
            alg: Alg::Hs256,
            jwk: json!({"kty": "oct", "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037", "use": "sig",
                "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}),
            header: "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9",
            payload: BILBO,
            signature: "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        },
        Example {
            name: "RFC 8037 A.4",
            alg: Alg::EdDsa,
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            header: "eyJhbGciOiJFZERTQSJ9",
            payload: "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        },
    ]
}

#[test]
fn examples_of_the_rfcs_verify() {
    for example in examples() {
        let group = example.group();
        group.check_in_rust();
        let keys = KeySet::from_jwks(group.keys().as_bytes(), Origin::Inline).unwrap();
        let token = [example.header, example.payload, example.signature].join(".");
        match verify_compact(&keys, token.as_bytes(), &NoHost) {
            Ok(payload) => assert!(example.payload == JOE && payload["iss"] == "joe", "{}", example.name),
            Err(error) => assert!(example.payload != JOE && matches!(error, TokenError::Json(..)), "{}", example.name),
        }
    }
}

#[test]
fn envoy_verifies_the_examples_of_the_rfcs() {
    let gateway = judge();
    for example in examples() {
        example.group().check_in_envoy(&gateway);
    }
}

#[test]
fn examples_that_hallpass_does_not_take_are_refused() {
    let keys = KeySet::from_jwks(examples()[0].group().keys().as_bytes(), Origin::Inline).unwrap();
    let judge = |token: &str| verify_compact(&keys, token.as_bytes(), &NoHost).unwrap_err();
    // RFC 7515 A.5, unsecured; with a signature it is so by its `alg`.
    assert_eq!(judge(&format!("eyJhbGciOiJub25lIn0.{JOE}.")), TokenError::Segments);
    assert_eq!(judge(&format!("eyJhbGciOiJub25lIn0.{JOE}.AA")), TokenError::AlgUnsupported);
    // RFC 7515 A.4, and RFC 7520 4.3: ES512. The key is none that is supported.
    assert_eq!(judge(&format!("eyJhbGciOiJFUzUxMiJ9.{JOE}.AA")), TokenError::AlgUnsupported);
    let p521 = r#"{"keys":[{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}]}"#;
    assert!(matches!(KeySet::from_jwks(p521.as_bytes(), Origin::Inline), Err(KeySetError::NoUsableKey(_))));
    // RFC 7520 4.5 and RFC 7515 appendix F: detached content. RFC 7515 A.6: JSON serialization.
    let header = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9";
    let detached = format!("{header}..s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0");
    assert_eq!(judge(&detached), TokenError::Segments);
    assert_eq!(judge(r#"{"payload":"e30","signatures":[]}"#), TokenError::Segments);
    // RFC 7797 section 4.2: unencoded payload.
    let unencoded = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19";
    assert_eq!(judge(&format!("{unencoded}.e30.A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY")), TokenError::Critical);
}
