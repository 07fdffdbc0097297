//! The built filter on hosts of our own: what requests cost, and that no host makes it trap or let something pass.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};

use wasm_host::breach::EXCEPTIONS;
use wasm_host::corpus::{ACME, Policy, SECRET, education_token, signature, student_token};
use wasm_host::cost;
use wasm_host::drive::{Drive, good_answer};
use wasm_host::flat;
use wasm_host::fuzz::{self, Tally};
use wasm_host::host::{Host, Pairs, RELEASES_MAX, pairs};
use wasm_host::rng::Rng;
use wasm_host::soak;
use wasm_host::vm::Code;

/// Seeds below this are played. What others find is a test of its own, as those at the end of this file.
const SEEDS: u64 = 200;

#[test]
fn requests_cost_what_is_written_down() {
    let code = Code::load();
    let costs = cost::measure(&code);
    println!("{}", cost::table(&costs));
    let text =
        std::fs::read_to_string(cost::file()).unwrap_or_else(|error| panic!("{error}; make it: {}", cost::BLESS));
    let expected = serde_json::from_str(&text).expect("cost.json is JSON");
    let lines = cost::differences(&code, &costs, &expected);
    let (lines, table) = (lines.join("\n  "), cost::table(&costs));
    assert!(
        lines.is_empty(),
        "\n{table}\n  {lines}\n\nIf that is meant, better or worse, run this and commit tests/wasm-host/cost.json:\n  {}\n",
        cost::BLESS
    );
}

#[test]
fn measuring_twice_gives_the_same() {
    let code = Code::load();
    assert_eq!(cost::to_json(&code, &cost::measure(&code)), cost::to_json(&code, &cost::measure(&code)));
}

/// The promise is 1.3 in Envoy; here most things may cost nothing at all.
#[test]
fn requests_cost_the_same_however_many_there_are() {
    let growths = flat::measure(&Code::load(), false);
    println!("{}", flat::table(&growths));
    let wrong: Vec<_> = growths.iter().filter(|it| it.ratio() > it.bound).map(|it| it.what).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{}", flat::table(&growths));
}

#[test]
fn hostile_hosts_neither_trap_it_nor_get_past_it() {
    let code = Code::load();
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        fuzz::run(&code, seed, &mut tally).unwrap_or_else(|finding| panic!("{finding}"));
    }
    println!("{tally:?}");
    // Otherwise the hosts are so hostile that nothing is tried.
    assert!(
        tally.passes > tally.cases && tally.replies > tally.cases && tally.call_outs > tally.cases / 4,
        "{tally:?}"
    );
}

#[test]
fn memory_does_not_grow_with_requests() {
    check_memory(3000);
}

/// As many as `scripts/soak` sends to a real Envoy would take hours in an interpreter.
#[test]
#[ignore = "minutes"]
fn memory_does_not_grow_with_a_hundred_thousand_requests() {
    check_memory(100_000);
}

#[track_caller]
fn check_memory(requests: usize) {
    let code = Code::load();
    let sizes = soak::run(&code, requests, 1).unwrap_or_else(|finding| panic!("{finding}"));
    println!("bytes of memory after each tenth: {sizes:?}");
    // The host lies now and then with up to two megabytes, of which the first make room for the others.
    let (first, last) = (sizes[sizes.len() / 2], sizes[sizes.len() - 1]);
    assert!(last <= first + (1 << 20), "{sizes:?}");
}

#[test]
fn each_exception_traps_as_it_is_said_to() {
    let code = Code::load();
    for &(breach, reason) in EXCEPTIONS {
        let trap = breach.commit(&mut education(&code)).err();
        assert!(trap.is_some(), "{breach:?} ({reason}) does no harm any more: take it out of EXCEPTIONS");
        println!("{breach:?}: {}", trap.unwrap_or_default());
    }
    // The twin: the same worker, without a breach.
    let mut drive = education(&code);
    let root = drive.roots[0];
    let stream = drive.open(root).expect("no trap");
    drive.delete(stream).expect("no trap");
}

/// A worker that was never configured answers the head and says no more.
#[test]
fn unconfigured_worker_replies_once() {
    let code = Code::load();
    let mut drive = start(&code, b"{");
    let root = drive.root(0).expect("no trap");
    let stream = drive.open(root).expect("no trap");
    drive.head(stream, get("/healthz"), false).expect("no trap");
    drive.body(stream, b"x", false).expect("no trap");
    drive.body(stream, b"x", true).expect("no trap");
    assert_eq!((drive.stream(stream).replies, drive.stream(stream).passed), (1, false));
    assert_eq!(drive.vm.host().violations, Vec::<String>::new());
}

/// A host that will not have it removed is no reason to hold the response back.
#[test]
fn cost_in_trailers_of_a_response_is_removed() {
    let code = Code::load();
    for (path, is_refused) in [("/healthz", false), ("/nowhere", false), ("/healthz", true)] {
        let mut drive = education(&code);
        let root = drive.roots[0];
        let stream = drive.open(root).expect("no trap");
        drive.head(stream, get(path), true).expect("no trap");
        drive.respond(stream, "200").expect("no trap");
        if is_refused {
            drive.vm.host_mut().chaos.force("proxy_remove_header_map_value", 2);
        }
        drive.end_response(stream).expect("no trap");
        let left: Vec<_> = drive.stream(stream).response_trailers.iter().map(|(name, _)| name.clone()).collect();
        let expected: &[&[u8]] = if is_refused { &[b"grpc-status", b"x-actual-cost"] } else { &[b"grpc-status"] };
        assert_eq!(left, expected, "{path}, refused: {is_refused}");
        assert_eq!(drive.vm.host().violations, Vec::<String>::new());
    }
}

/// The clock fails at a second head of a request that went on.
#[test]
fn request_that_went_on_is_not_answered() {
    let code = Code::load();
    let mut drive = education(&code);
    let root = drive.roots[0];
    let stream = drive.open(root).expect("no trap");
    drive.head(stream, get("/healthz"), false).expect("no trap");
    assert!(drive.stream(stream).passed);
    drive.vm.host_mut().chaos.force("proxy_get_current_time_nanoseconds", 10);
    drive.head(stream, get("/healthz"), false).expect("no trap");
    assert_eq!(drive.stream(stream).replies, 0);
    assert_eq!(drive.vm.host().violations, Vec::<String>::new());
}

/// The first reply is refused by the host, the plain one that follows is not.
#[test]
fn reply_that_failed_is_followed_by_one_more() {
    let code = Code::load();
    let mut drive = education(&code);
    let root = drive.roots[0];
    let stream = drive.open(root).expect("no trap");
    drive.vm.host_mut().chaos.force("proxy_send_local_response", 10);
    drive.head(stream, get("/nowhere"), true).expect("no trap");
    assert_eq!((drive.stream(stream).replies, drive.stream(stream).closed), (0, true));
}

/// Envoy nests what one callback releases.
#[test]
fn callback_releases_no_more_than_the_stack_holds() {
    const WAITING: usize = 3 * RELEASES_MAX + 1;
    let code = Code::load();
    let mut drive = education(&code);
    let root = drive.roots[0];
    let token = education_token("app-1");
    drive.vm.host_mut().signed = [signature(&token)].into();
    let streams: Vec<u32> = (0..WAITING).map(|_| drive.open(root).expect("no trap")).collect();
    for (nth, stream) in streams.iter().enumerate() {
        let text = format!("Bearer {}", token.text);
        // Some go on, the others are answered.
        let path = if nth % 2 == 0 { "/stats/v1/schools" } else { "/stats/v1/attendance/summary?school_id=elsewhere" };
        let head = [get(path), pairs(&[("authorization", &text)])].concat();
        drive.head(*stream, head, true).expect("no trap");
    }
    let released = |drive: &Drive<'_>| {
        let all = streams.iter().map(|stream| drive.stream(*stream));
        all.filter(|stream| stream.passed || stream.replies > 0).count()
    };
    assert_eq!(released(&drive), 0);
    drive.callback("proxy_on_tick", &[root]).expect("no trap");
    let path = drive.vm.host().call_outs[0].path.clone();
    drive.answer(0, good_answer(&path)).expect("no trap");
    for nth in 1..=4 {
        assert_eq!(released(&drive), WAITING.min(nth * RELEASES_MAX));
        drive.callback("proxy_on_tick", &[root]).expect("no trap");
    }
    assert_eq!(drive.vm.host().violations, Vec::<String>::new());
}

/// Its client may leave before the verdict, and what was charged stays.
#[test]
fn log_knows_a_request_that_is_held_and_each_fact_is_told_once() {
    let code = Code::load();
    let mut drive = start(&code, &Policy::of(1).config);
    let root = drive.root(1).expect("no trap");
    drive.fetch_all(root).expect("no trap");
    let stream = drive.open(root).expect("no trap");
    let token = format!("Bearer {}", student_token("one").text);
    let own = [(":method", "POST"), (":path", "/v1/students"), (":authority", "api"), (":scheme", "https")];
    let shown = [("x-api-key", ACME), ("authorization", &token), ("content-type", "application/json")];
    drive.head(stream, pairs(&[&own[..], &shown].concat()), false).expect("no trap");
    let known = ["tier", "client", "route", "key"].map(|name| format!("hallpass.{name}"));
    assert_eq!(drive.stream(stream).facts, known);
    drive.body(stream, br#"{"districtlea":"#, false).expect("no trap");
    assert_eq!((&drive.stream(stream).facts[..], drive.stream(stream).decisions.len()), (&known[..], 0));
    drive.body(stream, br#""1503000"}"#, true).expect("no trap");
    assert!(drive.stream(stream).passed);
    assert_eq!(drive.stream(stream).facts, [&known[..], &["hallpass.cost".to_owned()]].concat());
    assert_eq!(drive.stream(stream).decisions, [b"allow"]);
    assert_eq!(drive.vm.host().violations, Vec::<String>::new());
}

/// All workers of a `vm_id` find a client's budget in the same slot, though each makes other random numbers.
#[test]
fn workers_share_budgets_whatever_the_secret_of_the_slots_is() {
    let code = Code::load();
    let token = education_token("app-1");
    // What was made, and what a stranger of the `vm_id` put there.
    for spoilt in [None, Some(&b""[..]), Some(b"short")] {
        let mut shared = BTreeMap::new();
        shared.extend(spoilt.map(|value| (b"hallpass1/secret".to_vec(), (value.to_vec(), 1))));
        let mut keys = BTreeSet::new();
        for worker in 1..=2 {
            let mut drive = start(&code, &Policy::of(0).config);
            let host = drive.vm.host_mut();
            (host.shared, host.randomness) = (shared, Rng::new(worker));
            host.signed = [signature(&token)].into();
            let root = drive.root(0).expect("no trap");
            drive.fetch_all(root).expect("keys are fetched");
            let bearer = format!("Bearer {}", token.text);
            let head = [get("/stats/v1/schools"), pairs(&[("authorization", &bearer)])].concat();
            drive.request(root, head, b"").expect("no trap");
            shared = std::mem::take(&mut drive.vm.host_mut().shared);
            keys.extend(shared.keys().filter(|key| key.starts_with(b"hallpass2/c/")).cloned());
        }
        assert_eq!(keys.len(), 1, "{spoilt:?}");
    }
}

fn education(code: &Code) -> Drive<'_> {
    let mut drive = start(code, &Policy::of(0).config);
    drive.root(0).expect("no trap");
    drive
}

fn start<'c>(code: &'c Code, config: &[u8]) -> Drive<'c> {
    let mut host = Host::new(config.to_vec());
    host.environment = vec![format!("PJWT_SECRET={SECRET}").into_bytes()];
    Drive::start(code, host, Rng::new(0)).expect("the module starts")
}

fn get(path: &str) -> Pairs {
    pairs(&[(":method", "GET"), (":path", path), (":authority", "api"), (":scheme", "https")])
}
