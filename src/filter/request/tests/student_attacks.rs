//! Attacks on the Student Data API: what a client, a leaked credential or a stranger may try.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use serde_json::{Value, json};

use crate::filter::document::DocumentId;
use crate::filter::request::Event;
use crate::filter::request::testing::{START, Stack, key, token};
use crate::values::time::Timestamp;

fn remote() -> Value {
    json!({"remote": {"uri": "https://a/list", "cluster": "auth", "refresh": "1m", "max_stale": "1h", "cooldown": "1s"}})
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// A request whose body is slow: meanwhile its credentials are withdrawn.
#[track_caller]
fn check_slow_body(meanwhile: impl FnOnce(&mut Stack), claims: &Value, expected: &str) {
    let mut stack = Stack::new(&[("/api_keys", remote()), ("/issuers/0/revocations", remote())]);
    let list = json!({"version": 1, "keys": [key("acme1", "acme", "starter")]});
    stack.fetch(DocumentId::ApiKeys, 1, &list);
    stack.fetch(DocumentId::Revocations(0), 1, &json!({"version": 1}));
    let mut exchange = stack.send("POST", "/students", "acme1", &token(claims), &JSON, false);
    assert_eq!(exchange.verdict(), "body");
    meanwhile(&mut stack);
    stack.run(&mut exchange, Event::Body(br#"{"d":"d1"}"#));
    assert_eq!(exchange.verdict(), expected);
}

#[test]
fn slow_body_does_not_outlive_its_credentials() {
    let none = json!({});
    check_slow_body(|stack| stack.sleep(50), &none, "pass");
    // the token is revoked, by itself and with its client's
    let revoked = json!({"version": 2, "tokens": ["t1"]});
    check_slow_body(|stack| stack.fetch(DocumentId::Revocations(0), 2, &revoked), &none, "token-revoked");
    let client = json!({"version": 2, "clients": [{"client": "acme", "issued_until": START.secs()}]});
    check_slow_body(|stack| stack.fetch(DocumentId::Revocations(0), 2, &client), &none, "token-revoked");
    // the token expires
    let short = json!({"exp": START.secs() + 20});
    check_slow_body(|stack| stack.sleep(10), &short, "pass");
    check_slow_body(|stack| stack.sleep(60), &short, "token-expired");
    // the key is removed, or now another client's
    let others = json!({"version": 2, "keys": [key("other", "acme", "starter")]});
    check_slow_body(|stack| stack.fetch(DocumentId::ApiKeys, 2, &others), &none, "key-refused");
    let moved = json!({"version": 2, "keys": [key("acme1", "globex", "starter")]});
    check_slow_body(|stack| stack.fetch(DocumentId::ApiKeys, 2, &moved), &none, "key-refused");
    let same = json!({"version": 2, "keys": [key("acme1", "acme", "starter"), key("acme2", "acme", "starter")]});
    check_slow_body(|stack| stack.fetch(DocumentId::ApiKeys, 2, &same), &none, "pass");
    // beside a token a key opens nothing by itself: what it would open alone may change
    let richer = json!({"version": 2, "keys": [key("acme1", "acme", "open")]});
    check_slow_body(|stack| stack.fetch(DocumentId::ApiKeys, 2, &richer), &none, "pass");
    // nobody knows any more what is revoked
    check_slow_body(|stack| stack.sleep(3_600), &json!({"exp": START.secs() + 86_400}), "keys-unavailable");
}

#[test]
fn wait_for_revocations_does_not_outlive_the_key() {
    for (id, expected) in [("acme1", "pass"), ("other", "key-refused")] {
        let mut stack = Stack::new(&[("/api_keys", remote()), ("/issuers/0/revocations", remote())]);
        let list = |version: u64, id: &str| json!({"version": version, "keys": [key(id, "acme", "starter")]});
        stack.fetch(DocumentId::ApiKeys, 1, &list(1, "acme1"));
        let mut waiting = stack.get("acme1", &token(&json!({})));
        assert_eq!(waiting.verdict(), "waits");
        stack.fetch(DocumentId::ApiKeys, 2, &list(2, id));
        stack.fetch(DocumentId::Revocations(0), 1, &json!({"version": 1}));
        stack.tick(&mut waiting);
        assert_eq!(waiting.verdict(), expected);
    }
}

#[test]
fn head_in_other_spellings_tells_nothing_else_about_the_body() {
    let mut stack = Stack::new(&[]);
    let token = token(&json!({}));
    for (name, value) in [
        ("content_type", "application/x-www-form-urlencoded"),
        ("content.type", "application/json"),
        ("content_encoding", "gzip"),
        ("content_length", "3"),
        ("transfer_encoding", "chunked"),
    ] {
        stack.sleep(60);
        let headers = [JSON[0], (name, value)];
        let exchange = stack.send("POST", "/students", "acme1", &token, &headers, false);
        assert_eq!(exchange.verdict(), "body-unsupported", "{name}");
    }
    stack.sleep(60);
    let headers = [JSON[0], ("content-types", "a"), ("x-content-type", "b")];
    assert_eq!(stack.send("POST", "/students", "acme1", &token, &headers, false).verdict(), "body");
}

#[test]
fn client_without_an_issuer_is_nobodys_client() {
    use crate::limits::KeyKind;
    use crate::limits::key::LimitKey;
    let mut stack = Stack::new(&[]);
    stack.worker.config.api_keys.as_mut().unwrap().issuer = None;
    stack.worker.config.issuers[0].rules.issuer = "api-keys".to_owned();
    let list = json!({"version": 1, "keys": [key("a", "acme", "starter")]});
    let read = DocumentId::ApiKeys.read(&stack.worker.config, list.to_string().as_bytes()).unwrap();
    let crate::filter::document::Document::ApiKeys(list) = read else { panic!("no keys") };
    assert_ne!(list.find(b"key-a").unwrap().limit_keys.of(KeyKind::Client), LimitKey::client("api-keys", "acme"));
}

#[test]
fn clock_set_back_makes_no_list_younger() {
    let mut stack = Stack::new(&[("/issuers/0/revocations", remote())]);
    let good = token(&json!({"iat": START.secs() - 86_400, "exp": START.secs() + 86_400}));
    stack.fetch(DocumentId::Revocations(0), 1, &json!({"version": 1}));
    assert_eq!(stack.get("acme1", &good).verdict(), "pass");
    let mut set_back = |secs: u64, expected: &str| {
        stack.now = Timestamp::from_secs(START.secs() - secs);
        assert_eq!(stack.get("acme1", &good).verdict(), expected, "{secs}");
    };
    set_back(3_600, "pass");
    // The list would serve for that much longer, however often its fetch fails.
    set_back(3_601, "waits");
    set_back(43_200, "waits");
}
