//! Opaque tokens: which requests they open, beside JWTs on the same routes.

use serde_json::{Value, json};

use super::setup::{INLINE, district_tokens, good, grant, remote, signed};
use super::stack::{Exchange, Stack, head};
use crate::credentials::jwt::jose::Alg;
use crate::credentials::opaque::testing::{self, entry};
use crate::values::time::Timestamp;

/// A gateway that takes JWTs of [`INLINE`] and the tokens `a` and `b`.
fn stack() -> Stack {
    let mut stack = Stack::new(&[("/issuers/1", district_tokens()), ("/forward/max_schools_bytes", json!(200))]);
    stack.publish(1, &["a", "b"]);
    stack.tell();
    stack
}

/// The same with a list in the configuration.
fn inline(tokens: &[Value]) -> Stack {
    let issuer = json!({"issuer": "district-tokens", "tokens": {"inline": {"tokens": tokens}}});
    Stack::new(&[("/issuers/1", issuer), ("/forward/max_schools_bytes", json!(200))])
}

#[track_caller]
fn verdicts(stack: &mut Stack, cases: &[(&str, &str, &str)]) {
    for (path, token, verdict) in cases {
        let exchange = stack.get(path, token);
        assert_eq!(exchange.verdict(), *verdict, "{path} {token}: {}", exchange.steps());
        stack.sleep(60_000);
    }
}

/// What the upstream is told: client, districts, schools, tier.
fn told(exchange: &Exchange) -> (String, String, String, Option<usize>) {
    let forward = exchange.forward();
    let caller = forward.caller.as_ref().unwrap();
    let text = |ids: &Option<crate::credentials::ids::Ids>| {
        String::from_utf8(ids.as_ref().unwrap().header().to_vec()).unwrap()
    };
    assert!(caller.permissions.is_none());
    (caller.client.clone(), text(&caller.districts), text(&caller.schools), forward.tier)
}

#[test]
fn listed_token_opens_what_its_entry_says() {
    let expected = ("app".to_owned(), "d-a".to_owned(), "s-a".to_owned(), Some(0));
    assert_eq!(told(&stack().get("/plain", "a")), expected);
    assert_eq!(told(&inline(&[entry("a")]).get("/plain", "a")), expected);
}

#[test]
fn token_of_one_district_opens_no_other() {
    for mut stack in [stack(), inline(&[entry("a"), entry("b")])] {
        verdicts(
            &mut stack,
            &[
                ("/stats?school_id=s-a", "a", "pass"),
                ("/stats?school_id=s-b", "b", "pass"),
                ("/stats?school_id=s-b", "a", "school-out-of-scope"),
                ("/stats?school_id=s-a", "b", "school-out-of-scope"),
                ("/stats", "a", "school-missing"),
            ],
        );
    }
}

#[test]
fn district_of_a_token_opens_only_the_schools_of_its_entry() {
    let mut stack = Stack::new(&[
        ("/issuers/1", district_tokens()),
        ("/districts", json!({"d-a": ["s-a", "s-a2"]})),
        ("/forward/max_schools_bytes", json!(200)),
    ]);
    stack.publish(1, &["a"]);
    stack.tell();
    verdicts(
        &mut stack,
        &[("/stats?school_id=s-a", "a", "pass"), ("/stats?school_id=s-a2", "a", "school-out-of-scope")],
    );
}

#[test]
fn unknown_token_is_invalid_and_keeps_the_charge() {
    for (mut stack, steps) in [
        (stack(), "address, charge authentication-failures, lookup, deny token-invalid"),
        (inline(&[entry("a")]), "address, charge authentication-failures, deny token-invalid"),
    ] {
        for token in ["c", "A", &testing::hex("a"), "a=", &"x".repeat(20_000)] {
            let exchange = stack.get("/plain", token);
            assert_eq!(exchange.verdict(), "token-invalid", "{token}");
            assert!(token.len() > 1_000 || exchange.steps() == steps, "{}", exchange.steps());
            stack.sleep(60_000);
        }
        // three a minute
        for verdict in ["token-invalid", "token-invalid", "token-invalid", "limit-reached"] {
            assert_eq!(stack.get("/plain", "c").verdict(), verdict);
        }
        assert_eq!(stack.get("/plain", "a").verdict(), "limit-reached", "nor may it guess on");
    }
}

#[test]
fn good_token_gives_the_charge_back_and_is_cached() {
    let mut stack = stack();
    let steps = "address, charge authentication-failures, lookup, refund, charge minute+cost, pass";
    assert_eq!(stack.get("/plain", "a").steps(), steps);
    assert_eq!(stack.get("/plain", "a").steps(), "charge minute+cost, pass");
    // another list: looked up again, although it is the same entry
    stack.sleep(3_000);
    stack.publish(2, &["a"]);
    stack.tell();
    assert_eq!(stack.get("/plain", "a").steps(), steps);
    // the same list, fetched again: cached still
    stack.sleep(60_000);
    stack.publish(2, &["a"]);
    stack.tell();
    assert_eq!(stack.get("/plain", "a").steps(), "charge minute+cost, pass");
}

#[test]
fn token_and_jwt_work_on_one_route() {
    for mut stack in [stack(), inline(&[entry("a")])] {
        verdicts(&mut stack, &[("/plain", "a", "pass"), ("/plain", &good(), "pass"), ("/plain", "a", "pass")]);
        // a route of the other issuer takes none
        verdicts(&mut stack, &[("/inline-only", "a", "token-invalid"), ("/inline-only", &good(), "pass")]);
        // also where the token is cached
        assert_eq!(stack.get("/plain", "a").verdict(), "pass");
        assert_eq!(stack.get("/inline-only", "a").verdict(), "token-invalid");
    }
}

#[test]
fn jwt_of_a_known_issuer_is_never_looked_up() {
    let bad = super::setup::forged(&json!({}));
    let expired = signed(&json!({"exp": 1}));
    let named = signed(&json!({"iss": "district-tokens"}));
    let foreign = signed(&json!({"iss": "https://foreign.example/"}));
    let listed: Vec<Value> = [&bad, &expired, &named, &foreign].into_iter().map(|token| entry(token)).collect();
    let shorten = |mut entry: Value| {
        entry["district"] = json!("d");
        entry["schools"] = json!([]);
        entry
    };
    let listed: Vec<Value> = listed.into_iter().map(shorten).collect();
    let mut stack = stack();
    stack.sleep(60_000);
    stack.publish_entries(2, &listed);
    stack.tell();
    for mut stack in [stack, inline(&listed)] {
        verdicts(
            &mut stack,
            &[
                ("/plain", &bad, "token-invalid"),
                ("/plain", &expired, "token-expired"),
                // whose name is that of the list
                ("/plain", &named, "token-invalid"),
                // of nobody that is configured: a random string like any other
                ("/plain", &foreign, "pass"),
            ],
        );
    }
    assert!(good().contains('.') && signed(&json!({"iss": INLINE})) == good());
}

#[test]
fn dates_bind_to_the_second_also_in_the_cache() {
    let dated = || {
        let mut entry = entry("a");
        entry["not_before"] = json!("2026-05-31T12:00:10Z");
        entry["not_after"] = json!("2026-05-31T12:03:00Z");
        entry
    };
    let mut remote = stack();
    remote.sleep(3_000);
    remote.publish_entries(2, &[dated()]);
    remote.tell();
    for mut stack in [remote, inline(&[dated()])] {
        for (secs, verdict) in [
            (9, "token-invalid"),
            (10, "pass"),
            (150, "pass"),
            (179, "pass"),
            (180, "token-expired"),
            (500, "token-expired"),
        ] {
            stack.now = Timestamp::from_secs(super::setup::START.secs() + secs);
            assert_eq!(stack.get("/plain", "a").verdict(), verdict, "{secs}");
        }
        // to the microsecond
        stack.now = Timestamp::from_micros(Timestamp::from_secs(super::setup::START.secs() + 180).micros() - 1);
        assert_eq!(stack.get("/plain", "a").verdict(), "pass");
    }
}

#[test]
fn tier_is_bounded_by_the_issuer_and_the_configuration() {
    let of = |token: &str, tier: &str| {
        let mut entry = entry(token);
        entry["tier"] = json!(tier);
        entry
    };
    let mut stack = stack();
    stack.sleep(60_000);
    // the issuer grants `free` alone
    stack.publish_entries(2, &[of("a", "free"), of("b", "open"), of("c", "gold")]);
    stack.tell();
    verdicts(&mut stack, &[("/plain", "a", "pass"), ("/plain", "b", "tier-unknown"), ("/plain", "c", "tier-unknown")]);
}

#[test]
fn list_of_schools_that_no_header_holds_is_refused() {
    let mut many = entry("a");
    many["schools"] = (0..50).map(|n| format!("school-{n}")).collect();
    verdicts(&mut inline(&[many, entry("b")]), &[("/plain", "a", "schools-too-long"), ("/plain", "b", "pass")]);
    // to the byte
    let [mut fits, mut longer] = ["a", "b"].map(entry);
    fits["schools"] = json!(["s".repeat(200)]);
    longer["schools"] = json!(["s".repeat(201)]);
    verdicts(&mut inline(&[fits, longer]), &[("/plain", "a", "pass"), ("/plain", "b", "schools-too-long")]);
}

#[test]
fn token_longer_than_any_is_not_looked_up() {
    let [fits, longer] = [16_384, 16_385].map(|len| "t".repeat(len));
    let of = |token: &str| {
        let mut entry = entry(token);
        entry["district"] = json!("d");
        entry["schools"] = json!(["s"]);
        entry
    };
    verdicts(
        &mut inline(&[of(&fits), of(&longer)]),
        &[("/plain", &fits, "pass"), ("/plain", &longer, "token-invalid")],
    );
}

#[test]
fn new_token_opens_as_soon_as_any_worker_has_the_list() {
    let mut stack = stack();
    assert_eq!(stack.get("/plain", "c").verdict(), "token-invalid");
    stack.sleep(60_000);
    stack.publish(2, &["a", "c"]);
    // this worker has not ticked
    verdicts(&mut stack, &[("/plain", "c", "pass"), ("/plain", "b", "token-invalid"), ("/plain", "a", "pass")]);
}

#[test]
fn withdrawn_token_ends_with_the_list_also_in_the_cache() {
    let mut stack = stack();
    assert_eq!(stack.get("/plain", "b").verdict(), "pass");
    stack.sleep(60_000);
    stack.publish(2, &["a"]);
    stack.tell();
    verdicts(&mut stack, &[("/plain", "b", "token-invalid"), ("/plain", "a", "pass")]);
}

#[test]
fn list_that_is_missing_or_stale_opens_nothing() {
    let mut stack = Stack::new(&[("/issuers/1", district_tokens())]);
    let mut early = stack.get("/plain", "a");
    assert_eq!(early.steps(), "address, charge authentication-failures, await");
    stack.publish(1, &["a"]);
    stack.tell();
    stack.tick(&mut early);
    assert_eq!(early.verdict(), "pass");
    // an hour after the last good list, and a request that was cached until then
    stack.sleep(3_600_000 - 1);
    assert_eq!(stack.get("/plain", "a").verdict(), "pass");
    stack.sleep(1);
    assert_eq!(stack.get("/plain", "a").verdict(), "waits");
    stack.sleep(60_000);
    assert_eq!(stack.get("/plain", &signed(&json!({"exp": 4_000_000_000_u64}))).verdict(), "pass", "JWTs go on");
}

#[test]
fn shared_data_that_fails_lets_nothing_pass() {
    let mut stack = stack();
    stack.index.failing.after = Some(0);
    assert_eq!(stack.get("/plain", "a").verdict(), "unavailable");
    stack.index.failing.after = None;
    assert_eq!(stack.get("/plain", "a").verdict(), "pass");
}

#[test]
fn entry_of_the_tests_is_the_grant_of_the_tests() {
    let mut stack = stack();
    stack.sleep(60_000);
    stack.publish(2, &["known"]);
    stack.tell();
    let grant = grant();
    let told = told(&stack.get("/plain", "known"));
    assert_eq!((told.0, told.1, told.2), (grant.client, grant.district, grant.schools.concat()));
}

/// What becomes of a request whose head came before, and whose body comes after `change`.
#[track_caller]
fn check_slow_body(change: impl Fn(&mut Stack), expected: &str) {
    let route = json!({"match": {"path": "/plain", "methods": ["POST"]}, "scope": {"districts": {"body": "/d"}},
        "issuers": ["district-tokens"]});
    let mut stack = Stack::new(&[("/issuers/1", district_tokens()), ("/routes/8", route)]);
    stack.publish(1, &["a", "b"]);
    stack.tell();
    let headers = [("authorization", "Bearer a"), ("content-type", "application/json")];
    let mut exchange = stack.send_head(head("POST", "/plain", &headers));
    assert_eq!(exchange.verdict(), "body", "{}", exchange.steps());
    change(&mut stack);
    stack.body(&mut exchange, br#"{"d": "d-a"}"#);
    assert_eq!(exchange.verdict(), expected, "{}", exchange.steps());
}

#[test]
fn slow_body_does_not_outlive_the_list() {
    let publish = |entries: Vec<Value>| {
        move |stack: &mut Stack| {
            stack.sleep(60_000);
            stack.publish_entries(2, &entries);
            stack.tell();
        }
    };
    check_slow_body(|_| (), "pass");
    // A newer list that says the same of it; the token is looked up again.
    check_slow_body(publish(vec![entry("a"), entry("c")]), "pass");
    // Withdrawn; fewer schools; another tier; another client's.
    check_slow_body(publish(vec![entry("b")]), "token-invalid");
    for (member, value) in [("schools", json!([])), ("tier", json!("open")), ("client", json!("other"))] {
        let mut changed = entry("a");
        changed[member] = value;
        check_slow_body(publish(vec![changed]), "token-invalid");
    }
    // Its time is now said to be over, or yet to come.
    for (from, until, code) in [
        ("2026-05-31T11:00:00Z", "2026-05-31T11:59:00Z", "token-expired"),
        ("2026-05-31T12:30:00Z", "2026-05-31T13:00:00Z", "token-invalid"),
    ] {
        let mut dated = entry("a");
        (dated["not_before"], dated["not_after"]) = (json!(from), json!(until));
        check_slow_body(publish(vec![dated]), code);
    }
    // Nobody knows any more.
    check_slow_body(|stack| stack.sleep(100_000_000), "keys-unavailable");
}

#[test]
fn jwt_is_not_judged_again_when_its_body_is_there() {
    let route = json!({"match": {"path": "/plain", "methods": ["POST"]}, "scope": {"schools": {"body": "/s"}}});
    let mut stack = Stack::new(&[("/routes/8", route)]);
    stack.fetch(&[Alg::EdDsa], 1);
    let bearer = format!("Bearer {}", remote());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let mut exchange = stack.send_head(head("POST", "/plain", &headers));
    assert_eq!(exchange.verdict(), "body", "{}", exchange.steps());
    // Another key set: the token is no longer in the cache.
    stack.sleep(3_000);
    stack.fetch(&[Alg::EdDsa, Alg::Rs256], 2);
    stack.body(&mut exchange, br#"{"s": "oak"}"#);
    assert_eq!(exchange.verdict(), "pass", "{}", exchange.steps());
}
