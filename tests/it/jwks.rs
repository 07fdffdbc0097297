//! Key sets over the network: fetched once for all workers, rotated without a failed request, never asked for too often.

mod faults;
mod fetch_log;
mod held_requests;
mod tls;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::client::race;
use crate::support::policy::{expect_no_trap, vms};
use crate::support::sample::{key_server, key_set, remote_config, token};
use crate::support::tokens::jwks;
use crate::support::{Answer, Gateway, Key, KeyServer, Upstream, wait_until};

#[test]
fn key_set_is_fetched_once_whatever_the_number_of_workers() {
    let (keys, upstream) = (key_server(), Upstream::start());
    // slow, so that requests wait at every worker
    keys.answer(Answer::json(&key_set()).after(Duration::from_millis(1_500)));
    let gateway = Gateway::builder().config(remote_config(&json!({"timeout": "10s"}))).upstream(upstream.port());
    let gateway = gateway.auth(keys.port()).concurrency(4).start();

    // the second time all workers have had a tick since the first
    for round in 1..=2 {
        let requests = (0..80).map(|n| gateway.get("/a").bearer(token(&n.to_string()).sign())).collect();
        let responses = race(40, requests);
        assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
        let allowed = || gateway.metric("hallpass_requests_total", &[("decision", "allow")]);
        wait_until("the counts of all workers", || allowed() >= 80.0 * f64::from(round));
    }
    assert_eq!(keys.count(), 1);
    let fetch = &keys.seen()[0];
    assert_eq!((fetch.method.as_str(), fetch.target.as_str()), ("GET", "/jwks"));
    assert_eq!(fetch.header("host").unwrap(), "auth.example.com");
}

#[test]
fn rotated_keys_are_taken_over_without_a_failed_request() {
    let (keys, upstream, gateway) = gateway(&json!({}), 3);
    gateway.get("/a").bearer(token("a").sign()).send().expect_status(200);
    assert_eq!(keys.count(), 1);

    keys.serve(&jwks(&[Key::P256No1.named("k"), Key::P256No2.named("new")]));
    let new = || token("a").forged_with(Key::P256No2).header("kid", "new").sign();
    let mut requests: Vec<_> = (0..30).map(|_| gateway.get("/a").bearer(new())).collect();
    requests.extend((0..30).map(|_| gateway.get("/a").bearer(token("a").sign())));
    let responses = race(30, requests);
    assert!(responses.iter().all(|response| response.status == 200), "{responses:?}");
    assert!(keys.count() <= 3, "fetched {} times", keys.count());

    // the old key is withdrawn: its tokens stop working, cached or not, once the set is fetched again
    keys.serve(&jwks(&[Key::P256No2.named("new")]));
    gateway.get("/a").bearer(token("a").header("kid", "other").sign()).send().expect_status(401);
    let cached = token("a").sign();
    wait_until("the old key to be refused", || gateway.get("/a").bearer(&cached).send().status == 401);
    gateway.get("/a").bearer(new()).send().expect_status(200);
    drop(upstream);
}

#[test]
fn flood_of_unknown_kids_fetches_once_per_cooldown_and_stops_nobody() {
    check_flood(2_000);
}

#[test]
#[ignore = "a hundred thousand requests; scripts/test --long"]
fn hundred_thousand_unknown_kids_fetch_once_per_cooldown_and_stop_nobody() {
    check_flood(100_000);
}

/// Sends so many tokens, each with another `kid` that no key has, through two workers, and good ones beside them.
#[track_caller]
fn check_flood(kids: usize) {
    const COOLDOWN: Duration = Duration::from_millis(400);
    /// At once: more would find no place to wait.
    const AT_ONCE: usize = 800;
    let (keys, upstream, gateway) = gateway(&json!({"cooldown": "400ms"}), 2);
    let good = token("good").sign();
    gateway.get("/a").bearer(&good).send().expect_status(200);

    let sent = AtomicUsize::new(0);
    let start = Instant::now();
    let before = keys.count();
    let mut fresh = 0;
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let bad = token("bad").sign();
            let (_, rest) = bad.split_once('.').unwrap();
            // What is signed does not matter: nobody has the key.
            let request = |nth: usize| {
                let header = json!({"alg": "ES256", "typ": "JWT", "kid": format!("x{nth}")}).to_string();
                gateway.client().http2().get("/a").bearer(format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header)))
            };
            for first in (0..kids).step_by(AT_ONCE) {
                let requests: Vec<_> = (first..kids.min(first + AT_ONCE)).map(request).collect();
                let count = requests.len();
                for response in race(8, requests) {
                    response.expect_status(401);
                }
                sent.fetch_add(count, Ordering::Relaxed);
            }
        });
        while !flood.is_finished() {
            // one from the cache, one to be verified
            let asked = Instant::now();
            gateway.get("/a").bearer(&good).send().expect_status(200);
            gateway.get("/a").bearer(token(&format!("good-{fresh}")).sign()).send().expect_status(200);
            assert!(asked.elapsed() < Duration::from_secs(2), "good requests took {:?}", asked.elapsed());
            fresh += 1;
        }
    });

    let fetches = keys.count() - before;
    let cooldowns = start.elapsed().as_millis() / COOLDOWN.as_millis();
    println!("{kids} kids, {fresh} good rounds, {fetches} fetches in {cooldowns} cooldowns");
    assert!(fetches as u128 <= cooldowns + 1, "{fetches} fetches in {cooldowns} cooldowns");
    assert!(fetches >= 2, "an unknown kid is worth a fetch: {fetches}");
    assert_eq!(sent.into_inner(), kids);
    assert_eq!(upstream.heads(), 1 + 2 * fresh, "good ones alone");
}

#[test]
fn hundreds_that_wait_for_one_fetch_all_go_on_and_trap_nothing() {
    // Envoy carries out what a worker says in one callback inside of each other: so many exhausted its stack once.
    const EACH: usize = 300;
    let (keys, upstream) = (key_server(), Upstream::start());
    let mut config = remote_config(&json!({"timeout": "15s"}));
    config["authentication_failures"] = json!("off");
    config["routes"] = json!([{"match": {"path": "/open/alive"}, "require": []}, {"match": {"path": "/"}}]);
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port());
    let gateway = gateway.edit_connection_manager(|manager| {
        let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
        // answered by Envoy itself, at once
        routes.insert(0, json!({"match": {"prefix": "/direct"}, "direct_response": {"status": 201}}));
    });
    let gateway = gateway.start();
    let before = vms(&gateway);
    gateway.get("/a").bearer(token("a").sign()).send().expect_status(200);
    keys.answer(Answer::json(&jwks(&[Key::P256No2.named("new")])).after(Duration::from_secs(2)));

    let of_kid = |kid: &str| token("a").forged_with(Key::P256No2).header("kid", kid).sign();
    let (known, unknown) = (of_kid("new"), of_kid("unknown"));
    let client = gateway.client().http2();
    let requests = (0..EACH).flat_map(|_| {
        let body = client.request("POST", "/a").bearer(&known).body("a body that Envoy holds meanwhile");
        [client.get("/a").bearer(&unknown), client.get("/direct").bearer(&known), body]
    });
    let responses = race(9, requests.collect());
    for status in [401, 201, 200] {
        let count = responses.iter().filter(|response| response.status == status).count();
        assert_eq!(count, EACH, "{status}");
    }
    assert_eq!(upstream.heads(), 1 + EACH);
    expect_no_trap(&gateway, before);
}

#[test]
fn unknown_kids_that_nobody_waits_for_do_not_hold_up_others() {
    let (keys, _upstream, gateway) = gateway(&json!({"cooldown": "1s"}), 1);
    gateway.get("/a").bearer(token("a").sign()).send().expect_status(200);
    // the next fetch brings the new key, as soon as the cooldown is over
    keys.serve(&jwks(&[Key::P256No1.named("k"), Key::P256No2.named("new")]));
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut nth = 0;
            while !ends.load(Ordering::Relaxed) {
                nth += 1;
                let request = gateway.get("/a").bearer(token("bad").header("kid", format!("x{nth}")).sign());
                // gone before any answer
                let _ = request.timeout(Duration::from_millis(3)).try_send();
            }
        });
        let start = Instant::now();
        let new = token("a").forged_with(Key::P256No2).header("kid", "new").sign();
        let response = gateway.get("/a").bearer(new).try_send();
        ends.store(true, Ordering::Relaxed);
        assert_eq!(response.expect("an answer").status, 200);
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    });
}

#[test]
fn requests_that_wait_for_keys_are_bounded_and_leave_no_trace() {
    let keys = KeyServer::start(&key_set());
    keys.answer(Answer::hang());
    let upstream = Upstream::start();
    let mut config = remote_config(&json!({"timeout": "3s"}));
    config["bounds"] = json!({"max_waiters": 5});
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port()).start();
    let request = || gateway.get("/a").bearer(token("a").sign());
    let soon = Duration::from_millis(150);
    wait_until("the first fetch", || keys.count() == 1);

    let waiting: Vec<_> = (0..5).map(|_| request().spawn()).collect();
    let mut refused = None;
    wait_until("a request that finds no place", || {
        refused = request().timeout(soon).try_send().ok();
        refused.is_some()
    });
    let refused = refused.unwrap();
    refused.expect_status(503);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(refused.json()["type"].as_str().unwrap().ends_with("#keys-unavailable"));

    // the clients go away, and so do their places
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    wait_until("a free place", || request().timeout(soon).try_send().is_err());
    keys.serve(&key_set());
    wait_until("the keys", || request().send().status == 200);
    let all = race(5, (0..5).map(|n| gateway.get("/a").bearer(token(&n.to_string()).sign())).collect());
    assert!(all.iter().all(|response| response.status == 200), "{all:?}");
}

fn gateway(extra: &Value, workers: u32) -> (KeyServer, Upstream, Gateway) {
    let (keys, upstream) = (key_server(), Upstream::start());
    let mut config = remote_config(extra);
    config["authentication_failures"] = json!({"requests": 1_000_000, "per": "1m"});
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port()).concurrency(workers);
    let gateway = gateway.start();
    (keys, upstream, gateway)
}
