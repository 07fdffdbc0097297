use proptest::prelude::*;

use super::{Hash, HostCrypto, NoHost, is_rsa_signature, verify, verify_compact};
use crate::credentials::jwt::jose::{self, Alg, TOKEN_BYTES_MAX, TokenError};
use crate::credentials::jwt::keyset::{KeySet, Origin};
use crate::credentials::jwt::testing::{
    ALGS, RustHost, all_keys, b64, jwk_members, sign, token, token_with_header, unb64,
};

mod forgery;

const PAYLOAD: &str = r#"{"iss":"https://auth.example.com/","exp":1780821709}"#;

/// Whether the host and Rust accept a signature; they must agree where both can tell.
#[track_caller]
fn accepts(keys: &KeySet, alg: Alg, message: &[u8], signature: &[u8]) -> bool {
    let key = keys.keys().iter().find(|key| key.alg() == alg).unwrap();
    let native = verify(key, message, signature, &RustHost);
    if alg != Alg::Es384 {
        assert_eq!(native, verify(key, message, signature, &NoHost), "{alg:?}");
    }
    native
}

#[test]
fn signature_of_rsa_is_as_long_as_the_modulus_and_below_it() {
    for (signature, expected) in
        [(&[2, 0][..], true), (&[2, 1], false), (&[2, 2], false), (&[0], false), (&[0, 0, 0], false), (&[], false)]
    {
        assert_eq!(is_rsa_signature(&[2, 1], signature), expected, "{signature:?}");
    }
}

fn single(alg: Alg) -> KeySet {
    let jwk = format!(r#"{{"keys":[{{"alg":"{}",{}}}]}}"#, alg.name(), jwk_members(alg));
    KeySet::from_jwks(jwk.as_bytes(), Origin::Inline).unwrap()
}

#[test]
fn examples_of_the_rfcs_verify() {
    const PAYLOAD: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for (alg, header, signature) in [
        // RFC 7515 A.1
        (Alg::Hs256, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        // RFC 7515 A.2
        (
            Alg::Rs256,
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        // RFC 7515 A.3
        (
            Alg::Es256,
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ] {
        let text = format!("{header}.{PAYLOAD}.{signature}");
        for host in [&NoHost as &dyn HostCrypto, &RustHost] {
            let payload = verify_compact(&single(alg), text.as_bytes(), host).unwrap();
            assert_eq!(payload["http://example.com/is_root"], true, "{alg:?}");
        }
    }
    // RFC 8037 A.4; its payload is no JSON, so only the signature counts.
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(accepts(&single(Alg::EdDsa), Alg::EdDsa, message, &unb64(signature)));
}

/// RFC 9864: `Ed25519` is the fully specified name, `EdDSA` the old one; keys and tokens have either.
#[test]
fn ed25519_goes_by_both_of_its_names() {
    for of_key in ["EdDSA", "Ed25519"] {
        let jwk = format!(r#"{{"keys":[{{"alg":"{of_key}",{}}}]}}"#, jwk_members(Alg::EdDsa));
        let keys = KeySet::from_jwks(jwk.as_bytes(), Origin::Remote).unwrap();
        for of_token in ["EdDSA", "Ed25519"] {
            let header = format!(r#"{{"alg":"{of_token}"}}"#);
            let text = token_with_header(Alg::EdDsa, &header, PAYLOAD);
            assert!(verify_compact(&keys, text.as_bytes(), &NoHost).is_ok(), "{of_key} {of_token}");
            let forged = format!("{text}AA");
            assert!(verify_compact(&keys, forged.as_bytes(), &NoHost).is_err(), "{of_key} {of_token}");
        }
        // Another curve under its fully specified name.
        let other = token_with_header(Alg::EdDsa, r#"{"alg":"Ed448"}"#, PAYLOAD);
        assert_eq!(verify_compact(&keys, other.as_bytes(), &NoHost).unwrap_err(), TokenError::AlgUnsupported);
    }
}

#[test]
fn signed_token_verifies_and_another_payload_does_not() {
    let keys = all_keys();
    for alg in ALGS {
        let text = token(alg, PAYLOAD);
        assert_eq!(verify_compact(&keys, text.as_bytes(), &RustHost).unwrap()["exp"], 1_780_821_709, "{alg:?}");
        let [h, _, s] = text.split('.').collect::<Vec<_>>().try_into().unwrap();
        let forged = format!("{h}.{}.{s}", b64(PAYLOAD.replace("1780", "9780")));
        assert_eq!(verify_compact(&keys, forged.as_bytes(), &RustHost).unwrap_err(), TokenError::Signature, "{alg:?}");
    }
}

#[test]
fn without_a_host_only_es384_is_refused() {
    let keys = all_keys();
    for alg in ALGS {
        let result = verify_compact(&keys, token(alg, PAYLOAD).as_bytes(), &NoHost);
        assert_eq!(result.is_ok(), alg != Alg::Es384, "{alg:?}");
    }
}

#[test]
fn answer_of_the_host_is_final() {
    struct Says(Option<bool>);
    impl HostCrypto for Says {
        fn verify(&self, _: Hash, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
            self.0
        }
    }
    let keys = all_keys();
    for alg in ALGS {
        let is_asked = matches!(alg, Alg::Rs256 | Alg::Rs384 | Alg::Rs512 | Alg::Es256 | Alg::Es384);
        let text = token(alg, PAYLOAD);
        assert_eq!(verify_compact(&keys, text.as_bytes(), &Says(Some(false))).is_ok(), !is_asked, "{alg:?}");
        assert_eq!(verify_compact(&keys, text.as_bytes(), &Says(None)).is_ok(), alg != Alg::Es384, "{alg:?}");
    }
}

#[test]
fn every_flipped_bit_of_a_signature_is_refused() {
    for alg in ALGS {
        let keys = single(alg);
        let key = &keys.keys()[0];
        let native = |signature: &[u8]| verify(key, b"message", signature, &RustHost);
        let own = |signature: &[u8]| verify(key, b"message", signature, &NoHost);
        let mut signature = sign(alg, b"message");
        assert!(native(&signature));
        for bit in 0..signature.len() * 8 {
            signature[bit / 8] ^= 1 << (bit % 8);
            // Unoptimized curves are slow: one way each, in turns, as both must agree anyway.
            let is_native = alg == Alg::Es384 || bit % 2 == 0;
            let is_accepted = if is_native { native(&signature) } else { own(&signature) };
            assert!(!is_accepted, "{alg:?} bit {bit}");
            signature[bit / 8] ^= 1 << (bit % 8);
        }
        for byte in 0..signature.len() {
            signature[byte] ^= 0x80;
            assert!(!own(&signature), "{alg:?} byte {byte}");
            signature[byte] ^= 0x80;
        }
    }
}

#[test]
fn every_truncation_and_extension_of_a_signature_is_refused() {
    let keys = all_keys();
    for alg in ALGS {
        let signature = sign(alg, b"message");
        for len in 0..signature.len() {
            assert!(!accepts(&keys, alg, b"message", &signature[..len]), "{alg:?} {len}");
            assert!(!accepts(&keys, alg, b"message", &signature[signature.len() - len..]), "{alg:?} {len}");
        }
        for extra in [&[0][..], &[0, 0], &[1], &[0; 256]] {
            assert!(!accepts(&keys, alg, b"message", &[&signature, extra].concat()), "{alg:?}");
            assert!(!accepts(&keys, alg, b"message", &[extra, &signature].concat()), "{alg:?}");
        }
    }
}

#[test]
fn signature_of_one_algorithm_is_none_of_another() {
    let keys = all_keys();
    for signed in ALGS {
        let signature = sign(signed, b"message");
        for alg in ALGS {
            assert_eq!(accepts(&keys, alg, b"message", &signature), alg == signed, "{signed:?} {alg:?}");
        }
    }
}

#[test]
fn dates_with_fractions_verify() {
    let keys = all_keys();
    for payload in [r#"{"exp":1780821709.5,"nbf":0.25,"iat":1e9}"#, r#"{"exp":0}"#, r#"{"exp":253402300799.9}"#, "{}"] {
        assert!(verify_compact(&keys, token(Alg::Hs256, payload).as_bytes(), &NoHost).is_ok(), "{payload}");
    }
}

#[test]
fn job_refuses_a_key_of_another_algorithm() {
    // Whoever skips `select` still gets no match.
    let text = token(Alg::Rs256, PAYLOAD);
    for alg in ALGS {
        let token = jose::parse(text.as_bytes(), TOKEN_BYTES_MAX).unwrap();
        let (job, _) = token.into_job(std::rc::Rc::clone(&single(alg).keys()[0]));
        assert_eq!(job.run(&RustHost), alg == Alg::Rs256, "{alg:?}");
    }
}

proptest! {
    // Each case costs two dozen verifications.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn made_up_signatures_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let keys = all_keys();
        for alg in ALGS {
            prop_assert!(!accepts(&keys, alg, b"message", &bytes));
        }
    }

    #[test]
    fn made_up_signatures_of_the_right_length_are_refused(bytes in proptest::collection::vec(any::<u8>(), 256)) {
        let keys = all_keys();
        let lengths = [32, 48, 64, 256, 256, 256, 256, 256, 256, 64, 96, 64];
        for (alg, len) in ALGS.into_iter().zip(lengths) {
            prop_assert!(!accepts(&keys, alg, b"message", &bytes[..len]));
        }
    }
}
