//! A valid signature of every algorithm, with every bit flipped, cut at every length from both ends, and extended.
//!
//! One exception is there by design: of an ECDSA signature `(r, s)`, `(r, n - s)` is valid too. No flipped bit leads there.

use hallpass::credentials::jwt::jose::Alg;

use super::signer::Signer;
use super::{ALGS, Group, Vector, judge, unb64};

/// The order of P-256.
const P256_N: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";

/// A good signature of this algorithm: its group, with that vector alone.
fn good(alg: Alg) -> Group {
    let (header, payload) = (format!(r#"{{"alg":"{}"}}"#, alg.name()), r#"{"sub":"x"}"#);
    let signer = Signer::first(alg);
    let token = signer.token(header.as_bytes(), payload.as_bytes());
    let (message, signature) = token.rsplit_once('.').expect("a token");
    let vectors = vec![vector("whole", message.as_bytes(), unb64(signature), true)];
    Group { name: alg.name().to_owned(), alg, jwk: signer.jwk(), vectors }
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
    for alg in ALGS {
        damaged(alg).check_in_rust();
    }
    other_s().check_in_rust();
}

#[test]
fn envoy_refuses_damaged_signatures() {
    let gateway = judge();
    for alg in ALGS {
        damaged(alg).check_in_envoy(&gateway);
    }
    other_s().check_in_envoy(&gateway);
}
