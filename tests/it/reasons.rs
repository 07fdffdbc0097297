//! Why is it refused: what operators read in the access log, the metrics and the log, and clients do not.

use serde_json::{Value, json};

use crate::support::sample::{ISSUER, config, token, total};
use crate::support::{DEADLINE, Gateway, Key, Upstream, wait_for, wait_until};

fn start(config: Value) -> (Gateway, Upstream) {
    let upstream = Upstream::start();
    (Gateway::builder().config(config).upstream(upstream.port()).start(), upstream)
}

/// The lines of the access log, once there are as many.
fn lines(gateway: &Gateway, count: usize) -> Vec<Value> {
    wait_for("the access log", DEADLINE, || Some(gateway.access_log()).filter(|lines| lines.len() >= count))
}

#[test]
fn refused_token_has_its_reason_in_access_log_metrics_and_debug_log() {
    let mut config = config(&json!([]));
    config["issuers"][0]["audiences"] = json!(["https://api.example.com"]);
    let (gateway, _upstream) = start(config);
    let good = || token("a").claim("aud", "https://api.example.com");
    let slashless = ISSUER.strip_suffix('/').unwrap();
    let cases = [
        (good().claim("iss", slashless), "issuer"),
        (good().claim("aud", "https://other.example.com"), "audience"),
        (good().claim("nbf", 4_000_000_000_u64), "not-before"),
        (good().claim("schools", "oakwood"), "claim:schools"),
        (good().claim("client_id", Value::Null), "claim:client"),
        (good().forged_with(Key::P256No2), "signature"),
    ];
    let mut bodies = Vec::new();
    for (token, _) in &cases {
        let refused = gateway.get("/a").bearer(token.sign()).send();
        let mut body = refused.expect_status(401).json();
        body["instance"] = Value::Null;
        bodies.push((body, refused.header("www-authenticate")));
    }
    gateway.get("/a").bearer(good().sign()).send().expect_status(200);

    assert!(bodies.iter().all(|it| *it == bodies[0]), "the client is told no reason: {bodies:?}");
    let lines = lines(&gateway, cases.len() + 1);
    for (line, (_, reason)) in lines.iter().zip(&cases) {
        assert_eq!((&line["decision"], &line["reason"]), (&json!("token-invalid"), &json!(reason)), "{line}");
        wait_until(reason, || gateway.metric("hallpass_token_refusals_total", &[("reason", reason)]) > 0.5);
        assert!(gateway.log().contains(&format!("hallpass: token-invalid: {reason}")), "{reason}");
    }
    assert_eq!(lines[cases.len()]["reason"], Value::Null);
}

#[test]
fn limit_that_refused_is_named_in_the_access_log() {
    let (gateway, _upstream) = start(config(&json!([total("all", 1), total("most", 9)])));
    let token = token("a").sign();
    for status in [200, 429] {
        gateway.get("/a").bearer(&token).send().expect_status(status);
    }
    let lines = lines(&gateway, 2);
    assert_eq!((&lines[0]["limit"], &lines[0]["would_deny"]), (&Value::Null, &Value::Null));
    assert_eq!((&lines[1]["decision"], &lines[1]["limit"]), (&json!("limit-reached"), &json!("all")));
}

#[test]
fn dry_run_tells_who_would_be_refused_and_by_which_limit() {
    let mut config = config(&json!([total("all", 1)]));
    config["dry_run"] = json!(true);
    config["routes"][0]["scope"] = json!({"schools": {"query": "school", "missing": "allow"}});
    let (gateway, _upstream) = start(config);
    for (client, path) in [("a", "/a"), ("a", "/a"), ("b", "/a?school=other")] {
        gateway.get(path).bearer(token(client).sign()).send().expect_status(200);
    }
    let lines = lines(&gateway, 3);
    let told =
        |line: &Value| [&line["decision"], &line["client"], &line["would_deny"], &line["limit"]].map(Clone::clone);
    assert_eq!(told(&lines[0]), [json!("allow"), json!("a"), Value::Null, Value::Null]);
    assert_eq!(told(&lines[1]), [json!("allow"), json!("a"), json!("limit-reached"), json!("all")]);
    assert_eq!(told(&lines[2]), [json!("allow"), json!("b"), json!("school-out-of-scope"), Value::Null]);
}
