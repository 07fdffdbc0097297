//! Opaque tokens from a list in the configuration: beside JWTs on one route, bound to their district, and nowhere to be seen.

mod many;
mod remote_list;

use serde_json::json;

use crate::support::client::Response;
use crate::support::lists::{date, hash};
use crate::support::opaque_tokens::{DISTRICT_TOKENS, entry, inline, with_token};
use crate::support::policy::{expect_problem, start};
use crate::support::sample::{ISSUER, token, total};
use crate::support::tokens::now;
use crate::support::{Gateway, Upstream, wait_for};

fn two_districts() -> (Upstream, Gateway) {
    start(inline(&[entry("token-a", "reader", "d1"), entry("token-b", "reader", "d2")]))
}

#[test]
fn upstream_is_told_the_same_of_a_token_as_of_a_jwt() {
    let (upstream, gateway) = two_districts();
    let told = || {
        let seen = upstream.last();
        ["x-claim-client-id", "x-claim-tier", "x-claim-districts", "x-claim-schools", "authorization"]
            .map(|name| seen.header(name))
    };
    let some = |text: &str| Some(text.to_owned());

    with_token(&gateway, "/data", "token-a").send().expect_status(200);
    assert_eq!(told(), [some("reader"), some("standard"), some("d1"), some("s-d1"), None]);
    with_token(&gateway, "/data", "token-b").send().expect_status(200);
    assert_eq!(told(), [some("reader"), some("standard"), some("d2"), some("s-d2"), None]);
    with_token(&gateway, "/data", &token("app").sign()).send().expect_status(200);
    assert_eq!(told(), [some("app"), some("standard"), None, some("oakwood"), None]);
    // what a client says of itself does not count
    let forged = with_token(&gateway, "/data", "token-a").header("x-claim-districts", "d2");
    forged.header("x-claim-schools", "s-d2").send().expect_status(200);
    assert_eq!(told(), [some("reader"), some("standard"), some("d1"), some("s-d1"), None]);
}

#[test]
fn token_opens_its_district_where_its_issuer_is_taken() {
    let (upstream, gateway) = two_districts();
    check_districts(&upstream, &gateway);
    check_issuers(&gateway);
}

#[track_caller]
fn check_districts(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    for (path, token, code) in [
        ("/schools?school=s-d1", "token-a", None),
        ("/schools?school=s-d2", "token-a", Some("school-out-of-scope")),
        ("/schools?school=s-d2", "token-b", None),
        // a school that `districts` gives to d1: the entry does not list it
        ("/schools?school=s-more", "token-a", Some("school-out-of-scope")),
        ("/districts/d1", "token-a", None),
        ("/districts/d2", "token-a", Some("district-out-of-scope")),
        ("/districts/d1", "token-b", Some("district-out-of-scope")),
        ("/districts/d2", "token-b", None),
    ] {
        let before = upstream.heads();
        let response = with_token(gateway, path, token).send();
        match code {
            None => drop(response.expect_status(200)),
            Some(code) => expect_problem(&response, 403, code),
        }
        assert_eq!(upstream.heads() - before, usize::from(code.is_none()), "{path} {token}");
    }
}

#[track_caller]
fn check_issuers(gateway: &Gateway) {
    let jwt = token("app").sign();
    let expired = token("app").claim("exp", now() - 600).sign();
    for (path, token, status) in [
        ("/data", "token-a", 200),
        ("/data", jwt.as_str(), 200),
        ("/opaque", "token-a", 200),
        ("/opaque", &jwt, 401),
        ("/jwt", "token-a", 401),
        ("/jwt", &jwt, 200),
        // again, now that both are cached
        ("/opaque", &jwt, 401),
        ("/jwt", "token-a", 401),
        ("/data", &expired, 401),
        ("/data", "token-c", 401),
        ("/data", "TOKEN-A", 401),
        ("/data", &hash("token-a"), 401),
    ] {
        let response = with_token(gateway, path, token).send();
        assert_eq!(response.status, status, "{path} {token}: {response:?}");
    }
}

#[test]
fn jwt_of_a_known_issuer_is_judged_as_one_although_its_hash_is_listed() {
    let jwt = |issuer: &str, exp: u64| token("app").claim("iss", issuer).claim("exp", exp).sign();
    let expired = jwt(ISSUER, now() - 600);
    let (body, _) = expired.rsplit_once('.').unwrap();
    let unsigned = format!("{body}.{}", "A".repeat(86));
    let named = jwt(DISTRICT_TOKENS, now() + 600);
    let foreign = jwt("https://elsewhere.example.com/", now() + 600);
    let tokens = [&expired, &unsigned, &named, &foreign].map(|token| entry(token, "reader", "d1"));
    let (_upstream, gateway) = start(inline(&tokens));

    let refused = |token: &str, code: &str| expect_problem(&with_token(&gateway, "/data", token).send(), 401, code);
    refused(&expired, "token-expired");
    refused(&unsigned, "token-invalid");
    refused(&named, "token-invalid");
    with_token(&gateway, "/data", &foreign).send().expect_status(200);
}

#[test]
fn dates_of_a_token_are_exact() {
    let dated = |token: &str, from: u64, end: u64| {
        let mut entry = entry(token, "reader", "d1");
        entry["not_before"] = json!(date(from));
        entry["not_after"] = json!(date(end));
        entry
    };
    let end = now() + 3;
    let tokens =
        [dated("past", 1_000, now() - 1), dated("future", now() + 600, now() + 1_200), dated("soon", now() - 60, end)];
    let (_upstream, gateway) = start(inline(&tokens));
    let send = |token: &str| with_token(&gateway, "/data", token).send();

    expect_problem(&send("past"), 401, "token-expired");
    expect_problem(&send("future"), 401, "token-invalid");
    let (last_good, first_bad) = wait_for("the token to expire", crate::support::DEADLINE, || {
        let (before, response, after) = (now(), send("soon"), now());
        match response.status {
            200 => assert!(before < end, "passed at {before}, which is not before {end}"),
            _ => assert!(after >= end, "refused at {after}, which is before {end}"),
        }
        (response.status != 200).then_some((before, response))
    });
    assert!(last_good >= end - 1);
    expect_problem(&first_bad, 401, "token-expired");
}

#[test]
fn tokens_of_one_application_share_its_budget_and_districts_have_their_own() {
    let mut policy = inline(&[
        entry("token-a", "reader", "d1"),
        entry("token-a2", "reader", "d1"),
        entry("token-b", "reader", "d2"),
        entry("token-c", "writer", "d1"),
    ]);
    let mut district = total("district", 2);
    district["by"] = json!(["client", "district"]);
    let mut token = total("token", 1);
    token["by"] = json!(["token"]);
    policy["tiers"]["standard"]["limits"] = json!([total("all", 3), district]);
    policy["tiers"]["single"] = json!({"limits": [token]});
    for name in ["single-1", "single-2"] {
        let mut entry = entry(name, "single", "d1");
        entry["tier"] = json!("single");
        policy["issuers"][1]["tokens"]["inline"]["tokens"].as_array_mut().expect("a list").push(entry);
    }
    let (_upstream, gateway) = start(policy);
    for (token, violated) in [
        ("token-a", None),
        ("token-a2", None),
        ("token-a", Some("district")),
        ("token-b", None),
        ("token-b", Some("all")),
        ("token-c", None),
        ("single-1", None),
        ("single-1", Some("token")),
        ("single-2", None),
    ] {
        let response = with_token(&gateway, "/data", token).send();
        match violated {
            None => drop(response.expect_status(200)),
            Some(limit) => {
                expect_problem(&response, 429, "limit-reached");
                assert_eq!(response.json()["violated-policies"], json!([limit]), "{token}");
            }
        }
    }
}

#[test]
fn guessing_is_charged_and_using_is_not() {
    let mut policy = inline(&[entry("token-a", "reader", "d1")]);
    policy["authentication_failures"] = json!({"requests": 3, "per": "1h"});
    let (_upstream, gateway) = start(policy);
    for _ in 0..20 {
        with_token(&gateway, "/data", "token-a").send().expect_status(200);
    }
    let guess = |n: u32| with_token(&gateway, "/data", &format!("guess-{n}")).send().status;
    assert_eq!([guess(1), guess(2), guess(3), guess(4)], [401, 401, 401, 429]);
    // known to the worker: no guess
    with_token(&gateway, "/data", "token-a").send().expect_status(200);
}

#[test]
fn no_token_shows_anywhere() {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(inline(&[entry("canary-token", "reader", "d1")])).upstream(upstream.port());
    let gateway = gateway.log_levels("warning", "trace").start();
    let mut responses: Vec<Response> = Vec::new();
    for (path, token) in [("/data", "canary-token"), ("/schools?school=x", "canary-token"), ("/data", "canary-guess")] {
        responses.push(with_token(&gateway, path, token).send());
    }
    let stats = gateway.admin().get("/stats").unwrap().text();
    let secrets = ["canary".to_owned(), hash("canary-token"), hash("canary-guess")];
    for text in [gateway.log(), stats, format!("{responses:?}")] {
        for secret in &secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert!(upstream.last().headers.keys().all(|name| name != "authorization"));
}
