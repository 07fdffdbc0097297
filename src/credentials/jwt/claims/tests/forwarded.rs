//! Further claims for the upstream.

use serde_json::{Value, json};

use super::{NOW, accepted, judge, rules, with};
use crate::credentials::jwt::claims::{Claim, ClaimError, ClaimPath, ClaimRules, Forwarded};
use crate::credentials::reason::Reason;

fn forwarding(name: &str) -> ClaimRules {
    ClaimRules { forwarded: vec![ClaimPath(name.to_owned())], ..rules() }
}

fn text(text: &str) -> Forwarded {
    Forwarded::Text(text.to_owned())
}

#[test]
fn values_that_are_safe_in_a_header_are_forwarded() {
    let list = |ids: &[&str]| Forwarded::List(ids.iter().map(|id| (*id).to_owned()).collect());
    for (value, expected) in [
        (json!("user-17"), Some(text("user-17"))),
        (json!("a".repeat(256)), Some(text(&"a".repeat(256)))),
        (json!(17), Some(text("17"))),
        (json!(u64::MAX), Some(text("18446744073709551615"))),
        (json!(true), Some(text("true"))),
        (json!(false), Some(text("false"))),
        (json!(["a", "b", "a"]), Some(list(&["a", "b"]))),
        (json!([]), Some(list(&[]))),
        (json!("absent"), None),
        (Value::Null, None),
    ] {
        let claims = accepted(&forwarding("extra"), &with("extra", &value));
        assert_eq!(claims.forwarded, [expected], "{value}");
    }
    let nested = with("org", &json!({"name": "north"}));
    assert_eq!(accepted(&forwarding("/org/name"), &nested).forwarded, [Some(text("north"))]);
    assert_eq!(accepted(&rules(), &nested).forwarded, []);
}

#[test]
fn other_values_refuse_the_token() {
    let expected = ClaimError::Invalid(Claim { reason: Reason::Forwarded, name: "extra".to_owned() });
    for value in [
        json!(""),
        json!("a".repeat(257)),
        json!("two words"),
        json!("a,b"),
        json!("a\"b"),
        json!("a\\b"),
        json!("a\r\nx-claim-tier: premium"),
        json!("\u{e9}"),
        json!(-1),
        json!(1.5),
        json!(1e30),
        json!({"a": "b"}),
        json!({}),
        json!(["a", ""]),
        json!(["a", 1]),
        json!(["*"]),
        json!([["a"]]),
    ] {
        let refused = judge(&forwarding("extra"), &with("extra", &value), NOW);
        assert_eq!(refused.unwrap_err(), expected, "{value}");
    }
}
