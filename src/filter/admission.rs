//! Admission by API key: judged and charged before anything else, so that guessing tokens costs the guesser.

use std::rc::Rc;

use super::stage::{AddressFor, After, Stage};
use super::{Request, Step};
use crate::denial::Denial;
use crate::fetch::Outlook;
use crate::head::Head;
use crate::limits::ledger::{Outcome, StoreError};
use crate::route::Credential;
use crate::time::Now;
use crate::worker::{KeyJudged, Worker};

impl Request {
    /// Judges the key if the route asks for one; without one there is nothing to admit by.
    pub(super) fn admit<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        if self.route_of(worker).is_none_or(|route| !route.requires(Credential::ApiKey)) {
            return self.credentials(worker, head, now);
        }
        match worker.api_key(head, self.arrival, now) {
            KeyJudged::Refused => self.charge_address(worker, head, now, AddressFor::RefusedKey),
            KeyJudged::Key(key) => {
                self.key = Some(Rc::clone(&key));
                // What its head does not tell for sure costs the weight; the request is refused for it later.
                let cost = self.cost_of_head(worker, head).unwrap_or_else(|_| self.weight(worker));
                match self.charge_tier(worker, key.tier, &key.owners, cost, Stage::Admission) {
                    Some(step) => step,
                    None => self.admitted(worker, head, now),
                }
            }
            KeyJudged::List(Outlook::Wait, wait) => self.proceed(worker, head, After::Wait(wait)),
            KeyJudged::List(Outlook::Fail { retry_after }, _) => {
                self.deny(worker, Denial::KeysUnavailable { retry_after })
            }
            KeyJudged::List(Outlook::Fresh, _) => self.deny(worker, Denial::Unavailable),
        }
    }

    /// Whatever else is wrong with the request, a wrong key wins.
    pub(super) fn on_refused_key<'h>(&mut self, worker: &mut Worker, outcome: Result<Outcome, StoreError>) -> Step<'h> {
        let denial = self.judge_address(worker, outcome).err();
        self.deny(worker, denial.unwrap_or(Denial::KeyRefused))
    }

    pub(super) fn on_admission<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.take_plan(worker, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(()) => self.admitted(worker, head, now),
        }
    }

    fn admitted<'h>(&mut self, worker: &mut Worker, head: &'h Head, now: Now) -> Step<'h> {
        if let Err(denial) = self.cost_of_head(worker, head) {
            return self.deny(worker, denial);
        }
        if self.route_of(worker).is_some_and(|route| !route.failure_limits.is_empty()) {
            return self.charge_address(worker, head, now, AddressFor::Failures);
        }
        self.credentials(worker, head, now)
    }

    /// Charged before the request is forwarded: of a burst that races, no more than the limit get through to fail.
    pub(super) fn on_failures<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Now,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.judge_address(worker, outcome) {
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
