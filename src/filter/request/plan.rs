//! Binding and plan: whether key and token belong together, and what the tier allows.

use std::rc::Rc;

use smallvec::SmallVec;

use super::stage::Stage;
use super::{Request, Step, limit_denial, note_overflow};
use crate::answer::denial::{Denial, Malformed};
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::reason::Reason;
use crate::credentials::retirement::Class;
use crate::filter::caller::Caller;
use crate::filter::worker::Worker;
use crate::http::head::Head;
use crate::http::path::RawPath;
use crate::http::query;
use crate::limits::Budget;
use crate::limits::key::LimitKeys;
use crate::limits::ledger::{Charge, Outcome, StoreError};
use crate::policy::cost;
use crate::policy::route::Route;
use crate::policy::scope::{self, ScopeError};

impl Request {
    /// A caller whose token is bound to a certificate must have shown it on this very connection, also when the token is known.
    pub(super) fn bind<'h>(&mut self, worker: &mut Worker, head: &'h Head, caller: Rc<Caller>) -> Step<'h> {
        if caller.certificate.is_some() {
            self.stage = Stage::Certificate(caller);
            return Step::NeedCertificate;
        }
        self.bind_proved(worker, head, caller)
    }

    pub(super) fn on_certificate<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        caller: Rc<Caller>,
        certificate: Option<CertificateDigest>,
    ) -> Step<'h> {
        if certificate.is_none() || certificate != caller.certificate {
            return self.fail(worker, Reason::Bound);
        }
        self.bind_proved(worker, head, caller)
    }

    fn bind_proved<'h>(&mut self, worker: &mut Worker, head: &'h Head, caller: Rc<Caller>) -> Step<'h> {
        let known = Rc::clone(&caller);
        self.caller = Some(caller);
        if let Some(denial) = self.retire(worker, Class::Issuer(known.issuer), &known.client) {
            return self.deny(worker, denial);
        }
        let (tier, limit_keys) = (self.tier(), known.limit_keys);
        match self.refusal(worker, &known) {
            Some(denial) => self.deny(worker, denial),
            // The key's client has been charged: its limits are the plan.
            None if self.key.is_some() => self.scope(worker, head),
            None => self.plan(worker, head, tier, &limit_keys),
        }
    }

    /// Why this caller is refused on this route, whatever it asks for.
    fn refusal(&self, worker: &Worker, caller: &Caller) -> Option<Denial> {
        match &self.key {
            Some(key) => {
                let issuer = worker.config.api_keys.as_ref().and_then(|keys| keys.issuer);
                if issuer != Some(caller.issuer) || key.client != caller.client {
                    return Some(Denial::ClientMismatch);
                }
            }
            None if caller.tier.is_none() => return Some(Denial::TierUnknown),
            None => {}
        }
        if caller.refused.is_some() {
            return caller.refused.clone();
        }
        let route = self.route_of(worker)?;
        (!caller.has_permissions(&route.permissions)).then_some(Denial::PermissionMissing)
    }

    /// Charges the caller's limits, before anything is said about schools.
    #[inline(never)]
    pub(super) fn plan<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        tier: Option<usize>,
        limit_keys: &LimitKeys,
    ) -> Step<'h> {
        let cost = match self.cost_of_head(worker, head) {
            Ok(cost) => cost,
            Err(denial) => return self.deny(worker, denial),
        };
        match self.charge_tier(worker, tier, limit_keys, cost, Stage::Planned) {
            Some(step) => step,
            None => self.scope(worker, head),
        }
    }

    /// Charges a tier's limits; `None`: it has none.
    #[inline(never)]
    pub(super) fn charge_tier<'h>(
        &mut self,
        worker: &mut Worker,
        tier: Option<usize>,
        limit_keys: &LimitKeys,
        cost: u32,
        stage: Stage,
    ) -> Option<Step<'h>> {
        if tier.is_none_or(|tier| tier >= worker.config.tiers.len()) {
            return Some(self.deny(worker, Denial::TierUnknown));
        }
        if self.route_of(worker).zip(tier).is_none_or(|(route, tier)| !route.allows_tier(tier)) {
            return Some(self.deny(worker, Denial::TierNotAllowed));
        }
        if let Some(denial) = self.over_ceiling(worker, cost) {
            return Some(self.deny(worker, denial));
        }
        let charges = charges(worker, tier?, self.route_of(worker), limit_keys, [1, cost]);
        self.cost = cost;
        if charges.is_empty() {
            return None;
        }
        self.stage = stage;
        Some(Step::Charge(charges))
    }

    /// The denial of a request that costs more than the tier's ceiling, if it is enforced.
    pub(super) fn over_ceiling(&mut self, worker: &mut Worker, cost: u32) -> Option<Denial> {
        let tier = worker.config.tiers.get(self.tier()?)?;
        let is_over = tier.max_cost.is_some_and(|ceiling| cost > ceiling.get());
        let dry_run = worker.reports_only(self.tier());
        (is_over && !self.only_report(worker, dry_run, &Denial::TooCostly)).then_some(Denial::TooCostly)
    }

    /// What the request costs as far as its head tells.
    pub(super) fn cost_of_head(&self, worker: &Worker, head: &Head) -> Result<u32, Denial> {
        let Some(route) = self.route_of(worker) else {
            return Err(Denial::Unavailable);
        };
        if let cost::Factor::One | cost::Factor::Body { .. } = route.cost.factor {
            return Ok(route.cost.weight.get());
        }
        let Some(path) = raw_path(head) else {
            return Err(Denial::Unavailable);
        };
        if let cost::Factor::Query { name, .. } = &route.cost.factor {
            if scope::may_override_query(head) {
                return Err(Denial::BodyUnsupported);
            }
            if scope::has_header_of(head, name) && !path.query.is_some_and(|query| query::names(query, name)) {
                return Err(Denial::Malformed(Malformed::CostParameter));
            }
        }
        let schools = match (&route.cost.factor, &route.scope) {
            (cost::Factor::Schools, Some(rule)) => {
                scope::requested(rule, head, &path, &route.path).map_err(scope_denial)?.len()
            }
            _ => 1,
        };
        cost::of(&route.cost, path.query, schools).map_err(|_| Denial::Malformed(Malformed::CostParameter))
    }

    pub(super) fn weight(&self, worker: &Worker) -> u32 {
        self.route_of(worker).map_or(1, |route| route.cost.weight.get())
    }

    #[inline(never)]
    pub(super) fn on_plan<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.take_plan(worker, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(()) => self.scope(worker, head),
        }
    }

    /// Notes how the charge of the tier's limits ended.
    pub(super) fn take_plan(
        &mut self,
        worker: &mut Worker,
        outcome: Result<Outcome, StoreError>,
    ) -> Result<(), Denial> {
        let cost = std::mem::take(&mut self.cost);
        let outcome = outcome.map_err(|_| Denial::Unavailable)?;
        self.check_tier_outcome(worker, &outcome)?;
        // Whoever adds up costs counts what was charged, and nothing for what was refused or only reported.
        self.cost = if outcome.receipt.is_some() { cost } else { 0 };
        self.statuses = outcome.statuses;
        self.receipt = outcome.receipt;
        Ok(())
    }

    /// Counts what a charge of the tier's limits met; an error if it is a denial that is enforced.
    pub(super) fn check_tier_outcome(&mut self, worker: &mut Worker, outcome: &Outcome) -> Result<(), Denial> {
        note_overflow(worker, outcome);
        let Some(denial) = limit_denial(outcome) else {
            return Ok(());
        };
        let tier = self.tier();
        for name in outcome.violated() {
            worker.metrics.count_limit(tier.unwrap_or(usize::MAX), name);
        }
        let dry_run = worker.reports_only(tier);
        if self.only_report(worker, dry_run, &denial) { Ok(()) } else { Err(denial) }
    }
}

/// What a request, by its number and cost, asks of the budgets of its tier, and of those that the route adds.
pub(super) fn charges(
    worker: &Worker,
    tier: usize,
    route: Option<&Route>,
    limit_keys: &LimitKeys,
    [requests, cost]: [u32; 2],
) -> SmallVec<[Charge; 1]> {
    let own = worker.config.tiers.get(tier).map_or(&[][..], |tier| &tier.budgets);
    let mut charges: SmallVec<[Charge; 1]> = SmallVec::new();
    charges.extend(own.iter().map(|Budget { by, limits }| {
        let (key, limits) = (limit_keys.of(*by), Rc::clone(limits));
        Charge { key, limits, requests, cost }
    }));
    if let Some(route) = route.filter(|route| !route.tier_budgets.is_empty()) {
        charges.extend(route.budgets_of(tier).iter().map(|Budget { by, limits }| {
            let (key, limits) = (limit_keys.of(*by).on_route(&route.path.template), Rc::clone(limits));
            Charge { key, limits, requests, cost }
        }));
    }
    charges
}

/// The path of a head whose path was checked when it was routed.
pub(super) fn raw_path(head: &Head) -> Option<RawPath<'_>> {
    RawPath::again(head.path()?)
}

pub(super) fn scope_denial(error: ScopeError) -> Denial {
    match error {
        ScopeError::FormBody => Denial::BodyUnsupported,
        ScopeError::Ambiguous | ScopeError::Malformed | ScopeError::TooMany => Denial::Malformed(Malformed::Parameter),
    }
}
