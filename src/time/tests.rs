use super::*;

#[test]
fn units_agree_and_seconds_round_down() {
    assert_eq!(Now::from_secs(7), Now::from_micros(7_000_000));
    assert_eq!(Now::from_micros(7_999_999).secs(), 7);
    assert_eq!(Now::from_micros(7_999_999).micros(), 7_999_999);
    assert_eq!(micros(Duration::from_nanos(1_999)), 1);
}

#[test]
fn time_saturates_at_both_ends() {
    let end = Now::from_micros(u64::MAX);
    assert_eq!(Now::from_secs(u64::MAX), end);
    assert_eq!(end.after(Duration::from_secs(1)), end);
    assert_eq!(Now::from_secs(1).after(Duration::MAX), end);
    assert_eq!(micros(Duration::MAX), u64::MAX);
    assert_eq!(end.since(Now::default()), Duration::from_micros(u64::MAX));
}

#[test]
fn what_is_not_later_is_no_time_later() {
    let (early, late) = (Now::from_secs(1), Now::from_secs(3));
    assert_eq!(late.since(early), Duration::from_secs(2));
    assert_eq!(early.since(late), Duration::ZERO);
    assert_eq!(early.since(early), Duration::ZERO);
    assert_eq!(early.after(Duration::from_secs(2)), late);
}

#[track_caller]
fn check_date(text: &str, secs: Option<u64>) {
    assert_eq!(super::rfc3339(text), secs.map(Now::from_secs), "{text}");
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
