use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{alg_of, skipped};
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::keyset::SkipReason;
use crate::credentials::jwt::testing::{ED25519_X, P256_X, P256_Y, RSA_N, b64, unb64};

#[test]
fn rsa_numbers_are_checked() {
    let modulus = |bits: usize, last: u8| {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] = 0xff >> (bits.div_ceil(8) * 8 - bits);
        *bytes.last_mut().unwrap() = last;
        bytes
    };
    let jwk = |n: &[u8], e: &[u8]| format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, b64(n), b64(e));
    for bits in [2048, 2056, 3072, 4096] {
        alg_of(&jwk(&modulus(bits, 0xff), &[1, 0, 1]), Alg::Rs256);
    }
    // Too short, too long, not whole bytes.
    for bits in [512, 1024, 2040, 2047, 2049, 4104, 8192, 16384] {
        skipped(&jwk(&modulus(bits, 0xff), &[1, 0, 1]), SkipReason::RsaModulus { bits });
    }
    skipped(&jwk(&modulus(2048, 0xfe), &[1, 0, 1]), SkipReason::RsaModulus { bits: 2048 });
    skipped(&jwk(&[0; 256], &[1, 0, 1]), SkipReason::RsaModulus { bits: 0 });
    skipped(&jwk(&[], &[1, 0, 1]), SkipReason::RsaModulus { bits: 0 });
    // Leading zeros do not make a short modulus long.
    let padded = [&[0; 128], modulus(1024, 0xff).as_slice()].concat();
    skipped(&jwk(&padded, &[1, 0, 1]), SkipReason::RsaModulus { bits: 1024 });
    let n = unb64(RSA_N);
    for e in [&[][..], &[0], &[1], &[0, 1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[0xff; 256]] {
        skipped(&jwk(&n, e), SkipReason::RsaExponent);
    }
    for e in [&[3][..], &[17], &[0, 1, 0, 1]] {
        alg_of(&jwk(&n, e), Alg::Rs256);
    }
}

#[test]
fn points_are_on_their_curve() {
    let ec = |curve: &str, x: &[u8], y: &[u8]| {
        format!(r#"{{"kty":"EC","crv":"{curve}","x":"{}","y":"{}"}}"#, b64(x), b64(y))
    };
    let (x, mut y) = (unb64(P256_X), unb64(P256_Y));
    alg_of(&ec("P-256", &x, &y), Alg::Es256);
    y[31] ^= 1;
    skipped(&ec("P-256", &x, &y), SkipReason::Point);
    skipped(&ec("P-256", &[0; 32], &[0; 32]), SkipReason::Point);
    skipped(&ec("P-256", &[0xff; 32], &[0xff; 32]), SkipReason::Point);
    skipped(&ec("P-256", &x[1..], &y), SkipReason::Malformed("x"));
    skipped(&ec("P-256", &x, &[&y[..], &[0]].concat()), SkipReason::Malformed("y"));
    skipped(&ec("P-384", &x, &y), SkipReason::Malformed("x"));
    skipped(&ec("P-521", &x, &y), SkipReason::Unsupported);
    skipped(&ec("secp256k1", &x, &y), SkipReason::Unsupported);
    // The base point of P-384 (FIPS 186-5), then beside it.
    let x = unb64("qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3");
    let mut y = unb64("NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f");
    alg_of(&ec("P-384", &x, &y), Alg::Es384);
    y[0] ^= 1;
    skipped(&ec("P-384", &x, &y), SkipReason::Point);
    skipped(&ec("P-384", &[0; 48], &[0; 48]), SkipReason::Point);
    // x = 0 and x = 2 are on the curve, x = p and x = p + 2 other spellings of them.
    for (x, y, high) in [
        (0, "wwZhD7CuWhWc9FwGBp8ipsXrNkHGAtQt6ixLT3VVB5NAbYDSuRrVT5BIvUh68a3h", "/////wAAAAAAAAAA/////w=="),
        (2, "jN6tu9BJEaPBkx4m3z-mQ53KnH6yhvvUb8MZ8OK7eAIyuvV4JfwMGRKtov7-hAJM", "/////wAAAAAAAAABAAAAAQ=="),
    ] {
        let low = [&[0; 47][..], &[x]].concat();
        alg_of(&ec("P-384", &low, &unb64(y)), Alg::Es384);
        let high = [&[0xff; 31][..], &[0xfe], &STANDARD.decode(high).unwrap()].concat();
        skipped(&ec("P-384", &high, &unb64(y)), SkipReason::Point);
    }
    skipped(&ec("P-384", &[0xff; 48], &[0xff; 48]), SkipReason::Point);
}

#[test]
fn ed25519_points_of_small_order_or_in_a_second_spelling_are_refused() {
    let okp = |curve: &str, x: &[u8]| format!(r#"{{"kty":"OKP","crv":"{curve}","x":"{}"}}"#, b64(x));
    alg_of(&okp("Ed25519", &unb64(ED25519_X)), Alg::EdDsa);
    let mut identity = [0; 32];
    identity[0] = 1;
    skipped(&okp("Ed25519", &identity), SkipReason::Point);
    skipped(&okp("Ed25519", &[0; 32]), SkipReason::Point);
    // y = 3 is on the curve; p + 3 is another spelling of it, with either sign.
    let low = [&[3][..], &[0; 31]].concat();
    alg_of(&okp("Ed25519", &low), Alg::EdDsa);
    for sign in [0x7f, 0xff] {
        let high = [&[0xed + 3][..], &[0xff; 30], &[sign]].concat();
        skipped(&okp("Ed25519", &high), SkipReason::Point);
    }
    // -3, just below p, is on the curve as well; and what looks like a second spelling but for one byte is none.
    alg_of(&okp("Ed25519", &[&[0xed - 3][..], &[0xff; 30], &[0x7f]].concat()), Alg::EdDsa);
    let is_point = |encoded: &[u8]| {
        let key = ed25519_dalek::VerifyingKey::from_bytes(encoded.try_into().unwrap());
        key.is_ok_and(|key| !key.is_weak())
    };
    let almost = |nth: usize, byte: u8| {
        let mut encoded = [&[0xff][..], &[0xff; 30], &[0x7f]].concat();
        encoded[nth] = byte;
        encoded
    };
    for nth in [1, 31] {
        let points: Vec<_> = (0..0x7f).map(|byte| almost(nth, byte)).filter(|it| is_point(it)).collect();
        assert!(points.len() > 30, "about half of them");
        for point in points {
            alg_of(&okp("Ed25519", &point), Alg::EdDsa);
        }
    }
    skipped(&okp("Ed25519", &[1; 31]), SkipReason::Malformed("x"));
    skipped(&okp("X25519", &unb64(ED25519_X)), SkipReason::Unsupported);
    skipped(&okp("Ed448", &[1; 57]), SkipReason::Unsupported);
}
