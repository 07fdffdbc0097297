use super::{Identity, Schools};
use crate::config::ListFormat;
use crate::time::Now;
use crate::token::claims::Claims;

fn schools(list: &[&str], format: ListFormat) -> Schools {
    Schools::new(
        list.iter().map(|&school| school.to_owned()).collect(),
        format,
    )
}

#[test]
fn header_keeps_the_order_of_the_token() {
    for (list, comma, json) in [
        (&[][..], "", "[]"),
        (&["a"], "a", r#"["a"]"#),
        (&["b", "a", "c"], "b,a,c", r#"["b","a","c"]"#),
    ] {
        assert_eq!(schools(list, ListFormat::Comma).header(), comma.as_bytes());
        assert_eq!(schools(list, ListFormat::Json).header(), json.as_bytes());
        let parsed: Vec<String> =
            serde_json::from_slice(schools(list, ListFormat::Json).header()).unwrap();
        assert_eq!(parsed, list);
    }
}

#[test]
fn membership_is_exact() {
    let set = schools(&["oakwood-primary", "b", "a"], ListFormat::Comma);
    for school in ["oakwood-primary", "a", "b"] {
        assert!(set.contains(school), "{school}");
    }
    for school in [
        "",
        "oakwood",
        "oakwood-primary2",
        "Oakwood-primary",
        "a,b",
        "*",
        "c",
    ] {
        assert!(!set.contains(school), "{school}");
    }
    assert!(!schools(&[], ListFormat::Comma).contains(""));
}

#[test]
fn identity_is_valid_within_its_window_only() {
    let claims = Claims {
        client: "c".to_owned(),
        tier: Some("free".to_owned()),
        schools: Some(vec!["s".to_owned()]),
        not_before: Now::from_secs(10),
        not_after: Now::from_secs(20),
    };
    let identity = Identity::new(1, 2, claims, ListFormat::Comma, 3);
    assert_eq!(
        (
            identity.issuer,
            &*identity.client,
            identity.tier,
            identity.generation
        ),
        (1, "c", 2, 3)
    );
    assert!(identity.schools.as_ref().unwrap().contains("s"));
    assert!(identity.weight() > size_of::<Identity>());
    for (secs, expected) in [(9, false), (10, true), (19, true), (20, false)] {
        assert_eq!(
            identity.is_valid_at(Now::from_secs(secs)),
            expected,
            "{secs}"
        );
    }
}
