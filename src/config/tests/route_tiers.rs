//! `tiers` and `limits` of a route, and `rate_limit_headers` as an object.

use serde_json::json;

use super::{accepted, refused};
use crate::config::RateLimitHeaders;

const TIERS: &str = "/routes/0/tiers";
const LIMITS: &str = "/routes/0/limits";

#[test]
fn route_names_tiers_and_adds_limits() {
    let hour = json!([{"name": "hour", "requests": 5, "per": "hour"}, {"name": "d", "requests": 9, "per": "1h", "by": ["token"]}]);
    let config = accepted(&[(TIERS, json!(["premium", "free"])), (LIMITS, json!({"free": hour}))]);
    let route = &config.routes[0];
    let index = |name: &str| config.tiers.iter().position(|tier| tier.name == name).unwrap();
    for (name, allowed, kinds) in [("free", true, 2), ("premium", true, 0), ("standard", false, 0)] {
        assert_eq!(route.allows_tier(index(name)), allowed, "{name}");
        assert_eq!(route.budgets_of(index(name)).len(), kinds, "{name}");
    }
    let plain = accepted(&[]);
    assert!(plain.routes[0].tier_budgets.is_empty());
    assert!((0..3).all(|tier| plain.routes[0].allows_tier(tier)));
}

#[test]
fn contradictions_of_tiers_and_limits_are_refused() {
    let hour = json!([{"name": "hour", "requests": 5, "per": "hour"}]);
    let of =
        |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), hour.clone())).collect::<serde_json::Map<_, _>>();
    for (field, value, problem) in [
        (TIERS, json!([]), "tiers: expected at least one tier, got none; leave it out for all"),
        (TIERS, json!(["gold"]), "tiers[0]: expected one of `tiers`, got `gold`"),
        (TIERS, json!(["free", "free"]), "tiers[1]: expected distinct tiers, got one a second time"),
        (LIMITS, json!({}), "limits: expected the limits of at least one tier, got none"),
        (LIMITS, json!({"gold": hour}), "limits.gold: expected the name of one of `tiers`"),
        (LIMITS, json!({"free": []}), "limits.free: expected at least one limit, got none"),
        (
            LIMITS,
            json!({"free": [{"name": "minute", "requests": 5, "per": "1m"}]}),
            "limits.free[0]: expected another name than that of a limit of the tier itself",
        ),
        (
            LIMITS,
            json!({"free": hour, "premium": [{"name": "hour", "cost": 5, "per": "hour"}]}),
            "limits.premium[0]: expected the unit, the kind of window and the `by` that the limit of the same name has at \
             routes[0].limits.free[0]",
        ),
    ] {
        refused(&[(field, value)], &format!("routes[0].{problem}"));
    }
    refused(
        &[(TIERS, json!(["free"])), (LIMITS, of(&["free", "premium"]).into())],
        "routes[0].limits: expected none for `premium`, which `tiers` leaves out",
    );
    let open = json!({"match": {"path": "/open"}, "require": [], "tiers": ["free"], "limits": of(&["free"])});
    refused(
        &[("/routes/-", open)],
        "routes[1].tiers: expected none on an open route, which has no caller\n\
         routes[1].limits: expected none on an open route, which has no caller",
    );
}

#[test]
fn rate_limit_fields_of_refusals_alone() {
    let config = accepted(&[("/rate_limit_headers", json!({"fields": "x-ratelimit", "when": "refused"}))]);
    assert_eq!(
        (config.rate_limit_headers, config.rate_limit_headers_when_refused),
        (RateLimitHeaders::XRateLimit, true)
    );
    let config = accepted(&[("/rate_limit_headers", json!({}))]);
    assert_eq!((config.rate_limit_headers, config.rate_limit_headers_when_refused), (RateLimitHeaders::Draft11, false));
    let config = accepted(&[("/rate_limit_headers", json!({"fields": false}))]);
    assert_eq!(config.rate_limit_headers, RateLimitHeaders::Off);
    for (value, problem) in [
        (json!({"when": "never"}), ".when: expected `always` or `refused`, got another string"),
        (json!({"fields": "off", "when": "always"}), ".when: expected none beside `fields: off`"),
        (json!({"whne": "always"}), ".whne: unknown field; did you mean `when`?"),
        (json!(5), ": expected `draft-11` or `x-ratelimit` or `off`, got a number"),
    ] {
        refused(&[("/rate_limit_headers", value)], &format!("rate_limit_headers{problem}"));
    }
}
