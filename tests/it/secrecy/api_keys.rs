//! Keys are nowhere but in requests: no log, no statistic, no answer, no access log has one, or its hash. The access log has
//! the client, the key's id and the cost.

use serde_json::json;

use crate::support::api_keys::{SECRET, entry, key_list, policy, remote_policy, token, with_key};
use crate::support::lists::{hash, refuse};
use crate::support::{Answer, Gateway, KeyServer, Upstream, wait_for, wait_until};

const MARK: &str = "canary";
const KEY: &str = "canary-key-of-acme";

#[test]
fn no_key_shows_anywhere_and_the_access_log_tells_usage() {
    let (lists, upstream) = (KeyServer::start(&key_list(1, &[entry("key-7", "acme", KEY)])), Upstream::start());
    let mut policy = remote_policy(&json!({}));
    policy["authentication_failures"] = json!({"requests": 3, "per": "1h"});
    policy["routes"][2]["cost"] = json!({"weight": 3});
    let gateway = Gateway::builder().config(policy).upstream(upstream.port()).auth(lists.port());
    let gateway = gateway.log_levels("warning", "trace").edit_connection_manager(|manager| {
        let fields = &mut manager["access_log"][0]["typed_config"]["log_format"]["json_format"];
        for name in ["client", "key", "cost"] {
            fields[name] = json!(format!("%FILTER_STATE(wasm.hallpass.{name}:PLAIN)%"));
        }
    });
    let gateway = gateway.start();

    let marked = || token("acme").claim("jti", "canary-jti").claim("permissions", json!(["canary"]));
    let mut responses = vec![
        with_key(&gateway, "/key", KEY).send(),
        with_key(&gateway, "/data", KEY).bearer(marked().sign()).send(),
        with_key(&gateway, "/data", KEY).bearer("canary").send(),
        with_key(&gateway, "/data", KEY).bearer(token("canary").sign()).send(),
        with_key(&gateway, "/flagged", KEY).bearer(marked().sign()).send(),
        with_key(&gateway, "/scope?school=canary", KEY).bearer(marked().sign()).send(),
        gateway.get("/key").header("x-api-key", KEY).header("x-api-key", "canary").send(),
        gateway.get("/key").header("x_api_key", KEY).send(),
    ];
    responses.extend((0..3).map(|nth| with_key(&gateway, "/key", &format!("canary-{nth}")).send()));
    for list in [
        key_list(2, &[json!({"id": "a", "client": "b", "sha256": KEY, "tier": "starter"})]),
        json!({"version": 2, "keys": [], KEY: KEY}),
        key_list(0, &[entry("canary", "canary", KEY)]),
        json!({"version": KEY, "keys": []}),
    ] {
        refuse(&gateway, &lists, Answer::json(&list));
    }
    responses.push(with_key(&gateway, "/key", KEY).send());

    for status in [200, 401, 403, 429] {
        assert!(responses.iter().any(|response| response.status == status), "no {status}");
    }
    for response in &responses {
        expect_silent("a response", &format!("{response:?}"));
    }
    let log = wait_for("the access log", crate::support::DEADLINE, || {
        Some(gateway.access_log()).filter(|log| log.len() >= responses.len())
    });
    let told = |route: &str, decision: &str| {
        let line = log.iter().find(|line| line["route"] == route && line["decision"] == decision);
        let line = line.unwrap_or_else(|| panic!("no {decision} at {route} in {log:?}"));
        (line["client"].clone(), line["key"].clone(), line["cost"].clone())
    };
    assert_eq!(told("/key", "allow"), (json!("acme"), json!("key-7"), json!("3")));
    assert_eq!(told("/", "allow"), (json!("acme"), json!("key-7"), json!("1")));
    assert_eq!(told("/", "token-invalid"), (json!("acme"), json!("key-7"), json!("1")));
    assert_eq!(told("/key", "key-refused").1, json!(null), "nobody is known");
    for line in &log {
        let mut line = line.clone();
        // the vendor of the one token that says so
        if line["client"] == MARK {
            line["client"] = json!(null);
        }
        expect_silent("the access log", &line.to_string());
    }
    wait_until("the statistics", || gateway.admin().get("/stats").expect("statistics").text().contains("key-refused"));
    for path in ["/stats", "/stats/prometheus"] {
        expect_silent(path, &gateway.admin().get(path).expect("statistics").text());
    }
    assert!(gateway.log().contains("[trace]"), "the log of the filter is on trace level");
    expect_silent("the log", &gateway.log());
    upstream.seen().iter().for_each(|seen| assert!(!format!("{seen:?}").contains(KEY), "{seen:?}"));
}

#[test]
fn key_in_the_clear_is_refused_by_the_configuration_and_not_repeated() {
    let mut config = policy();
    config["api_keys"]["inline"]["keys"][0]["sha256"] = json!(KEY);
    let refused = Gateway::builder().config(config).log_levels("warning", "trace").try_start();
    let log = refused.map(|_| ()).expect_err("a bad configuration is refused").log;
    assert!(log.contains("api_keys.inline"), "{log}");
    log.lines().filter(|line| line.contains("hallpass: ")).for_each(|line| expect_silent("the log", line));
}

#[track_caller]
fn expect_silent(what: &str, text: &str) {
    let lower = text.to_ascii_lowercase();
    for mark in [MARK, &hash(KEY), SECRET, "y2fuyxj5"] {
        assert!(!lower.contains(mark), "`{mark}` in {what}: {text}");
    }
}
