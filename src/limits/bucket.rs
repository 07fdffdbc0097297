//! The leaky bucket as a meter (ITU-T I.371, annex A: the same admissions as GCRA, but what is stored is usage).
//!
//! The level drains by `amount` per `per` and rises by what is admitted. Admissions keep it at or below the
//! burst, so any window of length `per` admits at most `burst + amount`. All divisions round against the client.

use std::num::NonZeroU32;
use std::time::Duration;

use super::slot::{Record, SKEW_MICROS};
use super::{Usage, level_of};
use crate::values::time::{Timestamp, micros};

/// How fast a bucket drains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    amount: u64,
    per_micros: u64,
}

impl Rate {
    /// `amount` units per `per`.
    pub(super) fn new(amount: NonZeroU32, per: Duration) -> Self {
        // Never a division by zero.
        Self { amount: u64::from(amount.get()), per_micros: micros(per).max(1) }
    }

    /// Micro-units per `per`: below 2^52.
    const fn level_per(self) -> u64 {
        level_of(self.amount)
    }

    /// How many micro-units drain in `elapsed` microseconds, rounded down.
    pub(super) fn drained_in(self, elapsed: u64) -> u64 {
        // 128-bit division is slow in wasm; a busy client's numbers are small.
        match small_product(elapsed, self.level_per()) {
            Some(product) => product.checked_div(self.per_micros).unwrap_or(u64::MAX),
            None => self.drained_in_long(elapsed),
        }
    }

    /// The least number of microseconds in which `level` micro-units drain.
    pub(super) fn time_to_drain(self, level: u64) -> u64 {
        match small_product(level, self.per_micros) {
            Some(product) => product.div_ceil(self.level_per()),
            None => self.long_time_to_drain(level),
        }
    }

    #[cold]
    #[inline(never)]
    fn drained_in_long(self, elapsed: u64) -> u64 {
        let product = u128::from(elapsed).saturating_mul(u128::from(self.level_per()));
        let drained = product.checked_div(u128::from(self.per_micros)).unwrap_or(u128::MAX);
        u64::try_from(drained).unwrap_or(u64::MAX)
    }

    #[cold]
    #[inline(never)]
    fn long_time_to_drain(self, level: u64) -> u64 {
        let product = u128::from(level).saturating_mul(u128::from(self.per_micros));
        u64::try_from(product.div_ceil(u128::from(self.level_per()))).unwrap_or(u64::MAX)
    }
}

/// The product, if the sizes of the factors tell that it fits: `checked_mul` takes a 128-bit multiplication in wasm.
pub(super) const fn small_product(a: u64, b: u64) -> Option<u64> {
    if a.leading_zeros().saturating_add(b.leading_zeros()) >= u64::BITS { Some(a.wrapping_mul(b)) } else { None }
}

/// Evaluates a bucket's stored level at `now`, for a limit that holds `level_max`.
pub(super) fn evaluate(rate: Rate, level_max: u64, stored: Record, now: Timestamp) -> Usage {
    let mut kept = if stored.stamp.saturating_sub(now.micros()) > SKEW_MICROS { stored.moved_to(now) } else { stored };
    // A stamp that is a little ahead serves as now: time that another worker has drained is not drained again.
    let at = kept.stamp.max(now.micros());
    let drained = rate.drained_in(at.saturating_sub(kept.stamp));
    if kept.level > level_max {
        return evaluate_over(rate, level_max, kept, drained, at, now);
    }
    let drained = drained.min(kept.level);
    let level = kept.level.saturating_sub(drained);
    if level == 0 {
        return cleared(kept, at);
    }
    // Another tier may drain faster; whoever drains slowest decides when the entry is as good as none.
    kept.clear_at = kept.clear_at.max(kept.stamp.saturating_add(rate.time_to_drain(kept.level)));
    let current = Record { level, stamp: at, ..kept.with_outflow(drained) };
    Usage { kept, current, over: 0 }
}

/// Usage above what the limit holds, from before a downgrade or from larger numbers in an earlier configuration. It counts as a
/// full bucket: a client with a small limit could otherwise wait for years. It is gone when it would be under the limit that
/// admitted it.
#[cold]
#[inline(never)]
fn evaluate_over(rate: Rate, level_max: u64, mut kept: Record, drained: u64, at: u64, now: Timestamp) -> Usage {
    kept.clear_at = kept.clear_at.max(kept.stamp.saturating_add(rate.time_to_drain(level_max)));
    let level = kept.level.saturating_sub(drained);
    if level == 0 || kept.clear_at <= now.micros() {
        return cleared(kept, at);
    }
    let current = Record { level, stamp: at, ..kept.with_outflow(drained) };
    Usage { kept, current, over: level.saturating_sub(level_max.saturating_sub(drained)) }
}

fn cleared(kept: Record, at: u64) -> Usage {
    let current = Record { level: 0, stamp: at, clear_at: at, ..kept.with_outflow(kept.level) };
    Usage { kept, current, over: 0 }
}

/// When what was usage is as good as none once `level` more is used of it.
pub(super) fn clear_at(rate: Rate, level_max: u64, usage: &Usage, level: u64) -> u64 {
    let Record { stamp, level: before, clear_at, .. } = usage.current;
    let used = before.saturating_add(level);
    if usage.over == 0 {
        return clear_at.max(stamp.saturating_add(rate.time_to_drain(used)));
    }
    // The larger tier's usage has grown too.
    let later = clear_at.max(stamp).saturating_add(rate.time_to_drain(level));
    later.max(stamp.saturating_add(rate.time_to_drain(used.min(level_max))))
}

#[cfg(test)]
mod tests;
