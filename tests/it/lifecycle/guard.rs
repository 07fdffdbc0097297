//! When the module itself fails, nothing passes unchecked; and what the check of a configuration says before that.
//!
//! Envoy serves everything unchecked on a worker whose module failed to start after the main thread's did. The guard of
//! `envoy/education-data-platform.yaml`, a filter after this one, closes that.

use std::path::PathBuf;

use serde_json::json;

use crate::support::client::race;
use crate::support::gateway::Builder;
use crate::support::process::{faulty_wasm, wasm};
use crate::support::sample::{ISSUER, config, key_server, remote_config, token, total};
use crate::support::tokens::{jwks, now};
use crate::support::{DEADLINE, Gateway, Key, KeyServer, Token, Upstream, wait_for, wait_until};

const FILE: &str = "envoy/education-data-platform.yaml";
const PATH: &str = "/stats/v1/attendance/summary?school_id=oakwood-primary";
const GUARD: &str = "string_match: {exact: allow}";
/// The last setting of the filter.
const SETTING: &str = "rate_limit_headers: draft-11";
/// Principals that let everything pass, in place of the guard's.
const NO_GUARD: &str = "string_match: {exact: allow}\n                              - any: true";

#[test]
fn guard_lets_pass_what_the_filter_allowed() {
    let platform = Platform::start(wasm(), None, true);

    platform.send(&Platform::token()).expect_status(200);
    platform.gateway.get("/healthz").send().expect_status(200);
    platform.gateway.get(PATH).send().expect_status(401);
    platform.send(&Platform::forged()).expect_status(401);
    assert_eq!(platform.api.seen().len(), 2);
}

#[test]
fn guard_needs_the_decision_alone_and_refuses_everything_without_it() {
    let start = |facts: &str| {
        let with = format!("{SETTING}\n                            filter_state: {facts}");
        Platform::start_edited(wasm(), |gateway| gateway.replace(SETTING, &with))
    };
    let logged = |platform: &Platform, status: u16| {
        let line = wait_for("the access log", DEADLINE, || {
            platform.gateway.access_log().into_iter().find(|line| line["status"] == status)
        });
        ["decision", "tier", "client", "route"].map(|fact| line[fact].as_str().map(str::to_owned))
    };
    let text = |text: &str| Some(text.to_owned());

    let platform = start("[decision, client]");
    platform.send(&Platform::token()).expect_status(200);
    platform.send(&Platform::forged()).expect_status(401);
    assert_eq!(logged(&platform, 200), [text("allow"), None, text("YOUR_CLIENT_ID"), None]);
    assert_eq!(logged(&platform, 401), [text("token-invalid"), None, None, None]);

    // What hallpass refuses it still refuses as it should; what it allows, the guard stops.
    let platform = start("[tier, client, route]");
    platform.send(&Platform::forged()).expect_status(401);
    platform.send(&Platform::token()).expect_status(403);
    platform.gateway.get("/healthz").send().expect_status(403);
    assert_eq!(platform.api.heads(), 0, "reached the upstream");
    let route = text("/stats/v1/attendance/summary");
    assert_eq!(logged(&platform, 403), [None, text("standard"), text("YOUR_CLIENT_ID"), route]);
}

#[test]
fn guard_stops_what_a_worker_without_the_filter_lets_pass() {
    for fault in ["fail-on-worker", "trap-on-worker"] {
        let platform = Platform::start(faulty_wasm(), Some(fault), true);
        assert!(platform.gateway.admin().is_ready(), "{fault}: Envoy says that all is well");
        for response in platform.send_many() {
            assert!(response.status == 403 || response.status >= 500, "{fault}: {response:?}");
        }
        assert_eq!(platform.api.heads(), 0, "{fault}: reached the upstream");
        assert_eq!(platform.auth.seen().iter().filter(|seen| seen.method == "POST").count(), 0, "{fault}");
    }
}

#[test]
fn without_the_guard_a_worker_without_the_filter_lets_everything_pass() {
    // This is why there is a guard. Should it fail some day, Envoy has learnt to fail closed.
    let platform = Platform::start(faulty_wasm(), Some("fail-on-worker"), false);

    platform.send_many().iter().for_each(|response| {
        response.expect_status(200);
    });
    assert!(platform.api.heads() > 0);
}

#[test]
fn module_that_fails_on_demand_serves_as_long_as_nothing_is_demanded() {
    let platform = Platform::start(faulty_wasm(), None, true);

    platform.send(&Platform::token()).expect_status(200);
    platform.send(&Platform::forged()).expect_status(401);
    assert_eq!(platform.api.seen().len(), 1);
}

#[test]
fn trap_ends_its_request_and_the_worker_comes_back_with_budgets_and_keys() {
    let (keys, upstream) = (key_server(), Upstream::start());
    let mut config = remote_config(&json!({}));
    config["tiers"] = json!({"standard": {"limits": [total("all", 5)]}});
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port()).module(faulty_wasm());
    let gateway = gateway.edit_plugin(|plugin| {
        plugin["reload_config"] = json!({"backoff": {"base_interval": "0.1s", "max_interval": "1s"}});
    });
    let gateway = gateway.start();
    let token = token("a").sign();
    let send = || gateway.get("/a").bearer(&token).send();
    send().expect_status(200);
    send().expect_status(200);

    gateway.get("/a").bearer(&token).header("x-test-trap", "request_headers").send().expect_status(503);

    let mut refused = 0;
    wait_until("the worker to come back", || {
        let response = send();
        refused += usize::from(response.status == 503);
        assert!([200, 503].contains(&response.status), "{response:?}");
        response.status == 200
    });
    assert_eq!([send().status, send().status, send().status], [200, 200, 429], "after {refused} refusals");
    assert_eq!(upstream.seen().len(), 5);
    assert_eq!(keys.count(), 1, "the keys were kept");
    gateway.get("/a").send().expect_status(401);
}

#[test]
fn check_of_a_configuration_shows_every_problem_with_its_path() {
    let mut bad = config(&json!([{"name": "Minute", "requests": 0, "per": "soon"}]));
    bad["issuers"][0]["clock_skew"] = json!("1h");
    bad["issuers"][0]["claims"]["client"] = json!(7);
    bad["tiers"]["standard"]["colour"] = json!("red");
    bad["routes"][0]["match"]["path"] = json!("no-slash");
    bad["rate_limits"] = json!("on");

    let log = Gateway::builder().config(bad).validate().expect_err("a bad configuration");

    for path in [
        "tiers.standard.limits[0].name:",
        "tiers.standard.limits[0].requests:",
        "tiers.standard.limits[0].per:",
        "tiers.standard.colour:",
        "issuers[0].clock_skew:",
        "issuers[0].claims.client:",
        "routes[0].match.path:",
        "rate_limits:",
    ] {
        assert!(log.contains(path), "no `{path}` in\n{log}");
    }
    Gateway::builder().config(config(&json!([total("all", 1)]))).validate().expect("the twin is valid");
    Gateway::builder().config(remote_config(&json!({}))).validate().expect("keys are not fetched to check");
    Gateway::builder().bootstrap_file(FILE).validate().expect("the shipped file is valid");
}

/// The Education Data Platform as it is shipped.
struct Platform {
    api: Upstream,
    auth: KeyServer,
    gateway: Gateway,
}

impl Platform {
    fn start(module: PathBuf, fault: Option<&str>, guarded: bool) -> Self {
        Self::start_edited(module, |mut gateway| {
            if let Some(fault) = fault {
                let any = "\"@type\": type.googleapis.com/google.protobuf.StringValue, value:";
                let with = format!("vm_id: hallpass\n                          configuration: {{{any} {fault}}}");
                gateway = gateway.replace("vm_id: hallpass", &with);
            }
            if guarded { gateway } else { gateway.replace(GUARD, NO_GUARD) }
        })
    }

    fn start_edited(module: PathBuf, edit: impl FnOnce(Builder) -> Builder) -> Self {
        let (api, auth) = (Upstream::start(), KeyServer::start(&jwks(&[Key::Rsa1.named("k")])));
        let gateway = Gateway::builder().bootstrap_file(FILE).port(9200, api.port()).port(9100, auth.port());
        let gateway = edit(gateway.module(module).concurrency(2)).start();
        Self { api, auth, gateway }
    }

    fn token() -> String {
        Token::education(Key::Rsa1, "k").claim("iss", ISSUER).claim("exp", now() + 60).sign()
    }

    fn forged() -> String {
        Token::education(Key::Rsa1, "k").forged_with(Key::Rsa2).sign()
    }

    #[track_caller]
    fn send(&self, token: &str) -> crate::support::Response {
        self.gateway.get(PATH).bearer(token).send()
    }

    /// Requests that a working filter would allow, and such as it would refuse, on every worker.
    fn send_many(&self) -> Vec<crate::support::Response> {
        let client = self.gateway.client();
        let mut requests = Vec::new();
        for _ in 0..12 {
            requests.push(client.get(PATH));
            requests.push(client.get(PATH).bearer(Self::token()));
            requests.push(client.get("/healthz"));
            requests.push(client.request("POST", "/oauth/token"));
            requests.push(client.get("/nowhere").header("x-claim-schools", "all"));
        }
        race(60, requests)
    }
}
