//! The schools that the gateway vouches for, in `X-Claim-Schools`.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};

use crate::{claim_list::ClaimList, problem::Problem};

/// The approved schools of the caller; none is a valid list.
pub(crate) struct ApprovedSchools(ClaimList);

impl ApprovedSchools {
    pub(crate) fn contains(&self, school_id: &str) -> bool {
        self.0.contains(school_id)
    }
}

impl<S: Sync> FromRequestParts<S> for ApprovedSchools {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let missing = "no access: expected exactly one list of approved schools from the gateway";
        let list = ClaimList::read(&parts.headers, "x-claim-schools");
        list.map(Self).ok_or(Problem::new(StatusCode::FORBIDDEN, missing))
    }
}
