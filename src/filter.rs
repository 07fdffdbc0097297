//! One request as an explicit state machine: events in, steps out.
//!
//! The order is fixed: strip (by the shell, before anything else), route, admission, credentials, binding, plan, scope,
//! forward. Every path ends in exactly one `Pass` or `Deny`; whatever comes after gets `Nothing`, but for the reply
//! of the upstream. Whatever needs the host (a signature, shared data, an address, time to pass) is a step, and its result an
//! event, so that every interleaving can be tested without Envoy.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use crate::cost;
use crate::denial::{Denial, LimitReached, Malformed};
use crate::fetch::Outlook;
use crate::head::{Bearer, Head};
use crate::limits::ledger::{Charge, Outcome, Receipt, Standing, StoreError};
use crate::limits::owner::Owner;
use crate::metrics::{CacheResult, Count};
use crate::path::RawPath;
use crate::rate_fields;
use crate::route::{self, Found, Route};
use crate::scope::{self, ScopeError, Verdict};
use crate::strip::{self, Connection};
use crate::time::Now;
use crate::token::signature::Job;
use crate::worker::{Caller, Judged, Worker};

mod stage;

use stage::{After, AddressFor, Stage};

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The request's head is here.
    Head,
    /// The trusted address of the source, as asked for; `None`: Envoy knows none.
    Address(Option<IpAddr>),
    /// The host compared and swapped, as asked for.
    Charged(Result<Outcome, StoreError>),
    /// The refund that was asked for is done.
    Refunded,
    /// The signature was checked, as asked for.
    Verified(bool),
    /// The request is ready to be looked at again.
    Ready,
    /// The response's head is here, with the value of the settlement header.
    Reply(Option<&'a [u8]>),
    /// The stream is gone.
    Gone,
}

/// What the shell must do, and then (but for the last four) report as an event.
#[derive(Debug)]
pub enum Step<'h> {
    /// Tell the source address.
    NeedAddress,
    /// Charge these budgets, all or nothing.
    Charge(Vec<Charge>),
    /// Give back one request of this charge.
    Refund(Receipt),
    /// Check this signature.
    Verify(Job<'h>),
    /// Hold the request until [`Request::is_ready`].
    AwaitKeys,
    /// Let it pass. Final.
    Pass(Forward),
    /// Answer this. Final.
    Deny(Denial),
    /// Edit the response's head.
    Reply(ReplyEdits),
    /// Nothing.
    Nothing,
}

/// What the upstream is told.
#[derive(Debug)]
pub struct Forward {
    /// Who is calling; `None` on open routes.
    pub caller: Option<Rc<Caller>>,
    /// Set `connection` to `upgrade` alone (an allowed upgrade that lists more).
    pub rewrite_connection: bool,
}

/// What the response gets.
#[derive(Debug, Default)]
pub struct ReplyEdits {
    /// Fields to add.
    pub fields: Vec<(&'static str, String)>,
    /// The charge to settle, and the actual cost.
    pub settle: Option<(Receipt, u32)>,
}

/// One request.
#[derive(Debug, Default)]
pub struct Request {
    stage: Stage,
    arrival: Now,
    route: Option<usize>,
    address: Option<IpAddr>,
    guard: Option<Receipt>,
    caller: Option<Rc<Caller>>,
    receipt: Option<Receipt>,
    standings: Vec<Standing>,
    rewrite_connection: bool,
    decision: Option<&'static str>,
}

impl Request {
    /// Takes the request one step further. `head` is the request's head, the same at every call.
    pub fn step<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now, event: Event<'_>) -> Step<'h> {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        match (stage, event) {
            (Stage::New, Event::Head) => self.on_head(worker, head, now),
            (Stage::Address(purpose), Event::Address(address)) => {
                // Sources that Envoy cannot tell apart share one budget.
                self.address = Some(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
                self.charge_address(worker, head, now, purpose)
            }
            (Stage::AddressLimits, Event::Charged(outcome)) => {
                self.on_address_limits(worker, head, now, outcome)
            }
            (Stage::Guard, Event::Charged(outcome)) => self.on_guard(worker, head, now, outcome),
            (Stage::Verifying(untrusted), Event::Verified(valid)) => {
                let Bearer::Token(token) = head.bearer() else {
                    return self.deny(worker, Denial::TokenInvalid);
                };
                let judged = worker.on_verified(token, *untrusted, valid, now);
                self.on_judged(worker, head, judged)
            }
            (Stage::Refunding(after), Event::Refunded) => self.proceed(worker, head, after),
            (Stage::Waiting(_), Event::Ready) => {
                worker.waiting = worker.waiting.saturating_sub(1);
                self.guard(worker, head, now)
            }
            (Stage::Waiting(_), Event::Gone) => {
                worker.waiting = worker.waiting.saturating_sub(1);
                Step::Nothing
            }
            (Stage::Planned, Event::Charged(outcome)) => self.on_plan(worker, head, outcome),
            (Stage::Passed, Event::Reply(settlement)) => self.on_reply(worker, settlement),
            (_, Event::Gone) => Step::Nothing,
            (stage, _) => {
                self.stage = stage;
                Step::Nothing
            }
        }
    }

    /// Whether a request that waits for keys should get [`Event::Ready`].
    pub fn is_ready(&self, worker: &Worker, now: Now) -> bool {
        matches!(&self.stage, Stage::Waiting(wait) if worker.is_over(wait, self.arrival, now))
    }

    /// Whether the request waits for keys.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }

    /// Whether the request may go to the upstream.
    pub const fn is_passed(&self) -> bool {
        matches!(self.stage, Stage::Passed)
    }

    /// The decision for the access log: `allow` or a denial's code; `None` while there is none.
    pub const fn decision(&self) -> Option<&'static str> {
        self.decision
    }

    /// Who is calling, once known.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// The template of the route, once known.
    pub fn template<'w>(&self, worker: &'w Worker) -> Option<&'w str> {
        Some(worker.config.routes.get(self.route?)?.path.template.as_str())
    }

    fn on_head<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        self.arrival = now;
        let (Some(method), Some(path), true) = (head.method(), head.path(), head.is_sound()) else {
            return self.deny(worker, Denial::Malformed(Malformed::Head));
        };
        let Ok(path) = RawPath::parse(path) else {
            return self.deny(worker, Denial::Malformed(Malformed::Path));
        };
        let authority = head.authority().unwrap_or_default();
        let preflight = route::is_preflight(head);
        match route::find(&worker.config.routes, authority, &path, method, preflight) {
            Found::None => self.deny(worker, Denial::NoRoute),
            Found::WrongMethod(allow) => self.deny(worker, Denial::MethodNotAllowed(allow)),
            Found::Ambiguous => self.deny(worker, Denial::Malformed(Malformed::Path)),
            Found::Preflight(index) => {
                self.route = Some(index);
                self.pass(worker)
            }
            Found::Route(index) => {
                self.route = Some(index);
                self.on_route(worker, head, now)
            }
        }
    }

    fn on_route<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        let Some(route) = self.route_of(worker) else {
            return self.deny(worker, Denial::Unavailable);
        };
        let (upgrades, has_limits) = (route.upgrades, !route.address_limits.is_empty());
        match strip::connection(head) {
            Connection::Plain => {}
            Connection::Upgrade { rewrite } if upgrades => self.rewrite_connection = rewrite,
            Connection::Upgrade { .. } | Connection::Hostile => {
                return self.deny(worker, Denial::UpgradeRefused);
            }
        }
        if has_limits {
            return self.charge_address(worker, head, now, AddressFor::Limits);
        }
        self.credentials(worker, head, now)
    }

    /// Charges a budget of the source address, once the address is known.
    fn charge_address<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        purpose: AddressFor,
    ) -> Step<'h> {
        let Some(address) = self.address else {
            self.stage = Stage::Address(purpose);
            return Step::NeedAddress;
        };
        let (owner, limits) = match purpose {
            AddressFor::Limits => {
                let Some(route) = self.route_of(worker) else {
                    return self.deny(worker, Denial::Unavailable);
                };
                (Owner::address(&route.path.template, address), Rc::clone(&route.address_limits))
            }
            AddressFor::Guard => {
                (Owner::address("failed-credentials", address), Rc::clone(&worker.config.failed_credentials))
            }
        };
        if limits.is_empty() {
            return self.judge(worker, head, now);
        }
        self.stage = match purpose {
            AddressFor::Limits => Stage::AddressLimits,
            AddressFor::Guard => Stage::Guard,
        };
        Step::Charge(vec![Charge { owner, limits, requests: 1, cost: 0 }])
    }

    fn on_address_limits<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        let Ok(outcome) = outcome else {
            return self.deny(worker, Denial::Unavailable);
        };
        self.note_overflow(worker, &outcome);
        if let Some(denial) = limit_denial(&outcome)
            && !self.only_report(worker, worker.config.dry_run, &denial)
        {
            return self.deny(worker, denial);
        }
        self.standings = outcome.standings;
        self.credentials(worker, head, now)
    }

    /// Cached callers need no crypto and so no guard; everyone else is charged before any work.
    fn credentials<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        if self.route_of(worker).is_none_or(|route| route.require.is_empty()) {
            return self.pass(worker);
        }
        match head.bearer() {
            Bearer::Absent => self.deny(worker, Denial::TokenMissing),
            Bearer::Token(token) => {
                let Some(caller) = worker.cached(token, now) else {
                    worker.metrics.count(Count::Cache(CacheResult::Miss));
                    return self.guard(worker, head, now);
                };
                worker.metrics.count(Count::Cache(CacheResult::Hit));
                if !self.route_of(worker).is_some_and(|r| r.issuers.contains(&caller.issuer)) {
                    return self.guard(worker, head, now);
                }
                self.bind(worker, head, caller)
            }
            Bearer::Malformed => self.guard(worker, head, now),
        }
    }

    fn guard<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        self.charge_address(worker, head, now, AddressFor::Guard)
    }

    fn on_guard<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        let Ok(outcome) = outcome else {
            return self.deny(worker, Denial::Unavailable);
        };
        self.note_overflow(worker, &outcome);
        if let Some(denial) = limit_denial(&outcome)
            && !self.only_report(worker, worker.config.dry_run, &denial)
        {
            return self.deny(worker, denial);
        }
        self.guard = outcome.receipt;
        self.judge(worker, head, now)
    }

    fn judge<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        let Bearer::Token(token) = head.bearer() else {
            return self.deny(worker, Denial::TokenInvalid);
        };
        let issuers = match self.route_of(worker) {
            Some(route) => route.issuers.clone(),
            None => return self.deny(worker, Denial::Unavailable),
        };
        let judged = worker.judge(token, &issuers, self.arrival, now);
        self.on_judged(worker, head, judged)
    }

    /// A failed credential keeps the charge of the guard; everything else gives it back.
    fn on_judged<'h>(&mut self, worker: &mut Worker, head: &'h Head, judged: Judged<'h>) -> Step<'h> {
        let after = match judged {
            Judged::Invalid => return self.deny(worker, Denial::TokenInvalid),
            Judged::Expired => return self.deny(worker, Denial::TokenExpired),
            Judged::Verify(job, untrusted) => {
                self.stage = Stage::Verifying(untrusted);
                return Step::Verify(job);
            }
            Judged::Caller(caller) => After::Bind(caller),
            Judged::Keys(Outlook::Wait, wait) => After::Wait(wait),
            Judged::Keys(Outlook::Fail { retry_after }, _) => {
                After::Deny(Denial::KeysUnavailable { retry_after })
            }
            Judged::Keys(Outlook::Fresh, _) => return self.deny(worker, Denial::TokenInvalid),
        };
        match self.guard.take() {
            Some(receipt) => {
                self.stage = Stage::Refunding(after);
                Step::Refund(receipt)
            }
            None => self.proceed(worker, head, after),
        }
    }

    fn proceed<'h>(&mut self, worker: &mut Worker, head: &'h Head, after: After) -> Step<'h> {
        match after {
            After::Bind(caller) => self.bind(worker, head, caller),
            After::Deny(denial) => self.deny(worker, denial),
            After::Wait(wait) => {
                if worker.waiting >= worker.config.bounds.waiters_max {
                    let retry_after = wait.deadline.since(self.arrival);
                    return self.deny(worker, Denial::KeysUnavailable { retry_after });
                }
                worker.waiting = worker.waiting.saturating_add(1);
                self.stage = Stage::Waiting(wait);
                Step::AwaitKeys
            }
        }
    }

    fn bind<'h>(&mut self, worker: &mut Worker, head: &'h Head, caller: Rc<Caller>) -> Step<'h> {
        let refused = caller.refused.clone();
        self.caller = Some(caller);
        match refused {
            Some(denial) => self.deny(worker, denial),
            None => self.plan(worker, head),
        }
    }

    /// Charges the caller's limits, before anything is said about schools.
    fn plan<'h>(&mut self, worker: &mut Worker, head: &'h Head) -> Step<'h> {
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

    fn cost(&self, worker: &Worker, head: &Head) -> Result<u32, Denial> {
        let (Some(route), Some(path)) = (self.route_of(worker), raw_path(head)) else {
            return Err(Denial::Unavailable);
        };
        let schools = match (&route.cost.factor, &route.scope) {
            (cost::Factor::Schools, Some(rule)) => {
                scope::requested(rule, head, &path, &route.path).map_err(scope_denial)?.len()
            }
            _ => 1,
        };
        cost::of(&route.cost, path.query, schools)
            .map_err(|_| Denial::Malformed(Malformed::CostParameter))
    }

    fn on_plan<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        let Ok(outcome) = outcome else {
            return self.deny(worker, Denial::Unavailable);
        };
        self.note_overflow(worker, &outcome);
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

    fn scope<'h>(&mut self, worker: &mut Worker, head: &'h Head) -> Step<'h> {
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

    fn on_reply<'h>(&mut self, worker: &Worker, settlement: Option<&[u8]>) -> Step<'h> {
        let fields = rate_fields::fields(worker.config.rate_limit_headers, &self.standings);
        let actual = settlement.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        let settle = self.receipt.take().zip(actual);
        Step::Reply(ReplyEdits { fields, settle })
    }

    fn pass<'h>(&mut self, worker: &mut Worker) -> Step<'h> {
        worker.metrics.count(Count::Allowed(self.tier()));
        self.decision = Some("allow");
        self.stage = Stage::Passed;
        Step::Pass(Forward {
            caller: self.caller.clone(),
            rewrite_connection: self.rewrite_connection,
        })
    }

    fn deny<'h>(&mut self, worker: &mut Worker, denial: Denial) -> Step<'h> {
        worker.metrics.count(Count::Denied(denial.index(), self.tier()));
        self.decision = Some(denial.code());
        self.stage = Stage::Closed;
        Step::Deny(denial)
    }

    /// Counts what a dry run lets pass; says whether it does.
    fn only_report(&self, worker: &mut Worker, dry_run: bool, denial: &Denial) -> bool {
        if dry_run {
            worker.metrics.count(Count::WouldDeny(denial.index(), self.tier()));
        }
        dry_run
    }

    fn note_overflow(&self, worker: &mut Worker, outcome: &Outcome) {
        if outcome.overflow {
            worker.metrics.count(Count::Overflow);
        }
    }

    fn tier(&self) -> Option<usize> {
        self.caller.as_ref().and_then(|caller| caller.known_tier())
    }

    fn route_of<'w>(&self, worker: &'w Worker) -> Option<&'w Route> {
        worker.config.routes.get(self.route?)
    }
}

fn raw_path(head: &Head) -> Option<RawPath<'_>> {
    RawPath::parse(head.path()?).ok()
}

fn scope_denial(error: ScopeError) -> Denial {
    match error {
        ScopeError::FormBody => Denial::BodyUnsupported,
        ScopeError::Ambiguous | ScopeError::Malformed | ScopeError::TooMany => {
            Denial::Malformed(Malformed::Parameter)
        }
    }
}

/// The denial that an outcome calls for, if it admits nothing.
fn limit_denial(outcome: &Outcome) -> Option<Denial> {
    if outcome.admitted {
        return None;
    }
    if outcome.never {
        return Some(Denial::TooCostly);
    }
    Some(Denial::LimitReached(LimitReached {
        violated: outcome.violated().map(str::to_owned).collect(),
        retry_after: outcome.retry_after,
        standings: outcome.standings.clone(),
    }))
}
