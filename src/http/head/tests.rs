use proptest::prelude::*;

use super::{Bearer, Doubled, Head, Known};

#[track_caller]
fn check_bearer(pairs: &[(&str, &[u8])], expected: Bearer<'_>) {
    assert_eq!(Head::from_pairs(pairs).bearer(), expected);
}

#[test]
fn bearer_token_is_read() {
    let cases: [(&[u8], &[u8]); 5] = [
        (b"Bearer a.b.c", b"a.b.c"),
        // The scheme in any case.
        (b"bearer a.b.c", b"a.b.c"),
        (b"BEARER a.b.c", b"a.b.c"),
        // An opaque token with every character of b64token.
        (b"Bearer A9-._~+/==", b"A9-._~+/=="),
        // What stands in the segments is not judged here.
        (b"Bearer .", b"."),
    ];
    for (value, token) in cases {
        check_bearer(&[("authorization", value)], Bearer::Token(token));
    }
    check_bearer(&[("Authorization", b"Bearer a")], Bearer::Token(b"a"));
}

#[test]
fn absent_authorization_is_absent() {
    check_bearer(&[(":path", b"/?access_token=a")], Bearer::Absent);
    check_bearer(&[("cookie", b"token=a")], Bearer::Absent);
}

#[test]
fn anything_but_one_bearer_token_is_malformed() {
    let cases: [&[u8]; 18] = [
        // Empty, and the scheme alone.
        b"",
        b"Bearer",
        b"Bearer ",
        // Two headers that Envoy has joined.
        b"Bearer a,Bearer b",
        b"Bearer a, Bearer b",
        b"Bearer a,",
        // Other schemes, also with ours behind.
        b"Basic YTpi",
        b"Basic x Bearer t",
        b"Bearerx a",
        b"a.b.c",
        // Two spaces, a tab, a space before and after.
        b"Bearer  a",
        b"Bearer\ta",
        b" Bearer a",
        b"Bearer a ",
        // Quoted, percent-encoded, not ASCII, not UTF-8.
        b"Bearer \"a\"",
        b"Bearer a%2eb",
        "Bearer ä".as_bytes(),
        b"Bearer \xff",
    ];
    for value in cases {
        check_bearer(&[("authorization", value)], Bearer::Malformed);
    }
}

#[test]
fn two_authorization_headers_are_malformed_in_either_order() {
    let good = ("authorization", &b"Bearer a"[..]);
    let bad = ("authorization", &b""[..]);
    let shouted = ("AUTHORIZATION", &b"Bearer a"[..]);
    for pairs in [[good, bad], [bad, good], [good, good], [good, shouted]] {
        check_bearer(&pairs, Bearer::Malformed);
    }
}

#[test]
fn every_known_header_is_noted() {
    let names = [
        (":method", Known::Method),
        (":path", Known::Path),
        (":authority", Known::Authority),
        (":protocol", Known::Protocol),
        ("authorization", Known::Authorization),
        ("content-type", Known::ContentType),
        ("content-length", Known::ContentLength),
        ("transfer-encoding", Known::TransferEncoding),
        ("x-request-id", Known::RequestId),
        ("connection", Known::Connection),
        ("upgrade", Known::Upgrade),
        ("origin", Known::Origin),
        ("access-control-request-method", Known::PreflightMethod),
    ];
    let pairs: Vec<_> = names.map(|(name, _)| (name, format!("of {name}"))).into();
    let head = Head::from_pairs(&pairs);
    let twice = Head::from_pairs(&[pairs.clone(), pairs].concat());
    for (name, known) in names {
        let value = format!("of {name}");
        assert_eq!(head.known(known), Ok(Some(value.as_bytes())));
        assert_eq!(head.values(name).collect::<Vec<_>>(), [value.as_bytes()]);
        assert_eq!(twice.known(known), Err(Doubled));
        assert_eq!(twice.values(name).count(), 2);
        assert!(twice.has(known));
    }
    assert!(head.is_sound());
    assert!(!twice.is_sound());
}

#[test]
fn other_headers_are_found_by_name_in_any_case() {
    let head = Head::from_pairs(&[("x-a", "1"), ("x-b", ""), ("X-A", "2")]);
    assert_eq!(head.values("x-a").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(head.values("x-b").collect::<Vec<_>>(), [b""]);
    assert_eq!(head.values("x-c").next(), None);
    assert_eq!(head.known(Known::Path), Ok(None));
}

#[test]
fn empty_map_is_told_apart() {
    for bytes in [vec![], vec![0, 0, 0, 0]] {
        let head = Head::parse(bytes).unwrap();
        assert!(head.is_empty());
        assert!(!head.is_sound());
    }
    let head = Head::from_pairs(&[("", "")]);
    assert!(!head.is_empty());
    assert!(head.is_sound());
}

#[test]
fn layout_that_does_not_add_up_is_refused() {
    let sound: &[u8] = b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0";
    let head = Head::parse(sound.to_vec()).unwrap();
    assert_eq!(head.pairs().collect::<Vec<_>>(), [(&b"a"[..], &b"bc"[..])]);
    // Every truncation, and a byte too many.
    for len in 1..sound.len() {
        assert!(Head::parse(sound[..len].to_vec()).is_none(), "{len}");
    }
    assert!(Head::parse([sound, b"\0"].concat()).is_none());
    // A count and lengths beyond the buffer; a missing NUL.
    for (at, byte) in [(0, 2), (3, 0xff), (4, 9), (7, 0xff), (11, 0xff), (13, 1), (16, 1)] {
        let mut bytes = sound.to_vec();
        bytes[at] = byte;
        assert!(Head::parse(bytes).is_none(), "{at}");
    }
}

#[test]
fn debug_shows_no_value() {
    let head = Head::from_pairs(&[("authorization", "Bearer canary")]);
    let shown = format!("{head:?} {:?}", head.bearer());
    assert_eq!(shown, "Head(1 headers) Token(..)");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(0_u8..=255, 0..80)) {
        if let Some(head) = Head::parse(bytes) {
            let _ = (head.bearer(), head.pairs().count());
        }
    }

    #[test]
    fn small_lengths_are_read_without_a_panic(bytes in proptest::collection::vec(0_u8..4, 0..60)) {
        if let Some(head) = Head::parse(bytes) {
            let _ = (head.bearer(), head.pairs().count());
        }
    }

    #[test]
    fn pairs_come_back(pairs in proptest::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..9)) {
        let head = Head::from_pairs(&pairs);
        let read: Vec<_> = head.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        prop_assert_eq!(read, pairs);
    }
}
