//! Passwords of users: Argon2id (RFC 9106), in the PHC string format.

use argon2::{
    Argon2,
    password_hash::{self, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use rand::{RngCore as _, rngs::OsRng};
use serde::Deserialize;

const SALT_BYTES: usize = 16;
/// The hash of a password that nobody has.
const OF_NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$41oEmuKz7mrxL8SSilVtyg$ExL3np5258oPwGfax8N62GgJeJN2DC5npaXLEJvV+lI";

/// What is kept of a password.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password. It costs tens of milliseconds of CPU: call it where blocking is allowed.
    ///
    /// # Errors
    /// When the library refuses, as it does for a password of gigabytes.
    pub(super) fn of(password: &str) -> Result<Self, password_hash::Error> {
        let mut salt = [0; SALT_BYTES];
        OsRng.fill_bytes(&mut salt);
        let salt = SaltString::encode_b64(&salt)?;
        let hash = Argon2::default().hash_password(password.as_bytes(), &salt)?;
        Ok(Self(hash.to_string()))
    }

    /// Whether this is the password; as costly as `of`.
    pub(super) fn matches(&self, password: &str) -> bool {
        argon2::PasswordHash::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = password_hash::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        argon2::PasswordHash::new(&text)?;
        Ok(Self(text))
    }
}

/// The same work for a user who does not exist, so that the time of the answer does not tell who does.
pub(super) fn verify_anyway(password: &str) -> bool {
    PasswordHash(OF_NOBODY.to_owned()).matches(password);
    false
}
