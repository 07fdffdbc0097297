use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{PARAMETERS_MAX, QueryError, VALUES_MAX, overrides_method, values};

#[track_caller]
fn check(query: &str, expected: &[&str]) {
    assert_eq!(values(query, "school_id").unwrap(), expected, "{query}");
}

#[track_caller]
fn check_refused(query: &str, expected: QueryError) {
    assert_eq!(values(query, "school_id"), Err(expected), "{query}");
}

#[test]
fn values_are_decoded_once_and_keep_their_order() {
    check("school_id=a", &["a"]);
    check("x=1&school_id=a&y", &["a"]);
    check("school_id=b&school_id=a", &["b", "a"]);
    check("school_id=%61", &["a"]);
    check("school_id=a%20b", &["a b"]);
    check("school_id=a%2Bb%3B%3D", &["a+b;="]);
    check("school_id=%c3%a9", &["é"]);
    check("school_id=a,b", &["a,b"]);
    check("", &[]);
    check("&&", &[]);
}

#[test]
fn every_error_has_a_text_of_its_own() {
    use QueryError::{Ambiguous, Malformed, TooManyParameters, TooManyValues};
    let errors = [Ambiguous, Malformed, TooManyParameters, TooManyValues];
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() == errors.len() && !texts.contains(""), "{texts:?}");
}

#[test]
fn other_parameters_may_hold_anything() {
    for query in [
        "x=%zz",
        "x=a+b;c",
        "x=%00",
        "school=school_id",
        "school_ids=a",
        "my_school_id=a",
        "sort=school_id",
        "filter[name]=a",
        "filter%5Bname%5D=a",
        "filter[my_school_id]=a",
        "filter.school_ids=a",
        "filter.myschool_id=a",
        "fields[school][id_of]=a",
        "a.b=c",
        "gr%C3%B6%C3%9Fe=1",
        "x=1;y=2",
        "x=Smith%20%26%20Sons",
        "x=1%26y=2%3Bz",
        "next=/a%3Fschool%3D1%26school_ids%3D2",
    ] {
        check(query, &[]);
    }
}

#[test]
fn names_that_servers_fold_to_the_protected_one_are_ambiguous() {
    for name in [
        // Encoded, twice too.
        "%73chool_id",
        "school%5Fid",
        "%2573chool_id",
        // Case, also beyond ASCII: long s, full width.
        "SCHOOL_ID",
        "School_Id",
        "%c5%bfchool_id",
        "%ef%bd%93chool_id",
        // What PHP turns into `_`, and what others drop.
        "school.id",
        "school+id",
        "school%20id",
        "school-id",
        "schoolId",
        "+school_id",
        "school_id%20",
        "$school_id",
        // Arrays and objects.
        "school_id[]",
        "school_id%5B%5D",
        "school_id[0]",
        "school_id[x]",
        "school[]_id",
        "[school_id]",
        "school_id[",
        "school_id]x",
        "[school_id]x",
        "school_id.0",
        // Nested by dots, as `qs` with `allowDots`, Grails and Spring do.
        "school_id.x",
        "school_id.x[0]",
        "school.id.x.y",
        // What ASP.NET binds to an object that is called `filter`, before it looks for the plain name.
        "filter.school_id",
        "Filter.School_Id",
        "filter[school_id]",
        "filter%5Bschool_id%5D",
        "a.filter[school_id][0]",
        "filter[0].school.id",
        "x=1%26filter.school_id",
        // A second question mark.
        "?school_id",
        // Cut at NUL, by a server that decodes once or twice.
        "school_id%00x",
        "school_id%2500x",
        // Parameters of servers that split at `;`; an `&` that was escaped for HTML.
        "x;school_id",
        ";school_id",
        "x=1;school_id",
        "x=1;%73chool_id",
        "amp;school_id",
        // Parameters of servers that decode before they split, once or twice.
        "x=1%26school_id",
        "x=1%26%73chool_id",
        "x=1%3bschool_id",
        "x=1%2526school_id",
        "school_id%3da%26x",
        "school_id%253da%2526x",
        "x=1;school_id%3da%26x",
    ] {
        check_refused(&format!("{name}=a"), QueryError::Ambiguous);
        check_refused(&format!("school_id=a&{name}=a"), QueryError::Ambiguous);
        check_refused(&format!("{name}&school_id=a"), QueryError::Ambiguous);
    }
    // The Kelvin sign.
    assert_eq!(values("%e2%84%aaey=1", "key"), Err(QueryError::Ambiguous));
    // Not one letter of it is ASCII.
    assert_eq!(values("\u{17f}\u{212a}=1", "sk"), Err(QueryError::Ambiguous));
}

#[test]
fn protected_name_may_have_marks_of_its_own() {
    let read = values("filter[school]=a&filter[name]=b", "filter[school]");
    assert_eq!(read.unwrap(), ["a"]);
    assert_eq!(values("ids[]=a&ids[]=b", "ids[]").unwrap(), ["a", "b"]);
    // As `URLSearchParams`, Python's `urlencode`, jQuery and PHP's `http_build_query` write it.
    for (query, name) in [
        ("filter%5Bschool%5D=a", "filter[school]"),
        ("filter%5bschool]=a", "filter[school]"),
        ("ids%5B%5D=a", "ids[]"),
        ("%24top=a", "$top"),
        ("a%3Ab=a", "a:b"),
    ] {
        assert_eq!(values(query, name).unwrap(), ["a"], "{query}");
    }
    // What no client escapes; another name; escaped twice; cut short; in another case.
    for (query, name) in [
        ("%66ilter%5Bschool%5D=a", "filter[school]"),
        ("filter%5Bsch%6Fol%5D=a", "filter[school]"),
        ("filter%5Dschool%5D=a", "filter[school]"),
        ("filter%255Bschool%255D=a", "filter[school]"),
        ("filter%5Bschool=a", "filter[school]"),
        ("filter%5Bschool%5D%5B%5D=a", "filter[school]"),
        ("Filter%5Bschool%5D=a", "filter[school]"),
        ("ids=a", "ids[]"),
        ("a%2Eb=a", "a.b"),
        ("a%7Eb=a", "a~b"),
        ("a%2Db=a", "a-b"),
        ("%24Top=a", "$top"),
        ("top=a", "$top"),
    ] {
        assert_eq!(values(query, name), Err(QueryError::Ambiguous), "{query}");
    }
    // What lies below it may be taken for it; what lies beside it may not.
    for below in
        ["q.filter[school]", "filter[school][x]", "filter[school][]", "filter.school.x", "filter[0][school][x]"]
    {
        let query = format!("filter[school]=a&{below}=b");
        assert_eq!(values(&query, "filter[school]"), Err(QueryError::Ambiguous), "{below}");
    }
    assert_eq!(values("filter[school]=a&filter.schools=b&filter=c", "filter[school]").unwrap(), ["a"]);
}

#[test]
fn values_that_servers_read_differently_are_refused() {
    for query in [
        // A plus or a space; encoded twice; cut at `;` or `=`.
        "school_id=a+b",
        "school_id=%2561",
        "school_id=100%25",
        "school_id=a;b",
        "school_id=a;school_id=b",
        "school_id=a=b",
        "school_id=a?school_id=b",
    ] {
        check_refused(query, QueryError::Ambiguous);
    }
    for query in [
        // Empty, or without `=`.
        "school_id=",
        "school_id",
        "school_id=a&school_id",
        // Bad escapes.
        "school_id=%zz",
        "school_id=%",
        "school_id=a%4",
        // Control characters, and bytes that are not UTF-8.
        "school_id=%00",
        "school_id=a%0d%0ab",
        "school_id=%7f",
        "school_id=%c2%85",
        "school_id=%ff",
        // The same in names.
        "%zz=1",
        "%ff=1",
    ] {
        check_refused(query, QueryError::Malformed);
    }
}

#[test]
fn parameters_and_values_are_bounded() {
    let parameters = |count: usize| vec!["x=1"; count].join("&");
    check(&parameters(PARAMETERS_MAX), &[]);
    check_refused(&parameters(PARAMETERS_MAX + 1), QueryError::TooManyParameters);
    let ids = |count: usize| vec!["school_id=a"; count].join("&");
    check(&ids(VALUES_MAX), &["a"; VALUES_MAX]);
    check_refused(&ids(VALUES_MAX + 1), QueryError::TooManyValues);
}

#[test]
fn method_overrides_are_seen() {
    for query in ["_method=PUT", "a&_METHOD=PUT", "%5Fmethod=PUT", ".method", "_method[]", "a;_method"] {
        assert!(overrides_method(query), "{query}");
    }
    // Behind a name that is malformed; where a server decodes before it splits, once or twice; a stray percent sign.
    for query in ["%zz&_method=PUT", "a=1%26_method=PUT", "_method%3dPUT", "a=1%2526_method=PUT", "_me%thod=PUT"] {
        assert!(overrides_method(query), "{query}");
    }
    for query in [
        "X-HTTP-Method-Override=PUT",
        "a&x-http-method-override",
        "x-tunneled-method",
        "X-HTTP-Method",
        "a;x_method_override",
        "%58-HTTP-Method",
        "%u0058-HTTP-Method-Override",
    ] {
        assert!(overrides_method(query), "{query}");
    }
    for query in ["", "method=cash", "a=_method", "payment_method=cash", "Method=1", "a=%41", "a=100%2541"] {
        assert!(!overrides_method(query), "{query}");
    }
    // What begins like one; behind a prefix, which binders of objects drop, after the method is known.
    for query in [
        "x_method=1",
        "x-http-methods",
        "x",
        "%u0078=1",
        "form._method=PUT",
        "x[_method]=PUT",
        "x._METHOD",
        "a&x=_method",
    ] {
        assert!(!overrides_method(query), "{query}");
    }
}

proptest! {
    #[test]
    fn any_query_is_read_without_a_panic(query in "\\PC{0,40}", name in "\\PC{0,8}") {
        let _ = (values(&query, &name), overrides_method(&query));
    }

    #[test]
    fn marks_are_read_without_a_panic(query in "([\\[\\].;&=%+a7]|%5[bBdD]|%2[5eE]|%00){0,24}") {
        let _ = (values(&query, "a"), overrides_method(&query));
    }
}
