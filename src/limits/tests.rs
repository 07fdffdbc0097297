//! Limits by name, and what the tests of all modules below share: limits in one line, and slots in memory.

#![allow(clippy::arithmetic_side_effects)]

use std::rc::Rc;

use super::key::{LimitKey, SlotId};
use super::ledger::{Charge, Slots};
use super::*;
use crate::values::shared::{self, SharedData, StoreError, Swap, Version};

pub(super) fn bucket(name: &str, amount: u32, per_secs: u64, burst: u32) -> Limit {
    let (amount, burst) = (NonZeroU32::new(amount).unwrap(), NonZeroU32::new(burst).unwrap());
    Limit::new(name, Unit::Requests, Window::Bucket { amount, per: Duration::from_secs(per_secs), burst })
}

pub(super) fn quota(name: &str, quota: u32, period: Period) -> Limit {
    let quota = NonZeroU32::new(quota).unwrap();
    Limit::new(name, Unit::Requests, Window::Calendar { quota, period })
}

pub(super) fn costly(limit: Limit) -> Limit {
    Limit::new(limit.name, Unit::Cost, limit.window)
}

pub(super) fn charge(key: LimitKey, limits: &[Limit], amount: u32) -> Charge {
    Charge { key, limits: Rc::from(limits), requests: amount, cost: amount }
}

/// Slots of one worker, without races; counts the calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) slots: shared::memory::Memory,
    pub(super) reads: usize,
    pub(super) swaps: usize,
}

impl Slots for Memory {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot_in_tests()
    }
}

impl SharedData for Memory {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.reads += 1;
        self.slots.read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        self.swaps += 1;
        assert!(bytes.len() <= slot::SLOT_BYTES_MAX, "{} bytes", bytes.len());
        self.slots.swap(key, bytes, version)
    }
}

#[test]
fn a_budget_is_known_by_name_unit_and_kind_of_window() {
    let minute = bucket("minute", 60, 60, 10);
    assert_eq!(minute.id(), bucket("minute", 600, 1, 7).id(), "parameters may change");
    let others = [
        bucket("minutes", 60, 60, 10),
        costly(minute.clone()),
        quota("minute", 60, Period::Hour),
        quota("minute", 60, Period::Day),
        quota("minute", 60, Period::Month),
    ];
    let mut ids: Vec<u32> = others.iter().map(Limit::id).chain([minute.id()]).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[test]
fn the_window_is_the_time_from_empty_to_full() {
    let now = Timestamp::from_secs(1_709_210_096); // 29 February 2024
    for (limit, secs) in [
        (bucket("minute", 60, 60, 10), 10),
        (bucket("slow", 1, 60, 10), 600),
        (quota("hour", 7, Period::Hour), 3_600),
        (quota("day", 7, Period::Day), 86_400),
        (quota("month", 7, Period::Month), 29 * 86_400),
    ] {
        assert_eq!(limit.window.refill_time(now), Duration::from_secs(secs), "{}", limit.name);
    }
}

#[test]
fn the_length_of_a_window_is_advertised_unless_it_varies() {
    for (limit, policy) in [
        (bucket("minute", 60, 60, 10), ", \"minute\";q=10;w=10"),
        (quota("day", 7, Period::Day), ", \"day\";q=7;w=86400"),
        // each answer tells how long the month is
        (quota("month", 7, Period::Month), ", \"month\";q=7;w="),
    ] {
        assert_eq!(&*limit.policy_template.policy, policy);
    }
}
