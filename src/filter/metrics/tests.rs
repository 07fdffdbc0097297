use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// Tiers `free` and `plus`, an open route, and what is given.
fn config(changes: &[(&str, Value)]) -> Config {
    let limits = json!({"limits": [
        {"name": "minute", "requests": 60, "per": "1m"}, {"name": "day", "requests": 1000, "per": "day"}
    ]});
    let issuer = |name: &str| {
        json!({"issuer": name, "claims": {"tier": "tier"},
               "secrets": [{"alg": "HS256", "text": "a secret of at least thirty-two bytes"}]})
    };
    let mut document = json!({
        "issuers": [issuer("https://one.example/"), issuer("https://two.example:8443/realms/x;.;y")],
        "tiers": {"free": limits, "plus": limits},
        "routes": [{"match": {"path": "/open"}, "require": []}]
    });
    for (name, value) in changes {
        document[name] = value.clone();
    }
    Config::from_bytes(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The names of what was counted, with how often.
fn drained(metrics: &mut Metrics) -> Vec<(String, u64)> {
    let counts: Vec<_> = metrics.drain().collect();
    counts.into_iter().map(|(at, by)| (metrics.list()[at].name.clone(), by)).collect()
}

/// Counting this moves the one metric of this name.
#[track_caller]
fn check(what: Count, name: &str) {
    let mut metrics = Metrics::new(&config(&[]));
    metrics.count(what);
    assert_eq!(drained(&mut metrics), [(format!("hallpass.{name}"), 1)], "{what:?}");
    assert_eq!(drained(&mut metrics), [], "counted once");
}

#[test]
fn every_count_has_its_name() {
    let tiers = [(Some(0), "free"), (Some(1), "plus"), (None, "none")];
    for (tier, name) in tiers {
        check(Count::Allowed(tier), &format!("requests_total.decision=.=allow;.;tier=.={name};.;"));
        for (index, code) in Denial::codes().enumerate() {
            check(Count::Denied(index, tier), &format!("requests_total.decision=.={code};.;tier=.={name};.;"));
            check(
                Count::WouldDeny(index, tier),
                &format!("dry_run_denials_total.decision=.={code};.;tier=.={name};.;"),
            );
        }
    }
    for reason in Reason::ALL {
        check(Count::Reason(reason), &format!("token_refusals_total.reason=.={};.;", reason.name()));
    }
    check(Count::Cache(CacheResult::Hit), "token_cache_total.result=.=hit;.;");
    check(Count::Cache(CacheResult::Miss), "token_cache_total.result=.=miss;.;");
    check(Count::Cache(CacheResult::Bad), "token_cache_total.result=.=bad;.;");
    check(Count::Overflow, "limit_overflow_total");
    check(
        Count::Fetch(DocumentId::Keys(0), FetchResult::Ok),
        "key_set_fetches_total.issuer=.=one.example;.;result=.=ok;.;",
    );
    check(
        Count::Fetch(DocumentId::Keys(1), FetchResult::Failed),
        "key_set_fetches_total.issuer=.=two.example_8443_realms_x_._y;.;result=.=failed;.;",
    );
}

#[test]
fn limits_are_counted_by_tier_and_name() {
    for (tier, limit, expected) in [
        (0, "minute", Some("hallpass.limits_reached_total.limit=.=minute;.;tier=.=free;.;")),
        (1, "day", Some("hallpass.limits_reached_total.limit=.=day;.;tier=.=plus;.;")),
        // Not a limit of a tier.
        (0, "authentication-failures", None),
        (usize::MAX, "minute", None),
    ] {
        let mut metrics = Metrics::new(&config(&[]));
        metrics.count_limit(tier, limit);
        let names: Vec<_> = drained(&mut metrics).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.first().map(String::as_str), expected);
        assert!(names.len() <= 1);
    }
}

#[test]
fn gauges_stand_where_they_say() {
    let config = config(&[("dry_run", json!(true))]);
    let metrics = Metrics::new(&config);
    let name = |at: usize| (metrics.list()[at].kind, metrics.list()[at].name.as_str());
    assert_eq!(
        name(metrics.document_age(DocumentId::Keys(0))),
        (Kind::Gauge, "hallpass.key_set_age_seconds.issuer=.=one.example;.;")
    );
    let dry_run: Vec<_> = metrics.dry_run(&config).iter().map(|(at, value)| (name(*at).1, *value)).collect();
    assert_eq!(
        dry_run,
        [
            ("hallpass.dry_run.tier=.=free;.;", 1),
            ("hallpass.dry_run.tier=.=plus;.;", 1),
            ("hallpass.dry_run.tier=.=none;.;", 1)
        ]
    );
    assert!(
        metrics.list().iter().skip(metrics.document_age(DocumentId::Keys(0))).all(|metric| metric.kind == Kind::Gauge)
    );
}

#[test]
fn dry_run_of_one_tier_shows_at_that_tier() {
    let tiers = json!({"free": {"limits": [], "dry_run": true}, "plus": {"limits": []}});
    let config = config(&[("tiers", tiers)]);
    let values: Vec<_> = Metrics::new(&config).dry_run(&config).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [1, 0, 0]);
}

#[test]
fn names_are_distinct_whatever_tiers_and_issuers_are_called() {
    let issuer = |name: &str| {
        json!({"issuer": name, "claims": {"tier": "tier"},
               "secrets": [{"alg": "HS256", "text": "a secret of at least thirty-two bytes"}]})
    };
    let same = json!([
        issuer("https://a.example/"),
        issuer("http://a.example"),
        issuer("https://a.example"),
        issuer("a:b"),
        issuer("a;b")
    ]);
    let tiers = json!({"none": {"limits": []}, "none_": {"limits": []}, "NONE": {"limits": []}});
    let config = config(&[("issuers", same), ("tiers", tiers)]);
    let metrics = Metrics::new(&config);
    let names: BTreeSet<&str> = metrics.list().iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names.len(), metrics.list().len());
}

#[test]
fn counts_add_up_until_drained() {
    let mut metrics = Metrics::new(&config(&[]));
    for _ in 0..3 {
        metrics.count(Count::Overflow);
    }
    assert_eq!(drained(&mut metrics), [("hallpass.limit_overflow_total".to_owned(), 3)]);
}

#[test]
fn retirement_is_counted_by_class_and_phase() {
    let schedule = json!({
        "announced": "2026-01-01T00:00:00Z", "refused_from": "2027-01-01T00:00:00Z", "link": "https://a/", "replacement": "x"
    });
    let mut issuers = json!([
        {"issuer": "api_keys", "claims": {"tier": "tier"}},
        {"issuer": "https://two.example/", "claims": {"tier": "tier"}},
        {"issuer": "three", "claims": {"tier": "tier"}, "retirement": schedule},
    ]);
    for issuer in issuers.as_array_mut().unwrap() {
        issuer["secrets"] = json!([{"alg": "HS256", "text": "a secret of at least thirty-two bytes"}]);
    }
    // An issuer that has the name of all keys is told apart.
    issuers[0]["retirement"] = schedule.clone();
    let keys = json!({"inline": {"keys": []}, "retirement": schedule});
    let mut metrics = Metrics::new(&config(&[("issuers", issuers), ("api_keys", keys)]));
    let named = metrics.list().iter().filter(|it| it.name.starts_with("hallpass.retirement_total.")).count();
    assert_eq!(named, 3 * Phase::ALL.len());
    for (class, label) in [(Class::ApiKeys, "api_keys"), (Class::Issuer(0), "api_keys_"), (Class::Issuer(2), "three")] {
        for phase in Phase::ALL {
            metrics.count(Count::Retirement(class, phase));
            let name = format!("hallpass.retirement_total.class=.={label};.;phase=.={};.;", phase.name());
            assert_eq!(drained(&mut metrics), [(name, 1)]);
        }
    }
    // A class without a schedule has none.
    metrics.count(Count::Retirement(Class::Issuer(1), Phase::Refused));
    assert_eq!(drained(&mut metrics), []);
}

#[test]
fn lists_over_the_network_are_counted_by_their_names() {
    let remote = |path: &str| json!({"remote": {"uri": format!("https://lists.example/{path}"), "cluster": "lists"}});
    let claims = json!({"tier": "tier"});
    let issuers = json!([
        {"issuer": "https://one.example/", "claims": claims, "jwks": remote("keys")},
        {"issuer": "https://two.example/", "claims": claims, "jwks": remote("keys2"), "revocations": remote("revoked")},
        {"issuer": "district-tokens", "tokens": remote("tokens")}
    ]);
    let mut metrics = Metrics::new(&config(&[("issuers", issuers), ("api_keys", remote("api-keys"))]));
    for (id, list) in [
        (DocumentId::ApiKeys, "api-keys"),
        (DocumentId::Revocations(1), "revocations_two.example"),
        (DocumentId::Tokens, "tokens"),
    ] {
        for (result, told) in [(FetchResult::Ok, "ok"), (FetchResult::Failed, "failed")] {
            metrics.count(Count::Fetch(id, result));
            let name = format!("hallpass.list_fetches_total.list=.={list};.;result=.={told};.;");
            assert_eq!(drained(&mut metrics), [(name, 1)]);
        }
        let age = &metrics.list()[metrics.document_age(id)];
        assert_eq!((age.kind, &age.name), (Kind::Gauge, &format!("hallpass.list_age_seconds.list=.={list};.;")));
    }
    let lists = metrics.list().iter().filter(|it| it.name.starts_with("hallpass.list_")).count();
    assert_eq!(lists, 3 * 3, "key sets are no lists");
    // A list that is not fetched has none.
    metrics.count(Count::Fetch(DocumentId::Revocations(0), FetchResult::Ok));
    assert_eq!(drained(&mut metrics), []);
    assert!(metrics.list().get(metrics.document_age(DocumentId::Revocations(0))).is_none());
}
