//! Opaque tokens from a list over the network: what is new works, what is withdrawn stops, and the last good list serves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::race;
use crate::support::lists::{bad_answers, refuse, refuse_each};
use crate::support::opaque_tokens::{entry, list, remote, with_token};
use crate::support::policy::{expect_problem, start_remote};
use crate::support::sample::token;
use crate::support::{Answer, Gateway, KeyServer, Upstream, wait_until};

fn two(version: u64) -> Value {
    list(version, &[entry("token-a", "reader", "d1"), entry("token-b", "reader", "d2")])
}

#[test]
fn new_token_works_and_withdrawn_one_stops_without_a_restart() {
    let (lists, upstream, gateway) = start_remote(&two(1), remote(&json!({})), 2);
    let status = |token: &str| with_token(&gateway, "/data", token).send().status;
    // twenty connections, so that both workers are asked
    let all = |token: &str| -> Vec<u16> {
        let requests = (0..20).map(|_| with_token(&gateway, "/data", token)).collect();
        race(20, requests).iter().map(|response| response.status).collect()
    };
    assert_eq!((status("token-a"), status("token-b"), status("token-c")), (200, 200, 401));
    assert_eq!((all("token-a"), all("token-b")), (vec![200; 20], vec![200; 20]));

    lists.serve(&list(2, &[entry("token-a", "reader", "d1"), entry("token-c", "reader", "d3")]));
    wait_until("the new token", || status("token-c") == 200);
    // at once on every worker
    assert_eq!(all("token-c"), vec![200; 20]);
    assert_eq!(upstream.last().header("x-claim-districts").as_deref(), Some("d3"));
    // the withdrawn one is cached on both; it ends with the next tick of each
    let since = Instant::now();
    wait_until("the withdrawn token to stop", || all("token-b") == vec![401; 20]);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(all("token-a"), vec![200; 20]);

    lists.serve(&list(3, &[]));
    wait_until("no token to be left", || all("token-a") == vec![401; 20]);
    lists.serve(&two(4));
    wait_until("the tokens of before", || all("token-b") == vec![200; 20]);
}

#[test]
fn entry_that_changes_changes_what_its_token_opens() {
    let (lists, upstream, gateway) = start_remote(&two(1), remote(&json!({})), 1);
    let district = || {
        with_token(&gateway, "/data", "token-a").send().expect_status(200);
        upstream.last().header("x-claim-districts").expect("a district")
    };
    assert_eq!(district(), "d1");
    lists.serve(&list(2, &[entry("token-a", "reader", "d9")]));
    wait_until("the new district", || district() == "d9");
    expect_problem(&with_token(&gateway, "/districts/d1", "token-a").send(), 403, "district-out-of-scope");
    with_token(&gateway, "/districts/d9", "token-a").send().expect_status(200);
}

#[test]
fn bad_list_is_refused_as_a_whole_and_the_last_good_one_serves() {
    let evil = || entry("evil", "reader", "d1");
    let with = |member: &str, value: Value| {
        let mut entry = evil();
        entry[member] = value;
        Answer::json(&list(8, &[entry]))
    };
    let mut cases = bad_answers(&list(8, &[evil()]), 33 << 20);
    cases.extend([
        ("no tokens", Answer::json(&json!({"version": 8}))),
        ("an unknown member of a token", with("notafter", json!("2020-01-01T00:00:00Z"))),
        ("a date that is none", with("not_after", json!("tomorrow"))),
        ("a token in the clear", with("sha256", json!("evil"))),
        ("a school that is all", with("schools", json!(["*"]))),
        ("a district that would break a header", with("district", json!("d1\r\nx-claim-schools: s"))),
        ("one hash twice", Answer::json(&list(8, &[evil(), entry("evil", "reader", "d2")]))),
    ]);
    let (lists, _upstream, gateway) = start_remote(&two(7), remote(&json!({"timeout": "300ms"})), 1);
    let status = |token: &str| with_token(&gateway, "/data", token).send().status;
    assert_eq!((status("token-a"), status("evil")), (200, 401));

    let check = |case: &str| assert_eq!((status("token-a"), status("evil")), (200, 401), "{case}");
    refuse_each(&gateway, &lists, cases, check, |_| {
        lists.serve(&list(7, &[entry("token-a", "reader", "d1"), entry("mark", "reader", "d1")]));
        wait_until("a good list", || status("mark") == 200);
        lists.serve(&two(7));
        wait_until("the good list", || status("mark") == 401);
    });
    let log = gateway.log();
    assert!(!log.contains("evil") && !log.contains(&crate::support::lists::hash("evil")), "{log}");
    // the twin that passes
    lists.serve(&list(8, &[evil()]));
    wait_until("another list", || status("evil") == 200);
}

#[test]
fn missing_or_stale_list_fails_closed_and_a_new_one_opens_again() {
    let (lists, upstream) = (KeyServer::start(&two(1)), Upstream::start());
    lists.answer(Answer::new(503));
    let gateway = Gateway::builder().config(remote(&json!({"max_stale": "2s"}))).auth(lists.port());
    let gateway = gateway.upstream(upstream.port()).start();
    let status = |token: &str| with_token(&gateway, "/data", token).send().status;
    let jwt = token("app").sign();
    expect_problem(&with_token(&gateway, "/data", "token-a").send(), 503, "keys-unavailable");
    assert_eq!((status("guess"), status(&jwt)), (503, 200), "JWTs need no list");

    lists.serve(&two(1));
    wait_until("the first list", || status("token-a") == 200);
    refuse(&gateway, &lists, Answer::new(500));
    assert_eq!(status("token-a"), 200);
    wait_until("the list to be stale", || status("token-a") == 503);
    assert_eq!((status("guess"), status(&jwt)), (503, 200));
    lists.serve(&two(1));
    wait_until("the list", || status("token-a") == 200);
    assert_eq!(status("guess"), 401);
}

#[test]
fn first_requests_wait_for_the_list() {
    let (lists, upstream) = (KeyServer::start(&two(1)), Upstream::start());
    lists.answer(Answer::json(&two(1)).after(Duration::from_millis(500)));
    let gateway = Gateway::builder().config(remote(&json!({}))).auth(lists.port()).upstream(upstream.port());
    let gateway = gateway.concurrency(2).start();
    let requests =
        (0..20).map(|n| with_token(&gateway, "/data", if n % 2 == 0 { "token-a" } else { "guess" })).collect();
    let statuses: Vec<u16> = race(20, requests).iter().map(|response| response.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 10, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
}

#[test]
fn list_is_fetched_by_one_worker_for_all_and_counted() {
    let (lists, _upstream, gateway) = start_remote(&two(1), remote(&json!({"refresh": "1m"})), 4);
    let requests = (0..40).map(|_| with_token(&gateway, "/data", "token-a")).collect();
    assert!(race(20, requests).iter().all(|response| response.status == 200));
    assert_eq!(lists.count(), 1);
    let fetches =
        |result: &str| gateway.metric("hallpass_list_fetches_total", &[("list", "tokens"), ("result", result)]);
    wait_until("the count", || fetches("ok") >= 1.0);
    assert!(fetches("failed") < 1.0);
    let age = gateway.metric("hallpass_list_age_seconds", &[("list", "tokens")]);
    assert!((0.0..60.0).contains(&age), "{age}");
}
