use super::*;

#[test]
fn units_agree_and_seconds_round_down() {
    assert_eq!(Timestamp::from_secs(7), Timestamp::from_micros(7_000_000));
    assert_eq!(Timestamp::from_micros(7_999_999).secs(), 7);
    assert_eq!(Timestamp::from_micros(7_999_999).micros(), 7_999_999);
    assert_eq!(micros(Duration::from_nanos(1_999)), 1);
    // the last second of which all microseconds can be told, but for the last of them
    assert_eq!(micros(Duration::from_secs(18_446_744_073_709)), 18_446_744_073_709_000_000);
    assert_eq!(micros(Duration::new(18_446_744_073_709, 551_615_000)), u64::MAX);
    assert_eq!(micros(Duration::from_secs(18_446_744_073_711)), u64::MAX);
}

#[test]
fn time_saturates_at_both_ends() {
    let end = Timestamp::from_micros(u64::MAX);
    assert_eq!(Timestamp::from_secs(u64::MAX), end);
    assert_eq!(end.after(Duration::from_secs(1)), end);
    assert_eq!(Timestamp::from_secs(1).after(Duration::MAX), end);
    assert_eq!(micros(Duration::MAX), u64::MAX);
    assert_eq!(end.since(Timestamp::default()), Duration::from_micros(u64::MAX));
}

#[test]
fn what_is_not_later_is_no_time_later() {
    let (early, late) = (Timestamp::from_secs(1), Timestamp::from_secs(3));
    assert_eq!(late.since(early), Duration::from_secs(2));
    assert_eq!(early.since(late), Duration::ZERO);
    assert_eq!(early.since(early), Duration::ZERO);
    assert_eq!(early.after(Duration::from_secs(2)), late);
}

#[track_caller]
fn check_date(text: &str, secs: Option<u64>) {
    assert_eq!(super::rfc3339(text), secs.map(Timestamp::from_secs), "{text}");
}

#[test]
fn dates_are_read_in_any_zone() {
    check_date("1970-01-01T00:00:00Z", Some(0));
    check_date("2026-01-01T00:00:00Z", Some(1_767_225_600));
    // an hour ahead of UTC
    check_date("2026-01-01T01:00:00+01:00", Some(1_767_225_600));
}

#[test]
fn what_is_no_date_is_refused() {
    // before 1970, without a zone, a date alone, a day that is none, a number
    for text in ["1969-12-31T23:59:59Z", "2026-01-01T00:00:00", "2026-01-01", "2026-02-30T00:00:00Z", "1767225600"] {
        check_date(text, None);
    }
}

#[track_caller]
fn check_second(text: &str, secs: Option<u64>) {
    assert_eq!(super::whole_second(text), secs.map(Timestamp::from_secs), "{text}");
}

#[test]
fn whole_seconds_are_read_in_any_zone() {
    check_second("1970-01-01T00:00:00Z", Some(0));
    check_second("2014-07-01T00:00:00Z", Some(1_404_172_800));
    check_second("2014-09-01T00:00:00-05:00", Some(1_409_547_600));
    // zones of half and quarter hours, and the farthest ones
    check_second("2014-07-01T05:30:00+05:30", Some(1_404_172_800));
    check_second("2014-07-01T05:45:00+05:45", Some(1_404_172_800));
    check_second("2014-07-01T14:00:00+14:00", Some(1_404_172_800));
    check_second("2014-06-30T12:00:00-12:00", Some(1_404_172_800));
    // UTC by another name, a fraction that is none, a leap day, the end of time
    check_second("2014-07-01T00:00:00+00:00", Some(1_404_172_800));
    check_second("2014-07-01T00:00:00.000Z", Some(1_404_172_800));
    check_second("2024-02-29T00:00:00Z", Some(1_709_164_800));
    check_second("9999-12-31T23:59:59Z", Some(253_402_300_799));
}

#[test]
fn what_is_no_whole_second_is_refused() {
    for text in [
        // no zone, an unknown one, a name, a sign that is none
        "2014-07-01T00:00:00",
        "2014-07-01T00:00:00-00:00",
        "2014-07-01T00:00:00 UTC",
        "2014-07-01T00:00:00\u{2212}05:00",
        // fractions, leap seconds, the hour 24
        "2014-07-01T00:00:00.5Z",
        "2014-07-01T00:00:00.0000001Z",
        "2016-12-31T23:59:60Z",
        "2014-06-30T24:00:00Z",
        // a space, a date alone, a time alone, a number, nothing
        "2014-07-01 00:00:00Z",
        " 2014-07-01T00:00:00Z",
        "2014-07-01",
        "00:00:00Z",
        "1404172800",
        "",
        // days that are none
        "2015-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2014-13-01T00:00:00Z",
        "2014-06-31T00:00:00Z",
        // before 1970, and after 9999 once the zone is reckoned in
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:00-00:01",
        "+10000-01-01T00:00:00Z",
    ] {
        check_second(text, None);
    }
}
