//! Binding, plan and scope: what the caller's tier allows, and which schools the caller may see.

use std::rc::Rc;

use super::stage::Stage;
use super::{Request, Step, limit_denial, note_overflow};
use crate::caller::Caller;
use crate::cost;
use crate::denial::{Denial, Malformed};
use crate::head::Head;
use crate::limits::ledger::{Charge, Outcome, StoreError};
use crate::path::RawPath;
use crate::scope::{self, ScopeError, Verdict};
use crate::worker::Worker;

impl Request {
    pub(super) fn bind<'h>(&mut self, worker: &mut Worker, head: &'h Head, caller: Rc<Caller>) -> Step<'h> {
        let refused = caller.refused.clone();
        self.caller = Some(caller);
        match refused {
            Some(denial) => self.deny(worker, denial),
            None => self.plan(worker, head),
        }
    }

    /// Charges the caller's limits, before anything is said about schools.
    pub(super) fn plan<'h>(&mut self, worker: &mut Worker, head: &'h Head) -> Step<'h> {
        let cost = match self.cost(worker, head) {
            Ok(cost) => cost,
            Err(denial) => return self.deny(worker, denial),
        };
        let Some(caller) = self.caller.clone() else {
            return self.deny(worker, Denial::Unavailable);
        };
        let Some(tier) = worker.config.tiers.get(caller.tier) else {
            return self.deny(worker, Denial::TierUnknown);
        };
        let limits = Rc::clone(&tier.limits);
        let dry_run = worker.config.dry_run || tier.dry_run;
        if tier.max_cost.is_some_and(|ceiling| cost > ceiling.get())
            && !self.only_report(worker, dry_run, &Denial::TooCostly)
        {
            return self.deny(worker, Denial::TooCostly);
        }
        if limits.is_empty() {
            return self.scope(worker, head);
        }
        self.stage = Stage::Planned;
        Step::Charge(vec![Charge { owner: caller.owner, limits, requests: 1, cost }])
    }

    pub(super) fn cost(&self, worker: &Worker, head: &Head) -> Result<u32, Denial> {
        let (Some(route), Some(path)) = (self.route_of(worker), raw_path(head)) else {
            return Err(Denial::Unavailable);
        };
        let schools = match (&route.cost.factor, &route.scope) {
            (cost::Factor::Schools, Some(rule)) => {
                scope::requested(rule, head, &path, &route.path).map_err(scope_denial)?.len()
            }
            _ => 1,
        };
        cost::of(&route.cost, path.query, schools).map_err(|_| Denial::Malformed(Malformed::CostParameter))
    }

    pub(super) fn on_plan<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        let Ok(outcome) = outcome else {
            return self.deny(worker, Denial::Unavailable);
        };
        note_overflow(worker, &outcome);
        if let Some(denial) = limit_denial(&outcome) {
            let tier = self.tier();
            for name in outcome.violated() {
                worker.metrics.count_limit(tier.unwrap_or(usize::MAX), name);
            }
            let dry_run = worker.reports_only(tier);
            if !self.only_report(worker, dry_run, &denial) {
                return self.deny(worker, denial);
            }
        }
        self.standings = outcome.standings;
        self.receipt = outcome.receipt;
        self.scope(worker, head)
    }

    pub(super) fn scope<'h>(&mut self, worker: &mut Worker, head: &'h Head) -> Step<'h> {
        let (Some(route), Some(path)) = (self.route_of(worker), raw_path(head)) else {
            return self.deny(worker, Denial::Unavailable);
        };
        let Some(rule) = &route.scope else {
            return self.pass(worker);
        };
        let Some(caller) = self.caller.clone() else {
            return self.deny(worker, Denial::Unavailable);
        };
        let verdict = scope::requested(rule, head, &path, &route.path)
            .map(|requested| scope::judge(rule, &requested, |school| caller.may_see(school)));
        let denial = match verdict {
            Ok(Verdict::Granted) => return self.pass(worker),
            Ok(Verdict::OutOfScope) => Denial::SchoolOutOfScope,
            Ok(Verdict::Missing) => Denial::SchoolMissing,
            Err(error) => return self.deny(worker, scope_denial(error)),
        };
        let dry_run = worker.reports_only(Some(caller.tier));
        if self.only_report(worker, dry_run, &denial) {
            return self.pass(worker);
        }
        self.deny(worker, denial)
    }
}

fn raw_path(head: &Head) -> Option<RawPath<'_>> {
    RawPath::parse(head.path()?).ok()
}

fn scope_denial(error: ScopeError) -> Denial {
    match error {
        ScopeError::FormBody => Denial::BodyUnsupported,
        ScopeError::Ambiguous | ScopeError::Malformed | ScopeError::TooMany => Denial::Malformed(Malformed::Parameter),
    }
}
