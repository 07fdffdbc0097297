//! `issuers[].tokens`: opaque tokens, from a list in the configuration or over the network.
//!
//! What such a token says about its caller stands in the list, so that nothing that describes signed tokens may stand
//! beside it.

use std::time::Duration;

use super::grants::{self, Grants};
use super::lists;
use super::reader::{Object, Reader};
use super::retirement;
use super::schema::credentials::TOKENS;
use super::tiers::Tiers;
use super::{Check, Issuer};
use crate::credentials::jwt::claims::{BoundTokens, ClaimNames, ClaimRules, ClaimSource, GrantNames};
use crate::credentials::opaque::TokenList;

const FIELDS: &[&str] = &TOKENS.names::<{ TOKENS.count() }>();
/// What is said of signed tokens alone.
const SIGNED: [&str; 10] = [
    "jwks",
    "secrets",
    "audiences",
    "clock_skew",
    "max_lifetime",
    "required_claims",
    "claims",
    "default_tier",
    "schools",
    "revocations",
];

/// Reads an issuer that has `tokens`.
#[inline(never)]
pub(super) fn issuer(fields: &Object<'_>, name: Option<&str>, tiers: &Tiers<'_>) -> Option<Issuer> {
    let mut is_clean = true;
    for name in SIGNED.into_iter().filter(|name| fields.get(name).is_some()) {
        fields.problem(name, "expected none beside `tokens`, where the list says everything");
        is_clean = false;
    }
    let list = fields.required("tokens").and_then(|reader| reader.object(FIELDS));
    let list = list.and_then(|list| lists::source(&list, |value| TokenList::from_value(value, &tiers.names)));
    let grants = grants::read(fields, tiers);
    let may = grants.as_ref().map(|grants| grants.tiers.as_slice());
    let retirement = fields.maybe("retirement", |schedule| retirement::read(schedule, tiers, may));
    let (name, list, Grants { tiers, .. }, retirement) = (name?, list?, grants?, retirement?);
    is_clean.then(|| Issuer {
        rules: rules(name),
        check: Check::List(list),
        revocations: None,
        tiers,
        default_tier: None,
        schools: None,
        retirement,
    })
}

/// All lists would be asked for every token.
pub(super) fn check_single_list(reader: &Reader<'_>, first: usize, index: usize) {
    if first != index {
        reader
            .problem(format_args!("`tokens`: expected one issuer with a list of tokens, got issuers[{first}] as well"));
    }
}

/// Members of the list, as if they were claims: what routes ask of claims, such tokens carry.
#[inline(never)]
fn rules(name: &str) -> ClaimRules {
    let claim = ClaimSource::new;
    let grants = GrantNames { districts: Some(claim("district")), ..GrantNames::default() };
    let names =
        ClaimNames { client: claim("client"), tier: Some(claim("tier")), schools: Some(claim("schools")), grants };
    ClaimRules {
        issuer: name.to_owned(),
        audiences: Vec::new(),
        clock_skew: Duration::ZERO,
        lifetime_max: None,
        required: Vec::new(),
        types: Vec::new(),
        bound_tokens: BoundTokens::Refuse,
        names,
        forwarded: Vec::new(),
    }
}
