//! What is given back, and what is charged later.

use super::*;
use crate::limits::UNIT;

#[test]
fn what_has_drained_is_not_given_back() {
    // Seconds until the refund, units still in use that are given back of 4 on top of 4, at one per second.
    for (secs, given) in [(0, 4), (4, 4), (6, 2), (8, 0), (100, 0)] {
        let (mut slots, limits) = (Memory::default(), [bucket("b", 60, 60, 100)]);
        assert!(ask(&mut slots, &limits, 4, at(0)).admitted);
        let receipt = ask(&mut slots, &limits, 4, at(0)).receipt.unwrap();
        assert!(ask(&mut slots, &limits, 50, at(secs)).admitted);
        let before = ask(&mut slots, &limits, 0, at(secs)).statuses[0].remaining;
        cancel(&mut slots, receipt, at(secs)).unwrap();
        assert_eq!(ask(&mut slots, &limits, 0, at(secs)).statuses[0].remaining, before + given, "after {secs} s");
    }
}

#[test]
fn a_refund_is_clamped_to_the_period_of_its_charge() {
    // Charged, seconds until the refund, left of 10.
    for (charged, secs, left) in [(3, 0, 10), (3, 43_199, 8), (3, 43_200, 8)] {
        let (mut slots, limits) = (Memory::default(), [quota("day", 10, Period::Day)]);
        let receipt = ask(&mut slots, &limits, charged, at(0)).receipt.unwrap();
        let other = if secs == 0 { 0 } else { 2 };
        assert!(ask(&mut slots, &limits, other, at(secs)).admitted);
        cancel(&mut slots, receipt, at(secs)).unwrap();
        assert_eq!(ask(&mut slots, &limits, 0, at(secs)).statuses[0].remaining, left);
    }
}

#[test]
fn the_actual_cost_replaces_the_charge() {
    // Actual cost, left of 30 after a charge of 10, and requests left of 9.
    for (actual, left) in [(10, 20), (4, 26), (0, 30), (15, 15), (30, 0), (1_000, 0), (u32::MAX, 0)] {
        let limits = [costly(bucket("cost", 1, 60, 30)), bucket("minute", 1, 60, 9)];
        let mut slots = Memory::default();
        let charge = Charge { requests: 1, ..charge(client(), &limits, 10) };
        let receipt = reserve(&mut slots, &[charge], at(0)).unwrap().receipt.unwrap();
        settle(&mut slots, receipt, actual, at(0)).unwrap();
        let outcome = ask(&mut slots, &limits, 0, at(0));
        assert_eq!((outcome.statuses[0].remaining, outcome.statuses[1].remaining), (left, 8), "{actual}");
    }
}

#[test]
fn what_nobody_has_drained_yet_is_not_given_back_either() {
    // Seconds until the refund, units still in use that are given back of 4 on top of 4, at one per second.
    for (secs, given) in [(0, 4), (4, 4), (6, 2), (8, 0), (100, 0)] {
        let (mut slots, limits) = (Memory::default(), [bucket("b", 60, 60, 200)]);
        assert!(ask(&mut slots, &limits, 4, at(0)).admitted);
        let receipt = ask(&mut slots, &limits, 4, at(0)).receipt.unwrap();
        assert!(ask(&mut slots, &limits, 150, at(0)).admitted);
        let before = ask(&mut slots, &limits, 0, at(secs)).statuses[0].remaining;
        cancel(&mut slots, receipt, at(secs)).unwrap();
        assert_eq!(ask(&mut slots, &limits, 0, at(secs)).statuses[0].remaining, before + given, "after {secs} s");
    }
}

#[test]
fn what_a_faster_tier_has_drained_is_not_given_back() {
    let (slow, fast) = ([bucket("b", 1, 1, 10)], [bucket("b", 10, 1, 10)]);
    // After a second, the slow tier has drained one unit of the four, and the fast one all.
    for (tier, drained) in [(&slow, 1), (&fast, 4)] {
        let mut slots = Memory::default();
        let receipt = ask(&mut slots, &slow, 4, at(0)).receipt.unwrap();
        let outcome = ask(&mut slots, tier, 5, at(1));
        assert_eq!(outcome.statuses[0].remaining, 1 + drained);
        cancel(&mut slots, receipt, at(1)).unwrap();
        assert_eq!(ask(&mut slots, &slow, 0, at(1)).statuses[0].remaining, 5, "five are in use, {drained} drained");
    }
}

#[test]
fn undoing_the_last_charge_leaves_older_receipts_whole() {
    let (mut slots, limits) = (Memory::default(), [bucket("b", 1, 60, 10)]);
    let first = ask(&mut slots, &limits, 4, at(0)).receipt.unwrap();
    let second = ask(&mut slots, &limits, 4, at(0)).receipt.unwrap();
    cancel(&mut slots, second, at(0)).unwrap();
    assert_eq!(ask(&mut slots, &limits, 0, at(0)).statuses[0].remaining, 6);
    cancel(&mut slots, first, at(0)).unwrap();
    assert_eq!(ask(&mut slots, &limits, 0, at(0)).statuses[0].remaining, 10);
}

#[test]
fn refunds_in_any_order_give_everything_back_where_nothing_drains() {
    // Which of three charges of 4, 1 and 5 is given back first, second, third.
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (mut slots, limits) = (Memory::default(), [bucket("b", 1, 36_000, 10)]);
        let mut receipts = [4, 1, 5].map(|amount| ask(&mut slots, &limits, amount, at(0)).receipt);
        for (nth, left) in order.into_iter().zip([None, None, Some(10)]) {
            cancel(&mut slots, receipts[nth].take().unwrap(), at(0)).unwrap();
            let remaining = ask(&mut slots, &limits, 0, at(0)).statuses[0].remaining;
            assert!(left.is_none_or(|left| remaining == left), "{order:?}: {remaining}");
        }
    }
}

#[test]
fn refunds_of_others_hide_nothing_that_has_drained() {
    // Of two charges of 4 some drains, one per second, the first one's first; five more are in use, and stay.
    for secs in [0, 1, 4, 6, 8, 100] {
        for reverse in [false, true] {
            let (mut slots, limits) = (Memory::default(), [bucket("b", 1, 1, 20)]);
            let mut receipts = [4, 4].map(|amount| ask(&mut slots, &limits, amount, at(0)).receipt.unwrap());
            assert!(ask(&mut slots, &limits, 5, at(secs)).admitted);
            if reverse {
                receipts.reverse();
            }
            for receipt in receipts {
                cancel(&mut slots, receipt, at(secs)).unwrap();
            }
            let remaining = ask(&mut slots, &limits, 0, at(secs)).statuses[0].remaining;
            assert_eq!(remaining, 15, "after {secs} s, reverse: {reverse}");
        }
    }
}

#[test]
fn refunds_lose_no_more_than_what_drains_meanwhile() {
    // Eight at once over and over, which end in another order than they began; a hundredth drains meanwhile.
    let (mut slots, limits) = (Memory::default(), [bucket("b", 1, 100, 10)]);
    for round in 0..20 {
        let mut receipts: Vec<_> = (0..8).map(|_| ask(&mut slots, &limits, 1, at(round)).receipt).collect();
        for nth in [3, 0, 6, 1, 7, 4, 2, 5] {
            let receipt = receipts[nth].take().unwrap_or_else(|| panic!("{nth} of round {round} was refused"));
            cancel(&mut slots, receipt, at(round + 1)).unwrap();
        }
    }
    // At most a step of a refund for each of the seven that are not the first.
    assert!(ask(&mut slots, &limits, 0, at(20)).statuses[0].remaining >= 10 - 20 * 7 / 64 - 1);
}

#[test]
fn counts_of_refunds_go_round_and_fit_no_other_entry() {
    let record = |outflow, refunded| Record { outflow, refunded, ..Record::default() };
    // What left and came back, units, since counts at the end of their range; drained of it.
    for (left, back, drained) in [(0, 0, 0), (5, 5, 0), (5, 2, 3), (1 << 18, 1 << 17, 1 << 17)] {
        let before = record((1 << 48) - 1, (1 << 24) - 1);
        let after = before.with_outflow((left - back) * UNIT).with_refund(back * UNIT);
        assert_eq!(after.drained_since(before.outflow, before.refunded), drained * UNIT, "{left}, {back}");
    }
    // More has come back than has left: it is another entry, or the count has gone round. All counts as drained.
    assert_eq!(record(7, 0).drained_since(0, 1), 7);
    // Parts of a step are no proof of a refund.
    assert_eq!(record(0, 0).with_refund(UNIT / 64 + 9).drained_since(0, 0), 9);
}

#[test]
fn charge_before_the_clock_was_set_back_is_not_given_back() {
    // Seconds that the clock goes back, and what is left of 10 after charges of 4 and 1 and the refund of 4.
    for (back, left) in [(0, 9), (7_200, 5)] {
        let (mut slots, limits) = (Memory::default(), [bucket("b", 1, 36_000, 10)]);
        let receipt = ask(&mut slots, &limits, 4, at(7_200)).receipt.unwrap();
        let now = at(7_200 - back);
        assert!(ask(&mut slots, &limits, 1, now).admitted);
        cancel(&mut slots, receipt, now).unwrap();
        assert_eq!(ask(&mut slots, &limits, 0, now).statuses[0].remaining, left, "{back} s back");
    }
}

#[test]
fn of_a_lost_slot_nothing_is_given_back() {
    let (mut slots, limits) = (Memory::default(), [bucket("b", 10, 1, 100)]);
    let receipt = ask(&mut slots, &limits, 100, at(0)).receipt.unwrap();
    slots.slots.values.clear();
    assert!(ask(&mut slots, &limits, 30, at(9)).admitted);
    cancel(&mut slots, receipt, at(9)).unwrap();
    assert_eq!(ask(&mut slots, &limits, 0, at(9)).statuses[0].remaining, 70, "none of 100");
    // Also where nearly nothing drains: the new entry tells by its outflow that it is not the one that was charged.
    let (mut slots, limits) = (Memory::default(), [bucket("b", 1, 3_600, 10)]);
    let receipt = ask(&mut slots, &limits, 4, at(0)).receipt.unwrap();
    slots.slots.values.clear();
    assert!(ask(&mut slots, &limits, 5, at(10)).admitted);
    cancel(&mut slots, receipt, at(10)).unwrap();
    assert_eq!(ask(&mut slots, &limits, 0, at(10)).statuses[0].remaining, 5);
}

#[test]
fn settling_on_what_was_charged_does_not_even_read() {
    let limits = [costly(bucket("cost", 1, 60, 30)), bucket("minute", 1, 60, 9)];
    for (cost, actual, reads) in [(10, 10, 0), (0, 10, 0), (10, 9, 1)] {
        let mut slots = Memory::default();
        let charge = Charge { requests: 1, cost, ..charge(client(), &limits, 0) };
        let receipt = reserve(&mut slots, &[charge], at(0)).unwrap().receipt.unwrap();
        let before = slots.reads;
        settle(&mut slots, receipt, actual, at(0)).unwrap();
        assert_eq!(slots.reads - before, reads, "{cost} and then {actual}");
    }
}

/// How much is left of 5, for a key of the first slot.
fn left(slots: &mut Memory, nth: u8, limits: &[Limit], now: Timestamp) -> u64 {
    reserve(slots, &[charge(LimitKey::in_first_slot(nth), limits, 0)], now).unwrap().statuses[0].remaining
}

#[test]
fn refund_goes_to_the_budget_that_was_charged() {
    let limits = [bucket("b", 1, 3_600, 5)];
    let take = |slots: &mut Memory, nth, amount, now| {
        reserve(slots, &[charge(LimitKey::in_first_slot(nth), &limits, amount)], now).unwrap().receipt.unwrap()
    };
    // Charged to the overflow, and given back there.
    let (mut slots, newcomer) = full(&limits[0], at(0));
    let receipt = take(&mut slots, newcomer, 2, at(0));
    assert_eq!(left(&mut slots, newcomer, &limits, at(0)), 2);
    cancel(&mut slots, receipt, at(0)).unwrap();
    assert_eq!(left(&mut slots, newcomer, &limits, at(0)), 4);
    // Charged to the key's entry, which is lost; others have filled the slot since.
    let mut slots = Memory::default();
    let receipt = take(&mut slots, 200, 3, at(0));
    let (mut slots, newcomer) = full(&limits[0], at(0));
    drop(take(&mut slots, newcomer, 3, at(0)));
    cancel(&mut slots, receipt, at(0)).unwrap();
    assert_eq!(left(&mut slots, newcomer, &limits, at(0)), 1);
}

#[test]
fn charge_to_the_overflow_is_not_given_back_to_an_owner() {
    let limits = [bucket("b", 1, 1, 5)];
    let (mut slots, newcomer) = full(&limits[0], at(0));
    let charges = |amount| [charge(LimitKey::in_first_slot(newcomer), &limits, amount)];
    let receipt = reserve(&mut slots, &charges(4), at(0)).unwrap().receipt.unwrap();
    // A second later there is room, and the key has an entry of his own, which takes the overflow's usage along.
    let outcome = reserve(&mut slots, &charges(1), at(1)).unwrap();
    assert!(outcome.admitted && !outcome.overflow);
    cancel(&mut slots, receipt, at(1)).unwrap();
    assert_eq!(left(&mut slots, newcomer, &limits, at(1)), 0);
}

#[test]
fn what_was_given_back_in_full_keeps_no_place() {
    for (limit, back) in [
        (quota("failures", 5, Period::Day), true),
        (bucket("failures", 5, 3_600, 5), true),
        (quota("failures", 5, Period::Day), false),
        (bucket("failures", 5, 3_600, 5), false),
    ] {
        let limits = [limit];
        let mut slots = Memory::default();
        let mut ask = |nth| {
            let outcome = reserve(&mut slots, &[charge(LimitKey::in_first_slot(nth), &limits, 1)], at(0)).unwrap();
            if let Some(receipt) = outcome.receipt.filter(|_| back) {
                cancel(&mut slots, receipt, at(0)).unwrap();
            }
            outcome.overflow
        };
        let shared = (0..100).filter(|nth| ask(*nth)).count();
        assert_eq!(shared, if back { 0 } else { 68 }, "{} given back: {back}", limits[0].name);
    }
}

#[test]
fn what_was_given_back_in_full_is_not_kept_by_a_denial() {
    let limits = [quota("day", 5, Period::Day), quota("hour", 1, Period::Hour)];
    let mut slots = Memory::default();
    let receipt = ask(&mut slots, &limits[..1], 2, at(0)).receipt.unwrap();
    assert!(ask(&mut slots, &limits[1..], 1, at(0)).admitted);
    cancel(&mut slots, receipt, at(0)).unwrap();
    let swaps = slots.swaps;
    assert!(!ask(&mut slots, &limits, 1, at(0)).admitted);
    assert_eq!(slots.swaps, swaps);
}

#[test]
fn receipt_of_an_entry_that_made_room_gives_nothing_back_of_the_next() {
    let (slow, fast) = ([bucket("b", 1, 3_600, 100)], [bucket("b", 100, 1, 100)]);
    let key = LimitKey::in_first_slot(200);
    let mut slots = Memory::default();
    let mut take = |key, limits: &[Limit], amount, now| {
        let outcome = reserve(&mut slots, &[charge(key, limits, amount)], now).unwrap();
        assert!(outcome.admitted && !outcome.overflow);
        (outcome.receipt.unwrap(), slots.clone())
    };
    // Others fill the slot, but for one place.
    for nth in 0..31 {
        take(LimitKey::in_first_slot(nth), &[bucket("b", 1, 86_400, 2)], 1, at(0));
    }
    let (receipt, _) = take(key, &slow, 50, at(0));
    // All of it drains at the pace of the fast tier; another takes the place for a while.
    take(key, &fast, 1, at(1));
    take(LimitKey::in_first_slot(201), &fast, 1, at(2));
    let (_, mut slots) = take(key, &slow, 100, at(3));
    cancel(&mut slots, receipt, at(3)).unwrap();
    assert_eq!(reserve(&mut slots, &[charge(key, &slow, 0)], at(3)).unwrap().statuses[0].remaining, 0);
}
