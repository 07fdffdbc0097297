//! Budgets of source addresses for failed credentials, as one worker knows them.

use std::net::IpAddr;

use super::Worker;
use crate::limits::key::LimitKey;
use crate::limits::ledger::Outcome;
use crate::limits::spent::Spent;
use crate::values::time::Timestamp;

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct AuthenticationFailures {
    /// The last address that was asked about: many requests come from few.
    last: Option<(IpAddr, LimitKey)>,
    /// Those that have nothing left.
    spent: Spent,
}

impl Worker {
    /// Whose budget failed credentials from this address draw on.
    pub fn guessing(&mut self, address: IpAddr) -> LimitKey {
        if let Some((_, owner)) = self.guesses.last.filter(|(known, _)| *known == address) {
            return owner;
        }
        let owner = LimitKey::address("authentication-failures", address);
        self.guesses.last = Some((address, owner));
        owner
    }

    /// How asking the budget of this address would come out, if that is known: it has nothing left.
    pub fn has_spent(&mut self, address: IpAddr, now: Timestamp) -> Option<Outcome> {
        let owner = self.guessing(address);
        self.guesses.spent.ask(&owner, now)
    }

    /// Remembers how asking the budget of this address came out.
    pub fn note_guess(&mut self, address: IpAddr, outcome: &Outcome, now: Timestamp) {
        let owner = self.guessing(address);
        self.guesses.spent.note(owner, outcome, now);
    }

    /// Notes that something was given back to the budget of this address.
    pub fn note_refund(&mut self, address: IpAddr) {
        let owner = self.guessing(address);
        self.guesses.spent.forget(&owner);
    }
}
