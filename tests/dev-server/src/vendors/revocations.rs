//! What has been revoked: single tokens, and all of a vendor's tokens up to a moment.

use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};

use crate::name::Name;

/// Revoked tokens are kept until the end, as nobody says when they expire.
const TOKENS_MAX: usize = 10_000;

/// The document at `/v1/revocations.json`.
#[derive(Serialize)]
pub(super) struct RevocationList {
    version: u64,
    /// The `jti` of each.
    tokens: Vec<String>,
    #[serde(rename = "clients")]
    vendors: Vec<VendorTokens>,
}

/// All tokens of a vendor whose `iat` is up to this moment are void.
#[derive(Serialize)]
struct VendorTokens {
    #[serde(rename = "client")]
    vendor: Name,
    #[serde(with = "rfc3339")]
    issued_until: OffsetDateTime,
}

/// The list is full.
pub(super) struct TooManyTokens;

impl RevocationList {
    pub(super) fn new(version: u64) -> Self {
        Self { version, tokens: Vec::new(), vendors: Vec::new() }
    }

    /// Revokes one token.
    ///
    /// # Errors
    /// When the list is full.
    pub(super) fn revoke(&mut self, jti: String) -> Result<(), TooManyTokens> {
        if self.tokens.len() >= TOKENS_MAX {
            return Err(TooManyTokens);
        }
        if !self.tokens.contains(&jti) {
            self.tokens.push(jti);
            self.version = self.version.saturating_add(1);
        }
        Ok(())
    }

    /// Voids what the vendor was issued up to this moment.
    pub(super) fn void_tokens(&mut self, vendor: &Name, issued_until: OffsetDateTime) {
        match self.vendors.iter_mut().find(|entry| entry.vendor == *vendor) {
            Some(entry) => entry.issued_until = entry.issued_until.max(issued_until),
            None => self.vendors.push(VendorTokens { vendor: vendor.clone(), issued_until }),
        }
        self.version = self.version.saturating_add(1);
    }

    /// The last second whose tokens are void, since the epoch.
    pub(super) fn issued_until(&self, vendor: &str) -> Option<i64> {
        let entry = self.vendors.iter().find(|entry| entry.vendor.as_str() == vendor)?;
        Some(entry.issued_until.unix_timestamp())
    }
}
