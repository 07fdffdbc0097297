#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::rc::Rc;

use proptest::prelude::*;

use super::{AsIs, BadSignatures, ENTRY_OVERHEAD_BYTES, Entry, Fingerprint, Fingerprinter, TokenCache};
use crate::values::time::Timestamp;

const SEED: u64 = 0x5eed;
const NOW: Timestamp = Timestamp::from_secs(15);

fn entry(value: u32) -> Entry<u32> {
    Entry {
        value: Rc::new(value),
        issuer: 0,
        generation: 1,
        not_before: Timestamp::from_secs(10),
        not_after: Timestamp::from_secs(20),
    }
}

fn cache(count_max: usize, bytes_max: usize) -> TokenCache<u32> {
    TokenCache::new(count_max, bytes_max)
}

fn print(token: &[u8]) -> Fingerprint {
    Fingerprinter::new(SEED).of(token)
}

fn get(cache: &mut TokenCache<u32>, token: &[u8]) -> Option<u32> {
    cache.get(print(token), token, NOW, |_| Some(1)).map(|value| *value)
}

#[test]
fn whole_token_is_compared() {
    let mut cache = cache(10, 10_000);
    cache.insert(print(b"token-a"), b"token-a", entry(1), 0);
    cache.insert(print(b"token-b"), b"token-b", entry(2), 0);
    assert_eq!(get(&mut cache, b"token-a"), Some(1));
    assert_eq!(get(&mut cache, b"token-b"), Some(2));
    for token in [&b""[..], b"token-", b"token-A", b"token-aa", b"token-a\0"] {
        assert_eq!(get(&mut cache, token), None);
    }
}

#[test]
fn two_tokens_with_one_fingerprint_are_two() {
    let mut cache = cache(10, 10_000);
    let get = |cache: &mut TokenCache<u32>, token: &[u8]| cache.get(Fingerprint(7), token, NOW, |_| Some(1));
    cache.insert(Fingerprint(7), b"token-a", entry(1), 0);
    assert_eq!(get(&mut cache, b"token-b"), None);
    assert_eq!(get(&mut cache, b"token-a").as_deref(), Some(&1));
    // The later one stays.
    cache.insert(Fingerprint(7), b"token-b", entry(2), 0);
    assert_eq!((get(&mut cache, b"token-a"), get(&mut cache, b"token-b").as_deref()), (None, Some(&2)));
    assert_eq!(cache.len(), 1);
}

#[test]
fn fingerprint_tells_the_length_and_the_end() {
    let long = [b'a'; 1_000];
    let changed = |at: usize| {
        let mut other = long;
        other[at] = b'b';
        print(&other)
    };
    // the signature
    assert!((872..1_000).all(|at| changed(at) != print(&long)));
    // what it signs
    assert!((0..872).all(|at| changed(at) == print(&long)));
    // a short one is all of it
    for len in [0, 1, 127, 128, 129, 999] {
        assert_ne!(print(&long[..len]), print(&long[..=len]), "{len}");
    }
    assert_ne!(print(b"ab"), print(b"bb"));
}

#[test]
fn bad_token_of_a_good_ones_fingerprint_drives_nothing_out() {
    let (good, mut forged) = (vec![b'a'; 1_000], vec![b'a'; 1_000]);
    forged[0] = b'b';
    assert_eq!(print(&good), print(&forged));
    let (mut cache, mut bad) = (cache(10, 10_000), BadSignatures::new(2, 10_000));
    cache.insert(print(&good), &good, entry(1), 0);
    assert_eq!(get(&mut cache, &forged), None);
    bad.insert(print(&forged), &forged, 0, 1);
    assert_eq!((get(&mut cache, &good), get(&mut cache, &forged)), (Some(1), None));
    // Nor does the good one count as bad.
    assert!(bad.issuer_of(print(&good), &good, |_| Some(1)).is_none());
    assert!(bad.issuer_of(print(&forged), &forged, |_| Some(1)).is_some());
    // Any number of them takes the place of one.
    for at in 1..800 {
        forged[at] = b'b';
        bad.insert(print(&forged), &forged, 0, 1);
    }
    assert_eq!(bad.len(), 1);
}

#[test]
fn hit_is_checked_against_the_time() {
    for (secs, expected) in [(0, None), (9, None), (10, Some(1)), (19, Some(1)), (20, None), (u64::MAX, None)] {
        let mut cache = cache(10, 10_000);
        cache.insert(print(b"token"), b"token", entry(1), 0);
        let hit = cache.get(print(b"token"), b"token", Timestamp::from_secs(secs), |_| Some(1)).map(|value| *value);
        assert_eq!(hit, expected, "{secs}");
        assert_eq!(cache.is_empty(), expected.is_none(), "{secs}");
        assert_eq!(cache.bytes() == 0, expected.is_none(), "{secs}");
    }
}

#[test]
fn hit_is_checked_against_the_keys_of_its_issuer() {
    let mut cache = cache(10, 10_000);
    cache.insert(print(b"token"), b"token", Entry { issuer: 3, ..entry(1) }, 0);
    // Another issuer's keys do not matter.
    assert!(cache.get(print(b"token"), b"token", NOW, |issuer| Some(u64::from(issuer == 3))).is_some());
    assert!(cache.get(print(b"token"), b"token", NOW, |issuer| Some(if issuer == 3 { 2 } else { 1 })).is_none());
    // It is gone, also if the generation came back.
    assert_eq!(get(&mut cache, b"token"), None);
}

#[test]
fn least_recently_used_goes_first() {
    let mut cache = cache(2, 10_000);
    cache.insert(print(b"a"), b"a", entry(1), 0);
    cache.insert(print(b"b"), b"b", entry(2), 0);
    assert_eq!(get(&mut cache, b"a"), Some(1));
    cache.insert(print(b"c"), b"c", entry(3), 0);
    assert_eq!((get(&mut cache, b"a"), get(&mut cache, b"b"), get(&mut cache, b"c")), (Some(1), None, Some(3)));
    assert_eq!(cache.len(), 2);
}

#[test]
fn bytes_are_bounded() {
    let of_one = ENTRY_OVERHEAD_BYTES + 1 + 100;
    let mut cache = cache(1000, of_one * 2);
    for token in [b"a", b"b", b"c"] {
        cache.insert(print(token), token, entry(1), 100);
    }
    assert_eq!((cache.len(), cache.bytes()), (2, of_one * 2));
    // One that fills all of it fits.
    let mut full = TokenCache::new(1000, of_one);
    full.insert(print(b"a"), b"a", entry(1), 100);
    assert_eq!((full.bytes(), get(&mut full, b"a")), (of_one, Some(1)));
    // The same token again counts once.
    cache.insert(print(b"c"), b"c", entry(2), 100);
    assert_eq!((cache.len(), cache.bytes(), get(&mut cache, b"c")), (2, of_one * 2, Some(2)));
    // What never fits drives nothing out.
    cache.insert(print(b"d"), b"d", entry(1), of_one * 2);
    cache.insert(print(b"d"), b"d", entry(1), usize::MAX);
    assert_eq!((cache.len(), get(&mut cache, b"d")), (2, None));
}

#[test]
fn table_shows_its_size_and_no_token() {
    let mut cache = cache(10, 10_000);
    cache.insert(print(b"canary"), b"canary", entry(1), 100);
    let (shown, bytes) = (format!("{cache:?}"), cache.bytes().to_string());
    assert!(shown.contains(&bytes) && !shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
}

#[test]
fn cache_of_size_zero_keeps_nothing() {
    for (count_max, bytes_max) in [(0, 1000), (1000, 0)] {
        let mut cache = cache(count_max, bytes_max);
        cache.insert(print(b"a"), b"a", entry(1), 0);
        assert_eq!((cache.len(), cache.bytes(), get(&mut cache, b"a")), (0, 0, None));
    }
}

#[test]
fn bad_signature_is_forgotten_with_the_keys() {
    let mut bad = BadSignatures::new(2, 10_000);
    bad.insert(print(b"a"), b"a", 0, 1);
    assert!(!bad.is_empty() && bad.issuer_of(print(b"a"), b"a", |_| Some(1)).is_some());
    assert!(bad.issuer_of(print(b"b"), b"b", |_| Some(1)).is_none());
    assert!(bad.issuer_of(print(b"a"), b"a", |_| Some(2)).is_none());
    assert!(bad.is_empty());
    for token in [b"a", b"b", b"c"] {
        bad.insert(print(token), token, 0, 1);
    }
    assert_eq!(bad.len(), 2);
    assert!(
        bad.issuer_of(print(b"a"), b"a", |_| Some(1)).is_none()
            && bad.issuer_of(print(b"c"), b"c", |_| Some(1)).is_some()
    );
}

#[test]
fn tokens_do_not_show() {
    let mut cache = cache(2, 10_000);
    cache.insert(print(b"canary-7781"), b"canary-7781", entry(1), 0);
    assert!(!format!("{cache:?}").contains("canary"));
}

proptest! {
    #[test]
    fn bounds_hold_whatever_is_done(steps in proptest::collection::vec((0_u8..12, 0_usize..400, any::<bool>()), 0..200)) {
        let mut cache = cache(5, 1000);
        for (token, bytes, is_insert) in steps {
            if is_insert {
                cache.insert(print(&[token]), &[token], entry(u32::from(token)), bytes);
            } else if let Some(value) = get(&mut cache, &[token]) {
                prop_assert_eq!(value, u32::from(token));
            }
            prop_assert!(cache.len() <= 5 && cache.bytes() <= 1000);
            prop_assert_eq!(cache.bytes() == 0, cache.is_empty());
        }
    }
}

#[test]
fn fingerprint_is_its_own_hash() {
    let build = BuildHasherDefault::<AsIs>::default();
    for print in [0, 7, u64::MAX] {
        assert_eq!(build.hash_one(print), print);
    }
    // Of anything else all bytes count, each with the one eight before it.
    for (bytes, expected) in [(&[1, 2][..], 0x0102), (&[1; 8], 0x0101_0101_0101_0101), (&[1; 9], 0x0101_0101_0101_0100)]
    {
        let mut hasher = build.build_hasher();
        hasher.write(bytes);
        assert_eq!(hasher.finish(), expected, "{bytes:?}");
    }
}

#[test]
fn seed_is_shown_nowhere() {
    assert_eq!(format!("{:?}", Fingerprinter::new(SEED)), "Fingerprinter(..)");
}
