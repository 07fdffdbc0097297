//! Key and permission token together: of one vendor, with the permissions that the route asks for, and the schools that the
//! token's districts open. The token is HS512 with a secret from the configuration or the environment.

use serde_json::{Value, json};

use crate::support::api_keys::{ACME, GLOBEX, SECRET, expect_error, policy, token, with_key};
use crate::support::gateway::Builder;
use crate::support::policy::start;
use crate::support::tokens::now;
use crate::support::{Gateway, Key, Token, Upstream};

#[test]
fn key_and_token_of_different_vendors_are_refused() {
    let (upstream, gateway) = start(policy());
    let (acme, globex) = (token("acme").sign(), token("globex").sign());
    let send = |key: &str, token: &str| with_key(&gateway, "/data", key).bearer(token).send();

    // the token is not cached, then it is
    for _ in 0..2 {
        expect_error(&send(GLOBEX, &acme), 403, "no-privilege");
        send(ACME, &acme).expect_status(200);
        expect_error(&send(ACME, &globex), 403, "no-privilege");
        send(GLOBEX, &globex).expect_status(200);
    }
    for vendor in ["Acme", "acme-1", "acm", "initech"] {
        let response = send(ACME, &token(vendor).sign());
        expect_error(&response, 403, "no-privilege");
    }
    assert_eq!(upstream.seen().len(), 4);
}

#[test]
fn route_asks_for_all_its_permissions() {
    let (upstream, gateway) = start(policy());
    let send = |path: &str, permissions: Value| {
        with_key(&gateway, path, ACME).bearer(token("acme").claim("permissions", permissions).sign()).send()
    };
    let cases = [
        (json!(["students.read", "students.write"]), 200),
        (json!(["more", "students.write", "students.read"]), 200),
        (json!(["students.read"]), 403),
        (json!(["students.write"]), 403),
        (json!([]), 403),
        (json!(["Students.Read", "students.write"]), 403),
        (json!(["students.read/students.write"]), 403),
        // OAuth's `scope`: one string, separated by spaces
        (json!("students.read more students.write"), 200),
        (json!("students.read"), 403),
        (json!(""), 403),
    ];
    for (permissions, status) in cases {
        let response = send("/flagged", permissions.clone());
        if status == 200 {
            assert_eq!(response.status, 200, "{permissions}");
        } else {
            assert_eq!(response.status, status, "{permissions}");
            expect_error(&response, status, "no-privilege");
        }
    }
    assert_eq!(upstream.seen().len(), 3);
    // a claim that cannot be read is no empty list
    for permissions in [
        json!(null),
        json!("students.read,students.write"),
        json!("students.read  students.write"),
        json!({"students.read": true}),
        json!(["students.*"]),
        json!([1]),
        json!(["a b"]),
    ] {
        expect_error(&send("/data", permissions), 401, "invalid-token");
    }
    send("/data", json!([])).expect_status(200);
    assert_eq!(upstream.last().header("x-claim-permissions").as_deref(), Some(""), "none, and not unknown");
}

#[test]
fn token_must_be_hs512_of_the_secret_in_the_environment() {
    let upstream = Upstream::start();
    let gateway = with_environment(json!([{"kid": "k", "alg": "HS512", "env": "PJWT_SECRET"}]), SECRET);
    let gateway = gateway.upstream(upstream.port()).start();
    let check = |token: &Token, status: u16| {
        let response = with_key(&gateway, "/data", ACME).bearer(token.sign()).send();
        if status == 200 {
            response.expect_status(200);
        } else {
            expect_error(&response, status, "invalid-token");
        }
    };
    check(&token("acme"), 200);
    check(&token("acme").header("kid", json!(null)), 200);
    check(&token("acme").header("alg", "HS256"), 401);
    check(&token("acme").header("alg", "none"), 401);
    check(&token("acme").forged_with(Key::Secret(b"PJWT_SECRET")), 401);
    check(&token("acme").forged_with(Key::Secret(&SECRET.as_bytes()[1..])), 401);
    check(&token("acme").algorithm(jsonwebtoken::Algorithm::HS256), 401);
    check(&token("acme").algorithm(jsonwebtoken::Algorithm::HS384), 401);
    check(&token("acme").forged_with(Key::Rsa1).header("alg", "RS256"), 401);
    check(&token("acme").claim("exp", now() - 1), 401);
    check(&token("acme").claim("exp", json!(null)), 401);
    check(&token("acme").claim("vendor", json!(null)), 401);
    check(&token("acme").claim("iss", "https://other.example.com/"), 401);
    check(&token("acme").claim("nbf", now() + 100), 401);
    assert!(!gateway.log().contains(SECRET), "{}", gateway.log());
}

#[test]
fn secret_that_is_missing_or_short_is_refused_and_not_repeated() {
    for (name, path) in [("OTHER", "issuers[0].secrets[0].env"), ("PJWT_SECRET", "issuers[0].secrets")] {
        let gateway = with_environment(json!([{"kid": "k", "alg": "HS512", "env": name}]), &SECRET[1..]);
        let log = gateway.try_start().map(|_| ()).expect_err("a missing or short secret is refused").log;
        assert!(log.contains(&format!("{path}: ")), "{name}: {log}");
        let mut told = log.lines().filter(|line| line.contains("hallpass: "));
        assert!(told.all(|line| !line.contains(&SECRET[1..])), "{log}");
    }
}

#[test]
fn district_opens_its_schools_by_configuration_or_claim() {
    let mut policy = policy();
    policy["districts"] = json!({"d1": ["s10", "s11"], "d2": ["s20"]});
    policy["issuers"][0]["claims"]["district_schools"] = json!("district_schools");
    let (upstream, gateway) = start(policy);
    let claims = json!({"d1": ["s12"], "d2": ["s21"]});
    let cases = [
        // its own
        ("school=s1", "d1", true),
        // opened by the district, in the configuration and in the claim
        ("school=s10", "d1", true),
        ("school=s12", "d1", true),
        ("school=s11&district=d1", "d1", true),
        ("school=s20", "d2", true),
        ("school=s21", "d2", true),
        // of districts that the token does not have
        ("school=s20", "d1", false),
        ("school=s21", "d1", false),
        ("school=s10", "d2", false),
        ("school=s12", "d2", false),
        // of no district; nearly one; a district is no school
        ("school=s99", "d1", false),
        ("school=S10", "d1", false),
        ("school=d1", "d1", false),
        ("school=s10&district=d2", "d1", false),
        ("district=d1", "d1", true),
        ("district=d2", "d1", false),
        ("", "d1", false),
    ];
    let mut passed = 0;
    for (query, district, opens) in cases {
        let token = token("acme").claim("districts", json!([district])).claim("district_schools", claims.clone());
        let response = with_key(&gateway, &format!("/scope?{query}"), ACME).bearer(token.sign()).send();
        if opens {
            assert_eq!(response.status, 200, "{query} with {district}: {response:?}");
            passed += 1;
        } else {
            let code = if query.contains("district=") { "no-districtlea" } else { "no-privilege" };
            expect_error(&response, 403, code);
        }
    }
    assert_eq!(upstream.seen().len(), passed);
    // the claim may be absent, and then opens nothing
    let plain = |query: &str| with_key(&gateway, query, ACME).bearer(token("acme").sign()).send();
    plain("/scope?school=s10").expect_status(200);
    expect_error(&plain("/scope?school=s12"), 403, "no-privilege");
}

fn with_environment(secrets: Value, value: &'static str) -> Builder {
    let mut config = policy();
    config["issuers"][0]["secrets"] = secrets;
    Gateway::builder().config(config).log_levels("warning", "trace").edit_plugin(move |plugin| {
        plugin["vm_config"]["environment_variables"] = json!({"key_values": {"PJWT_SECRET": value}});
    })
}
