//! Keys alone, and schedules of retirement: what a configuration may say.

use serde_json::{Value, json};

use super::{accepted_from, load, refused_from};
use crate::config::Config;
use crate::credentials::retirement::{Class, Phase};
use crate::filter::request::testing::{document, key};
use crate::values::time::whole_second;

const SECRET: &str = "a secret of 64 bytes or more 0123456789 0123456789 0123456789 abcdef";

fn schedule() -> Value {
    json!({
        "announced": "2014-07-01T00:00:00Z",
        "throttled_from": "2014-09-01T00:00:00-05:00",
        "throttled_tier": "trickle",
        "refused_from": "2015-01-01T00:00:00Z",
        "link": "https://docs.example.com/district-tokens",
        "replacement": "district tokens",
        "extensions": [{"client": "acme", "throttled_from": "2014-10-01T00:00:00Z", "refused_from": "2015-02-01T00:00:00Z"}],
    })
}

/// The sample of the Student Data API with a harder tier, and API keys that retire.
fn sample() -> Value {
    let mut document = document();
    document["issuers"][0]["secrets"] = json!([{"alg": "HS512", "text": SECRET}]);
    document["issuers"][0]["default_tier"] = json!("starter");
    document["tiers"]["trickle"] = json!({"limits": [
        {"name": "rate", "requests": 1, "per": "1m"},
        {"name": "cost", "cost": 50, "per": "1m"},
        {"name": "day", "requests": 4, "per": "day"}
    ]});
    document["api_keys"]["retirement"] = schedule();
    document
}

#[track_caller]
fn accepted(changes: &[(&str, Value)]) -> Config {
    accepted_from(sample(), changes)
}

#[track_caller]
fn refused(changes: &[(&str, Value)], problem: &str) {
    refused_from(sample(), changes, problem);
}

/// A field of the schedule with this value is refused for this.
#[track_caller]
fn refused_field(field: &str, value: Value, problem: &str) {
    refused(&[(&format!("/api_keys/retirement/{field}"), value)], &format!("api_keys.retirement.{problem}"));
}

/// A field of the schedule may have this value.
#[track_caller]
fn accepted_field(field: &str, value: Value) -> Config {
    accepted(&[(&format!("/api_keys/retirement/{field}"), value)])
}

fn phase(config: &Config, client: &str, at: &str) -> Phase {
    config.retirement(Class::ApiKeys).unwrap().notice(client, whole_second(at).unwrap()).phase
}

#[test]
fn schedule_is_read() {
    let config = accepted(&[]);
    let schedule = config.retirement(Class::ApiKeys).unwrap();
    assert_eq!(schedule.throttled_tier().map(|tier| config.tiers[tier].name.as_str()), Some("trickle"));
    assert_eq!(config.retiring().collect::<Vec<_>>(), [Class::ApiKeys]);
    for (client, at, expected) in [
        ("globex", "2014-06-30T23:59:59Z", Phase::Before),
        ("globex", "2014-07-01T00:00:00Z", Phase::Announced),
        ("globex", "2014-09-01T05:00:00Z", Phase::Throttled),
        ("acme", "2014-09-30T23:59:59Z", Phase::Announced),
        ("acme", "2014-10-01T00:00:00Z", Phase::Throttled),
        ("globex", "2015-01-01T00:00:00Z", Phase::Refused),
        ("acme", "2015-01-31T23:59:59Z", Phase::Throttled),
        ("acme", "2015-02-01T00:00:00Z", Phase::Refused),
    ] {
        assert_eq!(phase(&config, client, at), expected, "{client} at {at}");
    }
}

#[test]
fn every_class_may_have_one() {
    let config = accepted(&[
        ("/issuers/0/retirement", schedule()),
        ("/api_keys/retirement", Value::Null),
        ("/routes/0/failure_limits", Value::Null),
        ("/routes/1", json!({"match": {"path": "/a"}})),
        ("/routes/2", json!({"match": {"path": "/b"}, "require": ["api_key"]})),
    ]);
    assert_eq!(config.retiring().collect::<Vec<_>>(), [Class::Issuer(0)]);
    assert!(config.retirement(Class::ApiKeys).is_none() && config.retirement(Class::Issuer(1)).is_none());
}

#[test]
fn required_fields_are_missed() {
    for field in ["announced", "refused_from", "link", "replacement"] {
        refused_field(field, Value::Null, &format!("{field}: missing"));
    }
    refused_field("throttled_tier", Value::Null, "throttled_tier: missing; `throttled_from` needs it");
    refused(
        &[("/api_keys/retirement/throttled_from", Value::Null), ("/api_keys/retirement/extensions", Value::Null)],
        "api_keys.retirement.throttled_from: missing; `throttled_tier` needs it",
    );
    refused_field("anounced", json!("x"), "anounced: unknown field; did you mean `announced`?");
}

#[test]
fn schedule_gives_notice_and_is_in_order() {
    let (notice, sunset) = (
        "throttled_from: expected a date after `announced`: clients need notice",
        "refused_from: expected a date after `announced`: a sunset comes after its deprecation",
    );
    let order = "throttled_from: expected a date before `refused_from`";
    // no notice: at the moment of the announcement, and before; a second later is some
    refused_field("throttled_from", json!("2014-07-01T00:00:00Z"), notice);
    refused_field("throttled_from", json!("2014-06-30T23:59:59Z"), notice);
    accepted_field("throttled_from", json!("2014-07-01T00:00:01Z"));
    // the same moment, in a zone where it seems to be later
    refused_field("throttled_from", json!("2014-07-01T14:00:00+14:00"), notice);
    // harder limits from the end on, and after it; a second before it is in order
    refused(
        &[
            ("/api_keys/retirement/throttled_from", json!("2015-01-01T00:00:00Z")),
            ("/api_keys/retirement/extensions", Value::Null),
        ],
        &format!("api_keys.retirement.{order}"),
    );
    accepted(&[
        ("/api_keys/retirement/throttled_from", json!("2014-12-31T23:59:59Z")),
        ("/api_keys/retirement/extensions", Value::Null),
    ]);
    // a sunset before its deprecation, with and without a harder phase
    let bare = |refused_from: &str| {
        vec![
            ("/api_keys/retirement/throttled_from", Value::Null),
            ("/api_keys/retirement/throttled_tier", Value::Null),
            ("/api_keys/retirement/extensions", Value::Null),
            ("/api_keys/retirement/refused_from", json!(refused_from)),
        ]
    };
    for early in ["2014-06-30T23:59:59Z", "2014-07-01T00:00:00Z", "2014-07-01T01:00:00+01:00", "1970-01-01T00:00:00Z"] {
        refused(&bare(early), &format!("api_keys.retirement.{sunset}"));
    }
    accepted(&bare("2014-07-01T00:00:01Z"));
    refused(
        &[
            ("/api_keys/retirement/refused_from", json!("2014-06-01T00:00:00Z")),
            ("/api_keys/retirement/extensions", Value::Null),
        ],
        &format!("api_keys.retirement.{sunset}\napi_keys.retirement.{order}"),
    );
}

#[test]
fn dates_are_exact() {
    let what = "a date with its offset from UTC and in whole seconds, such as `2026-01-01T00:00:00Z`";
    for bad in ["2014-07-01T00:00:00", "2014-07-01", "2014-07-01T00:00:00.5Z", "2014-07-01T00:00:00-00:00", ""] {
        refused_field("announced", json!(bad), &format!("announced: expected {what}, got another string"));
        refused_field(
            "extensions/0/refused_from",
            json!(bad),
            &format!("extensions[0].refused_from: expected {what}, got another string"),
        );
    }
    refused_field("announced", json!(1_404_172_800), &format!("announced: expected {what}, got a number"));
    accepted_field("announced", json!("2014-07-01T00:00:00.000+02:00"));
}

#[test]
fn harder_tier_is_a_tier() {
    refused_field("throttled_tier", json!("drip"), "throttled_tier: expected one of `tiers`, got `drip`");
    let warned = |config: &Config| config.warnings.iter().filter(|it| it.starts_with("api_keys.retirement")).count();
    // The tier `open` has no limits; `starter` has those of `trickle`, none lower.
    assert_eq!(warned(&accepted(&[])), 0);
    let warning = "api_keys.retirement.throttled_tier: not harder than the tier `starter`, whose limit";
    for (limits, limit) in [
        (json!([]), "rate"),
        // the other limits are lacking
        (json!([{"name": "rate", "requests": 1, "per": "1m"}]), "cost"),
        // faster, although it holds less
        (json!([{"name": "rate", "requests": 5, "per": "1s", "burst": 1}]), "rate"),
        // as fast, and holds more
        (json!([{"name": "rate", "requests": 5, "per": "1m", "burst": 6}]), "rate"),
    ] {
        let config = accepted(&[("/tiers/trickle/limits", limits.clone())]);
        let expected = format!("{warning} `{limit}` it exceeds or lacks");
        assert!(config.warnings.contains(&expected), "{limits}: {:?}", config.warnings);
    }
}

#[test]
fn harder_tier_has_no_higher_ceiling_and_is_not_the_same() {
    let trickle = sample()["tiers"]["trickle"].clone();
    let not_harder = "api_keys.retirement.throttled_tier: not harder than the tier `starter`, whose";
    let check = |changes: &[(&str, Value)], warning: Option<&str>| {
        let warnings = accepted(changes).warnings;
        let found: Vec<_> = warnings.iter().filter(|it| it.starts_with("api_keys.retirement")).collect();
        assert_eq!(found, warning.iter().collect::<Vec<_>>(), "{changes:?}");
    };
    // `trickle` has a limit of cost of 50, so that none of its requests costs more.
    check(&[("/tiers/starter/max_cost", json!(50))], None);
    check(&[("/tiers/starter/max_cost", json!(49))], Some(&format!("{not_harder} `max_cost` it exceeds or lacks")));
    check(&[("/tiers/starter/max_cost", json!(49)), ("/tiers/trickle/max_cost", json!(49))], None);
    check(&[("/tiers/starter/max_cost", json!(49)), ("/tiers/trickle/max_cost", json!(48))], None);
    // The same limits: nothing gets harder. Another ceiling: it does.
    let same = ("/tiers/starter/limits", trickle["limits"].clone());
    check(std::slice::from_ref(&same), Some(&format!("{not_harder} limits it has")));
    check(&[same.clone(), ("/tiers/trickle/max_cost", json!(5))], None);
    check(&[same, ("/tiers/trickle/limits/-", json!({"name": "more", "requests": 1, "per": "1m"}))], None);
}

#[test]
fn harder_tier_that_all_have_already_is_warned_of() {
    let why = "throttled_tier: nothing gets harder, since `trickle` is every credential's tier";
    let keys = |tier: &str| ("/api_keys/inline/keys", json!([key("acme1", "acme", tier)]));
    let has = |config: &Config, path: &str| config.warnings.contains(&format!("{path}.retirement.{why}"));
    assert!(has(&accepted(&[keys("trickle")]), "api_keys"));
    assert!(!has(&accepted(&[keys("starter")]), "api_keys"));
    // Tokens whose tier no claim tells, on a route without keys.
    let of_tokens = |default: &str| {
        let alone = ("/routes", json!([{"match": {"path": "/a"}}]));
        accepted(&[alone, ("/issuers/0/retirement", schedule()), ("/issuers/0/default_tier", json!(default))])
    };
    assert!(has(&of_tokens("trickle"), "issuers[0]"));
    assert!(!has(&of_tokens("starter"), "issuers[0]"));
}

#[test]
fn tier_is_harder_than_those_of_its_issuer() {
    // `free` is harder than `standard`; the twin of all tiers is warned of.
    for (tiers, warnings) in [(json!(["standard", "premium"]), 0), (json!(["free", "standard", "premium"]), 1)] {
        let mut schedule = schedule();
        schedule["throttled_tier"] = json!("standard");
        let limits = json!([{"name": "minute", "requests": 600, "per": "1m"}]);
        let config = super::accepted(&[
            ("/issuers/0/tiers", tiers),
            ("/issuers/0/retirement", schedule),
            ("/tiers/standard/limits", limits),
            ("/tiers/standard/max_cost", Value::Null),
            ("/tiers/premium/max_cost", Value::Null),
        ]);
        let warned = config.warnings.iter().filter(|it| it.contains("not harder than the tier `free`")).count();
        assert_eq!(warned, warnings);
    }
}

#[test]
fn link_and_replacement_are_safe_to_repeat() {
    let link = "link: expected an absolute http or https URL of at most 1024 bytes, without user, got another string";
    for bad in [
        // no URL, no host, another scheme, a user
        "docs",
        "/docs",
        "https://",
        "https:///docs",
        "ftp://a/",
        "javascript:alert(1)",
        "https://user@a/",
        // what ends the brackets or the header
        "https://a/>; rel=\"x\"",
        "https://a/<b",
        "https://a/\r\nx: y",
        "https://a/ b",
        "https://a/\u{e4}",
        "https://a/\"",
    ] {
        refused_field("link", json!(bad), link);
    }
    refused_field("link", json!(format!("https://a/{}", "b".repeat(1_024))), link);
    for good in ["https://a", "http://docs.example.com:8080/a/b?c=d,e;f#g", "https://[2001:db8::1]/a(b)"] {
        accepted_field("link", json!(good));
    }
    let plain = "1 to 256 of printable ASCII without quotes, backslashes, `<` and `>`, and no space at either end";
    for bad in [" tokens", "tokens ", "a\nb", "<b>tokens</b>", "\"tokens\"", "a\\b", "t\u{f6}kens", &"t".repeat(257)] {
        refused_field("replacement", json!(bad), &format!("replacement: expected {plain}, got another string"));
    }
    refused_field("replacement", json!(""), &format!("replacement: expected {plain}, got an empty string"));
    accepted_field("replacement", json!("district tokens (v2), see the portal"));
}

#[test]
fn extensions_are_later_and_of_one_client_each() {
    let all = "expected no earlier date than that of all clients";
    let at = |field: &str, message: &str| format!("extensions[0].{field}: {message}");
    // a second before the date of all; at it
    refused_field("extensions/0/throttled_from", json!("2014-09-01T04:59:59Z"), &at("throttled_from", all));
    accepted_field("extensions/0/throttled_from", json!("2014-09-01T05:00:00Z"));
    refused_field("extensions/0/refused_from", json!("2014-12-31T23:59:59Z"), &at("refused_from", all));
    accepted_field("extensions/0/refused_from", json!("2015-01-01T00:00:00Z"));
    // harder limits only after the client's own end
    let order = at("throttled_from", "expected a date before `refused_from` of the client");
    refused_field("extensions/0/throttled_from", json!("2015-02-01T00:00:00Z"), &order);
    refused_field("extensions/0", json!({"client": "acme", "throttled_from": "2015-01-01T00:00:00Z"}), &order);
    // one date alone
    accepted_field("extensions/0", json!({"client": "acme", "throttled_from": "2014-12-31T23:59:59Z"}));
    accepted_field("extensions/0", json!({"client": "acme", "refused_from": "2016-01-01T00:00:00Z"}));
    let none = "expected a later date than that of all clients, here or in `throttled_from`";
    refused_field("extensions/0", json!({"client": "acme"}), &at("refused_from", none));
    refused_field("extensions/0", json!({"refused_from": "2016-01-01T00:00:00Z"}), "extensions[0].client: missing");
    let later = |client: &str| json!({"client": client, "refused_from": "2016-01-01T00:00:00Z"});
    refused_field("extensions/0", later("a,b"), "extensions[0].client: expected a client's id, got another string");
    refused_field("extensions/-", later("acme"), "extensions[1]: expected distinct clients, got one a second time");
    accepted_field("extensions/-", later("Acme"));
    // harder limits for one where there are none for all
    let bare =
        [("/api_keys/retirement/throttled_from", Value::Null), ("/api_keys/retirement/throttled_tier", Value::Null)];
    let what = "expected none where `throttled_from` is not given for all clients";
    refused(&bare, &format!("api_keys.retirement.{}", at("throttled_from", what)));
}

#[test]
fn either_credential_needs_both_kinds() {
    let route = |members: Value| {
        let mut route = json!({"match": {"path": "/plain", "methods": ["GET"]}});
        route.as_object_mut().unwrap().append(&mut members.as_object().unwrap().clone());
        ("/routes/2", route)
    };
    let config = accepted(&[route(json!({"require_any": ["bearer", "api_key"]}))]);
    assert!(config.routes[2].is_either() && !config.routes[1].is_either());
    assert_eq!(config.routes[2].issuers, [0]);
    accepted(&[route(json!({"require_any": ["api_key", "bearer"], "scope": {"districts": {"query": "d"}}}))]);
    let one = "routes[2].require_any: expected both `bearer` and `api_key`; one alone is what `require` is for";
    for list in [json!([]), json!(["bearer"]), json!(["api_key"])] {
        refused(&[route(json!({"require_any": list}))], one);
    }
    let twice = "routes[2].require_any: expected distinct credentials, got one a second time";
    refused(&[route(json!({"require_any": ["bearer", "bearer"]}))], twice);
    let beside = "routes[2].require_any: expected none beside `require`";
    refused(&[route(json!({"require": ["bearer"], "require_any": ["bearer", "api_key"]}))], beside);
    let permissions = "routes[2].permissions: expected none with `require_any`, since a key alone carries none";
    refused(&[route(json!({"require_any": ["bearer", "api_key"], "permissions": ["read"]}))], permissions);
    let failures = "routes[2].failure_limits: expected `api_key` in `require`, since they count per key";
    let limits = json!([{"name": "f", "requests": 1, "per": "1m"}]);
    refused(&[route(json!({"require_any": ["bearer", "api_key"], "failure_limits": limits}))], failures);
    // A token alone opens it, so tokens must tell their tier.
    let either = route(json!({"require_any": ["bearer", "api_key"]}));
    let tier = "issuers[0]: `claims.tier`: missing; give the claim's name, or a `default_tier`; a route takes its tokens \
                without an API key";
    refused(&[either, ("/issuers/0/default_tier", Value::Null)], tier);
}

#[test]
fn keys_alone_need_keys() {
    let config = load(&json!({
        "issuers": [{"issuer": "a", "secrets": [{"alg": "HS512", "text": SECRET}], "claims": {"tier": "tier"}}],
        "tiers": {"free": {"limits": [{"name": "rate", "requests": 1, "per": "1m"}]}},
        "routes": [{"match": {"path": "/a"}, "require_any": ["bearer", "api_key"]}],
    }));
    let problem = "routes[0].require_any: expected `api_keys` at the top level, where the keys are";
    assert_eq!(config.unwrap_err().to_string(), problem);
}

#[test]
fn tier_of_a_token_beside_a_key_is_not_throttled() {
    let what = "expected no `retirement.throttled_tier` at the issuer `https://students.example.com/` beside `api_key`, where \
                the tier is the key's";
    let problems = format!("routes[1].require: {what}\nroutes[2].require: {what}");
    refused(&[("/issuers/0/retirement", schedule())], &problems);
    let mut bare = schedule();
    for field in ["throttled_from", "throttled_tier", "extensions"] {
        bare.as_object_mut().unwrap().remove(field);
    }
    accepted(&[("/issuers/0/retirement", bare)]);
}

#[test]
fn basic_is_a_flag() {
    assert!(accepted(&[("/api_keys/basic", json!(true))]).api_keys.unwrap().basic);
    assert!(!accepted(&[]).api_keys.unwrap().basic);
    refused(&[("/api_keys/basic", json!("yes"))], "api_keys.basic: expected a boolean, got a string");
}

#[test]
fn what_keys_open_alone_is_checked_inline() {
    let with = |districts: Value| {
        let mut key = key("old", "acme", "starter");
        key["districts"] = districts;
        [("/api_keys/inline", json!({"keys": [key]}))]
    };
    accepted(&with(json!(["d1"])));
    let what = "expected distinct ids, at most 10000: visible ASCII without comma, quote, backslash and `*`";
    refused(&with(json!(["*"])), &format!("api_keys.inline: `keys[0].districts`: {what}"));
}
