//! The schools that the gateway vouches for, in `X-Claim-Schools`.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, request::Parts},
};

use crate::{problem::Problem, school::SchoolId};

/// The approved schools of the caller; none is a valid list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApprovedSchools(Vec<SchoolId>);

impl ApprovedSchools {
    pub(crate) fn contains(&self, school_id: &str) -> bool {
        self.0.iter().any(|school| school.as_str() == school_id)
    }

    /// Reads the one header. Missing, doubled or malformed is no access: which of two lines the gateway
    /// wrote cannot be told, and a list that is half understood is not one.
    fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("x-claim-schools").iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let list = value.to_str().ok()?;
        if list.is_empty() {
            return Some(Self(Vec::new()));
        }
        let schools: Option<_> = list.split(',').map(|id| SchoolId::parse(id).ok()).collect();
        schools.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for ApprovedSchools {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let missing = "no access: expected exactly one list of approved schools from the gateway";
        Self::from_headers(&parts.headers).ok_or(Problem::new(StatusCode::FORBIDDEN, missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: Option<&[&str]>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-claim-schools", line.parse().unwrap());
        }
        let ids = |list: &[&str]| list.iter().map(|id| SchoolId::parse(id).unwrap()).collect();
        assert_eq!(
            ApprovedSchools::from_headers(&headers),
            expected.map(|list| ApprovedSchools(ids(list))),
            "{lines:?}"
        );
    }

    #[test]
    fn only_one_well_formed_list_gives_access() {
        // One school and several.
        check(&["oakwood-primary"], Some(&["oakwood-primary"]));
        check(&["oakwood-primary,ravenscroft-high"], Some(&["oakwood-primary", "ravenscroft-high"]));
        // An empty list is no school, which differs from no list.
        check(&[""], Some(&[]));
        check(&[], None);
        // Two lines, also when they agree.
        check(&["oakwood-primary", "ravenscroft-high"], None);
        check(&["oakwood-primary", "oakwood-primary"], None);
        // An empty entry, a wildcard, a space.
        check(&["oakwood-primary,"], None);
        check(&["*"], None);
        check(&["oakwood-primary, ravenscroft-high"], None);
    }
}
