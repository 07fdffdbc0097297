//! Budgets that have nothing left, as one worker remembers them: so that a flood of what they refuse costs no look into
//! shared data, where the answer would be the same until something has drained.
//!
//! Only a refund through another worker makes room before that. It is overlooked for at most [`LIFE_MAX`]: stricter, never
//! looser.

use std::time::Duration;

use super::key::LimitKey;
use super::outcome::{LimitStatus, Outcome};
use crate::values::time::Timestamp;

/// How many budgets are remembered; a power of two.
const PLACES: u32 = 256;
/// For how long, at most.
const LIFE_MAX: Duration = Duration::from_millis(100);

/// Refusals of the last moments, of budgets of one kind. Of two owners with one place it has the later one.
#[derive(Debug)]
pub struct Spent {
    places: Vec<Option<Refusal>>,
}

#[derive(Debug)]
struct Refusal {
    owner: LimitKey,
    at: Timestamp,
    until: Timestamp,
    retry_after: Duration,
    overflow: bool,
    statuses: Vec<LimitStatus>,
}

impl Default for Spent {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| None).collect() }
    }
}

impl Spent {
    /// Remembers how asking for one request came out, if it was refused; forgets a refusal where there is room again.
    #[inline(never)]
    pub fn note(&mut self, owner: LimitKey, outcome: &Outcome, now: Timestamp) {
        let Some(place) = self.places.get_mut(place_of(&owner)) else {
            return;
        };
        match place {
            // It keeps its end, whatever is told from it.
            Some(refusal) if refusal.owner == owner && refusal.holds(now) && !outcome.admitted => {}
            Some(refusal) if refusal.owner == owner && outcome.admitted => *place = None,
            _ if outcome.admitted || outcome.never => {}
            _ => *place = Some(Refusal::new(owner, outcome, now)),
        }
    }

    /// Forgets a refusal: something was given back.
    pub fn forget(&mut self, owner: &LimitKey) {
        if let Some(place) = self.places.get_mut(place_of(owner)) {
            place.take_if(|refusal| refusal.owner == *owner);
        }
    }

    /// How asking for one request would come out, if that is known: it is refused.
    pub fn ask(&self, owner: &LimitKey, now: Timestamp) -> Option<Outcome> {
        let refusal = self.places.get(place_of(owner))?.as_ref()?;
        (refusal.owner == *owner && refusal.holds(now)).then(|| refusal.seen_at(now))
    }
}

impl Refusal {
    fn new(owner: LimitKey, outcome: &Outcome, now: Timestamp) -> Self {
        let Outcome { retry_after, overflow, ref statuses, .. } = *outcome;
        let until = now.after(retry_after.min(LIFE_MAX));
        Self { owner, at: now, until, retry_after, overflow, statuses: statuses.clone() }
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

fn place_of(owner: &LimitKey) -> usize {
    (owner.number() % PLACES) as usize
}

#[cfg(test)]
mod tests;
