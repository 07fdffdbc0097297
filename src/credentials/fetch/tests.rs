#![allow(clippy::arithmetic_side_effects)]

use super::*;

fn remote() -> Remote {
    Remote {
        cluster: "auth".into(),
        authority: "auth.example.com".into(),
        path: "/jwks".into(),
        scheme: "https".into(),
        timeout: Duration::from_secs(2),
        refresh: Duration::from_mins(10),
        max_stale: Duration::from_hours(24),
        cooldown: Duration::from_secs(2),
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn fetched(generation: u64, max_age: Option<Duration>) -> Fetched {
    Fetched { generation, version: 0, max_age }
}

fn claimed(record: &Record, wanted: Option<Timestamp>, now: Timestamp) -> Record {
    match record.on_tick(&remote(), wanted, now) {
        Action::Claim(record) => record,
        Action::Idle => panic!("no claim at {now:?} of {record:?}"),
    }
}

/// A record with a good document fetched at `now`.
fn good(now: Timestamp) -> Record {
    let claim = claimed(&Record::default(), None, now);
    claim.on_success(&remote(), now, fetched(7, None), now).unwrap()
}

#[test]
fn first_tick_claims_and_a_second_worker_does_not() {
    let claim = claimed(&Record::default(), None, at(1000));
    assert_eq!(claim.on_tick(&remote(), None, at(1001)), Action::Idle);
}

#[test]
fn abandoned_claim_is_taken_over_after_its_deadline() {
    let claim = claimed(&Record::default(), None, at(1000));
    assert_eq!(claim.on_tick(&remote(), None, at(1002)), Action::Idle);
    assert!(matches!(claim.on_tick(&remote(), None, at(1003)), Action::Claim(_)));
}

#[test]
fn claim_that_was_given_up_is_taken_over_after_the_cooldown() {
    let claim = claimed(&Record::default(), None, at(1000));
    let free = claim.on_abandoned(at(1000)).unwrap();
    assert_eq!(free.on_tick(&remote(), None, at(1001)), Action::Idle);
    assert_eq!(free.outlook(at(1000), at(1005), at(1001)), Outlook::Wait, "nothing has failed");
    let second = claimed(&free, None, at(1002));
    assert_eq!(second.on_abandoned(at(1000)), None, "another one's claim");
    assert_eq!(good(at(1000)).on_abandoned(at(1000)), None, "an answered one");
}

#[test]
fn answer_of_a_lost_claim_is_dropped() {
    let first = claimed(&Record::default(), None, at(1000));
    let second = claimed(&first, None, at(1003));
    assert_eq!(second.on_success(&remote(), at(1000), fetched(1, None), at(1004)), None);
    assert_eq!(second.on_failure(&remote(), at(1000), at(1004)), None);
    assert!(second.on_success(&remote(), at(1003), fetched(2, None), at(1004)).is_some());
}

#[test]
fn answer_counts_once() {
    let done = good(at(1000));
    assert_eq!(done.on_success(&remote(), at(1000), fetched(8, None), at(1001)), None);
}

#[test]
fn document_is_refreshed_in_time_and_not_before() {
    let record = good(at(1000));
    assert_eq!(record.on_tick(&remote(), None, at(1599)), Action::Idle);
    assert!(matches!(record.on_tick(&remote(), None, at(1600)), Action::Claim(_)));
}

#[test]
fn cache_control_shortens_the_refresh_within_bounds() {
    let claim = claimed(&Record::default(), None, at(1000));
    for (age, due) in [
        (None, 1600),
        (Some(120), 1120),
        // Never more often than once a minute.
        (Some(0), 1060),
        // Never less often than configured.
        (Some(86_400), 1600),
    ] {
        let age = age.map(Duration::from_secs);
        let record = claim.on_success(&remote(), at(1000), fetched(1, age), at(1000)).unwrap();
        assert_eq!(record.document.unwrap().refresh_at, at(due), "{age:?}");
    }
}

#[test]
fn unknown_kid_refetches_once_per_cooldown() {
    let record = good(at(1000));
    // Within the cooldown of the fetch at 1000.
    assert_eq!(record.on_tick(&remote(), Some(at(1001)), at(1001)), Action::Idle);
    let record = claimed(&record, Some(at(1001)), at(1002));
    let record = record.on_success(&remote(), at(1002), fetched(7, None), at(1002)).unwrap();
    // The document of 1002 answers the request of 1001, and one of 1002.
    assert_eq!(record.on_tick(&remote(), Some(at(1001)), at(1010)), Action::Idle);
    assert_eq!(record.on_tick(&remote(), Some(at(1002)), at(1010)), Action::Idle);
    assert_eq!(record.outlook(at(1001), at(1006), at(1002)), Outlook::Fresh);
}

#[test]
fn failures_back_off_and_keep_the_last_good_document() {
    let mut record = good(at(1000));
    let mut now = at(1600);
    for pause in [2, 4, 8, 16, 30, 30] {
        let claim = claimed(&record, None, now);
        record = claim.on_failure(&remote(), now, now).unwrap();
        assert_eq!(record.next_at, now.after(Duration::from_secs(pause)));
        assert!(record.is_usable(now));
        now = record.next_at;
    }
    assert!(!record.is_usable(at(1000 + 86_400)));
}

#[test]
fn waiting_ends_with_a_failure_after_arrival_or_the_deadline() {
    let arrival = at(1000);
    let deadline = at(1005);
    let none = Record::default();
    assert_eq!(none.outlook(arrival, deadline, arrival), Outlook::Wait);
    let claim = claimed(&none, Some(arrival), arrival);
    assert_eq!(claim.outlook(arrival, deadline, at(1001)), Outlook::Wait);
    let failed = claim.on_failure(&remote(), arrival, at(1001)).unwrap();
    let retry_after = Duration::from_secs(2);
    assert_eq!(failed.outlook(arrival, deadline, at(1001)), Outlook::Fail { retry_after });
    // A failure before the request arrived does not end its waiting while another try fits in.
    assert_eq!(failed.outlook(at(1002), at(1007), at(1002)), Outlook::Wait);
    // It does when the next try comes too late.
    let late = Record { next_at: at(1030), ..failed };
    let retry_after = Duration::from_secs(28);
    assert_eq!(late.outlook(at(1002), at(1007), at(1002)), Outlook::Fail { retry_after });
    // What begins at the deadline is too late, a moment before it is not.
    for (next_at, waits) in [(at(1007), false), (Timestamp::from_micros(at(1007).micros() - 1), true)] {
        let next = Record { next_at, ..failed };
        assert_eq!(next.outlook(at(1002), at(1007), at(1002)) == Outlook::Wait, waits, "{next_at:?}");
    }
    assert_eq!(claim.outlook(arrival, deadline, deadline), Outlook::Fail { retry_after: Duration::ZERO });
}

#[test]
fn clock_set_back_blocks_no_fetch() {
    let record = good(at(100_000));
    assert!(matches!(record.on_tick(&remote(), None, at(5000)), Action::Claim(_)));
    let claim = claimed(&Record::default(), None, at(100_000));
    assert!(matches!(claim.on_tick(&remote(), None, at(5000)), Action::Claim(_)));
}

#[test]
fn clock_that_differs_by_two_seconds_is_not_set_back() {
    let record = good(at(1002));
    assert_eq!(record.on_tick(&remote(), None, at(1000)), Action::Idle);
    let earlier = Timestamp::from_micros(at(1000).micros() - 1);
    assert!(matches!(record.on_tick(&remote(), None, earlier), Action::Claim(_)));
}

#[test]
fn clock_set_back_makes_no_document_fresh_and_ends_no_waiting() {
    let record = good(at(100_000));
    // Fetched "after" the request only by the clock of before; the next fetch answers.
    assert_eq!(record.outlook(at(5000), at(5005), at(5000)), Outlook::Wait);
    let failed =
        claimed(&Record::default(), None, at(100_000)).on_failure(&remote(), at(100_000), at(100_001)).unwrap();
    assert_eq!(failed.outlook(at(5000), at(5005), at(5000)), Outlook::Wait);
    // Nor does what a request wanted before keep fetches coming.
    let fetched = good(at(5000));
    assert_eq!(fetched.on_tick(&remote(), Some(at(100_000)), at(5010)), Action::Idle);
    assert!(matches!(fetched.on_tick(&remote(), Some(at(5009)), at(5010)), Action::Claim(_)));
}

#[test]
fn long_cooldown_is_told_and_not_waited_for() {
    let slow = Remote { cooldown: Duration::from_mins(5), ..remote() };
    assert_eq!(remote().wait_max(), Duration::from_secs(5));
    assert_eq!(slow.wait_max(), Duration::from_secs(13));
    let claim = claimed(&Record::default(), None, at(1000));
    let record = claim.on_success(&slow, at(1000), fetched(7, None), at(1000)).unwrap();
    let (arrival, deadline) = (at(1001), at(1001).after(slow.wait_max()));
    let retry_after = Duration::from_secs(299);
    assert_eq!(record.outlook(arrival, deadline, arrival), Outlook::Fail { retry_after });
    // Its end in sight, it is waited for; as is a fetch under way.
    let (arrival, deadline) = (at(1290), at(1290).after(slow.wait_max()));
    assert_eq!(record.outlook(arrival, deadline, arrival), Outlook::Wait);
    assert_eq!(claim.outlook(at(1001), at(1014), at(1001)), Outlook::Wait);
}

#[test]
fn record_survives_its_encoding_and_garbage_is_a_fresh_start() {
    for record in [Record::default(), claimed(&Record::default(), None, at(7)), good(at(9))] {
        let bytes = record.encode();
        assert_eq!(bytes.len(), Record::LEN);
        assert_eq!(Record::decode(&bytes), record);
        for len in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..len]), Record::default());
        }
    }
    assert_eq!(Record::decode(&[0xff; Record::LEN]), Record::default());
}

#[test]
fn version_may_not_go_back() {
    let with_version = |record: &Record, generation, version, now| {
        let claim = claimed(record, Some(now), now);
        claim.on_success(&remote(), now, Fetched { generation, version, max_age: None }, now).unwrap()
    };
    let fifth = with_version(&Record::default(), 1, 5, at(1000));
    // older: the last good one stays, and the failure counts
    let older = with_version(&fifth, 2, 4, at(1010));
    assert_eq!((older.document, older.failures), (fifth.document, 1));
    // the same version again, also with other content, and a newer one
    assert_eq!(with_version(&fifth, 1, 5, at(1010)).document.unwrap().started, at(1010));
    assert_eq!(with_version(&fifth, 2, 5, at(1010)).document.unwrap().generation, 2);
    assert_eq!(with_version(&older, 3, 6, at(1020)).failures, 0);
}

#[test]
fn new_content_goes_to_the_place_that_is_not_read() {
    let next = |record: &Record, generation, now| {
        let claim = claimed(record, Some(now), now);
        let place = claim.place_for(generation);
        let record = claim.on_success(&remote(), now, fetched(generation, None), now).unwrap();
        assert_eq!(record.document.unwrap().place, place);
        (record, place)
    };
    let (first, place) = next(&Record::default(), 1, at(1000));
    assert_eq!(place, Place::First);
    let (second, place) = next(&first, 2, at(1010));
    assert_eq!(place, Place::Second);
    // equal content stays where it is
    assert_eq!(next(&second, 2, at(1020)).1, Place::Second);
    assert_eq!(next(&second, 1, at(1020)).1, Place::First);
    assert_eq!(Record::decode(&second.encode()), second);
}

#[test]
fn max_age_is_read_from_cache_control() {
    for (value, expected) in [
        ("max-age=300", Some(300)),
        ("public, Max-Age=\"60\", must-revalidate", Some(60)),
        ("no-store", Some(0)),
        ("max-age=5, no-cache", Some(0)),
        ("public", None),
        ("max-age=soon", None),
        ("", None),
    ] {
        assert_eq!(max_age(value.as_bytes()), expected.map(Duration::from_secs), "{value}");
    }
    assert_eq!(max_age(&[0xff]), None);
}

#[test]
fn every_fetch_has_a_greater_build_and_equal_content_keeps_its_own() {
    let first = good(at(1000));
    let built = first.document.unwrap().build;
    assert_eq!(built, first.build);
    let again = claimed(&first, Some(at(1010)), at(1010));
    assert!(again.build > first.build);
    let same = again.on_success(&remote(), at(1010), fetched(7, None), at(1010)).unwrap();
    assert_eq!(same.document.unwrap().build, built);
    let other = again.on_success(&remote(), at(1010), fetched(8, None), at(1010)).unwrap();
    assert_eq!(other.document.unwrap().build, again.build);
    // a clock set back, and a record that was lost
    assert!(claimed(&other, Some(at(500)), at(500)).build > again.build);
    assert!(claimed(&Record::default(), None, at(1020)).build > again.build);
}

#[test]
fn sign_of_life_keeps_a_claim_and_a_lost_one_has_none() {
    let claim = claimed(&Record::default(), None, at(1000));
    let alive = claim.on_progress(at(1000), at(1002)).unwrap();
    assert_eq!(alive.on_tick(&remote(), None, at(1004)), Action::Idle);
    let taken = claimed(&alive, None, at(1005));
    assert_eq!(taken.on_progress(at(1000), at(1005)), None);
    assert_eq!(good(at(1000)).on_progress(at(1000), at(1001)), None, "ended");
    assert!(alive.on_success(&remote(), at(1000), fetched(7, None), at(1004)).is_some());
}

#[test]
fn long_list_is_left_to_who_serves_nobody_and_to_who_had_it_last() {
    let due = good(at(1000));
    let left = |serves, last, millis| {
        due.is_left_to_others(&remote(), None, serves, last, at(1600).after(Duration::from_millis(millis)))
    };
    for (serves, last, patience) in [(false, true, 0), (false, false, 750), (true, true, 1_500), (true, false, 2_250)] {
        assert!(patience == 0 || left(serves, last, patience - 1), "{serves} {last}");
        assert!(!left(serves, last, patience), "{serves} {last}");
    }
    // the first list is nobody's
    assert!(!Record::default().is_left_to_others(&remote(), None, true, false, at(1000)));
}

#[test]
fn remotes_that_differ_in_anything_have_records_of_their_own() {
    let secs = Duration::from_secs;
    let others = [
        remote(),
        Remote { cluster: "other".into(), ..remote() },
        Remote { authority: "other.example.com".into(), ..remote() },
        Remote { path: "/other".into(), ..remote() },
        Remote { scheme: "http".into(), ..remote() },
        Remote { timeout: secs(3), ..remote() },
        Remote { refresh: secs(3), ..remote() },
        Remote { max_stale: secs(3), ..remote() },
        Remote { cooldown: secs(3), ..remote() },
    ];
    let texts: std::collections::BTreeSet<String> = others.iter().map(Remote::fingerprint_input).collect();
    assert_eq!(texts.len(), others.len());
    assert!(texts.contains("auth\nhttps\nauth.example.com\n/jwks\n2000000\n600000000\n86400000000\n2000000"));
}
