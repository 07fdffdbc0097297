//! `forward.claims`: further claims reach the upstream whole, and clients cannot set their headers.

use serde_json::{Value, json};

use crate::support::policy::{expect_problem, open_and_guarded, start, token};

const HEADERS: [&str; 3] = ["x-claim-sub", "x-claim-org", "x-claim-groups"];

fn config() -> Value {
    let mut config = open_and_guarded();
    config["forward"] =
        json!({"claims": {"x-claim-sub": "sub", "x-claim-org": "/org/name", "x-claim-groups": "groups"}});
    config
}

#[test]
fn further_claims_reach_the_upstream_and_clients_cannot_set_them() {
    let (upstream, gateway) = start(config());
    let spoofed = |path: &str| {
        let request = gateway.get(path).header("X-Claim-Sub", "admin").header("x.claim.org", "all");
        request.header("x-claim-groups", "all").header("x-claim-groups", "more")
    };
    let full =
        token().claim("sub", "user-17").claim("org", json!({"name": "north"})).claim("groups", json!(["a", "b"]));
    spoofed("/a").bearer(full.sign()).send().expect_status(200);
    let seen = upstream.last();
    let values = HEADERS.map(|name| seen.header(name));
    assert_eq!(values, ["user-17", "north", "a,b"].map(|value| Some(value.to_owned())), "{seen:?}");
    assert!(!format!("{seen:?}").contains("all"), "{seen:?}");

    // A token without them, and a route without tokens.
    let (bare, open) = (token().sign(), spoofed("/open/a"));
    spoofed("/a").bearer(bare).send().expect_status(200);
    assert_eq!(HEADERS.map(|name| upstream.last().header(name)), [const { None }; 3]);
    open.send().expect_status(200);
    assert_eq!(HEADERS.map(|name| upstream.last().header(name)), [const { None }; 3]);
}

#[test]
fn claims_that_no_header_can_hold_refuse_the_token() {
    let (upstream, gateway) = start(config());
    for value in [json!("two words"), json!("a,b"), json!({"a": 1}), json!(["a", "b c"]), json!(1.5)] {
        let refused = gateway.get("/a").bearer(token().claim("groups", value.clone()).sign()).send();
        expect_problem(&refused, 401, "token-invalid");
    }
    // Longer than `max_schools_bytes` as a header, and no longer than a token may be.
    let long: Vec<String> = (0..800).map(|nth| format!("group-{nth:04}")).collect();
    let refused = gateway.get("/a").bearer(token().claim("groups", json!(long)).sign()).send();
    expect_problem(&refused, 403, "schools-too-long");
    assert_eq!(upstream.heads(), 0);
}
