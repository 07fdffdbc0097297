//! Opaque tokens (district tokens): what a random string opens, from a list of hashes.
//!
//! The list holds the SHA-256 of each token, never a token. Each entry says which client calls, for which district and
//! schools, in which tier, and when. A list in the configuration is a table of the worker ([`TokenList`]). A list from the
//! network is one index of the whole process, in a fixed table of buckets in shared data: [`reader`] reads the list piece by
//! piece, [`build`] writes it, and [`lookup`] reads one bucket per token.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::credentials::list::{Entry, ListError, Origin};
pub use crate::credentials::schema::TOKENS_MAX;
use crate::credentials::schema::{TOKEN, TOKEN_LIST};
use crate::values::time::Timestamp;

pub mod bucket;
pub mod build;
pub mod entry;
pub mod lookup;
pub mod reader;

/// Most tokens of a list in the configuration: every worker has a copy.
pub const INLINE_TOKENS_MAX: usize = 1_000;
/// Longest list from the network, bytes; Envoy itself keeps no longer answer of a call-out where nobody tells it to
/// (`http.async_response_buffer_limit`).
pub const TOKENS_BYTES_MAX: usize = 32 << 20;

const LIST_FIELDS: &[&str] = &TOKEN_LIST.names::<{ TOKEN_LIST.count() }>();
const TOKEN_FIELDS: &[&str] = &TOKEN.names::<{ TOKEN.count() }>();
/// The member that holds the list.
const TOKENS: &str = "tokens";

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// That of a presented token.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// One that a list names.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it is the one of these bytes, in constant time.
    fn is(&self, other: &[u8; 32]) -> bool {
        self.0.ct_eq(other).into()
    }

    /// Enough of it to find it by: nobody finds two tokens that share this.
    fn half(&self) -> [u8; 16] {
        self.0.first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// What one token opens, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The client that calls; safe in a header.
    pub client: String,
    /// The district; safe in a header.
    pub district: String,
    /// The schools, each once, in the order of the list; safe in a header.
    pub schools: Vec<String>,
    /// The tier's name, configured or not.
    pub tier: String,
    /// The token is valid from this moment
    pub not_before: Timestamp,
    /// up to, but not at, this one.
    pub not_after: Timestamp,
}

/// The tokens of a configuration.
pub struct TokenList {
    /// By the first half of the hash; the whole hash is compared after.
    grants: HashMap<[u8; 16], (TokenHash, Grant)>,
}

impl TokenList {
    /// Reads a list that stands in a configuration with these tiers.
    ///
    /// # Errors
    /// The first thing wrong with it: an unknown member, a bad entry, an unknown tier, a hash that stands twice, too many.
    pub fn from_value(value: &Value, tiers: &[&str]) -> Result<Self, ListError> {
        let root = Entry::root(value, LIST_FIELDS)?;
        root.version(Origin::Inline)?;
        if root.get(TOKENS).is_none() {
            return Err(root.wrong(TOKENS, "an array"));
        }
        let entries = root.entries(TOKENS, TOKEN_FIELDS)?;
        if entries.len() > INLINE_TOKENS_MAX {
            return Err(root.wrong(TOKENS, "at most 1000 tokens; a list over the network may have more"));
        }
        let mut grants = HashMap::with_capacity(entries.len());
        for it in &entries {
            let (hash, grant) = entry::read(it)?;
            if !tiers.contains(&grant.tier.as_str()) {
                return Err(it.wrong("tier", "one of `tiers`"));
            }
            if grants.insert(hash.half(), (hash, grant)).is_some() {
                return Err(it.wrong("sha256", entry::DISTINCT));
            }
        }
        Ok(Self { grants })
    }

    /// What the token of this hash opens, whether it is valid now or not.
    pub fn find(&self, hash: &TokenHash) -> Option<&Grant> {
        let (found, grant) = self.grants.get(&hash.half())?;
        found.is(hash.bytes()).then_some(grant)
    }

    /// How many tokens it has.
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }
}

impl fmt::Debug for TokenList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenList").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
