//! Budgets that have nothing left, as one worker remembers them: so that a flood of what they refuse costs no look into
//! shared data, where the answer would be the same until something has drained.
//!
//! Only a refund through another worker makes room before that. It is overlooked for at most [`LIFE_MAX`]: stricter, never
//! looser.

use std::time::Duration;

use super::key::LimitKey;
use super::outcome::{LimitStatus, Outcome};
use crate::values::direct_mapped::DirectMapped;
use crate::values::time::Timestamp;

/// How many budgets are remembered.
const PLACES: u32 = 256;
/// For how long, at most.
const LIFE_MAX: Duration = Duration::from_millis(100);

/// Refusals of the last moments, of budgets of one kind.
#[derive(Debug)]
pub struct RefusalCache(DirectMapped<LimitKey, Refusal>);

#[derive(Debug)]
struct Refusal {
    at: Timestamp,
    until: Timestamp,
    retry_after: Duration,
    overflow: bool,
    statuses: Vec<LimitStatus>,
}

impl Default for RefusalCache {
    fn default() -> Self {
        Self(DirectMapped::new(PLACES, LimitKey::number))
    }
}

impl RefusalCache {
    /// Remembers how asking for one request came out, if it was refused; forgets a refusal where there is room again.
    #[inline(never)]
    pub fn note(&mut self, key: LimitKey, outcome: &Outcome, now: Timestamp) {
        if outcome.admitted {
            self.forget(&key);
            return;
        }
        // A refusal that still holds keeps its end, whatever is told from it.
        let is_known = self.0.get(&key).is_some_and(|refusal| refusal.holds(now));
        if !is_known && !outcome.never {
            self.0.insert(key, Refusal::new(outcome, now));
        }
    }

    /// Forgets a refusal: something was given back.
    pub fn forget(&mut self, key: &LimitKey) {
        self.0.remove(key);
    }

    /// How asking for one request would come out, if that is known: it is refused.
    pub fn ask(&self, key: &LimitKey, now: Timestamp) -> Option<Outcome> {
        self.0.get(key).filter(|refusal| refusal.holds(now)).map(|refusal| refusal.seen_at(now))
    }
}

impl Refusal {
    fn new(outcome: &Outcome, now: Timestamp) -> Self {
        let Outcome { retry_after, overflow, ref statuses, .. } = *outcome;
        let until = now.after(retry_after.min(LIFE_MAX));
        Self { at: now, until, retry_after, overflow, statuses: statuses.clone() }
    }

    /// A clock that was set back says nothing about what has drained.
    fn holds(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.until
    }

    /// What a look would have shown at `now`, but for rounding: nothing was charged, and time alone has gone by.
    fn seen_at(&self, now: Timestamp) -> Outcome {
        let elapsed = now.since(self.at);
        let mut statuses = self.statuses.clone();
        for status in &mut statuses {
            status.let_pass(elapsed);
        }
        let retry_after = self.retry_after.saturating_sub(elapsed);
        Outcome { admitted: false, never: false, retry_after, overflow: self.overflow, statuses, receipt: None }
    }
}

#[cfg(test)]
mod tests;
