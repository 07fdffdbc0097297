//! Client secrets: made here, shown once, kept as a hash.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{RngCore as _, rngs::OsRng};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

const SECRET_BYTES: usize = 32;

/// The SHA-256 of a client secret.
///
/// A slow password hash would add nothing: a secret is 256 random bits, chosen here and never by a
/// person, so there is no dictionary to try and the hash cannot be inverted by search.
#[derive(Clone)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Whether this is the secret, in a time that does not tell how much of the hash agrees.
    pub(crate) fn matches(&self, secret: &str) -> bool {
        Self::of(secret).0.ct_eq(&self.0).into()
    }

    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A new client secret as text.
pub(crate) fn generate() -> String {
    random_text::<SECRET_BYTES>()
}

/// The SHA-256 of a credential in lower-case hexadecimal, as the gateway's lists have it.
pub(crate) fn sha256_hex(text: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(text) {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// `N` random bytes in base64url.
pub(crate) fn random_text<const N: usize>() -> String {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
