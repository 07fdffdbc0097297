//! What districts share, each with its token. The gateway gets the hash alone: a token is 256 random bits.

use serde::Serialize;
use time::{OffsetDateTime, serde::rfc3339};

use crate::{
    auth::secret::{generate, sha256_hex},
    name::Name,
};

/// Everything is kept in memory.
const SHARED_MAX: usize = 20_000;

/// Every pair of an application and a district.
pub(super) struct SharedList {
    pub(super) version: u64,
    shared: Vec<Shared>,
}

/// What one district shares with one application.
pub(super) struct Shared {
    pub(super) listed: Listed,
    pub(super) token: String,
}

/// An entry of the gateway's list.
#[derive(Clone, Serialize)]
pub(super) struct Listed {
    /// In lower-case hexadecimal.
    pub(super) sha256: String,
    #[serde(rename = "client")]
    pub(super) application: Name,
    pub(super) district: Name,
    pub(super) schools: Vec<Name>,
    pub(super) tier: Name,
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(super) not_after: Option<OffsetDateTime>,
}

/// Why nothing was shared.
pub(super) enum ShareError {
    /// The district shares with this application already.
    Twice,
    /// The list is full.
    Full,
}

impl SharedList {
    pub(super) const fn new(version: u64) -> Self {
        Self { version, shared: Vec::new() }
    }

    /// Makes the token of a pair; `sha256` of the terms is filled in here.
    ///
    /// # Errors
    /// When there is one already, or the list is full.
    pub(super) fn add(&mut self, terms: Listed) -> Result<(), ShareError> {
        if self.shared.len() >= SHARED_MAX {
            return Err(ShareError::Full);
        }
        if self.shared.iter().any(|it| it.is_of(&terms.application, &terms.district)) {
            return Err(ShareError::Twice);
        }
        let token = generate();
        self.shared.push(Shared { listed: Listed { sha256: sha256_hex(&token), ..terms }, token });
        self.version = self.version.saturating_add(1);
        Ok(())
    }

    /// Withdraws the token of a pair; says whether there was one.
    pub(super) fn remove(&mut self, application: &Name, district: &Name) -> bool {
        let before = self.shared.len();
        self.shared.retain(|it| !it.is_of(application, district));
        let removed = self.shared.len() < before;
        self.version = self.version.saturating_add(u64::from(removed));
        removed
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shared> {
        self.shared.iter()
    }
}

impl Shared {
    fn is_of(&self, application: &Name, district: &Name) -> bool {
        self.listed.application == *application && self.listed.district == *district
    }
}
