//! Configurations replaced under load, and two listeners: nothing fails, and budgets and keys are kept.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::sample::{config, key_server, key_set, remote_config, token, total};
use crate::support::{Answer, Client, Gateway, Upstream, wait_until};

#[test]
fn reload_under_load_fails_no_request() {
    let (keys, upstream) = (key_server(), Upstream::start());
    let version = |nth: u32| {
        let mut config = remote_config(&json!({}));
        config["realm"] = json!(format!("version-{nth}"));
        config["tiers"] = json!({"standard": {"limits": [total("all", 100_000 + nth)]}});
        config
    };
    let gateway = Gateway::builder().config(version(0)).upstream(upstream.port()).auth(keys.port()).concurrency(2);
    let mut gateway = gateway.reloadable().start();
    let client = *gateway.client();
    let load = Load::default();

    std::thread::scope(|scope| {
        for nth in 0..3 {
            let client = if nth == 0 { client.http2() } else { client };
            let load = &load;
            scope.spawn(move || load.run(client, nth));
        }
        // The keys are there: a fetch that a reload meets would be made again.
        wait_until("load", || load.count() > 20);
        for nth in 1..=5 {
            let before = load.count();
            gateway.reload(version(nth)).expect("a good configuration");
            // no client of its own: the answer of every worker tells its configuration
            wait_until("the new configuration under load", || {
                client
                    .get("/a")
                    .send()
                    .header("www-authenticate")
                    .is_some_and(|is| is.contains(&format!("version-{nth}")))
            });
            wait_until("load after the reload", || load.count() > before + 20);
        }
        load.ends.store(true, Ordering::Relaxed);
    });

    assert_eq!(load.failed.into_inner().unwrap(), Vec::<String>::new());
    assert_eq!(keys.count(), 1, "the keys are those of the process");
}

#[test]
fn fetch_under_way_is_not_waited_for_after_a_reload() {
    let (keys, upstream) = (key_server(), Upstream::start());
    keys.answer(Answer::hang());
    let version = |realm: &str| {
        let mut config = remote_config(&json!({"timeout": "15s"}));
        config["realm"] = json!(realm);
        config
    };
    let gateway = Gateway::builder().config(version("a")).upstream(upstream.port()).auth(keys.port()).reloadable();
    let mut gateway = gateway.start();
    wait_until("the first fetch", || keys.count() == 1);

    keys.serve(&key_set());
    let start = Instant::now();
    apply(&mut gateway, version("b"), "b");
    gateway.get("/a").bearer(token("a").sign()).send().expect_status(200);

    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(keys.count(), 2);
}

#[test]
fn request_that_waits_for_keys_outlives_a_reload() {
    let (keys, upstream) = (key_server(), Upstream::start());
    keys.answer(Answer::json(&key_set()).after(Duration::from_secs(2)));
    let version = |realm: &str| {
        let mut config = remote_config(&json!({"timeout": "5s"}));
        config["realm"] = json!(realm);
        config
    };
    let gateway = Gateway::builder().config(version("a")).upstream(upstream.port()).auth(keys.port()).reloadable();
    let mut gateway = gateway.start();

    let waiting: Vec<_> = (0..5).map(|n| gateway.get("/a").bearer(token(&n.to_string()).sign()).spawn()).collect();
    wait_until("the first fetch", || keys.count() == 1);
    apply(&mut gateway, version("b"), "b");

    for response in waiting {
        let response = crate::support::RUNTIME.block_on(response).expect("a task ends").expect("a response");
        response.expect_status(200);
    }
}

#[test]
fn reload_keeps_budgets_and_judges_a_changed_limit_anew() {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(limited(5, "a")).upstream(upstream.port()).reloadable();
    let mut gateway = gateway.start();
    let token = token("a").sign();
    let send = |gateway: &Gateway| gateway.get("/a").bearer(&token).send();

    assert_eq!([send(&gateway), send(&gateway), send(&gateway)].map(|it| it.left()), [4, 3, 2]);
    apply(&mut gateway, limited(5, "b"), "b");
    assert_eq!(send(&gateway).left(), 1, "another realm, the same limit");
    apply(&mut gateway, limited(4, "c"), "c");
    send(&gateway).expect_status(429);
    apply(&mut gateway, limited(8, "d"), "d");
    assert_eq!(send(&gateway).left(), 3, "four are used of eight");

    let mut other = limited(8, "e");
    other["tiers"]["standard"]["limits"][0]["name"] = json!("other");
    apply(&mut gateway, other, "e");
    assert_eq!(send(&gateway).left(), 7, "another name is another budget");
}

#[test]
fn bad_configuration_is_rejected_and_the_old_one_serves_on() {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(limited(5, "a")).upstream(upstream.port()).reloadable();
    let mut gateway = gateway.start();
    let token = token("a").sign();
    let send = |gateway: &Gateway| gateway.get("/a").bearer(&token).send();
    assert_eq!(send(&gateway).left(), 4);

    let mut bad = limited(5, "b");
    bad["tiers"]["standard"]["limits"][0]["per"] = json!("soon");
    bad["routs"] = json!([]);
    let log = gateway.reload(bad).expect_err("a bad configuration");
    assert!(log.contains("tiers.standard.limits[0].per"), "{log}");
    assert!(log.contains("routs"), "{log}");

    assert_eq!(send(&gateway).left(), 3);
    apply(&mut gateway, limited(6, "c"), "c");
    assert_eq!(send(&gateway).left(), 3, "and a good one after it is taken");
}

#[test]
fn two_listeners_share_budgets_and_keys() {
    let (keys, upstream) = (key_server(), Upstream::start());
    let config = |realm: &str| {
        let mut config = remote_config(&json!({}));
        config["realm"] = json!(realm);
        config["tiers"] = json!({"standard": {"limits": [total("all", 5)]}});
        config
    };
    let second = config("second").to_string();
    let gateway = Gateway::builder().config(config("first")).upstream(upstream.port()).auth(keys.port());
    let gateway = gateway.concurrency(2).edit(move |bootstrap| {
        let listeners = &mut bootstrap["static_resources"]["listeners"];
        let mut copy = listeners[0].clone();
        copy["name"] = json!("second");
        let manager = &mut copy["filter_chains"][0]["filters"][0]["typed_config"];
        let plugin = &mut manager["http_filters"][0]["typed_config"]["config"];
        plugin["name"] = json!("second");
        plugin["configuration"]["value"] = json!(second);
        listeners.as_array_mut().unwrap().push(copy);
    });
    let gateway = gateway.start();
    let (first, second) = (Client::new(gateway.address_of("main")), Client::new(gateway.address_of("second")));
    let token = token("a").sign();

    for (client, realm) in [(first, "first"), (second, "second")] {
        let challenge = client.get("/a").send().header("www-authenticate").unwrap();
        assert_eq!(challenge, format!(r#"Bearer realm="{realm}""#));
    }
    let answers = [first, second, second, first, second].map(|client| client.get("/a").bearer(&token).send().left());
    assert_eq!(answers, [4, 3, 2, 1, 0]);
    first.get("/a").bearer(&token).send().expect_status(429);
    second.get("/a").bearer(&token).send().expect_status(429);
    assert_eq!(keys.count(), 1);
}

/// Requests, one after the other, until told to end.
#[derive(Default)]
struct Load {
    ends: AtomicBool,
    sent: Mutex<usize>,
    failed: Mutex<Vec<String>>,
}

impl Load {
    fn run(&self, client: Client, nth: u32) {
        // one token that is cached, and ever new ones
        let cached = token(&format!("cached-{nth}")).sign();
        let mut round = 0;
        while !self.ends.load(Ordering::Relaxed) {
            let fresh = token(&format!("fresh-{nth}-{round}")).sign();
            for token in [&cached, &fresh] {
                match client.get("/a").bearer(token).try_send() {
                    Ok(response) if response.status == 200 => {}
                    other => self.failed.lock().unwrap().push(format!("{other:?}")),
                }
                *self.sent.lock().unwrap() += 1;
            }
            round += 1;
        }
    }

    fn count(&self) -> usize {
        *self.sent.lock().unwrap()
    }
}

fn limited(requests: u32, realm: &str) -> Value {
    let mut config = config(&json!([total("all", requests)]));
    config["realm"] = json!(realm);
    config
}

/// Reloads, and waits until the worker has it.
#[track_caller]
fn apply(gateway: &mut Gateway, config: Value, realm: &str) {
    gateway.reload(config).expect("a good configuration");
    let expected = format!(r#"Bearer realm="{realm}""#);
    wait_until("the new configuration", || {
        gateway.get("/a").send().header("www-authenticate").as_ref() == Some(&expected)
    });
}
