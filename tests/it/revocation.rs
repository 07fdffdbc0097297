//! Revocation without a service: by token and by vendor and time, also of tokens that a worker knows; a list that is old,
//! torn or gone never opens anything.

mod during_body;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api_keys::{ACME, GLOBEX, expect_error, policy, remote, token, with_key};
use crate::support::client::race;
use crate::support::lists::{bad_answers, date, refuse, refuse_each};
use crate::support::policy::{start, start_remote};
use crate::support::tokens::now;
use crate::support::{Answer, Gateway, KeyServer, Upstream, wait_until};

/// More than a refresh of 0.2 s and a tick of 0.5 s, on a busy machine.
const SOON: Duration = Duration::from_secs(4);

#[test]
fn revoked_token_stops_within_a_refresh_on_every_worker_cached_or_not() {
    let (lists, _upstream, gateway) = gateway(&list(1, &[], &json!([])), &json!({}), 3);
    let revoked = token("acme").claim("jti", "revoked-1").sign();
    let fresh = token("acme").claim("jti", "revoked-1").claim("exp", now() + 900).sign();
    let other = token("acme").sign();
    // every worker knows it
    let all = |token: &str, status: u16| {
        let requests = (0..40).map(|_| with_key(&gateway, "/data", ACME).bearer(token)).collect();
        race(40, requests).iter().all(|response| response.status == status)
    };
    assert!(all(&revoked, 200) && all(&other, 200));

    let start = Instant::now();
    lists.serve(&list(2, &["revoked-1"], &json!([])));
    wait_until("the revocation on all workers", || all(&revoked, 401));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    expect_error(&with_key(&gateway, "/data", ACME).bearer(&revoked).send(), 401, "invalid-token");
    assert!(all(&fresh, 401), "another token of the same id");
    assert!(all(&other, 200));
    assert!(all(&token("acme").claim("jti", "revoked-10").sign(), 200));
    expect_error(&with_key(&gateway, "/data", "wrong").bearer(&revoked).send(), 403, "Forbidden");

    // what is taken back in a later version is valid again
    lists.serve(&list(3, &[], &json!([])));
    wait_until("the end of the revocation", || all(&revoked, 200));
}

#[test]
fn tokens_of_a_vendor_issued_up_to_a_moment_are_void() {
    let (lists, _upstream, gateway) = gateway(&list(1, &[], &json!([])), &json!({}), 1);
    let until = now() - 100;
    let of = |vendor: &str, issued: Value| token(vendor).claim("iat", issued).sign();
    let before = of("acme", json!(until - 1));
    let at = of("acme", json!(until));
    let within = of("acme", serde_json::from_str(&format!("{until}.5")).unwrap());
    let after = of("acme", json!(until + 1));
    let undated = of("acme", Value::Null);
    let (others, others_undated) = (of("globex", json!(until - 1)), of("globex", Value::Null));
    let send = |token: &str| with_key(&gateway, "/data", ACME).bearer(token).send();
    let globex = |token: &str| with_key(&gateway, "/data", GLOBEX).bearer(token).send().status;
    for token in [&before, &at, &within, &after, &undated] {
        send(token).expect_status(200);
    }
    assert_eq!((globex(&others), globex(&others_undated)), (200, 200));

    lists.serve(&list(2, &[], &json!([{"client": "acme", "issued_until": date(until)}])));
    wait_until("the revocation", || send(&before).status == 401);
    for token in [&before, &at, &undated] {
        expect_error(&send(token), 401, "invalid-token");
    }
    for token in [&within, &after] {
        send(token).expect_status(200);
    }
    assert_eq!((globex(&others), globex(&others_undated)), (200, 200), "another vendor");
    // no cache was asked
    for issued in [json!(until - 1), json!(until), Value::Null] {
        expect_error(&send(&of("acme", issued)), 401, "invalid-token");
    }
    send(&of("acme", json!(until + 1))).expect_status(200);

    // a later moment, in seconds, and one given twice: the later one counts
    let twice =
        json!([{"client": "acme", "issued_until": until + 1}, {"client": "acme", "issued_until": until - 1_000}]);
    lists.serve(&list(3, &[], &twice));
    wait_until("the revocation", || send(&after).status == 401);
    expect_error(&send(&within), 401, "invalid-token");
}

#[test]
fn bad_list_keeps_what_was_revoked() {
    let (lists, upstream, gateway) = gateway(&list(7, &["bad"], &json!([])), &json!({"timeout": "300ms"}), 1);
    let (bad, good) = (token("acme").claim("jti", "bad").sign(), token("acme").sign());
    let send = |token: &str| with_key(&gateway, "/data", ACME).bearer(token).send().status;
    let empty = list(8, &[], &json!([]));
    let with_vendor = |vendor: Value| Answer::json(&list(8, &[], &json!([vendor])));
    assert_eq!((send(&good), send(&bad)), (200, 401));
    let mut cases = bad_answers(&empty, 17 << 20);
    cases.extend([
        ("a token that is no text", Answer::json(&json!({"version": 8, "tokens": [1]}))),
        ("a vendor without a moment", with_vendor(json!({"client": "acme"}))),
        ("a moment that is none", with_vendor(json!({"client": "acme", "issued_until": "now"}))),
    ]);
    let passed = 1 + cases.len();
    let check = |case: &str| assert_eq!((send(&good), send(&bad)), (200, 401), "{case}");
    refuse_each(&gateway, &lists, cases, check, |nth| {
        let mark = token("acme").claim("jti", format!("mark-{nth}")).sign();
        lists.serve(&list(7, &["bad", &format!("mark-{nth}")], &json!([])));
        wait_until("a good list", || send(&mark) == 401);
    });
    assert!(upstream.seen().len() >= passed);
    lists.serve(&empty);
    wait_until("the newer version", || send(&bad) == 200);
}

#[test]
fn missing_or_stale_list_fails_closed_for_tokens_and_for_nothing_else() {
    let (lists, upstream) = (KeyServer::start(&list(1, &[], &json!([]))), Upstream::start());
    lists.answer(Answer::new(500));
    let gateway = Gateway::builder().config(revoking(&json!({"max_stale": "2s"}))).auth(lists.port());
    let gateway = gateway.upstream(upstream.port()).start();
    let cached = token("acme").sign();
    let send = |token: &str| with_key(&gateway, "/data", ACME).bearer(token).send();
    expect_error(&send(&cached), 503, "unavailable");
    assert_eq!(upstream.heads(), 0);
    with_key(&gateway, "/key", ACME).send().expect_status(200);

    lists.serve(&list(1, &[], &json!([])));
    wait_until("the first list", || send(&cached).status == 200);
    refuse(&gateway, &lists, Answer::new(500));
    send(&cached).expect_status(200);

    wait_until("the list to be stale", || send(&cached).status == 503);
    expect_error(&send(&cached), 503, "unavailable");
    expect_error(&send(&token("acme").sign()), 503, "unavailable");
    // what needs no list is told all the same
    expect_error(&send("nonsense"), 401, "invalid-token");
    expect_error(&with_key(&gateway, "/data", ACME).send(), 401, "unauthorized");
    expect_error(&with_key(&gateway, "/data", "wrong").bearer(&cached).send(), 403, "Forbidden");
    with_key(&gateway, "/key", ACME).send().expect_status(200);
    gateway.get("/open/a").send().expect_status(200);

    lists.serve(&list(1, &[], &json!([])));
    wait_until("the list", || send(&cached).status == 200);
}

#[test]
fn inline_list_revokes_from_the_start() {
    let mut policy = policy();
    let until = now() - 100;
    policy["issuers"][0]["revocations"] =
        json!({"inline": {"tokens": ["bad"], "clients": [{"client": "globex", "issued_until": date(until)}]}});
    let (upstream, gateway) = start(policy);
    let send = |key: &str, token: &crate::support::Token| with_key(&gateway, "/data", key).bearer(token.sign()).send();

    expect_error(&send(ACME, &token("acme").claim("jti", "bad")), 401, "invalid-token");
    expect_error(&send(GLOBEX, &token("globex").claim("iat", until)), 401, "invalid-token");
    expect_error(&send(GLOBEX, &token("globex").claim("iat", Value::Null)), 401, "invalid-token");
    assert_eq!(upstream.heads(), 0);
    send(ACME, &token("acme")).expect_status(200);
    send(ACME, &token("acme").claim("jti", Value::Null)).expect_status(200);
    send(GLOBEX, &token("globex")).expect_status(200);
}

fn list(version: u64, tokens: &[&str], vendors: &Value) -> Value {
    json!({"version": version, "tokens": tokens, "clients": vendors})
}

fn revoking(extra: &Value) -> Value {
    let mut policy = policy();
    policy["issuers"][0]["revocations"] = json!({"remote": remote("revocations.json", extra)});
    policy
}

fn gateway(list: &Value, extra: &Value, workers: u32) -> (KeyServer, Upstream, Gateway) {
    start_remote(list, revoking(extra), workers)
}
