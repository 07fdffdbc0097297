//! A valid signature of every algorithm, with every bit flipped, cut at every length from both ends, and extended.
//!
//! One exception is there by design: of an ECDSA signature `(r, s)`, `(r, n - s)` is valid too. No flipped bit leads there.

use hallpass::token::jose::Alg;
use jsonwebtoken::Algorithm;
use p384::ecdsa::SigningKey;
use p384::ecdsa::signature::Signer as _;
use serde_json::json;

use super::{ALGS, Group, Vector, b64, judge, unb64};
use crate::support::tokens::{self, Key};

const SECRET: &[u8] = b"a shared secret of sixty-four bytes, which is what HS512 asks for";

/// The order of P-256.
const P256_N: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";

/// A good signature of this algorithm: its group, with that vector alone.
fn good(alg: Alg) -> Group {
    let (header, payload) = (format!(r#"{{"alg":"{}"}}"#, alg.name()), r#"{"sub":"x"}"#);
    let name = alg.name().to_owned();
    if alg == Alg::Es384 {
        // The library of the other tokens has no key of this curve here.
        let key = SigningKey::from_slice(&[0x17; 48]).expect("a scalar");
        let message = format!("{}.{}", b64(header), b64(payload)).into_bytes();
        let signature: p384::ecdsa::Signature = key.sign(&message);
        let point = key.verifying_key().to_encoded_point(false);
        let (x, y) = (b64(point.x().expect("x")), b64(point.y().expect("y")));
        let vectors = vec![vector("whole", &message, signature.to_bytes().to_vec(), true)];
        return Group { name, alg, jwk: json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}), vectors };
    }
    let key = match alg {
        Alg::Hs256 | Alg::Hs384 | Alg::Hs512 => Key::Secret(SECRET),
        Alg::Es256 => Key::P256No1,
        Alg::EdDsa => Key::Ed25519No1,
        _ => Key::Rsa1,
    };
    let algorithm: Algorithm = alg.name().parse().expect("an algorithm");
    let token = tokens::sign(header.as_bytes(), payload.as_bytes(), key, algorithm);
    let (message, signature) = token.rsplit_once('.').expect("a token");
    let vectors = vec![vector("whole", message.as_bytes(), unb64(signature), true)];
    Group { name, alg, jwk: key.jwk(), vectors }
}

fn vector(name: &str, message: &[u8], signature: Vec<u8>, good: bool) -> Vector {
    Vector { name: name.to_owned(), message: message.to_vec(), signature, good }
}

/// The good signature and everything that it becomes by damage.
fn damaged(alg: Alg) -> Group {
    let mut group = good(alg);
    let Vector { message, signature, .. } = group.vectors[0].clone();
    let mut add = |name: String, signature: Vec<u8>| group.vectors.push(vector(&name, &message, signature, false));
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        add(format!("bit {bit}"), flipped);
    }
    for len in 0..signature.len() {
        add(format!("first {len} bytes"), signature[..len].to_vec());
        add(format!("last {len} bytes"), signature[signature.len() - len..].to_vec());
    }
    for extra in [&[0][..], &[0, 0], &[1], &[0xff; 64]] {
        add(format!("{} bytes before", extra.len()), [extra, &signature].concat());
        add(format!("{} bytes behind", extra.len()), [&signature, extra].concat());
    }
    group
}

/// ES256 with the other `s`.
fn other_s() -> Group {
    let mut group = good(Alg::Es256);
    let Vector { message, signature, .. } = group.vectors[0].clone();
    let (n, s) = (rsa::BigUint::from_bytes_be(&unb64(P256_N)), rsa::BigUint::from_bytes_be(&signature[32..]));
    let s = (n - s).to_bytes_be();
    let mirrored = [&signature[..32], &vec![0; 32 - s.len()], &s].concat();
    group.vectors.push(vector("n - s", &message, mirrored, true));
    group
}

#[test]
fn damaged_signatures_are_refused() {
    ALGS.into_iter().for_each(|alg| damaged(alg).check_in_rust());
    other_s().check_in_rust();
}

#[test]
fn envoy_refuses_damaged_signatures() {
    let gateway = judge();
    ALGS.into_iter().for_each(|alg| damaged(alg).check_in_envoy(&gateway));
    other_s().check_in_envoy(&gateway);
}
