#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::limits::UNIT;

const DAY: Duration = Duration::from_hours(24);
const DAY_MICROS: u64 = 86_400_000_000;

fn rate(amount: u32, per: Duration) -> Rate {
    Rate::new(NonZeroU32::new(amount).unwrap(), per)
}

#[test]
fn small_and_large_numbers_drain_alike() {
    // amount, per, and microseconds
    for (amount, per, elapsed) in [
        (1, DAY, 1),
        (60, Duration::from_mins(1), 999_999),
        // on both sides of 2^64
        (1_000, Duration::from_secs(1), 18_446_744_073),
        (1_000, Duration::from_secs(1), 18_446_744_074),
        (1_000_000, DAY, DAY_MICROS),
        (7, Duration::from_millis(1), 400 * DAY_MICROS),
        (u32::MAX, Duration::from_secs(3), 10_000_000_001),
    ] {
        let expected = u128::from(elapsed) * u128::from(amount) * u128::from(UNIT) / per.as_micros();
        let drained = rate(amount, per).drained_in(elapsed);
        assert_eq!(u128::from(drained), expected, "{amount} per {per:?} in {elapsed} us");
    }
    // what is more than any level
    assert_eq!(rate(u32::MAX, Duration::from_millis(1)).drained_in(u64::MAX), u64::MAX);
}

#[test]
fn the_time_to_drain_is_the_least_that_is_enough() {
    // amount, per, and micro-units
    for (amount, per, level) in [
        (1, DAY, 1),
        (7, Duration::from_mins(1), 3 * UNIT),
        // on both sides of 2^64
        (1_000, DAY, 213_503_982),
        (1_000, DAY, 213_503_983),
        (3, DAY, 1_000_000 * UNIT),
        (1_000_000, DAY, 10_000_000 * UNIT + 1),
    ] {
        let (rate, what) = (rate(amount, per), format!("{level} at {amount} per {per:?}"));
        let time = rate.time_to_drain(level);
        assert!(rate.drained_in(time) >= level, "{what}: {time} us are not enough");
        assert!(rate.drained_in(time - 1) < level, "{what}: {time} us are too many");
    }
    assert_eq!(rate(1, DAY).time_to_drain(u64::MAX), u64::MAX, "longer than there is time");
}

#[test]
fn empty_bucket_is_as_good_as_none_whatever_a_slower_tier_noted() {
    let stored = Record { level: 3 * UNIT, stamp: 0, clear_at: DAY_MICROS, outflow: 0, refunded: 0 };
    // one unit per second: after two seconds one is left, after three none
    for (secs, level, clear_at) in [(2, UNIT, stored.clear_at), (3, 0, 3_000_000)] {
        let current = evaluate(rate(1, Duration::from_secs(1)), 9 * UNIT, stored, Timestamp::from_secs(secs)).current;
        assert_eq!((current.level, current.clear_at), (level, clear_at), "after {secs} s");
    }
}
