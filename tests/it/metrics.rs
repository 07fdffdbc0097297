//! What operators see: metrics with labels in Prometheus' format, as the shipped bootstrap names them.

use std::collections::BTreeSet;

use crate::support::admin::Sample;
use crate::support::sample::ISSUER;
use crate::support::tokens::jwks;
use crate::support::{Gateway, Key, KeyServer, Token, Upstream, wait_until};

type Labels = &'static [(&'static str, &'static str)];

const SUMMARY: &str = "/stats/v1/attendance/summary";

#[test]
fn requests_limits_cache_and_keys_are_counted_with_labels() {
    let (api, auth) = (Upstream::start(), KeyServer::start(&jwks(&[Key::Rsa1.named("k")])));
    let gateway = Gateway::builder().bootstrap_file("envoy/education-data-platform.yaml");
    let gateway = gateway.port(9200, api.port()).port(9100, auth.port()).start();
    let token = |tier: &str| Token::education(Key::Rsa1, "k").claim("tier", tier).claim("client_id", "secret-client");
    let send = |path: &str, token: &Token| gateway.get(path).bearer(token.sign()).send().status;
    let own = format!("{SUMMARY}?school_id=oakwood-primary");

    assert_eq!(gateway.get("/healthz").send().status, 200);
    assert_eq!(gateway.get(&own).send().status, 401);
    assert_eq!(gateway.get("/nowhere").send().status, 404);
    // The same tokens again are cached: made once, since a second later they would say another expiry.
    let (premium, standard) = (token("premium"), token("standard"));
    assert_eq!(send(&own, &premium), 200);
    assert_eq!(send(&own, &premium), 200);
    assert_eq!(send(&own, &standard), 200);
    assert_eq!(send(&format!("{SUMMARY}?school_id=other"), &standard), 403);
    let forged = token("standard").forged_with(Key::Rsa2);
    assert_eq!([send(&own, &forged), send(&own, &forged)], [401, 401]);
    assert_eq!(send(&own, &token("gold")), 403);
    assert_eq!(send(&own, &token("standard").claim("exp", 1_000)), 401);
    // two costs of 20 pass, a third does not fit into what free has in a minute: 60, of which 20 are used above
    let free = token("free").claim("client_id", "other-client");
    let records = "/stats/v1/attendance/records?limit=20";
    assert_eq!([send(records, &free), send(records, &free), send(records, &free)], [200, 200, 200]);
    assert_eq!(send(records, &free), 429);
    assert_eq!(send("/stats/v1/attendance/records?limit=21", &free), 429, "over the ceiling");

    let expected: [(&str, Labels, f64); 20] = [
        ("hallpass_requests_total", &[("decision", "allow"), ("tier", "premium")], 2.0),
        ("hallpass_requests_total", &[("decision", "allow"), ("tier", "standard")], 1.0),
        ("hallpass_requests_total", &[("decision", "allow"), ("tier", "free")], 3.0),
        ("hallpass_requests_total", &[("decision", "allow"), ("tier", "none")], 1.0),
        ("hallpass_requests_total", &[("decision", "token-missing"), ("tier", "none")], 1.0),
        ("hallpass_requests_total", &[("decision", "no-route"), ("tier", "none")], 1.0),
        ("hallpass_requests_total", &[("decision", "token-invalid"), ("tier", "none")], 2.0),
        ("hallpass_requests_total", &[("decision", "token-expired"), ("tier", "none")], 1.0),
        ("hallpass_requests_total", &[("decision", "tier-unknown"), ("tier", "none")], 1.0),
        ("hallpass_requests_total", &[("decision", "school-out-of-scope"), ("tier", "standard")], 1.0),
        ("hallpass_requests_total", &[("decision", "limit-reached"), ("tier", "free")], 1.0),
        ("hallpass_requests_total", &[("decision", "too-costly"), ("tier", "free")], 1.0),
        ("hallpass_limits_reached_total", &[("limit", "cost"), ("tier", "free")], 1.0),
        ("hallpass_limits_reached_total", &[("limit", "day"), ("tier", "free")], 0.0),
        // the same tokens again: one of premium, one of standard, four of free; the forged one is known as bad
        ("hallpass_token_cache_total", &[("result", "hit")], 6.0),
        ("hallpass_token_cache_total", &[("result", "bad")], 1.0),
        // once by its signature, once from memory
        ("hallpass_token_refusals_total", &[("reason", "signature")], 2.0),
        ("hallpass_key_set_fetches_total", &[("issuer", "auth.example.com"), ("result", "ok")], 1.0),
        ("hallpass_key_set_fetches_total", &[("issuer", "auth.example.com"), ("result", "failed")], 0.0),
        ("hallpass_limit_overflow_total", &[], 0.0),
    ];
    for &(name, labels, value) in &expected {
        wait_until(&format!("{name} {labels:?} to be {value}, not {}", gateway.metric(name, labels)), || {
            samples(&gateway).iter().any(|sample| is(sample, name, labels) && (sample.value - value).abs() < 0.5)
        });
    }
    // each decision that was counted was logged too
    for (_, labels, _) in expected.iter().filter(|(name, ..)| *name == "hallpass_requests_total") {
        let (_, decision) = labels[0];
        wait_until(decision, || gateway.access_log().iter().any(|line| line["decision"] == decision));
    }
    let samples = samples(&gateway);
    let age = samples.iter().find(|sample| sample.name == "hallpass_key_set_age_seconds").expect("the age of the keys");
    assert_eq!(age.labels["issuer"], ISSUER.trim_start_matches("https://").trim_end_matches('/'));
    assert!((0.0..60.0).contains(&age.value), "{age:?}");
    for tier in ["free", "standard", "premium", "none"] {
        assert!(samples.iter().any(|sample| is(sample, "hallpass_dry_run", &[("tier", tier)]) && sample.value == 0.0));
    }
    check_names(&samples);
}

/// Only these names and labels, and nothing that a request brought.
#[track_caller]
fn check_names(samples: &[Sample]) {
    let names: BTreeSet<(&str, Vec<&str>)> = samples
        .iter()
        .map(|sample| (sample.name.as_str(), sample.labels.keys().map(String::as_str).collect()))
        .collect();
    let expected = [
        ("hallpass_dry_run", vec!["tier"]),
        ("hallpass_dry_run_denials_total", vec!["decision", "tier"]),
        ("hallpass_key_set_age_seconds", vec!["issuer"]),
        ("hallpass_key_set_fetches_total", vec!["issuer", "result"]),
        ("hallpass_limit_overflow_total", vec![]),
        ("hallpass_limits_reached_total", vec!["limit", "tier"]),
        ("hallpass_requests_total", vec!["decision", "tier"]),
        ("hallpass_token_cache_total", vec!["result"]),
        ("hallpass_token_refusals_total", vec!["reason"]),
    ];
    assert_eq!(names, BTreeSet::from(expected));
    let values = samples.iter().flat_map(|sample| sample.labels.values());
    let brought = values.filter(|value| {
        ["YOUR_CLIENT", "other-client", "oakwood", "ravenscroft", "gold"].iter().any(|word| value.contains(word))
    });
    assert_eq!(brought.collect::<Vec<_>>(), Vec::<&String>::new());
}

fn samples(gateway: &Gateway) -> Vec<Sample> {
    let mut samples = gateway.admin().samples("");
    samples.retain(|sample| sample.name.starts_with("hallpass"));
    samples
}

fn is(sample: &Sample, name: &str, labels: &[(&str, &str)]) -> bool {
    sample.name == name
        && sample.labels.len() == labels.len()
        && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
}
