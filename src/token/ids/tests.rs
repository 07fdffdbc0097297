use super::Ids;
use crate::config::ListFormat;

fn schools(list: &[&str], format: ListFormat) -> Ids {
    Ids::new(list.iter().map(|&school| school.to_owned()).collect(), format)
}

#[test]
fn header_keeps_the_order_of_the_token() {
    for (list, comma, json) in
        [(&[][..], "", "[]"), (&["a"], "a", r#"["a"]"#), (&["b", "a", "c"], "b,a,c", r#"["b","a","c"]"#)]
    {
        assert_eq!(schools(list, ListFormat::Comma).header(), comma.as_bytes());
        assert_eq!(schools(list, ListFormat::Json).header(), json.as_bytes());
        let parsed: Vec<String> = serde_json::from_slice(schools(list, ListFormat::Json).header()).unwrap();
        assert_eq!(parsed, list);
    }
}

#[test]
fn weight_grows_with_what_is_kept() {
    let weight = |list: &[&str]| schools(list, ListFormat::Comma).weight();
    assert_eq!(weight(&[]), 0);
    // Once in the set, once in the header, and what points there.
    assert_eq!(weight(&["abc"]), 6 + size_of::<Box<str>>());
    assert_eq!(weight(&["abc", "d"]), 10 + 2 * size_of::<Box<str>>());
}

#[test]
fn membership_is_exact() {
    let set = schools(&["oakwood-primary", "b", "a"], ListFormat::Comma);
    for school in ["oakwood-primary", "a", "b"] {
        assert!(set.contains(school), "{school}");
    }
    for school in ["", "oakwood", "oakwood-primary2", "Oakwood-primary", "a,b", "*", "c"] {
        assert!(!set.contains(school), "{school}");
    }
    assert!(!schools(&[], ListFormat::Comma).contains(""));
}
