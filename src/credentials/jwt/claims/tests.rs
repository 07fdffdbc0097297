use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    BoundTokens, Claim, ClaimError, ClaimNames, ClaimPath, ClaimRules, ClaimSource, Claims, GrantNames, RequiredClaim,
    SCHOOLS_MAX,
};
use crate::credentials::jwt::jose::Payload;
use crate::credentials::reason::Reason;
use crate::values::json::Limits;
use crate::values::json::tape::Tape;
use crate::values::text::{is_plain, is_school};
use crate::values::time::Timestamp;
use crate::values::time::numeric_date;

mod dates;
mod forms;
mod forwarded;
mod kinds;

const ISSUER: &str = "https://auth.example.com/";
const EXP: u64 = 1_780_821_709;
const NOW: Timestamp = Timestamp::from_secs(EXP - 3600);

/// The example of the Education Data Platform, verbatim: no `aud`, no `iat`, no `sub`.
const EXAMPLE: &str = r#"{"tier":"standard","schools":["oakwood-primary","ravenscroft-high"],"client_id":"YOUR_CLIENT_ID","iss":"https://auth.example.com/","exp":1780821709}"#;

fn at(path: &str) -> ClaimSource {
    ClaimSource::new(path)
}

fn must(path: &str, values: &[&str]) -> RequiredClaim {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    RequiredClaim { path: ClaimPath(path.to_owned()), values }
}

fn rules() -> ClaimRules {
    ClaimRules {
        issuer: ISSUER.to_owned(),
        audiences: vec![],
        clock_skew: Duration::from_secs(30),
        lifetime_max: None,
        required: vec![],
        types: vec![],
        bound_tokens: BoundTokens::Refuse,
        names: ClaimNames {
            client: at("client_id"),
            tier: Some(at("tier")),
            schools: Some(at("schools")),
            grants: GrantNames::default(),
        },
        forwarded: vec![],
    }
}

fn example() -> Value {
    serde_json::from_str(EXAMPLE).unwrap()
}

/// The example with one claim replaced, or removed where `value` is the text `absent`.
fn with(name: &str, value: &Value) -> Value {
    let mut payload = example();
    payload[name] = value.clone();
    if value == "absent" {
        payload.as_object_mut().unwrap().remove(name);
    }
    payload
}

/// Judges a payload as it is read from a token.
fn judge(rules: &ClaimRules, payload: &Value, now: Timestamp) -> Result<Claims, ClaimError> {
    let claims = Tape::parse(payload.to_string().as_bytes(), Limits::DOCUMENT).unwrap();
    rules.validate(&Payload { typ: None, claims }, now)
}

#[track_caller]
fn accepted(rules: &ClaimRules, payload: &Value) -> Claims {
    judge(rules, payload, NOW).unwrap_or_else(|error| panic!("{payload}: {error}"))
}

#[track_caller]
fn refused(rules: &ClaimRules, payload: &Value, expected: ClaimError) {
    assert_eq!(judge(rules, payload, NOW), Err(expected), "{payload}");
}

/// The claim of this name, with the reason that a refusal for it has under the rules of these tests.
fn claim(name: &str) -> Claim {
    let reason = match name {
        "iss" => Reason::Issuer,
        "aud" => Reason::Audience,
        "exp" => Reason::Exp,
        "nbf" => Reason::Nbf,
        "iat" => Reason::Iat,
        "sub" => Reason::Sub,
        "jti" => Reason::Jti,
        "tier" => Reason::Tier,
        "schools" => Reason::Schools,
        _ => Reason::Client,
    };
    Claim { reason, name: name.to_owned() }
}

fn missing(name: &str) -> ClaimError {
    ClaimError::Missing(claim(name))
}

fn invalid(name: &str) -> ClaimError {
    ClaimError::Invalid(claim(name))
}

/// A date without which nothing tells how long the token lives.
fn endless(name: &str) -> ClaimError {
    ClaimError::Missing(Claim { reason: Reason::Lifetime, name: name.to_owned() })
}

fn required(name: &str) -> ClaimError {
    ClaimError::Missing(Claim { reason: Reason::Required, name: name.to_owned() })
}

#[test]
fn example_token_is_accepted() {
    assert_eq!(
        accepted(&rules(), &example()),
        Claims {
            client: "YOUR_CLIENT_ID".to_owned(),
            tier: Some("standard".to_owned()),
            schools: Some(vec!["oakwood-primary".to_owned(), "ravenscroft-high".to_owned()]),
            districts: None,
            permissions: None,
            district_schools: Vec::new(),
            forwarded: Vec::new(),
            id: None,
            certificate: None,
            issued_at: None,
            not_before: Timestamp::default(),
            not_after: Timestamp::from_secs(EXP + 30),
        }
    );
}

#[test]
fn issuer_is_compared_byte_by_byte() {
    for issuer in [
        "https://auth.example.com",
        "https://auth.example.com//",
        "https://Auth.example.com/",
        "http://auth.example.com/",
        " https://auth.example.com/",
        "https://аuth.example.com/",
        "",
    ] {
        refused(&rules(), &with("iss", &json!(issuer)), ClaimError::Issuer);
    }
    refused(&rules(), &with("iss", &json!("absent")), missing("iss"));
    refused(&rules(), &with("iss", &json!(null)), missing("iss"));
    refused(&rules(), &with("iss", &json!([ISSUER])), invalid("iss"));
}

#[test]
fn audience_is_judged_where_configured() {
    let strict = ClaimRules { audiences: vec!["a".to_owned(), "b".to_owned()], ..rules() };
    for aud in [json!("a"), json!(["b"]), json!(["x", "a"]), json!(["a", "a"])] {
        accepted(&strict, &with("aud", &aud));
    }
    for aud in [json!("x"), json!(""), json!("A"), json!("a b"), json!(["x", "y"]), json!([""])] {
        refused(&strict, &with("aud", &aud), ClaimError::Audience);
    }
    for aud in [json!([]), json!(["a", 1]), json!([["a"]]), json!([null]), json!(1), json!({"a": "a"}), json!(true)] {
        refused(&strict, &with("aud", &aud), invalid("aud"));
    }
    refused(&strict, &example(), missing("aud"));
    refused(&strict, &with("aud", &json!(null)), missing("aud"));
    // Where none is configured, any audience will do, but not what is none.
    for aud in [json!("x"), json!(["x", "y"])] {
        accepted(&rules(), &with("aud", &aud));
    }
    for aud in [json!([]), json!(["a", 1]), json!(1), json!(null), json!({}), json!(false)] {
        refused(&rules(), &with("aud", &aud), invalid("aud"));
    }
}

#[test]
fn registered_names_are_strings() {
    for name in ["sub", "jti"] {
        for value in [json!("x"), json!("")] {
            accepted(&rules(), &with(name, &value));
        }
        for value in [json!(1), json!(null), json!(true), json!(["x"]), json!({})] {
            refused(&rules(), &with(name, &value), invalid(name));
        }
    }
}

#[test]
fn required_claims_are_present_and_not_null() {
    let strict = ClaimRules { required: vec![must("/org/id", &[]), must("jti", &[])], ..rules() };
    refused(&strict, &with("jti", &json!("j")), required("/org/id"));
    let mut payload = with("org", &json!({"id": 0}));
    refused(&strict, &payload, required("jti"));
    payload["jti"] = json!(null);
    refused(&strict, &payload, required("jti"));
    payload["jti"] = json!("");
    accepted(&strict, &payload);
}

#[test]
fn claims_may_be_nested_and_names_may_be_urls() {
    let names = ClaimNames {
        client: at("/app/0/id"),
        tier: Some(at("https://example.com/tier")),
        schools: Some(at("/a~1b/~0")),
        grants: GrantNames::default(),
    };
    let nested = ClaimRules { names, ..rules() };
    let mut payload = example();
    payload["app"] = json!([{"id": "c"}]);
    payload["https://example.com/tier"] = json!("free");
    payload["a/b"] = json!({"~": ["s"]});
    let claims = accepted(&nested, &payload);
    assert_eq!(
        (claims.client, claims.tier, claims.schools),
        ("c".to_owned(), Some("free".to_owned()), Some(vec!["s".to_owned()]))
    );
    refused(&nested, &example(), missing("/app/0/id"));
}

#[test]
fn client_and_tier_are_plain_strings() {
    for name in ["client_id", "tier"] {
        refused(&rules(), &with(name, &json!("absent")), missing(name));
        refused(&rules(), &with(name, &json!(null)), missing(name));
        for value in [
            json!(""),
            json!(1),
            json!(["c"]),
            json!({}),
            json!(true),
            json!("a,b"),
            json!("a b"),
            json!(" a"),
            json!("a\r\nx: y"),
            json!("a\u{0}"),
            json!("a\u{7f}"),
            json!("é"),
            json!("a\"b"),
            json!("a\\b"),
            json!("c".repeat(257)),
        ] {
            refused(&rules(), &with(name, &value), invalid(name));
        }
        for value in [
            json!("c"),
            json!("auth0|5f7c8ec7c33c6c004bbafe82"),
            json!("https://x.test/?a=b&c=d"),
            json!("c".repeat(256)),
        ] {
            accepted(&rules(), &with(name, &value));
        }
    }
}

#[test]
fn unnamed_claims_are_not_asked_for() {
    let names = ClaimNames { client: at("client_id"), tier: None, schools: None, grants: GrantNames::default() };
    let claims = accepted(&ClaimRules { names, ..rules() }, &with("schools", &json!("*")));
    assert_eq!((claims.tier, claims.schools), (None, None));
}

#[test]
fn schools_are_a_list_of_plain_values() {
    refused(&rules(), &with("schools", &json!("absent")), missing("schools"));
    refused(&rules(), &with("schools", &json!(null)), missing("schools"));
    for schools in [json!(""), json!("a"), json!("a,b"), json!({}), json!({"0": "a"}), json!(true), json!(1)] {
        refused(&rules(), &with("schools", &schools), invalid("schools"));
    }
    for school in [
        json!(""),
        json!("*"),
        json!("oak*"),
        json!("a,b"),
        json!(" a"),
        json!("a "),
        json!("a b"),
        json!("a\rb"),
        json!("a\nb"),
        json!("a\u{0}"),
        json!("a\tb"),
        json!("\"a\""),
        json!("a\\"),
        json!("schule-ä"),
        json!("\u{200b}"),
        json!(1),
        json!(null),
        json!(true),
        json!(["a"]),
        json!("s".repeat(257)),
    ] {
        refused(&rules(), &with("schools", &json!([school])), invalid("schools"));
        // One bad value refuses the list, wherever it stands: nothing is dropped.
        refused(&rules(), &with("schools", &json!(["a", school, "b"])), invalid("schools"));
    }
    for (schools, expected) in [
        (json!([]), vec![]),
        (json!(["a"]), vec!["a"]),
        // Each once, in the order of the token; case and shape are the school's own.
        (json!(["b", "a", "b", "A", "a"]), vec!["b", "a", "A"]),
        (
            json!(["1503000", "urn:lea:1", "x-_.~!@#$%^&()[]{}<>;:'/?=+|`"]),
            vec!["1503000", "urn:lea:1", "x-_.~!@#$%^&()[]{}<>;:'/?=+|`"],
        ),
    ] {
        let claims = accepted(&rules(), &with("schools", &schools));
        assert_eq!(claims.schools.unwrap(), expected);
    }
}

#[test]
fn number_of_schools_is_bounded() {
    let list = |count: usize| json!((0..count).map(|n| format!("school-{n}")).collect::<Vec<_>>());
    assert_eq!(accepted(&rules(), &with("schools", &list(SCHOOLS_MAX))).schools.unwrap().len(), SCHOOLS_MAX);
    refused(&rules(), &with("schools", &list(SCHOOLS_MAX + 1)), ClaimError::TooManyIds(Reason::Schools));
    refused(&rules(), &with("schools", &list(100_000)), ClaimError::TooManyIds(Reason::Schools));
}

#[test]
fn number_of_schools_of_districts_is_bounded() {
    let mut rules = rules();
    rules.names.grants.district_schools = Some(at("open"));
    // Districts count as well: one and the rest schools; more than one too many; all of them districts.
    let one = |schools: usize| json!({"d": (0..schools).map(|n| format!("school-{n}")).collect::<Vec<_>>()});
    let many =
        |count: usize| -> Value { (0..count).map(|n| (format!("d{n}"), json!([]))).collect::<Map<_, _>>().into() };
    for good in [one(SCHOOLS_MAX - 1), many(SCHOOLS_MAX)] {
        accepted(&rules, &with("open", &good));
    }
    for bad in [one(SCHOOLS_MAX), one(SCHOOLS_MAX + 1), many(SCHOOLS_MAX + 1), many(SCHOOLS_MAX + 2)] {
        refused(&rules, &with("open", &bad), ClaimError::TooManyIds(Reason::DistrictSchools));
    }
}

#[test]
fn every_error_has_a_text_of_its_own() {
    use ClaimError::{
        Audience, Bound, Expired, Invalid, Issuer, Lifetime, Logout, Missing, NotYetValid, TooManyIds, Type, Value,
    };
    let errors = [
        Missing(claim("a")),
        Invalid(claim("a")),
        Value("a".to_owned()),
        Type,
        Bound,
        Logout,
        Issuer,
        Audience,
        Expired,
        NotYetValid("nbf"),
        Lifetime,
        TooManyIds(Reason::Schools),
    ];
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() == errors.len() && !texts.contains(""), "{texts:?}");
}

#[test]
fn payload_of_another_shape_is_refused() {
    for payload in [json!(null), json!([]), json!("x"), json!(1)] {
        refused(&rules(), &payload, missing("iss"));
    }
}

#[test]
fn errors_do_not_quote_values() {
    for name in ["client_id", "tier", "schools", "iss"] {
        let error = judge(&rules(), &with(name, &json!("canary,7781")), NOW).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

proptest! {
    #[test]
    fn dates_keep_their_order(a in 0.0..253_402_300_799.0, b in 0.0..253_402_300_799.0) {
        let (first, second) = (numeric_date(&json!(a)).unwrap(), numeric_date(&json!(b)).unwrap());
        let keeps = if a <= b { first <= second } else { first >= second };
        prop_assert!(keeps);
    }

    #[test]
    fn any_number_is_answered(float in any::<f64>(), whole in any::<i64>()) {
        prop_assert_eq!(numeric_date(&json!(float)).is_some(), (0.0..253_402_300_800.0).contains(&float));
        prop_assert_eq!(numeric_date(&json!(whole)).is_some(), (0..253_402_300_800).contains(&whole));
    }

    #[test]
    fn accepted_values_are_harmless_in_headers(value in ".{0,20}") {
        if is_plain(&value) {
            prop_assert!(value.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b','));
        }
        prop_assert!(!is_school(&value) || is_plain(&value));
    }
}
