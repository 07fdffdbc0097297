//! `issuers`: who signs tokens, what these must say and what they may grant.

use std::time::Duration;

use super::Issuer;
use super::duration;
use super::keys;
use super::name;
use super::reader::{Object, Reader};
use super::tiers::{TIERS_MAX, Tiers};
use crate::token::claims::{ClaimNames, ClaimPath, ClaimRules, SCHOOLS_MAX, is_school};

const FIELDS: &[&str] = &[
    "issuer",
    "audiences",
    "jwks",
    "secrets",
    "clock_skew",
    "max_lifetime",
    "required_claims",
    "claims",
    "tiers",
    "default_tier",
    "schools",
];
const CLAIM_FIELDS: &[&str] = &["client", "tier", "schools"];
/// Most issuers.
const ISSUERS_MAX: usize = 64;
/// Most audiences, and most required claims, of one issuer.
const NAMES_MAX: usize = 64;
/// More tolerance than this hides a broken clock.
const CLOCK_SKEW_MAX: Duration = Duration::from_mins(5);
const CLOCK_SKEW_DEFAULT: Duration = Duration::from_secs(30);

/// The issuers as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Issuers<'a> {
    /// Names by index, also of issuers that have problems; `None` where the name itself has one.
    pub(super) names: Vec<Option<&'a str>>,
    /// By index, `None` where there is a problem.
    pub(super) list: Vec<Option<Issuer>>,
    /// Where each stands, by index.
    pub(super) readers: Vec<Reader<'a>>,
    /// Whether `issuers` could not be read at all.
    pub(super) unreadable: bool,
}

/// Reads `issuers`; absent: none.
pub(super) fn read<'a>(fields: &Object<'a>, tiers: &Tiers<'_>) -> Issuers<'a> {
    let Some(reader) = fields.get("issuers") else {
        return Issuers::default();
    };
    let Some(readers) = reader.items(ISSUERS_MAX) else {
        return Issuers { unreadable: true, ..Issuers::default() };
    };
    let mut names = Vec::new();
    let mut list = Vec::new();
    for reader in &readers {
        let (name, issuer) = issuer(reader, tiers, &names);
        names.push(name);
        list.push(issuer);
    }
    Issuers { names, list, readers, unreadable: false }
}

fn issuer<'a>(reader: &Reader<'a>, tiers: &Tiers<'_>, before: &[Option<&str>]) -> (Option<&'a str>, Option<Issuer>) {
    let Some(fields) = reader.object(FIELDS) else {
        return (None, None);
    };
    let name = issuer_name(&fields, before);
    let keys = keys::read(&fields);
    let rules = rules(&fields, name);
    let grants = grants(&fields, tiers);
    let schools = fields.maybe("schools", |bound| bound.strings(SCHOOLS_MAX, "a school id", is_school));
    let issuer = || {
        let (rules, grants, schools) = (rules?, grants?, schools?);
        contradictions(&fields, &rules.names, &grants, schools.as_ref())?;
        Some(Issuer { rules, keys: keys?, tiers: grants.tiers, default_tier: grants.default, schools })
    };
    (name, issuer())
}

fn issuer_name<'a>(fields: &Object<'a>, before: &[Option<&str>]) -> Option<&'a str> {
    let reader = fields.required("issuer")?;
    let name = reader.string("an issuer's name", name::is_text)?;
    if let Some(index) = before.iter().position(|other| *other == Some(name)) {
        reader.problem(format_args!("expected distinct issuers, got that of issuers[{index}] again"));
        return None;
    }
    Some(name)
}

fn rules(fields: &Object<'_>, name: Option<&str>) -> Option<ClaimRules> {
    let audiences = fields.field("audiences", Vec::new(), |list| list.strings(NAMES_MAX, "an audience", name::is_text));
    let clock_skew =
        fields.field("clock_skew", CLOCK_SKEW_DEFAULT, |skew| skew.duration(Duration::ZERO..=CLOCK_SKEW_MAX));
    let lifetime_max =
        fields.maybe("max_lifetime", |lifetime| lifetime.duration(Duration::from_secs(1)..=duration::LONGEST));
    let required = fields.field("required_claims", Vec::new(), |list| list.list(NAMES_MAX, claim));
    let names = claim_names(fields);
    let audiences = audiences?;
    if audiences.is_empty() {
        fields.warn("audiences", "tokens that this issuer made for other services are accepted");
    }
    Some(ClaimRules {
        issuer: name?.to_owned(),
        audiences,
        clock_skew: clock_skew?,
        lifetime_max: lifetime_max?,
        required: required?,
        names: names?,
    })
}

fn claim_names(fields: &Object<'_>) -> Option<ClaimNames> {
    let client = || ClaimPath("client_id".to_owned());
    let Some(claims) = fields.get("claims") else {
        return Some(ClaimNames { client: client(), tier: None, schools: None });
    };
    let claims = claims.object(CLAIM_FIELDS)?;
    let client = claims.field("client", client(), claim);
    let tier = claims.maybe("tier", claim);
    let schools = claims.maybe("schools", claim);
    Some(ClaimNames { client: client?, tier: tier?, schools: schools? })
}

/// A member's name, or a JSON Pointer.
fn claim(reader: &Reader<'_>) -> Option<ClaimPath> {
    let path = reader.string("a claim's name, or a JSON Pointer such as `/org/schools`", is_claim)?;
    Some(ClaimPath(path.to_owned()))
}

/// In a pointer, `~` stands only in `~0` and `~1` (RFC 6901).
fn is_claim(path: &str) -> bool {
    let pointer = path.starts_with('/');
    let escapes = path.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    name::is_text(path) && (!pointer || escapes)
}

/// What an issuer may grant.
#[derive(Debug)]
struct Grants {
    tiers: Vec<usize>,
    default: Option<usize>,
}

fn grants(fields: &Object<'_>, tiers: &Tiers<'_>) -> Option<Grants> {
    let all = (0..tiers.names.len()).collect();
    let may = fields.field("tiers", all, |list| list.list(TIERS_MAX, |item| tier(item, tiers)));
    let default = fields.maybe("default_tier", |name| tier(name, tiers));
    let (may, default) = (may?, default?);
    if may.is_empty() && tiers.list.is_some() {
        fields.problem("tiers", "expected at least one tier, got none");
        return None;
    }
    if default.is_some_and(|default| !may.contains(&default)) {
        fields.problem("default_tier", "expected one of the issuer's `tiers`");
        return None;
    }
    Some(Grants { tiers: may, default })
}

fn tier(reader: &Reader<'_>, tiers: &Tiers<'_>) -> Option<usize> {
    let name = reader.string("a tier's name", name::is_tier)?;
    let found = tiers.names.iter().position(|tier| *tier == name);
    if found.is_none() && !tiers.unreadable {
        reader.problem(format_args!("expected one of `tiers`, got `{name}`"));
    }
    found
}

fn contradictions(
    fields: &Object<'_>,
    names: &ClaimNames,
    grants: &Grants,
    schools: Option<&Vec<String>>,
) -> Option<()> {
    if names.tier.is_none() && grants.default.is_none() {
        fields.problem("claims.tier", "missing; give the claim's name, or a `default_tier`");
        return None;
    }
    if names.tier.is_some() && grants.default.is_some() {
        fields.problem("default_tier", "expected none beside `claims.tier`, the claim that tokens must carry");
        return None;
    }
    if names.schools.is_none() && schools.is_some() {
        fields.problem("schools", "expected `claims.schools` as well, without which no school is read");
        return None;
    }
    Some(())
}
