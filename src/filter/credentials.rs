//! Credentials: the budgets of the source address, the token, and waiting for its keys.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use smallvec::smallvec;

use super::stage::{AddressFor, After, Guard, Stage};
use super::{Request, Step, limit_denial, note_overflow};
use crate::api_key::ApiKey;
use crate::caller::Caller;
use crate::denial::Denial;
use crate::document::DocumentId;
use crate::fetch::Outlook;
use crate::head::{Bearer, Head};
use crate::limits::ledger::{Charge, Outcome, StoreError};
use crate::limits::owner::Owner;
use crate::metrics::{CacheResult, Count};
use crate::opaque::lookup::{Found, Lookup};
use crate::route::Credential;
use crate::time::Now;
use crate::worker::{Judged, KeyJudged, Shown, Worker};

impl Request {
    /// Charges a budget of the source address, once the address is known.
    #[inline(never)]
    pub(super) fn charge_address<'h>(
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
                (Owner::address(&worker.secret, &route.path.template, address), Rc::clone(&route.address_limits))
            }
            AddressFor::Failures => {
                let (Some(route), Some(key)) = (self.route_of(worker), &self.key) else {
                    return self.deny(worker, Denial::Unavailable);
                };
                let purpose = format!("failures {} {}", key.id, route.path.template);
                (Owner::address(&worker.secret, &purpose, address), Rc::clone(&route.failure_limits))
            }
            AddressFor::RefusedKey if worker.config.failed_credentials.is_empty() => {
                return self.deny(worker, self.key_denial(worker));
            }
            AddressFor::RefusedKey => {
                self.stage = Stage::RefusedKey;
                return Step::Charge(smallvec![guard_charge(worker, address)]);
            }
            AddressFor::Guard(judged) => return self.guard(worker, head, now, *judged),
        };
        self.stage = if matches!(purpose, AddressFor::Limits) { Stage::AddressLimits } else { Stage::Failures };
        Step::Charge(smallvec![Charge { owner, limits, requests: 1, cost: 0 }])
    }

    pub(super) fn on_address_limits<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.judge_address(worker, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(outcome) => {
                self.standings = outcome.standings;
                self.admit(worker, head, now)
            }
        }
    }

    /// What became of the charge of a budget of the source address; an error if it is a denial that is enforced.
    pub(super) fn judge_address(
        &self,
        worker: &mut Worker,
        outcome: Result<Outcome, StoreError>,
    ) -> Result<Outcome, Denial> {
        let outcome = outcome.map_err(|_| Denial::Unavailable)?;
        note_overflow(worker, &outcome);
        let dry_run = worker.reports_only(self.tier());
        match limit_denial(&outcome) {
            Some(denial) if !self.only_report(worker, dry_run, &denial) => Err(denial),
            _ => Ok(outcome),
        }
    }

    /// Cached callers need no crypto and so no guard.
    pub(super) fn credentials<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        if self.route_of(worker).is_none_or(|route| !route.accepts(Credential::Bearer)) {
            return self.scope(worker, head);
        }
        // A token that is known was read when it came first.
        let shown = head.unread_bearer().map(|token| worker.shown(token));
        if let Some((shown, caller)) = shown.and_then(|shown| Some((shown, worker.cached(shown, now)?))) {
            worker.metrics.count(Count::Cache(CacheResult::Hit));
            if !self.route_of(worker).is_some_and(|r| r.issuers.contains(&caller.issuer)) {
                return self.judge_shown(worker, head, now, shown);
            }
            return self.bind(worker, head, caller);
        }
        match (head.bearer(), shown) {
            (Bearer::Absent, _) => self.deny(worker, Denial::TokenMissing),
            (Bearer::Token(_), Some(shown)) => {
                worker.metrics.count(Count::Cache(CacheResult::Miss));
                self.judge_shown(worker, head, now, shown)
            }
            (Bearer::Malformed | Bearer::Token(_), _) => self.guard(worker, head, now, Judged::Invalid),
        }
    }

    /// Judges the token of a request that has waited.
    pub(super) fn judge<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        let Bearer::Token(token) = head.bearer() else {
            return self.deny(worker, Denial::TokenInvalid);
        };
        let shown = worker.shown(token);
        self.judge_shown(worker, head, now, shown)
    }

    fn judge_shown<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now, shown: Shown<'_>) -> Step<'h> {
        let issuers = match self.route_of(worker) {
            Some(route) => route.issuers.clone(),
            None => return self.deny(worker, Denial::Unavailable),
        };
        let judged = worker.judge(shown, &issuers, self.arrival, now);
        self.guard(worker, head, now, judged)
    }

    /// Asks the budget of the address, unless it or an API key's account was charged already, before more is done about a
    /// token than reading it. A signature is checked before the request goes on, so it is charged only if it turns out bad;
    /// whatever fails already, or may have to wait, is charged first.
    pub(super) fn guard<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now, judged: Judged) -> Step<'h> {
        if self.key.is_some() || matches!(self.guard, Guard::Charged(_)) {
            return self.on_judged(worker, head, now, judged);
        }
        let Some(address) = self.address else {
            self.stage = Stage::Address(AddressFor::Guard(Box::new(judged)));
            return Step::NeedAddress;
        };
        if worker.config.failed_credentials.is_empty() {
            return self.on_judged(worker, head, now, judged);
        }
        let charge = guard_charge(worker, address);
        if matches!(judged, Judged::Verify(..)) {
            self.stage = Stage::Foreseeing(charge.clone(), Box::new(judged));
            return Step::Foresee(charge);
        }
        self.stage = Stage::Guard(Box::new(judged));
        Step::Charge(smallvec![charge])
    }

    pub(super) fn on_guard<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        judged: Judged,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.judge_address(worker, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(outcome) => {
                self.guard = outcome.receipt.map_or(Guard::Off, Guard::Charged);
                self.on_judged(worker, head, now, judged)
            }
        }
    }

    /// Notes what the credential will cost if it fails; an error if there is no room for that.
    pub(super) fn on_foreseen(
        &mut self,
        worker: &mut Worker,
        charge: Charge,
        outcome: Result<Outcome, StoreError>,
    ) -> Result<(), Denial> {
        // What shares a budget is counted where it is charged.
        let outcome = outcome.map(|outcome| Outcome { overflow: false, ..outcome });
        let outcome = self.judge_address(worker, outcome)?;
        // What a dry run has reported, it need not try again.
        self.guard = if outcome.admitted { Guard::Due(charge) } else { Guard::Off };
        Ok(())
    }

    /// Refuses a credential; the address pays for it.
    fn fail<'h>(&mut self, worker: &mut Worker, denial: Denial) -> Step<'h> {
        match std::mem::take(&mut self.guard) {
            Guard::Due(charge) => {
                self.stage = Stage::Failed(denial);
                Step::Charge(smallvec![charge])
            }
            Guard::Off | Guard::Charged(_) => self.deny(worker, denial),
        }
    }

    /// Of a burst that races, as many learn why they failed as the budget has room for.
    pub(super) fn on_failed<'h>(
        &mut self,
        worker: &mut Worker,
        denial: Denial,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        let denial = self.judge_address(worker, outcome).err().unwrap_or(denial);
        self.deny(worker, denial)
    }

    pub(super) fn on_found<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        lookup: &Lookup,
        found: Result<Found, StoreError>,
    ) -> Step<'h> {
        let (Some(token), Ok(found)) = (head.unread_bearer(), found) else {
            return self.deny(worker, Denial::Unavailable);
        };
        let judged = worker.on_found(token, lookup, &found, self.arrival, now);
        self.on_judged(worker, head, now, judged)
    }

    /// A failed credential keeps the charge of the guard, and an unknown `kid` while it waits, so that no address can hold all
    /// places; everything else gives it back.
    #[inline(never)]
    pub(super) fn on_judged<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now, judged: Judged) -> Step<'h> {
        let after = match judged {
            Judged::KnownBad => {
                worker.metrics.count(Count::Cache(CacheResult::Bad));
                return self.fail(worker, Denial::TokenInvalid);
            }
            Judged::Invalid | Judged::Keys(Outlook::Fresh, _) => return self.fail(worker, Denial::TokenInvalid),
            Judged::Expired => return self.fail(worker, Denial::TokenExpired),
            Judged::Revoked => return self.fail(worker, Denial::TokenRevoked),
            Judged::Verify(check, untrusted) => {
                let Some(token) = head.unread_bearer() else {
                    return self.deny(worker, Denial::TokenInvalid);
                };
                self.stage = Stage::Verifying(untrusted);
                return Step::Verify(Box::new(check.of(token)));
            }
            Judged::Listed(listed) => {
                let Some(token) = head.unread_bearer() else {
                    return self.deny(worker, Denial::TokenInvalid);
                };
                let judged = worker.on_listed(token, &listed, now);
                return self.on_judged(worker, head, now, judged);
            }
            Judged::Lookup(lookup) => {
                self.stage = Stage::LookingUp(lookup.clone());
                return Step::Lookup(lookup);
            }
            Judged::Caller(caller) => After::Bind(caller),
            // Any string may wait for the list of tokens.
            Judged::Keys(Outlook::Wait, wait) if wait.has_document() || wait.document == DocumentId::Tokens => {
                worker.want_other(&wait, self.arrival, now);
                return self.proceed(worker, head, After::Wait(wait));
            }
            Judged::Keys(Outlook::Wait, wait) => After::Wait(wait),
            Judged::Keys(Outlook::Fail { retry_after }, _) => After::Deny(Denial::KeysUnavailable { retry_after }),
        };
        match std::mem::take(&mut self.guard) {
            Guard::Charged(receipt) => {
                self.stage = Stage::Refunding(after);
                Step::Refund(receipt)
            }
            Guard::Due(_) | Guard::Off => self.proceed(worker, head, after),
        }
    }

    /// Why the credentials that let a request wait are good no more: it may have waited for as long as Envoy lets it.
    #[inline(never)]
    pub(super) fn lapsed(&self, worker: &Worker, now: Now) -> Option<Denial> {
        if let Some(key) = &self.key {
            match worker.api_key_again(key, self.arrival, now) {
                KeyJudged::Key(current) if self.is_same_key(worker, &current, key) => {}
                KeyJudged::List(..) => return Some(Denial::KeysUnavailable { retry_after: Duration::ZERO }),
                KeyJudged::Key(_) | KeyJudged::Refused => return Some(self.key_denial(worker)),
            }
            // No token that could expire or be revoked.
            if self.is_key_alone(worker) {
                return None;
            }
        }
        let caller = self.caller.as_ref()?;
        if now >= caller.not_after {
            return Some(Denial::TokenExpired);
        }
        match worker.is_revoked(caller, now) {
            Some(false) => None,
            Some(true) => Some(Denial::TokenRevoked),
            None => Some(Denial::KeysUnavailable { retry_after: Duration::ZERO }),
        }
    }

    /// Whether a key that was accepted is listed as it was; alone, it must open what it opened.
    fn is_same_key(&self, worker: &Worker, current: &ApiKey, key: &ApiKey) -> bool {
        let opens_same = current.grants == key.grants && current.tier == key.tier;
        current.account == key.account && (opens_same || !self.is_key_alone(worker))
    }

    /// Looks a listed token up once more when the body is there: its list is all that can void it. `None`: it stands as it was.
    #[inline(never)]
    pub(super) fn look_again<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Option<Step<'h>> {
        let caller = self.caller.clone()?;
        let is_listed = worker.config.issuers.get(caller.issuer).is_some_and(|issuer| issuer.tokens().is_some());
        if !is_listed || self.is_key_alone(worker) || std::mem::replace(&mut self.looked_again, true) {
            return None;
        }
        let Bearer::Token(token) = head.bearer() else {
            return Some(self.deny(worker, Denial::TokenInvalid));
        };
        let shown = worker.shown(token);
        let judged = match worker.cached(shown, now) {
            Some(current) => Judged::Caller(current),
            None => match worker.judge(shown, &[caller.issuer], self.arrival, now) {
                Judged::Listed(listed) => worker.on_listed(token, &listed, now),
                judged => judged,
            },
        };
        self.on_judged_again(worker, &caller, judged)
    }

    #[inline(never)]
    pub(super) fn on_found_again<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        lookup: &Lookup,
        found: Result<Found, StoreError>,
    ) -> Step<'h> {
        let (Bearer::Token(token), Ok(found), Some(caller)) = (head.bearer(), found, self.caller.clone()) else {
            return self.deny(worker, Denial::Unavailable);
        };
        let judged = worker.on_found(token, lookup, &found, self.arrival, now);
        match self.on_judged_again(worker, &caller, judged) {
            Some(step) => step,
            // The body is handed over once more.
            None => self.hold(worker),
        }
    }

    fn on_judged_again<'h>(&mut self, worker: &mut Worker, caller: &Caller, judged: Judged) -> Option<Step<'h>> {
        let denial = match judged {
            Judged::Caller(current) if current.is_same_grant(caller) => return None,
            Judged::Lookup(lookup) => {
                self.stage = Stage::LookingUpAgain(lookup.clone());
                return Some(Step::Lookup(lookup));
            }
            Judged::Expired => Denial::TokenExpired,
            Judged::Keys(..) => Denial::KeysUnavailable { retry_after: Duration::ZERO },
            _ => Denial::TokenInvalid,
        };
        Some(self.deny(worker, denial))
    }

    pub(super) fn proceed<'h>(&mut self, worker: &mut Worker, head: &'h Head, after: After) -> Step<'h> {
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
}

/// What a failed credential costs its address.
fn guard_charge(worker: &mut Worker, address: IpAddr) -> Charge {
    let limits = Rc::clone(&worker.config.failed_credentials);
    Charge { owner: worker.guessing(address), limits, requests: 1, cost: 0 }
}
