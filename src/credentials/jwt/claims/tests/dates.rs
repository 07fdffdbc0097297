use std::time::Duration;

use serde_json::json;

use super::{EXP, accepted, endless, example, invalid, judge, refused, rules, with};
use crate::credentials::jwt::claims::{ClaimError, ClaimRules};
use crate::values::time::Timestamp;

#[test]
fn expiry_is_exact_to_the_microsecond() {
    let end = (EXP + 30) * 1_000_000;
    for (micros, expected) in
        [(0, true), (EXP * 1_000_000, true), (end - 1, true), (end, false), (end + 1, false), (u64::MAX, false)]
    {
        let result = judge(&rules(), &example(), Timestamp::from_micros(micros));
        assert_eq!(result.map(|_| ()), if expected { Ok(()) } else { Err(ClaimError::Expired) }, "{micros}");
    }
    let strict = ClaimRules { clock_skew: Duration::ZERO, ..rules() };
    assert_eq!(judge(&strict, &example(), Timestamp::from_secs(EXP)), Err(ClaimError::Expired));
    assert!(judge(&strict, &example(), Timestamp::from_micros(EXP * 1_000_000 - 1)).is_ok());
}

#[test]
fn exp_is_required_and_a_date() {
    refused(&rules(), &with("exp", &json!("absent")), endless("exp"));
    for value in [
        json!(null),
        json!("1780821709"),
        json!(true),
        json!([1]),
        json!({}),
        json!(-1),
        json!(-0.5),
        json!(1e300),
        json!(253_402_300_800_u64),
        json!(u64::MAX),
    ] {
        refused(&rules(), &with("exp", &value), invalid("exp"));
    }
    for value in [json!(0), json!(0.9), json!(-0.0), json!(EXP - 3600 - 30)] {
        refused(&rules(), &with("exp", &value), ClaimError::Expired);
    }
    for value in [json!(EXP - 3600 - 29), json!(1_780_821_709.5), json!(253_402_300_799_u64), json!(253_402_300_799.9)]
    {
        accepted(&rules(), &with("exp", &value));
    }
}

#[test]
fn nbf_and_iat_are_not_in_the_future() {
    let now = EXP - 3600;
    for name in ["nbf", "iat"] {
        for value in [json!(0), json!(now), json!(now + 30), json!(1_780_818_138.5)] {
            accepted(&rules(), &with(name, &value));
        }
        for value in [json!(now + 31), json!(1_780_818_139.5), json!(253_402_300_799_u64)] {
            refused(&rules(), &with(name, &value), ClaimError::NotYetValid(name));
        }
        for value in [json!("0"), json!(true), json!(null), json!([]), json!(-1), json!(i64::MIN), json!(1e300)] {
            refused(&rules(), &with(name, &value), invalid(name));
        }
        assert_eq!(accepted(&rules(), &with(name, &json!(now))).not_before, Timestamp::from_secs(now - 30));
    }
}

#[test]
fn extreme_tolerance_does_not_overflow() {
    let lax = ClaimRules { clock_skew: Duration::MAX, ..rules() };
    let claims = accepted(&lax, &with("nbf", &json!(253_402_300_799_u64)));
    assert_eq!((claims.not_before, claims.not_after), (Timestamp::default(), Timestamp::from_micros(u64::MAX)));
}

#[test]
fn lifetime_is_bounded_where_configured() {
    let strict = ClaimRules { lifetime_max: Some(Duration::from_hours(2)), ..rules() };
    accepted(&strict, &with("iat", &json!(EXP - 7200)));
    refused(&strict, &with("iat", &json!(EXP - 7201)), ClaimError::Lifetime);
    refused(&strict, &with("iat", &json!(1_780_814_508.5)), ClaimError::Lifetime);
    refused(&strict, &example(), endless("iat"));
}
