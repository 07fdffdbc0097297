//! API keys: made here, shown once, listed for the gateway as SHA-256.
//!
//! A plain hash will do: a key is 256 random bits, see `auth::secret`.

use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};

use crate::{
    auth::secret::{generate, random_text, sha256_hex},
    name::Name,
};

/// Keys are kept for good, so that a rotated one stays in the list as what it is.
const KEYS_MAX: usize = 20_000;
const ID_BYTES: usize = 8;

/// The document at `/v1/keys.json`.
#[derive(Serialize)]
pub(super) struct KeyList {
    version: u64,
    keys: Vec<ApiKey>,
}

/// What the gateway may know of a key.
#[derive(Clone, Serialize)]
pub(super) struct ApiKey {
    id: String,
    pub(super) client: Name,
    /// In lower-case hexadecimal.
    sha256: String,
    pub(super) tier: Name,
    #[serde(flatten)]
    validity: Validity,
}

/// When a key works; what is absent has no bound.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Validity {
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(super) not_before: Option<OffsetDateTime>,
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(super) not_after: Option<OffsetDateTime>,
}

/// A new key; the only answer that carries its text.
#[derive(Serialize)]
pub(super) struct IssuedKey {
    id: String,
    client: Name,
    tier: Name,
    #[serde(flatten)]
    validity: Validity,
    key: String,
}

/// The list is full.
pub(super) struct TooManyKeys;

impl KeyList {
    pub(super) fn new(version: u64) -> Self {
        Self { version, keys: Vec::new() }
    }

    pub(super) fn find(&self, id: &str) -> Option<&ApiKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Makes a key.
    ///
    /// # Errors
    /// When the list is full.
    pub(super) fn issue(&mut self, client: Name, tier: Name, validity: Validity) -> Result<IssuedKey, TooManyKeys> {
        if self.keys.len() >= KEYS_MAX {
            return Err(TooManyKeys);
        }
        let text = generate();
        let id = random_text::<ID_BYTES>();
        let sha256 = sha256_hex(&text);
        self.keys.push(ApiKey { id: id.clone(), client: client.clone(), sha256, tier: tier.clone(), validity });
        self.version = self.version.saturating_add(1);
        Ok(IssuedKey { id, client, tier, validity, key: text })
    }

    /// Ends a key at this time, unless it ends before.
    pub(super) fn deactivate(&mut self, id: &str, at: OffsetDateTime) {
        if let Some(key) = self.keys.iter_mut().find(|key| key.id == id) {
            let end = key.validity.not_after.map_or(at, |known| known.min(at));
            key.validity.not_after = Some(end);
            self.version = self.version.saturating_add(1);
        }
    }
}
