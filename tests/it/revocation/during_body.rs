//! What is withdrawn while a body is on its way, from a list over the network: it is looked at again once the body is there.

use serde_json::{Value, json};

use crate::support::api_keys::{entry as key, key_list, remote_policy, with_key};
use crate::support::exchange::{Exchange, head};
use crate::support::opaque_tokens::{entry as listed, list as token_list, remote, with_token};
use crate::support::policy::{expect_no_trap, vms};
use crate::support::{Gateway, KeyServer, Upstream, wait_until};

const WITHDRAWN: &str = "token-withdrawn";
const KEPT: &str = "token-kept";

/// A body of this school, whose second half is sent only once `meanwhile` is done. The status of the answer.
#[track_caller]
fn slow(gateway: &Gateway, upstream: &Upstream, http2: bool, header: (&str, &str), meanwhile: impl FnOnce()) -> u16 {
    upstream.forget();
    let received = || gateway.admin().stat("http.main.downstream_cx_rx_bytes_total").unwrap_or_default();
    let before = received();
    let request = head("POST", "/body", &[header, ("content-type", "application/json")]);
    let mut exchange = Exchange::open(gateway, http2, request, true);
    exchange.send(r#"{"school":"#, false);
    wait_until("the first half at Envoy", || {
        received() > before && gateway.admin().stat("http.main.downstream_rq_active") == Some(1)
    });
    meanwhile();
    assert_eq!(upstream.seen().iter().filter(|seen| seen.method == "POST").count(), 0, "half a body");
    exchange.send(r#""s-d1"}"#, true);
    exchange.status()
}

/// How many requests with a body reached the upstream.
fn passed(upstream: &Upstream) -> usize {
    upstream.seen().iter().filter(|seen| seen.method == "POST").count()
}

#[test]
fn listed_token_that_is_withdrawn_during_its_body_is_refused() {
    let both = |version| token_list(version, &[listed(WITHDRAWN, "reader", "d1"), listed(KEPT, "reader", "d1")]);
    let one = |version| token_list(version, &[listed(KEPT, "reader", "d1")]);
    let (lists, upstream) = (KeyServer::start(&both(1)), Upstream::start());
    let mut config = remote(&json!({}));
    let body = json!({"match": {"path": "/body", "methods": ["POST"]}, "scope": {"schools": {"body": "/school"}}});
    config["routes"].as_array_mut().unwrap().insert(1, body);
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(lists.port()).start();
    let before = vms(&gateway);
    let status = |token: &str| with_token(&gateway, "/data", token).send().status;
    let mut version = 1;

    for (http2, token, expected) in
        [(false, WITHDRAWN, 401), (true, WITHDRAWN, 401), (false, KEPT, 200), (true, KEPT, 200)]
    {
        lists.serve(&both(version));
        wait_until("the token", || status(WITHDRAWN) == 200 && status(KEPT) == 200);
        version += 1;
        let authorization = format!("Bearer {token}");
        let answered = slow(&gateway, &upstream, http2, ("authorization", &authorization), || {
            lists.serve(&one(version));
            wait_until("the end of the token", || status(WITHDRAWN) == 401);
        });
        assert_eq!(answered, expected, "{token}, http2: {http2}");
        assert_eq!(passed(&upstream), usize::from(expected == 200), "{token}, http2: {http2}");
        version += 1;
    }
    expect_no_trap(&gateway, before);
}

#[test]
#[ignore = "another Envoy for keys alone; scripts/test --long"]
fn key_alone_that_is_narrowed_during_its_body_is_refused() {
    let opens = |name: &str, schools: Value| {
        let mut entry = key(&name[..5], &name[..5], name);
        entry["schools"] = schools;
        entry
    };
    let list = |version: u64, schools: Value| {
        key_list(version, &[opens(NARROWED, schools), opens(WHOLE, json!(["s-d1", "s-more"]))])
    };
    let wide = |version| list(version, json!(["s-d1", "s-more"]));
    // the school that the body names is still among them: what was judged is not what is listed
    let narrow = |version| list(version, json!(["s-d1"]));
    let (lists, upstream) = (KeyServer::start(&wide(1)), Upstream::start());
    let gateway = Gateway::builder().config(keys_alone()).upstream(upstream.port()).auth(lists.port()).start();
    let before = vms(&gateway);
    // Whether a key opens the other school.
    let opens_more = |key: &str| with_key(&gateway, "/school?school=s-more", key).send().status == 200;
    let mut version = 1;

    for (http2, key, expected) in
        [(false, NARROWED, 401), (true, NARROWED, 401), (false, WHOLE, 200), (true, WHOLE, 200)]
    {
        lists.serve(&wide(version));
        wait_until("the key", || opens_more(NARROWED) && opens_more(WHOLE));
        version += 1;
        let answered = slow(&gateway, &upstream, http2, ("x-api-key", key), || {
            lists.serve(&narrow(version));
            wait_until("the narrowed key", || !opens_more(NARROWED));
        });
        assert_eq!(answered, expected, "{key}, http2: {http2}");
        assert_eq!(passed(&upstream), usize::from(expected == 200), "{key}, http2: {http2}");
        version += 1;
    }
    // what it still opens passes
    lists.serve(&narrow(version));
    wait_until("the narrowed key", || !opens_more(NARROWED));
    assert_eq!(slow(&gateway, &upstream, false, ("x-api-key", NARROWED), || {}), 200);
    expect_no_trap(&gateway, before);
}

const NARROWED: &str = "narrowed-key-0123456789abcdef";
const WHOLE: &str = "whole-key-0123456789abcdef";

/// Keys that open data alone: by a body on `/body`, by a query on `/school`.
fn keys_alone() -> Value {
    let mut policy = remote_policy(&json!({}));
    policy["errors"] = json!("problem-json");
    policy["issuers"][0]["default_tier"] = json!("starter");
    policy["routes"] = json!([
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
        {"match": {"path": "/body", "methods": ["POST"]}, "require_any": ["api_key", "bearer"],
         "scope": {"schools": {"body": "/school"}}},
        {"match": {"path": "/school"}, "require_any": ["api_key", "bearer"], "scope": {"schools": {"query": "school"}}},
    ]);
    policy
}
