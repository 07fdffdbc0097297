use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Fit, PathError, Pattern, PatternError, RawPath};

#[track_caller]
fn check(raw: &str, expected: Result<(&str, Option<&str>), PathError>) {
    let read = RawPath::parse(raw.as_bytes()).map(|it| (it.path, it.query));
    assert_eq!(read, expected, "{raw}");
}

#[test]
fn harmless_paths_pass_as_they_are() {
    let cases = [
        "/",
        "/stats/v1/attendance/summary",
        "/stats/v1/",
        // Names that begin or end with dots.
        "/.well-known/jwks.json",
        "/a/...",
        "/a/..b/c..",
        // Harmless escapes, parameters, an encoded percent sign that means itself.
        "/a/%20b",
        "/a/b;v=1/c",
        "/a/100%25",
        "/a/%c3%a9",
        "/a:b/(c)/d,e@f",
    ];
    for raw in cases {
        check(raw, Ok((raw, None)));
    }
    check("/a?b=c?d", Ok(("/a", Some("b=c?d"))));
    check("/a?", Ok(("/a", Some(""))));
    // The rules of paths are not those of queries.
    check("/a?b=../..//%2f%5c\\%zz", Ok(("/a", Some("b=../..//%2f%5c\\%zz"))));
}

#[test]
fn paths_that_are_none_are_refused() {
    for raw in ["", "*", "a/b", "http://a/b", "?a", "%2fa"] {
        check(raw, Err(PathError::NotAbsolute));
    }
    for raw in ["/a b", "/a\tb", "/a\0", "/a#b", "/a\u{7f}", "/é", "/a?b c", "/a?é", "/a?b#c"] {
        check(raw, Err(PathError::Byte));
    }
    assert_eq!(RawPath::parse(b"/\xff"), Err(PathError::Byte));
}

#[test]
fn dot_segments_are_refused_in_every_encoding() {
    let cases = [
        "/a/../b",
        "/a/./b",
        "/..",
        "/.",
        "/a/..",
        // Encoded, in part, in either case.
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a/%2e",
        // Cut at `;`, raw and encoded.
        "/a/..;x/b",
        "/a/%2e%2e;x/b",
        "/a/..%3bx/b",
        "/a/.;/b",
        // Encoded twice.
        "/a/%252e%252e/b",
        "/a/%252e./b",
        "/a/..%253bx",
        "/a/%2%65",
    ];
    for raw in cases.iter().take(15) {
        check(raw, Err(PathError::DotSegment));
    }
    // An escape inside an escape is a bad one.
    check(cases[15], Err(PathError::Escape));
}

#[test]
fn separators_are_refused() {
    for raw in ["/a%2fb", "/a%2Fb", "/a%252fb", "/%2f", "/a/..%2fb"] {
        check(raw, Err(PathError::EncodedSlash));
    }
    for raw in ["/a\\b", "/a%5cb", "/a%5Cb", "/a%255cb", "/..\\b"] {
        check(raw, Err(PathError::Backslash));
    }
    // Where a proxy decodes the path, the next server takes what follows for the query, or for nothing.
    for raw in ["/a%3fb", "/a%3F", "/%3f", "/a%253fb", "/a/b%23", "/a%23b/c", "/a%2523b"] {
        check(raw, Err(PathError::EncodedEnd));
    }
    for raw in ["/a%00", "/%00", "/a%0d%0ab", "/a%7f", "/a%2500"] {
        check(raw, Err(PathError::EncodedControl));
    }
}

#[test]
fn sessions_in_place_of_cookies_are_refused() {
    for raw in [
        "/(S(x))/a",
        "/a/(S(x))",
        "/a/(A(x)F(y))/b",
        "/a/%28S(x))/b",
        "/a/(S(x));y/b",
        "/a/(S(x;y))/b",
        "/a/%2528s(x))/b",
    ] {
        check(raw, Err(PathError::Session));
    }
    for raw in ["/a(S(x))/b", "/(a)/b", "/(S(x)/b", "/((x))", "/()", "/(ab))", "/(1(x))"] {
        check(raw, Ok((raw, None)));
    }
}

#[test]
fn paths_do_not_show_and_every_error_has_a_text_of_its_own() {
    use PathError as E;

    assert_eq!(format!("{:?}", RawPath::parse(b"/students/7781").unwrap()), "RawPath(..)");
    let errors = [
        E::NotAbsolute,
        E::Byte,
        E::Backslash,
        E::EncodedSlash,
        E::EncodedEnd,
        E::EncodedControl,
        E::Escape,
        E::Nested,
        E::EmptySegment,
        E::DotSegment,
        E::Session,
        E::Ambiguous,
    ];
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() == errors.len() && !texts.contains(""), "{texts:?}");
}

#[test]
fn siblings_differ_in_names_of_variables_and_suffixes_alone() {
    for (other, expected) in [
        ("/a/{x}/b", true),
        ("/a/{y}/b/", true),
        ("/a/{y}/b.json", true),
        ("/a/{y}/bc", false),
        ("/a/x/b", false),
        ("/a/{x}/b/c", false),
    ] {
        assert_eq!(pattern("/a/{x}/b").is_sibling(&pattern(other)), expected, "{other}");
    }
}

#[test]
fn bad_escapes_are_refused() {
    // No digits, one, other letters, the end, an overlong dot, Latin-1.
    for raw in ["/%", "/a%4", "/%zz", "/a%%20", "/%2", "/%+1", "/%c0%ae", "/%e9"] {
        check(raw, Err(PathError::Escape));
    }
    check("/%25252e", Err(PathError::Nested));
    check("/a%25252fb", Err(PathError::Nested));
}

#[test]
fn empty_segments_are_refused() {
    for raw in ["//", "//a", "/a//b", "/a//", "/a/;x", "/a/;x/b", "/;/a", "/%3b/a"] {
        check(raw, Err(PathError::EmptySegment));
    }
}

fn pattern(template: &str) -> Pattern {
    Pattern::parse(template).unwrap()
}

#[track_caller]
fn check_fit(template: &str, raw: &str, expected: Fit) {
    let path = RawPath::parse(raw.as_bytes()).unwrap();
    assert_eq!(pattern(template).fit(&path), expected, "{template} {raw}");
    assert_eq!(pattern(template).matches(&path), expected == Fit::Exact);
}

#[test]
fn patterns_match_whole_segments() {
    let cases = [
        // Exact.
        ("/a/b", "/a/b", Fit::Exact),
        ("/a/b", "/a/b?c", Fit::Exact),
        ("/a/b", "/a", Fit::No),
        ("/a/b", "/a/b/c", Fit::No),
        ("/a/b", "/a/bc", Fit::No),
        // A subtree: everything below, not the name itself, not a longer name.
        ("/a/", "/a/", Fit::Exact),
        ("/a/", "/a/b", Fit::Exact),
        ("/a/", "/a/b/c/", Fit::Exact),
        ("/a/", "/ab", Fit::No),
        ("/a/", "/ab/c", Fit::No),
        // Everything.
        ("/", "/", Fit::Exact),
        ("/", "/a/b", Fit::Exact),
        // Templates: a variable is one segment that is not empty.
        ("/a/{x}", "/a/b", Fit::Exact),
        ("/a/{x}", "/a/", Fit::No),
        ("/a/{x}", "/a/b/c", Fit::No),
        ("/a/{x}/b", "/a/1/b", Fit::Exact),
        ("/a/{x}/b", "/a/1/c", Fit::No),
        ("/a/{x}/", "/a/1/", Fit::Exact),
        ("/a/{x}/", "/a/1/b", Fit::Exact),
        ("/a/{x}/", "/a", Fit::No),
        ("/a/{x}/", "/a/", Fit::No),
        ("/{x}/", "/a/b", Fit::Exact),
    ];
    for (template, raw, expected) in cases {
        check_fit(template, raw, expected);
    }
}

#[test]
fn what_lenient_servers_take_for_the_path_fits_loosely() {
    let cases = [
        // Case, encoding, double encoding, parameters, a final slash.
        ("/a/b", "/A/b"),
        ("/A/b", "/a/b"),
        ("/a/b", "/%61/b"),
        ("/a/b", "/%2561/b"),
        ("/a/b", "/a;x=1/b"),
        ("/a/b", "/a/b;x"),
        ("/a/b", "/a/b%3bx"),
        ("/a/b", "/a/%62;x"),
        ("/a/b", "/a/b%253bx"),
        ("/a/b", "/a/b/"),
        ("/a/", "/A/c"),
        // The final slash of what is below: `/a` is `/a/` for some, and all that is `/a` for them.
        ("/a/", "/a"),
        ("/a/", "/A"),
        ("/a/", "/a;x"),
        ("/a/", "/%61"),
        ("/a/", "/a.json"),
        ("/a/{x}/", "/a/1"),
        // A suffix of the last segment (Rails, Spring), a stream, final dots and spaces (Windows).
        ("/a/b", "/a/b.json"),
        ("/a/b", "/a/b%2ejson"),
        ("/a/b", "/a/b.json;x"),
        ("/a/b", "/a/b::$DATA"),
        ("/a/b", "/a./b"),
        ("/a/", "/a.%20/b"),
        ("/a/b", "/a/b%20"),
        // Letters beyond ASCII: the long s, the Kelvin sign, full width.
        ("/sk/b", "/%c5%bf%e2%84%aa/b"),
        ("/sk/b", "/s%ef%bd%8b/b"),
        ("/sk/b", "/s%25ef%25bd%258b/b"),
    ];
    for (template, raw) in cases {
        check_fit(template, raw, Fit::Loose);
    }
    // A name that only begins alike; a suffix of another segment.
    for (template, raw) in
        [("/sk/b", "/%c3%9fk/b"), ("/a/b", "/a/bc.json"), ("/a/b", "/a.json/b"), ("/a/", "/a.json/b")]
    {
        check_fit(template, raw, Fit::No);
    }
    for raw in ["/%62/b", "/b;x/b", "/a/b/c/", "/a/b/%63"] {
        check_fit("/a/b", raw, Fit::No);
    }
}

#[test]
fn bad_patterns_are_refused() {
    let variable = |text: &str| PatternError::Variable(text.to_owned());
    let cases = [
        ("", PatternError::NotAbsolute),
        ("a/b", PatternError::NotAbsolute),
        ("//", PatternError::EmptySegment),
        ("/a//b", PatternError::EmptySegment),
        ("/a//", PatternError::EmptySegment),
        ("/a/../b", PatternError::DotSegment),
        ("/./", PatternError::DotSegment),
        ("/a/*", PatternError::Wildcard),
        ("/a%20b", PatternError::Literal('%')),
        ("/a;b", PatternError::Literal(';')),
        ("/a b", PatternError::Literal(' ')),
        ("/a?b", PatternError::Literal('?')),
        ("/é", PatternError::Literal('é')),
        ("/{}", variable("{}")),
        ("/{1a}", variable("{1a}")),
        ("/{A}", variable("{A}")),
        ("/a{x}", variable("a{x}")),
        ("/{x}b", variable("{x}b")),
        ("/{x", variable("{x")),
        ("/:id", variable(":id")),
        ("/{x}/{x}", PatternError::Doubled("x".to_owned())),
    ];
    for (template, expected) in cases {
        assert_eq!(Pattern::parse(template), Err(expected), "{template}");
    }
    for template in ["/", "/a", "/a/", "/{x}/{y}", "/{_a1}/", "/v1/x:verb", "/a.b/~c"] {
        assert_eq!(pattern(template).template, template);
    }
}

#[track_caller]
fn check_variable(raw: &str, expected: Result<&str, PathError>) {
    let path = RawPath::parse(raw.as_bytes()).unwrap();
    let value = pattern("/schools/{id}/").variable(&path, "id").unwrap();
    assert_eq!(value, expected.map(Into::into), "{raw}");
}

#[test]
fn variables_are_decoded_once() {
    check_variable("/schools/oakwood/", Ok("oakwood"));
    check_variable("/schools/oak%77ood/x", Ok("oakwood"));
    check_variable("/schools/oak%20wood/x", Ok("oak wood"));
    check_variable("/schools/%c3%a9/x", Ok("é"));
    check_variable("/schools/a%2Bb/x", Ok("a+b"));
    let path = RawPath::parse(b"/schools/a/").unwrap();
    assert_eq!(pattern("/schools/{id}/").variable(&path, "other"), None);
}

#[test]
fn variables_that_servers_read_differently_are_refused() {
    // Parameters, raw and encoded; encoded twice; a plus that is a space to some.
    for raw in ["/schools/a;b/", "/schools/a%3Bb/", "/schools/%2561/", "/schools/100%25/", "/schools/a+b/"] {
        check_variable(raw, Err(PathError::Ambiguous));
    }
}

#[test]
fn wider_patterns_cover_narrower_ones() {
    let cases = [
        ("/", "/", true),
        ("/", "/a", true),
        ("/", "/a/{x}/", true),
        ("/a/", "/a/b", true),
        ("/a/", "/a/", true),
        ("/a/", "/a", false),
        ("/a/", "/b/c", false),
        ("/a/b", "/a/", false),
        ("/a/{x}", "/a/b", true),
        ("/a/b", "/a/{x}", false),
        ("/a/{x}", "/a/{y}", true),
        ("/a/{x}/", "/a/b/c/", true),
        ("/a/{x}/", "/a/b", false),
        ("/a/b/", "/a/", false),
        ("/{x}/b", "/a/{y}", false),
    ];
    for (wide, narrow, expected) in cases {
        assert_eq!(pattern(wide).covers(&pattern(narrow)), expected, "{wide} {narrow}");
    }
}

fn template() -> impl Strategy<Value = String> {
    let segment = proptest::sample::select(vec!["a", "b", "{x}", "{y}"]);
    (proptest::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(segments, subtree)| {
        let end = if subtree && !segments.is_empty() { "/" } else { "" };
        format!("/{}{end}", segments.join("/"))
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = RawPath::parse(&raw);
    }

    #[test]
    fn accepted_paths_hold_no_dot_segment_for_any_server(raw in "/([./;%ab]|%2[eEfF5]|%5c|%00|%3b|%25){0,12}") {
        let Ok(path) = RawPath::parse(raw.as_bytes()) else { return Ok(()) };
        let mut text = path.path.to_owned();
        for _ in 0..3 {
            for segment in text.split(['/', '\\']) {
                let name = segment.split(';').next().unwrap();
                prop_assert!(name != "." && name != "..", "{}", raw);
            }
            text = percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
        }
        let _ = pattern("/{x}/").variable(&path, "x");
    }

    #[test]
    fn any_template_is_read_without_a_panic(template in "/?([a{}/:*.%]|\\PC){0,12}") {
        let _ = Pattern::parse(&template);
    }

    #[test]
    fn covered_patterns_match_nothing_else(
        wide in template(), narrow in template(), raw in "(/[abc]){0,4}/?",
    ) {
        let (Ok(wide), Ok(narrow)) = (Pattern::parse(&wide), Pattern::parse(&narrow)) else { return Ok(()) };
        let Ok(path) = RawPath::parse(raw.as_bytes()) else { return Ok(()) };
        if wide.covers(&narrow) && narrow.matches(&path) {
            prop_assert!(wide.matches(&path));
        }
    }
}
