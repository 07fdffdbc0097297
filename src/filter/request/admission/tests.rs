#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::answer::denial::Denial;
use crate::filter::document::DocumentId;
use crate::filter::request::testing::{End, ISSUER, START, Stack, key, token};

/// The list of keys over the network.
fn remote() -> Value {
    json!({"remote": {"uri": "https://a/keys", "cluster": "auth", "refresh": "1m", "max_stale": "1h", "cooldown": "1s"}})
}

#[track_caller]
fn verdict(key: &str, token: &str, expected: &str) {
    let mut stack = Stack::new(&[]);
    assert_eq!(stack.get(key, token).verdict(), expected, "{key} {token}");
}

#[test]
fn wrong_key_wins_over_a_wrong_token() {
    let good = token(&json!({}));
    verdict("acme1", &good, "pass");
    for wrong in ["", "nobody", "acme", "acme1,key-acme1"] {
        for any in ["", "x", good.as_str()] {
            verdict(wrong, any, "key-refused");
        }
    }
    verdict("acme1", "", "token-missing");
    verdict("acme1", "a.b.c", "token-invalid");
    verdict("acme1", &token(&json!({"exp": START.secs() - 60})), "token-expired");
    verdict("acme1", &token(&json!({"districts": null})), "token-invalid");
}

#[test]
fn doubled_key_is_refused() {
    let mut stack = Stack::new(&[]);
    for other in ["x-api-key", "X-API-KEY", "x_api_key"] {
        let exchange = stack.send("GET", "/plain", "acme1", "", &[(other, "key-acme1")], true);
        assert_eq!(exchange.verdict(), "key-refused", "{other}");
    }
}

#[test]
fn key_and_token_belong_to_one_client() {
    verdict("globex", &token(&json!({})), "client-mismatch");
    verdict("acme1", &token(&json!({"client": "globex"})), "client-mismatch");
    verdict("globex", &token(&json!({"client": "globex"})), "pass");
}

#[test]
fn key_is_charged_before_the_token_is_looked_at() {
    let mut stack = Stack::new(&[]);
    let exchange = stack.get("acme1", "a.b.c");
    // The client pays for the guess, not the address.
    assert_eq!(exchange.trace, ["rate+cost+dayx1/1"]);
    for _ in 0..4 {
        assert_eq!(stack.get("acme1", "a.b.c").verdict(), "token-invalid");
    }
    let spent = stack.get("acme1", &token(&json!({})));
    assert_eq!(spent.verdict(), "limit-reached");
    assert!(!spent.trace.contains(&"verify".to_owned()));
}

#[test]
fn key_pays_the_weight_where_the_head_tells_no_cost() {
    let cost = json!({"weight": 3, "times": {"query": "limit", "default": 1}});
    for (path, charged, expected) in
        [("/plain?limit=4", "rate+cost+dayx1/12", "pass"), ("/plain?limit=x", "rate+cost+dayx1/3", "malformed-request")]
    {
        let mut stack = Stack::new(&[("/routes/2/cost", cost.clone())]);
        let exchange = stack.send("GET", path, "acme1", &token(&json!({})), &[], true);
        assert_eq!((exchange.trace[0].as_str(), exchange.verdict()), (charged, expected), "{path}");
    }
}

#[test]
fn refused_keys_are_charged_to_the_address() {
    let mut stack = Stack::new(&[]);
    for _ in 0..3 {
        assert_eq!(stack.get("nobody", "").verdict(), "key-refused");
    }
    assert_eq!(stack.get("nobody", "").verdict(), "limit-reached");
    // Who has a key is no guesser, also behind the same address.
    assert_eq!(stack.get("acme1", &token(&json!({}))).verdict(), "pass");
}

#[test]
fn keys_in_rotation_share_one_budget() {
    let mut stack = Stack::new(&[]);
    let token = token(&json!({}));
    for nth in 0..5 {
        assert_eq!(stack.get(if nth % 2 == 0 { "acme1" } else { "acme2" }, &token).verdict(), "pass");
    }
    assert_eq!(stack.get("acme1", &token).verdict(), "limit-reached");
    assert_eq!(stack.get("acme2", &token).verdict(), "limit-reached");
}

#[test]
fn daily_quota_ends_at_midnight_utc() {
    let mut stack =
        Stack::new(&[("/tiers/starter", json!({"limits": [{"name": "day", "requests": 2, "per": "day"}]}))]);
    let token = token(&json!({}));
    // A second before midnight.
    stack.sleep(12 * 3600 - 1);
    assert_eq!(stack.get("acme1", &token).verdict(), "pass");
    assert_eq!(stack.get("acme2", &token).verdict(), "pass");
    let End::Deny(Denial::LimitReached(limit)) = stack.get("acme1", &token).end else { panic!("not refused") };
    assert_eq!(limit.retry_after.as_secs(), 1);
    stack.sleep(1);
    assert_eq!(stack.get("acme1", &token).verdict(), "pass");
}

#[test]
fn permissions_of_the_route_are_required() {
    let mut stack = Stack::new(&[]);
    for (permissions, expected) in [(json!([]), "permission-missing"), (json!(["READ"]), "permission-missing")] {
        let token = token(&json!({"permissions": permissions}));
        assert_eq!(stack.students("acme1", &token, "{}").verdict(), expected);
    }
    assert_eq!(stack.students("acme1", &token(&json!({"permissions": ["read"]})), r#"{"d":"d1"}"#).verdict(), "pass");
}

#[test]
fn revoked_token_is_refused_also_from_the_cache() {
    verdict("acme1", &token(&json!({"jti": "void"})), "token-revoked");
    let mut stack = Stack::new(&[("/issuers/0/revocations", remote())]);
    let id = DocumentId::Revocations(0);
    let good = token(&json!({}));
    stack.fetch(id, 1, &json!({"version": 1}));
    assert_eq!(stack.get("acme1", &good).verdict(), "pass");
    let cached = stack.get("acme1", &good);
    assert_eq!((cached.verdict(), cached.trace.len()), ("pass", 1));
    stack.fetch(id, 2, &json!({"version": 2, "tokens": ["t1"]}));
    assert_eq!(stack.get("acme1", &good).verdict(), "token-revoked");
    // Void up to the moment at which it was issued; and without that moment, whenever.
    let until = |secs: u64| json!({"version": 3, "clients": [{"client": "acme", "issued_until": secs}]});
    stack.fetch(id, 3, &until(START.secs() - 10));
    assert_eq!(stack.get("acme1", &good).verdict(), "token-revoked");
    stack.fetch(id, 4, &until(START.secs() - 11));
    stack.sleep(60);
    assert_eq!(stack.get("acme1", &good).verdict(), "pass");
    assert_eq!(stack.get("acme1", &token(&json!({"iat": null}))).verdict(), "token-invalid");
}

#[test]
fn stale_revocations_fail_closed() {
    let mut stack = Stack::new(&[("/issuers/0/revocations", remote())]);
    let good = token(&json!({"exp": START.secs() + 100_000}));
    // None yet: the request waits for the first list.
    let mut waiting = stack.get("acme1", &good);
    assert_eq!(waiting.verdict(), "waits");
    stack.fetch(DocumentId::Revocations(0), 1, &json!({"version": 1}));
    stack.tick(&mut waiting);
    assert_eq!(waiting.verdict(), "pass");
    stack.sleep(3_599);
    assert_eq!(stack.get("acme1", &good).verdict(), "pass");
    stack.sleep(1);
    let mut late = stack.get("acme1", &good);
    assert_eq!(late.verdict(), "waits");
    stack.sleep(10);
    stack.tick(&mut late);
    assert_eq!(late.verdict(), "keys-unavailable");
}

#[test]
fn keys_come_and_go_with_the_remote_list() {
    let mut stack = Stack::new(&[("/api_keys", remote())]);
    let good = token(&json!({}));
    let mut waiting = stack.get("new", &good);
    assert_eq!(waiting.verdict(), "waits");
    // No key at all is none of any list: it takes no place of those who wait.
    assert_eq!(stack.get("", &good).verdict(), "key-refused");
    assert_eq!(stack.worker.waiting, 1);
    stack.fetch(DocumentId::ApiKeys, 1, &json!({"version": 1, "keys": [key("old", "acme", "starter")]}));
    stack.tick(&mut waiting);
    assert_eq!(waiting.verdict(), "key-refused");
    assert_eq!(stack.get("old", &good).verdict(), "pass");
    stack.fetch(DocumentId::ApiKeys, 2, &json!({"version": 2, "keys": [key("new", "acme", "starter")]}));
    assert_eq!(stack.get("new", &good).verdict(), "pass");
    assert_eq!(stack.get("old", &good).verdict(), "key-refused");
    // A tier that is not configured is nobody's tier.
    stack.fetch(DocumentId::ApiKeys, 3, &json!({"version": 3, "keys": [key("new", "acme", "gold")]}));
    assert_eq!(stack.get("new", &good).verdict(), "tier-unknown");
}

#[test]
fn failed_logins_have_a_limit_that_a_good_login_gives_back() {
    let mut stack = Stack::new(&[]);
    for _ in 0..4 {
        let mut login = stack.login("acme1");
        assert_eq!(login.verdict(), "pass");
        stack.reply(&mut login, 200, None);
    }
    let mut stack = Stack::new(&[]);
    // Charged before anything comes back: of a parallel burst two get through.
    let burst: Vec<_> = (0..4).map(|_| stack.login("acme1").verdict()).collect();
    assert_eq!(burst, ["pass", "pass", "limit-reached", "limit-reached"]);
    // Another key of the client has its own; the client's budget has paid for all of them.
    assert_eq!(stack.login("acme2").verdict(), "pass");
    let mut stack = Stack::new(&[]);
    for status in [401, 503] {
        let mut login = stack.login("acme1");
        stack.reply(&mut login, status, None);
    }
    assert_eq!(stack.login("acme1").verdict(), "limit-reached");
}

#[test]
fn upstream_is_told_the_client_and_its_tier() {
    let mut stack = Stack::new(&[]);
    let End::Pass(login) = stack.login("acme2").end else { panic!("refused") };
    let key = login.key.unwrap();
    assert_eq!((key.id.as_str(), key.client.as_str(), login.tier), ("acme2", "acme", Some(1)));
    assert!(login.caller.is_none());
    let exchange = stack.get("acme1", &token(&json!({})));
    assert_eq!(exchange.request.cost(), 1);
    let End::Pass(data) = exchange.end else { panic!("refused") };
    let caller = data.caller.unwrap();
    assert_eq!(caller.districts.as_ref().unwrap().header(), b"d1");
    assert_eq!(caller.permissions.as_ref().unwrap().header(), b"read,write");
    assert_eq!(caller.schools.as_ref().unwrap().header(), b"s1");
}

#[test]
fn issuer_is_that_of_the_clients() {
    let stack = Stack::new(&[]);
    let keys = stack.worker.config.api_keys.as_ref().unwrap();
    assert_eq!(keys.issuer, Some(0));
    assert_eq!(stack.worker.config.issuers[0].rules.issuer, ISSUER);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is presented in whatever order: a client's requests that are not refused for its limits are at most
    /// its burst, however its keys are mixed.
    #[test]
    fn no_mix_of_keys_and_tokens_exceeds_the_budget(picks in proptest::collection::vec((0..3_usize, 0..3_usize), 1..30)) {
        let mut stack = Stack::new(&[]);
        let tokens = [token(&json!({})), "a.b.c".to_owned(), String::new()];
        let keys = ["acme1", "acme2", "nobody"];
        let mut admitted = 0;
        for (nth_key, nth_token) in picks {
            let exchange = stack.get(keys[nth_key], &tokens[nth_token]);
            match exchange.verdict() {
                "key-refused" => prop_assert_eq!(nth_key, 2),
                "limit-reached" => {}
                verdict => {
                    prop_assert!(nth_key < 2);
                    prop_assert_eq!(verdict, ["pass", "token-invalid", "token-missing"][nth_token]);
                    admitted += 1;
                }
            }
        }
        prop_assert!(admitted <= 5);
    }
}
