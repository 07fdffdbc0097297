//! Budgets of the source address: those that routes ask for, and that for failed credentials.

use std::net::IpAddr;
use std::rc::Rc;

use smallvec::smallvec;

use super::stage::{AddressFor, After, Guard, Stage};
use super::{Request, Step, limit_denial, note_overflow};
use crate::answer::denial::Denial;
use crate::credentials::reason::Reason;
use crate::filter::worker::{TokenResult, Worker};
use crate::http::head::Head;
use crate::limits::key::LimitKey;
use crate::limits::ledger::{Charge, Outcome, StoreError};
use crate::values::time::Timestamp;

impl Request {
    /// Charges a budget of the source address, or goes on with the token that needed the address; asks for the address first.
    #[inline(never)]
    pub(super) fn charge_address<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        purpose: AddressFor,
    ) -> Step<'h> {
        let Some(address) = self.address else {
            self.stage = Stage::Address(purpose);
            return Step::NeedAddress;
        };
        let (key, limits) = match purpose {
            AddressFor::Limits => {
                let Some(route) = self.route_of(worker) else {
                    return self.deny(worker, Denial::Unavailable);
                };
                (LimitKey::address(&route.path.template, address), Rc::clone(&route.address_limits))
            }
            AddressFor::Failures => {
                let (Some(route), Some(key)) = (self.route_of(worker), &self.key) else {
                    return self.deny(worker, Denial::Unavailable);
                };
                let purpose = format!("failures {} {}", key.id, route.path.template);
                (LimitKey::address(&purpose, address), Rc::clone(&route.failure_limits))
            }
            AddressFor::RefusedKey if worker.config.authentication_failures.is_empty() => {
                return self.deny(worker, self.key_denial(worker));
            }
            AddressFor::RefusedKey => {
                if let Some(outcome) = worker.exhausted_failures(address, now) {
                    return self.on_refused_key(worker, now, Ok(outcome));
                }
                self.stage = Stage::RefusedKey;
                return Step::Charge(smallvec![guard_charge(worker, address)]);
            }
            AddressFor::Token(print) => return self.validate_with_address(worker, head, now, print),
            AddressFor::Guard(result) => return self.guard(worker, head, now, *result),
        };
        self.stage = if matches!(purpose, AddressFor::Limits) { Stage::AddressLimits } else { Stage::Failures };
        Step::Charge(smallvec![Charge { key, limits, requests: 1, cost: 0 }])
    }

    pub(super) fn on_address_limits<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.check_address_outcome(worker, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(outcome) => {
                self.statuses = outcome.statuses;
                self.admit(worker, head, now)
            }
        }
    }

    /// What became of the charge of a budget of the source address; an error if it is a denial that is enforced.
    pub(super) fn check_address_outcome(
        &mut self,
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

    /// The same of the budget for failed credentials; one that is used up is remembered.
    pub(super) fn check_failure_outcome(
        &mut self,
        worker: &mut Worker,
        now: Timestamp,
        outcome: Result<Outcome, StoreError>,
    ) -> Result<Outcome, Denial> {
        if let (Ok(outcome), Some(address)) = (&outcome, self.address) {
            worker.note_failure_outcome(address, outcome, now);
        }
        self.check_address_outcome(worker, outcome)
    }

    /// Asks the budget of the address, unless it or an API key's client was charged already, before more is done about a
    /// token than reading it. A signature is checked before the request goes on, so it is charged only if it turns out bad;
    /// whatever fails already, or may have to wait, is charged first.
    pub(super) fn guard<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        result: TokenResult,
    ) -> Step<'h> {
        if !self.is_guarded(worker) {
            return self.on_token_result(worker, head, now, result);
        }
        let Some(address) = self.address else {
            self.stage = Stage::Address(AddressFor::Guard(Box::new(result)));
            return Step::NeedAddress;
        };
        if let Some(outcome) = worker.exhausted_failures(address, now) {
            return self.on_guard(worker, head, now, result, Ok(outcome));
        }
        let charge = guard_charge(worker, address);
        if matches!(result, TokenResult::Verify(..)) {
            self.stage = Stage::Peeking(charge.clone(), Box::new(result));
            return Step::Peek(charge);
        }
        self.stage = Stage::Guard(Box::new(result));
        Step::Charge(smallvec![charge])
    }

    /// Whether the budget of the address is to be asked, since neither it nor an API key's client was charged.
    pub(super) fn is_guarded(&self, worker: &Worker) -> bool {
        let is_charged = self.key.is_some() || matches!(self.guard, Guard::Charged(_));
        !is_charged && !worker.config.authentication_failures.is_empty()
    }

    pub(super) fn on_guard<'h>(
        &mut self,
        worker: &mut Worker,
        head: &'h Head,
        now: Timestamp,
        result: TokenResult,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        match self.check_failure_outcome(worker, now, outcome) {
            Err(denial) => self.deny(worker, denial),
            Ok(outcome) => {
                self.guard = outcome.receipt.map_or(Guard::Off, Guard::Charged);
                self.on_token_result(worker, head, now, result)
            }
        }
    }

    /// Notes what the credential will cost if it fails; an error if there is no room for that.
    pub(super) fn on_peeked(
        &mut self,
        worker: &mut Worker,
        now: Timestamp,
        charge: Charge,
        outcome: Result<Outcome, StoreError>,
    ) -> Result<(), Denial> {
        // What shares a budget is counted where it is charged.
        let outcome = outcome.map(|outcome| Outcome { overflow: false, ..outcome });
        let outcome = self.check_failure_outcome(worker, now, outcome)?;
        // What a dry run has reported, it need not try again.
        self.guard = if outcome.admitted { Guard::Due(charge) } else { Guard::Off };
        Ok(())
    }

    /// Refuses a credential. The address pays for a guess; for a mistake it gets back what it was charged.
    pub(super) fn fail<'h>(&mut self, worker: &mut Worker, reason: Reason) -> Step<'h> {
        self.reason = Some(reason);
        let denial = match reason {
            Reason::Expired => Denial::TokenExpired,
            Reason::Revoked => Denial::TokenRevoked,
            _ => Denial::TokenInvalid,
        };
        match std::mem::take(&mut self.guard) {
            Guard::Due(charge) if reason.is_guess() => {
                self.stage = Stage::Failed(denial);
                Step::Charge(smallvec![charge])
            }
            Guard::Charged(receipt) if !reason.is_guess() => {
                self.stage = Stage::Refunding(After::Deny(denial));
                Step::Refund(receipt)
            }
            Guard::Off | Guard::Due(_) | Guard::Charged(_) => self.deny(worker, denial),
        }
    }

    /// Of a burst that races, as many learn why they failed as the budget has room for.
    pub(super) fn on_failed<'h>(
        &mut self,
        worker: &mut Worker,
        now: Timestamp,
        denial: Denial,
        outcome: Result<Outcome, StoreError>,
    ) -> Step<'h> {
        let denial = self.check_failure_outcome(worker, now, outcome).err().unwrap_or(denial);
        self.deny(worker, denial)
    }
}

/// What a failed credential costs its address.
fn guard_charge(worker: &mut Worker, address: IpAddr) -> Charge {
    let limits = Rc::clone(&worker.config.authentication_failures);
    Charge { key: worker.failure_key(address), limits, requests: 1, cost: 0 }
}
