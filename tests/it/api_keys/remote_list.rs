//! A key list over the network: down, older, garbage or stale. The last good list serves as long as configured, then no key
//! is believed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api_keys::{ACME, entry, expect_error, key_list, remote, remote_policy, token, with_key};
use crate::support::lists::{bad_answers, refuse, refuse_each};
use crate::support::policy::start_remote;
use crate::support::{Answer, Gateway, KeyServer, Upstream, wait_until};

#[test]
fn bad_list_is_refused_as_a_whole_and_the_last_good_one_serves() {
    let evil = || entry("evil", "acme", "evil");
    let keys = |keys: &[Value]| Answer::json(&key_list(8, keys));
    let with = |member: &str, value: Value| {
        let mut entry = evil();
        entry[member] = value;
        keys(&[entry])
    };
    let mut cases = bad_answers(&key_list(8, &[evil()]), 17 << 20);
    cases.extend([
        ("no keys", Answer::json(&json!({"version": 8}))),
        ("an unknown member of a key", with("notafter", json!("2020-01-01T00:00:00Z"))),
        ("a date that is none", with("not_after", json!("tomorrow"))),
        ("dates the wrong way round", {
            let mut entry = evil();
            entry["not_before"] = json!("2026-01-02T00:00:00Z");
            entry["not_after"] = json!("2026-01-01T00:00:00Z");
            keys(&[entry])
        }),
        ("a key in the clear", with("sha256", json!("evil"))),
        ("one hash for two clients", keys(&[evil(), entry("2", "globex", "evil")])),
        ("one id for two keys", keys(&[evil(), entry("evil", "acme", "2")])),
        ("a client that would break a header", with("client", json!("acme\r\nx-claim-schools: *"))),
    ]);
    let policy = remote_policy(&json!({"timeout": "300ms"}));
    let (lists, upstream, gateway) = start_remote(&good(7), policy, 1);
    let status = |key: &str| with_key(&gateway, "/key", key).send().status;
    assert_eq!((status(ACME), status("evil")), (200, 403));

    let passed = 1 + cases.len();
    let check = |case: &str| assert_eq!((status(ACME), status("evil")), (200, 403), "{case}");
    refuse_each(&gateway, &lists, cases, check, |_| recover(&lists, &gateway));
    assert_eq!(upstream.seen().len(), passed);

    // the same version with other keys, and a higher one: the twin that passes
    lists.serve(&key_list(7, &[entry("acme-1", "acme", ACME), entry("more", "acme", "more")]));
    wait_until("more keys", || with_key(&gateway, "/key", "more").send().status == 200);
    lists.serve(&key_list(9, &[]));
    wait_until("no keys", || with_key(&gateway, "/key", ACME).send().status == 403);
}

#[test]
fn missing_or_stale_list_fails_closed_and_a_new_one_opens_again() {
    const STALE: Duration = Duration::from_secs(2);
    let (lists, upstream) = (KeyServer::start(&good(1)), Upstream::start());
    lists.answer(Answer::new(503));
    let gateway = Gateway::builder().config(remote_policy(&json!({"max_stale": "2s"}))).auth(lists.port());
    let gateway = gateway.upstream(upstream.port()).start();
    let valid = token("acme").sign();
    let send = || with_key(&gateway, "/data", ACME).bearer(&valid).send();
    for request in [with_key(&gateway, "/key", ACME), with_key(&gateway, "/key", "wrong")] {
        expect_error(&request.send(), 503, "unavailable");
    }
    // Whatever the list will say, these show no key of it.
    for request in [gateway.get("/data"), with_key(&gateway, "/key", ACME).header("x-api-key", ACME)] {
        expect_error(&request.send(), 403, "Forbidden");
    }
    assert_eq!(upstream.heads(), 0);
    gateway.get("/open/a").send().expect_status(200);

    lists.serve(&good(1));
    wait_until("the first list", || send().status == 200);
    let start = Instant::now();
    // longer than `max_stale`, refreshed all the time
    wait_until("refreshes", || {
        send().expect_status(200);
        start.elapsed() > 2 * STALE
    });

    let failing = Instant::now();
    refuse(&gateway, &lists, Answer::json(&good(0)));
    send().expect_status(200);
    wait_until("the list to be stale", || send().status == 503);
    assert!(failing.elapsed() + Duration::from_secs(1) >= STALE, "{:?}", failing.elapsed());
    expect_error(&send(), 503, "unavailable");
    expect_error(&with_key(&gateway, "/key", "wrong").send(), 503, "unavailable");
    gateway.get("/open/a").send().expect_status(200);

    lists.serve(&good(1));
    wait_until("the list", || send().status == 200);
}

#[test]
fn tier_that_is_not_configured_refuses_its_keys_only() {
    let mut other = entry("other", "globex", "other");
    other["tier"] = json!("platinum");
    let list = key_list(1, &[entry("acme-1", "acme", ACME), other.clone()]);
    let (_lists, upstream, gateway) = start_remote(&list, remote_policy(&json!({})), 1);

    with_key(&gateway, "/key", ACME).send().expect_status(200);
    expect_error(&with_key(&gateway, "/key", "other").send(), 403, "Forbidden");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn lists_are_fetched_once_for_all_workers_and_as_configured() {
    let mut policy = remote_policy(&json!({"refresh": "1m"}));
    policy["issuers"][0]["revocations"] = json!({"remote": remote("revocations.json", &json!({"refresh": "1m"}))});
    let (lists, upstream) = (Upstream::start(), Upstream::start());
    lists.answer(|seen| match seen.target.as_str() {
        "/v1/keys.json" => Answer::json(&good(1)),
        "/v1/revocations.json" => Answer::json(&json!({"version": 1})),
        _ => Answer::new(404),
    });
    let gateway = Gateway::builder().config(policy).upstream(upstream.port()).auth(lists.port()).concurrency(4);
    let gateway = gateway.start();

    let valid = token("acme").sign();
    let requests = (0..40).map(|_| with_key(&gateway, "/data", ACME).bearer(&valid)).collect();
    let responses = crate::support::client::race(20, requests);

    assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
    let mut targets: Vec<String> = lists.seen().into_iter().map(|seen| seen.target).collect();
    targets.sort_unstable();
    assert_eq!(targets, ["/v1/keys.json", "/v1/revocations.json"]);
}

fn good(version: u64) -> Value {
    key_list(version, &[entry("acme-1", "acme", ACME)])
}

/// Serves good lists until the filter has taken one, and the good one again.
fn recover(lists: &KeyServer, gateway: &Gateway) {
    // refused for want of a token, not for the key: the upstream sees nothing of it
    let mark = || with_key(gateway, "/data", "mark").send().status;
    lists.serve(&key_list(7, &[entry("acme-1", "acme", ACME), entry("m", "m", "mark")]));
    wait_until("a good list", || mark() == 401);
    lists.serve(&good(7));
    wait_until("the good list", || mark() == 403);
}
