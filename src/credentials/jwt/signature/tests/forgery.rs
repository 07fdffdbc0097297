#![allow(clippy::arithmetic_side_effects, reason = "lengths in tests are known")]

use jwt_compact::alg::Hs256;
use jwt_compact::{Algorithm as _, AlgorithmSignature as _};
use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, Pss};
use sha2::{Digest as _, Sha256, Sha512};

use super::{PAYLOAD, accepts, single};
use crate::credentials::jwt::jose::{Alg, SelectError, TokenError};
use crate::credentials::jwt::keyset::{KeySet, Origin};
use crate::credentials::jwt::signature::verify_compact;
use crate::credentials::jwt::testing::{
    OCT_K, RSA_N, RustHost, all_keys, b64, jwk_members, rsa_key, sign, token_with_header, unb64,
};

const P256_N: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";

#[test]
fn public_key_is_no_secret() {
    // The classic confusion: a MAC whose secret is the public key, as DER, PEM, JWK or its bare number.
    let jwk = format!("{{{}}}", jwk_members(Alg::Rs256));
    let public = rsa_key().to_public_key();
    let der = public.to_public_key_der().unwrap().into_vec();
    let pem = public.to_public_key_pem(LineEnding::LF).unwrap();
    let secrets = [der, pem.trim_end().as_bytes().to_vec(), pem.into_bytes(), jwk.into_bytes(), unb64(RSA_N)];
    let set = |oct: &str| {
        let rsa = format!(r#"{{"kid":"k",{}}}"#, jwk_members(Alg::Rs256));
        KeySet::from_jwks(format!(r#"{{"keys":[{rsa}{oct}]}}"#).as_bytes(), Origin::Inline).unwrap()
    };
    let (alone, with_secret) = (set(""), set(&format!(r#",{{"kid":"s",{}}}"#, jwk_members(Alg::Hs256))));
    let mismatch = TokenError::Key(SelectError::AlgMismatch);
    for secret in secrets {
        let mac = |header: &str| {
            let input = format!("{}.{}", b64(header), b64(PAYLOAD));
            let tag = Hs256.sign(&secret.as_slice().into(), input.as_bytes());
            format!("{input}.{}", b64(tag.as_bytes()))
        };
        let refused = |keys: &KeySet, header: &str, expected: TokenError| {
            assert_eq!(verify_compact(keys, mac(header).as_bytes(), &RustHost).unwrap_err(), expected, "{header}");
        };
        refused(&alone, r#"{"alg":"HS256","kid":"k"}"#, mismatch);
        refused(&alone, r#"{"alg":"HS256"}"#, TokenError::Key(SelectError::NoKey));
        // Also where the issuer has a secret.
        refused(&with_secret, r#"{"alg":"HS256","kid":"k"}"#, mismatch);
        refused(&with_secret, r#"{"alg":"HS256"}"#, TokenError::Signature);
    }
    let good = token_with_header(Alg::Hs256, r#"{"alg":"HS256"}"#, PAYLOAD);
    assert!(verify_compact(&with_secret, good.as_bytes(), &RustHost).is_ok());
}

#[test]
fn embedded_key_is_not_used() {
    // Signed with the very key that the header brings along; the set has another one.
    let other = format!(r#"{{"keys":[{{"kty":"oct","alg":"HS256","k":"{}"}}]}}"#, b64([9; 32]));
    let keys = KeySet::from_jwks(other.as_bytes(), Origin::Inline).unwrap();
    let header = format!(r#"{{"alg":"HS256","jwk":{{"kty":"oct","k":"{OCT_K}"}}}}"#);
    let text = token_with_header(Alg::Hs256, &header, PAYLOAD);
    assert_eq!(verify_compact(&keys, text.as_bytes(), &RustHost).unwrap_err(), TokenError::Signature);
    assert!(verify_compact(&single(Alg::Hs256), text.as_bytes(), &RustHost).is_ok());
}

#[test]
fn ecdsa_numbers_out_of_range_are_refused() {
    let keys = all_keys();
    let p384_n = "________________________________x2NNgfQ3Ld9YGg2ySLCneuzsGWrMxSlz";
    for (alg, n) in [(Alg::Es256, unb64(P256_N)), (Alg::Es384, unb64(p384_n))] {
        let signature = sign(alg, b"message");
        let (r, s) = signature.split_at(n.len());
        let number = |last: u8| [&vec![0; n.len() - 1][..], &[last]].concat();
        let mut below_n = n.clone();
        *below_n.last_mut().unwrap() -= 1;
        for bad in [number(0), number(1), below_n, n.clone(), vec![0xff; n.len()]] {
            for pair in [[&bad, s].concat(), [r, &bad].concat(), [&bad[..], &bad].concat()] {
                assert!(!accepts(&keys, alg, b"message", &pair), "{alg:?} {pair:?}");
            }
        }
    }
    let der = p256::ecdsa::Signature::from_slice(&sign(Alg::Es256, b"message")).unwrap().to_der();
    assert!(!accepts(&keys, Alg::Es256, b"message", der.as_bytes()));
}

#[test]
fn high_s_is_valid() {
    let signature = sign(Alg::Es256, b"message");
    let n = BigUint::from_bytes_be(&unb64(P256_N));
    let other_s = (n - BigUint::from_bytes_be(&signature[32..])).to_bytes_be();
    let padded = [&signature[..32], &vec![0; 32 - other_s.len()][..], &other_s].concat();
    assert!(accepts(&all_keys(), Alg::Es256, b"message", &padded));
}

/// The raw private operation on an encoded message.
fn rsa_raw(encoded: &[u8]) -> Vec<u8> {
    let key = rsa_key();
    let number = BigUint::from_bytes_be(encoded).modpow(key.d(), key.n()).to_bytes_be();
    [&vec![0; 256 - number.len()][..], &number].concat()
}

#[test]
fn rsa_numbers_out_of_range_are_refused() {
    let keys = all_keys();
    let n = BigUint::from_bytes_be(&unb64(RSA_N));
    for alg in [Alg::Rs256, Alg::Ps256] {
        // The same residue, but not below n: look for a signature small enough to still fit.
        let (message, signature) = (0..1000_u32)
            .map(|n| (n.to_be_bytes(), sign(alg, &n.to_be_bytes())))
            .find(|(_, signature)| signature[0] < 0x50)
            .unwrap();
        let above = (BigUint::from_bytes_be(&signature) + &n).to_bytes_be();
        assert_eq!(above.len(), 256);
        assert!(accepts(&keys, alg, &message, &signature));
        assert!(!accepts(&keys, alg, &message, &above), "{alg:?}");
        for bad in [vec![0; 256], n.to_bytes_be(), vec![0xff; 256], [&[0; 255][..], &[1]].concat()] {
            assert!(!accepts(&keys, alg, &message, &bad), "{alg:?}");
        }
    }
}

#[test]
fn variants_of_pkcs1_padding_are_refused() {
    let keys = all_keys();
    let digest = Sha256::digest(b"message");
    let info =
        [&[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20][..], &digest].concat();
    let no_null =
        [&[0x30, 0x2f, 0x30, 0x0b, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 4, 0x20][..], &digest].concat();
    let encode = |start: &[u8], fill: u8, info: &[u8], end: &[u8]| {
        let fill = vec![fill; 256 - start.len() - info.len() - end.len() - 1];
        [start, &fill, &[0], info, end].concat()
    };
    let good = encode(&[0, 1], 0xff, &info, &[]);
    assert!(accepts(&keys, Alg::Rs256, b"message", &rsa_raw(&good)));
    let short = [&[0, 1][..], &[0xff; 8], &[0], &info, &vec![0xaa; 256 - 11 - info.len()]].concat();
    for (what, encoded) in [
        ("block type 2", encode(&[0, 2], 0xff, &info, &[])),
        ("block type 0", encode(&[0, 0], 0, &info, &[])),
        ("other fill", encode(&[0, 1], 0xfe, &info, &[])),
        ("garbage after the digest", encode(&[0, 1], 0xff, &info, &[1, 2, 3])),
        ("short fill and garbage", short),
        ("no parameters", encode(&[0, 1], 0xff, &no_null, &[])),
        ("bare digest", encode(&[0, 1], 0xff, &digest, &[])),
    ] {
        assert!(!accepts(&keys, Alg::Rs256, b"message", &rsa_raw(&encoded)), "{what}");
    }
}

fn mgf1<D: sha2::Digest>(seed: &[u8], len: usize) -> Vec<u8> {
    let blocks = (0_u32..).flat_map(|n| D::digest([seed, &n.to_be_bytes()].concat()).to_vec());
    blocks.take(len).collect()
}

/// EMSA-PSS (RFC 8017 section 9.1.1) with SHA-256, a salt of zeros and a choice of MGF.
fn pss<M: sha2::Digest>(message: &[u8], salt_len: usize) -> Vec<u8> {
    let salt = vec![0; salt_len];
    let hash = Sha256::digest([&[0; 8], &Sha256::digest(message)[..], &salt].concat());
    let mut masked = [&vec![0; 256 - salt_len - 32 - 2][..], &[1], &salt].concat();
    for (byte, mask) in masked.iter_mut().zip(mgf1::<M>(&hash, 256 - 33)) {
        *byte ^= mask;
    }
    masked[0] &= 0x7f;
    rsa_raw(&[&masked[..], &hash, &[0xbc]].concat())
}

#[test]
fn other_salts_and_masks_of_pss_are_refused() {
    let keys = all_keys();
    assert!(accepts(&keys, Alg::Ps256, b"message", &pss::<Sha256>(b"message", 32)));
    for salt_len in [0, 20, 31, 33, 64, 222] {
        assert!(!accepts(&keys, Alg::Ps256, b"message", &pss::<Sha256>(b"message", salt_len)), "{salt_len}");
    }
    assert!(!accepts(&keys, Alg::Ps256, b"message", &pss::<Sha512>(b"message", 32)));
    let key = rsa_key();
    let digest = Sha256::digest(b"message");
    let other = key.sign_with_rng(&mut rand::thread_rng(), Pss::new_with_salt::<Sha256>(20), &digest).unwrap();
    assert!(!accepts(&keys, Alg::Ps256, b"message", &other));
}

#[test]
fn ed25519_is_strict() {
    let keys = all_keys();
    let signature = sign(Alg::EdDsa, b"message");
    // S + L verifies where S is not reduced.
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let above = (BigUint::from_bytes_le(&signature[32..]) + BigUint::from_bytes_le(&order)).to_bytes_le();
    assert!(!accepts(&keys, Alg::EdDsa, b"message", &[&signature[..32], &above].concat()));
    // R of small order.
    let mut identity = [0; 32];
    identity[0] = 1;
    for r in [[0; 32], identity] {
        assert!(!accepts(&keys, Alg::EdDsa, b"message", &[&r[..], &signature[32..]].concat()));
        assert!(!accepts(&keys, Alg::EdDsa, b"message", &[&r[..], &[0; 32]].concat()));
    }
}
