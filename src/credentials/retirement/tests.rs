#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::*;
use crate::values::time::whole_second;

/// The schedule of 2014: announced at the start of July, limited harder from September in Chicago, refused with the new year.
fn schedule() -> Schedule {
    schedule_of(Some("2014-09-01T00:00:00-05:00"), &[])
}

fn date(text: &str) -> Timestamp {
    whole_second(text).unwrap_or_else(|| panic!("{text}"))
}

/// Extensions as client, `throttled_from` and `refused_from`.
fn schedule_of(throttled_from: Option<&str>, extensions: &[(&str, Option<&str>, &str)]) -> Schedule {
    let announcement = Announcement {
        announced: date("2014-07-01T00:00:00Z"),
        link: "https://docs.example.com/district-tokens".to_owned(),
        replacement: "district tokens".to_owned(),
    };
    let dates = |throttled_from: Option<&str>, refused_from| Dates {
        throttled_from: throttled_from.map(date),
        refused_from: date(refused_from),
    };
    let all = dates(throttled_from, "2015-01-01T00:00:00Z");
    let extensions = extensions.iter().map(|(client, throttled_from, refused_from)| {
        let own = dates(*throttled_from, refused_from);
        ((*client).to_owned(), Dates { throttled_from: own.throttled_from.or(all.throttled_from), ..own })
    });
    Schedule::new(&announcement, throttled_from.map(|_| 7), all, extensions)
}

/// The phase, and the tier that takes the place of the client's own.
#[track_caller]
fn check(schedule: &Schedule, client: &str, at: &str, expected: Phase, tier: Option<usize>) {
    let notice = schedule.notice(client, date(at));
    assert_eq!((notice.phase, notice.throttled_tier), (expected, tier), "{client} at {at}");
    assert_eq!(notice.fields().is_some(), expected != Phase::Before, "{client} at {at}");
    // Within the second nothing changes.
    let end = Timestamp::from_micros(date(at).micros() + 999_999);
    assert_eq!(schedule.notice(client, end).phase, expected, "{client} at the end of the second {at}");
}

#[test]
fn phases_begin_at_their_very_second() {
    let schedule = schedule();
    for (at, expected, tier) in [
        // long before
        ("1970-01-01T00:00:00Z", Phase::Before, None),
        // the announcement
        ("2014-06-30T23:59:59Z", Phase::Before, None),
        ("2014-07-01T00:00:00Z", Phase::Announced, None),
        // midnight in UTC is not midnight in Chicago, five hours behind
        ("2014-09-01T00:00:00Z", Phase::Announced, None),
        ("2014-09-01T04:59:59Z", Phase::Announced, None),
        ("2014-09-01T05:00:00Z", Phase::Throttled, Some(7)),
        // the end; a dry run goes on with the harder tier
        ("2014-12-31T23:59:59Z", Phase::Throttled, Some(7)),
        ("2015-01-01T00:00:00Z", Phase::Refused, Some(7)),
        // long after
        ("9999-12-31T23:59:59Z", Phase::Refused, Some(7)),
        // moments told in another zone
        ("2014-07-01T01:59:59+02:00", Phase::Before, None),
        ("2014-07-01T02:00:00+02:00", Phase::Announced, None),
        ("2015-01-01T05:44:59+05:45", Phase::Throttled, Some(7)),
        ("2015-01-01T05:45:00+05:45", Phase::Refused, Some(7)),
    ] {
        check(&schedule, "app", at, expected, tier);
    }
}

#[test]
fn without_a_harder_tier_the_announcement_lasts_until_the_end() {
    let schedule = schedule_of(None, &[]);
    check(&schedule, "app", "2014-09-01T05:00:00Z", Phase::Announced, None);
    check(&schedule, "app", "2014-12-31T23:59:59Z", Phase::Announced, None);
    check(&schedule, "app", "2015-01-01T00:00:00Z", Phase::Refused, None);
}

#[test]
fn extensions_are_those_of_their_client() {
    let schedule = schedule_of(
        Some("2014-09-01T00:00:00-05:00"),
        &[
            // only the end is later
            ("late-end", None, "2016-02-29T12:00:00+14:00"),
            // both dates are
            ("late", Some("2014-11-02T01:30:00-04:00"), "2015-03-01T00:00:00-12:00"),
        ],
    );
    for (client, at, expected, tier) in [
        ("late-end", "2014-09-01T04:59:59Z", Phase::Announced, None),
        ("late-end", "2014-09-01T05:00:00Z", Phase::Throttled, Some(7)),
        // the leap day of 2016 begins 14 hours earlier in Kiribati
        ("late-end", "2016-02-28T21:59:59Z", Phase::Throttled, Some(7)),
        ("late-end", "2016-02-28T22:00:00Z", Phase::Refused, Some(7)),
        // half past one comes twice that night in New York; the offset tells which
        ("late", "2014-11-02T05:29:59Z", Phase::Announced, None),
        ("late", "2014-11-02T05:30:00Z", Phase::Throttled, Some(7)),
        ("late", "2015-03-01T11:59:59Z", Phase::Throttled, Some(7)),
        ("late", "2015-03-01T12:00:00Z", Phase::Refused, Some(7)),
        // clients of other names: a prefix, another case, none
        ("lat", "2015-01-01T00:00:00Z", Phase::Refused, Some(7)),
        ("LATE", "2015-01-01T00:00:00Z", Phase::Refused, Some(7)),
        ("", "2015-01-01T00:00:00Z", Phase::Refused, Some(7)),
    ] {
        check(&schedule, client, at, expected, tier);
    }
}

#[test]
fn leap_days_are_days() {
    let announcement =
        Announcement { announced: date("2024-02-28T23:59:59Z"), link: String::new(), replacement: String::new() };
    let dates =
        Dates { throttled_from: Some(date("2024-02-29T00:00:00Z")), refused_from: date("2024-03-01T00:00:00Z") };
    let schedule = Schedule::new(&announcement, Some(7), dates, []);
    check(&schedule, "app", "2024-02-28T23:59:58Z", Phase::Before, None);
    check(&schedule, "app", "2024-02-28T23:59:59Z", Phase::Announced, None);
    check(&schedule, "app", "2024-02-29T00:00:00Z", Phase::Throttled, Some(7));
    check(&schedule, "app", "2024-02-29T23:59:59Z", Phase::Throttled, Some(7));
    check(&schedule, "app", "2024-03-01T00:00:00Z", Phase::Refused, Some(7));
    assert_eq!(schedule.notice("app", dates.refused_from).fields().unwrap().sunset, "Fri, 01 Mar 2024 00:00:00 GMT");
}

#[test]
fn fields_are_those_of_the_standards() {
    let schedule = schedule_of(None, &[("late", None, "2015-06-30T23:59:59+01:00")]);
    let link = "<https://docs.example.com/district-tokens>";
    let expected = Fields {
        // the example of RFC 9745 has this form
        deprecation: "@1404172800".to_owned(),
        sunset: "Thu, 01 Jan 2015 00:00:00 GMT".to_owned(),
        link: format!(r#"{link}; rel="deprecation"; type="text/html", {link}; rel="sunset"; type="text/html""#),
    };
    let now = date("2014-08-01T00:00:00Z");
    assert_eq!(schedule.notice("app", now).fields(), Some(&expected));
    // The client's own end, in GMT.
    let late = Fields { sunset: "Tue, 30 Jun 2015 22:59:59 GMT".to_owned(), ..expected };
    assert_eq!(schedule.notice("late", now).fields(), Some(&late));
    // Before the announcement nothing is told, and after the end still.
    assert_eq!(schedule.notice("app", date("2014-06-30T23:59:59Z")).fields(), None);
    assert_eq!(schedule.notice("late", date("2020-01-01T00:00:00Z")).fields(), Some(&late));
}

#[test]
fn http_dates_are_fixed_length_and_end_with_the_year_9999() {
    for (secs, expected) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        // the example of RFC 9110
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        // the leap day of a century that has one
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (SECS_END - 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (SECS_END, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(http_date(Timestamp::from_secs(secs)), expected, "{secs}");
    }
}

#[test]
fn of_two_credentials_the_announced_one_that_ends_first_is_told() {
    let early = schedule_of(None, &[("a", None, "2015-02-01T00:00:00Z"), ("b", None, "2015-03-01T00:00:00Z")]);
    let sunset = |one: &str, other: &str, at: &str| {
        let notice = early.notice(one, date(at)).or_sooner(early.notice(other, date(at)));
        notice.terms.dates.refused_from
    };
    for (one, other) in [("a", "b"), ("b", "a"), ("a", "a")] {
        assert_eq!(sunset(one, other, "2014-08-01T00:00:00Z"), date("2015-02-01T00:00:00Z"), "{one} {other}");
    }
    // One that nobody was told of yet stands back, although it ends first.
    let (now, later) = (date("2014-06-01T00:00:00Z"), date("2014-08-01T00:00:00Z"));
    let notice = early.notice("a", now).or_sooner(early.notice("b", later));
    assert_eq!((notice.phase, notice.terms.dates.refused_from), (Phase::Announced, date("2015-03-01T00:00:00Z")));
    let notice = early.notice("b", later).or_sooner(early.notice("a", now));
    assert_eq!(notice.phase, Phase::Announced);
    // Of two that end at once, the one that counts first.
    let other = schedule_of(Some("2014-09-01T00:00:00-05:00"), &[]);
    let (one, other) = (early.notice("c", later), other.notice("c", date("2014-10-01T00:00:00Z")));
    assert_eq!(one.clone().or_sooner(other.clone()).phase, Phase::Announced);
    assert_eq!(other.or_sooner(one).phase, Phase::Throttled);
}

#[test]
fn phases_have_their_place_and_name() {
    for (index, phase) in Phase::ALL.into_iter().enumerate() {
        assert_eq!(phase.index(), index);
    }
    assert_eq!(Phase::ALL.map(Phase::name), ["before", "announced", "throttled", "refused"]);
}

proptest! {
    /// Phases only go forward, and change at the dates and nowhere else.
    #[test]
    fn phases_only_go_forward(a in 0..2_000_000_000_u64, gaps in [1..1_000_000_u64, 1..1_000_000, 0..1_000_000], at in any::<u64>()) {
        let [announced, throttled, refused] = [a, a + gaps[0], a + gaps[0] + gaps[1]];
        let own = refused + gaps[2];
        let announcement = Announcement { announced: Timestamp::from_secs(announced), link: String::new(), replacement: String::new() };
        let dates = |refused| Dates { throttled_from: Some(Timestamp::from_secs(throttled)), refused_from: Timestamp::from_secs(refused) };
        let schedule = Schedule::new(&announcement, Some(0), dates(refused), [("own".to_owned(), dates(own))]);
        let phase = |client, secs| schedule.notice(client, Timestamp::from_secs(secs)).phase;
        for (client, refused) in [("app", refused), ("own", own)] {
            for (boundary, before, after) in [
                (announced, Phase::Before, Phase::Announced),
                (throttled, Phase::Announced, Phase::Throttled),
                (refused, Phase::Throttled, Phase::Refused),
            ] {
                prop_assert_eq!(phase(client, boundary), after);
                prop_assert!(boundary == 0 || phase(client, boundary - 1) == before);
            }
            let at = at % (2 * own + 2);
            prop_assert!(phase(client, at) <= phase(client, at + 1));
        }
    }
}
