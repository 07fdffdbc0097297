//! Test keys and signers. The keys are those of RFC 7515 appendix A and RFC 8037 appendix A, public since 2015: they
//! guard nothing. The P-384 scalar is a small made-up number.
//!
//! Where the classes of hostile tokens are tested; "it" stands for `tests/it`, in a real Envoy:
//!
//! | class | tests |
//! |---|---|
//! | segments, size, base64url | `jose/tests.rs`; it `jwt/claims.rs`, `jwt/presentation.rs` |
//! | `alg`: none, missing, another type, another case, not the key's | `jose/tests.rs`, `keyset/tests.rs`; it `jwt.rs`, `jwt/claims.rs` |
//! | a public key as secret | `signature/tests/forgery.rs`; it `jwt.rs` |
//! | `jwk`, `jku`, `x5u`, `x5c`, `crit`, `b64`, `typ`, `cty` | `jose/tests.rs`, `signature/tests/forgery.rs`; it `jwt/claims.rs` |
//! | `kid`: paths, SQL, NUL, size, types, absent, doubled | `jose/tests.rs`, `keyset/tests.rs`; it `jwt.rs` |
//! | JSON: doubled members, trailing data, BOM, UTF-8, nesting, numbers of members | `json/tests.rs`, `jose/tests.rs` |
//! | signatures: bits, lengths, ranges, paddings, salts, points | `signature/tests.rs`, `signature/tests/forgery.rs`; it `vectors.rs` |
//! | keys: weak, broken, for another purpose, secrets from the network | `keyset/tests.rs`, `keyset/tests/numbers.rs` |
//! | dates | `claims/tests/dates.rs`; it `jwt/claims.rs` |
//! | `iss`, `aud`, `sub`, `jti`, client, tier, schools | `claims/tests.rs`; it `jwt/claims.rs` |
//! | two issuers with one `kid` | `../filter/tests/rotation.rs`; it `jwt.rs` |
//! | cached tokens that expire or lose their key | `cache/tests.rs`, `../filter/tests/cache.rs`; it `jwt.rs` |
//! | what other readers of tokens say | it `differential.rs` |

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Hs256, Hs384, Hs512, Rsa};
use jwt_compact::{Algorithm, AlgorithmSignature as _};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::jose::Alg;
use super::keyset::{KeySet, Origin};
use super::signature::{Hash, HostCrypto};

/// RFC 7515 A.1.
pub(crate) const OCT_K: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
/// RFC 7515 A.2.
pub(crate) const RSA_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RSA_P: &str = "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc";
const RSA_Q: &str = "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc";
/// RFC 7515 A.3.
pub(crate) const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
/// RFC 7515 A.3.
pub(crate) const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const P256_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
/// RFC 8037 A.2.
pub(crate) const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

pub(crate) const ALGS: [Alg; 12] = [
    Alg::Hs256,
    Alg::Hs384,
    Alg::Hs512,
    Alg::Rs256,
    Alg::Rs384,
    Alg::Rs512,
    Alg::Ps256,
    Alg::Ps384,
    Alg::Ps512,
    Alg::Es256,
    Alg::Es384,
    Alg::EdDsa,
];

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The public half of the test key of this algorithm, or the secret, as members of a JWK.
pub(crate) fn jwk_members(alg: Alg) -> String {
    match alg {
        Alg::Hs256 | Alg::Hs384 | Alg::Hs512 => format!(r#""kty":"oct","k":"{OCT_K}""#),
        Alg::Es256 => format!(r#""kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}""#),
        Alg::Es384 => {
            let point = p384_key().verifying_key().to_encoded_point(false);
            let (x, y) = (b64(point.x().unwrap()), b64(point.y().unwrap()));
            format!(r#""kty":"EC","crv":"P-384","x":"{x}","y":"{y}""#)
        }
        Alg::EdDsa => format!(r#""kty":"OKP","crv":"Ed25519","x":"{ED25519_X}""#),
        _ => format!(r#""kty":"RSA","n":"{RSA_N}","e":"AQAB""#),
    }
}

/// One key for every algorithm, whose `kid` is the algorithm's name.
pub(crate) fn all_keys() -> KeySet {
    let jwk = |alg: &Alg| {
        let name = alg.name();
        format!(r#"{{"kid":"{name}","alg":"{name}",{}}}"#, jwk_members(*alg))
    };
    let keys: Vec<String> = ALGS.iter().map(jwk).collect();
    KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes(), Origin::Inline).unwrap()
}

/// A token signed with the test key, its `kid` as in [`all_keys`].
pub(crate) fn token(alg: Alg, payload: &str) -> String {
    let name = alg.name();
    token_with_header(alg, &format!(r#"{{"alg":"{name}","kid":"{name}"}}"#), payload)
}

/// A token with this header, signed with the test key of `alg`.
pub(crate) fn token_with_header(alg: Alg, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    let signature = sign(alg, message.as_bytes());
    format!("{message}.{}", b64(signature))
}

pub(crate) fn sign(alg: Alg, message: &[u8]) -> Vec<u8> {
    let secret = unb64(OCT_K);
    match alg {
        Alg::Hs256 => Hs256.sign(&secret.as_slice().into(), message).as_bytes().into_owned(),
        Alg::Hs384 => Hs384.sign(&secret.as_slice().into(), message).as_bytes().into_owned(),
        Alg::Hs512 => Hs512.sign(&secret.as_slice().into(), message).as_bytes().into_owned(),
        Alg::Es256 => {
            let key = p256::ecdsa::SigningKey::from_slice(&unb64(P256_D)).unwrap();
            let signature: p256::ecdsa::Signature = key.sign(message);
            signature.to_bytes().to_vec()
        }
        Alg::Es384 => {
            let signature: p384::ecdsa::Signature = p384_key().sign(message);
            signature.to_bytes().to_vec()
        }
        Alg::EdDsa => {
            let seed: [u8; 32] = unb64(ED25519_D).try_into().unwrap();
            ed25519_dalek::SigningKey::from_bytes(&seed).sign(message).to_vec()
        }
        rsa => Rsa::with_name(rsa.name()).sign(&rsa_key(), message).as_bytes().into_owned(),
    }
}

pub(crate) fn rsa_key() -> RsaPrivateKey {
    let number = |text| BigUint::from_bytes_be(&unb64(text));
    RsaPrivateKey::from_p_q(number(RSA_P), number(RSA_Q), BigUint::from(65_537_u32)).unwrap()
}

fn p384_key() -> p384::ecdsa::SigningKey {
    p384::ecdsa::SigningKey::from_slice(&[0x17; 48]).unwrap()
}

/// A host in Rust: takes DER keys and DER signatures, as Envoy does.
pub(crate) struct RustHost;

impl HostCrypto for RustHost {
    fn verify(&self, hash: Hash, spki_der: &[u8], signature: &[u8], message: &[u8]) -> Option<bool> {
        if let Ok(key) = RsaPublicKey::from_public_key_der(spki_der) {
            let result = match hash {
                Hash::Sha256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature),
                Hash::Sha384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(message), signature),
                Hash::Sha512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(message), signature),
            };
            return Some(result.is_ok());
        }
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(spki_der) {
            assert_eq!(hash, Hash::Sha256);
            let signature = p256::ecdsa::Signature::from_der(signature).unwrap();
            return Some(key.verify(message, &signature).is_ok());
        }
        let key = p384::ecdsa::VerifyingKey::from_public_key_der(spki_der).unwrap();
        assert_eq!(hash, Hash::Sha384);
        let signature = p384::ecdsa::Signature::from_der(signature).unwrap();
        Some(key.verify(message, &signature).is_ok())
    }
}
