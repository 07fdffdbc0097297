use std::num::NonZeroU32;

use proptest::prelude::*;

use super::{CostError, CostRule, Factor, of, settled};
use crate::http::query::QueryError;

fn rule(weight: u32, factor: Factor) -> CostRule {
    let weight = NonZeroU32::new(weight).unwrap();
    CostRule { weight, factor }
}

fn limit(weight: u32) -> CostRule {
    let default = NonZeroU32::new(25).unwrap();
    let name = "limit".to_owned();
    rule(weight, Factor::Query { name, default })
}

#[track_caller]
fn check(query: &str, expected: Result<u32, CostError>) {
    assert_eq!(of(&limit(2), Some(query), 1), expected, "{query}");
}

#[test]
fn cost_is_weight_times_factor() {
    assert_eq!(of(&rule(5, Factor::One), Some("limit=9"), 3), Ok(5));
    assert_eq!(of(&rule(5, Factor::Schools), None, 3), Ok(15));
    // No school asked for counts as one.
    assert_eq!(of(&rule(5, Factor::Schools), None, 0), Ok(5));
    assert_eq!(of(&limit(2), None, 1), Ok(50));
    check("", Ok(50));
    check("x=1", Ok(50));
    check("limit=1", Ok(2));
    check("x=1&limit=100", Ok(200));
    check("limit=%31%30", Ok(20));
}

#[test]
fn actual_cost_is_a_whole_number_in_plain_digits() {
    let cases: [(&[u8], Option<u32>); 12] = [
        (b"0", Some(0)),
        (b"17", Some(17)),
        (b" 17\t", Some(17)),
        (b"007", Some(7)),
        // more than is ever charged is as much as can be
        (b"4294967295", Some(u32::MAX)),
        (b"99999999999999999999", Some(u32::MAX)),
        (b"", None),
        (b"+5", None),
        (b"-5", None),
        (b"1.5", None),
        (b"0x1", None),
        (b"\xd9\xa1", None),
    ];
    for (value, expected) in cases {
        assert_eq!(settled(value), expected, "{}", value.escape_ascii());
    }
}

#[test]
fn huge_numbers_saturate() {
    for number in ["4294967295", "4294967296", "18446744073709551617"] {
        check(&format!("limit={number}"), Ok(u32::MAX));
    }
    check(&format!("limit={}", "9".repeat(1000)), Ok(u32::MAX));
    let schools = rule(2, Factor::Schools);
    assert_eq!(of(&schools, None, usize::MAX), Ok(u32::MAX));
}

#[test]
fn what_is_no_whole_number_from_one_is_refused() {
    for value in [
        // Zero is "no limit" to some; a leading zero is octal to some.
        "0",
        "00",
        "010",
        "-1",
        "%2B1",
        "1.5",
        "1e3",
        "0x10",
        "ten",
        "1%20",
        "1,2",
        "%EF%BC%91",
    ] {
        check(&format!("limit={value}"), Err(CostError::Number));
    }
    for (query, error) in [
        ("limit=", QueryError::Malformed),
        ("limit", QueryError::Malformed),
        ("limit=%zz", QueryError::Malformed),
        ("limit=+1", QueryError::Ambiguous),
        ("LIMIT=1", QueryError::Ambiguous),
        ("limit[]=1000", QueryError::Ambiguous),
        ("limit=1&%6cimit=1000", QueryError::Ambiguous),
        ("limit=1;limit=1000", QueryError::Ambiguous),
    ] {
        check(query, Err(CostError::Query(error)));
    }
    check("limit=1&limit=1", Err(CostError::Repeated));
}

proptest! {
    #[test]
    fn cost_is_at_least_the_weight(weight in 1_u32.., query in "(limit=[0-9]{0,12}&?){0,2}") {
        if let Ok(cost) = of(&limit(weight), Some(&query), 1) {
            prop_assert!(cost >= weight);
        }
    }
}

#[test]
fn errors_have_texts_of_their_own() {
    let texts =
        [CostError::Query(QueryError::Malformed), CostError::Repeated, CostError::Number].map(|it| it.to_string());
    assert_eq!(texts[0], QueryError::Malformed.to_string());
    assert_eq!(texts[1..], ["cost parameter stands more than once", "cost parameter is no whole number from 1"]);
}
