//! A source of keys that is down, slow or talks nonsense: the last good keys serve as long as configured, then nothing passes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::Response;
use crate::support::policy::{expect_problem, start};
use crate::support::sample::{key_server, key_set, remote_config, token};
use crate::support::tokens::jwks;
use crate::support::{Answer, Gateway, Key, KeyServer, Upstream, wait_until};

#[test]
fn gateway_without_keys_answers_503_and_recovers_by_itself() {
    let keys = key_server();
    keys.answer(Answer::new(503));
    let (gateway, upstream) = gateway(&keys, &json!({}));

    check_without_keys(&gateway, &upstream);

    keys.serve(&key_set());
    wait_until("the keys", || send(&gateway).status == 200);
}

#[test]
fn refused_connection_to_the_source_is_503() {
    // nobody listens at the port of the cluster `auth`
    let (upstream, gateway) = start(open_beside(&json!({})));

    check_without_keys(&gateway, &upstream);
}

/// What needs no keys goes on.
#[track_caller]
fn check_without_keys(gateway: &Gateway, upstream: &Upstream) {
    check_unavailable(&send(gateway));
    expect_problem(&gateway.get("/a").send(), 401, "token-missing");
    assert_eq!(upstream.heads(), 0);
    gateway.get("/open").send().expect_status(200);
}

#[test]
fn keys_serve_until_they_are_stale_and_not_longer() {
    const STALE: Duration = Duration::from_secs(3);
    let keys = key_server();
    let start = Instant::now();
    let (gateway, _upstream) = gateway(&keys, &json!({"refresh": "1s", "max_stale": "3s"}));
    let cached = token("cached").sign();
    let with_cached = || gateway.get("/a").bearer(&cached).send();
    wait_until("the first keys", || with_cached().status == 200);
    keys.answer(Answer::new(500));
    let asked = keys.count();
    wait_until("a failed fetch", || keys.count() > asked);

    with_cached().expect_status(200);
    send(&gateway).expect_status(200);
    wait_until("the keys to be stale", || with_cached().status == 503);
    assert!(start.elapsed() >= STALE, "{:?}", start.elapsed());
    check_unavailable(&with_cached());
    check_unavailable(&send(&gateway));

    keys.serve(&key_set());
    wait_until("the keys", || with_cached().status == 200);
    send(&gateway).expect_status(200);
}

#[test]
fn key_set_is_refreshed_when_it_is_time() {
    let keys = key_server();
    let (gateway, _upstream) = gateway(&keys, &json!({"refresh": "500ms"}));
    send(&gateway).expect_status(200);

    wait_until("regular fetches", || keys.count() >= 3);
    send(&gateway).expect_status(200);

    // also where the source says that its answer may be kept long
    keys.answer(Answer::json(&key_set()).header("cache-control", "max-age=86400"));
    let before = keys.count();
    wait_until("regular fetches", || keys.count() >= before + 3);
}

#[test]
fn bad_answer_of_the_source_keeps_the_last_good_keys() {
    let keys = key_server();
    let (gateway, upstream) = gateway(&keys, &json!({"timeout": "300ms"}));
    let cached = token("cached").sign();
    gateway.get("/a").bearer(&cached).send().expect_status(200);
    let good = key_set().to_string();
    let big = json!({"keys": [Key::P256No1.named("k")], "padding": "x".repeat(10 << 20)});
    let evil = jwks(&[Key::P256No2.named("k")]);
    let cases = [
        ("an error", Answer::new(500)),
        ("an error with other keys", Answer { status: 500, ..Answer::json(&evil) }),
        ("a redirect", Answer::new(301).header("location", "http://evil.example.com/jwks")),
        ("a redirect with other keys", Answer { status: 302, ..Answer::json(&evil) }),
        ("a page", Answer::new(200).header("content-type", "text/html").body("<html><body>login</body></html>")),
        ("nothing", Answer::new(200)),
        ("no content", Answer::new(204)),
        ("a torn document", Answer::new(200).body(good[..good.len() / 2].to_owned())),
        ("10 MB", Answer::json(&big)),
        ("no keys", Answer::json(&json!({"keys": []}))),
        ("keys of no known kind", Answer::json(&json!({"keys": [{"kty": "other", "kid": "k"}]}))),
        ("a list", Answer::json(&json!([Key::P256No2.named("k")]))),
        ("other keys, too late", Answer::json(&evil).after(Duration::from_millis(900))),
        ("silence", Answer::hang()),
        ("a closed connection", Answer::close()),
    ];
    for (case, answer) in cases {
        keys.answer(answer);
        let asked = keys.count();
        // has the keys fetched now, and waits for the outcome
        let unknown = gateway.get("/a").bearer(token("a").header("kid", "other").sign()).send();
        assert!(keys.count() > asked, "{case}");
        assert_eq!(unknown.status, 503, "{case}: nobody knows whether the kid exists: {unknown:?}");

        assert_eq!(gateway.get("/a").bearer(&cached).send().status, 200, "{case}");
        assert_eq!(send(&gateway).status, 200, "{case}");
        let evil = token("a").forged_with(Key::P256No2).sign();
        assert_eq!(gateway.get("/a").bearer(evil).send().status, 401, "{case}");

        keys.serve(&key_set());
        wait_until("a good fetch", || {
            gateway.get("/a").bearer(token("a").header("kid", "other").sign()).send().status == 401
        });
    }
    let passed = upstream.seen().len();
    assert_eq!(passed, 1 + 2 * 15, "nothing else passed");
}

/// [`remote_config`] with an open route.
fn open_beside(extra: &Value) -> Value {
    let mut config = remote_config(extra);
    config["routes"] = json!([{"match": {"path": "/open"}, "require": []}, {"match": {"path": "/"}}]);
    config
}

fn gateway(keys: &KeyServer, extra: &Value) -> (Gateway, Upstream) {
    let (upstream, config) = (Upstream::start(), open_beside(extra));
    (Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port()).start(), upstream)
}

/// A request with a token that is in no cache.
fn send(gateway: &Gateway) -> Response {
    let client = rand::random::<u64>().to_string();
    gateway.get("/a").bearer(token(&client).sign()).send()
}

#[track_caller]
fn check_unavailable(response: &Response) {
    expect_problem(response, 503, "keys-unavailable");
    let wait: u64 = response.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
}
