#![allow(clippy::arithmetic_side_effects)]

use super::*;

#[test]
fn months_of_six_centuries_follow_each_other() {
    let mut day = 0;
    for year in 1970..2600_u64 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for length in [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            let expected = Span { start: day * DAY, end: (day + length) * DAY };
            for at in [expected.start, expected.start + 14 * DAY + 7, expected.end - 1] {
                assert_eq!(span(Period::Month, at), expected, "day {day}");
            }
            day += length;
        }
    }
}

#[test]
fn hours_and_days_begin_on_the_hour_and_at_midnight() {
    let at = 20_000 * DAY + 5 * HOUR + 17;
    assert_eq!(span(Period::Hour, at), Span { start: 20_000 * DAY + 5 * HOUR, end: 20_000 * DAY + 6 * HOUR });
    assert_eq!(span(Period::Day, at), Span { start: 20_000 * DAY, end: 20_001 * DAY });
    for period in [Period::Hour, Period::Day, Period::Month] {
        let last = span(period, u64::MAX);
        assert!(last.start <= last.end, "the end of time");
    }
}

/// Judges 7 units stored in the day `stored` at the day `now`: the level and the day that count.
#[track_caller]
fn check(stored: u64, now: u64, level: u64, day: u64) {
    let stored = Record { level: 7, stamp: stored * DAY, clear_at: (stored + 1) * DAY, outflow: 0, refunded: 0 };
    let usage = evaluate(Period::Day, stored, Timestamp::from_micros(now * DAY + HOUR));
    assert_eq!((usage.current.level, usage.current.stamp), (level, day * DAY));
    assert_eq!(usage.current.clear_at, (day + 1) * DAY);
}

#[test]
fn usage_counts_for_its_period_only() {
    check(100, 100, 7, 100); // within the day
    check(100, 101, 0, 101); // the next day
    check(100, 99, 7, 100); // another worker is ahead, or a clock was set back: goes on counting
    check(100, 98, 7, 98); // a clock was far ahead: back to today, usage kept
}
