//! Clients that leave: while keys are fetched, in the middle of a body, before the response and in the middle of it. Nothing is
//! left of their requests, nothing of them is charged twice, and others on the same connection are served.

use http::Request;
use serde_json::{Value, json};

use crate::support::exchange::{Exchange, head};
use crate::support::policy::{expect_no_trap, vms};
use crate::support::process::faulty_wasm;
use crate::support::sample::{NEVER, key_server, key_set, remote_config, token, total};
use crate::support::{Answer, Gateway, KeyServer, Upstream, wait_until};

/// Requests that a client begins, and leaves, at each stage over each protocol.
const EACH: usize = 6;
/// What the budget holds.
const BUDGET: u32 = 1_000;

struct Setup {
    keys: KeyServer,
    upstream: Upstream,
    gateway: Gateway,
    vms: u64,
}

/// `/body` judges a body; below `/open/` no token is needed.
fn config() -> Value {
    let mut config = remote_config(&json!({"timeout": "15s"}));
    config["tiers"] = json!({"standard": {"limits": [total("all", BUDGET)]}});
    config["routes"] = json!([
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
        {"match": {"path": "/body", "methods": ["POST"]}, "scope": {"schools": {"body": "/school"}}},
        {"match": {"path": "/"}},
    ]);
    config["authentication_failures"] = json!({"requests": BUDGET, "per": NEVER});
    config
}

impl Setup {
    fn start(config: Value) -> Self {
        let (keys, upstream) = (key_server(), Upstream::start());
        let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port());
        let gateway = gateway.module(faulty_wasm()).start();
        let vms = vms(&gateway);
        Self { keys, upstream, gateway, vms }
    }

    /// What the worker holds: contexts of requests besides the one that asks, and requests that wait.
    fn state(&self) -> [u64; 3] {
        let state = self.gateway.get("/open/state").header("x-test-state", "1").send().json();
        let number = |name: &str| state[name].as_u64().expect("a number");
        [number("contexts") - 1, number("waiting"), number("waiters")]
    }

    /// What is left of the budget of this client, after the request that asks.
    fn left(&self, client: &str) -> u64 {
        self.gateway.get("/a").bearer(token(client).sign()).send().left()
    }

    /// Begins requests, has `go` take each of them as far as it is to come, waits until all are there, `waiting` of each for
    /// keys, and until they have `reached` what they are to reach; then leaves, and waits until nothing is left of them.
    #[track_caller]
    fn leave(
        &self,
        begin: impl Fn(bool) -> Exchange,
        mut go: impl FnMut(&mut Exchange),
        waiting: u64,
        reached: impl Fn() -> bool,
    ) {
        for http2 in [false, true] {
            self.upstream.forget();
            let mut exchanges: Vec<Exchange> = (0..EACH).map(|_| begin(http2)).collect();
            exchanges.iter_mut().for_each(&mut go);
            let count = EACH as u64;
            let held = [count, waiting * count, waiting * count];
            wait_until("all requests to be there", || self.state() == held && reached());
            for exchange in exchanges {
                let next = head("GET", "/open/next", &[]);
                assert!([None, Some(200)].contains(&exchange.leave(next)), "the connection serves on");
            }
            wait_until("nothing to be left", || self.state() == [0, 0, 0]);
            wait_until("Envoy to see them leave", || {
                self.gateway.admin().stat("http.main.downstream_rq_active") == Some(0)
            });
        }
    }
}

fn bearer(method: &str, path: &str, token: &str) -> Request<()> {
    let authorization = format!("Bearer {token}");
    head(method, path, &[("authorization", &authorization), ("content-type", "application/json")])
}

#[test]
fn clients_that_leave_at_any_stage_are_charged_once_and_leave_nothing_behind() {
    let setup = Setup::start(config());
    check_leaving_while_keys_are_fetched(&setup);
    check_leaving_later(&setup);
    expect_no_trap(&setup.gateway, setup.vms);
}

#[track_caller]
fn check_leaving_while_keys_are_fetched(setup: &Setup) {
    assert_eq!(setup.left("a"), u64::from(BUDGET) - 1);
    setup.keys.answer(Answer::hang());
    let unknown = token("a").header("kid", "unknown").sign();

    let open = |http2: bool, method: &str, path: &str| {
        Exchange::open(&setup.gateway, http2, bearer(method, path, &unknown), method == "POST")
    };
    // a head alone, and one whose body is on its way
    setup.leave(|http2| open(http2, "GET", "/a"), |_| {}, 1, || setup.upstream.heads() == 0);
    let part = |exchange: &mut Exchange| exchange.send(r#"{"school":"#, false);
    setup.leave(|http2| open(http2, "POST", "/body"), part, 1, || setup.upstream.heads() == 0);

    setup.keys.serve(&key_set());
    // Nobody knows whose requests those were: no client was charged.
    assert_eq!(setup.left("a"), u64::from(BUDGET) - 2);
}

#[test]
#[ignore = "another Envoy for a smaller budget; scripts/test --long"]
fn tokens_that_nobody_waits_for_stay_charged_as_guesses() {
    const GUESSES: usize = 3;
    let mut config = config();
    config["authentication_failures"] = json!({"requests": GUESSES + 1, "per": NEVER});
    let setup = Setup::start(config);
    let status = |kid: &str| setup.gateway.get("/a").bearer(token("a").header("kid", kid).sign()).send().status;
    assert_eq!(status("k"), 200, "a good token gives its charge back");
    setup.keys.answer(Answer::hang());

    let unknown = bearer("GET", "/a", &token("a").header("kid", "unknown").sign());
    let exchanges: Vec<Exchange> =
        (0..GUESSES).map(|_| Exchange::open(&setup.gateway, true, unknown.clone(), false)).collect();
    wait_until("all to wait", || setup.state()[1] == GUESSES as u64);
    for exchange in exchanges {
        assert_eq!(exchange.leave(head("GET", "/open/next", &[])), Some(200));
    }
    // The one guess that is left must not wait for the fetch that hangs.
    setup.keys.serve(&key_set());
    let fetches = || setup.gateway.metric("hallpass_key_set_fetches_total", &[]);
    wait_until("that fetch to end", || fetches() > 1.0);
    wait_until("nothing to be left", || setup.state() == [0, 0, 0]);

    wait_until("one more guess, and no other", || status("unknown-too") == 401);
    assert_eq!(status("unknown-too"), 429);
    expect_no_trap(&setup.gateway, setup.vms);
}

#[track_caller]
fn check_leaving_later(setup: &Setup) {
    setup.upstream.answer(|seen| match seen.target.as_str() {
        "/hang" | "/body" => Answer::hang(),
        "/slow" => Answer::new(200).body("part").stalls(),
        _ => Answer::new(200),
    });
    let token = token("a").sign();
    let mut left = setup.left("a");
    let mut check = |stage: &str, head: Request<()>, body: Option<(&str, bool)>, at_upstream: bool| {
        let go = |exchange: &mut Exchange| match body {
            Some((piece, ends)) => exchange.send(piece, ends),
            None if stage == "response" => assert_eq!(exchange.status(), 200),
            None => {}
        };
        let reached = || setup.upstream.heads() == if at_upstream { EACH } else { 0 };
        setup.leave(|http2| Exchange::open(&setup.gateway, http2, head.clone(), body.is_some()), go, 0, reached);
        // once each, over each protocol, and the one that asks
        left -= 2 * EACH as u64 + 1;
        assert_eq!(setup.left("a"), left, "{stage}");
    };

    check("body that is judged", bearer("POST", "/body", &token), Some((r#"{"school":"#, false)), false);
    // The log tells who was charged.
    let is_known = |line: &Value| line["decision"].is_null() && line["client"] == "a" && line["route"] == "/body";
    let known = || setup.gateway.access_log().iter().filter(|line| is_known(line)).count();
    wait_until("the access log", || known() == 2 * EACH);
    check("body that is not", bearer("POST", "/upload", &token), Some(("part", false)), true);
    check("head passed", bearer("GET", "/hang", &token), None, true);
    check("body passed", bearer("POST", "/body", &token), Some((r#"{"school":"oakwood"}"#, true)), true);
    check("response", bearer("GET", "/slow", &token), None, true);
}

#[test]
#[ignore = "another Envoy for a policy of logins; scripts/test --long"]
fn login_that_nobody_waits_for_counts_as_a_failure_and_is_given_back_once_it_is_answered() {
    use crate::support::api_keys::{ACME, policy, with_key};

    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(policy()).upstream(upstream.port()).module(faulty_wasm()).start();
    let before = vms(&gateway);
    let active = || gateway.admin().stat("http.main.downstream_rq_active");
    let login = head("GET", "/login", &[("x-api-key", ACME)]);
    let status = || with_key(&gateway, "/login", ACME).send().status;

    // Answered rightly, though nobody read all of it: given back, as often as one likes.
    upstream
        .answer(|seen| if seen.target == "/login" { Answer::new(200).body("part").stalls() } else { Answer::new(200) });
    for nth in 0..7 {
        let mut exchange = Exchange::open(&gateway, nth % 2 == 0, login.clone(), false);
        assert_eq!(exchange.status(), 200, "{nth}");
        exchange.leave(head("GET", "/open/next", &[]));
        wait_until("Envoy to see it leave", || active() == Some(0));
    }
    // Not answered: it may have failed, so the limit of five is used up.
    upstream.answer(|seen| if seen.target == "/login" { Answer::hang() } else { Answer::new(200) });
    for nth in 0..5 {
        upstream.forget();
        let exchange = Exchange::open(&gateway, nth % 2 == 0, login.clone(), false);
        wait_until("the login at the upstream", || upstream.heads() == 1);
        exchange.leave(head("GET", "/open/next", &[]));
        wait_until("Envoy to see it leave", || active() == Some(0));
    }
    upstream.answer(|_| Answer::new(200));
    assert_eq!(status(), 429);
    with_key(&gateway, "/key", ACME).send().expect_status(200);
    expect_no_trap(&gateway, before);
}
