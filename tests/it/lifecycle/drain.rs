//! Listeners replaced, drained and ended under load: no request passes unjudged, none hangs, and budgets are kept.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::load::{Losses, config, load};
use crate::support::policy::vms;
use crate::support::process::{faulty_wasm, wasm};
use crate::support::sample::{key_server, key_set, token, total};
use crate::support::{Answer, Gateway, Key, KeyServer, RUNTIME, Upstream, wait_until};

/// What the budget holds.
const BUDGET: u32 = 1_000_000;

/// A gateway whose listener comes from a file.
struct Setup {
    keys: KeyServer,
    upstream: Upstream,
    gateway: Gateway,
    dir: TempDir,
    listener: Value,
}

fn budgeted(realm: &str) -> Value {
    let mut config = config(&json!({}));
    config["realm"] = json!(realm);
    config["tiers"] = json!({"standard": {"limits": [total("all", BUDGET)]}});
    config
}

impl Setup {
    fn start() -> Self {
        let (keys, upstream) = (key_server(), Upstream::start());
        let dir = tempfile::tempdir().expect("a directory for the listener");
        let path = dir.path().to_owned();
        let gateway = Gateway::builder().config(budgeted("first")).upstream(upstream.port()).auth(keys.port());
        let gateway = gateway.concurrency(2).edit(move |bootstrap| {
            let listener = bootstrap["static_resources"]["listeners"][0].take();
            bootstrap["static_resources"].as_object_mut().unwrap().remove("listeners");
            write(&path, &listener);
            bootstrap["dynamic_resources"] = json!({"lds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": path.join("lds.json"), "watched_directory": {"path": path}},
            }});
        });
        let gateway = gateway.start();
        let text = std::fs::read_to_string(dir.path().join("lds.json")).expect("the listener was written");
        let listener = serde_json::from_str::<Value>(&text).expect("JSON")["resources"][0].take();
        Self { keys, upstream, gateway, dir, listener }
    }

    fn plugin(&mut self) -> &mut Value {
        let manager = &mut self.listener["filter_chains"][0]["filters"][0]["typed_config"];
        &mut manager["http_filters"][0]["typed_config"]["config"]
    }

    /// Replaces the listener, and waits until Envoy has taken it.
    #[track_caller]
    fn update(&self) {
        let taken = || self.gateway.admin().stat("listener_manager.lds.update_success").unwrap_or_default();
        let before = taken();
        write(self.dir.path(), &self.listener);
        wait_until("the new listener", || taken() > before);
        wait_until("all workers to have it", || {
            self.gateway.admin().stat("listener_manager.total_listeners_warming") == Some(0)
        });
    }

    fn realm(&self) -> String {
        self.gateway.get("/a").send().header("www-authenticate").expect("a challenge")
    }

    fn left(&self) -> u64 {
        self.gateway.get("/a").bearer(token("budget").sign()).send().left()
    }
}

/// Moves the listener into its place: Envoy watches for that.
fn write(dir: &std::path::Path, listener: &Value) {
    let mut listener = listener.clone();
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    std::fs::write(dir.join("new"), json!({"resources": [listener]}).to_string()).expect("a file can be written");
    std::fs::rename(dir.join("new"), dir.join("lds.json")).expect("a file can be moved");
}

#[test]
#[ignore = "four reloads of a module; scripts/test --long"]
fn listener_and_module_replaced_under_load_lose_no_request_and_no_budget() {
    let mut setup = Setup::start();
    let client = *setup.gateway.client();
    let before = setup.left();
    assert_eq!(before, u64::from(BUDGET) - 1);
    let upstream = std::mem::replace(&mut setup.upstream, Upstream::start());

    let mut asked = 1;
    load(client, &upstream, Losses::None, |load| {
        // another configuration, another module with it, another listener around both, and all of it back
        for (realm, module, buffer) in [
            ("second", wasm(), 900_000),
            ("third", faulty_wasm(), 900_000),
            ("fourth", faulty_wasm(), 800_000),
            ("fifth", wasm(), 900_000),
        ] {
            setup.plugin()["vm_config"]["code"]["local"]["filename"] = json!(module);
            setup.plugin()["configuration"]["value"] = json!(budgeted(realm).to_string());
            setup.listener["per_connection_buffer_limit_bytes"] = json!(buffer);
            setup.update();
            wait_until("every worker to have it", || {
                (0..16).all(|_| setup.realm() == format!(r#"Bearer realm="{realm}""#))
            });
            load.wait_for(30);
            asked += 1;
            assert_eq!(setup.left(), before + 1 - asked, "{realm}");
        }
    });
    assert_eq!(setup.keys.count(), 1, "the keys are those of the process");
    assert_eq!(setup.gateway.address(), setup.gateway.admin().listeners()[0].1);
}

#[test]
#[ignore = "waits for slow keys; scripts/test --long"]
fn requests_in_flight_are_judged_to_the_end_while_listeners_drain() {
    const WAITING: usize = 10;
    let (keys, upstream) = (key_server(), Upstream::start());
    let gateway = Gateway::builder().config(config(&json!({"timeout": "10s"}))).upstream(upstream.port());
    let mut gateway = gateway.auth(keys.port()).concurrency(2).start();
    let before = vms(&gateway);
    gateway.get("/a").bearer(token("a").sign()).send().expect_status(200);
    let mut set = key_set();
    set["keys"].as_array_mut().unwrap().push(Key::P256No2.named("new"));
    keys.answer(Answer::json(&set).after(Duration::from_secs(2)));
    upstream.forget();
    // half of them good, once the keys are there
    let waiting: Vec<_> = (0..WAITING)
        .map(|nth| {
            let forged = token("a").header("kid", "new");
            let good = forged.clone().forged_with(Key::P256No2);
            let token = if nth % 2 == 0 { good } else { forged };
            (nth % 2 == 0, gateway.get("/a").bearer(token.sign()).spawn())
        })
        .collect();
    let active = || gateway.admin().stat("http.main.downstream_rq_active");
    wait_until("all to wait", || active() == Some(WAITING as u64) && keys.count() >= 2);

    gateway.admin().post("/drain_listeners?graceful").expect("the admin interface answers").expect_status(200);

    for (good, request) in waiting {
        let answer = RUNTIME.block_on(request).unwrap().expect("an answer");
        answer.expect_status(if good { 200 } else { 401 });
    }
    assert_eq!(upstream.heads(), WAITING / 2);
    assert_eq!(vms(&gateway), before);
    gateway.terminate();
    assert!(gateway.wait().expect("Envoy ends").success());
}

#[test]
fn termination_under_load_lets_nothing_pass_and_nothing_hang() {
    let (keys, upstream) = (key_server(), Upstream::start());
    let config = config(&json!({"timeout": "10s"}));
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port()).concurrency(2);
    let mut gateway = gateway.start();
    let client = *gateway.client();
    let mut waiting = Vec::new();
    load(client, &upstream, Losses::Some, |load| {
        load.wait_for(30);
        keys.answer(Answer::hang());
        let unknown = token("a").header("kid", "unknown").sign();
        waiting.extend((0..10).map(|_| client.get("/a").bearer(&unknown).timeout(Duration::from_secs(10)).spawn()));
        wait_until("some to wait", || keys.count() >= 2);
        gateway.terminate();
        let status = gateway.wait().expect("Envoy ends");
        assert!(status.success(), "{status:?}");
    });
    for request in waiting {
        // cut, as its connection is; what came too late found no listener
        let answer = RUNTIME.block_on(request).unwrap();
        assert!(answer.as_ref().is_err_and(|error| !error.contains("no whole response")), "{answer:?}");
    }
    let log = gateway.log();
    for word in ["Caught", "panicked", "unreachable", "Proxy-Wasm plugin in-VM backtrace"] {
        assert!(!log.contains(word), "{log}");
    }
}
