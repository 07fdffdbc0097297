//! Calendar quotas: usage counts until the hour, day or month (UTC) ends.
//!
//! Month arithmetic is Howard Hinnant's `civil_from_days` and `days_from_civil`
//! (<https://howardhinnant.github.io/date_algorithms.html>), for dates from 1970 on: twenty lines instead of a
//! date library in the module that every worker loads.

use super::slot::Record;
use super::{Period, Usage};
use crate::values::time::Timestamp;

const HOUR: u64 = 3_600_000_000;
const DAY: u64 = 24 * HOUR;

/// One period: from `start` up to but not including `end`, microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The period that contains the moment `at`.
pub(super) fn span(period: Period, at: u64) -> Span {
    match period {
        Period::Hour => fixed(HOUR, at),
        Period::Day => fixed(DAY, at),
        Period::Month => month(at),
    }
}

/// Evaluates a quota's stored usage at `now`.
pub(super) fn evaluate(period: Period, stored: Record, now: Timestamp) -> Usage {
    let this = span(period, now.micros());
    let counted = span(period, stored.stamp);
    if counted.start < this.start {
        let current = Record { level: 0, stamp: this.start, clear_at: this.end, ..stored };
        return Usage { kept: stored, current, over: 0 };
    }
    // A worker that is already in the next period, or a clock set back a little: what is stored goes on counting,
    // so that the next period is neither begun twice nor lost. Further ahead than a period: a wrong clock.
    let length = this.end.saturating_sub(this.start);
    let ahead = counted.start.saturating_sub(now.micros());
    let counts = if ahead <= length { counted } else { this };
    let current = Record { stamp: counts.start, clear_at: counts.end, ..stored };
    // What was given back in full keeps no place.
    let clear_at = if stored.level == 0 { stored.clear_at } else { counts.end };
    Usage { kept: Record { clear_at, ..current }, current, over: 0 }
}

/// Periods of one length, counted from the epoch.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the length is a constant of the callers, never zero; a remainder is never above"
)]
const fn fixed(length: u64, at: u64) -> Span {
    let start = at - at % length;
    Span { start, end: start.saturating_add(length) }
}

/// The month that contains `at`.
fn month(at: u64) -> Span {
    let (year, month) = year_and_month(at / DAY);
    let next = if month == 11 { (year.saturating_add(1), 0) } else { (year, month.saturating_add(1)) };
    Span { start: first_of(year, month).saturating_mul(DAY), end: first_of(next.0, next.1).saturating_mul(DAY) }
}

/// `civil_from_days` without the day of the month. Years begin in March, months count from 0.
#[expect(clippy::arithmetic_side_effects, reason = "days is below 2^28, and no difference goes below zero")]
const fn year_and_month(days: u64) -> (u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    (year_of_era + era * 400, (5 * day_of_year + 2) / 153)
}

/// `days_from_civil` for the first day of a month, counted likewise.
#[expect(clippy::arithmetic_side_effects, reason = "the year is from 1969 to below 2^20, the month from 0 to 11")]
const fn first_of(year: u64, month: u64) -> u64 {
    let era = year / 400;
    let year_of_era = year % 400;
    let day_of_year = (153 * month + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests;
