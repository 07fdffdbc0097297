//! Limits and tiers of a route, and rate limit fields of refusals alone, as a client sees them.

use serde_json::{Value, json};

use crate::support::client::Response;
use crate::support::policy::{config, expect_problem, start, token};
use crate::support::{Gateway, wait_until};

/// `/export` is for one tier, which has an hour's limit of its own there.
fn tiered() -> Value {
    let limits = json!({"standard": [{"name": "exports", "requests": 2, "per": "1h"}]});
    let mut config = config(&json!([
        {"match": {"path": "/export"}, "tiers": ["standard"], "limits": limits},
        {"match": {"path": "/other"}, "limits": limits},
        {"match": {"path": "/"}},
    ]));
    config["tiers"]["free"] = config["tiers"]["standard"].clone();
    config
}

fn get(gateway: &Gateway, path: &str, tier: &str) -> Response {
    gateway.get(path).bearer(token().claim("tier", tier).sign()).send()
}

#[test]
fn route_has_limits_and_tiers_of_its_own() {
    let (upstream, gateway) = start(tiered());
    let first = get(&gateway, "/export", "standard");
    assert_eq!(first.status, 200);
    let policy = first.header("ratelimit-policy").expect("the policy");
    assert!(policy.contains(r#""minute";q=100000"#) && policy.contains(r#""exports";q=2;w=3600"#), "{policy}");
    get(&gateway, "/export", "standard").expect_status(200);
    let refused = get(&gateway, "/export", "standard");
    expect_problem(&refused, 429, "limit-reached");
    assert_eq!(refused.json()["violated-policies"], json!(["exports"]), "{refused:?}");
    // Other routes, also those with a limit of that name, have budgets of their own.
    get(&gateway, "/other", "standard").expect_status(200);
    get(&gateway, "/a", "standard").expect_status(200);
    let passed = upstream.heads();

    let other = get(&gateway, "/export", "free");
    expect_problem(&other, 403, "tier-not-allowed");
    assert!(
        other.header("www-authenticate").expect("a challenge").contains(r#"error="insufficient_scope""#),
        "{other:?}"
    );
    get(&gateway, "/other", "free").expect_status(200);
    assert_eq!(upstream.heads(), passed + 1);
    let labels = [("limit", "exports"), ("tier", "standard")];
    wait_until("the count of the refusal", || gateway.metric("hallpass_limits_reached_total", &labels) > 0.5);
}

#[test]
fn rate_limit_fields_stand_on_refusals_alone() {
    let mut config = tiered();
    config["rate_limit_headers"] = json!({"fields": "draft-11", "when": "refused"});
    let (_upstream, gateway) = start(config);
    for _ in 0..2 {
        let passed = get(&gateway, "/export", "standard");
        assert_eq!((passed.status, passed.header("ratelimit"), passed.header("ratelimit-policy")), (200, None, None));
    }
    let refused = get(&gateway, "/export", "standard");
    assert_eq!(refused.status, 429);
    for name in ["ratelimit", "ratelimit-policy", "retry-after"] {
        assert!(refused.header(name).is_some(), "{name}: {refused:?}");
    }
}
