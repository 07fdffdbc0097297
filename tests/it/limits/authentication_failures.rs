//! What guessing costs: failed logins per key and address, guessed keys per address, guessed tokens per client.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api_keys::{ACME, GLOBEX, entry, expect_error, policy, token, with_key};
use crate::support::client::{RequestBuilder, race};
use crate::support::lists::date;
use crate::support::sample::{NEVER, total};
use crate::support::tokens::now;
use crate::support::{Answer, Gateway, Upstream, wait_for, wait_until};

/// Of [`policy`].
const LOGINS: usize = 5;

#[test]
fn burst_of_failing_logins_gets_no_more_than_the_limit_through() {
    let upstream = Upstream::start();
    // slow, so that all of them are under way before the first fails
    upstream.answer(|_| Answer::new(401).after(Duration::from_millis(300)));
    let gateway = gateway(policy(), &upstream, 2);

    let login = || login(&gateway, ACME, "203.0.113.1");
    // Envoy closes a connection over HTTP/1.1 whose request is answered before its body was read
    let responses = race(50, (0..50).map(|_| login()).collect());

    let failed = responses.iter().filter(|response| response.status == 401).count();
    assert_eq!((failed, upstream.heads()), (LOGINS, LOGINS));
    for response in responses.iter().filter(|response| response.status != 401) {
        expect_error(response, 429, "too-many-requests");
    }
    // a right password comes too late
    upstream.answer(|_| Answer::new(200));
    expect_error(&login().send(), 429, "too-many-requests");
}

#[test]
fn only_failed_logins_are_charged() {
    let upstream = Upstream::start();
    let gateway = gateway(policy(), &upstream, 1);
    // what the upstream answers, and how many in a row it is asked
    let cases = [(200, 20), (204, 20), (302, 20), (400, LOGINS), (401, LOGINS), (429, LOGINS), (500, LOGINS)];
    for (status, expected) in cases {
        upstream.forget();
        upstream.answer(move |_| Answer::new(status));
        let address = format!("203.0.113.{}", status % 250);
        for nth in 0..20 {
            let response = login(&gateway, ACME, &address).send();
            assert_eq!(response.status, if nth < expected { status } else { 429 }, "{status}, {nth}");
        }
        assert_eq!(upstream.heads(), expected, "{status}");
    }
    // in turn: a success gives back its own charge only
    let mut passed = 0;
    for nth in 0..20 {
        upstream.answer(move |_| Answer::new(if nth % 2 == 0 { 200 } else { 401 }));
        passed += usize::from(login(&gateway, ACME, "198.51.100.7").send().status != 429);
    }
    assert_eq!(passed, 2 * LOGINS);
    // several at once, which end in another order than they began
    let begun = AtomicUsize::new(0);
    upstream.answer(move |_| {
        let delay = [30, 0, 20, 10][begun.fetch_add(1, Ordering::Relaxed) % 4];
        Answer::new(200).after(Duration::from_millis(delay))
    });
    for round in 0..15 {
        let together = race(4, (0..4).map(|_| login(&gateway, ACME, "198.51.100.8")).collect());
        assert!(together.iter().all(|response| response.status == 200), "round {round}: {together:?}");
    }
}

#[test]
fn login_that_its_client_gives_up_stays_charged() {
    let upstream = Upstream::start();
    upstream.answer(|_| Answer::hang());
    let gateway = gateway(policy(), &upstream, 1);
    for nth in 1..=LOGINS {
        let waiting = login(&gateway, ACME, "203.0.113.1").spawn();
        wait_until("the login at the upstream", || upstream.heads() == nth);
        waiting.abort();
    }
    expect_error(&login(&gateway, ACME, "203.0.113.1").send(), 429, "too-many-requests");
    assert_eq!(upstream.heads(), LOGINS);
}

#[test]
fn failed_logins_are_counted_by_key_and_address() {
    let upstream = Upstream::start();
    upstream.answer(|_| Answer::new(401));
    let mut policy = policy();
    let keys = [entry("1", "acme", ACME), entry("2", "acme", "second"), entry("g", "globex", GLOBEX)];
    policy["api_keys"]["inline"]["keys"] = json!(keys);
    let gateway = gateway(policy, &upstream, 1);
    let fail = |key: &str, address: &str| login(&gateway, key, address).send().status;

    let until_refused = |key: &str, address: &str| (0..20).take_while(|_| fail(key, address) == 401).count();
    assert_eq!(until_refused(ACME, "203.0.113.1"), LOGINS);
    for (key, address) in [(ACME, "203.0.113.2"), ("second", "203.0.113.1"), (GLOBEX, "203.0.113.1")] {
        assert_eq!(until_refused(key, address), LOGINS, "{key} {address}");
    }
    assert_eq!(fail(ACME, "203.0.113.1"), 429);
    // other routes know nothing of it
    upstream.answer(|_| Answer::new(200));
    with_key(&gateway, "/key", ACME).header("x-forwarded-for", "203.0.113.1").send().expect_status(200);
}

#[test]
fn guessed_keys_use_up_a_budget_of_the_address_and_of_nobody_else() {
    let mut policy = policy();
    policy["authentication_failures"] = json!({"requests": 4, "per": NEVER});
    let mut over = entry("over", "globex", "over");
    over["not_after"] = json!(date(now() - 10));
    policy["api_keys"]["inline"]["keys"][1] = over;
    let upstream = Upstream::start();
    let gateway = gateway(policy, &upstream, 2);
    let from = |address: &str, key: &str| from(with_key(&gateway, "/key", key), address).send();

    // unknown, out of date, doubled, on any route
    expect_error(&from("203.0.113.1", "guess-1"), 403, "Forbidden");
    expect_error(&from("203.0.113.1", "over"), 403, "Forbidden");
    let doubled = gateway.get("/data").header("x-api-key", ACME).header("x-api-key", ACME);
    expect_error(&doubled.header("x-forwarded-for", "203.0.113.1").send(), 403, "Forbidden");
    expect_error(&login(&gateway, "guess-2", "203.0.113.1").send(), 403, "Forbidden");
    for nth in 0..5 {
        expect_error(&from("203.0.113.1", &format!("guess-{nth}")), 429, "too-many-requests");
    }
    // whoever has a key is not locked out, and other addresses are other budgets
    from("203.0.113.1", ACME).expect_status(200);
    expect_error(&from("203.0.113.2", "guess-1"), 403, "Forbidden");
    assert_eq!(upstream.heads(), 1);

    // exactly, when they race
    let guess = |nth: i32| with_key(&gateway, "/key", &format!("guess-{nth}")).header("x-forwarded-for", "203.0.113.3");
    let responses = race(25, (0..50).map(guess).collect());
    let count = |status: u16| responses.iter().filter(|response| response.status == status).count();
    assert_eq!((count(403), count(429)), (4, 46));
}

#[test]
fn client_pays_for_its_bad_tokens_and_its_logins() {
    let mut policy = policy();
    policy["tiers"]["starter"]["limits"] = json!([total("all", 6)]);
    policy["authentication_failures"] = json!({"requests": 1, "per": NEVER});
    let upstream = Upstream::start();
    let gateway = gateway(policy, &upstream, 1);
    let data = || with_key(&gateway, "/data", ACME);

    expect_error(&data().bearer("nonsense").send(), 401, "invalid-token");
    expect_error(&data().bearer(token("acme").claim("exp", 1_000).sign()).send(), 401, "invalid-token");
    expect_error(&data().send(), 401, "unauthorized");
    expect_error(&data().bearer(token("globex").sign()).send(), 403, "no-privilege");
    assert_eq!(login(&gateway, ACME, "203.0.113.1").send().left(), 1);
    assert_eq!(data().bearer(token("acme").sign()).send().left(), 0);

    // a used up plan wins over the token's faults, and a wrong key over both
    expect_error(&data().bearer("nonsense").send(), 429, "too-many-requests");
    expect_error(&data().send(), 429, "too-many-requests");
    expect_error(&login(&gateway, ACME, "203.0.113.1").send(), 429, "too-many-requests");
    expect_error(&with_key(&gateway, "/data", "wrong").bearer("nonsense").send(), 403, "Forbidden");
    assert_eq!(with_key(&gateway, "/key", GLOBEX).send().left(), 5);
    assert_eq!(upstream.heads(), 3);
}

#[test]
fn plan_is_that_of_the_key() {
    const DAY: u64 = 86_400;
    wait_for("the first seconds of the day", Duration::from_secs(40), || (now() % DAY < DAY - 30).then_some(()));
    let mut policy = policy();
    policy["bounds"] = json!({"max_retry_after": "2d"});
    policy["tiers"] = json!({
        "starter": {"limits": [{"name": "day", "requests": 2, "per": "day"}]},
        "professional": {"limits": [{"name": "rate", "requests": 1, "per": "1h", "burst": 3}, total("all", 100)]},
    });
    policy["api_keys"]["inline"]["keys"][1]["tier"] = json!("professional");
    let upstream = Upstream::start();
    let gateway = gateway(policy, &upstream, 1);
    let send = |key: &str| with_key(&gateway, "/key", key).send();

    assert_eq!([send(ACME), send(ACME)].map(|it| it.left()), [1, 0]);
    let refused = send(ACME);
    expect_error(&refused, 429, "too-many-requests");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(wait.abs_diff(DAY - now() % DAY) <= 2, "until midnight UTC: {wait}");

    // the claim of a token is not asked
    let token = token("globex").claim("tier", "starter").sign();
    let data = with_key(&gateway, "/data", GLOBEX).bearer(token).send();
    assert_eq!(data.left(), 2);
    assert_eq!(upstream.last().header("x-claim-tier").as_deref(), Some("professional"));
    assert_eq!([send(GLOBEX), send(GLOBEX)].map(|it| it.left()), [1, 0]);
    let refused = send(GLOBEX);
    expect_error(&refused, 429, "too-many-requests");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((3_580..=3_600).contains(&wait), "{wait}");
}

/// A gateway behind one trusted proxy.
fn gateway(policy: Value, upstream: &Upstream, workers: u32) -> Gateway {
    let builder = Gateway::builder().config(policy).upstream(upstream.port()).concurrency(workers);
    builder.edit_connection_manager(|manager| manager["xff_num_trusted_hops"] = json!(1)).start()
}

fn login(gateway: &Gateway, key: &str, address: &str) -> RequestBuilder {
    let body = json!({"email": "a@example.com", "password": "guess"});
    from(gateway.request("POST", "/login").header("x-api-key", key), address).json(&body)
}

fn from(request: RequestBuilder, address: &str) -> RequestBuilder {
    request.header("x-forwarded-for", address)
}
