//! Clocks that were set back, where nothing but a denial ever writes.

use super::*;

#[test]
fn what_is_only_foreseen_drains_from_when_the_clock_was_set_back() {
    // Seconds that the clock goes back, and from then on until there is room: one of three drains in six.
    for (back, until) in [(0_u64, 6_u64), (2, 8), (3, 6), (86_400, 6)] {
        let (mut slots, limits) = (Memory::default(), [bucket("failed", 10, 60, 3)]);
        assert_eq!(admitted(&mut slots, &limits, 9, at(100_000)), 3);
        let mut room =
            |secs: u64| peek(&mut slots, charge(client(), &limits, 1), at(100_000 - back + secs)).unwrap().admitted;
        assert_eq!((0..1_000).find(|secs| room(*secs)), Some(until), "{back} s back");
        assert_eq!(slots.swaps, 3 + usize::from(back > 2), "{back} s back: the time is corrected, once");
    }
}

#[test]
fn who_finds_no_room_at_all_waits_for_it_no_longer_when_the_clock_is_set_back() {
    let many: Vec<Limit> = (1..16).map(|nth| quota(&format!("day{nth}"), 5, Period::Day)).collect();
    let ahead = 100 * 86_400;
    let (mut slots, _) = full(&quota("day", 5, Period::Day), at(ahead));
    assert!(reserve(&mut slots, &[charge(LimitKey::in_first_slot(100), &many, 1)], at(ahead)).unwrap().admitted);
    let mut ask = |now| {
        let charges = [charge(LimitKey::in_first_slot(101), &[quota("other", 5, Period::Day)], 1)];
        (reserve(&mut slots, &charges, now).unwrap().admitted, slots.swaps)
    };
    let (_, swaps) = ask(at(ahead));
    assert_eq!(ask(at(0)), (false, swaps + 1), "times are corrected");
    assert_eq!(ask(at(86_399)), (false, swaps + 1), "once");
    assert!(ask(at(86_400)).0, "as long as a day lasts");
}
