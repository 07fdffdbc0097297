//! One request as an explicit state machine: events in, steps out.
//!
//! The order is fixed: strip (by the shell, before anything else), route, admission, credentials, binding, plan, scope,
//! body, forward. Every path ends in exactly one `Pass` or `Deny`; whatever comes after gets `Nothing`, but for the reply
//! of the upstream. Whatever needs the host (a signature, shared data, an address, time to pass) is a step, and its result an
//! event, so that every interleaving can be tested without Envoy.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use crate::answer::denial::{Denial, LimitReached, Malformed};
use crate::answer::rate_fields;
use crate::credentials::api_key::ApiKey;
use crate::credentials::reason::Reason;
use crate::credentials::retirement::Notice;
use crate::filter::caller::Caller;
use crate::filter::document::DocumentId;
use crate::filter::metrics::Count;
use crate::filter::worker::{Untrusted, Wait, Worker};
use crate::http::head::Head;
use crate::http::path::RawPath;
use crate::http::query;
use crate::http::strip::{self, Connection};
use crate::limits::ledger::{LimitStatus, Outcome, Receipt};
use crate::policy::cost;
use crate::policy::route::{self, Found, Route};
use crate::values::time::Timestamp;

mod address_limits;
mod admission;
mod body;
mod edits;
mod plan;
mod retirement;
mod scope;
mod stage;
mod step;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod token;

pub use edits::Edit;
use stage::{AddressFor, Guard, Stage};
pub use step::{Event, Forward, ReplyEdits, ReplyHead, Step};

/// One request.
#[derive(Debug, Default)]
pub struct Request {
    stage: Stage,
    arrival: Timestamp,
    route: Option<usize>,
    address: Option<IpAddr>,
    guard: Guard,
    key: Option<Rc<ApiKey>>,
    failure: Option<Receipt>,
    caller: Option<Rc<Caller>>,
    /// Where the credential stands whose class has a schedule, if one was shown.
    retirement: Option<Notice>,
    throttled: Option<usize>,
    /// The charge of the plan, and the whole cost; then the charge of what the body added, and that part of the cost.
    receipt: Option<Receipt>,
    cost: u32,
    rest: Option<Receipt>,
    rest_cost: u32,
    /// Whether the request names a school or a district.
    names_scope: bool,
    statuses: Vec<LimitStatus>,
    rewrite_connection: bool,
    /// Whether a listed token was looked at a second time, once the body was there.
    looked_again: bool,
    decision: Option<&'static str>,
    /// Why the token is refused.
    reason: Option<Reason>,
    /// The code of the first denial that a dry run let pass.
    would_deny: Option<&'static str>,
    /// The limit that refused, or would have; of several, the one that binds longest.
    limit: Option<String>,
}

impl Request {
    /// Takes the request one step further. `head` is the request's head, the same at every call.
    pub fn step<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp, event: Event<'_>) -> Step<'h> {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        match (stage, event) {
            (Stage::New, Event::Head) => self.on_head(worker, head, now),
            (Stage::Address(purpose), Event::Address(address)) => {
                // Sources that Envoy cannot tell apart share one budget.
                self.address = Some(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
                self.charge_address(worker, head, now, purpose)
            }
            (Stage::AddressLimits, Event::Charged(outcome)) => self.on_address_limits(worker, head, now, outcome),
            (Stage::Guard(result), Event::Charged(outcome)) => self.on_guard(worker, head, now, *result, outcome),
            (Stage::Peeking(charge, result), Event::Peeked(outcome)) => {
                match self.on_peeked(worker, now, charge, outcome) {
                    Err(denial) => self.deny(worker, denial),
                    Ok(()) => self.on_token_result(worker, head, now, *result),
                }
            }
            (Stage::Failed(denial), Event::Charged(outcome)) => self.on_failed(worker, now, denial, outcome),
            (Stage::Verifying(untrusted), Event::Verified(valid)) => {
                self.on_verified(worker, head, now, &untrusted, valid)
            }
            (Stage::LookingUp(lookup), Event::Found(found)) => self.on_found(worker, head, now, &lookup, found),
            (Stage::Refunding(after), Event::Refunded) => {
                if let Some(address) = self.address {
                    worker.note_refund(address);
                }
                self.proceed(worker, head, after)
            }
            (Stage::Certificate(caller), Event::Certificate(certificate)) => {
                self.on_certificate(worker, head, caller, certificate)
            }
            (Stage::Waiting(wait), Event::Ready) => self.on_ready(worker, head, now, wait),
            (Stage::Waiting(_), Event::Gone) => {
                worker.waiting = worker.waiting.saturating_sub(1);
                Step::Nothing
            }
            (Stage::RefusedKey, Event::Charged(outcome)) => self.on_refused_key(worker, now, outcome),
            (Stage::Admission, Event::Charged(outcome)) => self.on_admission(worker, head, now, outcome),
            (Stage::Failures, Event::Charged(outcome)) => self.on_failures(worker, head, now, outcome),
            (Stage::Planned, Event::Charged(outcome)) => self.on_plan(worker, head, outcome),
            (Stage::Body, Event::Body(bytes)) => self.on_whole_body(worker, head, now, bytes),
            (Stage::LookingUpAgain(lookup), Event::Found(found)) => {
                self.on_found_again(worker, head, now, &lookup, found)
            }
            (Stage::Body, Event::TooBig) => self.deny(worker, Denial::BodyTooLarge),
            (Stage::Rest, Event::Charged(outcome)) => self.on_rest(worker, outcome),
            (Stage::Passed, Event::Reply(reply)) => self.on_reply(worker, reply),
            (_, Event::Gone) => Step::Nothing,
            (stage, _) => {
                self.stage = stage;
                Step::Nothing
            }
        }
    }

    /// Whether a request that waits for keys should get [`Event::Ready`].
    pub fn is_ready(&self, worker: &Worker, now: Timestamp) -> bool {
        matches!(&self.stage, Stage::Waiting(wait) if now < self.arrival || worker.is_over(wait, self.arrival, now))
    }

    /// Whether the request waits for keys.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_))
    }

    /// Whether the request may go to the upstream.
    pub const fn is_passed(&self) -> bool {
        matches!(self.stage, Stage::Passed | Stage::Replied)
    }

    /// Whether [`ReplyHead::status`] matters.
    pub const fn needs_status(&self) -> bool {
        self.failure.is_some()
    }

    /// Closes a request whose last step could not be carried out: nothing of it may pass any more.
    pub fn abort(&mut self) {
        self.stage = Stage::Closed;
        self.decision = Some(Denial::Unavailable.code());
    }

    /// The decision for the access log: `allow` or a denial's code; `None` while there is none.
    pub const fn decision(&self) -> Option<&'static str> {
        self.decision
    }

    /// Why the token is refused, for operators; the client is not told.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason.map(Reason::name)
    }

    /// The code of the first denial that a dry run let pass.
    pub const fn would_deny(&self) -> Option<&'static str> {
        self.would_deny
    }

    /// The limit that refused, or that a dry run let pass; of several, the one that binds longest.
    pub fn limit(&self) -> Option<&str> {
        self.limit.as_deref()
    }

    /// Who is calling, once known.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_deref()
    }

    /// The API key, once it was accepted.
    pub fn api_key(&self) -> Option<&ApiKey> {
        self.key.as_deref()
    }

    /// The id of the client that calls, once a credential was accepted.
    pub fn client(&self) -> Option<&str> {
        edits::client(self.api_key(), self.caller())
    }

    /// What the request was charged, as far as its cost is known; 0: nothing.
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// Where the credential stands, if it is of a class that has a schedule.
    pub const fn retirement(&self) -> Option<&Notice> {
        self.retirement.as_ref()
    }

    /// The tier whose limits hold, by index: that of the API key's client, else that of the token; or the harder one of
    /// a schedule in its place.
    pub fn tier(&self) -> Option<usize> {
        let own = match &self.key {
            Some(key) => key.tier,
            None => self.caller.as_ref().and_then(|caller| caller.tier),
        };
        own.and_then(|own| self.throttled.or(Some(own)))
    }

    /// The template of the route, once known.
    pub fn template<'w>(&self, worker: &'w Worker) -> Option<&'w str> {
        Some(worker.config.routes.get(self.route?)?.path.template.as_str())
    }

    #[inline(never)]
    fn on_head<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp) -> Step<'h> {
        self.arrival = now;
        let (Some(method), Some(path), true) = (head.method(), head.path(), head.is_sound()) else {
            return self.deny(worker, Denial::Malformed(Malformed::Head));
        };
        let Ok(path) = RawPath::parse(path) else {
            return self.deny(worker, Denial::Malformed(Malformed::Path));
        };
        if path.query.is_some_and(query::overrides_method) {
            return self.deny(worker, Denial::Malformed(Malformed::Parameter));
        }
        let authority = head.authority().unwrap_or_default();
        let preflight = route::is_preflight(head);
        match route::find(&worker.config.routes, authority, &path, method, preflight) {
            Found::None => self.deny(worker, Denial::NoRoute),
            Found::WrongMethod(allow) => self.deny(worker, Denial::MethodNotAllowed(allow)),
            Found::Ambiguous => self.deny(worker, Denial::Malformed(Malformed::Path)),
            Found::Preflight(index) => self.on_route(worker, head, now, index, true),
            Found::Route(index) => self.on_route(worker, head, now, index, false),
        }
    }

    fn on_route<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        index: usize,
        is_preflight: bool,
    ) -> Step<'h> {
        self.route = Some(index);
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
        if is_preflight {
            return self.pass(worker);
        }
        if has_limits {
            return self.charge_address(worker, head, now, AddressFor::Limits);
        }
        self.admit(worker, head, now)
    }

    #[cold]
    fn on_verified<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        untrusted: &Untrusted,
        valid: bool,
    ) -> Step<'h> {
        let Some(token) = head.unread_bearer() else {
            return self.deny(worker, Denial::TokenInvalid);
        };
        let result = worker.on_verified(token, untrusted, valid, self.arrival, now);
        self.on_token_result(worker, head, now, result)
    }

    #[cold]
    fn on_ready<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp, wait: Wait) -> Step<'h> {
        worker.waiting = worker.waiting.saturating_sub(1);
        // A clock set back must not put the deadline off.
        self.arrival = self.arrival.min(now);
        if wait.document == DocumentId::ApiKeys {
            return self.admit(worker, head, now);
        }
        match self.lapsed(worker, now) {
            Some(denial) => self.deny(worker, denial),
            None => self.validate_token(worker, head, now),
        }
    }

    #[inline(never)]
    fn on_whole_body<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp, bytes: &[u8]) -> Step<'h> {
        if let Some(denial) = self.lapsed(worker, now) {
            return self.deny(worker, denial);
        }
        match self.look_again(worker, head, now) {
            Some(step) => step,
            None => self.on_body(worker, bytes),
        }
    }

    #[inline(never)]
    fn on_reply<'h>(&mut self, worker: &Worker, reply: ReplyHead<'_>) -> Step<'h> {
        let mut fields = if worker.config.rate_limit_headers_when_refused {
            Vec::new()
        } else {
            rate_fields::fields(worker.config.rate_limit_headers, &self.statuses)
        };
        let announced = self.retirement.as_ref().and_then(Notice::fields);
        fields.extend(
            announced
                .into_iter()
                .flat_map(|it| [("deprecation", it.deprecation.clone()), ("sunset", it.sunset.clone())]),
        );
        let link = announced.map(|it| it.link.clone());
        let actual = reply.settlement.and_then(cost::settled);
        let settle = actual.map_or_else(Vec::new, |actual| self.settlement(actual));
        // A failure was charged before anyone knew: what went well gives it back.
        let refund = self.failure.take_if(|_| (100..400).contains(&reply.status));
        self.stage = Stage::Replied;
        Step::Reply(ReplyEdits { fields, link, settle, refund })
    }

    /// What of the actual cost falls to which charge: where there were two, the later one takes what the first does not.
    fn settlement(&mut self, actual: u32) -> Vec<(Receipt, u32)> {
        let Some(rest) = self.rest.take() else {
            return self.receipt.take().map(|receipt| (receipt, actual)).into_iter().collect();
        };
        let first = self.cost.saturating_sub(self.rest_cost).min(actual);
        let first = self.receipt.take().map(|receipt| (receipt, first));
        let first_cost = first.as_ref().map_or(0, |(_, cost)| *cost);
        first.into_iter().chain([(rest, actual.saturating_sub(first_cost))]).collect()
    }

    fn pass<'h>(&mut self, worker: &mut Worker) -> Step<'h> {
        worker.metrics.count(Count::Allowed(self.tier()));
        self.decision = Some("allow");
        self.stage = Stage::Passed;
        Step::Pass(Forward {
            caller: self.caller.clone(),
            key: self.key.clone(),
            key_alone: self.is_key_alone(worker),
            tier: self.tier(),
            rewrite_connection: self.rewrite_connection,
        })
    }

    #[inline(never)]
    fn deny<'h>(&mut self, worker: &mut Worker, denial: Denial) -> Step<'h> {
        worker.metrics.count(Count::Denied(denial.index(), self.tier()));
        self.decision = Some(denial.code());
        self.stage = Stage::Closed;
        // A token may end, or be revoked, while its request is held.
        self.reason = match denial {
            Denial::TokenExpired => Some(Reason::Expired),
            Denial::TokenRevoked => Some(Reason::Revoked),
            Denial::TokenInvalid => self.reason,
            _ => None,
        };
        if let Some(reason) = self.reason {
            worker.metrics.count(Count::Reason(reason));
        }
        self.limit = violated(&denial).or_else(|| self.limit.take());
        Step::Deny(denial)
    }

    /// Notes and counts what a dry run lets pass; says whether it does.
    fn only_report(&mut self, worker: &mut Worker, dry_run: bool, denial: &Denial) -> bool {
        if dry_run {
            worker.metrics.count(Count::WouldDeny(denial.index(), self.tier()));
            if self.would_deny.is_none() {
                self.would_deny = Some(denial.code());
                self.limit = violated(denial);
            }
        }
        dry_run
    }

    fn route_of<'w>(&self, worker: &'w Worker) -> Option<&'w Route> {
        worker.config.routes.get(self.route?)
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
        statuses: outcome.refusing().into_iter().cloned().collect(),
    }))
}

/// The limit of a denial that binds longest.
fn violated(denial: &Denial) -> Option<String> {
    match denial {
        Denial::LimitReached(limit) => limit.violated.first().cloned(),
        _ => None,
    }
}

/// Counts a charge to a budget that newcomers share.
fn note_overflow(worker: &mut Worker, outcome: &Outcome) {
    if outcome.overflow {
        worker.metrics.count(Count::Overflow);
    }
}
