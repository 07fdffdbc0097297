//! Rate limits, cost limits and calendar quotas: what a limit is, and whose budget a charge draws on.
//!
//! A bucket limit is the leaky bucket as a meter (the same admissions as GCRA): it holds `burst` and
//! drains `amount` per `per`. What is stored is what was *used*, never what is left and never a time that
//! depends on the rate, so that tokens of an old and a new tier of one client draw on one budget.
//! State lives in slots of a fixed table ([`key`] says which, [`slot`] how); [`ledger`] charges several
//! budgets as one, through whatever keeps the slots ([`ledger::Slots`]).

use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::limits::policy_template::PolicyTemplate;
use crate::limits::slot::Record;
use crate::values::time::Timestamp;

mod bucket;
mod calendar;
pub mod charge;
pub mod key;
pub mod ledger;
pub mod outcome;
pub(crate) mod policy_template;
pub mod refusal_cache;
mod settle;
pub mod slot;
pub mod slots;
pub mod write_cache;

/// Micro-units in a unit: levels are kept in these, so that rounding down what drained never admits too much.
const UNIT: u64 = 1_000_000;

/// Most limits that one [`charge::Charge`] may name: an entry with so many fits a slot beside an overflow entry.
pub const LIMITS_MAX: usize = 16;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// One per request.
    Requests,
    /// The cost of the request, see [`crate::policy::cost`].
    Cost,
}

/// Whose budget a limit of a tier draws on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// One for all that the client does.
    #[default]
    Client,
    /// One for each district, whichever client asks.
    District,
    /// One for each district of each client.
    ClientDistrict,
    /// One for each opaque token, or API key.
    Token,
}

/// A calendar period in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// From minute 00 to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From the first of the month to the first of the next.
    Month,
}

/// How a limit refills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Continuously: `amount` per `per`; holds at most `burst`. Any window of length `per` admits at most
    /// `burst + amount`.
    Bucket {
        /// Units that come back during `per`.
        amount: NonZeroU32,
        /// The time in which `amount` comes back, at least a millisecond.
        per: Duration,
        /// Units that it admits at once when full.
        burst: NonZeroU32,
    },
    /// All at once, when the next period begins.
    Calendar {
        /// Units per period.
        quota: NonZeroU32,
        /// The period.
        period: Period,
    },
}

impl Window {
    const fn capacity(self) -> u64 {
        match self {
            Self::Bucket { burst, .. } => burst.get() as u64,
            Self::Calendar { quota, .. } => quota.get() as u64,
        }
    }

    /// Whether it takes the same time from empty to full whenever it is.
    const fn has_one_length(self) -> bool {
        !matches!(self, Self::Calendar { period: Period::Month, .. })
    }

    /// How long it takes from empty to full: the time to refill the burst, or the length of the period of `now`.
    fn refill_time(self, now: Timestamp) -> Duration {
        match self {
            Self::Bucket { amount, per, .. } => {
                Duration::from_micros(bucket::Rate::new(amount, per).time_to_drain(level_of(self.capacity())))
            }
            Self::Calendar { period, .. } => {
                let span = calendar::span(period, now.micros());
                Duration::from_micros(span.end.saturating_sub(span.start))
            }
        }
    }
}

/// One named limit of a tier or of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name: identifies the budget across tiers, and is advertised in `RateLimit` fields.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// How it refills.
    pub window: Window,
    /// See [`Limit::id`]; computed once, as every charge needs it.
    id: u32,
    policy_template: PolicyTemplate,
}

impl Limit {
    /// A limit of this name.
    pub fn new(name: impl Into<String>, unit: Unit, window: Window) -> Self {
        let name = name.into();
        let id = budget_id(&name, unit, window);
        let refill_time = window.has_one_length().then(|| window.refill_time(Timestamp::default()));
        let policy_template = PolicyTemplate::new(&name, window.capacity(), refill_time);
        Self { name, unit, window, id, policy_template }
    }

    /// Which usage of a key it judges: a hash of name, unit and kind of window. Parameters are not part
    /// of it, so that usage is kept when they change and shared by the tiers that use the same name.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Most units that it admits at once: the burst, or the quota.
    pub const fn capacity(&self) -> u64 {
        self.window.capacity()
    }

    /// What a request counts under this limit.
    pub const fn amount(&self, requests: u32, cost: u32) -> u32 {
        match self.unit {
            Unit::Requests => requests,
            Unit::Cost => cost,
        }
    }

    /// The capacity as a level, in micro-units.
    const fn level_max(&self) -> u64 {
        level_of(self.capacity())
    }

    /// Evaluates stored usage at `now`.
    fn evaluate(&self, stored: Record, now: Timestamp) -> Usage {
        match self.window {
            Window::Bucket { amount, per, .. } => {
                bucket::evaluate(bucket::Rate::new(amount, per), self.level_max(), stored, now)
            }
            Window::Calendar { period, .. } => calendar::evaluate(period, stored, now),
        }
    }

    /// What was judged with `level` more micro-units used.
    fn add(&self, usage: &Usage, level: u64) -> Usage {
        let current = usage.current;
        let used = current.level.saturating_add(level);
        let (clear_at, over) = match self.window {
            Window::Bucket { amount, per, .. } => {
                let clear_at = bucket::clear_at(bucket::Rate::new(amount, per), self.level_max(), usage, level);
                (clear_at, used.saturating_sub(self.level_max()))
            }
            Window::Calendar { .. } => (current.clear_at, 0),
        };
        let after = Record { level: used, clear_at, ..current };
        Usage { kept: after, current: after, over }
    }

    /// The time until `current` drains by `level` micro-units, in microseconds from `now`.
    fn time_to_drain(&self, current: Record, level: u64, now: Timestamp) -> u64 {
        let skew = current.stamp.saturating_sub(now.micros());
        match self.window {
            Window::Bucket { amount, per, .. } => {
                bucket::Rate::new(amount, per).time_to_drain(level).saturating_add(skew)
            }
            Window::Calendar { .. } => current.clear_at.saturating_sub(now.micros()),
        }
    }

    /// How many micro-units drain in `elapsed` microseconds; a calendar quota never drains.
    fn drained_in(&self, elapsed: u64) -> u64 {
        match self.window {
            Window::Bucket { amount, per, .. } => bucket::Rate::new(amount, per).drained_in(elapsed),
            Window::Calendar { .. } => 0,
        }
    }
}

/// The limits of a tier that draw on budgets of one kind.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Whose budget.
    pub by: KeyKind,
    /// The limits.
    pub limits: Rc<[Limit]>,
}

/// Stored usage, seen from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usage {
    /// As stored, but with impossible times clamped and a later time of clearance noted: what must be written
    /// even when the request is denied.
    kept: Record,
    /// Drained up to now: what an admission adds to. Its stamp is the effective now of a bucket, or the start of
    /// the period that counts.
    current: Record,
    /// What of the current level does not count: what was more than the limit holds when it was stored.
    over: u64,
}

impl Usage {
    /// What is in use, as the limit sees it.
    const fn counted(&self) -> u64 {
        self.current.level.saturating_sub(self.over)
    }
}

/// The first four bytes of SHA-256 over the name and the kinds, so that any change of either is another budget.
fn budget_id(name: &str, unit: Unit, window: Window) -> u32 {
    let unit = match unit {
        Unit::Requests => b'r',
        Unit::Cost => b'c',
    };
    let kind = match window {
        Window::Bucket { .. } => b'b',
        Window::Calendar { period: Period::Hour, .. } => b'h',
        Window::Calendar { period: Period::Day, .. } => b'd',
        Window::Calendar { period: Period::Month, .. } => b'm',
    };
    let digest = Sha256::new().chain_update(b"hallpass limit").chain_update([unit, kind]).chain_update(name);
    digest.finalize().first_chunk().map_or(0, |head| u32::from_le_bytes(*head))
}

/// Units as a level, in micro-units; far below the end of `u64` for what limits hold and requests ask for.
const fn level_of(units: u64) -> u64 {
    match bucket::small_product(units, UNIT) {
        Some(level) => level,
        None => u64::MAX,
    }
}

#[cfg(test)]
mod tests;
