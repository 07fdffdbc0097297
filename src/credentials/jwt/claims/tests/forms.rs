//! Claims as identity providers write them: lists that are strings, numbers, and names with dots, slashes and colons.

use serde_json::{Value, json};

use super::{ClaimError, ClaimRules, ClaimSource, Reason, accepted, at, example, invalid, refused, rules, with};
use crate::credentials::jwt::claims::{Claim, ListForm, SCHOOLS_MAX};

fn schools(form: ListForm, numbers: bool) -> ClaimRules {
    let mut rules = rules();
    rules.names.schools = Some(ClaimSource { form, numbers, ..at("schools") });
    rules
}

#[track_caller]
fn reads(rules: &ClaimRules, schools: &Value, expected: &[&str]) {
    assert_eq!(accepted(rules, &with("schools", schools)).schools.unwrap(), expected, "{schools}");
}

#[track_caller]
fn refuses(rules: &ClaimRules, schools: &[Value]) {
    for schools in schools {
        refused(rules, &with("schools", schools), invalid("schools"));
    }
}

#[test]
fn list_has_the_form_that_is_declared_and_no_other() {
    let array = schools(ListForm::Array, false);
    reads(&array, &json!(["a", "b"]), &["a", "b"]);
    refuses(&array, &[json!("a"), json!("a,b"), json!("a b"), json!([1]), json!(1), json!("")]);

    let one = schools(ListForm::One, false);
    reads(&one, &json!("a"), &["a"]);
    // Never two schools, and no school of that name either.
    refuses(&one, &[json!("a,b"), json!("a b"), json!(""), json!(["a"]), json!(1), json!("*"), json!({})]);

    let separated = schools(ListForm::Separated(','), false);
    reads(&separated, &json!("255901,19255901"), &["255901", "19255901"]);
    reads(&separated, &json!("b,a,b"), &["b", "a"]);
    reads(&separated, &json!("a"), &["a"]);
    reads(&separated, &json!(""), &[]);
    // Empty values, spaces, what may stand in no list, an array.
    let bad = ["a,", ",a", "a,,b", ",", "a, b", "a b", " ", "a,*", "a;b\n", "a,\"b\""].map(|text| json!(text));
    refuses(&separated, &bad);
    refuses(&separated, &[json!(["a"]), json!(["a,b"]), json!([]), json!(1), json!({"a": 1}), json!(true)]);
    for separator in [' ', ';', '|'] {
        let rules = schools(ListForm::Separated(separator), false);
        reads(&rules, &json!(format!("a{separator}b")), &["a", "b"]);
        refuses(&rules, &[json!("a,b"), json!(format!("a{separator}{separator}b"))]);
    }
}

#[test]
fn numbers_are_ids_where_they_are_declared() {
    let array = schools(ListForm::Array, true);
    reads(&array, &json!([255_901, "a", 0]), &["255901", "a", "0"]);
    // One school, however it is written.
    reads(&array, &json!([7, "7"]), &["7"]);
    reads(&array, &json!([9_007_199_254_740_991_u64]), &["9007199254740991"]);
    refuses(
        &array,
        &[json!([-1]), json!([1.5]), json!([1.0]), json!([1e3]), json!([9_007_199_254_740_992_u64]), json!(1)],
    );
    reads(&schools(ListForm::One, true), &json!(255_901), &["255901"]);
    refuses(&schools(ListForm::One, true), &[json!(-1), json!(1.0), json!([1])]);
    reads(&schools(ListForm::Separated(','), true), &json!(255_901), &["255901"]);
    reads(&schools(ListForm::Separated(','), true), &json!("1,2"), &["1", "2"]);
    let mut rules = rules();
    for name in ["client_id", "tier"] {
        refused(&rules, &with(name, &json!(1234)), invalid(name));
    }
    rules.names.client.numbers = true;
    rules.names.tier = Some(ClaimSource { numbers: true, ..at("tier") });
    assert_eq!(accepted(&rules, &with("client_id", &json!(1234))).client, "1234");
    assert_eq!(accepted(&rules, &with("tier", &json!(2))).tier.unwrap(), "2");
    for name in ["client_id", "tier"] {
        for value in [json!(-1), json!(0.5), json!(1e300), json!([1]), json!(true), json!(9_007_199_254_740_992_u64)] {
            refused(&rules, &with(name, &value), invalid(name));
        }
    }
}

/// RFC 8693 section 4.2 and RFC 9068 section 2.2.3: `scope` is one string.
#[test]
fn scope_is_a_list_of_permissions() {
    let mut rules = rules();
    rules.names.grants.permissions = Some(ClaimSource { form: ListForm::ArrayOrScope, ..at("scope") });
    let permissions = |scope: &Value| accepted(&rules, &with("scope", scope)).permissions.unwrap();
    assert_eq!(permissions(&json!("read:students write:students")), ["read:students", "write:students"]);
    assert_eq!(permissions(&json!(["read", "write"])), ["read", "write"]);
    assert_eq!(permissions(&json!("read")), ["read"]);
    assert!(permissions(&json!("")).is_empty());
    let invalid = || ClaimError::Invalid(Claim { reason: Reason::Permissions, name: "scope".to_owned() });
    for scope in
        [json!("a  b"), json!(" a"), json!("a "), json!("a,b"), json!("a\tb"), json!(1), json!({}), json!(["a b"])]
    {
        refused(&rules, &with("scope", &scope), invalid());
    }
}

#[test]
fn schools_of_districts_have_a_form_as_well() {
    let mut rules = rules();
    rules.names.grants.district_schools =
        Some(ClaimSource { form: ListForm::Separated(','), numbers: true, ..at("open") });
    let claims = accepted(&rules, &with("open", &json!({"d": "1,2", "e": 3, "f": ""})));
    let expected = [("d", vec!["1", "2"]), ("e", vec!["3"]), ("f", vec![])];
    let read: Vec<_> =
        claims.district_schools.iter().map(|(d, s)| (d.as_str(), s.iter().map(String::as_str).collect())).collect();
    assert_eq!(read, expected);
    let many = vec!["1"; SCHOOLS_MAX + 1].join(",");
    refused(&rules, &with("open", &json!({"d": many})), ClaimError::TooManyIds(Reason::DistrictSchools));
}

#[test]
fn number_of_separated_schools_is_bounded() {
    let rules = schools(ListForm::Separated(','), false);
    let list = |count: usize| json!((0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
    assert_eq!(accepted(&rules, &with("schools", &list(SCHOOLS_MAX))).schools.unwrap().len(), SCHOOLS_MAX);
    refused(&rules, &with("schools", &list(SCHOOLS_MAX + 1)), ClaimError::TooManyIds(Reason::Schools));
}

/// As Auth0, Keycloak, Entra and Ed-Fi name claims of their own.
#[test]
fn names_of_claims_may_have_dots_slashes_and_colons() {
    for name in [
        "https://school.example.com/claims/schools",
        "ext.schools",
        "urn:org:schools",
        "a/b",
        "custom:schools",
        "x.y/z:w",
    ] {
        let mut rules = rules();
        rules.names.schools = Some(at(name));
        let mut payload = example();
        payload[name] = json!(["s"]);
        assert_eq!(accepted(&rules, &payload).schools.unwrap(), ["s"], "{name}");
        // A dot leads nowhere, and a slash only where the whole is a pointer.
        let missing = ClaimError::Missing(Claim { reason: Reason::Schools, name: name.to_owned() });
        refused(&rules, &with("ext", &json!({"schools": ["s"]})), missing);
    }
}
