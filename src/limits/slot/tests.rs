#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn live(level: u64) -> Record {
    Record { level, stamp: NOW.micros(), clear_at: 2_000_000_000, outflow: 3, refunded: 0 }
}

/// Claims and fills `count` records of a key.
fn fill(slot: &mut Slot, tag: [u8; 16], count: u32) -> Vec<Seat> {
    let claim = |id| {
        let seat = slot.claim(&tag, id, NOW);
        if let Seat::Own(at) | Seat::Overflow(at) = seat {
            slot.put(at, live(id.into()));
        }
        seat
    };
    (0..count).map(claim).collect()
}

/// A slot in which others leave room for one key of sixteen limits and for no second one.
fn crowded() -> Slot {
    let mut slot = Slot::parse(Vec::new());
    for (tag, count) in [([0xa1; 16], 16), ([0xa2; 16], 16), ([0xa3; 16], 1)] {
        for seat in fill(&mut slot, tag, count) {
            let Seat::Own(at) = seat else { panic!("there is room") };
            slot.put(at, Record { clear_at: 4_000_000_000_000, ..live(1) });
        }
    }
    slot
}

#[test]
fn what_is_put_is_found() {
    let mut slot = Slot::parse(Vec::new());
    fill(&mut slot, [1; 16], 3);
    fill(&mut slot, [2; 16], 2);
    fill(&mut slot, [1; 16], 5);
    let slot = Slot::parse(slot.into_bytes());
    for (tag, count) in [([1; 16], 5), ([2; 16], 2)] {
        for id in 0..count {
            let Seat::Own(at) = slot.find(&tag, id, NOW) else { panic!("{id} of {tag:?}") };
            assert_eq!(slot.get(at), live(id.into()));
        }
        assert_eq!(slot.find(&tag, count, NOW), Seat::Vacant);
    }
}

#[test]
fn sixteen_limits_of_a_newcomer_fit_the_overflow_of_a_full_slot() {
    let mut slot = crowded();
    assert!(fill(&mut slot, [1; 16], 16).iter().all(|seat| matches!(seat, Seat::Own(_))));
    assert!(fill(&mut slot, [2; 16], 16).iter().all(|seat| matches!(seat, Seat::Overflow(_))));
    assert_eq!(slot.claim(&[3; 16], 16, NOW), Seat::Full(2_000_000_000), "a seventeenth waits for the first clearance");
    assert!(slot.as_bytes().len() <= SLOT_BYTES_MAX);
}

#[test]
fn an_entry_is_dropped_only_when_all_of_it_is_cleared() {
    let mut slot = crowded();
    fill(&mut slot, [1; 16], 14);
    let Seat::Own(at) = slot.find(&[1; 16], 3, NOW) else { panic!() };
    let later = Timestamp::from_secs(2_000);
    slot.put(at, Record { clear_at: later.micros() + 1, ..live(0) });
    let Seat::Own(at) = slot.claim(&[2; 16], 0, later) else { panic!("there is room for one more") };
    slot.put(at, Record { clear_at: later.micros() + 1, ..live(0) });
    assert!(matches!(slot.claim(&[3; 16], 0, later), Seat::Overflow(_)), "one record is live");
    assert!(matches!(slot.claim(&[3; 16], 1, Timestamp::from_secs(2_001)), Seat::Own(_)), "all cleared");
    assert_eq!(slot.find(&[1; 16], 3, later), Seat::Vacant);
}

#[test]
fn a_newcomer_with_a_seat_takes_the_overflow_usage_along() {
    let mut slot = crowded();
    fill(&mut slot, [1; 16], 16);
    fill(&mut slot, [2; 16], 2);
    let cleared = slot.clone().bytes.len();
    for id in 0..16 {
        let Seat::Own(at) = slot.find(&[1; 16], id, NOW) else { panic!() };
        slot.put(at, Record { clear_at: 0, ..live(1) });
    }
    let Seat::Own(at) = slot.claim(&[2; 16], 1, NOW) else { panic!() };
    assert_eq!(slot.get(at).level, 1);
    assert!(slot.bytes.len() < cleared);
}

#[test]
fn times_of_a_clock_set_back_do_not_hold_a_slot_for_good() {
    let mut slot = crowded();
    fill(&mut slot, [1; 16], 16);
    for id in 0..16 {
        let Seat::Own(at) = slot.find(&[1; 16], id, NOW) else { panic!() };
        slot.put(at, Record { stamp: 900_000_000_000, clear_at: 900_010_000_000, ..live(1) });
    }
    assert!(matches!(slot.claim(&[2; 16], 0, NOW), Seat::Overflow(_)));
    assert!(matches!(slot.claim(&[3; 16], 1, Timestamp::from_secs(1_009)), Seat::Overflow(_)));
    assert!(matches!(slot.claim(&[3; 16], 1, Timestamp::from_secs(1_011)), Seat::Own(_)));
}

#[test]
fn owners_drop_what_is_cleared_of_their_own_and_of_the_overflow() {
    let cleared = |slot: &mut Slot, seats: &[Seat]| {
        for seat in seats {
            let (Seat::Own(at) | Seat::Overflow(at)) = *seat else { panic!("{seat:?}") };
            slot.put(at, Record { clear_at: 0, ..live(1) });
        }
    };
    let mut slot = crowded();
    let own = fill(&mut slot, [1; 16], 16);
    assert!(matches!(slot.clone().claim(&[1; 16], 20, NOW), Seat::Overflow(_)), "all sixteen are live");
    cleared(&mut slot, &own[..3]);
    assert!(matches!(slot.claim(&[1; 16], 20, NOW), Seat::Own(_)));
    let mut slot = crowded();
    fill(&mut slot, [1; 16], 16);
    let shared = fill(&mut slot, [2; 16], 16);
    assert!(matches!(slot.clone().claim(&[3; 16], 20, NOW), Seat::Full(_)), "all sixteen are live");
    cleared(&mut slot, &shared[..3]);
    assert!(matches!(slot.claim(&[3; 16], 20, NOW), Seat::Overflow(_)));
}

#[test]
fn overflow_is_found_while_it_is_live() {
    let mut slot = crowded();
    fill(&mut slot, [1; 16], 16);
    fill(&mut slot, [2; 16], 1);
    assert!(matches!(slot.find(&[3; 16], 0, Timestamp::from_secs(1_999)), Seat::Overflow(_)));
    assert_eq!(slot.find(&[3; 16], 0, Timestamp::from_secs(2_000)), Seat::Vacant, "as good as none");
    assert_eq!(slot.find(&[3; 16], 1, NOW), Seat::Vacant, "another limit");
}

/// The bytes of entries with so many records.
fn entries(of: &[([u8; 16], usize)]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    for (tag, count) in of {
        bytes.extend_from_slice(tag);
        bytes.push(u8::try_from(*count).unwrap());
        bytes.extend(std::iter::repeat_n(7, count * RECORD_BYTES));
    }
    bytes
}

#[test]
fn what_is_no_slot_is_an_empty_one() {
    let many = |count: u8| (0..count).map(|nth| ([nth; 16], 1)).collect::<Vec<_>>();
    let whole = entries(&[([1; 16], 2), ([2; 16], 1)]);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    for (bytes, fits) in [
        (Vec::new(), false),
        (vec![VERSION], true),
        (whole.clone(), true),
        // another version, a byte more or less
        (with(|bytes| bytes[0] = VERSION + 1), false),
        (with(|bytes| bytes.push(0)), false),
        (with(|bytes| bytes.truncate(bytes.len() - 1)), false),
        // as many as keys may fill, and one more
        (entries(&many(32)), true),
        (entries(&many(33)), false),
        // a full overflow entry beside them, and one with a record more, also alone
        (entries(&[many(32), vec![(OVERFLOW, 16)]].concat()), true),
        (entries(&[many(32), vec![(OVERFLOW, 17)]].concat()), false),
        (entries(&[(OVERFLOW, 17)]), false),
        (entries(&[many(33), vec![(OVERFLOW, 16)]].concat()), false),
    ] {
        let slot = Slot::parse(bytes.clone());
        assert_eq!(slot.as_bytes(), if fits { &bytes[..] } else { &[VERSION] }, "{} bytes", bytes.len());
    }
}

#[test]
fn times_ahead_by_more_than_they_last_are_moved_back() {
    // Ahead of now, and what the record lasts, in microseconds.
    for (ahead, life, moves) in
        [(2_000_000, 1, false), (2_000_001, 1, true), (5_000_000, 5_000_000, false), (5_000_001, 5_000_000, true)]
    {
        let stamp = NOW.micros() + ahead;
        let record = Record { level: 1, stamp, clear_at: stamp + life, outflow: 0, refunded: 0 };
        let expected = if moves { NOW.micros() } else { stamp };
        let clamped = clamp(record, NOW);
        assert_eq!((clamped.stamp, clamped.clear_at), (expected, expected + life), "{ahead} us ahead");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_slot(bytes in prop::collection::vec(any::<u8>(), 0..2_400), version in any::<bool>()) {
        let mut bytes = bytes;
        if version && let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        let mut slot = Slot::parse(bytes);
        fill(&mut slot, [1; 16], 20);
        prop_assert!(slot.as_bytes().len() <= SLOT_BYTES_MAX);
        prop_assert_eq!(Slot::parse(slot.bytes.clone()), slot);
    }

    #[test]
    fn broken_slots_stay_slots(at in 0_usize..600, byte in any::<u8>(), cut in 0_usize..600, count in 1_u32..17) {
        let mut slot = Slot::parse(Vec::new());
        fill(&mut slot, [1; 16], count);
        let mut bytes = slot.into_bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let whole = bytes.len();
        bytes.truncate(whole.saturating_sub(cut.saturating_sub(500)));
        let mut slot = Slot::parse(bytes);
        fill(&mut slot, [2; 16], 16);
        prop_assert!(slot.as_bytes().len() <= SLOT_BYTES_MAX);
        prop_assert_eq!(Slot::parse(slot.bytes.clone()), slot);
    }
}
