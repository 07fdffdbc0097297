use proptest::prelude::*;

use super::super::bucket::{Added, BUCKET_BYTES_MAX, BUCKETS, BucketId, IndexKeys, add, find};
use super::super::{Grant, TokenHash, entry};
use crate::credentials::fetch::{Place, Remote};
use crate::values::time::Timestamp;

fn grant(district: &str, schools: usize) -> Grant {
    Grant {
        client: "app".to_owned(),
        district: district.to_owned(),
        schools: (0..schools).map(|n| format!("s{n}")).collect(),
        tier: "free".to_owned(),
        not_before: Timestamp::from_micros(7),
        not_after: Timestamp::from_micros(u64::MAX),
    }
}

fn hash(token: &str) -> TokenHash {
    TokenHash::of(token.as_bytes())
}

#[test]
fn what_was_added_is_found() {
    let mut bytes = Vec::new();
    for (token, schools) in [("a", 0), ("b", 1), ("c", 2_000)] {
        assert_eq!(add(&mut bytes, 5, &hash(token), &grant(token, schools)), Added::Done);
    }
    for (token, schools) in [("a", 0), ("b", 1), ("c", 2_000)] {
        assert_eq!(find(&bytes, 5, &hash(token)), Some(grant(token, schools)));
    }
    assert_eq!(find(&bytes, 5, &hash("d")), None, "another token");
    assert_eq!(find(&bytes, 4, &hash("a")), None, "an older build");
    assert_eq!(find(&bytes, 6, &hash("a")), None, "a newer build");
    assert_eq!(find(&[], 0, &hash("a")), None, "no bucket");
}

#[test]
fn newer_build_begins_with_an_empty_bucket_and_an_older_one_stops() {
    let mut bytes = Vec::new();
    assert_eq!(add(&mut bytes, 5, &hash("a"), &grant("a", 1)), Added::Done);
    assert_eq!(add(&mut bytes, 5, &hash("a"), &grant("b", 1)), Added::Twice);
    let before = bytes.clone();
    assert_eq!(add(&mut bytes, 4, &hash("b"), &grant("b", 1)), Added::Superseded);
    assert_eq!(bytes, before);
    assert_eq!(add(&mut bytes, 6, &hash("b"), &grant("b", 1)), Added::Done);
    assert_eq!((find(&bytes, 5, &hash("a")), find(&bytes, 6, &hash("a"))), (None, None));
    assert_eq!(find(&bytes, 6, &hash("b")), Some(grant("b", 1)));
    // what is no bucket is an empty one
    let mut bytes = vec![0xff; 40];
    assert_eq!(add(&mut bytes, 1, &hash("a"), &grant("a", 1)), Added::Done);
    assert_eq!(find(&bytes, 1, &hash("a")), Some(grant("a", 1)));
}

#[test]
fn bucket_is_bounded() {
    let (mut bytes, mut count) = (Vec::new(), 0);
    let full = loop {
        match add(&mut bytes, 1, &hash(&format!("{count}")), &grant("d", 1_000)) {
            Added::Done => count += 1,
            other => break other,
        }
        assert!(bytes.len() <= BUCKET_BYTES_MAX);
    };
    assert_eq!(full, Added::Full);
    assert!(count > 20);
}

#[test]
fn bucket_may_be_as_long_as_its_limit_and_no_longer() {
    // The same grant with schools that fill the bucket to so many bytes.
    let filled = |len: usize| {
        let mut bytes = Vec::new();
        let mut grant = grant("d", 0);
        let _ = add(&mut bytes, 1, &hash("a"), &grant);
        let mut rest = len - bytes.len();
        while rest > 0 {
            let school = rest.min(60_000);
            // two bytes are its length
            grant.schools.push("s".repeat(school - 2));
            rest -= school;
        }
        bytes.clear();
        let added = add(&mut bytes, 1, &hash("a"), &grant);
        assert_eq!(bytes.len(), len);
        added
    };
    assert_eq!(filled(BUCKET_BYTES_MAX), Added::Done);
    assert_eq!(filled(BUCKET_BYTES_MAX + 1), Added::Full);
}

#[test]
fn grant_whose_values_are_no_ids_is_none() {
    let decoded = |client: &str, district: &str, school: &str| {
        let mut bytes = Vec::new();
        let grant = Grant { client: client.to_owned(), schools: vec![school.to_owned()], ..grant(district, 0) };
        entry::encode(&grant, &mut bytes);
        entry::decode(&bytes).is_some()
    };
    assert!(decoded("app", "d", "s"));
    assert!(!decoded("a,b", "d", "s"));
    assert!(!decoded("app", "*", "s"));
    assert!(!decoded("app", "d", "*"));
}

fn remote() -> Remote {
    Remote {
        cluster: "auth".into(),
        authority: "auth.example.com".into(),
        path: "/tokens".into(),
        scheme: "https".into(),
        timeout: std::time::Duration::from_secs(2),
        refresh: std::time::Duration::from_secs(2),
        max_stale: std::time::Duration::from_secs(2),
        cooldown: std::time::Duration::from_secs(2),
    }
}

#[test]
fn keys_name_list_place_and_bucket() {
    let keys = IndexKeys::new(&remote());
    let other = IndexKeys::new(&Remote { path: "/other".into(), ..remote() });
    let id = |bytes: [u8; 32], place| BucketId::of(&TokenHash::new(bytes), place);
    let key = keys.bucket(id([0xff; 32], Place::Second));
    assert!(key.starts_with("hallpass1/t/") && key.ends_with("/1/3fff"), "{key}");
    assert_eq!(key.len(), 12 + 16 + 2 + 5);
    assert_ne!(keys.bucket(id([0; 32], Place::First)), other.bucket(id([0; 32], Place::First)));
    assert!(keys.bucket(id([0; 32], Place::First)).ends_with("/0/0000"));
    assert_ne!(keys.record, other.record);
}

#[test]
fn keys_are_as_many_as_buckets() {
    let keys = IndexKeys::new(&remote());
    let all: std::collections::HashSet<_> =
        (0..40_000_u32).map(|n| keys.bucket(BucketId::of(&hash(&n.to_string()), Place::First))).collect();
    assert!(all.len() > 14_000 && all.len() <= usize::from(BUCKETS), "{}", all.len());
}

#[test]
fn grant_is_never_half_read() {
    let mut bytes = Vec::new();
    entry::encode(&grant("d", 2), &mut bytes);
    assert_eq!(entry::decode(&bytes), Some(grant("d", 2)));
    // the ends of the two schools are ends of a grant with fewer
    let ends = [bytes.len() - 8, bytes.len() - 4, bytes.len()];
    for len in 0..bytes.len() {
        assert_eq!(entry::decode(&bytes[..len]).is_some(), ends.contains(&len), "{len}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_bucket(bytes in prop::collection::vec(any::<u8>(), 0..400), build in any::<u64>()) {
        let _ = find(&bytes, build, &hash("a"));
        let mut bytes = bytes;
        let _ = add(&mut bytes, build, &hash("a"), &grant("a", 3));
        let _ = entry::decode(&bytes);
    }

    #[test]
    fn broken_bucket_never_opens_what_was_not_granted(at in 0_usize..200, to in any::<u8>(), len in 0_usize..200) {
        let mut bytes = Vec::new();
        add(&mut bytes, 1, &hash("a"), &grant("a", 1));
        add(&mut bytes, 1, &hash("b"), &grant("b", 1));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        bytes.truncate(len.max(1));
        prop_assert_eq!(find(&bytes, 1, &hash("c")), None);
    }
}
