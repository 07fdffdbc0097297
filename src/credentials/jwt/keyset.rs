//! Key sets: what an issuer verifies with, from a JWK Set (RFC 7517) or from shared secrets.
//!
//! Every key has exactly one algorithm, fixed when it is read; a token never chooses. A JWK's `alg` must fit its `kty`
//! and `crv`. Without `alg` it is the one that practice means by such a key: RSA is RS256, P-256 is ES256, P-384 is
//! ES384, Ed25519 is `EdDSA`, an inline `oct` key is HS256; the others (RS384, PS256, HS512, ...) need `alg`.
//!
//! A key that cannot be used is skipped, with a reason. In the configuration ([`Origin::Inline`]) a key that is weak
//! or broken is an error instead; one that is merely meant for something else is skipped there as well. A `kid` may name
//! one key for several algorithms, as identity providers publish it; a key that is listed twice counts once.

use std::fmt;
use std::rc::Rc;

use serde_json::Value;

use super::jose::{Alg, SelectError, UntrustedToken, is_kid};
use crate::values::json::{self, JsonError};
use material::Material;

mod jwk;
pub(super) mod material;
#[cfg(test)]
mod tests;

/// Longest JWK Set, bytes: a hundred RSA keys of 4096 bits with certificate chains stay below it.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// Most keys in a set, unusable ones included; every one costs work at load.
pub const KEYS_MAX: usize = 100;

/// Where a key set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the configuration: may hold `oct` keys, and bad keys are errors.
    Inline,
    /// From the network: public keys only, and bad keys are skipped.
    Remote,
}

/// One key, bound to one algorithm.
pub struct Key {
    kid: Option<String>,
    alg: Alg,
    pub(super) material: Material,
}

impl Key {
    /// The only algorithm that it verifies.
    pub const fn alg(&self) -> Alg {
        self.alg
    }

    /// Its name within the set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether a token cannot tell the two: one `kid`, for one algorithm.
    fn is_named_as(&self, other: &Self) -> bool {
        self.kid.is_some() && self.kid == other.kid && self.alg == other.alg
    }

    /// Whether the two are one key.
    fn is_same(&self, other: &Self) -> bool {
        self.kid == other.kid && self.alg == other.alg && self.material.bytes() == other.material.bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("alg", &self.alg).finish_non_exhaustive()
    }
}

/// A shared secret for one of HS256, HS384 and HS512.
#[derive(Clone, Copy)]
pub struct Secret<'a> {
    /// Its name in tokens, if they have one.
    pub kid: Option<&'a str>,
    /// The algorithm, one of HS256, HS384, HS512.
    pub alg: Alg,
    /// The secret, at least as long as the hash.
    pub bytes: &'a [u8],
}

/// A key of a set that is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Why.
    pub reason: SkipReason,
}

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// `use` is not `sig`, or `key_ops` lacks `verify`.
    Purpose,
    /// `kty`, `crv` or `alg` is none that is supported.
    Unsupported,
    /// `oct`, a shared secret, in a set from the network.
    SecretInRemoteSet,
    /// `alg` does not fit `kty` and `crv`.
    AlgOfOtherType,
    /// Another key has this `kid` for the same algorithm: which of the two signed would be a guess.
    DuplicateKid,
    /// Not an object, or a member is missing, of a wrong type, or not canonical base64url.
    Malformed(&'static str),
    /// The RSA modulus is even, not of 2048 to 4096 bits, or not of whole bytes.
    RsaModulus {
        /// Its length.
        bits: usize,
    },
    /// The RSA exponent is even, below 3, or above 33 bits.
    RsaExponent,
    /// A private key, in the configuration: this member is part of it.
    Private(&'static str),
    /// The point is not on the curve, or has a small order.
    Point,
    /// The secret is shorter than the hash of its algorithm.
    SecretTooShort {
        /// Its length.
        bytes: usize,
        /// The length of the hash.
        bytes_min: usize,
    },
}

impl SkipReason {
    /// Whether the key is weak or broken, not just meant for something else.
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Purpose | Self::Unsupported)
    }
}

impl fmt::Display for Skipped {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}: ", self.index)?;
        match self.reason {
            SkipReason::Purpose => f.write_str("not meant for verifying"),
            SkipReason::Unsupported => f.write_str("unsupported `kty`, `crv` or `alg`"),
            SkipReason::SecretInRemoteSet => f.write_str("`oct` in a set from the network"),
            SkipReason::AlgOfOtherType => f.write_str("`alg` does not fit `kty` and `crv`"),
            SkipReason::DuplicateKid => f.write_str("another key has its `kid` and `alg`"),
            SkipReason::Malformed(name) => write!(f, "unacceptable `{name}`"),
            SkipReason::RsaModulus { bits } => {
                write!(f, "unacceptable RSA modulus (expected odd, 2048 to 4096 bits, whole bytes, got {bits} bits)")
            }
            SkipReason::RsaExponent => f.write_str("unacceptable RSA exponent (expected odd, at least 3, 33 bits)"),
            SkipReason::Private(name) => write!(f, "private key, by its `{name}` (expected the public one alone)"),
            SkipReason::Point => f.write_str("no acceptable point on the curve"),
            SkipReason::SecretTooShort { bytes, bytes_min } => {
                write!(f, "secret is too short (expected {bytes_min} bytes, got {bytes})")
            }
        }
    }
}

/// Why there is no key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Longer than [`KEY_SET_BYTES_MAX`].
    TooLong,
    /// Not strict JSON.
    Json(JsonError),
    /// Not an object with an array `keys`.
    NotAKeySet,
    /// More than [`KEYS_MAX`].
    TooManyKeys,
    /// Inline only: keys that are weak or broken.
    BadKeys(Vec<Skipped>),
    /// No key can be used.
    NoUsableKey(Vec<Skipped>),
}

impl fmt::Display for KeySetError {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "key set is too long (expected at most {KEY_SET_BYTES_MAX} bytes)"),
            Self::Json(error) => write!(f, "key set {error}"),
            Self::NotAKeySet => f.write_str("key set is no object with an array `keys`"),
            Self::TooManyKeys => {
                write!(f, "key set has too many keys (expected at most {KEYS_MAX})")
            }
            Self::BadKeys(skipped) => write_list(f, "key set has bad keys", skipped),
            Self::NoUsableKey(skipped) => write_list(f, "key set has no usable key", skipped),
        }
    }
}

impl std::error::Error for KeySetError {}

fn write_list(f: &mut fmt::Formatter<'_>, what: &str, skipped: &[Skipped]) -> fmt::Result {
    f.write_str(what)?;
    for (at, key) in skipped.iter().enumerate() {
        write!(f, "{} {key}", if at == 0 { ":" } else { ";" })?;
    }
    Ok(())
}

/// The keys of one issuer; never empty.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Rc<Key>>,
    skipped: Vec<Skipped>,
    /// The `kid` of each skipped key that has one.
    skipped_kids: Vec<String>,
}

impl KeySet {
    /// From a JWK Set.
    ///
    /// # Errors
    ///
    /// The document is none, or has no usable key; with [`Origin::Inline`] also if any key is weak or broken.
    #[inline(never)]
    pub fn from_jwks(bytes: &[u8], origin: Origin) -> Result<Self, KeySetError> {
        if bytes.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        let set = json::parse(bytes, json::Limits::DOCUMENT).map_err(KeySetError::Json)?;
        let Some(entries) = set.get("keys").and_then(Value::as_array) else {
            return Err(KeySetError::NotAKeySet);
        };
        if entries.len() > KEYS_MAX {
            return Err(KeySetError::TooManyKeys);
        }
        let kid = |entry: &Value| entry.get("kid").and_then(Value::as_str).filter(|kid| is_kid(kid)).map(str::to_owned);
        Self::from_results(&mut entries.iter().map(|entry| (kid(entry), key_from_jwk(entry, origin))), origin)
    }

    /// From shared secrets.
    ///
    /// # Errors
    ///
    /// There is none, one is too short for its algorithm, or two have one `kid` and one algorithm.
    #[inline(never)]
    pub fn from_secrets(secrets: &[Secret<'_>]) -> Result<Self, KeySetError> {
        if secrets.len() > KEYS_MAX {
            return Err(KeySetError::TooManyKeys);
        }
        let kid = |secret: &Secret<'_>| secret.kid.map(str::to_owned);
        Self::from_results(&mut secrets.iter().map(|secret| (kid(secret), key_from_secret(secret))), Origin::Inline)
    }

    #[inline(never)]
    fn from_results(
        results: &mut dyn Iterator<Item = (Option<String>, Result<Key, SkipReason>)>,
        origin: Origin,
    ) -> Result<Self, KeySetError> {
        let mut read: Vec<(usize, Key)> = Vec::new();
        let (mut skipped, mut skipped_kids) = (Vec::new(), Vec::new());
        let mut skip = |index, kid: Option<String>, reason| {
            skipped.push(Skipped { index, reason });
            skipped_kids.extend(kid);
        };
        for (index, (kid, result)) in results.enumerate() {
            match result {
                Ok(key) if read.iter().any(|(_, known)| key.is_same(known)) => {}
                Ok(key) => read.push((index, key)),
                Err(reason) => skip(index, kid, reason),
            }
        }
        let is_ambiguous = |key: &Key| read.iter().filter(|(_, other)| key.is_named_as(other)).count() > 1;
        let ambiguous: Vec<bool> = read.iter().map(|(_, key)| is_ambiguous(key)).collect();
        let mut keys = Vec::new();
        for ((index, key), is_ambiguous) in read.into_iter().zip(ambiguous) {
            if is_ambiguous {
                skip(index, key.kid, SkipReason::DuplicateKid);
            } else {
                keys.push(Rc::new(key));
            }
        }
        skipped.sort_by_key(|key| key.index);
        if origin == Origin::Inline && skipped.iter().any(|key| key.reason.is_fault()) {
            skipped.retain(|key| key.reason.is_fault());
            return Err(KeySetError::BadKeys(skipped));
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(skipped));
        }
        Ok(Self { keys, skipped, skipped_kids })
    }

    /// Keys of the document that are not used.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The usable keys.
    pub fn keys(&self) -> &[Rc<Key>] {
        &self.keys
    }

    /// The one key that may verify this token.
    ///
    /// # Errors
    ///
    /// There is none; only [`SelectError::UnknownKid`] may go away with a newer set.
    #[inline(never)]
    pub fn select(&self, token: &UntrustedToken<'_>) -> Result<Rc<Key>, SelectError> {
        let Some(kid) = token.kid() else {
            return self.only_of(token.alg()).map(Rc::clone).ok_or(SelectError::NoKey);
        };
        let named = || self.keys.iter().filter(|key| key.kid() == Some(kid));
        match named().find(|key| key.alg == token.alg()) {
            Some(key) => Ok(Rc::clone(key)),
            None if named().next().is_some() => Err(SelectError::AlgMismatch),
            None if self.skipped_kids.iter().any(|skipped| skipped == kid) => Err(SelectError::SkippedKid),
            None => Err(SelectError::UnknownKid),
        }
    }

    fn only_of(&self, alg: Alg) -> Option<&Rc<Key>> {
        let mut fitting = self.keys.iter().filter(|key| key.alg == alg);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

#[inline(never)]
fn key_from_jwk(entry: &Value, origin: Origin) -> Result<Key, SkipReason> {
    let (alg, material) = jwk::read(entry, origin)?;
    let kid = match entry.get("kid") {
        None => None,
        Some(Value::String(kid)) if is_kid(kid) => Some(kid.clone()),
        Some(_) => return Err(SkipReason::Malformed("kid")),
    };
    Ok(Key { kid, alg, material })
}

fn key_from_secret(secret: &Secret<'_>) -> Result<Key, SkipReason> {
    let kid = match secret.kid {
        None => None,
        Some(kid) if is_kid(kid) => Some(kid.to_owned()),
        Some(_) => return Err(SkipReason::Malformed("kid")),
    };
    Ok(Key { kid, alg: secret.alg, material: Material::secret(secret.alg, secret.bytes)? })
}
