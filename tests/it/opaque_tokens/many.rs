//! As many opaque tokens as a list may have: usable on every worker, from one index, without a long pause.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::race;
use crate::support::opaque_tokens::{list, many, remote, with_token};
use crate::support::policy::start_remote;
use crate::support::{Answer, Gateway, wait_for, wait_until};

const TOKENS: usize = 100_000;

/// What the filter says of the index that it has made: tokens, microseconds of the copy, slices, microseconds
/// of the longest slice, milliseconds in all.
fn reports(gateway: &Gateway) -> Vec<[u64; 5]> {
    let log = gateway.log();
    let lines = log.lines().filter_map(|line| line.split_once("tokens: ")?.1.strip_suffix(" ms in all"));
    let numbers = |line: &str| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers.try_into().expect("five numbers")
    };
    lines.map(numbers).collect()
}

/// The report on the index of so many tokens.
fn report(gateway: &Gateway, tokens: usize) -> [u64; 5] {
    let tokens = u64::try_from(tokens).expect("a number");
    wait_for("the index", Duration::from_mins(1), || reports(gateway).into_iter().find(|found| found[0] == tokens))
}

/// Whether Envoy's main thread has made every index that had tokens: it serves no requests, so that nobody waits for it.
fn expect_main_thread(gateway: &Gateway) {
    let main = format!("][{}][debug]", gateway.process_id());
    let log = gateway.log();
    let made = log.lines().filter(|line| line.contains("tokens, copied in") && !line.contains("tokens: 0 "));
    assert!(
        made.clone().count() > 0 && made.clone().all(|line| line.contains(&main)),
        "{:?}",
        made.collect::<Vec<_>>()
    );
}

#[test]
fn hundred_thousand_tokens_work_on_every_worker() {
    let (lists, upstream, gateway) = start_remote(&list(1, &[]), policy(), 2);
    // both workers have served by then
    let requests = (0..20).map(|_| gateway.get("/open/a")).collect();
    assert!(race(20, requests).iter().all(|response| response.status == 200));
    lists.answer(Answer::new(200).body(many(2, TOKENS)));
    report(&gateway, TOKENS);

    for n in [0, 1, TOKENS / 2, TOKENS - 1] {
        let token = format!("token-{n}");
        let requests = (0..20).map(|_| with_token(&gateway, "/data", &token)).collect();
        let statuses: Vec<u16> = race(20, requests).iter().map(|response| response.status).collect();
        assert_eq!(statuses, vec![200; 20], "{token}");
        assert_eq!(upstream.last().header("x-claim-districts"), Some(format!("{n:07}")));
    }
    assert_eq!(with_token(&gateway, "/data", &format!("token-{TOKENS}")).send().status, 401);
    expect_main_thread(&gateway);
}

#[test]
#[ignore = "prints the figures of envoy/credentials.md: `scripts/test --long`"]
fn figures_of_hundred_thousand_tokens() {
    let (lists, _upstream, gateway) = start_remote(&list(1, &[]), policy(), 2);
    assert_eq!(with_token(&gateway, "/data", "token-0").send().status, 401);
    let before = gateway.memory_kb();
    let text = many(2, TOKENS);
    let len = text.len();
    // what a request costs without a list on its way
    let request = || {
        let at = Instant::now();
        gateway.get("/open/a").send().expect_status(200);
        at.elapsed()
    };
    let slowest = (0..500).map(|_| request()).max().expect("requests");
    println!("the slowest of 500 requests before: {slowest:?}");
    lists.answer(Answer::new(200).body(text));
    let begin = Instant::now();

    // requests go on meanwhile
    let mut waits = Vec::new();
    let [_, copy, slices, longest, millis] = wait_for("the index", Duration::from_mins(1), || {
        waits.push(request());
        reports(&gateway).into_iter().find(|found| found[0] == 100_000)
    });
    let usable = begin.elapsed();
    waits.sort_unstable();
    let (middle, slowest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!(
        "{TOKENS} tokens, {len} bytes: usable after {usable:?}; copied in {copy} us, {slices} slices in {millis} ms, the \
         longest {longest} us; requests meanwhile: {}, median {middle:?}, slowest {slowest:?}",
        waits.len()
    );
    println!("memory: {} MB more", (gateway.memory_kb() - before) / 1024);

    // another list of as many: the tokens of both places are there now
    lists.answer(Answer::new(200).body(many(3, TOKENS - 1)));
    println!("the next list: {:?}", report(&gateway, TOKENS - 1));
    println!("memory: {} MB more than before the first", (gateway.memory_kb() - before) / 1024);
    let withdrawn = format!("token-{}", TOKENS - 1);
    wait_until("the last token to be withdrawn", || with_token(&gateway, "/data", &withdrawn).send().status == 401);

    // what a lookup costs: tokens that the worker has not seen, against one that it has
    let time = |tokens: &[String]| {
        let at = Instant::now();
        for token in tokens {
            with_token(&gateway, "/data", token).send().expect_status(200);
        }
        at.elapsed() / u32::try_from(tokens.len()).expect("a number")
    };
    let new: Vec<String> = (0..2_000).map(|n| format!("token-{}", n * 31)).collect();
    println!("a request with a token: new {:?}, cached {:?}", time(&new), time(&vec![new[0].clone(); 2_000]));
    expect_main_thread(&gateway);
}

fn policy() -> Value {
    remote(&json!({"refresh": "1s", "timeout": "10s"}))
}
