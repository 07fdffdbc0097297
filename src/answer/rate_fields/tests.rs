use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::limits::key::{LimitKey, Secret, SlotId};
use crate::limits::ledger::{self, Charge, Slots};
use crate::limits::{Limit, Period, Window};
use crate::values::shared::memory::Memory;
use crate::values::shared::{SharedData, StoreError, Swap, Version};
use crate::values::time::Timestamp;

/// Slots in memory.
#[derive(Default)]
struct Kept(Memory);

impl Slots for Kept {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot(&Secret::default())
    }
}

impl SharedData for Kept {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.0.read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        self.0.swap(key, bytes, version)
    }
}

fn bucket(name: &str, unit: Unit, amount: u32, per_ms: u64, burst: u32) -> Limit {
    let [amount, burst] = [amount, burst].map(|number| NonZeroU32::new(number).unwrap());
    Limit::new(name, unit, Window::Bucket { amount, per: Duration::from_millis(per_ms), burst })
}

fn day(quota: u32) -> Limit {
    Limit::new("day", Unit::Requests, Window::Calendar { quota: NonZeroU32::new(quota).unwrap(), period: Period::Day })
}

/// Half past noon: 41,400 seconds are left of the day.
const NOW: Timestamp = Timestamp::from_secs(1_780_228_800 + 1_800);

/// How these limits stand after the first request.
fn statuses(limits: &[Limit]) -> Vec<LimitStatus> {
    let charge = Charge { key: LimitKey::client("i", "c"), limits: Rc::from(limits), requests: 1, cost: 1 };
    ledger::reserve(&mut Kept::default(), &[charge], NOW).unwrap().statuses
}

/// How a limit of ten a day stands when it refuses.
pub(crate) fn ten_a_day() -> Vec<LimitStatus> {
    refusing(&[day(10)], 10, 1)
}

/// The limits that refuse a request of this cost, after so many.
fn refusing(limits: &[Limit], requests: u32, cost: u32) -> Vec<LimitStatus> {
    let mut slots = Kept::default();
    let mut charge = || {
        let charge = Charge { key: LimitKey::client("i", "c"), limits: Rc::from(limits), requests: 1, cost };
        ledger::reserve(&mut slots, &[charge], NOW).unwrap()
    };
    for _ in 0..requests {
        assert!(charge().admitted);
    }
    charge().refusing().into_iter().cloned().collect()
}

/// The fields of a refusal.
#[track_caller]
fn check_refusal(mode: RateLimitHeaders, refusing: &[LimitStatus], expected: &[(&str, &str)]) {
    let fields = refusal_fields(mode, refusing);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(fields, expected);
}

#[test]
fn refusal_shows_only_the_limits_that_refused_until_they_admit_the_request() {
    let minute = bucket("minute", Unit::Requests, 60, 60_000, 60);
    let cost = bucket("cost", Unit::Cost, 10, 60_000, 10);
    // Two requests of weight 5 use up the cost, of which five units are back after half a minute.
    let by_cost = refusing(&[minute, cost], 2, 5);
    check_refusal(
        RateLimitHeaders::Draft11,
        &by_cost,
        &[("ratelimit-policy", r#""cost";q=10;w=60;qu="cost""#), ("ratelimit", r#""cost";r=0;t=30"#)],
    );
    // Its capacity would appear as a number of requests.
    check_refusal(
        RateLimitHeaders::XRateLimit,
        &by_cost,
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")],
    );
    check_refusal(RateLimitHeaders::Off, &by_cost, &[]);
}

#[test]
fn refusal_by_several_limits_tells_the_one_first_that_binds_longest() {
    let one = |name, per_ms| bucket(name, Unit::Requests, 1, per_ms, 1);
    let both = refusing(&[one("minute", 60_000), one("hour", 3_600_000)], 1, 1);
    check_refusal(
        RateLimitHeaders::Draft11,
        &both,
        &[
            ("ratelimit-policy", r#""hour";q=1;w=3600, "minute";q=1;w=60"#),
            ("ratelimit", r#""hour";r=0;t=3600, "minute";r=0;t=60"#),
        ],
    );
    check_refusal(
        RateLimitHeaders::XRateLimit,
        &both,
        &[("x-ratelimit-limit", "1"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "3600")],
    );
    // The same of a request that passes and uses both up.
    check(
        RateLimitHeaders::XRateLimit,
        &[one("minute", 60_000), one("hour", 3_600_000)],
        &[("x-ratelimit-limit", "1"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "3600")],
    );
}

/// The fields after the first request under these limits.
#[track_caller]
fn check(mode: RateLimitHeaders, limits: &[Limit], expected: &[(&str, &str)]) {
    let fields = fields(mode, &statuses(limits));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(fields, expected);
}

#[test]
fn bucket_is_advertised_as_what_it_admits_at_once() {
    // 60 a minute, burst 10: ten, refilled in ten seconds.
    let minute = bucket("minute", Unit::Requests, 60, 60_000, 10);
    check(
        RateLimitHeaders::Draft11,
        &[minute],
        &[("ratelimit-policy", r#""minute";q=10;w=10"#), ("ratelimit", r#""minute";r=9;t=1"#)],
    );
}

#[test]
fn several_limits_stand_in_their_order_and_costs_are_left_out() {
    let minute = || bucket("minute", Unit::Requests, 60, 60_000, 10);
    let cost = || bucket("cost", Unit::Cost, 300, 60_000, 300);
    check(
        RateLimitHeaders::Draft11,
        &[cost(), minute(), day(1_000)],
        &[
            ("ratelimit-policy", r#""minute";q=10;w=10, "day";q=1000;w=86400"#),
            ("ratelimit", r#""minute";r=9;t=1, "day";r=999;t=41400"#),
        ],
    );
    for mode in [RateLimitHeaders::Draft11, RateLimitHeaders::XRateLimit] {
        check(mode, &[cost()], &[]);
        check(mode, &[], &[]);
    }
}

#[test]
fn seconds_are_whole_and_rounded_up() {
    // Two in 1.5 seconds: half of that for one.
    let quick = bucket("quick", Unit::Requests, 2, 1_500, 2);
    check(
        RateLimitHeaders::Draft11,
        &[quick],
        &[("ratelimit-policy", r#""quick";q=2;w=2"#), ("ratelimit", r#""quick";r=1;t=1"#)],
    );
}

#[test]
fn x_ratelimit_tells_the_limit_that_is_nearest_to_its_end() {
    let minute = bucket("minute", Unit::Requests, 60, 60_000, 10);
    check(
        RateLimitHeaders::XRateLimit,
        &[day(1_000), minute],
        &[("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", "1")],
    );
}

#[test]
fn off_is_off() {
    check(RateLimitHeaders::Off, &[day(1)], &[]);
}
