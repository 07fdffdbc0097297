#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

use super::super::Period;
use super::super::tests::{Memory, bucket, charge, costly, quota};
use super::*;
use crate::values::shared::{SharedData, Swap, Version};

mod clock;
mod larger;
mod model;
mod race;
mod reference;
mod settle;

const NOON: Timestamp = Timestamp::from_secs(1_700_049_600); // 15 November 2023, 12:00 UTC

fn client() -> LimitKey {
    LimitKey::client("https://issuer", "client")
}

fn at(secs: u64) -> Timestamp {
    NOON.after(Duration::from_secs(secs))
}

fn ask(slots: &mut Memory, limits: &[Limit], amount: u32, now: Timestamp) -> Outcome {
    reserve(slots, &[charge(client(), limits, amount)], now).unwrap()
}

/// How many of `tries` single requests are admitted.
fn admitted(slots: &mut Memory, limits: &[Limit], tries: usize, now: Timestamp) -> usize {
    (0..tries).filter(|_| ask(slots, limits, 1, now).admitted).count()
}

#[test]
fn a_bucket_admits_its_burst_and_then_its_rate() {
    let (mut slots, limits) = (Memory::default(), [bucket("minute", 60, 60, 10)]);
    assert_eq!(admitted(&mut slots, &limits, 100, at(0)), 10);
    let denied = ask(&mut slots, &limits, 1, at(0));
    assert_eq!(denied.retry_after, Duration::from_secs(1));
    assert_eq!(denied.violated().collect::<Vec<_>>(), ["minute"]);
    assert_eq!(admitted(&mut slots, &limits, 100, at(7)), 7);
    assert_eq!(admitted(&mut slots, &limits, 100, at(1_000)), 10);
}

#[test]
fn waiting_as_told_is_enough_and_no_less() {
    for (amount, per, burst) in [(7, 60, 3), (1, 86_400, 2), (1_000_000, 1, 5), (3, 7, 1)] {
        let (mut slots, limits) = (Memory::default(), [bucket("b", amount, per, burst)]);
        admitted(&mut slots, &limits, 100, at(0));
        let wait = ask(&mut slots, &limits, 1, at(0)).retry_after;
        let early = NOON.after(wait.saturating_sub(Duration::from_micros(1)));
        assert!(!ask(&mut slots, &limits, 1, early).admitted, "{amount} per {per}, early");
        assert!(ask(&mut slots, &limits, 1, NOON.after(wait)).admitted, "{amount} per {per}");
    }
}

#[test]
fn a_quota_is_full_again_at_midnight() {
    let (mut slots, limits) = (Memory::default(), [quota("day", 5, Period::Day)]);
    assert_eq!(admitted(&mut slots, &limits, 50, at(0)), 5);
    assert_eq!(ask(&mut slots, &limits, 1, at(0)).retry_after, Duration::from_hours(12));
    assert_eq!(admitted(&mut slots, &limits, 50, at(43_199)), 0);
    assert_eq!(admitted(&mut slots, &limits, 50, at(43_200)), 5);
}

#[test]
fn standings_tell_what_is_left() {
    let limits = [bucket("minute", 60, 60, 10), quota("day", 1_000, Period::Day), costly(bucket("cost", 10, 1, 30))];
    let mut slots = Memory::default();
    let charge = Charge { cost: 12, ..charge(client(), &limits, 1) };
    let outcome = reserve(&mut slots, std::slice::from_ref(&charge), at(0)).unwrap();
    let told = |outcome: &Outcome| {
        let tell = |s: &LimitStatus| (s.name().to_owned(), s.capacity, s.remaining, s.reset_after.as_millis());
        outcome.statuses.iter().map(tell).collect::<Vec<_>>()
    };
    let rows = [("minute", 10, 9, 1_000), ("day", 1_000, 999, 43_200_000), ("cost", 30, 18, 1_200)];
    assert_eq!(told(&outcome), rows.map(|(name, q, r, t)| (name.to_owned(), q, r, t)));
    assert!(reserve(&mut slots, std::slice::from_ref(&charge), at(0)).unwrap().admitted);
    // The third is denied by its cost, and takes nothing from the others.
    let outcome = reserve(&mut slots, &[charge], at(0)).unwrap();
    let rows = [("minute", 10, 8, 2_000), ("day", 1_000, 998, 43_200_000), ("cost", 30, 6, 2_400)];
    assert_eq!(told(&outcome), rows.map(|(name, q, r, t)| (name.to_owned(), q, r, t)));
    assert_eq!(outcome.violated().collect::<Vec<_>>(), ["cost"]);
    assert_eq!(outcome.retry_after, Duration::from_millis(600));
}

#[test]
fn standings_tell_the_window_of_months_alone() {
    let limits = [bucket("minute", 60, 60, 10), quota("day", 9, Period::Day), quota("month", 9, Period::Month)];
    let outcome = ask(&mut Memory::default(), &limits, 1, at(0));
    let windows: Vec<_> = outcome.statuses.iter().map(|s| s.window).collect();
    assert_eq!(windows, [None, None, Some(Duration::from_hours(30 * 24))], "November has 30 days");
}

#[test]
fn limits_that_refuse_are_told_in_the_order_of_their_waits() {
    let limits = [
        bucket("second", 1, 1, 1),
        bucket("never", 1, 1, 9),
        bucket("hour", 1, 3_600, 1),
        bucket("admits", 9, 1, 9),
        bucket("minute", 1, 60, 1),
        // as long as the hour: behind it, as in the charge
        bucket("also", 1, 3_600, 1),
    ];
    let limits = limits.map(|limit| if limit.name == "never" { costly(limit) } else { limit });
    let mut slots = Memory::default();
    assert!(ask(&mut slots, &limits, 1, at(0)).admitted);
    let charge = Charge { cost: 10, ..charge(client(), &limits, 1) };
    let outcome = reserve(&mut slots, &[charge], at(0)).unwrap();
    assert_eq!(outcome.violated().collect::<Vec<_>>(), ["never", "hour", "also", "minute", "second"]);
}

#[test]
fn more_than_the_capacity_is_never_admitted() {
    let (mut slots, limits) = (Memory::default(), [bucket("b", 60, 60, 10), quota("day", 5, Period::Day)]);
    let outcome = ask(&mut slots, &limits, 6, at(0));
    assert!(outcome.never && !outcome.admitted && slots.swaps == 0);
    assert_eq!(outcome.violated().collect::<Vec<_>>(), ["day"]);
    let left: Vec<_> = outcome.statuses.iter().map(|s| (s.remaining, s.reset_after)).collect();
    assert_eq!(left, [(10, Duration::ZERO), (5, Duration::ZERO)], "what admitted it was not charged either");
    assert!(ask(&mut slots, &limits, 5, at(0)).admitted);
}

#[test]
fn nothing_asked_is_always_admitted_and_writes_nothing() {
    let (mut slots, limits) = (Memory::default(), [bucket("b", 1, 60, 1)]);
    assert!(ask(&mut slots, &limits, 0, at(0)).admitted && slots.swaps == 0);
    assert!(ask(&mut slots, &limits, 1, at(0)).admitted);
    assert!(ask(&mut slots, &limits, 0, at(0)).admitted && slots.swaps == 1);
    let reads = slots.reads;
    assert!(reserve(&mut slots, &[charge(client(), &[], 1)], at(0)).unwrap().admitted && slots.reads == reads);
    assert!(reserve(&mut slots, &[], at(0)).unwrap().receipt.is_some());
}

#[test]
fn one_read_and_one_swap_serve_all_limits_and_a_denial_only_reads() {
    let limits = [bucket("a", 1, 60, 1), bucket("b", 1, 60, 9), quota("c", 9, Period::Month)];
    let mut slots = Memory::default();
    assert!(ask(&mut slots, &limits, 1, at(0)).admitted);
    assert_eq!((slots.reads, slots.swaps), (1, 1));
    assert!(!ask(&mut slots, &limits, 1, at(0)).admitted);
    assert_eq!((slots.reads, slots.swaps), (2, 1));
}

#[test]
fn several_budgets_are_charged_as_one() {
    let address = LimitKey::address("route", "192.0.2.1".parse().unwrap());
    for swap in [false, true] {
        let mut slots = Memory::default();
        let mut charges =
            vec![charge(client(), &[bucket("a", 1, 60, 5)], 1), charge(address, &[bucket("b", 1, 60, 3)], 1)];
        if swap {
            charges.reverse();
        }
        let outcomes: Vec<_> = (0..9).map(|_| reserve(&mut slots, &charges, at(0)).unwrap()).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.admitted).count(), 3);
        let mut left: Vec<_> = outcomes[8].statuses.iter().map(|s| (s.name(), s.charge, s.remaining)).collect();
        left.sort_unstable();
        assert_eq!(left, [("a", usize::from(swap), 2), ("b", usize::from(!swap), 0)], "a was rolled back");
    }
}

#[test]
fn what_several_were_charged_stands_with_each() {
    let address = LimitKey::address("route", "192.0.2.1".parse().unwrap());
    let charges = [charge(client(), &[bucket("a", 1, 60, 1)], 1), charge(address, &[bucket("b", 1, 60, 1)], 1)];
    let mut slots = Memory::default();
    assert!(reserve(&mut slots, &charges, at(0)).unwrap().admitted);
    for alone in &charges {
        assert!(!reserve(&mut slots, std::slice::from_ref(alone), at(0)).unwrap().admitted, "{alone:?}");
    }
}

#[test]
fn client_over_its_limit_never_reaches_the_budgets_of_addresses() {
    let address = LimitKey::address("route", "192.0.2.1".parse().unwrap());
    for swap in [false, true] {
        let mut slots = Memory::default();
        let mut charges =
            vec![charge(client(), &[bucket("a", 1, 60, 1)], 1), charge(address, &[bucket("b", 1, 60, 3)], 1)];
        if swap {
            charges.reverse();
        }
        assert!(reserve(&mut slots, &charges, at(0)).unwrap().admitted);
        let swaps = slots.swaps;
        assert!(!reserve(&mut slots, &charges, at(0)).unwrap().admitted);
        assert_eq!(slots.swaps, swaps, "not even to be rolled back");
    }
}

#[test]
fn charges_of_one_owner_are_added_up() {
    let (mut slots, limits) = (Memory::default(), [bucket("a", 1, 60, 5)]);
    let charges = [charge(client(), &limits, 2), charge(client(), &limits, 2)];
    let outcome = reserve(&mut slots, &charges, at(0)).unwrap();
    assert!(outcome.admitted);
    assert_eq!(outcome.statuses.iter().map(|s| s.remaining).collect::<Vec<_>>(), [1, 1]);
    let outcome = reserve(&mut slots, &charges, at(0)).unwrap();
    assert!(!outcome.admitted && !outcome.never);
    assert_eq!((outcome.statuses[0].remaining, outcome.retry_after), (1, Duration::from_mins(3)));
    let charges = [charge(client(), &limits, 3), charge(client(), &limits, 3)];
    assert!(reserve(&mut slots, &charges, at(0)).unwrap().never, "six never fit into five");
}

#[test]
fn two_tiers_draw_on_one_budget() {
    let (low, high) = ([bucket("minute", 60, 60, 10)], [bucket("minute", 600, 60, 100)]);
    let mut slots = Memory::default();
    assert_eq!(admitted(&mut slots, &low, 20, at(0)), 10);
    assert_eq!(admitted(&mut slots, &high, 200, at(0)), 90);
    assert_eq!(admitted(&mut slots, &low, 20, at(0)), 0);
    let (low, high) = ([quota("day", 10, Period::Day)], [quota("day", 100, Period::Day)]);
    assert_eq!(admitted(&mut slots, &high, 200, at(0)), 100);
    assert_eq!(admitted(&mut slots, &low, 20, at(0)), 0);
    assert_eq!(admitted(&mut slots, &high, 20, at(0)), 0);
}

#[test]
fn a_clock_set_back_neither_resets_nor_locks_out() {
    let limits = [bucket("minute", 60, 60, 10), quota("day", 1_000, Period::Day)];
    for back in [2, 3, 3_600, 100_000] {
        let mut slots = Memory::default();
        let late = at(200_000);
        assert_eq!(admitted(&mut slots, &limits, 20, late), 10);
        let set_back = at(200_000 - back);
        assert_eq!(admitted(&mut slots, &limits, 20, set_back), 0, "{back} s back: nothing is reset");
        let later = set_back.after(Duration::from_secs(5));
        let expected = if back == 2 { 3 } else { 5 };
        assert_eq!(admitted(&mut slots, &limits, 20, later), expected, "{back} s back: it drains at once");
        let left = ask(&mut slots, &limits, 0, later).statuses[1].remaining;
        assert_eq!(left, 990 - expected as u64, "{back} s back: the day goes on counting");
    }
}

#[test]
fn newcomers_of_a_full_slot_share_the_overflow_budget() {
    let (mut slots, limits) = (Memory::default(), [quota("day", 5, Period::Day)]);
    let mut ask = |nth| reserve(&mut slots, &[charge(LimitKey::in_first_slot(nth), &limits, 1)], at(0)).unwrap();
    let seated = (0..100).take_while(|nth| !ask(*nth).overflow).count();
    assert_eq!(seated, 32, "entries of one limit");
    let shared = (100..200).filter(|nth| ask(*nth).admitted).count();
    assert_eq!(shared, 4, "one of five was taken by the first newcomer");
    let denied = ask(200);
    assert!(!denied.admitted && denied.overflow, "also a denial says by which budget");
    assert!((0..32).all(|nth| (0..9).filter(|_| ask(nth).admitted).count() == 4), "who had a seat keeps it");
    assert!(reserve(&mut slots, &[charge(LimitKey::in_first_slot(250), &limits, 5)], at(43_200)).unwrap().admitted);
}

#[test]
fn a_denied_slower_tier_keeps_its_entry() {
    let (fast, slow) = ([bucket("b", 10, 1, 10)], [bucket("b", 1, 1_000, 10)]);
    let mut slots = Memory::default();
    assert!(ask(&mut slots, &fast, 10, at(0)).admitted);
    let swaps = slots.swaps;
    assert!(!ask(&mut slots, &slow, 1, at(0)).admitted);
    assert_eq!(slots.swaps, swaps + 1, "the later clearance is written");
    assert!(!ask(&mut slots, &slow, 1, at(0)).admitted);
    assert_eq!(slots.swaps, swaps + 1, "once");
}

#[test]
fn a_slot_that_stays_contended_is_an_error() {
    struct Contended;
    impl Slots for Contended {
        fn slot_of(&self, key: &LimitKey) -> SlotId {
            key.slot_in_tests()
        }
    }
    impl SharedData for Contended {
        fn read(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<Version, StoreError> {
            Ok(Version::Absent)
        }
        fn swap(&mut self, _: &[u8], _: &[u8], _: Version) -> Result<Swap, StoreError> {
            Ok(Swap::Lost)
        }
    }
    let outcome = reserve(&mut Contended, &[charge(client(), &[bucket("b", 1, 1, 1)], 1)], NOON);
    assert_eq!(outcome.unwrap_err(), StoreError::Contended);
}

/// A slot whose keys have no room for another, and how many they are.
fn full(limit: &Limit, now: Timestamp) -> (Memory, u8) {
    let mut slots = Memory::default();
    let mut seated = 0;
    while !reserve(&mut slots, &[charge(LimitKey::in_first_slot(seated), std::slice::from_ref(limit), 1)], now)
        .unwrap()
        .overflow
    {
        seated += 1;
    }
    (slots, seated)
}

#[test]
fn who_finds_no_room_at_all_waits_for_it() {
    let (mut slots, _) = full(&quota("day", 5, Period::Day), at(0));
    let many: Vec<Limit> = (1..16).map(|nth| quota(&format!("day{nth}"), 5, Period::Day)).collect();
    let mut ask = |nth, limits: &[Limit], amount, now| {
        reserve(&mut slots, &[charge(LimitKey::in_first_slot(nth), limits, amount)], now).unwrap()
    };
    // The overflow entry already knows one limit, and has room for fifteen.
    assert!(ask(100, &many, 1, at(0)).admitted);
    let other = [quota("other", 5, Period::Day)];
    for (amount, never) in [(1, false), (5, false), (6, true)] {
        let outcome = ask(101, &other, amount, at(0));
        assert_eq!((outcome.admitted, outcome.never, outcome.overflow), (false, never, true), "{amount}");
        let wait = if never { Duration::ZERO } else { Duration::from_hours(12) };
        assert_eq!(outcome.retry_after, wait, "{amount}");
        assert_eq!(outcome.statuses[0].remaining, if never { 5 } else { 0 }, "{amount}");
    }
    assert!(ask(101, &other, 0, at(0)).admitted, "nothing asked needs no room");
    assert!(ask(101, &other, 5, at(43_200)).admitted, "at midnight there is room");
}
