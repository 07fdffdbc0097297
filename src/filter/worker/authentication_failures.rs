//! The authentication failure limit: a budget per source address for failed credentials, as one worker knows it.

use std::net::IpAddr;

use super::Worker;
use crate::limits::key::LimitKey;
use crate::limits::ledger::Outcome;
use crate::limits::refusal_cache::RefusalCache;
use crate::values::time::Timestamp;

/// What this worker knows of these budgets.
#[derive(Debug, Default)]
pub(super) struct AuthenticationFailures {
    /// The last address that was asked about: many requests come from few.
    last: Option<(IpAddr, LimitKey)>,
    /// Those that have nothing left.
    refusals: RefusalCache,
}

impl Worker {
    /// The key of the budget that failed credentials from this address draw on.
    pub fn failure_key(&mut self, address: IpAddr) -> LimitKey {
        if let Some((_, key)) = self.failures.last.filter(|(known, _)| *known == address) {
            return key;
        }
        let key = LimitKey::address("authentication-failures", address);
        self.failures.last = Some((address, key));
        key
    }

    /// The outcome of a charge to the budget of this address, if the worker knows that it has nothing left.
    pub fn exhausted_failures(&mut self, address: IpAddr, now: Timestamp) -> Option<Outcome> {
        let key = self.failure_key(address);
        self.failures.refusals.ask(&key, now)
    }

    /// Remembers the outcome of a charge to the budget of this address.
    pub fn note_failure_outcome(&mut self, address: IpAddr, outcome: &Outcome, now: Timestamp) {
        let key = self.failure_key(address);
        self.failures.refusals.note(key, outcome, now);
    }

    /// Notes that something was given back to the budget of this address.
    pub fn note_refund(&mut self, address: IpAddr) {
        let key = self.failure_key(address);
        self.failures.refusals.forget(&key);
    }
}
