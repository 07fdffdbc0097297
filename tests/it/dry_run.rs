//! A dry run lets pass what limits, cost and early scope would refuse, and counts it; never what is no valid token.

use serde_json::{Value, json};

use crate::support::policy::start;
use crate::support::sample::{config, token, total};
use crate::support::{Gateway, Key, Token, wait_until};

#[test]
fn dry_run_lets_over_limit_cost_and_scope_pass_but_no_bad_credentials() {
    let mut config = dry_config();
    config["dry_run"] = json!(true);
    let (upstream, gateway) = start(config);
    let signed = token("a").sign();
    let send = |path: &str| gateway.get(path).bearer(&signed).send();

    for path in ["/a?school=oakwood", "/a?school=oakwood", "/a?school=oakwood"] {
        send(path).expect_status(200);
    }
    send("/a?school=other").expect_status(200);
    send("/a").expect_status(200);
    send("/a?school=oakwood&limit=9").expect_status(200);

    assert_eq!(upstream.seen().len(), 6);
    check_would_deny(
        &gateway,
        "standard",
        &[("limit-reached", 4.0), ("school-out-of-scope", 1.0), ("school-missing", 1.0), ("too-costly", 1.0)],
    );
    wait_until("the gauge", || gateway.metric("hallpass_dry_run", &[("tier", "standard")]) > 0.5);
    assert!(gateway.log().contains("dry_run"), "an operator is warned");
    // what the upstream may rely on holds in a dry run too
    assert_eq!(upstream.last().header("x-claim-schools").unwrap(), "oakwood");

    // bad credentials never pass
    let path = "/a?school=oakwood";

    gateway.get(path).send().expect_status(401);
    for (case, token) in [
        ("forged", token("a").forged_with(Key::P256No2)),
        ("expired", token("a").claim("exp", 1_000)),
        ("another issuer's", token("a").claim("iss", "https://evil.example.com/")),
        ("without schools", token("a").claim("schools", Value::Null)),
        ("of an unknown key", token("a").header("kid", "other")),
    ] {
        assert_eq!(gateway.get(path).bearer(token.sign()).send().status, 401, "{case}");
    }
    gateway.get(path).bearer(token("a").claim("tier", "gold").sign()).send().expect_status(403);
    gateway.get("/a?school=oakwood&School=other").bearer(token("a").sign()).send().expect_status(400);
    assert_eq!(upstream.heads(), 6);
    gateway.get(path).bearer(token("a").sign()).send().expect_status(200);
}

#[test]
fn dry_run_of_one_tier_leaves_the_others_alone() {
    let mut config = dry_config();
    config["tiers"]["trial"] = config["tiers"]["standard"].clone();
    config["tiers"]["trial"]["dry_run"] = json!(true);
    let (_upstream, gateway) = start(config);
    let statuses = |token: &Token| {
        let token = token.sign();
        let paths = ["/a?school=oakwood&limit=9", "/a?school=oakwood", "/a?school=other", "/a?school=oakwood"];
        paths.map(|path| gateway.get(path).bearer(&token).send().status)
    };

    assert_eq!(statuses(&token("a").claim("tier", "trial")), [200, 200, 200, 200]);
    assert_eq!(statuses(&token("b")), [429, 200, 403, 429]);
    gateway
        .get("/a?school=oakwood")
        .bearer(token("c").claim("tier", "trial").forged_with(Key::P256No2).sign())
        .send()
        .expect_status(401);

    let gauge = |tier: &str| gateway.metric("hallpass_dry_run", &[("tier", tier)]);
    wait_until("the gauge", || gauge("trial") > 0.5);
    assert_eq!((gauge("standard"), gauge("none")), (0.0, 0.0));
    check_would_deny(&gateway, "trial", &[("limit-reached", 2.0), ("school-out-of-scope", 1.0), ("too-costly", 1.0)]);
    check_would_deny(&gateway, "standard", &[]);
}

/// Two requests in all, none dearer than 5, of a school that is named.
fn dry_config() -> Value {
    let mut config = config(&json!([total("all", 2)]));
    config["tiers"]["standard"]["max_cost"] = json!(5);
    config["routes"][0]["scope"] = json!({"schools": {"query": "school", "missing": "refuse"}});
    config["routes"][0]["cost"] = json!({"times": {"query": "limit", "default": 1}});
    config
}

#[track_caller]
fn check_would_deny(gateway: &Gateway, tier: &str, expected: &[(&str, f64)]) {
    let counted = || {
        let samples = gateway.admin().samples("");
        let of_tier = samples.into_iter().filter(|sample| {
            sample.name == "hallpass_dry_run_denials_total" && sample.labels["tier"] == tier && sample.value > 0.0
        });
        let mut counts: Vec<(String, f64)> =
            of_tier.map(|sample| (sample.labels["decision"].clone(), sample.value)).collect();
        counts.sort_by(|(a, _), (b, _)| a.cmp(b));
        counts
    };
    let mut expected: Vec<(String, f64)> = expected.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect();
    expected.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut found = counted();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while found != expected && std::time::Instant::now() < end {
        found = counted();
    }
    assert_eq!(found, expected, "{tier}");
}
