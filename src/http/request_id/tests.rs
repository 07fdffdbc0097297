use super::*;

fn taken(value: &[u8]) -> Option<String> {
    accepted(&Head::from_pairs(&[(&b"x-request-id"[..], value)])).map(str::to_owned)
}

#[test]
fn ids_that_are_safe_everywhere_are_taken_over() {
    for id in ["5f3c1a52-1b1e-4e1f-9d3c-0d6f1c2b3a4d", "a", "A-Z_0.9", &"x".repeat(LEN_MAX)] {
        assert_eq!(taken(id.as_bytes()).as_deref(), Some(id));
    }
}

#[test]
fn other_ids_are_not() {
    let long = "x".repeat(LEN_MAX + 1);
    for id in [
        &b""[..],
        long.as_bytes(),
        b"a b",
        b"a\r\nb: c",
        b"a\0",
        b"\"",
        b"<a>",
        b"a,b",
        b"a/b",
        b"\xff",
        "\u{e9}".as_bytes(),
    ] {
        assert_eq!(taken(id), None, "{id:?}");
    }
    assert_eq!(accepted(&Head::from_pairs::<&str, &str>(&[])), None);
    assert_eq!(accepted(&Head::from_pairs(&[("x-request-id", "a"), ("x-request-id", "a")])), None, "two");
    assert_eq!(accepted(&Head::from_pairs(&[("X-Request-ID", "a")])), Some("a"), "any case");
}

#[test]
fn fresh_id_is_a_version_4_uuid_and_is_taken_over() {
    for (random, id) in
        [([0x00; 16], "00000000-0000-4000-8000-000000000000"), ([0xff; 16], "ffffffff-ffff-4fff-bfff-ffffffffffff")]
    {
        assert_eq!(fresh(random), id);
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(0x10..).for_each(|(byte, nth)| *byte = nth);
    assert_eq!(fresh(bytes), "10111213-1415-4617-9819-1a1b1c1d1e1f");
    assert_eq!(taken(fresh(bytes).as_bytes()), Some(fresh(bytes)));
}
