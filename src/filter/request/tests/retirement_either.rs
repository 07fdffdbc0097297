//! A key or a token, exactly one: which counts, what a key opens alone, and whose budgets it draws on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::filter::document::DocumentId;
use crate::filter::request::testing::{End, Exchange, Stack, key, token};
use crate::http::head::Head;

/// A key of this id and client that opens this alone.
fn opening(id: &str, client: &str, grants: &Value) -> Value {
    let mut key = key(id, client, "starter");
    key.as_object_mut().unwrap().append(&mut grants.as_object().unwrap().clone());
    key
}

/// Keys: `old` of `acme` for the district `d1` and the school `s9`; `bare`, which lists nothing; `none`, which opens nothing.
fn api_keys() -> Value {
    json!({"basic": true, "inline": {"keys": [
        opening("old", "acme", &json!({"districts": ["d1"], "schools": ["s9"]})),
        opening("bare", "acme", &json!({})),
        opening("none", "acme", &json!({"districts": []})),
        opening("other", "globex", &json!({"districts": ["d2"]})),
    ]}})
}

fn stack(changes: &[(&str, Value)]) -> Stack {
    let either = json!(["bearer", "api_key"]);
    let scope = json!({"districts": {"query": "d", "missing": "allow"}, "schools": {"query": "s", "missing": "allow"},
                       "require_one": false});
    let all = [
        ("/api_keys", api_keys()),
        ("/issuers/0/default_tier", json!("starter")),
        (
            "/routes",
            json!([
                {"match": {"path": "/key"}, "require": ["api_key"]},
                {"match": {"path": "/body", "methods": ["POST"]}, "require_any": either,
                 "scope": {"districts": {"body": "/d", "missing": "allow"}}},
                {"match": {"path": "/"}, "require_any": either, "scope": scope},
            ]),
        ),
    ];
    Stack::new(&[&all, changes].concat())
}

fn basic(text: &str) -> (&'static str, String) {
    ("authorization", format!("Basic {}", STANDARD.encode(text)))
}

fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

fn header(key: &str) -> (&'static str, String) {
    ("x-api-key", key.to_owned())
}

fn get(stack: &mut Stack, path: &str, headers: &[(&str, String)]) -> Exchange {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    stack.send("GET", path, "", "", &headers, true)
}

#[track_caller]
fn check(headers: &[(&str, String)], verdict: &str) {
    assert_eq!(get(&mut stack(&[]), "/a", headers).verdict(), verdict, "{headers:?}");
}

#[test]
fn exactly_one_credential_is_shown() {
    let good = token(&json!({}));
    for one in [header("key-old"), basic("key-old:"), bearer(&good)] {
        check(&[one], "pass");
    }
    check(&[], "token-missing");
    for two in [
        // a key and a token, good or bad, of either order
        vec![header("key-old"), bearer(&good)],
        vec![bearer(&good), header("key-old")],
        vec![header("key-old"), bearer("x")],
        vec![header("nobody"), bearer(&good)],
        vec![header(""), bearer(&good)],
        vec![("x_api_key", "key-old".to_owned()), bearer(&good)],
        // a key and another scheme, or nothing that could be read
        vec![header("key-old"), ("authorization", "Digest x".to_owned())],
        vec![header("key-old"), ("authorization", String::new())],
        // two keys, alike or not
        vec![header("key-old"), header("key-old")],
        vec![header("key-old"), header("key-other")],
        vec![header("key-old"), ("x_api_key", "key-old".to_owned())],
        vec![header("key-old,key-old")],
        vec![header("key-old"), basic("key-old:")],
        vec![header("key-old"), basic("x:y")],
        // two of Authorization, also joined
        vec![basic("key-old:"), basic("key-old:")],
        vec![basic("key-old:"), bearer(&good)],
        vec![bearer(&good), bearer(&good)],
        vec![("authorization", format!("Bearer {good},{}", basic("key-old:").1))],
        vec![("authorization", format!("{}, Bearer {good}", basic("key-old:").1))],
    ] {
        check(&two, "credentials-ambiguous");
    }
}

#[test]
fn wrong_key_is_invalid_and_charged_to_the_address() {
    for wrong in [
        // unknown, empty, in another spelling of the header
        header("nobody"),
        header(""),
        ("x_api_key", "key-old".to_owned()),
        // a password, no colon, two of them, no user, no base64, unknown
        basic("key-old:secret"),
        basic("key-old"),
        basic("key-old::"),
        basic(":"),
        basic("nobody:"),
        ("authorization", "Basic !".to_owned()),
        ("authorization", "Basic".to_owned()),
    ] {
        let mut stack = stack(&[]);
        for _ in 0..3 {
            assert_eq!(get(&mut stack, "/a", std::slice::from_ref(&wrong)).verdict(), "key-invalid", "{wrong:?}");
        }
        assert_eq!(get(&mut stack, "/a", std::slice::from_ref(&wrong)).verdict(), "limit-reached", "{wrong:?}");
        assert_eq!(get(&mut stack, "/a", &[header("key-old")]).verdict(), "pass", "who has a key is no guesser");
    }
    let mut stack = stack(&[("/authentication_failures", json!("off"))]);
    assert_eq!(get(&mut stack, "/a", &[header("nobody")]).verdict(), "key-invalid");
}

#[test]
fn basic_counts_only_where_configured() {
    let mut keys = api_keys();
    keys["basic"] = json!(false);
    let mut stack = stack(&[("/api_keys", keys)]);
    // Another scheme than Bearer, as ever.
    assert_eq!(get(&mut stack, "/a", &[basic("key-old:")]).verdict(), "token-invalid");
    assert_eq!(get(&mut stack, "/key", &[basic("key-old:")]).verdict(), "key-refused");
    assert_eq!(get(&mut stack, "/a", &[header("key-old"), basic("key-old:")]).verdict(), "credentials-ambiguous");
    // Where a key is required, its header and Basic are two keys.
    let mut stack = self::stack(&[]);
    assert_eq!(get(&mut stack, "/key", &[basic("key-old:")]).verdict(), "pass");
    assert_eq!(get(&mut stack, "/key", &[header("key-old"), basic("key-old:")]).verdict(), "key-refused");
    assert_eq!(get(&mut stack, "/key", &[header("key-old"), bearer("x")]).verdict(), "pass");
}

#[test]
fn key_opens_what_is_listed_and_nothing_else() {
    for (path, verdict) in [
        ("/a", "pass"),
        ("/a?d=d1", "pass"),
        ("/a?s=s9", "pass"),
        ("/a?d=d1&s=s9", "pass"),
        ("/a?d=d2", "district-out-of-scope"),
        // The district opens these schools to tokens, by the configuration; not to a key.
        ("/a?s=s11", "school-out-of-scope"),
        ("/a?d=d1&s=s12", "school-out-of-scope"),
        ("/a?s=s1", "school-out-of-scope"),
        ("/a?s=", "malformed-request"),
        ("/a?s=s9&s=s11", "school-out-of-scope"),
        ("/a?s=s9&S=s11", "malformed-request"),
    ] {
        assert_eq!(get(&mut stack(&[]), path, &[header("key-old")]).verdict(), verdict, "{path}");
    }
    assert_eq!(get(&mut stack(&[]), "/a?s=s11", &[bearer(&token(&json!({})))]).verdict(), "pass", "a token");
    // A list without an entry opens nothing, no list not even the route.
    assert_eq!(get(&mut stack(&[]), "/a", &[header("key-none")]).verdict(), "pass");
    assert_eq!(get(&mut stack(&[]), "/a?d=d1", &[header("key-none")]).verdict(), "district-out-of-scope");
    assert_eq!(get(&mut stack(&[]), "/a", &[header("key-bare")]).verdict(), "key-refused");
    assert_eq!(get(&mut stack(&[]), "/a", &[basic("key-bare:")]).verdict(), "key-refused");
    assert_eq!(get(&mut stack(&[]), "/key", &[header("key-bare")]).verdict(), "pass", "where keys need no grants");
}

#[test]
fn upstream_is_told_of_a_key_as_of_a_token() {
    let End::Pass(forward) = get(&mut stack(&[]), "/a", &[header("key-old")]).end else { panic!("refused") };
    let caller = forward.caller.as_ref().unwrap();
    let header_of =
        |ids: &Option<crate::credentials::ids::Ids>| String::from_utf8(ids.as_ref().unwrap().header().to_vec());
    assert_eq!(caller.client, "acme");
    assert_eq!(header_of(&caller.districts).unwrap(), "d1");
    assert_eq!(header_of(&caller.schools).unwrap(), "s9");
    assert!(caller.permissions.is_none() && forward.key_alone);
    assert_eq!(forward.key.as_ref().map(|key| key.client.as_str()), Some("acme"));
    // Both lists are told, also where one is not given: the upstream sees none that is absent.
    let End::Pass(forward) = get(&mut stack(&[]), "/a", &[header("key-other")]).end else { panic!("refused") };
    assert_eq!(header_of(&forward.caller.as_ref().unwrap().schools).unwrap(), "");
    let End::Pass(forward) = get(&mut stack(&[]), "/a", &[bearer(&token(&json!({})))]).end else { panic!("refused") };
    assert!(!forward.key_alone && forward.key.is_none());
}

#[test]
fn list_that_is_too_long_is_refused() {
    let longest = |bytes: u32| json!({"max_schools_bytes": bytes});
    for (bytes, verdict) in [(1, "schools-too-long"), (2, "pass")] {
        let mut stack = stack(&[("/forward", longest(bytes))]);
        assert_eq!(get(&mut stack, "/a", &[header("key-old")]).verdict(), verdict, "{bytes}");
    }
}

#[test]
fn key_and_tokens_of_an_client_share_its_budgets() {
    let mut stack = stack(&[]);
    let good = token(&json!({}));
    let shown = [header("key-old"), basic("key-old:"), bearer(&good), header("key-none"), bearer(&good)];
    for one in &shown {
        assert_eq!(get(&mut stack, "/a", std::slice::from_ref(one)).verdict(), "pass");
    }
    for one in &shown {
        assert_eq!(get(&mut stack, "/a", std::slice::from_ref(one)).verdict(), "limit-reached");
    }
    assert_eq!(get(&mut stack, "/a", &[header("key-other")]).verdict(), "pass", "another client");
}

#[test]
fn key_is_charged_once_before_its_scope_is_told() {
    let exchange = get(&mut stack(&[]), "/a?d=d2", &[header("key-old")]);
    assert_eq!(
        (exchange.verdict(), exchange.trace.as_slice()),
        ("district-out-of-scope", &["rate+cost+dayx1/1".to_owned()][..])
    );
    // The guard is for tokens that must be verified.
    let exchange = get(&mut stack(&[]), "/a", &[bearer(&token(&json!({})))]);
    assert_eq!(exchange.trace.len(), 3, "{:?}", exchange.trace);
}

#[test]
fn body_is_judged_for_a_key_as_for_a_token() {
    let headers = [("x-api-key", "key-old"), ("content-type", "application/json")];
    for (body, verdict) in
        [(r#"{"d": "d1"}"#, "pass"), (r#"{"d": "d2"}"#, "district-out-of-scope"), ("[", "body-malformed")]
    {
        let mut stack = stack(&[]);
        let mut exchange = stack.send("POST", "/body", "", "", &headers, false);
        assert_eq!(exchange.verdict(), "body");
        stack.body(&mut exchange, body.as_bytes());
        assert_eq!(exchange.verdict(), verdict, "{body}");
    }
}

#[test]
fn key_that_ends_while_its_body_comes_is_invalid() {
    let mut dated = opening("dated", "acme", &json!({"districts": ["d1"]}));
    dated["not_after"] = json!("2026-05-31T12:00:05Z");
    let mut stack = stack(&[("/api_keys/inline", json!({"keys": [dated]}))]);
    let headers = [("x-api-key", "key-dated"), ("content-type", "application/json")];
    let mut exchange = stack.send("POST", "/body", "", "", &headers, false);
    stack.sleep(5);
    stack.body(&mut exchange, br#"{"d": "d1"}"#);
    assert_eq!(exchange.verdict(), "key-invalid");
}

#[test]
fn list_of_keys_is_waited_for_only_where_a_key_is_shown() {
    let remote =
        json!({"uri": "https://a/keys", "cluster": "auth", "refresh": "1m", "max_stale": "1h", "cooldown": "1s"});
    let mut stack = stack(&[("/api_keys", json!({"basic": true, "remote": remote}))]);
    assert_eq!(get(&mut stack, "/a", &[bearer(&token(&json!({})))]).verdict(), "pass");
    assert_eq!(get(&mut stack, "/a", &[]).verdict(), "token-missing");
    assert_eq!(get(&mut stack, "/a", &[header("k"), header("k")]).verdict(), "credentials-ambiguous");
    let mut waits = [header("key-old"), basic("key-old:"), header("nobody")].map(|one| get(&mut stack, "/a", &[one]));
    assert!(waits.iter().all(|exchange| exchange.verdict() == "waits"));
    let list = json!({"version": 1, "keys": [opening("old", "acme", &json!({"districts": ["d1"]}))]});
    stack.fetch(DocumentId::ApiKeys, 1, &list);
    for (exchange, verdict) in waits.iter_mut().zip(["pass", "pass", "key-invalid"]) {
        stack.tick(exchange);
        assert_eq!(exchange.verdict(), verdict);
    }
}

#[test]
fn key_alone_opens_to_a_slow_body_what_it_opened_to_the_head() {
    let remote =
        json!({"uri": "https://a/keys", "cluster": "auth", "refresh": "1m", "max_stale": "1h", "cooldown": "1s"});
    let listed = |tier: &str, district: &str| {
        let mut key = opening("old", "acme", &json!({"districts": ["d1", district]}));
        key["tier"] = json!(tier);
        key
    };
    // The same; another tier; another district.
    for (key, verdict) in [
        (listed("starter", "d3"), "pass"),
        (listed("open", "d3"), "key-invalid"),
        (listed("starter", "d4"), "key-invalid"),
    ] {
        let mut stack = stack(&[("/api_keys", json!({"remote": remote}))]);
        stack.fetch(DocumentId::ApiKeys, 1, &json!({"version": 1, "keys": [listed("starter", "d3")]}));
        let headers = [("x-api-key", "key-old"), ("content-type", "application/json")];
        let mut exchange = stack.send("POST", "/body", "", "", &headers, false);
        assert_eq!(exchange.verdict(), "body");
        stack.fetch(DocumentId::ApiKeys, 2, &json!({"version": 2, "keys": [key]}));
        stack.body(&mut exchange, br#"{"d": "d1"}"#);
        assert_eq!(exchange.verdict(), verdict, "{key}");
    }
}

#[test]
fn basic_is_removed_wherever_it_may_hold_a_key() {
    let removed = |keys: Value, value: &str| {
        let worker = stack(&[("/api_keys", keys)]).worker;
        let head = Head::from_pairs(&[("x-other", "Basic x"), ("Authorization", value), ("x-api-key", "k")]);
        let names: Vec<_> = worker.strip.names_to_remove(&head).map(<[u8]>::to_vec).collect();
        (names.contains(&b"Authorization".to_vec()), names.contains(&b"x-api-key".to_vec()))
    };
    for (basic, forward, expected) in
        [(true, false, (true, true)), (true, true, (false, false)), (false, false, (false, true))]
    {
        let mut keys = api_keys();
        (keys["basic"], keys["forward"]) = (json!(basic), json!(forward));
        for value in ["Basic a2V5Og==", "basic x", "BASIC", "Basic user:password", "Bearer x, Basic y"] {
            assert_eq!(removed(keys.clone(), value), expected, "{basic} {forward} {value}");
        }
        assert!(!removed(keys, "Bearer x").0, "tokens go by `forward.authorization`");
    }
}
