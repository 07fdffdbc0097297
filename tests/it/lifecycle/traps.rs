//! A module that traps, in whichever callback and under load: what is in flight there gets no answer but 503 or a reset, nothing
//! passes unjudged, and the worker comes back. The faults are those of `src/host/faults.rs`.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::support::client::{RequestBuilder, race};
use crate::support::load::{Load, Losses, config, under_load};
use crate::support::process::faulty_wasm;
use crate::support::sample::{key_server, token};
use crate::support::{Answer, DEADLINE, Gateway, KeyServer, RUNTIME, Upstream, wait_for, wait_until};

/// Callbacks of the request that asks for the trap, and how it gets there.
const OF_REQUESTS: [&str; 6] =
    ["request_headers", "request_body", "request_trailers", "response_headers", "response_trailers", "delete"];
/// Callbacks that come by themselves after it, in the same worker.
const OF_WORKERS: [&str; 2] = ["context_create", "tick"];

/// How long a request may take before it counts as one that hangs.
const PATIENCE: Duration = Duration::from_secs(8);

struct Setup {
    keys: KeyServer,
    upstream: Upstream,
    gateway: Gateway,
}

impl Setup {
    fn start(workers: u32) -> Self {
        let keys = key_server();
        let upstream =
            Upstream::answering(|_| Answer::new(200).header("trailer", "x-end").body("a").trailer("x-end", "1"));
        let gateway = Gateway::builder()
            .config(config(&json!({"refresh": "500ms"})))
            .upstream(upstream.port())
            .auth(keys.port())
            .concurrency(workers);
        let gateway = gateway.module(faulty_wasm()).edit_plugin(|plugin| {
            plugin["reload_config"] = json!({"backoff": {"base_interval": "0.1s", "max_interval": "0.3s"}});
        });
        // What waits on a VM that has trapped is cut by this and by nothing else.
        let gateway = gateway.edit_connection_manager(|manager| manager["stream_idle_timeout"] = json!("2s")).start();
        let setup = Self { keys, upstream, gateway };
        setup.wait_until_all_serve("the start");
        setup
    }

    fn reloads(&self) -> u64 {
        self.gateway.admin().stat("wasm.hallpass.vm_reload_success").expect("the statistic of reloads")
    }

    #[track_caller]
    fn under_load(&self, go: impl FnOnce(&Load)) {
        under_load(&self.gateway, &self.upstream, Losses::Some, go);
    }

    /// How many traps there were.
    fn traps(&self) -> usize {
        self.gateway.log().matches("unreachable").count()
    }

    /// A request that asks for this trap, of the kind that gets there.
    fn trap(&self, callback: &str) -> RequestBuilder {
        let client = self.gateway.client();
        let post = |request: RequestBuilder| request.header("content-type", "application/json");
        let piece = || Bytes::from_static(br#"{"school":"oakwood"}"#);
        let request = match callback {
            "request_body" => post(client.request("POST", "/body")).pieces(vec![piece()], &[]),
            "request_trailers" => {
                post(client.http2().request("POST", "/body")).pieces(vec![piece()], &[("x-end", "1")])
            }
            _ => client.get("/a").header("te", "trailers"),
        };
        request.bearer(token("trap").sign()).header("x-test-trap", callback)
    }

    /// Waits until every worker serves.
    #[track_caller]
    fn wait_until_all_serve(&self, what: &str) {
        wait_for(&format!("the workers after {what}"), DEADLINE, || {
            let requests = (0..16).map(|_| self.gateway.get("/a").bearer(token("again").sign())).collect();
            race(16, requests).iter().all(|response| response.status == 200).then_some(())
        });
    }
}

#[test]
#[ignore = "a dozen traps, each with its reload; scripts/test --long"]
fn trap_in_any_callback_lets_nothing_pass_and_the_workers_come_back() {
    let setup = Setup::start(2);
    for callback in OF_REQUESTS.into_iter().chain(OF_WORKERS) {
        setup.under_load(|load| {
            let (traps, reloads) = (setup.traps(), setup.reloads());
            let answer = setup.trap(callback).timeout(PATIENCE).try_send().map(|response| response.status);
            println!("{callback}: {answer:?}");
            if callback.starts_with("request_") {
                assert_eq!(answer, Ok(503), "{callback}");
            }
            wait_until(&format!("the trap in {callback}"), || setup.traps() > traps);
            wait_until(&format!("the module anew after {callback}"), || setup.reloads() > reloads);
            setup.wait_until_all_serve(callback);
            load.wait_for(20);
        });
    }
}

#[test]
#[ignore = "traps in every VM of the process; scripts/test --long"]
fn trap_where_keys_are_fetched_lets_nothing_pass_and_keys_are_fetched_again() {
    let setup = Setup::start(2);
    // The main thread's VM fetches first, and is not made anew: later it is a worker's.
    for callback in ["idle_tick", "http_call_response", "http_call_response"] {
        setup.under_load(|load| {
            let traps = setup.traps();
            setup.trap(callback).send().expect_status(200);
            wait_until(&format!("the trap in {callback}"), || setup.traps() > traps);
            let before = setup.keys.count();
            wait_until(&format!("fetches after {callback}"), || setup.keys.count() > before + 2);
            setup.wait_until_all_serve(callback);
            load.wait_for(20);
        });
    }
}

#[test]
#[ignore = "traps while it is loaded anew; scripts/test --long"]
fn trap_while_the_module_is_loaded_anew_lets_nothing_pass() {
    let setup = Setup::start(2);
    for callback in ["vm_start", "configure"] {
        setup.under_load(|load| {
            let (traps, reloads) = (setup.traps(), setup.reloads());
            setup.trap(callback).send().expect_status(200);
            setup.trap("request_headers").timeout(PATIENCE).send().expect_status(503);
            wait_until(&format!("the trap in {callback}"), || setup.traps() > traps + 1);
            wait_until(&format!("the module anew after {callback}"), || setup.reloads() > reloads);
            setup.wait_until_all_serve(callback);
            load.wait_for(20);
        });
    }
}

#[test]
#[ignore = "waits for `stream_idle_timeout`; scripts/test --long"]
fn requests_that_wait_on_a_worker_that_traps_are_cut_and_none_passes() {
    const WAITING: usize = 8;
    let setup = Setup::start(1);
    let active = || setup.gateway.admin().stat("http.main.downstream_rq_active");
    setup.keys.answer(Answer::hang());
    setup.upstream.forget();
    let unknown = token("a").header("kid", "unknown").sign();
    let waiting: Vec<_> = (0..WAITING).map(|_| setup.gateway.get("/a").bearer(&unknown).spawn()).collect();
    wait_until("all to wait", || active() == Some(WAITING as u64));

    setup.trap("request_headers").send().expect_status(503);
    for request in waiting {
        let answer = RUNTIME.block_on(request).unwrap().expect("an answer");
        // by `stream_idle_timeout`, which is all that ends them
        assert!([503, 504].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(setup.upstream.heads(), 0);
    setup.wait_until_all_serve("the trap");
}
