//! Admission by API key: the key is validated and charged before anything else, so that guessing tokens costs the guesser.

use std::rc::Rc;

use super::stage::{AddressFor, After, Stage};
use super::{Request, Step};
use crate::answer::denial::Denial;
use crate::credentials::api_key::{ApiKey, Presented};
use crate::credentials::fetch::Outlook;
use crate::credentials::retirement::Class;
use crate::filter::worker::{KeyResult, Worker};
use crate::http::basic::{self, Basic};
use crate::http::head::{Head, Known};
use crate::limits::ledger::{Outcome, StoreError};
use crate::policy::route::{Credential, Route};
use crate::values::time::Timestamp;

impl Request {
    /// Validates the key if the route asks for one; without one there is nothing to admit by.
    #[inline(never)]
    pub(super) fn admit<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp) -> Step<'h> {
        let Some(route) = self.route_of(worker) else {
            return self.deny(worker, Denial::Unavailable);
        };
        if route.is_either() {
            return self.admit_either(worker, head, now);
        }
        if !route.requires(Credential::ApiKey) {
            return self.credentials(worker, head, now);
        }
        match worker.api_key(head, self.arrival, now) {
            KeyResult::Key(key) => {
                self.key = Some(Rc::clone(&key));
                if let Some(denial) = self.retire(worker, Class::ApiKeys, &key.client) {
                    return self.deny(worker, denial);
                }
                // What its head does not tell for sure costs the weight; the request is refused for it later.
                let cost = self.cost_of_head(worker, head).unwrap_or_else(|_| self.weight(worker));
                match self.charge_tier(worker, self.tier(), &key.limit_keys, cost, Stage::Admission) {
                    Some(step) => step,
                    None => self.admitted(worker, head, now),
                }
            }
            result => self.without_key(worker, head, now, &result),
        }
    }

    /// Where a key or a token will do, exactly one must be shown.
    #[inline(never)]
    fn admit_either<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp) -> Step<'h> {
        let presented = worker.presented_key(head);
        let is_basic =
            worker.config.api_keys.as_ref().is_some_and(|keys| keys.basic) && basic::user(head) != Basic::Absent;
        let is_joined = head.known(Known::Authorization).is_ok_and(|value| value.is_some_and(|it| it.contains(&b',')));
        let is_bearer = head.has(Known::Authorization) && !is_basic;
        match presented {
            Presented::Doubled => self.deny(worker, Denial::CredentialsAmbiguous),
            _ if is_joined || head.known(Known::Authorization).is_err() => {
                self.deny(worker, Denial::CredentialsAmbiguous)
            }
            Presented::Absent => self.credentials(worker, head, now),
            Presented::Key(_) | Presented::Malformed if is_bearer => self.deny(worker, Denial::CredentialsAmbiguous),
            Presented::Key(_) | Presented::Malformed => match worker.api_key(head, self.arrival, now) {
                KeyResult::Key(key) => self.admit_alone(worker, head, &key),
                result => self.without_key(worker, head, now, &result),
            },
        }
    }

    /// A key without a token: the client that it names is the caller, and what it opens is what its entry lists.
    fn admit_alone<'h>(&mut self, worker: &mut Worker, head: &'h Head, key: &Rc<ApiKey>) -> Step<'h> {
        self.caller = worker.key_caller(key).map(Rc::new);
        self.key = Some(Rc::clone(key));
        if let Some(denial) = self.retire(worker, Class::ApiKeys, &key.client) {
            return self.deny(worker, denial);
        }
        let refused = self.caller.as_ref().map(|caller| caller.refused.clone());
        match refused {
            None => self.deny(worker, Denial::KeyRefused),
            Some(Some(denial)) => self.deny(worker, denial),
            Some(None) => self.plan(worker, head, self.tier(), &key.limit_keys),
        }
    }

    fn without_key<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp, result: &KeyResult) -> Step<'h> {
        match result {
            KeyResult::Refused => self.charge_address(worker, head, now, AddressFor::RefusedKey),
            KeyResult::List(Outlook::Wait, wait) => self.proceed(worker, head, After::Wait(*wait)),
            KeyResult::List(Outlook::Fail { retry_after }, _) => {
                self.deny(worker, Denial::KeysUnavailable { retry_after: *retry_after })
            }
            KeyResult::List(Outlook::Fresh, _) | KeyResult::Key(_) => self.deny(worker, Denial::Unavailable),
        }
    }

    /// What a wrong key is answered with: it stands in for a token where either will do.
    pub(super) fn key_denial(&self, worker: &Worker) -> Denial {
        if self.route_of(worker).is_some_and(Route::is_either) { Denial::KeyInvalid } else { Denial::KeyRefused }
    }

    /// Whether the request shows a key where a token would do as well.
    pub(super) fn is_key_alone(&self, worker: &Worker) -> bool {
        self.key.is_some() && self.route_of(worker).is_some_and(Route::is_either)
    }

    /// Whatever else is wrong with the request, a wrong key wins.
    pub(super) fn on_refused_key<'h>(
        &mut self,
        worker: &mut Worker,
        now: Timestamp,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        let denial = self.check_failure_outcome(worker, now, outcome).err().unwrap_or_else(|| self.key_denial(worker));
        self.deny(worker, denial)
    }

    #[inline(never)]
    pub(super) fn on_admission<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.take_plan(worker, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(()) => self.admitted(worker, head, now),
        }
    }

    fn admitted<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Timestamp) -> Step<'h> {
        if let Err(denial) = self.cost_of_head(worker, head) {
            return self.deny(worker, denial);
        }
        if self.route_of(worker).is_some_and(|route| !route.failure_limits.is_empty()) {
            return self.charge_address(worker, head, now, AddressFor::Failures);
        }
        self.credentials(worker, head, now)
    }

    /// Charged before the request is forwarded: of a burst that races, no more than the limit get through to fail.
    #[inline(never)]
    pub(super) fn on_failures<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.check_address_outcome(worker, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(outcome) => {
                self.failure = outcome.receipt;
                self.credentials(worker, head, now)
            }
        }
    }
}

#[cfg(test)]
mod tests;
