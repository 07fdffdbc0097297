#![allow(clippy::arithmetic_side_effects)]

use super::super::ledger::{cancel, reserve};
use super::super::tests::{Memory, bucket, charge, quota};
use super::super::{Limit, Period};
use super::*;

const NOON: Timestamp = Timestamp::from_secs(1_700_049_600); // 15 November 2023, 12:00 UTC

fn key(nth: u8) -> LimitKey {
    LimitKey::address("guesses", [192, 0, 2, nth].into())
}

fn ask(slots: &mut Memory, limit: &Limit, now: Timestamp) -> Outcome {
    reserve(slots, &[charge(key(1), std::slice::from_ref(limit), 1)], now).unwrap()
}

/// Uses the budget up; the first refusal.
fn use_up(slots: &mut Memory, limit: &Limit, now: Timestamp) -> Outcome {
    loop {
        let outcome = ask(slots, limit, now);
        if !outcome.admitted {
            return outcome;
        }
    }
}

fn millis(millis: u64) -> Timestamp {
    NOON.after(Duration::from_millis(millis))
}

/// Whether it is remembered after so many microseconds; then the answer is what the slots say.
#[track_caller]
fn check(limit: &Limit, micros: u64, remembered: bool) {
    let (mut slots, mut refusals) = (Memory::default(), RefusalCache::default());
    let refused = use_up(&mut slots, limit, NOON);
    refusals.note(key(1), &refused, NOON);
    let now = NOON.after(Duration::from_micros(micros));
    let told = refusals.ask(&key(1), now);
    assert_eq!(told.is_some(), remembered, "{} after {micros} us", limit.name);
    let (Some(told), asked) = (told, ask(&mut slots, limit, now)) else {
        return;
    };
    let facts = |it: &Outcome| {
        let [status] = it.statuses.as_slice() else { panic!("{it:?}") };
        let facts = (status.remaining, status.capacity, status.window, status.refuses());
        ((it.admitted, it.never, it.overflow, facts), [it.retry_after, status.reset_after])
    };
    let ((told_facts, told_times), (asked_facts, asked_times)) = (facts(&told), facts(&asked));
    assert_eq!(told_facts, asked_facts, "{} after {micros} us", limit.name);
    // Slots count whole micro-units, so that theirs may be the longer ones by the time that one takes to drain.
    for (told, asked) in told_times.into_iter().zip(asked_times) {
        let longer = asked.checked_sub(told).unwrap_or_else(|| panic!("{told:?} is more than {asked:?}"));
        assert!(longer < Duration::from_millis(1), "{} after {micros} us: {told:?}, {asked:?}", limit.name);
    }
    assert!(!told.admitted && told.receipt.is_none());
    assert_eq!(told.violated().collect::<Vec<_>>(), [limit.name.as_str()]);
}

#[test]
fn it_says_what_the_slots_would_say_for_a_tenth_of_a_second_at_most() {
    // One in 100 ms: it is forgotten just as there is room again.
    let fast = bucket("fast", 600, 60, 600);
    // One in 6 minutes, whatever the burst.
    let slow = bucket("slow", 10, 3_600, 3);
    for limit in
        [&fast, &slow, &bucket("odd", 7, 3, 2), &quota("day", 5, Period::Day), &quota("month", 5, Period::Month)]
    {
        for micros in [0, 1, 999, 50_000, 99_999] {
            check(limit, micros, true);
        }
        check(limit, 100_000, false);
    }
    // One in 20 ms.
    let faster = bucket("faster", 50, 1, 50);
    check(&faster, 19_999, true);
    check(&faster, 20_000, false);
    // Noon is not midnight, but a second before it is.
    let (mut slots, mut refusals, day) = (Memory::default(), RefusalCache::default(), quota("day", 2, Period::Day));
    let late = NOON.after(Duration::from_millis(12 * 3_600_000 - 30));
    refusals.note(key(1), &use_up(&mut slots, &day, late), late);
    assert!(refusals.ask(&key(1), late.after(Duration::from_millis(29))).is_some());
    assert!(refusals.ask(&key(1), late.after(Duration::from_millis(30))).is_none());
}

/// A budget that is used up, and remembered at noon.
fn refusals() -> (RefusalCache, Outcome) {
    let (mut slots, mut refusals) = (Memory::default(), RefusalCache::default());
    let refused = use_up(&mut slots, &bucket("slow", 10, 3_600, 3), NOON);
    refusals.note(key(1), &refused, NOON);
    (refusals, refused)
}

#[test]
fn it_is_of_one_owner_and_says_nothing_of_the_past() {
    let (refusals, _) = refusals();
    assert!(refusals.ask(&key(1), NOON).is_some());
    assert!(refusals.ask(&key(2), NOON).is_none(), "another address");
    // A clock that was set back.
    assert!(refusals.ask(&key(1), Timestamp::from_micros(NOON.micros() - 1)).is_none());
}

#[test]
fn what_is_told_from_it_makes_it_last_no_longer() {
    let (mut refusals, _) = refusals();
    let told = refusals.ask(&key(1), millis(90)).unwrap();
    refusals.note(key(1), &told, millis(90));
    assert!(refusals.ask(&key(1), millis(99)).is_some());
    assert!(refusals.ask(&key(1), millis(100)).is_none());
    // Asked again after its end, it begins anew.
    refusals.note(key(1), &told, millis(100));
    assert!(refusals.ask(&key(1), millis(199)).is_some());
}

#[test]
fn what_makes_room_is_heeded() {
    let (mut given_back, _) = refusals();
    given_back.forget(&key(2));
    assert!(given_back.ask(&key(1), NOON).is_some(), "another address");
    given_back.forget(&key(1));
    assert!(given_back.ask(&key(1), NOON).is_none());
    // One that was charged before the budget was used up, and finds room after all.
    let (mut slots, limit) = (Memory::default(), bucket("slow", 10, 3_600, 1));
    let (mut refusals, held) = (RefusalCache::default(), ask(&mut slots, &limit, NOON));
    refusals.note(key(1), &ask(&mut slots, &limit, NOON), NOON);
    assert!(refusals.ask(&key(1), NOON).is_some());
    cancel(&mut slots, held.receipt.unwrap(), NOON).unwrap();
    refusals.note(key(1), &ask(&mut slots, &limit, NOON), NOON);
    assert!(refusals.ask(&key(1), NOON).is_none());
}

#[test]
fn what_was_admitted_or_never_will_be_is_not_remembered() {
    let (mut slots, limit) = (Memory::default(), bucket("slow", 10, 3_600, 3));
    let mut refusals = RefusalCache::default();
    refusals.note(key(1), &ask(&mut slots, &limit, NOON), NOON);
    assert!(refusals.ask(&key(1), NOON).is_none());
    let never = reserve(&mut slots, &[charge(key(1), &[limit], 4)], NOON).unwrap();
    assert!(never.never);
    refusals.note(key(1), &never, NOON);
    assert!(refusals.ask(&key(1), NOON).is_none());
    // Nor does it take the place of a refusal.
    let mut others = (0..).map(|nth: u32| LimitKey::address("others", std::net::IpAddr::V4(nth.into())));
    let other = others.find(|it| it.number() % PLACES == key(1).number() % PLACES).unwrap();
    let refused = use_up(&mut slots, &bucket("slow", 10, 3_600, 3), NOON);
    refusals.note(key(1), &refused, NOON);
    for outcome in [Outcome::room(), never] {
        refusals.note(other, &outcome, NOON);
        assert!(refusals.ask(&key(1), NOON).is_some(), "{outcome:?}");
    }
}

#[test]
fn memory_is_bounded_and_the_latest_is_remembered() {
    let (mut refusals, refused) = refusals();
    let keys = (0..10_000_u32).map(|nth| LimitKey::address("guesses", std::net::IpAddr::V4(nth.into())));
    for key in keys {
        refusals.note(key, &refused, NOON);
        assert!(refusals.ask(&key, NOON).is_some());
    }
    assert_eq!(refusals.0.places().len(), 256);
    assert!(refusals.0.places().iter().all(Option::is_some), "all places are used");
}
