//! `tiers`: names and their limits.

use std::num::NonZeroU32;

use super::Tier;
use super::limit::{self, SpannedLimit};
use super::name;
use super::reader::{Object, Reader};
use super::schema::TIERS_MAX;
use super::schema::limits::{MAX_COST, TIER};
use crate::limits::Unit;

const FIELDS: &[&str] = &TIER.names::<{ TIER.count() }>();

/// The tiers as far as they can be read.
#[derive(Debug)]
pub(super) struct Tiers<'a> {
    /// Names by index, also of tiers that have problems.
    pub(super) names: Vec<&'a str>,
    /// The tiers; `None` if any has a problem.
    pub(super) list: Option<Vec<Tier>>,
    /// Their limits, and where each stands.
    pub(super) placed: Vec<SpannedLimit<'a>>,
    /// Whether not even the names could be read.
    pub(super) unreadable: bool,
}

/// Reads `tiers`; absent: none.
#[inline(never)]
pub(super) fn read<'a>(fields: &Object<'a>) -> Tiers<'a> {
    let Some(reader) = fields.get("tiers") else {
        return Tiers { names: Vec::new(), list: Some(Vec::new()), placed: Vec::new(), unreadable: false };
    };
    let unreadable = Tiers { names: Vec::new(), list: None, placed: Vec::new(), unreadable: true };
    let Some(entries) = reader.entries() else {
        return unreadable;
    };
    if entries.len() > TIERS_MAX {
        reader.problem(format_args!("expected at most {TIERS_MAX} tiers, got {}", entries.len()));
        return unreadable;
    }
    let mut placed = Vec::new();
    let tiers: Vec<Option<Tier>> = entries.iter().map(|(name, reader)| tier(name, reader, &mut placed)).collect();
    limit::check_agreement(&placed);
    Tiers {
        names: entries.iter().map(|(name, _)| *name).collect(),
        list: tiers.into_iter().collect(),
        placed,
        unreadable: false,
    }
}

/// A tier by its name.
pub(super) fn by_name(reader: &Reader<'_>, tiers: &Tiers<'_>) -> Option<usize> {
    let name = reader.string("a tier's name", name::is_tier)?;
    let found = tiers.names.iter().position(|tier| *tier == name);
    if found.is_none() && !tiers.unreadable {
        reader.problem(format_args!("expected one of `tiers`, got `{name}`"));
    }
    found
}

#[inline(never)]
fn tier<'a>(name: &str, reader: &Reader<'a>, placed: &mut Vec<SpannedLimit<'a>>) -> Option<Tier> {
    if !name::is_tier(name) {
        reader.problem("expected a name of at most 64 of `A-Za-z0-9_.-`");
    }
    let fields = reader.object(FIELDS)?;
    let limits = fields.required("limits").and_then(|limits| limit::of_tier(&limits));
    let max_cost = fields.maybe("max_cost", |cost| cost.integer(MAX_COST).and_then(NonZeroU32::new));
    let dry_run = fields.flag("dry_run");
    let limits = limits?;
    placed.extend(limits.iter().cloned());
    warn(&fields, &limits, max_cost?, dry_run?);
    Some(Tier { name: name.to_owned(), budgets: limit::budgets(limits), max_cost: max_cost?, dry_run: dry_run? })
}

#[inline(never)]
fn warn(fields: &Object<'_>, limits: &[SpannedLimit<'_>], max_cost: Option<NonZeroU32>, dry_run: bool) {
    if limits.is_empty() {
        fields.warn("limits", "the tier has no limits");
    }
    if dry_run {
        let what = "limits, cost, early scope and the end of retired credentials";
        fields.warn("dry_run", format_args!("{what} of this tier are not enforced"));
    }
    let costs = limits.iter().filter(|placed| placed.limit.unit == Unit::Cost);
    for placed in costs.filter(|placed| max_cost.is_some_and(|max| u64::from(max.get()) > placed.limit.capacity())) {
        fields.warn("max_cost", format_args!("more than the limit `{}` ever admits at once", placed.limit.name));
    }
}
