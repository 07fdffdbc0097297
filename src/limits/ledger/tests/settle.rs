//! What is given back, and what is charged later.

use super::*;

#[test]
fn what_has_drained_is_not_given_back() {
    // Seconds until the refund, units still in use that are given back of 4 on top of 4, at one per second.
    for (secs, given) in [(0, 4), (4, 4), (6, 2), (8, 0), (100, 0)] {
        let (mut slots, limits) = (Memory::default(), [bucket("b", 60, 60, 100)]);
        assert!(ask(&mut slots, &limits, 4, at(0)).admitted);
        let receipt = ask(&mut slots, &limits, 4, at(0)).receipt.unwrap();
        assert!(ask(&mut slots, &limits, 50, at(secs)).admitted);
        let before = ask(&mut slots, &limits, 0, at(secs)).standings[0].remaining;
        cancel(&mut slots, receipt, at(secs)).unwrap();
        assert_eq!(ask(&mut slots, &limits, 0, at(secs)).standings[0].remaining, before + given, "after {secs} s");
    }
}

#[test]
fn a_refund_is_clamped_to_the_charge_and_to_its_period() {
    // Charged, refund asked for, seconds until then, left of 10.
    for (charged, asked, secs, left) in [(3, 2, 0, 9), (3, 3, 0, 10), (3, 1_000, 0, 10), (3, 3, 43_200, 8)] {
        let (mut slots, limits) = (Memory::default(), [quota("day", 10, Period::Day)]);
        let receipt = ask(&mut slots, &limits, charged, at(0)).receipt.unwrap();
        let other = if secs == 0 { 0 } else { 2 };
        assert!(ask(&mut slots, &limits, other, at(secs)).admitted);
        refund(&mut slots, receipt, Amounts { requests: asked, cost: 0 }, at(secs)).unwrap();
        assert_eq!(ask(&mut slots, &limits, 0, at(secs)).standings[0].remaining, left);
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
        assert_eq!((outcome.standings[0].remaining, outcome.standings[1].remaining), (left, 8), "{actual}");
    }
}
