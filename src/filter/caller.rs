//! The caller: what is left of a verified token once configuration has had its say.
//!
//! A caller never changes; a new token is a new caller. Whether a route, a limit or a scope admits it is not said here.

use crate::answer::denial::Denial;
use crate::config::Config;
use crate::credentials::grant::DistrictSchools;
use crate::credentials::ids::Ids;
use crate::credentials::jwt::claims::{CertificateDigest, Forwarded};
use crate::limits::key::LimitKeys;
use crate::values::time::Timestamp;

/// A verified caller, as the upstream and the limits see it. Immutable; shared by all requests with its token.
#[derive(Debug)]
pub struct Caller {
    /// The issuer, by index.
    pub issuer: usize,
    /// The client's id; safe in a header.
    pub client: String,
    /// The tier, by index; `None`: it is unknown, or tokens of this issuer carry none since an API key does.
    pub tier: Option<usize>,
    /// The approved schools; `None`: tokens of this issuer carry none.
    pub schools: Option<Ids>,
    /// The approved districts; `None`: tokens of this issuer carry none.
    pub districts: Option<Ids>,
    /// Permissions; `None`: tokens of this issuer carry none.
    pub permissions: Option<Ids>,
    /// Which schools belong to a district, as the token says.
    pub district_schools: DistrictSchools,
    /// Whether a district opens its schools; else only the schools of the list are open.
    pub districts_open_schools: bool,
    /// Further claims as their headers have them, in the order of `forward.claims`; `None`: the token lacks it. Empty for what
    /// is no JWT.
    pub forwarded: Box<[Option<Box<[u8]>>]>,
    /// The token's id, by which it can be revoked.
    pub token_id: Option<String>,
    /// The certificate that the token is bound to, where that counts.
    pub certificate: Option<CertificateDigest>,
    /// When the token was issued.
    pub issued_at: Option<Timestamp>,
    /// The token is valid up to, but not at, this moment.
    pub not_after: Timestamp,
    /// Whose budgets its requests draw on.
    pub limit_keys: LimitKeys,
    /// Why every request with this token is refused, though it is valid.
    pub refused: Option<Denial>,
}

/// What a credential opens; `None`: credentials of its kind say nothing about it.
#[derive(Debug, Default)]
pub struct Granted {
    /// The approved schools.
    pub schools: Option<Ids>,
    /// The approved districts.
    pub districts: Option<Ids>,
    /// Permissions.
    pub permissions: Option<Ids>,
}

impl Caller {
    /// The caller behind a credential of `issuer` that says nothing more; a list that is longer than what `config` forwards
    /// refuses its requests.
    pub fn new(config: &Config, issuer: usize, client: String, limit_keys: LimitKeys, granted: Granted) -> Self {
        let Granted { schools, districts, permissions } = granted;
        let longest = [&schools, &districts, &permissions].into_iter().flatten().map(|list| list.header().len()).max();
        let is_too_long = longest.is_some_and(|bytes| bytes > config.forward.schools_bytes_max);
        Self {
            issuer,
            client,
            tier: None,
            schools,
            districts,
            permissions,
            district_schools: DistrictSchools::default(),
            districts_open_schools: false,
            forwarded: Box::default(),
            token_id: None,
            certificate: None,
            issued_at: None,
            not_after: Timestamp::default(),
            limit_keys,
            refused: is_too_long.then_some(Denial::SchoolsTooLong),
        }
    }

    /// The same with further claims; one that is longer than what `config` forwards refuses its requests.
    #[inline(never)]
    #[must_use]
    pub fn forwarding(mut self, config: &Config, claims: Vec<Option<Forwarded>>) -> Self {
        let header = |claim| -> Box<[u8]> {
            match claim {
                Forwarded::Text(text) => text.into_bytes().into(),
                Forwarded::List(ids) => Ids::new(&ids, config.forward.schools_format).header().into(),
            }
        };
        self.forwarded = claims.into_iter().map(|claim| claim.map(header)).collect();
        if self.forwarded.iter().flatten().any(|header| header.len() > config.forward.schools_bytes_max) {
            self.refused = Some(Denial::SchoolsTooLong);
        }
        self
    }

    /// Whether a list says the same of both: who calls, for what, in which tier.
    pub fn is_same_grant(&self, other: &Self) -> bool {
        (&self.client, self.tier, &self.schools, &self.districts)
            == (&other.client, other.tier, &other.schools, &other.districts)
    }

    /// Whether the caller's list approves `school`, or one of its districts opens it: by the token, or by `districts`.
    pub fn may_see(&self, school: &str, districts: &DistrictSchools) -> bool {
        self.schools.as_ref().is_some_and(|schools| schools.contains(school)) || self.opens(school, districts)
    }

    /// Whether the caller's list approves `district`.
    pub fn may_see_district(&self, district: &str) -> bool {
        self.districts.as_ref().is_some_and(|districts| districts.contains(district))
    }

    /// Whether the caller has all of `permissions`.
    pub fn has_permissions(&self, permissions: &[String]) -> bool {
        permissions.iter().all(|it| self.permissions.as_ref().is_some_and(|granted| granted.contains(it)))
    }

    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        let lists = [&self.schools, &self.districts, &self.permissions].into_iter().flatten();
        let parts = [self.client.len(), self.token_id.as_ref().map_or(0, String::len), self.district_schools.weight()];
        let forwarded = self.forwarded.iter().map(|it| it.as_ref().map_or(0, |it| it.len()));
        lists.map(Ids::weight).chain(parts).chain(forwarded).fold(size_of::<Self>(), usize::saturating_add)
    }

    fn opens(&self, school: &str, districts: &DistrictSchools) -> bool {
        let is_mine = |known: &DistrictSchools| known.districts_of(school).iter().any(|it| self.may_see_district(it));
        self.districts_open_schools && (is_mine(districts) || is_mine(&self.district_schools))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

    use super::*;
    use crate::credentials::ids::ListFormat;

    fn caller(client: &str, schools: &[String]) -> Caller {
        let document = br#"{"routes": [{"match": {"path": "/a"}, "require": []}]}"#;
        let schools = Some(Ids::new(schools, ListFormat::Comma));
        let granted = Granted { schools, ..Granted::default() };
        let limit_keys = LimitKeys::new("i", client, None, None);
        Caller::new(&Config::from_bytes(document).unwrap(), 0, client.to_owned(), limit_keys, granted)
    }

    #[test]
    fn caller_weighs_at_least_what_it_holds() {
        let least = caller("", &[]).weight();
        assert!(least >= size_of::<Caller>());
        let ids: Vec<String> = (0..100).map(|nth| format!("school-{nth:03}")).collect();
        let of_ids = 100 * "school-000".len();
        assert!(caller("", &ids).weight() >= least + of_ids);
        assert_eq!(caller("client", &[]).weight(), least + 6);
        let with_id = Caller { token_id: Some("token".to_owned()), ..caller("", &[]) };
        assert_eq!(with_id.weight(), least + 5);
        let district_schools = DistrictSchools::new([("district".to_owned(), ids)]);
        let of_map = district_schools.weight();
        assert!(of_map >= of_ids + "district".len());
        assert_eq!(Caller { district_schools, ..caller("", &[]) }.weight(), least + of_map);
    }
}
