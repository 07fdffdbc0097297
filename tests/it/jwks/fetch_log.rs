//! What an operator learns of a fetch that failed: from where, by which cluster, and whether it was the server who answered.

use serde_json::{Value, json};

use crate::support::sample::{key_server, key_set, remote_config, token};
use crate::support::{Answer, Gateway, Upstream, wait_until};

const FAILED: &str = "fetching keys from http://auth.example.com/jwks (cluster `auth`) failed: ";

/// Starts a gateway whose cluster `auth` is at this port, after `edit` of that cluster, and waits for the line in the log.
#[track_caller]
fn check(port: u16, edit: impl FnOnce(&mut Value) + 'static, expected: &str) {
    let upstream = Upstream::start();
    let config = remote_config(&json!({"uri": "http://auth.example.com/jwks?key=of-the-operator", "timeout": "300ms"}));
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(port);
    let gateway = gateway.edit(|bootstrap| edit(&mut bootstrap["static_resources"]["clusters"][1])).start();
    let line = [FAILED, expected].concat();
    wait_until(&line, || gateway.log().contains(&line));
    assert!(!gateway.log().contains("of-the-operator"), "a query may hold a secret");
    gateway.get("/a").bearer(token("a").sign()).send().expect_status(503);
}

#[test]
fn answers_of_the_server_are_told_apart_from_those_of_envoy() {
    let keys = key_server();
    keys.answer(Answer::new(503).body("no healthy upstream"));
    check(keys.port(), |_| (), "the server answered with status 503");
    keys.answer(Answer::new(400));
    check(keys.port(), |_| (), "the server answered with status 400");

    // nobody listens at this port
    check(1, |_| (), "no answer of the server, Envoy says (503): upstream connect error");
    keys.answer(Answer::close());
    check(keys.port(), |_| (), "no answer of the server, Envoy says (503): upstream connect error");
    keys.answer(Answer::hang());
    check(keys.port(), |_| (), "no answer of the server, Envoy says (504): upstream request timeout");
}

#[test]
fn cluster_without_an_endpoint_and_one_that_is_missing_are_named() {
    let empty = |cluster: &mut Value| cluster["load_assignment"]["endpoints"] = json!([]);
    check(1, empty, "cluster `auth` has no endpoint that Envoy may ask");
    check(1, |cluster| cluster["name"] = json!("other"), "there is no cluster `auth`");
}

#[test]
fn fetch_names_its_user_agent() {
    let (keys, upstream) = (key_server(), Upstream::start());
    let has_agent = |agent: &str| agent.strip_prefix("hallpass/").is_some_and(|version| !version.is_empty());
    let gateway =
        Gateway::builder().config(remote_config(&json!({}))).upstream(upstream.port()).auth(keys.port()).start();
    wait_until("the keys", || gateway.get("/a").bearer(token("a").sign()).send().status == 200);
    let agents: Vec<_> = keys.seen().iter().map(|seen| seen.header("user-agent").unwrap_or_default()).collect();
    assert!(!agents.is_empty() && agents.iter().all(|agent| has_agent(agent)), "{agents:?}");
}

#[test]
fn age_of_keys_that_were_never_fetched_is_no_small_number() {
    let keys = key_server();
    keys.answer(Answer::new(500));
    let upstream = Upstream::start();
    let gateway =
        Gateway::builder().config(remote_config(&json!({}))).upstream(upstream.port()).auth(keys.port()).start();
    let age = || gateway.metric("hallpass_key_set_age_seconds", &[]);
    wait_until("an age of decades", || age() > 1e9);

    keys.serve(&key_set());
    wait_until("the age of new keys", || age() < 60.0);
}
