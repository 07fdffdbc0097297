//! Bodies: the same rules hold for ids in a body as for those in a head; then the rest of the cost is charged.

use super::plan::charges;
use super::scope::Dimension;
use super::stage::Stage;
use super::{Request, Step};
use crate::answer::denial::{Denial, Malformed};
use crate::filter::worker::Worker;
use crate::http::body::{self, Body, BodyError};
use crate::http::head::Head;
use crate::http::path::RawPath;
use crate::limits::Unit;
use crate::limits::ledger::{Charge, Outcome, Receipt, StoreError};
use crate::policy::cost::{self, Factor};
use crate::policy::scope::{Location, ScopeRule};

impl Request {
    /// Asks for the body, unless the head tells that no rule can read it.
    #[inline(never)]
    pub(super) fn await_body<'h>(&mut self, worker: &mut Worker, head: &'h Head, path: &RawPath<'_>) -> Step<'h> {
        let Some((rule, factor)) = self.route_of(worker).and_then(|route| Some((route.body?, &route.cost.factor)))
        else {
            return self.deny(worker, Denial::Unavailable);
        };
        if let Factor::Body { pointer, .. } = factor
            && body::is_overridden(path.query.unwrap_or_default(), pointer)
        {
            return self.deny(worker, Denial::Malformed(Malformed::CostParameter));
        }
        if let Err(error) = body::judge_head(rule, head) {
            return self.deny(worker, body_denial(error));
        }
        self.hold(worker)
    }

    /// Waits for the body.
    pub(super) fn hold<'h>(&mut self, worker: &mut Worker) -> Step<'h> {
        let Some(rule) = self.route_of(worker).and_then(|route| route.body) else {
            return self.deny(worker, Denial::Unavailable);
        };
        self.stage = Stage::Body;
        Step::AwaitBody { max: usize::try_from(rule.bytes_max).unwrap_or(usize::MAX) }
    }

    pub(super) fn on_body<'h>(&mut self, worker: &mut Worker, bytes: &[u8]) -> Step<'h> {
        match self.check_body(worker, bytes) {
            Ok(cost) => self.charge_rest(worker, cost),
            Err(denial) => self.deny(worker, denial),
        }
    }

    /// Checks a whole body; returns what the request costs in all.
    #[inline(never)]
    fn check_body(&mut self, worker: &mut Worker, bytes: &[u8]) -> Result<u32, Denial> {
        let rule = self.route_of(worker).and_then(|route| route.body).ok_or(Denial::Unavailable)?;
        let body = Body::parse(rule, bytes).map_err(body_denial)?;
        let cost = self.cost_of_body(worker, &body)?;
        for dimension in Dimension::ALL {
            let denial = self.check_body_scope(worker, &body, dimension)?;
            if let Some(denial) = denial.filter(|denial| !self.reports_scope(worker, denial)) {
                return Err(denial);
            }
        }
        self.check_scope_named(worker)?;
        Ok(cost)
    }

    fn check_body_scope(
        &mut self,
        worker: &Worker,
        body: &Body,
        dimension: Dimension,
    ) -> Result<Option<Denial>, Denial> {
        let rule = self.route_of(worker).and_then(|route| dimension.rule(route));
        let Some(rule @ ScopeRule { place: Location::Body(pointer), .. }) = rule else {
            return Ok(None);
        };
        let ids = body.ids(pointer).map_err(body_denial)?;
        self.check_ids(worker, dimension, rule, &ids)
    }

    fn cost_of_body(&self, worker: &Worker, body: &Body) -> Result<u32, Denial> {
        let Some(route) = self.route_of(worker) else {
            return Err(Denial::Unavailable);
        };
        let number = match (&route.cost.factor, &route.scope) {
            (Factor::Body { pointer, .. }, _) => body.number(pointer).map_err(body_denial)?,
            (Factor::Schools, Some(ScopeRule { place: Location::Body(pointer), .. })) => {
                let count = body.ids(pointer).map_err(body_denial)?.len();
                Some(u32::try_from(count).unwrap_or(u32::MAX))
            }
            // The head has told all of it.
            _ => return Ok(self.cost),
        };
        Ok(cost::of_body(&route.cost, number))
    }

    /// Whether the body has yet to tell a part of the cost.
    pub fn awaits_cost(&self, worker: &Worker) -> bool {
        let route = self.route_of(worker).filter(|_| self.decision.is_none());
        route.is_some_and(|route| match route.cost.factor {
            Factor::Body { .. } => true,
            Factor::Schools => route.scope.as_ref().is_some_and(ScopeRule::is_in_body),
            Factor::One | Factor::Query { .. } => false,
        })
    }

    /// Charges what the body adds to what was charged before it was read.
    #[inline(never)]
    fn charge_rest<'h>(&mut self, worker: &mut Worker, cost: u32) -> Step<'h> {
        let rest = cost.saturating_sub(self.cost);
        // Without a charge before, a dry run has let pass what a limit refused: it charges nothing.
        if rest == 0 || self.cost == 0 {
            return self.pass(worker);
        }
        if let Some(denial) = self.over_ceiling(worker, cost) {
            return self.deny(worker, denial);
        }
        let of_key = self.key.as_ref().map(|key| key.limit_keys);
        let limit_keys = of_key.or_else(|| self.caller.as_ref().map(|caller| caller.limit_keys));
        let (Some(limit_keys), Some(tier)) = (limit_keys, self.tier()) else {
            return self.deny(worker, Denial::Unavailable);
        };
        // The request itself has been counted.
        let mut charges = charges(worker, tier, self.route_of(worker), &limit_keys, [0, rest]);
        let costs = |charge: &Charge| charge.limits.iter().filter(|limit| limit.unit == Unit::Cost).count();
        // Limits of requests alone have been charged, and stand as they did then.
        if charges.iter().all(|charge| costs(charge) == 0) {
            charges.clear();
        }
        // The base is in use already, so no amount of waiting makes room for what a limit never holds as a whole.
        let limits = charges.iter().flat_map(|charge| charge.limits.iter());
        let is_never = limits.into_iter().any(|it| it.unit == Unit::Cost && u64::from(cost) > it.capacity());
        let dry_run = worker.reports_only(self.tier());
        if is_never {
            // Where that is only reported, it is reported once, and nothing is charged for it.
            let is_reported = self.only_report(worker, dry_run, &Denial::TooCostly);
            return if is_reported { self.pass(worker) } else { self.deny(worker, Denial::TooCostly) };
        }
        self.rest_cost = rest;
        if charges.is_empty() {
            return self.passed_with_rest(worker, None);
        }
        self.stage = Stage::Rest;
        Step::Charge(charges)
    }

    pub(super) fn on_rest<'h>(&mut self, worker: &mut Worker, outcome: Result<Outcome, StoreError>) -> Step<'h> {
        let Ok(outcome) = outcome else {
            return self.deny(worker, Denial::Unavailable);
        };
        if let Err(denial) = self.check_tier_outcome(worker, &outcome) {
            return self.deny(worker, denial);
        }
        self.statuses.clone_from(&outcome.statuses);
        // What a dry run only reports was not charged.
        if outcome.receipt.is_none() {
            self.rest_cost = 0;
        }
        self.passed_with_rest(worker, outcome.receipt)
    }

    fn passed_with_rest<'h>(&mut self, worker: &mut Worker, receipt: Option<Receipt>) -> Step<'h> {
        self.cost = self.cost.saturating_add(self.rest_cost);
        self.rest = receipt;
        self.pass(worker)
    }
}

fn body_denial(error: BodyError) -> Denial {
    match error {
        BodyError::Malformed => Denial::BodyMalformed,
        BodyError::TooLarge => Denial::BodyTooLarge,
        BodyError::Unsupported => Denial::BodyUnsupported,
    }
}

#[cfg(test)]
mod tests;
