//! Budgets of source addresses: of open routes, and for failed credentials. The address is the one that Envoy trusts.

use serde_json::{Value, json};

use crate::support::client::Response;
use crate::support::policy::expect_problem;
use crate::support::process::root;
use crate::support::sample::{NEVER, config, token, total};
use crate::support::{Gateway, Key, Upstream};

#[test]
fn token_endpoint_is_limited_by_the_address_of_the_connection() {
    let (gateway, upstream) = gateway(open_route(), 0);
    // a client that writes its own address is still the same client
    let send = |forged: &str| gateway.request("POST", "/oauth/token").header("x-forwarded-for", forged).send();

    for forged in ["203.0.113.1", "203.0.113.2", "2001:db8::1"] {
        send(forged).expect_status(200);
    }
    for forged in ["203.0.113.4", "198.51.100.1, 203.0.113.5", ""] {
        let refused = send(forged);
        refused.expect_status(429);
        assert_eq!(refused.json()["violated-policies"], json!(["tokens"]));
        assert!(refused.header("retry-after").is_some());
    }
    assert_eq!(upstream.seen().len(), 3);
}

#[test]
fn address_is_the_one_that_a_trusted_proxy_saw_of_ipv6_its_network() {
    let (gateway, _upstream) = gateway(open_route(), 1);
    let send = |forwarded: &str| gateway.request("POST", "/oauth/token").header("x-forwarded-for", forwarded).send();

    // only the last entry is the proxy's; what stands before it came from the client
    for forged in ["", "203.0.113.8, ", "10.0.0.1, 127.0.0.1, "] {
        send(&format!("{forged}203.0.113.7")).expect_status(200);
    }
    send("203.0.113.8, 203.0.113.7").expect_status(429);
    send("203.0.113.7, 203.0.113.8").expect_status(200);

    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:ffff:ffff:ffff"] {
        send(address).expect_status(200);
    }
    send("2001:db8::9").expect_status(429);
    send("2001:db8:0:1::1").expect_status(200);
}

#[test]
fn ipv4_address_inside_of_ipv6_has_the_budget_of_its_own() {
    for prefix in ["::ffff:", "::", "::ffff:0:", "64:ff9b::"] {
        let (gateway, _upstream) = gateway(open_route(), 1);
        let send = |address: &str| gateway.request("POST", "/oauth/token").header("x-forwarded-for", address).send();

        for _ in 0..2 {
            send(&format!("{prefix}203.0.113.7")).expect_status(200);
        }
        send("203.0.113.7").expect_status(200);
        send(&format!("{prefix}203.0.113.7")).expect_status(429);
        send(&format!("{prefix}203.0.113.8")).expect_status(200);
    }
    // NAT64 of one network: apart from each other
    let (gateway, _upstream) = gateway(open_route(), 1);
    let send = |address: &str| gateway.request("POST", "/oauth/token").header("x-forwarded-for", address).send();
    for _ in 0..3 {
        send("64:ff9b:1::203.0.113.7").expect_status(200);
    }
    send("64:ff9b:1::203.0.113.7").expect_status(429);
    send("64:ff9b:1::203.0.113.8").expect_status(200);
}

#[test]
fn address_with_a_port_needs_the_early_mutation_of_the_document() {
    let (without, _upstream) = gateway(open_route(), 1);
    let send = |gateway: &Gateway, forwarded: &str| {
        gateway.request("POST", "/oauth/token").header("x-forwarded-for", forwarded).send()
    };
    // Envoy cannot read it and takes the address of the connection: all clients of the load balancer share one budget.
    for client in 1..=3 {
        send(&without, &format!("203.0.113.{client}:51008")).expect_status(200);
    }
    send(&without, "203.0.113.4:51008").expect_status(429);

    let document = std::fs::read_to_string(root().join("envoy/README.md")).expect("the document can be read");
    let line = document.lines().find(|line| line.contains("%CEL(")).expect("the mutation");
    let (_, value) = line.split_once("value: '").expect("its value");
    let value = value.strip_suffix('\'').expect("in quotes").replace("''", "'");
    let upstream = Upstream::start();
    let with = Gateway::builder().config(open_route()).upstream(upstream.port());
    let with = with.edit_connection_manager(move |manager| {
        manager["xff_num_trusted_hops"] = json!(1);
        manager["early_header_mutation_extensions"] = json!([{
            "name": "forwarded-port",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                "mutations": [{"append": {
                    "header": {"key": "x-forwarded-for", "value": value},
                    "append_action": "OVERWRITE_IF_EXISTS",
                }}],
            },
        }]);
    });
    let with = with.start();
    for forwarded in ["203.0.113.7:51008", "203.0.113.7", "203.0.113.9, 203.0.113.7:1"] {
        send(&with, forwarded).expect_status(200);
    }
    send(&with, "203.0.113.7:443").expect_status(429);
    send(&with, "203.0.113.8:443").expect_status(200);
    // of IPv6 with a port and without
    for forwarded in ["[2001:db8::1]:51008", "2001:db8::2", "[2001:db8::3]:443"] {
        send(&with, forwarded).expect_status(200);
    }
    send(&with, "2001:db8::4").expect_status(429);
    send(&with, "").expect_status(200);
}

#[test]
fn failed_credentials_use_up_a_budget_of_the_address() {
    let (gateway, upstream) = gateway(failures(3), 1);
    let from = |address: &str, token: &str| send_from(&gateway, address, token);
    let cached = token("cached").sign();
    from("203.0.113.7", &cached).expect_status(200);

    // of every kind: forged, of an unknown issuer, no token at all; mistakes cost nothing, whenever they are made
    let forged = token("a").forged_with(Key::P256No2).sign();
    let foreign = token("a").claim("iss", "https://auth.example.net/").sign();
    let expired = token("a").claim("exp", 1_000).sign();
    for bad in [&expired, forged.as_str(), &expired, &foreign, &expired, "nonsense"] {
        from("203.0.113.7", bad).expect_status(401);
    }
    for bad in [forged.as_str(), &foreign, &expired, "nonsense", &token("new").sign()] {
        let refused = from("203.0.113.7", bad);
        expect_problem(&refused, 429, "limit-reached");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    from("203.0.113.7", &cached).expect_status(200);
    from("203.0.113.8", &token("new").sign()).expect_status(200);
    from("203.0.113.8", &forged).expect_status(401);
    assert_eq!(upstream.seen().len(), 3);

    // good, missing and mistaken credentials use nothing of it
    for client in 0..5 {
        for claim in ["client_id", "exp"] {
            from("203.0.113.9", &token("a").claim(claim, 1_000 + client).sign()).expect_status(401);
        }
        from("203.0.113.9", &token(&client.to_string()).sign()).expect_status(200);
        gateway.get("/a").header("x-forwarded-for", "203.0.113.9").send().expect_status(401);
    }
    for status in [401, 401, 401, 429] {
        from("203.0.113.9", "nonsense").expect_status(status);
    }
}

#[test]
fn budget_for_failed_credentials_can_be_off() {
    let mut config = failures(1);
    config["authentication_failures"] = json!("off");
    let (gateway, _upstream) = gateway(config, 1);

    for _ in 0..700 {
        send_from(&gateway, "203.0.113.7", "nonsense").expect_status(401);
    }
}

fn open_route() -> Value {
    let mut config = config(&json!([]));
    config["routes"] = json!([
        {"match": {"path": "/oauth/token", "methods": ["POST"]}, "require": [], "address_limits": [total("tokens", 3)]},
        {"match": {"path": "/"}},
    ]);
    config
}

fn failures(budget: u32) -> Value {
    let mut config = config(&json!([]));
    config["authentication_failures"] = json!({"requests": budget, "per": NEVER});
    config
}

fn send_from(gateway: &Gateway, address: &str, token: &str) -> Response {
    gateway.get("/a").header("x-forwarded-for", address).bearer(token).send()
}

fn gateway(config: Value, trusted_hops: u32) -> (Gateway, Upstream) {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(config).upstream(upstream.port());
    let gateway = gateway.edit_connection_manager(move |manager| manager["xff_num_trusted_hops"] = json!(trusted_hops));
    (gateway.start(), upstream)
}
