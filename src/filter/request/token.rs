//! The token, and waiting for its keys.

use std::time::Duration;

use super::stage::{AddressFor, After, Guard, Stage};
use super::{Request, Step};
use crate::answer::denial::Denial;
use crate::credentials::api_key::ApiKey;
use crate::credentials::cache::Fingerprint;
use crate::credentials::fetch::Outlook;
use crate::credentials::opaque::lookup::{Found, Lookup};
use crate::credentials::reason::Reason;
use crate::filter::caller::Caller;
use crate::filter::document::DocumentId;
use crate::filter::metrics::{CacheResult, Count};
use crate::filter::worker::{KeyResult, PresentedCredential, TokenResult, Worker};
use crate::http::head::{Bearer, Head};
use crate::limits::ledger::StoreError;
use crate::policy::route::Credential;
use crate::values::time::Timestamp;

impl Request {
    /// Cached callers need no crypto and so no guard.
    pub(super) fn credentials<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp) -> Step<'h> {
        if self.route_of(worker).is_none_or(|route| !route.accepts(Credential::Bearer)) {
            return self.scope(worker, head);
        }
        // A token that is known was read when it came first.
        let presented = head.unread_bearer().map(|token| worker.presented(token));
        if let Some((presented, caller)) =
            presented.and_then(|presented| Some((presented, worker.cached(presented, now)?)))
        {
            worker.metrics.count(Count::Cache(CacheResult::Hit));
            if !self.route_of(worker).is_some_and(|r| r.issuers.contains(&caller.issuer)) {
                return self.validate_presented(worker, head, now, presented);
            }
            return self.bind(worker, head, caller);
        }
        match (head.bearer(), presented) {
            (Bearer::Absent, _) => self.deny(worker, Denial::TokenMissing),
            (Bearer::Token(_), Some(presented)) => {
                worker.metrics.count(Count::Cache(CacheResult::Miss));
                self.validate_presented(worker, head, now, presented)
            }
            (Bearer::Malformed | Bearer::Token(_), _) => {
                self.guard(worker, head, now, TokenResult::Refused(Reason::Syntax))
            }
        }
    }

    /// Validates the token of a request that has waited.
    pub(super) fn validate_token<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp) -> Step<'h> {
        let Bearer::Token(token) = head.bearer() else {
            return self.deny(worker, Denial::TokenInvalid);
        };
        let presented = worker.presented(token);
        self.validate_presented(worker, head, now, presented)
    }

    /// Validates a token once the address is known whose budget a bad token is charged to.
    pub(super) fn validate_with_address<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        print: Fingerprint,
    ) -> Step<'h> {
        match head.unread_bearer() {
            Some(token) => self.validate_presented(worker, head, now, PresentedCredential::again(token, print)),
            None => self.deny(worker, Denial::TokenInvalid),
        }
    }

    /// Where the address has nothing left the token is not even read: whatever it says, the answer is the same.
    fn validate_presented<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        presented: PresentedCredential<'_>,
    ) -> Step<'h> {
        if self.is_guarded(worker) {
            let Some(address) = self.address else {
                self.stage = Stage::Address(AddressFor::Token(presented.print()));
                return Step::NeedAddress;
            };
            // A dry run goes on, and reports once the token is read.
            if let (Some(outcome), false) = (worker.exhausted_failures(address, now), worker.reports_only(self.tier()))
                && let Err(denial) = self.check_address_outcome(worker, Ok(outcome))
            {
                return self.deny(worker, denial);
            }
        }
        let issuers = match self.route_of(worker) {
            Some(route) => route.issuers.clone(),
            None => return self.deny(worker, Denial::Unavailable),
        };
        let result = worker.validate_token(presented, &issuers, self.arrival, now);
        self.guard(worker, head, now, result)
    }

    pub(super) fn on_found<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        lookup: &Lookup,
        found: Result<Found, StoreError>,
    ) -> Step<'h> {
        let (Some(token), Ok(found)) = (head.unread_bearer(), found) else {
            return self.deny(worker, Denial::Unavailable);
        };
        let result = worker.on_found(token, lookup, &found, self.arrival, now);
        self.on_token_result(worker, head, now, result)
    }

    /// A failed credential keeps the charge of the guard, and an unknown `kid` while it waits, so that no address can hold all
    /// places; everything else gives it back.
    #[inline(never)]
    pub(super) fn on_token_result<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        result: TokenResult,
    ) -> Step<'h> {
        let after = match result {
            TokenResult::KnownBad => {
                worker.metrics.count(Count::Cache(CacheResult::Bad));
                return self.fail(worker, Reason::Signature);
            }
            TokenResult::Refused(reason) => return self.fail(worker, reason),
            TokenResult::Keys(Outlook::Fresh, _) => return self.fail(worker, Reason::Kid),
            TokenResult::Verify(check, untrusted) => {
                let Some(token) = head.unread_bearer() else {
                    return self.deny(worker, Denial::TokenInvalid);
                };
                self.stage = Stage::Verifying(untrusted);
                return Step::Verify(Box::new(check.of(token)));
            }
            TokenResult::Listed(listed) => {
                let Some(token) = head.unread_bearer() else {
                    return self.deny(worker, Denial::TokenInvalid);
                };
                let result = worker.on_listed(token, &listed, now);
                return self.on_token_result(worker, head, now, result);
            }
            TokenResult::Lookup(lookup) => {
                self.stage = Stage::LookingUp(lookup.clone());
                return Step::Lookup(lookup);
            }
            TokenResult::Caller(caller) => After::Bind(caller),
            // Any string may wait for the list of tokens.
            TokenResult::Keys(Outlook::Wait, wait) if wait.has_document() || wait.document == DocumentId::Tokens => {
                worker.want_other(&wait, self.arrival, now);
                return self.proceed(worker, head, After::Wait(wait));
            }
            TokenResult::Keys(Outlook::Wait, wait) => After::Wait(wait),
            TokenResult::Keys(Outlook::Fail { retry_after }, _) => After::Deny(Denial::KeysUnavailable { retry_after }),
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
    pub(super) fn lapsed(&self, worker: &Worker, now: Timestamp) -> Option<Denial> {
        if let Some(key) = &self.key {
            match worker.api_key_again(key, self.arrival, now) {
                KeyResult::Key(current) if self.is_same_key(worker, &current, key) => {}
                KeyResult::List(..) => return Some(Denial::KeysUnavailable { retry_after: Duration::ZERO }),
                KeyResult::Key(_) | KeyResult::Refused => return Some(self.key_denial(worker)),
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
        current.client == key.client && (opens_same || !self.is_key_alone(worker))
    }

    /// Looks a listed token up once more when the body is there: its list is all that can void it. `None`: it stands as it was.
    #[inline(never)]
    pub(super) fn look_again<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp) -> Option<Step<'h>> {
        let caller = self.caller.clone()?;
        let is_listed = worker.config.issuers.get(caller.issuer).is_some_and(|issuer| issuer.tokens().is_some());
        if !is_listed || self.is_key_alone(worker) || std::mem::replace(&mut self.looked_again, true) {
            return None;
        }
        let Bearer::Token(token) = head.bearer() else {
            return Some(self.deny(worker, Denial::TokenInvalid));
        };
        let presented = worker.presented(token);
        let result = match worker.cached(presented, now) {
            Some(current) => TokenResult::Caller(current),
            None => match worker.validate_token(presented, &[caller.issuer], self.arrival, now) {
                TokenResult::Listed(listed) => worker.on_listed(token, &listed, now),
                result => result,
            },
        };
        self.on_second_result(worker, &caller, result)
    }

    #[inline(never)]
    pub(super) fn on_found_again<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        lookup: &Lookup,
        found: Result<Found, StoreError>,
    ) -> Step<'h> {
        let (Bearer::Token(token), Ok(found), Some(caller)) = (head.bearer(), found, self.caller.clone()) else {
            return self.deny(worker, Denial::Unavailable);
        };
        let result = worker.on_found(token, lookup, &found, self.arrival, now);
        match self.on_second_result(worker, &caller, result) {
            Some(step) => step,
            // The body is handed over once more.
            None => self.hold(worker),
        }
    }

    fn on_second_result<'h>(&mut self, worker: &mut Worker, caller: &Caller, result: TokenResult) -> Option<Step<'h>> {
        let denial = match result {
            TokenResult::Caller(current) if current.is_same_grant(caller) => return None,
            TokenResult::Lookup(lookup) => {
                self.stage = Stage::LookingUpAgain(lookup.clone());
                return Some(Step::Lookup(lookup));
            }
            TokenResult::Refused(Reason::Expired) => Denial::TokenExpired,
            TokenResult::Keys(..) => Denial::KeysUnavailable { retry_after: Duration::ZERO },
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
