//! Request ids and the access log through a real Envoy.

use serde_json::{Value, json};

use crate::support::policy::{config, expect_no_trap, expect_problem, open_and_guarded, start, token, vms};
use crate::support::{Client, DEADLINE, Gateway, Upstream, wait_for};

fn clients(gateway: &Gateway) -> [Client; 2] {
    [*gateway.client(), gateway.client().http2()]
}

/// A gateway that keeps the request ids of clients.
fn keeping_ids() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::builder()
        .config(open_and_guarded())
        .upstream(upstream.port())
        .edit_connection_manager(|manager| manager["preserve_external_request_id"] = Value::Bool(true))
        .start();
    (upstream, gateway)
}

#[track_caller]
fn expect_logged(gateway: &Gateway, id: &str) {
    let is_logged = || gateway.access_log().iter().any(|line| line["request_id"] == id).then_some(());
    wait_for("the id in the access log", DEADLINE, is_logged);
}

#[test]
fn one_request_id_stands_everywhere() {
    let (upstream, gateway) = start(open_and_guarded());
    for client in clients(&gateway) {
        for path in ["/open/a", "/a"] {
            let response = client.get(path).bearer(token().sign()).send();
            let id = response.header("x-request-id").expect("an id");
            assert_eq!(upstream.last().header("x-request-id"), Some(id.clone()));
            expect_logged(&gateway, &id);
        }
        for refused in [client.get("/a").send(), client.get("/a/%zz").send(), client.get("/a").bearer("x").send()] {
            let id = refused.header("x-request-id").expect("an id");
            assert_eq!(refused.json()["instance"], format!("urn:uuid:{id}"));
            expect_logged(&gateway, &id);
        }
    }
}

#[test]
fn request_ids_of_clients_are_taken_over_only_if_harmless() {
    let (upstream, gateway) = keeping_ids();
    let before = vms(&gateway);
    let long = "a".repeat(129);
    let harmless = ["abc", "0b8cc9ee-3ea5-4b0c-9d0e-2b1f5f0a0c5d", "A_b.c-1"];
    let garbage = ["a b", "<script>", "a,b", "a\"b", "a;b", "{}", &long, "\u{fc}"];

    for client in clients(&gateway) {
        for id in harmless {
            let response = client.get("/a").bearer(token().sign()).header("x-request-id", id).send();
            assert_eq!(response.headers("x-request-id"), [id]);
            assert_eq!(upstream.last().headers("x-request-id"), [id]);
            let refused = client.get("/a").header("x-request-id", id).send();
            assert_eq!(refused.headers("x-request-id"), [id]);
            // Only a UUID names an instance.
            let instance = if id.len() == 36 { json!(format!("urn:uuid:{id}")) } else { Value::Null };
            assert_eq!(refused.json()["instance"], instance, "{refused:?}");
        }
        for id in garbage {
            let response = client.get("/a").bearer(token().sign()).header("x-request-id", id).send();
            response.expect_status(200);
            let new = response.header("x-request-id").expect("an id");
            assert_eq!(new.len(), 36, "{id}: {response:?}");
            assert_eq!(upstream.last().header("x-request-id").as_ref(), Some(&new), "{id}");
            expect_logged(&gateway, &new);
            let refused = client.get("/a").header("x-request-id", id).send();
            expect_problem(&refused, 401, "token-missing");
        }
        // Two of them.
        let request = client.get("/a").bearer(token().sign()).header("x-request-id", "a").header("x-request-id", "b");
        let response = request.send();
        let id = response.header("x-request-id").expect("one id");
        assert_eq!(upstream.last().headers("x-request-id"), [id]);
    }
    expect_no_trap(&gateway, before);
}

#[test]
fn access_log_tells_the_decision_and_no_path() {
    let upstream = Upstream::start();
    let config = config(&json!([{"match": {"path": "/schools/{id}/pupils"}, "scope": {"schools": {"path": "id"}}}]));
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).start();
    let path = "/schools/oakwood-primary/pupils?name=someone";
    let passed = gateway.get(path).bearer(token().sign()).send();
    let scoped = gateway.get("/schools/elm-park/pupils").bearer(token().sign()).send();
    let missing = gateway.get(path).send();
    let lost = gateway.get("/elsewhere/oakwood-primary").bearer(token().sign()).send();

    let template = json!("/schools/{id}/pupils");
    for (response, decision, route, client, tier) in [
        (&passed, "allow", &template, json!("YOUR_CLIENT_ID"), json!("standard")),
        (&scoped, "school-out-of-scope", &template, json!("YOUR_CLIENT_ID"), json!("standard")),
        (&missing, "token-missing", &template, Value::Null, Value::Null),
        (&lost, "no-route", &Value::Null, Value::Null, Value::Null),
    ] {
        let id = response.header("x-request-id").expect("an id");
        let find = || gateway.access_log().into_iter().find(|line| line["request_id"] == json!(id));
        let line = wait_for("the access log", DEADLINE, find);
        assert_eq!(
            (&line["decision"], &line["route"], &line["client"], &line["tier"]),
            (&json!(decision), route, &client, &tier),
            "{line}"
        );
        assert!(!line.to_string().contains("oakwood") && !line.to_string().contains("elm-park"), "{line}");
    }
}
