use proptest::prelude::*;

use super::Stems;
use crate::http::path::{Fit, Pattern, RawPath};

#[track_caller]
fn check(template: &str, path: &str, expected: bool) {
    let path = RawPath::parse(path.as_bytes()).unwrap();
    assert_eq!(Pattern::parse(template).unwrap().may_fit(&Stems::of(&path)), expected, "{template} {path:?}");
}

#[test]
fn another_literal_cannot_fit() {
    check("/a/b", "/a/c", false);
    check("/a/b", "/a", false);
    check("/a/{x}/b", "/a/1/c", false);
    // after the variable, in another case, with a suffix, below
    for path in ["/a/1/b", "/A/1/B", "/a/1/b.json", "/a/1/b/", "/a/1/b/c"] {
        check("/a/{x}/b", path, true);
    }
    check("/.well-known/x", "/.well-known/x", true);
}

#[test]
fn path_that_can_be_read_in_several_ways_may_fit() {
    for path in ["/%61", "/x;y", "/x/%41"] {
        check("/a", path, true);
    }
}

#[test]
fn deep_paths_are_told_apart_as_far_as_they_are_looked_at() {
    let deep = "/s".repeat(20);
    check(&deep, &deep, true);
    check(&deep, &deep.replacen('s', "t", 1), false);
    check(&format!("{deep}/a"), &format!("{deep}/b"), true);
}

proptest! {
    #[test]
    fn whatever_fits_may_fit(
        template in "(/[aA.:~-]{1,3}|/\\{x\\}){0,4}/?",
        path in "(/[aAb.:;%4561~-]{1,4}){0,5}/?",
    ) {
        if let (Ok(pattern), Ok(path)) = (Pattern::parse(&template), RawPath::parse(path.as_bytes()))
            && pattern.fit(&path) != Fit::No
        {
            prop_assert!(pattern.may_fit(&Stems::of(&path)), "{} {}", template, path.path);
        }
    }
}
