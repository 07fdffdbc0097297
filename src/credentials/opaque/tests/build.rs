//! Builds, one alone and two at once, against the promise that a token is found if and only if the current list has it.

use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

use super::super::bucket::IndexKeys;
use super::super::build::{BuildError, Builder, Progress};
use super::super::lookup::{Found, Lookup, find};
use super::super::testing::{Shelf, entry, finish, list};
use super::super::{TOKENS_BYTES_MAX, TokenHash};
use crate::credentials::fetch::{Action, Fetched, Record, Remote};
use crate::values::shared::StoreError;
use crate::values::shared::testing::Failing;
use crate::values::time::Timestamp;

fn remote() -> Remote {
    Remote {
        cluster: "auth".into(),
        authority: "auth.example.com".into(),
        path: "/tokens".into(),
        scheme: "https".into(),
        timeout: Duration::from_secs(2),
        refresh: Duration::from_secs(10),
        max_stale: Duration::from_hours(1),
        cooldown: Duration::from_secs(1),
    }
}

fn keys() -> IndexKeys {
    IndexKeys::new(&remote())
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn entries(tokens: &[&str]) -> Vec<Value> {
    tokens.iter().map(|token| entry(token)).collect()
}

/// Claims a fetch, as a worker does on a tick.
#[track_caller]
fn claim(shelf: &mut Shelf, now: Timestamp) -> Record {
    let Action::Claim(record) = shelf.record.on_tick(&remote(), Some(now), now) else { panic!("no claim at {now:?}") };
    shelf.record = record;
    record
}

/// Records that a build succeeded; says whether its claim still counted.
fn record(shelf: &mut Shelf, claim: &Record, built: super::super::build::Built, now: Timestamp) -> bool {
    let fetched = Fetched { generation: built.generation, version: built.version, max_age: None };
    match shelf.record.on_success(&remote(), claim.started, fetched, now) {
        Some(next) => {
            shelf.record = next;
            true
        }
        None => false,
    }
}

/// Fetches this list and builds it.
#[track_caller]
fn fetch(shelf: &mut Shelf, text: &str, now: Timestamp) -> usize {
    let claim = claim(shelf, now);
    let mut builder = Builder::new(text.as_bytes().to_vec(), &claim).unwrap();
    let built = finish(&mut builder, shelf, &keys()).unwrap();
    assert!(record(shelf, &claim, built, now));
    built.tokens
}

/// Looks a token up as a worker does that knows `known`.
fn look(shelf: &mut Shelf, known: &Record, token: &str) -> Found {
    let document = known.document.unwrap();
    find(shelf, &keys(), &Lookup { hash: TokenHash::of(token.as_bytes()), issuer: 0, document }).unwrap()
}

#[track_caller]
fn has(shelf: &mut Shelf, tokens: &[&str], not: &[&str]) {
    let known = shelf.record;
    for token in tokens {
        let grant = look(shelf, &known, token).grant.unwrap_or_else(|| panic!("{token} is missing"));
        assert_eq!(grant.district, format!("d-{token}"));
    }
    for token in not {
        assert_eq!(look(shelf, &known, token).grant, None, "{token}");
    }
}

#[test]
fn token_is_found_as_long_as_the_list_has_it() {
    let mut shelf = Shelf::default();
    assert_eq!(fetch(&mut shelf, &list(1, &entries(&["a", "b"])), at(100)), 2);
    has(&mut shelf, &["a", "b"], &["c"]);
    fetch(&mut shelf, &list(2, &entries(&["b", "c"])), at(200));
    has(&mut shelf, &["b", "c"], &["a"]);
    fetch(&mut shelf, &list(3, &entries(&["a"])), at(300));
    has(&mut shelf, &["a"], &["b", "c"]);
    fetch(&mut shelf, &list(4, &[]), at(400));
    has(&mut shelf, &[], &["a", "b", "c"]);
}

#[test]
fn list_that_did_not_change_is_not_built_again() {
    let mut shelf = Shelf::default();
    let text = list(1, &entries(&["a", "b"]));
    fetch(&mut shelf, &text, at(100));
    let (before, built) = (shelf.buckets.clone(), shelf.record.document.unwrap());
    assert_eq!(fetch(&mut shelf, &text, at(200)), 0);
    assert_eq!(shelf.buckets, before);
    let document = shelf.record.document.unwrap();
    assert_eq!((document.build, document.place, document.version), (built.build, built.place, 1));
    assert_eq!(document.started, at(200), "but it is known to be current");
    has(&mut shelf, &["a", "b"], &[]);
}

#[test]
fn worker_that_knows_the_list_before_finds_new_tokens_at_once() {
    let mut shelf = Shelf::default();
    fetch(&mut shelf, &list(1, &entries(&["a"])), at(100));
    let known = shelf.record;
    fetch(&mut shelf, &list(2, &entries(&["b"])), at(200));
    let found = look(&mut shelf, &known, "b");
    assert!(found.grant.is_some());
    assert_eq!(found.record, Some(shelf.record));
    // and two lists later, when its place is that of another list
    fetch(&mut shelf, &list(3, &entries(&["c"])), at(300));
    assert!(look(&mut shelf, &known, "c").grant.is_some());
}

#[test]
fn bad_list_changes_nothing() {
    let mut shelf = Shelf::default();
    fetch(&mut shelf, &list(1, &entries(&["a", "b"])), at(100));
    let good = shelf.record;
    let twice = list(2, &entries(&["c", "d", "c"]));
    let torn = list(2, &entries(&["c", "d"]));
    let torn = torn.strip_suffix('}').unwrap();
    for (nth, text) in (0..).zip([twice.as_str(), torn, "<html>", "", "{}"]) {
        shelf.record = good;
        let now = at(200 + nth);
        let claim = claim(&mut shelf, now);
        let mut builder = Builder::new(text.as_bytes().to_vec(), &claim).unwrap();
        let error = finish(&mut builder, &mut shelf, &keys()).expect_err(text);
        assert!(matches!(error, BuildError::List(_)), "{error:?}");
        shelf.record = shelf.record.on_failure(&remote(), claim.started, now).unwrap();
        has(&mut shelf, &["a", "b"], &["c", "d"]);
    }
}

#[test]
fn shared_data_that_fails_fails_the_build_and_the_lookup() {
    let mut shelf = Shelf::default();
    fetch(&mut shelf, &list(1, &entries(&["a"])), at(100));
    let claim = claim(&mut shelf, at(200));
    for calls in 0..4 {
        let mut broken = Shelf { failing: Failing { after: Some(calls) }, ..shelf.clone() };
        let mut builder = Builder::new(list(2, &entries(&["b", "c"])).into_bytes(), &claim).unwrap();
        assert_eq!(finish(&mut builder, &mut broken, &keys()), Err(BuildError::Store(StoreError::Host)), "{calls}");
    }
    for calls in 0..2 {
        let mut broken = Shelf { failing: Failing { after: Some(calls) }, ..shelf.clone() };
        let lookup = Lookup { hash: TokenHash::of(b"x"), issuer: 0, document: shelf.record.document.unwrap() };
        assert_eq!(find(&mut broken, &keys(), &lookup), Err(StoreError::Host), "{calls}");
    }
    // a race that is lost once is tried again
    let mut racing = Shelf { losses: 3, ..shelf.clone() };
    let mut builder = Builder::new(list(2, &entries(&["b", "c"])).into_bytes(), &claim).unwrap();
    assert!(finish(&mut builder, &mut racing, &keys()).is_ok());
    let mut racing = Shelf { losses: usize::MAX, ..shelf };
    let mut builder = Builder::new(list(2, &entries(&["b", "c"])).into_bytes(), &claim).unwrap();
    assert_eq!(finish(&mut builder, &mut racing, &keys()), Err(BuildError::Store(StoreError::Contended)));
}

#[test]
fn lost_record_does_not_revive_what_was_built_before() {
    let mut shelf = Shelf::default();
    fetch(&mut shelf, &list(1, &entries(&["a"])), at(100));
    // as after an update of the module that reads records of another version only
    shelf.record = Record::default();
    fetch(&mut shelf, &list(2, &entries(&["b"])), at(200));
    has(&mut shelf, &["b"], &["a"]);
}

/// Entries that are long: some twelve bytes for each school.
fn long_entries(count: usize, schools: usize) -> Vec<Value> {
    let long = |nth: usize| {
        let mut entry = entry(&nth.to_string());
        entry["schools"] = (0..schools).map(|n| format!("school-{n}")).collect();
        entry
    };
    (0..count).map(long).collect()
}

#[test]
fn list_that_differs_at_its_end_is_another_one() {
    let mut shelf = Shelf::default();
    let mut many = long_entries(20, 400);
    let text = list(1, &many);
    assert!(text.len() > 80_000);
    assert_eq!(fetch(&mut shelf, &text, at(100)), 20);
    assert_eq!(fetch(&mut shelf, &text, at(200)), 0);
    many.pop();
    many.push(entry("x"));
    assert_eq!(fetch(&mut shelf, &list(1, &many), at(300)), 20);
    has(&mut shelf, &["x"], &["19"]);
}

/// How many calls read a list of these entries, and the most entries that one of them reads.
fn work(many: &[Value]) -> (usize, usize) {
    let mut shelf = Shelf::default();
    let claim = claim(&mut shelf, at(100));
    let mut builder = Builder::new(list(1, many).into_bytes(), &claim).unwrap();
    let (mut calls, mut most, mut before) = (0, 0, 0);
    while builder.advance(&mut shelf, &keys()).unwrap() == Progress::Working {
        let swaps = shelf.buckets.writes as usize;
        most = most.max(swaps - before);
        before = swaps;
        calls += 1;
    }
    (calls, most)
}

#[test]
fn many_short_entries_are_one_piece_of_work_and_few_long_ones() {
    let (calls, most) = work(&long_entries(100, 1));
    assert!((6..=8).contains(&most) && (100 / most..=100 / 6).contains(&calls), "{calls} calls, {most} at most");
    // 50 kB as JSON, 30 kB in a bucket
    let (calls, most) = work(&long_entries(10, 3_500));
    assert!(most == 1 && calls >= 10, "{calls} calls, {most} at most");
}

#[test]
fn builder_shows_no_list_and_its_errors_have_texts() {
    let shown = format!("{:?}", Builder::new(list(1, &entries(&["a"])).into_bytes(), &Record::default()).unwrap());
    assert!(shown.starts_with("Builder") && !shown.contains("d-a"), "{shown}");
    assert_eq!(BuildError::Superseded.to_string(), "another worker has begun anew");
    assert_eq!(BuildError::Store(StoreError::Host).to_string(), "the host refused access to shared data");
}

#[test]
fn list_may_be_as_long_as_its_limit_and_no_longer() {
    let of = |len| Builder::new(vec![b' '; len], &Record::default()).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(of(TOKENS_BYTES_MAX), Ok(()));
    assert_eq!(of(TOKENS_BYTES_MAX + 1), Err("list is too long (expected at most 33554432 bytes)".to_owned()));
}

#[test]
fn each_piece_of_work_is_small() {
    let mut shelf = Shelf::default();
    let many: Vec<Value> = (0..3_000).map(|n| entry(&n.to_string())).collect();
    let claim = claim(&mut shelf, at(100));
    let mut builder = Builder::new(list(1, &many).into_bytes(), &claim).unwrap();
    let (mut calls, mut before) = (0, 0);
    while builder.advance(&mut shelf, &keys()).unwrap() == Progress::Working {
        let swaps = shelf.buckets.writes;
        assert!(swaps - before <= 16, "{}", swaps - before);
        before = swaps;
        calls += 1;
    }
    assert!(calls > 3_000 / 16);
}

/// What two builders do, one after the other.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// The first one works.
    First,
    /// The second one works.
    Second,
    /// Time passes until the claim of whoever is silent counts as abandoned, and the other one begins.
    Begin(bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => Just(Act::First),
        6 => Just(Act::Second),
        1 => any::<bool>().prop_map(Act::Begin),
    ];
    prop::collection::vec(act, 0..120)
}

proptest! {
    /// Two workers that build the same place, each of which may fall asleep at any point and wake up: what is found is always
    /// exactly the list of the record.
    #[test]
    fn two_builders_never_mix_their_lists(acts in acts()) {
        let tokens: Vec<String> = (0..60).map(|n| n.to_string()).collect();
        let name = |n: usize| tokens[n % 60].as_str();
        let mut shelf = Shelf::default();
        let mut current: Vec<&str> = vec![name(0), name(1)];
        fetch(&mut shelf, &list(1, &entries(&current)), at(100));
        let (mut now, mut version) = (at(1_000), 1);
        let mut builders: [Option<(Builder, Record, Vec<&str>)>; 2] = [None, None];
        for (nth, act) in acts.into_iter().enumerate() {
            let slot = match act {
                Act::First => 0,
                Act::Second => 1,
                Act::Begin(second) => {
                    now = now.after(Duration::from_mins(1));
                    version += 1;
                    let claim = claim(&mut shelf, now);
                    let list_of: Vec<&str> = (0..40).map(|n| name(n * 7 + nth)).collect();
                    let list_of: Vec<&str> =
                        list_of.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
                    let text = list(version, &entries(&list_of));
                    let builder = Builder::new(text.into_bytes(), &claim).unwrap();
                    builders[usize::from(second)] = Some((builder, claim, list_of));
                    continue;
                }
            };
            let Some((builder, claim, list_of)) = &mut builders[slot] else { continue };
            match builder.advance(&mut shelf, &keys()) {
                Ok(Progress::Working) => {
                    if let Some(alive) = shelf.record.on_progress(claim.started, now) {
                        shelf.record = alive;
                    }
                }
                Ok(Progress::Done(built)) => {
                    let (claim, list_of) = (*claim, std::mem::take(list_of));
                    builders[slot] = None;
                    if record(&mut shelf, &claim, built, now) {
                        current = list_of;
                    }
                }
                Err(error) => {
                    prop_assert_eq!(error, BuildError::Superseded);
                    builders[slot] = None;
                }
            }
            let known = shelf.record;
            for token in &tokens {
                let found = look(&mut shelf, &known, token).grant.is_some();
                prop_assert_eq!(found, current.contains(&token.as_str()), "{}", token);
            }
        }
    }
}
