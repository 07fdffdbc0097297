//! One vendor: its plan, its access scope and its users.

use serde::{Deserialize, Serialize};

use super::password::PasswordHash;
use crate::name::Name;

/// A vendor client, as the data file has it.
#[derive(Deserialize)]
pub(super) struct Vendor {
    #[serde(rename = "vendor")]
    pub(super) id: Name,
    /// The plan, by the name of the gateway's tier.
    pub(super) tier: Name,
    #[serde(flatten)]
    pub(super) scope: AccessScope,
    pub(super) users: Vec<User>,
}

/// What a vendor may see: tokens say it from their issue on.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct AccessScope {
    /// A district opens all of its schools.
    pub(super) districts: Vec<Name>,
    /// Schools beside those of the districts.
    pub(super) schools: Vec<Name>,
    pub(super) permissions: Vec<Name>,
}

/// Who may log in for a vendor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) email: String,
    pub(super) password_hash: PasswordHash,
}
