use super::*;

#[track_caller]
fn check(value: &str, expected: &Basic) {
    let head = Head::from_pairs(&[(":method", "GET"), ("authorization", value)]);
    assert_eq!(user(&head), *expected, "{value}");
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

#[test]
fn user_with_an_empty_password_is_read() {
    let user = || Basic::User(b"key".to_vec());
    check("Basic a2V5Og==", &user());
    // any case of the scheme
    check("bASIC a2V5Og==", &user());
    // no padding needed: the length is a multiple of three
    check(&format!("Basic {}", encoded("keys1:")), &Basic::User(b"keys1".to_vec()));
    // the longest key
    let longest = "k".repeat(USER_BYTES_MAX);
    check(&format!("Basic {}", encoded(&format!("{longest}:"))), &Basic::User(longest.into_bytes()));
}

#[test]
fn other_forms_are_no_key() {
    for text in [
        // a password, also of a space; two colons; no colon; no user; nothing
        "key:secret",
        "key: ",
        "key::",
        "key",
        ":",
        "",
    ] {
        check(&format!("Basic {}", encoded(text)), &Basic::Malformed);
    }
    for value in [
        // no padding, too much of it, stray bits, the other alphabet, a space inside and behind
        "Basic a2V5Og",
        "Basic a2V5Og===",
        "Basic a2V5Oh==",
        "Basic _2V5Og==",
        "Basic a2V5 Og==",
        "Basic a2V5Og== ",
        // no space, two, a tab, nothing behind
        "Basica2V5Og==:",
        "Basic  a2V5Og==",
        "Basic\ta2V5Og==",
        "Basic",
        "Basic ",
        // two that were joined, of either order
        "Basic a2V5Og==,Basic a2V5Og==",
        "Bearer x, Basic a2V5Og==",
        "Basic a2V5Og==, Bearer x",
    ] {
        let expected = if value.starts_with("Basica") { Basic::Absent } else { Basic::Malformed };
        check(value, &expected);
    }
    // longer than any key: not even decoded
    check(&format!("Basic {}", encoded(&format!("{}:", "k".repeat(USER_BYTES_MAX + 1)))), &Basic::Malformed);
}

#[test]
fn other_schemes_are_not_basic() {
    for value in ["Bearer a2V5Og==", "Basics a2V5Og==", "Digest basic", "", "a2V5Og=="] {
        check(value, &Basic::Absent);
        assert!(!is_basic(value.as_bytes()), "{value}");
    }
    assert_eq!(user(&Head::from_pairs(&[(":method", "GET")])), Basic::Absent);
    for value in ["Basic x", "basic", "BASIC\tx", "Bearer x,Basic y", "Bearer x, \t basic y", "Basic:x"] {
        assert!(is_basic(value.as_bytes()), "{value}");
    }
}

#[test]
fn two_headers_are_malformed() {
    for other in ["Basic a2V5Og==", "Bearer x"] {
        let head = Head::from_pairs(&[("authorization", other), ("Authorization", "Basic a2V5Og==")]);
        assert_eq!(user(&head), Basic::Malformed, "{other}");
    }
    let head = Head::from_pairs(&[("authorization", "Bearer x"), ("authorization", "Bearer y")]);
    assert_eq!(user(&head), Basic::Absent);
}

#[test]
fn user_is_never_printed() {
    assert_eq!(format!("{:?}", Basic::User(b"key".to_vec())), "User(..)");
}
