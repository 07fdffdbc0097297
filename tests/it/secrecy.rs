//! Canaries: marked tokens, secrets, school ids and headers go through every outcome, and must appear in no log, no
//! statistic and no error body.

mod api_keys;

use serde_json::{Value, json};

use crate::support::policy::{config, issuer, token};
use crate::support::tokens::jwks;
use crate::support::{Answer, Gateway, Key, KeyServer, Response, Token, Upstream, wait_until};

/// In every canary, in any case.
const MARK: &str = "canary";
/// The client's id: the access log alone may have it.
const CLIENT: &str = "kanarienvogel";
const SECRET: &[u8] = b"canary-secret-that-is-long-enough-for-the-hash-of-hs512-0123456789";

fn policy() -> Value {
    let mut config = config(&json!([
        {"match": {"path": "/query"}, "scope": {"schools": {"query": "school_id"}}, "cost": 2},
        {"match": {"path": "/path/{id}/"}, "scope": {"schools": {"path": "id"}}},
        {"match": {"path": "/header"}, "scope": {"schools": {"header": "x-school-id"}}},
        {"match": {"path": "/cost", "methods": ["GET"]}, "cost": {"weight": 1, "times": {"query": "limit", "default": 1}}},
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
    ]));
    let mut secret = issuer();
    secret["issuer"] = json!("https://secret.example.com/");
    secret.as_object_mut().unwrap().remove("jwks");
    secret["secrets"] = json!([{"kid": "canary-kid", "alg": "HS512", "text": String::from_utf8_lossy(SECRET)}]);
    secret["schools"] = json!(["canary-school", "oakwood-primary"]);
    let mut remote = issuer();
    remote["issuer"] = json!("https://remote.example.com/");
    remote["jwks"] = json!({"remote": {
        "uri": "https://remote.example.com/jwks", "cluster": "auth", "timeout": "500ms", "cooldown": "100ms",
        "refresh": "200ms",
    }});
    config["issuers"].as_array_mut().unwrap().extend([secret, remote]);
    config["tiers"]["standard"] = json!({
        "limits": [{"name": "hour", "requests": 30, "per": "1h"}, {"name": "work", "cost": 50, "per": "1h"}],
        "max_cost": 40,
    });
    config["settlement_header"] = json!("x-actual-cost");
    config["authentication_failures"] = json!({"requests": 30, "per": "1h"});
    config
}

fn marked() -> Token {
    token()
        .claim("schools", json!(["canary-school", "oakwood-primary"]))
        .claim("client_id", CLIENT)
        .claim("canary-claim", "canary-value")
}

fn secret_token() -> Token {
    let claims = marked().claim("iss", "https://secret.example.com/").claims;
    Token::new(Key::Secret(SECRET), "canary-kid", claims)
}

/// Every kind of request that the filter tells apart.
fn run(gateway: &Gateway, keys: &KeyServer) -> Vec<Response> {
    let valid = marked().sign();
    let mut responses = Vec::new();
    let tokens = [
        // allowed or out of scope; both kinds of keys
        valid.clone(),
        secret_token().sign(),
        // forged, expired, from nowhere, of an unknown kid, tier, or with claims that cannot be
        marked().forged_with(Key::P256No2).sign(),
        secret_token().forged_with(Key::Secret(b"canary-guess")).sign(),
        marked().claim("exp", 1).sign(),
        marked().claim("iss", "https://canary.example.com/").sign(),
        marked().header("kid", "canary-kid-unknown").sign(),
        marked().header("alg", "canary").sign(),
        marked().claim("tier", "canary-tier").sign(),
        marked().claim("schools", json!(["canary,school"])).sign(),
        marked().claim("client_id", "canary\u{e4}").sign(),
        // keys that are fetched and lack this one
        marked().claim("iss", "https://remote.example.com/").header("kid", "canary-kid-remote").sign(),
        "canary-is-no-token".to_owned(),
        format!("{valid}.canary"),
    ];
    let targets = [
        "/query?school_id=canary-school",
        "/query?school_id=canary-out-of-scope&canary=canary",
        "/query?school_id=canary-school&SCHOOL_ID=canary",
        "/query?school_id=canary%zz",
        "/query?canary",
        "/path/canary-school/canary",
        "/path/canary-other/canary",
        "/path/canary%2fschool/a",
        "/path/canary;school/a",
        "/header",
        "/cost?limit=canary",
        "/cost?limit=41",
        "/open/canary",
        "/canary-nowhere",
    ];
    let dress = |request: crate::support::client::RequestBuilder| {
        request
            .header("x-school-id", "canary-school")
            .header("x-claim-schools", "canary-claimed")
            .header("x_claim_tier", "canary-claimed")
            .header("x-original-url", "/canary")
            .header("cookie", "canary=canary")
            .header("user-agent", "canary-agent")
            .header("x-actual-cost", "canary")
            .header("x-forwarded-for", "canary")
            .header("x-canary", b"canary\xff")
    };
    for client in [*gateway.client(), gateway.client().http2()] {
        for token in &tokens {
            responses.push(dress(client.get(targets[0]).bearer(token)).send());
        }
        for target in targets {
            responses.push(dress(client.get(target).bearer(&valid)).send());
            responses.push(dress(client.get(target)).send());
        }
        responses.push(dress(client.get("/query").header("authorization", "Basic canary")).send());
        responses.push(dress(client.get("/query").header("authorization", b"Bearer canary\xff")).send());
        responses.push(dress(client.request("POST", "/cost").bearer(&valid)).body("canary").send());
        let form = client.request("POST", targets[0]).bearer(&valid).header("content-type", "canary");
        responses.push(dress(form).pieces(vec!["canary".into()], &[("x-claim-schools", "canary")]).send());
    }
    // No keys at all any more, then broken ones.
    for answer in [
        Answer::new(500).body("canary"),
        Answer::new(200).body("canary"),
        Answer::new(301).header("location", "/canary"),
    ] {
        keys.answer(answer);
        let kid = format!("canary-kid-{}", responses.len());
        let token = marked().claim("iss", "https://remote.example.com/").header("kid", kid).sign();
        responses.push(dress(gateway.get(targets[0]).bearer(token)).send());
    }
    responses
}

#[track_caller]
fn expect_silent(what: &str, text: &str, marks: &[&str]) {
    let lower = text.to_ascii_lowercase();
    for mark in marks {
        if let Some(at) = lower.find(mark) {
            let text = String::from_utf8_lossy(&lower.as_bytes()[at.saturating_sub(200)..(at + 200).min(lower.len())]);
            panic!("`{mark}` in {what}: ...{text}");
        }
    }
}

#[test]
fn no_canary_sings() {
    let keys = KeyServer::start(&jwks(&[Key::P256No2.named("canary-kid-other")]));
    let upstream = Upstream::answering(|_| Answer::new(200).header("x-actual-cost", "1canary"));
    let gateway = Gateway::builder()
        .config(policy())
        .upstream(upstream.port())
        .auth(keys.port())
        .log_levels("warning", "trace")
        .start();

    let responses = run(&gateway, &keys);

    // The mix is a mix.
    for status in [200, 400, 401, 403, 404, 405, 415, 429, 503] {
        assert!(responses.iter().any(|response| response.status == status), "no {status}");
    }
    let signature = marked().sign();
    let payload = signature.split('.').nth(1).unwrap().to_ascii_lowercase();
    let marks = [MARK, CLIENT, &payload, "y2fuyxj5"];
    for response in &responses {
        expect_silent("a response", &format!("{response:?}"), &marks);
    }
    let decisions = || {
        let log = gateway.access_log();
        (log.len() >= responses.len()).then_some(log)
    };
    wait_until("the access log", || decisions().is_some());
    let access = gateway.access_log();
    assert!(access.iter().any(|line| line["client"] == CLIENT), "the client stands in the access log");
    for mut line in access {
        line.as_object_mut().unwrap().remove("client");
        expect_silent("the access log", &line.to_string(), &marks);
    }
    wait_until("the statistics", || {
        let stats = gateway.admin().get("/stats").expect("statistics").text();
        stats.contains("decision=.=limit-reached;.;tier=.=standard;.;: ")
    });
    for path in ["/stats", "/stats/prometheus", "/stats?format=json"] {
        expect_silent(path, &gateway.admin().get(path).expect("statistics").text(), &marks);
    }
    let log = gateway.log();
    assert!(log.contains("[trace]"), "the log of the filter is on trace level");
    expect_silent("the log", &log, &marks);
}

#[test]
fn refused_configuration_keeps_its_secrets() {
    let mut short = policy();
    short["issuers"][1]["secrets"][0]["text"] = json!("canary-too-short");
    let mut unknown = policy();
    unknown["issuers"][1]["secrets"][0]["base64"] = json!("canary!canary!");
    let mut wrong = policy();
    wrong["issuers"][1]["secrets"][0]["alg"] = json!("HS1");
    let mut key = policy();
    key["issuers"][0]["jwks"]["inline"]["keys"][0]["d"] = json!("canary");
    key["issuers"][0]["jwks"]["inline"]["keys"][0]["x"] = json!("canary");

    for (what, config) in [("short", short), ("both", unknown), ("alg", wrong), ("key", key)] {
        let gateway = Gateway::builder().config(config).log_levels("warning", "trace");
        let refused = gateway.try_start().expect_err("a bad configuration is refused");
        assert!(refused.log.contains("issuers["), "{what}: {}", refused.log);
        for line in refused.log.lines().filter(|line| line.contains("hallpass: ")) {
            expect_silent(what, line, &[MARK]);
        }
    }
}
