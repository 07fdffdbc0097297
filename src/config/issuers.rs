//! `issuers`: who signs tokens, what these must say and what they may grant.

use std::time::Duration;

use super::claims;
use super::grants::{self, Grants};
use super::keys;
use super::lists;
use super::name;
use super::reader::{Object, Reader};
use super::retirement;
use super::schema::ISSUERS_MAX;
use super::schema::credentials::{CLOCK_SKEW, ISSUER, LIFETIME, NAMES_MAX};
use super::tiers::Tiers;
use super::tokens;
use super::{Check, Environment, Forward, Issuer, Source};
use crate::credentials::jwt::claims::{BoundTokens, ClaimNames, ClaimPath, ClaimRules, SCHOOLS_MAX};
use crate::credentials::jwt::jose::TokenType;
use crate::credentials::revocation::RevocationList;
use crate::values::names::Names;
use crate::values::text::is_school;

const FIELDS: &[&str] = &ISSUER.names::<{ ISSUER.count() }>();
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
#[inline(never)]
pub(super) fn read<'a>(
    fields: &Object<'a>,
    tiers: &Tiers<'_>,
    forward: Option<&Forward>,
    environment: &Environment,
) -> Issuers<'a> {
    let Some(reader) = fields.get("issuers") else {
        return Issuers::default();
    };
    let Some(readers) = reader.items(ISSUERS_MAX) else {
        return Issuers { unreadable: true, ..Issuers::default() };
    };
    let mut names = Vec::new();
    let mut list = Vec::new();
    let mut with_list = None;
    for (index, reader) in readers.iter().enumerate() {
        let context = IssuerContext { tiers, forward, environment, with_keys: fields.get("api_keys").is_some() };
        let (name, issuer) = issuer(reader, &context, &names);
        if issuer.as_ref().is_some_and(|issuer| issuer.tokens().is_some()) {
            tokens::check_single_list(reader, *with_list.get_or_insert(index), index);
        }
        names.push(name);
        list.push(issuer);
    }
    Issuers { names, list, readers, unreadable: false }
}

/// What the other sections say, for the reader of an issuer.
struct IssuerContext<'r, 'a> {
    tiers: &'r Tiers<'a>,
    /// `None`: not readable.
    forward: Option<&'r Forward>,
    environment: &'r Environment,
    /// Whether there are API keys: then a tier may come from a key.
    with_keys: bool,
}

#[inline(never)]
fn issuer<'a>(
    reader: &Reader<'a>,
    context: &IssuerContext<'_, '_>,
    before: &[Option<&str>],
) -> (Option<&'a str>, Option<Issuer>) {
    let Some(fields) = reader.object(FIELDS) else {
        return (None, None);
    };
    let name = issuer_name(&fields, before);
    if fields.get("tokens").is_some() {
        return (name, tokens::issuer(&fields, name, context.tiers));
    }
    let keys = keys::read(&fields, context.environment);
    let rules = rules(&fields, name, context.forward);
    let grants = grants::read(&fields, context.tiers);
    let schools = fields.maybe("schools", |bound| bound.strings(SCHOOLS_MAX, "a school id", &is_school).map(named));
    let revocations = fields.maybe("revocations", lists::revocations);
    // Where no claim tells the tier, all tokens have one.
    let may = grants.as_ref().map(|it| it.default.as_ref().map_or(it.tiers.as_slice(), std::slice::from_ref));
    let retirement = fields.maybe("retirement", |schedule| retirement::read(schedule, context.tiers, may));
    if let (Some(rules), Some(Some(list))) = (&rules, &revocations) {
        warn_of_nameless(&fields, rules, list);
    }
    let issuer = || {
        let (rules, grants, schools) = (rules?, grants?, schools?);
        contradictions(&fields, &rules.names, &grants, schools.as_ref(), context.with_keys)?;
        let (keys, revocations, retirement) = (keys?, revocations?, retirement?);
        let check = Check::Signature(keys);
        Some(Issuer {
            rules,
            check,
            revocations,
            tiers: grants.tiers,
            default_tier: grants.default,
            schools,
            retirement,
        })
    };
    (name, issuer())
}

/// A list of revocations cannot name a token that has no id.
#[inline(never)]
fn warn_of_nameless(fields: &Object<'_>, rules: &ClaimRules, list: &Source<RevocationList>) {
    let names_tokens = list.inline().is_none_or(RevocationList::names_tokens);
    let id = rules.names.grants.id.as_ref().filter(|id| !rules.required.iter().any(|claim| claim.path.is_same(id)));
    if let (true, Some(ClaimPath(id))) = (names_tokens, id) {
        let name = id.escape_default();
        let what =
            format_args!("`{name}` is none of them, and a token without it is voided only with all of its client's");
        fields.warn("required_claims", what);
    }
}

#[inline(never)]
fn issuer_name<'a>(fields: &Object<'a>, before: &[Option<&str>]) -> Option<&'a str> {
    let reader = fields.required("issuer")?;
    let name = reader.string("an issuer's name", name::is_text)?;
    if let Some(index) = before.iter().position(|other| *other == Some(name)) {
        reader.problem(format_args!("expected distinct issuers, got that of issuers[{index}] again"));
        return None;
    }
    Some(name)
}

#[inline(never)]
fn rules(fields: &Object<'_>, name: Option<&str>, forward: Option<&Forward>) -> Option<ClaimRules> {
    let audiences =
        fields.field("audiences", Vec::new(), |list| list.strings(NAMES_MAX, "an audience", &name::is_text));
    let clock_skew = fields.field("clock_skew", CLOCK_SKEW_DEFAULT, |skew| skew.duration(CLOCK_SKEW));
    let lifetime_max = fields.maybe("max_lifetime", |lifetime| lifetime.duration(LIFETIME));
    let required = fields.field("required_claims", Vec::new(), |list| claims::required(list));
    let types = fields.field("types", Vec::new(), claims::types);
    let bound_tokens = fields.field("bound_tokens", BoundTokens::Refuse, claims::bound_tokens);
    let names = claims::names(fields);
    let (audiences, required, types) = (audiences?, required?, types?);
    if audiences.is_empty() && fields.get("audiences").is_some() {
        fields.problem("audiences", "expected at least one audience, got none; leave it out to accept every token");
        return None;
    }
    let tells_apart = types == [TokenType::AccessToken] || required.iter().any(|claim| !claim.values.is_empty());
    if audiences.is_empty() && !tells_apart {
        let why = "tokens that this issuer made for other services are accepted, and ID tokens";
        fields.warn(
            "audiences",
            format_args!("{why}; give `audiences`, `types: [at+jwt]` or `required_claims` with `values`"),
        );
    }
    Some(ClaimRules {
        issuer: name?.to_owned(),
        audiences,
        clock_skew: clock_skew?,
        lifetime_max: lifetime_max?,
        required,
        types,
        bound_tokens: bound_tokens?,
        names: names?,
        forwarded: forward?.claims.iter().map(|(_, claim)| claim.clone()).collect(),
    })
}

fn named(names: Vec<String>) -> Names {
    let mut table = Names::default();
    for name in names {
        table.add(&name);
    }
    table
}

/// An issuer by its name.
#[inline(never)]
pub(super) fn by_name(reader: &Reader<'_>, issuers: &Issuers<'_>) -> Option<usize> {
    let name = reader.string("an issuer's name", name::is_text)?;
    let found = issuers.names.iter().position(|issuer| *issuer == Some(name));
    // A misspelt name may belong to an issuer whose own name has a problem.
    if found.is_none() && !issuers.unreadable && !issuers.names.contains(&None) {
        reader.problem(format_args!("expected the name of one of `issuers`, got `{}`", name.escape_default()));
    }
    found
}

#[inline(never)]
fn contradictions(
    fields: &Object<'_>,
    names: &ClaimNames,
    grants: &Grants,
    schools: Option<&Names>,
    with_keys: bool,
) -> Option<()> {
    if names.tier.is_none() && grants.default.is_none() && !with_keys {
        fields.problem("claims.tier", grants::NO_TIER);
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
    if names.grants.districts.is_some() && schools.is_some() {
        fields.problem("schools", "expected none beside `claims.districts`, which open schools without this bound");
        return None;
    }
    if names.grants.districts.is_none() && names.grants.district_schools.is_some() {
        fields.problem("claims.district_schools", "expected `claims.districts` as well, whose schools these are");
        return None;
    }
    Some(())
}
