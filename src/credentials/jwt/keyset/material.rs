//! What a key is made of, checked once: only acceptable numbers become a [`Material`].
//!
//! RSA moduli are odd and have 2048 to 4096 bits in whole bytes (what else there is, is a mistake, and a signature then
//! has exactly as many bytes as the modulus). Points are on their curve. P-384 is verified by the host only, so its
//! curve equation is checked here by hand; a host must not be the first to look at a key.

use jwt_compact::alg::{Hs256Key, Hs384Key, Hs512Key};
use p256::ecdsa::VerifyingKey as P256Key;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::{BigUint, RsaPublicKey};
use spki::der::asn1::{AnyRef, BitStringRef};
use spki::der::{self, Encode as _};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::SkipReason;
use crate::credentials::jwt::jose::Alg;

/// Shortest and longest RSA modulus: RFC 7518 section 3.3, and what a verification may cost.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// The field of P-384 (FIPS 186-5): `2^384 - 2^128 - 2^96 + 2^32 - 1`.
const P384_P: [u8; 48] =
    *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff";

/// `b` of P-384's equation `y^2 = x^3 - 3x + b`.
const P384_B: [u8; 48] =
    *b"\xb3\x31\x2f\xa7\xe2\x3e\xe7\xe4\x98\x8e\x05\x6b\xe3\xf8\x2d\x19\x18\x1d\x9c\x6e\xfe\x81\x41\x12\
\x03\x14\x08\x8f\x50\x13\x87\x5a\xc6\x56\x39\x8d\x8a\x2e\xd1\x9d\x2a\x85\xc8\xed\xd3\xec\x2a\xef";

/// A key's numbers, ready for use. `spki` is the DER of its `SubjectPublicKeyInfo` (RFC 5280), for the host.
pub(in crate::credentials::jwt) enum Material {
    Rsa { public: RsaPublicKey, modulus: Vec<u8>, spki: Vec<u8> },
    P256 { public: P256Key, spki: Vec<u8> },
    P384 { spki: Vec<u8> },
    Ed25519(ed25519_dalek::VerifyingKey),
    Hs256(Hs256Key),
    Hs384(Hs384Key),
    Hs512(Hs512Key),
}

impl Material {
    /// What tells two of one algorithm apart.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Rsa { spki, .. } | Self::P256 { spki, .. } | Self::P384 { spki } => spki,
            Self::Ed25519(public) => public.as_bytes(),
            Self::Hs256(secret) => secret.as_ref(),
            Self::Hs384(secret) => secret.as_ref(),
            Self::Hs512(secret) => secret.as_ref(),
        }
    }

    #[inline(never)]
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Self, SkipReason> {
        let (n, e) = (BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
        let (bits, modulus) = (n.bits(), n.to_bytes_be());
        let is_odd = modulus.last().is_some_and(|last| last % 2 == 1);
        if !is_odd || !RSA_BITS.contains(&bits) || bits % 8 != 0 {
            return Err(SkipReason::RsaModulus { bits });
        }
        if e == BigUint::from(1_u8) {
            return Err(SkipReason::RsaExponent);
        }
        // The crate refuses even exponents and those above 33 bits, as BoringSSL does.
        let public = RsaPublicKey::new(n, e).map_err(|_| SkipReason::RsaExponent)?;
        let spki = public.to_public_key_der().map_err(|_| SkipReason::Malformed("n"))?.into_vec();
        Ok(Self::Rsa { public, modulus, spki })
    }

    #[inline(never)]
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Result<Self, SkipReason> {
        let point = uncompressed(x, y, 32)?;
        let public = P256Key::from_sec1_bytes(&point).map_err(|_| SkipReason::Point)?;
        Ok(Self::P256 { public, spki: ec_spki(&SECP256R1, &point).map_err(|_| SkipReason::Malformed("x"))? })
    }

    #[inline(never)]
    pub(super) fn p384(x: &[u8], y: &[u8]) -> Result<Self, SkipReason> {
        let point = uncompressed(x, y, 48)?;
        if !is_on_p384(x, y) {
            return Err(SkipReason::Point);
        }
        Ok(Self::P384 { spki: ec_spki(&SECP384R1, &point).map_err(|_| SkipReason::Malformed("x"))? })
    }

    #[inline(never)]
    pub(super) fn ed25519(x: &[u8]) -> Result<Self, SkipReason> {
        let x = x.try_into().map_err(|_| SkipReason::Malformed("x"))?;
        let public = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(|_| SkipReason::Point)?;
        if public.is_weak() || !is_canonical_ed25519(x) {
            return Err(SkipReason::Point);
        }
        Ok(Self::Ed25519(public))
    }

    #[inline(never)]
    pub(super) fn secret(alg: Alg, bytes: &[u8]) -> Result<Self, SkipReason> {
        let (bytes_min, material) = match alg {
            Alg::Hs256 => (32, Self::Hs256(Hs256Key::new(bytes))),
            Alg::Hs384 => (48, Self::Hs384(Hs384Key::new(bytes))),
            Alg::Hs512 => (64, Self::Hs512(Hs512Key::new(bytes))),
            _ => return Err(SkipReason::AlgOfOtherType),
        };
        if bytes.len() < bytes_min {
            return Err(SkipReason::SecretTooShort { bytes: bytes.len(), bytes_min });
        }
        Ok(material)
    }
}

/// Whether the coordinate of an encoded point is below `2^255 - 19` (RFC 8032 section 5.1.3): the crate takes others as well,
/// as second spellings of few points.
fn is_canonical_ed25519(encoded: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = encoded;
    *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// SEC 1 section 2.3.3: `04 || x || y`; RFC 7518 section 6.2.1 wants full-length coordinates.
fn uncompressed(x: &[u8], y: &[u8], len: usize) -> Result<Vec<u8>, SkipReason> {
    if x.len() != len {
        return Err(SkipReason::Malformed("x"));
    }
    if y.len() != len {
        return Err(SkipReason::Malformed("y"));
    }
    Ok([&[4], x, y].concat())
}

#[expect(clippy::arithmetic_side_effects, reason = "big integers do not overflow, and nothing is subtracted")]
fn is_on_p384(x: &[u8], y: &[u8]) -> bool {
    let (x, y) = (BigUint::from_bytes_be(x), BigUint::from_bytes_be(y));
    let (p, b) = (BigUint::from_bytes_be(&P384_P), BigUint::from_bytes_be(&P384_B));
    // y^2 + 3x = x^3 + b
    let left = (&y * &y + &x * 3_u8) % &p;
    let right = (&x * &x * &x + b) % &p;
    x < p && y < p && left == right
}

/// RFC 5480 section 2.
#[inline(never)]
fn ec_spki(curve: &ObjectIdentifier, point: &[u8]) -> der::Result<Vec<u8>> {
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some(AnyRef::from(curve)) },
        subject_public_key: BitStringRef::from_bytes(point)?,
    }
    .to_der()
}
