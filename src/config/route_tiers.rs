//! `tiers` and `limits` of a route: whose clients may use it, and what it adds to the limits of a tier.

use super::limit::{self, SpannedLimit};
use super::reader::{Object, Reader};
use super::schema::TIERS_MAX;
use super::tiers::{self, Tiers};
use crate::limits::Budget;

/// What a route says of tiers.
#[derive(Debug, Default)]
pub(super) struct RouteTiers<'a> {
    /// Tiers whose clients may use it; empty: every tier.
    pub(super) allowed: Vec<usize>,
    /// Its own limits, by tier.
    limits: Vec<(usize, Vec<SpannedLimit<'a>>)>,
}

impl<'a> RouteTiers<'a> {
    /// Its own limits, of every tier.
    pub(super) fn limits(&self) -> Vec<SpannedLimit<'a>> {
        self.limits.iter().flat_map(|(_, limits)| limits.iter().cloned()).collect()
    }

    /// Its own limits by the index of the tier; none at all where no tier has any.
    #[inline(never)]
    pub(super) fn budgets(self, tier_count: usize) -> Vec<Vec<Budget>> {
        let mut by_tier = Vec::new();
        for (tier, limits) in self.limits {
            by_tier.resize_with(tier_count, Vec::new);
            if let Some(budgets) = by_tier.get_mut(tier) {
                *budgets = limit::budgets(limits);
            }
        }
        by_tier
    }
}

/// Reads `tiers` and `limits`.
#[inline(never)]
pub(super) fn read<'a>(fields: &Object<'a>, tiers: &Tiers<'a>) -> Option<RouteTiers<'a>> {
    let allowed = fields.field("tiers", Vec::new(), |list| {
        let allowed = list.distinct(TIERS_MAX, "tiers", |item| tiers::by_name(item, tiers))?;
        if allowed.is_empty() {
            list.problem("expected at least one tier, got none; leave it out for all");
        }
        Some(allowed)
    });
    let limits = fields.field("limits", Vec::new(), |map| limits(map, tiers));
    let (allowed, limits) = (allowed?, limits?);
    for (tier, _) in limits.iter().filter(|(tier, _)| !allowed.is_empty() && !allowed.contains(tier)) {
        let name = tiers.names.get(*tier).copied().unwrap_or_default();
        fields.problem("limits", format_args!("expected none for `{name}`, which `tiers` leaves out"));
    }
    Some(RouteTiers { allowed, limits })
}

#[inline(never)]
fn limits<'a>(reader: &Reader<'a>, tiers: &Tiers<'a>) -> Option<Vec<(usize, Vec<SpannedLimit<'a>>)>> {
    let entries = reader.entries()?;
    if entries.is_empty() {
        reader.problem("expected the limits of at least one tier, got none");
        return None;
    }
    let read: Vec<_> = entries.iter().map(|(name, reader)| of_tier(name, reader, tiers)).collect();
    read.into_iter().collect()
}

/// The tier's own limits and those of the route stand side by side in headers and metrics, so their names differ.
#[inline(never)]
fn of_tier<'a>(name: &str, reader: &Reader<'a>, tiers: &Tiers<'a>) -> Option<(usize, Vec<SpannedLimit<'a>>)> {
    let limits = limit::of_tier(reader);
    let Some(tier) = tiers.names.iter().position(|known| *known == name) else {
        if !tiers.unreadable {
            reader.problem("expected the name of one of `tiers`");
        }
        return None;
    };
    let limits = limits?;
    if limits.is_empty() {
        reader.problem("expected at least one limit, got none");
    }
    let own = tiers.list.as_ref().and_then(|list| list.get(tier));
    for spanned in &limits {
        if own.is_some_and(|own| own.limits().any(|limit| limit.id() == spanned.limit.id())) {
            spanned.reader.problem("expected another name than that of a limit of the tier itself");
        }
    }
    Some((tier, limits))
}
