//! What a careful reader takes for a guard, and what guards nothing: it is refused, or warned of.

use serde_json::{Value, json};

use super::*;
use crate::filter::request::testing::key;

/// The changed sample, with secrets and districts in its tokens.
fn sample() -> Value {
    super::changed(&[
        ("/issuers/0/claims/districts", json!("districts")),
        ("/issuers/0/jwks", Value::Null),
        ("/issuers/0/secrets", json!([{"alg": "HS256", "text": "k".repeat(32)}])),
    ])
}

#[track_caller]
fn warned(changes: &[(&str, Value)], warning: &str) {
    assert_eq!(accepted_from(sample(), changes).warnings, [warning], "{changes:?}");
}

#[track_caller]
fn quiet(changes: &[(&str, Value)]) {
    let warnings = accepted_from(sample(), changes).warnings;
    assert!(warnings.is_empty(), "{changes:?}: {warnings:?}");
}

#[track_caller]
fn refused(changes: &[(&str, Value)], problem: &str) {
    refused_from(sample(), changes, problem);
}

fn route(path: &str, methods: &Value) -> Value {
    let mut route = json!({"match": {"path": path}});
    set(&mut route, "/match/methods", methods.clone());
    route
}

/// Two routes, in this order.
fn routes(one: (&str, &Value), other: (&str, &Value)) -> [(&'static str, Value); 1] {
    [("/routes", json!([route(one.0, one.1), route(other.0, other.1)]))]
}

#[test]
fn methods_that_an_earlier_route_takes_are_refused_or_warned_of() {
    let get = || json!(["GET"]);
    let never = "is never reached, since routes[0] matches it first";
    let both = json!(["GET", "POST"]);
    refused(&routes(("/v1/", &get()), ("/v1/a", &both)), &format!("routes[1].match.methods: `GET` {never}"));
    refused(&routes(("/v1/{x}", &get()), ("/v1/a", &both)), &format!("routes[1].match.methods: `GET` {never}"));
    quiet(&routes(("/v1/a", &both), ("/v1/", &get())));
    quiet(&routes(("/v1/", &get()), ("/v1/a", &json!(["POST"]))));
    // Two routes take all that a third lists.
    let three = json!([route("/v1/", &get()), route("/v1/", &json!(["POST"])), route("/v1/a", &both)]);
    let problems = format!(
        "routes[2].match.methods: `GET` {never}\nroutes[2].match.methods: `POST` is never reached, since routes[1] matches it first"
    );
    refused(&[("/routes", three)], &problems);
    let warning = "routes[1].match: requests with `GET` go to routes[0], which matches first";
    warned(&routes(("/v1/", &get()), ("/v1/a", &Value::Null)), warning);
    quiet(&routes(("/v1/a", &Value::Null), ("/v1/", &get())));
    // The rest of one path.
    quiet(&routes(("/v1/a", &get()), ("/v1/a", &Value::Null)));
    // As a whole: once.
    let all = "routes[1]: never reached, since routes[0] matches all of its requests first";
    refused(&routes(("/v1/", &get()), ("/v1/a", &get())), all);
}

#[test]
fn wider_host_that_asks_for_less_is_warned_of() {
    let on = |host: &str, path: &str, rules: &Value| {
        let mut route = json!({"match": {"host": host, "path": path, "methods": ["GET"]}});
        route.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
        route
    };
    let scope = json!({"scope": {"schools": {"query": "school_id"}}});
    let (all, none) = (json!({"require": [], "open_subtree": true}), json!({}));
    let open = "routes[1].open_subtree: everything below this path is open";
    let warning = "routes[1].match.host: with another host, requests of routes[0] come here, which asks for less";
    let check = |one: Value, other: Value, warnings: &[&str]| {
        let found = accepted_from(sample(), &[("/routes", json!([one, other]))]).warnings;
        assert_eq!(found, warnings);
    };
    let first = |rules: &Value| on("a.example", "/v1/a", rules);
    check(first(&scope), on("*", "/v1/", &none), &[warning]);
    check(first(&scope), on("*.example", "/v1/{x}", &none), &[warning]);
    check(first(&none), on("*", "/v1/", &all), &[open, warning]);
    // As much, on another path, of another method, on one host, in the other order.
    check(first(&scope), on("*", "/v1/", &scope), &[]);
    check(first(&none), on("*", "/v1/", &none), &[]);
    check(first(&scope), on("*", "/v2/", &none), &[]);
    check(first(&scope), json!({"match": {"path": "/v1/", "methods": ["PUT"]}}), &[]);
    check(first(&scope), on("a.example", "/v1/", &none), &[]);
    check(first(&scope), on("b.example", "/v1/", &none), &[]);
    check(first(&none), on("*", "/v1/", &scope), &[]);
}

#[test]
fn permissions_and_credentials_count_for_what_a_wider_host_asks() {
    let claims = ("/issuers/0/claims/permissions", json!("permissions"));
    let keys = ("/api_keys", json!({"inline": {"keys": []}}));
    let check = |rules: Value, others: Value, is_less: bool| {
        let mut routes = json!([{"match": {"host": "a.example", "path": "/a"}}, {"match": {"path": "/a"}}]);
        for (route, rules) in routes.as_array_mut().unwrap().iter_mut().zip([&rules, &others]) {
            route.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
        }
        let found = accepted_from(sample(), &[claims.clone(), keys.clone(), ("/routes", routes)]).warnings;
        let is_warned = found.iter().any(|it| it.starts_with("routes[1].match.host"));
        assert_eq!(is_warned, is_less, "{rules} {others}: {found:?}");
    };
    check(json!({"permissions": ["read"]}), json!({"permissions": ["write"]}), true);
    check(json!({"permissions": ["read"]}), json!({"permissions": ["write", "read"]}), false);
    let (key, both) = (json!({"require": ["api_key"]}), json!({"require": ["bearer", "api_key"]}));
    let either = json!({"require_any": ["bearer", "api_key"]});
    check(both.clone(), json!({}), true);
    check(both.clone(), key.clone(), true);
    check(both.clone(), both.clone(), false);
    check(key.clone(), json!({}), true);
    check(key, both.clone(), false);
    check(both, either.clone(), true);
    check(either.clone(), either, false);
}

#[test]
fn claim_of_two_lists_is_warned_of() {
    let districts = |path: &str| ("/issuers/0/claims/districts", json!(path));
    let permissions = |path: &str| ("/issuers/0/claims/permissions", json!(path));
    warned(&[districts("schools")], "issuers[0].claims.districts: the same claim as `schools`");
    warned(&[districts("/schools")], "issuers[0].claims.districts: the same claim as `schools`");
    let both = "issuers[0].claims.permissions: the same claim as `schools` or `districts`";
    warned(&[permissions("schools")], both);
    warned(&[permissions("districts")], both);
    quiet(&[districts("/org/schools"), permissions("roles")]);
}

fn with_tier(limit: Value) -> [(&'static str, Value); 1] {
    [("/tiers/free/limits/-", limit)]
}

#[test]
fn limit_that_counts_by_what_no_credential_tells_is_warned_of() {
    let by = |by: Value| with_tier(json!({"name": "by", "requests": 5, "per": "1m", "by": by}));
    let no_districts = ("/issuers/0/claims/districts", Value::Null);
    let district = "tiers.free.limits[3].by: counts by client, since no token and no key tells a district";
    for words in [json!(["district"]), json!(["client", "district"])] {
        warned(&[no_districts.clone(), by(words.clone())[0].clone()], district);
        quiet(&by(words));
    }
    let token = "tiers.free.limits[3].by: counts by client, since there are neither API keys nor listed tokens";
    warned(&by(json!(["token"])), token);
    quiet(&by(json!(["client"])));
    let listed = ("/issuers/-", json!({"issuer": "list", "tokens": {"inline": {"tokens": []}}}));
    quiet(&[listed.clone(), by(json!(["token"]))[0].clone()]);
    quiet(&[listed, no_districts, by(json!(["district"]))[0].clone()]);
}

/// Keys of clients, and a route that takes either credential, or both.
fn keys(word: &str, grants: &Value) -> Vec<(&'static str, Value)> {
    let mut entry = key("acme", "acme", "standard");
    set(&mut entry, "/districts", grants.clone());
    let mut route = json!({"match": {"path": "/k"}});
    route[word] = json!(["bearer", "api_key"]);
    vec![("/api_keys", json!({"inline": {"keys": [entry]}})), ("/routes/-", route)]
}

#[test]
fn grants_of_keys_that_are_never_alone_are_warned_of() {
    let why = "`districts` and `schools` of keys do not count: no route has `require_any`, and beside a token they bound nothing";
    warned(&keys("require", &json!(["d1"])), &format!("api_keys.inline: {why}"));
    quiet(&keys("require_any", &json!(["d1"])));
    quiet(&keys("require", &Value::Null));
}

#[test]
fn keys_alone_that_share_no_budget_with_tokens_are_warned_of() {
    let other = json!({
        "issuer": "other", "audiences": ["a"], "claims": {"tier": "tier", "schools": "schools"},
        "secrets": [{"alg": "HS256", "text": "o".repeat(32)}]
    });
    let warning = "api_keys.issuer: missing; a key and the tokens of its client have budgets of their own each";
    let mut changes = keys("require_any", &json!(["d1"]));
    changes.push(("/issuers/-", other));
    warned(&changes, warning);
    changes.push(("/api_keys/issuer", json!("other")));
    quiet(&changes);
}

#[test]
fn tiers_of_tokens_that_are_always_beside_a_key_are_warned_of() {
    let both = ("/routes/0/require", json!(["api_key", "bearer"]));
    let api_keys = ("/api_keys", json!({"inline": {"keys": []}}));
    let changes = [api_keys.clone(), both, ("/issuers/0/claims/tier", Value::Null), ("/issuers/0/tiers", Value::Null)];
    quiet(&changes);
    let why = "binds nobody, since every route that takes these tokens requires an API key, whose tier counts";
    for (pointer, field, value) in [
        ("/issuers/0/tiers", "tiers", json!(["free"])),
        ("/issuers/0/default_tier", "default_tier", json!("free")),
        ("/issuers/0/claims/tier", "claims.tier", json!("tier")),
    ] {
        let with_it = [&changes[..], &[(pointer, value)]].concat();
        warned(&with_it, &format!("issuers[0].{field}: {why}"));
        // A route that takes the tokens alone.
        let alone = [&with_it[..], &[("/routes/-", json!({"match": {"path": "/alone"}}))]].concat();
        if field != "tiers" {
            quiet(&alone);
        }
    }
}

#[test]
fn token_that_no_revocation_can_name_is_warned_of() {
    let list = |tokens: Value| ("/issuers/0/revocations", json!({"inline": {"tokens": tokens, "clients": []}}));
    let what = |id: &str| {
        let why = "is none of them, and a token without it is voided only with all of its client's";
        format!("issuers[0].required_claims: `{id}` {why}")
    };
    warned(&[list(json!(["t1"]))], &what("jti"));
    warned(
        &[list(json!(["t1"])), ("/issuers/0/claims/id", json!("jit")), ("/issuers/0/required_claims", json!(["jti"]))],
        &what("jit"),
    );
    quiet(&[list(json!(["t1"])), ("/issuers/0/required_claims", json!(["/jti"]))]);
    quiet(&[
        list(json!(["t1"])),
        ("/issuers/0/claims/id", json!("tid")),
        ("/issuers/0/required_claims", json!(["tid"])),
    ]);
    // Only clients.
    quiet(&[list(json!([]))]);
    let remote = json!({"remote": {"uri": "https://a.example/", "cluster": "a"}});
    warned(&[("/issuers/0/revocations", remote)], &what("jti"));
}

#[test]
fn names_that_only_look_like_others_are_warned_of() {
    let what = "has a space at an end, or characters beyond ASCII, of which some look like others";
    warned(
        &[("/issuers/0/claims/districts", json!("d\u{0456}stricts"))],
        &format!("issuers[0].claims.districts: {what}"),
    );
    warned(&[("/issuers/0/claims/districts", json!("districts "))], &format!("issuers[0].claims.districts: {what}"));
    quiet(&[("/issuers/0/claims/districts", json!("https://example.com/my districts"))]);
    let body = |pointer: &str| {
        let scope = json!({"schools": {"body": pointer, "missing": "allow"}});
        json!({"match": {"path": "/b", "methods": ["POST"]}, "scope": scope})
    };
    let of_body = |pointer: &str| accepted_from(sample(), &[("/routes/-", body(pointer))]).warnings;
    assert!(of_body("/sch\u{043e}ol").contains(&format!("routes[1].scope.schools.body: {what}")));
    assert_eq!(of_body("/school").len(), 1, "of the body alone");
}

#[test]
fn secret_of_two_issuers_is_warned_of() {
    let other = |secret: &str| {
        let claims = json!({"tier": "tier", "schools": "schools"});
        let secrets = json!([{"alg": "HS384", "text": "x".repeat(48)}, {"alg": "HS256", "text": secret, "kid": "k"}]);
        json!({"issuer": "other", "audiences": ["a"], "claims": claims, "secrets": secrets})
    };
    let warning = "issuers[1].secrets: one is also that of issuers[0]: each can sign as the other";
    warned(&[("/issuers/-", other(&"k".repeat(32)))], warning);
    quiet(&[("/issuers/-", other(&"o".repeat(32)))]);
}

#[test]
fn districts_that_open_nothing_are_warned_of() {
    let districts = || ("/districts", json!({"d1": ["s1"]}));
    quiet(&[districts()]);
    let none = ("/issuers/0/claims/districts", Value::Null);
    warned(&[districts(), none], "districts: opens nothing, since no issuer has `claims.districts`");
}

#[test]
fn warnings_of_many_routes_drown_no_other() {
    let route = |nth: usize| json!({"match": {"path": format!("/r{nth}"), "methods": ["POST"]}, "scope": {"schools": {"body": "/s"}}});
    let routes: Vec<Value> = (0..70).map(route).collect();
    let warnings =
        accepted_from(sample(), &[("/routes", json!(routes)), ("/authentication_failures", json!("off"))]).warnings;
    assert!(warnings[0].starts_with("routes[0].body: the body is judged"), "{warnings:?}");
    assert_eq!(warnings[1..], ["authentication_failures: nothing slows down who guesses credentials"]);
}
