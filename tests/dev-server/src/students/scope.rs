//! What the gateway vouches for: districts, schools and permissions.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::refusal::Refusal;
use crate::claim_list::ClaimList;

/// The scope of the caller, of one header each.
pub(super) struct ForwardedScope {
    districts: ClaimList,
    schools: ClaimList,
    permissions: ClaimList,
}

impl ForwardedScope {
    pub(super) fn grants_district(&self, district: &str) -> bool {
        self.districts.contains(district)
    }

    /// Whether a school is granted, by itself or by its district.
    pub(super) fn opens(&self, school: &str, district: Option<&str>) -> bool {
        self.schools.contains(school) || district.is_some_and(|district| self.districts.contains(district))
    }

    pub(super) fn permits(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }
}

impl<S: Sync> FromRequestParts<S> for ForwardedScope {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let list = |header| ClaimList::read(&parts.headers, header).ok_or(Refusal::NoPrivilege);
        Ok(Self {
            districts: list("x-claim-districts")?,
            schools: list("x-claim-schools")?,
            permissions: list("x-claim-permissions")?,
        })
    }
}
