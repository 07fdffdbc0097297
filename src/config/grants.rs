//! `tiers` and `default_tier` of an issuer: what it may grant.

use super::reader::Object;
use super::schema::TIERS_MAX;
use super::tiers::{self, Tiers};

/// What is said where nothing tells the tier of a token.
pub(super) const NO_TIER: &str = "missing; give the claim's name, or a `default_tier`";

/// What an issuer may grant.
#[derive(Debug)]
pub(super) struct Grants {
    /// Tiers, by index.
    pub(super) tiers: Vec<usize>,
    /// The tier of tokens that tell none.
    pub(super) default: Option<usize>,
}

#[inline(never)]
pub(super) fn read(fields: &Object<'_>, tiers: &Tiers<'_>) -> Option<Grants> {
    let all = (0..tiers.names.len()).collect();
    let may = fields.field("tiers", all, |list| list.distinct(TIERS_MAX, "tiers", |item| tiers::by_name(item, tiers)));
    let default = fields.maybe("default_tier", |name| tiers::by_name(name, tiers));
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
