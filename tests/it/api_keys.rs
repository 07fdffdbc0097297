//! API keys as a client sees them: exactly one, of a known hash, valid now; and what becomes of it behind the gateway.

mod permission_tokens;
mod remote_list;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::support::api_keys::{ACME, GLOBEX, entry, expect_error, key_list, policy, remote_policy, token, with_key};
use crate::support::client::{race, values};
use crate::support::lists::{date, hash};
use crate::support::policy::{expect_no_trap, start, start_remote, vms};
use crate::support::sample::total;
use crate::support::tokens::now;
use crate::support::{Gateway, Upstream, raw, wait_until};

#[test]
fn key_that_is_missing_wrong_or_doubled_is_refused_whatever_the_token() {
    let (upstream, gateway) = start(policy());
    let before = vms(&gateway);
    let valid = token("acme").sign();
    let expired = token("acme").claim("exp", 1_000).sign();
    let twice = |first: &str, second: &str| vec![("x-api-key", first.to_owned()), ("x-api-key", second.to_owned())];
    let once = |key: &str| vec![("x-api-key", key.to_owned())];
    let cases = [
        ("missing", vec![]),
        ("empty", once("")),
        ("unknown", once("no-such-key")),
        ("cut short", once(&ACME[..ACME.len() - 1])),
        ("a byte more", once(&format!("{ACME}x"))),
        ("another case", once(&ACME.to_uppercase())),
        ("its hash", once(&hash(ACME))),
        ("its id", once("acme-1")),
        ("quoted", once(&format!("\"{ACME}\""))),
        ("with a scheme", once(&format!("Bearer {ACME}"))),
        ("long", once(&"k".repeat(40_000))),
        ("doubled", twice(ACME, ACME)),
        ("two of one gateway", twice(ACME, GLOBEX)),
        ("right, then wrong", twice(ACME, "wrong")),
        ("wrong, then right", twice("wrong", ACME)),
        ("right, then empty", twice(ACME, "")),
        ("joined by a comma", once(&format!("{ACME},{ACME}"))),
        ("joined by a comma and a space", once(&format!("{ACME}, {GLOBEX}"))),
        ("with a trailing comma", once(&format!("{ACME},"))),
        ("in another spelling", vec![("x_api_key", ACME.to_owned())]),
        ("in a third spelling", vec![("x.api-key", ACME.to_owned())]),
        ("in two spellings", vec![("x-api-key", ACME.to_owned()), ("x_api_key", ACME.to_owned())]),
        ("in two spellings, the other empty", vec![("x-api-key", ACME.to_owned()), ("x-api_key", String::new())]),
        ("in another header", vec![("api-key", ACME.to_owned()), ("cookie", format!("x-api-key={ACME}"))]),
    ];
    for client in [*gateway.client(), gateway.client().http2()] {
        for (case, headers) in &cases {
            for bearer in [None, Some(valid.as_str()), Some("nonsense"), Some(expired.as_str())] {
                let mut request = client.get("/data?x-api-key=acme-key-0123456789abcdef");
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let request = bearer.into_iter().fold(request, crate::support::client::RequestBuilder::bearer);
                let response = request.send();
                assert_eq!(response.status, 403, "{case}: {response:?}");
                expect_error(&response, 403, "Forbidden");
            }
        }
        for bytes in [b"\xff".to_vec(), [ACME.as_bytes(), b"\x80"].concat(), "\u{e4}".into()] {
            expect_error(&client.get("/data").header("x-api-key", &bytes).bearer(&valid).send(), 403, "Forbidden");
        }
        expect_error(&client.request("POST", "/login").send(), 403, "Forbidden");
        expect_error(&client.get("/key").header("x-api-key", "wrong").send(), 403, "Forbidden");
    }
    assert_eq!(upstream.heads(), 0, "{:?}", upstream.seen());

    // with the right key the token's faults are told
    let with = |key: &str| with_key(&gateway, "/data", key);
    with(ACME).bearer(&valid).send().expect_status(200);
    expect_error(&with(ACME).send(), 401, "unauthorized");
    expect_error(&with(ACME).header("authorization", "Basic abc").send(), 401, "invalid-token");
    expect_error(&with(ACME).bearer("nonsense").send(), 401, "invalid-token");
    expect_error(&with(ACME).bearer(&expired).send(), 401, "invalid-token");
    with_key(&gateway, "/key", ACME).send().expect_status(200);
    let spelt = format!("GET /key HTTP/1.1\r\nhost: a\r\nX-API-Key:  {ACME} \r\nconnection: close\r\n\r\n");
    assert_eq!(raw::request(gateway.address(), spelt.as_bytes()).0, Some(200), "spelt and spaced as HTTP allows");
    expect_no_trap(&gateway, before);
}

#[test]
fn key_is_valid_from_its_first_moment_up_to_its_last() {
    let at = now() + 3;
    let mut soon = entry("soon", "acme", "soon");
    soon["not_before"] = json!(date(at));
    let mut ending = entry("ending", "acme", "ending");
    ending["not_after"] = json!(date(at));
    let mut over = entry("over", "acme", "over");
    over["not_after"] = json!(date(now() - 1));
    let other = entry("other", "acme", "other");
    let list = key_list(1, &[soon, ending.clone(), over, other.clone()]);
    let (lists, _upstream, gateway) = start_remote(&list, remote_policy(&json!({})), 1);
    let send = |key: &str| with_key(&gateway, "/key", key).send().status;

    assert_eq!((send("over"), send("other")), (403, 200));
    let boundary = |key: &str, at: u64, before: u16, after: u16| {
        wait_until(&format!("the moment of `{key}`"), || {
            let (asked, status, answered) = (clock(), send(key), clock());
            let at = Duration::from_secs(at);
            assert!(status == before || status == after, "{key}: {status}");
            assert!(answered >= at || status == before, "{key}: too early");
            assert!(asked < at || status == after, "{key}: too late");
            asked >= at
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| boundary("soon", at, 403, 200));
        boundary("ending", at, 200, 403);
    });

    // a rotation: the list says when the old key ends
    let at = now() + 3;
    let mut old = other;
    old["not_after"] = json!(date(at));
    lists.serve(&key_list(2, &[old, entry("new", "acme", "new")]));
    wait_until("the new list", || send("new") == 200);
    boundary("other", at, 200, 403);
    assert_eq!((send("new"), send("soon")), (200, 403), "a key that the list no longer has is no key");
}

#[test]
fn keys_of_one_client_share_one_budget() {
    let old_and_new = [entry("old", "acme", "old"), entry("new", "acme", "new"), entry("globex-1", "globex", GLOBEX)];
    let mut policy = remote_policy(&json!({}));
    policy["tiers"]["starter"]["limits"] = json!([total("all", 6)]);
    let (lists, upstream, gateway) = start_remote(&key_list(1, &old_and_new), policy, 1);
    let send = |key: &str| with_key(&gateway, "/key", key).send();

    assert_eq!([send("old"), send("new"), send("old"), send("new")].map(|it| it.left()), [5, 4, 3, 2]);
    assert_eq!(send(GLOBEX).left(), 5, "another client");

    // neither the removal of the old key nor a third one gives anything back
    lists.serve(&key_list(2, &[entry("new", "acme", "new"), entry("third", "acme", "third"), entry("m", "m", "mark")]));
    wait_until("the new list", || send("mark").status == 200);
    expect_error(&send("old"), 403, "Forbidden");
    assert_eq!([send("third"), send("new")].map(|it| it.left()), [1, 0]);
    expect_error(&send("new"), 429, "too-many-requests");
    expect_error(&send("third"), 429, "too-many-requests");
    let passed =
        upstream.seen().iter().filter(|seen| seen.header("x-claim-client-id").as_deref() == Some("acme")).count();
    assert_eq!(passed, 6);
}

#[test]
fn race_of_a_client_over_keys_routes_and_workers_is_charged_exactly() {
    const LIMIT: usize = 20;
    let mut policy = policy();
    let keys = [entry("1", "acme", "acme-1"), entry("2", "acme", "acme-2"), entry("g", "globex", GLOBEX)];
    policy["api_keys"] = json!({"inline": {"keys": keys}});
    policy["tiers"]["starter"]["limits"] = json!([total("all", 20)]);
    policy["routes"][1].as_object_mut().unwrap().remove("failure_limits");
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(policy).upstream(upstream.port()).concurrency(3).start();
    let valid = token("acme").sign();

    // logins, bad tokens and no tokens are charged like everything else
    let requests = (0..10 * LIMIT).map(|nth| {
        let key = if nth % 2 == 0 { "acme-1" } else { "acme-2" };
        match nth % 5 {
            0 => with_key(&gateway, "/data", key).bearer("nonsense"),
            1 => with_key(&gateway, "/data", key),
            2 => with_key(&gateway, "/login", key),
            _ => with_key(&gateway, "/data", key).bearer(&valid),
        }
    });
    let responses = race(50, requests.collect());

    let (refused, admitted): (Vec<_>, Vec<_>) = responses.iter().partition(|response| response.status == 429);
    assert_eq!((admitted.len(), refused.len()), (LIMIT, 9 * LIMIT), "{responses:?}");
    let passed = admitted.iter().filter(|response| response.status == 200).count();
    assert_eq!(passed, upstream.heads());
    assert!(admitted.iter().all(|response| matches!(response.status, 200 | 401)), "{admitted:?}");
    for response in refused {
        expect_error(response, 429, "too-many-requests");
    }
    assert_eq!(with_key(&gateway, "/key", GLOBEX).send().left(), 19, "another client");
}

#[test]
fn key_reaches_the_upstream_only_where_configured() {
    let check = |forward: bool| {
        let mut policy = policy();
        policy["api_keys"]["forward"] = json!(forward);
        let (upstream, gateway) = start(policy);
        for path in ["/data", "/key", "/login", "/open/a"] {
            let request = with_key(&gateway, path, ACME).header("x-claim-client-id", "forged");
            request.bearer(token("acme").sign()).send().expect_status(200);
            let seen = upstream.last();
            let expected = if forward { vec![ACME.to_owned()] } else { vec![] };
            assert_eq!(values(&seen.headers, "x-api-key"), expected, "{path}");
            let client = if path == "/open/a" { None } else { Some("acme".to_owned()) };
            assert_eq!(seen.header("x-claim-client-id"), client, "{path}");
        }
        if !forward {
            for name in ["x_api_key", "x-api_key", "X-Api-Key"] {
                gateway.get("/open/a").header(name, ACME).send().expect_status(200);
                assert!(!format!("{:?}", upstream.last()).contains(ACME), "{name}: {:?}", upstream.last());
            }
        }
        assert_eq!(gateway.log().contains("api_keys.forward"), forward, "a warning");
    };
    check(false);
    check(true);
}

#[test]
fn ten_thousand_keys_are_there_soon_and_cost_a_request_nothing() {
    let key = |nth: usize| format!("key-{nth}-of-ten-thousand");
    let entries: Vec<_> =
        (0..10_000).map(|nth| entry(&format!("k{nth}"), &format!("a{}", nth / 2), &key(nth))).collect();
    let mut policy = remote_policy(&json!({}));
    policy["tiers"]["starter"]["limits"] = json!([total("all", 10)]);
    let (lists, upstream, gateway) = start_remote(&key_list(1, &[entry("few", "few", "few")]), policy, 2);
    let send = |key: &str| with_key(&gateway, "/key", key).send();
    send("few").expect_status(200);

    let start = std::time::Instant::now();
    lists.serve(&key_list(2, &entries));
    wait_until("the keys", || {
        race(30, (0..30).map(|_| with_key(&gateway, "/key", &key(0))).collect()).iter().all(is_known)
    });
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "a refresh and two ticks took {took:?}");

    upstream.forget();
    for nth in [2, 3, 777, 4_999, 5_000, 9_998] {
        send(&key(nth)).expect_status(200);
        assert_eq!(upstream.last().header("x-claim-client-id"), Some(format!("a{}", nth / 2)));
    }
    expect_error(&send(&key(10_000)), 403, "Forbidden");
    expect_error(&send("few"), 403, "Forbidden");
    // a lookup among them is no work that could be seen
    let start = std::time::Instant::now();
    (0..50).for_each(|nth| assert!(is_known(&send(&key(100 * nth + 51)))));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

fn is_known(response: &crate::support::Response) -> bool {
    matches!(response.status, 200 | 429)
}

fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970")
}
