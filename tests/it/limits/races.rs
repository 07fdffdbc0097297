//! Limits are exact: of many requests that race through one or several workers exactly as many pass as the limit says.

use crate::support::client::{Protocol, race};
use crate::support::sample::{config, token, total};
use crate::support::{Client, Gateway, Upstream};

/// The limit under test.
const LIMIT: usize = 20;

#[test]
fn one_worker_admits_exactly_the_limit() {
    check_exactness(1);
}

#[test]
fn several_workers_together_admit_exactly_the_limit() {
    check_exactness(2);
    check_exactness(4);
}

/// Envoy counts the writes to shared data all together, on which `limits::write_cache` builds.
#[test]
fn a_worker_that_is_alone_reads_a_budget_once() {
    let upstream = Upstream::start();
    let config = config(&serde_json::json!([total("all", 20)]));
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).log_levels("warning", "trace").start();
    let tokens = ["a", "b", "c"].map(|name| token(name).sign());
    let calls = || {
        ["get", "set"].map(|call| gateway.log().matches(&format!("[vm->host] env.proxy_{call}_shared_data(")).count())
    };
    let send =
        || tokens.iter().for_each(|token| assert_eq!(gateway.client().get("/a").bearer(token).send().status, 200));
    send();
    send();
    let [reads, swaps] = calls();
    for _ in 0..10 {
        send();
    }
    let [reads_then, swaps_then] = calls();
    // A tick may end the count, and each of them is then read once more.
    assert!(reads_then - reads <= 4, "{reads} and {reads_then} reads");
    assert!((30..=32).contains(&(swaps_then - swaps)), "{swaps} and {swaps_then} swaps");
}

/// Races ten times the limit for a client nobody has seen and for one that has used some, over both protocols.
#[track_caller]
fn check_exactness(workers: u32) {
    let upstream = Upstream::start();
    let config = config(&serde_json::json!([total("all", 20)]));
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).concurrency(workers).start();
    let (http1, http2) = (*gateway.client(), gateway.client().http2());
    for (client, protocol, connections, used) in [
        (http1, Protocol::Http1, 50, 0),
        (http1, Protocol::Http1, 50, 7),
        (http2, Protocol::Http2, 25, 0),
        (http2, Protocol::Http2, 25, 7),
    ] {
        let case = format!("{workers} workers, {protocol:?}, {used} used before");
        let name = format!("{protocol:?}-{used}");
        let token = token(&name).sign();
        let send = |client: Client, count: usize| {
            let requests = (0..count).map(|_| client.get("/a").bearer(&token)).collect();
            let responses = race(connections.min(count), requests);
            let passed = responses.iter().filter(|response| response.status == 200).count();
            let refused = responses.iter().filter(|response| response.status == 429).count();
            assert_eq!(passed + refused, count, "{case}: {responses:?}");
            passed
        };
        upstream.forget();
        if used > 0 {
            assert_eq!(send(client, used), used, "{case}: before the race");
        }
        let before = shares(&gateway);

        assert_eq!(send(client, 10 * LIMIT), LIMIT - used, "{case}");

        assert_eq!(upstream.seen().len(), LIMIT, "{case}: at the upstream");
        let after = shares(&gateway);
        assert_eq!(after.len(), workers as usize, "{after:?}");
        assert!(before.iter().zip(&after).all(|(before, after)| before < after), "{case}: {before:?}, then {after:?}");
    }
}

/// How many connections each worker has served.
fn shares(gateway: &Gateway) -> Vec<u64> {
    let stats = gateway.admin().get("/stats?filter=worker_[0-9]%2B.downstream_cx_total$").expect("statistics");
    stats.text().lines().map(|line| line.rsplit_once(": ").unwrap().1.parse().unwrap()).collect()
}
