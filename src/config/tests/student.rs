//! Keys, revocations, grants and bodies: what a configuration of the Student Data API may say.

use serde_json::{Value, json};

use super::{accepted_from, changed_from, refused_from};
use crate::config::{Config, Dialect, Environment, Source};
use crate::filter::request::testing::{document, key};
use crate::policy::route::Credential;
use crate::policy::scope::{Location, Missing};

const SECRET: &str = "a secret of 64 bytes or more 0123456789 0123456789 0123456789 abcdef";

/// The sample, its secret given as text.
fn sample() -> Value {
    let mut document = document();
    document["issuers"][0]["secrets"] = json!([{"alg": "HS512", "text": SECRET}]);
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

#[test]
fn sample_is_read() {
    let config = accepted(&[]);
    assert_eq!(config.errors, Dialect::StudentDataApi);
    let keys = config.api_keys.as_ref().unwrap();
    assert_eq!((keys.header.as_str(), keys.forward, keys.issuer), ("x-api-key", false, Some(0)));
    assert_eq!(config.district_schools.districts_of("s11"), ["d1".into()]);
    let students = &config.routes[1];
    assert_eq!(students.require, [Credential::ApiKey, Credential::Bearer]);
    assert_eq!((students.issuers.as_slice(), students.one_required), (&[0][..], true));
    let rule = students.districts.as_ref().unwrap();
    assert!(matches!(rule.place, Location::Body(_)) && rule.missing == Missing::Allow);
    assert_eq!(students.body.map(|rule| rule.bytes_max), Some(1000));
    assert!(config.routes[0].issuers.is_empty());
    let hint = "needs `allow_on_headers_stop_iteration: true`";
    assert!(config.warnings.iter().any(|it| it.starts_with("routes[1].body:") && it.contains(hint)));
}

#[test]
fn lists_may_come_over_the_network() {
    let remote = json!({"remote": {"uri": "https://a/list", "cluster": "auth"}});
    let config = accepted(&[("/api_keys", remote.clone()), ("/issuers/0/revocations", remote)]);
    let Source::Remote(list) = &config.api_keys.unwrap().source else { panic!("not remote") };
    assert_eq!((list.refresh.as_secs(), list.max_stale.as_secs()), (10, 600));
    assert!(config.issuers[0].revocations.as_ref().unwrap().remote().is_some());
}

#[test]
fn secret_may_come_from_the_environment() {
    let document =
        changed_from(sample(), &[("/issuers/0/secrets", json!([{"alg": "HS512", "env": "PJWT_SECRET"}]))]).to_string();
    let read = |name: &str, value: &str| {
        let environment = Environment::new([(name.to_owned(), value.to_owned())]);
        Config::from_bytes_in(document.as_bytes(), &environment).map_err(|errors| errors.to_string())
    };
    read("PJWT_SECRET", SECRET).unwrap();
    let unset = "issuers[0].secrets[0].env: expected a variable that `vm_config.environment_variables` passes on, \
                 got one that is not set";
    assert_eq!(read("OTHER", SECRET).unwrap_err(), unset);
    assert_eq!(read("PJWT_SECRET", "").unwrap_err(), unset);
    // As long as the hash, at least; and it is never repeated.
    let short = read("PJWT_SECRET", "too short").unwrap_err();
    assert!(
        short.contains("secret is too short (expected 64 bytes, got 9)") && !short.contains("too short\n"),
        "{short}"
    );
}

#[test]
fn keys_are_bound_to_one_issuer() {
    let other = json!({
        "issuer": "https://other/", "secrets": [{"alg": "HS512", "text": SECRET}], "claims": {"permissions": "p",
        "districts": "d", "schools": "s"}
    });
    let only = "expected only `api_keys.issuer`, to whose clients the keys belong";
    refused(&[("/issuers/-", other.clone())], &format!("routes[1].issuers: {only}\nroutes[2].issuers: {only}"));
    let named = ("/api_keys/issuer", json!("https://other/"));
    let config = accepted(&[("/issuers/-", other.clone()), named.clone()]);
    assert_eq!(config.routes[1].issuers, [1]);
    let first = ("/routes/1/issuers", json!(["https://students.example.com/"]));
    refused(&[("/issuers/-", other), named, first], &format!("routes[1].issuers: {only}"));
    refused(
        &[("/api_keys/issuer", json!("https://none/"))],
        "api_keys.issuer: expected the name of one of `issuers`, got `https://none/`",
    );
}

#[test]
fn route_without_keys_takes_the_tokens_of_all_issuers() {
    let other = json!({
        "issuer": "https://other/", "secrets": [{"alg": "HS512", "text": SECRET}], "default_tier": "starter",
        "claims": {"permissions": "p", "districts": "d", "schools": "s"}
    });
    let config = accepted(&[
        ("/issuers/-", other),
        ("/issuers/0/default_tier", json!("starter")),
        ("/api_keys/issuer", json!("https://other/")),
        ("/routes/-", json!({"match": {"path": "/tokens", "methods": ["GET"]}, "require": ["bearer"]})),
    ]);
    assert_eq!((config.routes[2].issuers.as_slice(), config.routes[3].issuers.as_slice()), (&[1][..], &[0, 1][..]));
}

#[test]
fn district_in_the_path_is_a_variable_of_it() {
    let route = |variable: &str| {
        let scope = json!({"districts": {"path": variable}});
        json!({"match": {"path": "/districts/{d}", "methods": ["GET"]}, "require": ["api_key", "bearer"], "scope": scope})
    };
    accepted(&[("/routes/-", route("d"))]);
    refused(&[("/routes/-", route("e"))], "routes[3].scope.districts.path: expected a variable of `match.path`");
}

#[test]
fn keys_that_the_upstream_sees_are_warned_of() {
    let warning = "api_keys.forward: the upstream sees the callers' keys".to_owned();
    assert!(accepted(&[("/api_keys/forward", json!(true))]).warnings.contains(&warning));
    assert!(!accepted(&[("/api_keys/forward", json!(false))]).warnings.contains(&warning));
}

#[test]
fn tier_comes_from_the_key_only_where_a_key_is_required() {
    accepted(&[]);
    refused(
        &[("/routes/2/require", json!(["bearer"]))],
        "issuers[0]: `claims.tier`: missing; give the claim's name, or a `default_tier`; a route takes its tokens without \
         an API key",
    );
    accepted(&[("/routes/2/require", json!(["bearer"])), ("/issuers/0/default_tier", json!("open"))]);
}

#[test]
fn bad_keys_are_refused() {
    let keys = |keys: Value| [("/api_keys/inline/keys", keys)];
    refused(&keys(json!([key("a", "acme", "gold")])), "api_keys.inline: `keys[0].tier`: expected one of `tiers`");
    refused(
        &keys(json!([key("a", "acme", "open"), key("a", "acme", "open")])),
        "api_keys.inline: `keys[1].id`: expected an id that no other key has",
    );
    refused(&[("/api_keys/inline", json!(null))], "api_keys: expected exactly one of `inline`, `remote`, got 0");
    refused(
        &[("/api_keys/header", json!("authorization"))],
        "api_keys.header: expected a header name that is free, got one that HTTP or Envoy needs itself",
    );
    refused(
        &[("/api_keys/header", json!("x_claim_tier"))],
        "api_keys.header: expected another name than that of `forward.tier`",
    );
    refused(
        &[("/settlement_header", json!("X_Api_Key"))],
        "settlement_header: expected another name than that of `api_keys.header`",
    );
    refused(
        &[("/routes/1/scope/schools", json!({"header": "x-api-key"}))],
        "routes[1].scope.schools.header: expected another name, since the filter strips this header from requests",
    );
    accepted(&[("/settlement_header", json!("x-cost")), ("/routes/1/scope/schools", json!({"header": "x-school"}))]);
}

#[test]
fn contradictions_of_routes_are_refused() {
    let no_keys = "expected `api_keys` at the top level, where the keys are";
    let all: Vec<String> = (0..3).map(|nth| format!("routes[{nth}].require: {no_keys}")).collect();
    // Without keys, the issuer must tell the tier as well.
    refused(&[("/api_keys", json!(null)), ("/issuers/0/default_tier", json!("open"))], &all.join("\n"));
    refused(
        &[("/routes/0/require", json!(["api_key", "api_key"]))],
        "routes[0].require: expected distinct credentials, got one a second time",
    );
    refused(
        &[("/routes/0/permissions", json!(["read"]))],
        "routes[0].permissions: expected `bearer` in `require`, since a token carries them",
    );
    // No token can have it.
    refused(
        &[("/routes/1/permissions", json!(["students.*"]))],
        "routes[1].permissions[0]: expected a permission, got another string",
    );
    refused(
        &[("/routes/0/issuers", json!(["https://students.example.com/"]))],
        "routes[0].issuers: expected none where `require` has no `bearer`",
    );
    refused(
        &[("/routes/0/scope", json!({"schools": {"query": "a"}}))],
        "routes[0].scope: expected `bearer` in `require`, since a token carries the grants",
    );
    refused(
        &[("/routes/0/body", json!({"max_bytes": 5}))],
        "routes[0].body: expected only where `scope` or `cost` looks into the body",
    );
    refused(
        &[("/issuers/0/claims/districts", json!(null)), ("/issuers/0/claims/district_schools", json!(null))],
        "routes[1].scope.districts: expected `claims.districts` at the issuer `https://students.example.com/`",
    );
    refused(
        &[("/issuers/0/claims/permissions", json!(null))],
        "routes[1].permissions: expected `claims.permissions` at the issuer `https://students.example.com/`",
    );
    refused(
        &[("/routes/1/scope/schools", json!(null)), ("/routes/1/scope/require_one", json!(true))],
        "routes[1].scope.require_one: expected `schools` and `districts` beside it; else `missing` says it",
    );
    refused(
        &[("/routes/1/scope/schools/separator", json!(","))],
        "routes[1].scope.schools.separator: expected none with `body`, where several ids are an array",
    );
    refused(
        &[("/routes/1/scope/schools/body", json!("s"))],
        "routes[1].scope.schools.body: expected a JSON Pointer such as `/district`, got another string",
    );
    refused(
        &[("/routes/1/cost/times", json!({"body": "/limit", "query": "limit", "default": 1}))],
        "routes[1].cost.times.body: expected `query` or `body`, got both",
    );
}

#[test]
fn body_that_no_upstream_reads_is_not_judged() {
    let what = "routes[1].match.methods: expected only methods whose bodies upstreams read, such as `POST`, where the body is judged";
    for methods in [json!(["GET"]), json!(["POST", "GET"]), json!(["HEAD"]), json!(["OPTIONS"]), json!(null)] {
        refused(&[("/routes/1/match/methods", methods)], what);
    }
    accepted(&[("/routes/1/match/methods", json!(["POST", "PUT", "DELETE"]))]);
    refused(
        &[("/routes/1/upgrades", json!(true))],
        "routes[1].upgrades: expected none where the body is judged, since an upgraded stream has no end",
    );
    accepted(&[("/routes/0/upgrades", json!(true))]);
}

#[test]
fn districts_do_not_lift_the_bound_of_schools() {
    refused(
        &[("/issuers/0/schools", json!(["s1"]))],
        "issuers[0].schools: expected none beside `claims.districts`, which open schools without this bound",
    );
    let no_scope = json!([{"match": {"path": "/plain"}, "require": ["api_key", "bearer"]}]);
    let no_districts = ("/issuers/0/claims/districts", json!(null));
    refused(
        &[("/routes", no_scope.clone()), no_districts.clone()],
        "issuers[0].claims.district_schools: expected `claims.districts` as well, whose schools these are",
    );
    let none_opened = ("/issuers/0/claims/district_schools", json!(null));
    accepted(&[("/routes", no_scope), no_districts, none_opened, ("/issuers/0/schools", json!(["s1"]))]);
}

#[test]
fn limits_of_failures_need_a_key() {
    let limits = json!([{"name": "logins", "requests": 1, "per": "1m"}]);
    let open = json!({"match": {"path": "/open"}, "require": [], "failure_limits": limits});
    refused(
        &[("/routes/-", open)],
        "routes[3].failure_limits: expected `api_key` in `require`, since they count per key",
    );
}

#[test]
fn limits_of_failures_agree_where_they_share_a_budget() {
    let login = |host: &str, path: &str, per: &str| {
        let limits = json!([{"name": "logins", "requests": 5, "per": per}]);
        json!({"match": {"host": host, "path": path}, "require": ["api_key"], "failure_limits": limits})
    };
    let one = ("/routes/-", login("a.example.com", "/v1/login", "1m"));
    // The same template on two hosts: one budget, counted in two ways.
    refused(
        &[one.clone(), ("/routes/-", login("b.example.com", "/v1/login", "day"))],
        "routes[4].failure_limits[0]: expected the unit, the kind of window and the `by` that the limit of the same name has at \
         routes[3].failure_limits[0]",
    );
    accepted(&[one.clone(), ("/routes/-", login("b.example.com", "/v1/login", "2m"))]);
    accepted(&[one, ("/routes/-", login("a.example.com", "/token", "day"))]);
}

#[test]
fn districts_are_read_strictly() {
    let id = "expected a district's id, in visible ASCII without comma, quote, backslash and `*`";
    refused(&[("/districts/*", json!([]))], &format!("districts[\"*\"]: {id}"));
    refused(&[("/districts/d1", json!("s1"))], "districts.d1: expected an array, got a string");
    refused(
        &[("/districts/d1", json!(["a", "a"]))],
        "districts.d1[1]: expected distinct strings, got one a second time",
    );
    accepted(&[("/districts", json!(null))]);
}

#[test]
fn words_of_dialects_are_read() {
    for (word, dialect) in [("oneroster", Dialect::OneRoster), ("oauth", Dialect::OAuth), ("plain", Dialect::Plain)] {
        assert_eq!(accepted(&[("/errors", json!(word))]).errors, dialect);
    }
}

#[test]
fn unused_keys_are_warned_of() {
    let open = json!([{"match": {"path": "/open"}, "require": []}]);
    let warnings = accepted(&[("/routes", open)]).warnings;
    assert!(warnings.contains(&"api_keys: no route requires an API key".to_owned()), "{warnings:?}");
}

#[test]
fn warnings_are_bounded() {
    let tier = json!({"limits": []});
    let warnings = |count: usize| {
        let tiers: serde_json::Map<_, _> = (0..count).map(|nth| (format!("t{nth:02}"), tier.clone())).collect();
        accepted(&[("/tiers", Value::Object(tiers)), ("/api_keys/inline/keys", json!([]))]).warnings
    };
    let others = warnings(1).len() - 1;
    assert_eq!(warnings(64 - others).len(), 64);
    assert!(warnings(1).iter().all(|it| !it.ends_with(" more")));
    let many = warnings(70);
    assert_eq!((many.len(), many.last().cloned()), (65, Some(format!("and {} more", 6 + others))));
}
