//! Buckets that hold more than a tier has room for: after a downgrade, or smaller numbers in a new configuration.

use super::*;

/// 900,000 of a million a day are used.
fn used() -> (Memory, [Limit; 1]) {
    let (mut slots, large) = (Memory::default(), [bucket("b", 1_000_000, 86_400, 1_000_000)]);
    assert!(ask(&mut slots, &large, 900_000, at(0)).admitted);
    (slots, large)
}

/// A thousand a day: one in 86.4 s, and a hundred at once.
fn small() -> [Limit; 1] {
    [bucket("b", 1_000, 86_400, 100)]
}

#[test]
fn what_a_larger_tier_has_used_counts_as_a_full_bucket() {
    let (mut slots, _) = used();
    let outcome = ask(&mut slots, &small(), 1, at(0));
    assert_eq!(outcome.retry_after, Duration::from_millis(86_400), "not 900 days");
    let status = &outcome.statuses[0];
    assert_eq!((status.remaining, status.reset_after), (0, Duration::from_mins(144)));
    // One at a time, each when the one before was told to be retried.
    let mut now = at(0);
    for _ in 0..9 {
        let refused = ask(&mut slots, &small(), 1, now);
        assert!(
            !ask(&mut slots, &small(), 1, now.after(refused.retry_after.saturating_sub(Duration::from_micros(1))))
                .admitted
        );
        now = now.after(refused.retry_after);
        let outcome = ask(&mut slots, &small(), 1, now);
        assert!(outcome.admitted);
        assert_eq!(outcome.statuses[0].remaining, 0, "what is told is true");
    }
}

#[test]
fn small_tier_takes_nothing_off_what_the_larger_one_has_used() {
    let (mut slots, large) = used();
    let hours = |hours: u64| at(hours * 3_600);
    assert_eq!(admitted(&mut slots, &small(), 1_000, hours(3)), 1, "a hundred drain, but the bucket is still full");
    let left = ask(&mut slots, &large, 0, hours(3)).statuses[0].remaining;
    assert_eq!(left, 100_000 + 125 - 1, "what the small one has drained in three hours");
    assert!(!ask(&mut slots, &large, 100_125, hours(3)).admitted);
}

#[test]
fn larger_usage_is_gone_when_it_would_be_for_who_used_it() {
    // 900,000 drain in 21.6 hours of the large tier.
    for (secs, most) in [(77_759, 1), (77_760, 100)] {
        let (mut slots, _) = used();
        assert_eq!(admitted(&mut slots, &small(), 1_000, at(secs)), most, "after {secs} s");
    }
    // A request of the small one meanwhile makes it later, by what it takes to drain there.
    for (secs, most) in [(77_846, 1), (77_847, 100)] {
        let (mut slots, _) = used();
        assert_eq!(admitted(&mut slots, &small(), 1_000, at(3_600)), 1);
        assert_eq!(admitted(&mut slots, &small(), 1_000, at(secs)), most, "after {secs} s");
    }
}

#[test]
fn what_is_settled_on_more_finds_no_room_in_a_fuller_bucket() {
    let (small, large) = ([costly(bucket("b", 1, 60, 10))], [costly(bucket("b", 1, 60, 100))]);
    let mut slots = Memory::default();
    assert!(ask(&mut slots, &large, 50, at(0)).admitted);
    // Five drain, four are asked for, and there is room for none: it is as full as it was.
    let receipt = ask(&mut slots, &small, 4, at(300)).receipt.unwrap();
    let left = |slots: &mut Memory| ask(slots, &large, 0, at(300)).statuses[0].remaining;
    assert_eq!(left(&mut slots), 51);
    settle(&mut slots, receipt, 9, at(300)).unwrap();
    assert_eq!(left(&mut slots), 51);
}
