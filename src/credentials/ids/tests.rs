use super::{Ids, ListFormat};

fn schools(list: &[&str], format: ListFormat) -> Ids {
    Ids::new(&list.iter().map(|&school| school.to_owned()).collect::<Vec<_>>(), format)
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
    // In the header, and the places that point there, half of them free.
    assert_eq!(weight(&["abc"]), 3 + 2 * 8);
    assert_eq!(weight(&["abc", "d"]), 5 + 4 * 8);
    assert_eq!(weight(&["a", "b", "c", "d", "e"]), 9 + 16 * 8);
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

#[test]
fn long_lists_have_their_ids_and_no_others() {
    for format in [ListFormat::Comma, ListFormat::Json] {
        // Around where the search changes, and where the table grows.
        for count in [1, 2, 3, 4, 5, 8, 9, 16, 17, 1_000, 10_000] {
            let list: Vec<String> = (0..count).map(|nth| format!("s{nth}")).collect();
            let set = Ids::new(&list, format);
            assert!(list.iter().all(|id| set.contains(id)), "{count}");
            let others = ["", "s", "s0,s1", "s0\",\"s1", "\"s0\"", "[\"s0", "0", "S0", ","];
            assert!(!others.into_iter().any(|id| set.contains(id)), "{count}");
            assert!(!set.contains(&format!("s{count}")) && !set.contains(&set_text(&set)), "{count}");
        }
    }
}

#[test]
fn ids_that_are_no_ids_are_not_found() {
    // Nothing that is read becomes such an id; if one did, it would open nothing.
    let long = "a".repeat(70_000);
    let set = schools(&["b", &long, "", "c"], ListFormat::Comma);
    assert!(set.contains("b") && set.contains("c"));
    assert!(!set.contains(&long) && !set.contains(""));
}

#[test]
fn sets_are_the_same_if_they_are_written_alike() {
    let set = |list: &[&str]| schools(list, ListFormat::Comma);
    assert_eq!(set(&["a", "b"]), set(&["a", "b"]));
    assert_eq!(set(&[]), set(&[]));
    for other in [set(&["b", "a"]), set(&["a"]), set(&["a", "b", "c"]), set(&["A", "b"])] {
        assert_ne!(set(&["a", "b"]), other);
    }
}

fn set_text(set: &Ids) -> String {
    String::from_utf8(set.header().to_vec()).unwrap() + ","
}
