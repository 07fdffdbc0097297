//! Rate limits, cost limits and calendar quotas: what a limit is, and whose budget a charge draws on.
//!
//! A bucket limit is the leaky bucket as a meter (the same admissions as GCRA): it holds `burst` and
//! drains `amount` per `per`. What is stored is what was *used*, never what is left and never a time that
//! depends on the rate, so that tokens of an old and a new tier of one client draw on one budget.
//! State lives in slots of a fixed table ([`slot`]); [`ledger`] charges several budgets as one.

use std::num::NonZeroU32;
use std::time::Duration;

pub mod ledger;
pub mod slot;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// One per request.
    Requests,
    /// The cost of the request, see [`crate::cost`].
    Cost,
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

/// One named limit of a tier or of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name: identifies the budget across tiers, and is advertised in RateLimit fields.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// How it refills.
    pub window: Window,
}
