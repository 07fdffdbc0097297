//! Changes of the sample that load: defaults, bounds reached exactly, and warnings.

use std::num::NonZeroU32;
use std::time::Duration;

use super::super::{Dialect, RateLimitHeaders, Source};
use super::*;
use crate::credentials::ids::ListFormat;
use crate::limits::{Budget, KeyKind, Period, Unit, Window};
use crate::policy::cost::Factor;
use crate::policy::route::HostMatch;
use crate::policy::scope::{Location, Missing};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// The least that loads.
fn least() -> Value {
    json!({
        "issuers": [{"issuer": "a", "default_tier": "t", "secrets": [{"alg": "HS256", "text": SECRET}]}],
        "tiers": {"t": {"limits": []}},
        "routes": [{"match": {"path": "/"}}]
    })
}

#[test]
fn defaults_are_as_documented() {
    let config = load(&least()).unwrap();
    assert_eq!(config.realm, "api");
    assert_eq!(config.errors, Dialect::ProblemJson);
    assert_eq!(config.problem_base, super::super::PROBLEM_BASE_DEFAULT);
    assert!(!config.dry_run);
    assert_eq!(config.rate_limit_headers, RateLimitHeaders::Draft11);
    assert_eq!(config.settlement_header, None);
    assert_eq!(config.forward.schools, "x-claim-schools");
    assert_eq!(config.forward.tier, "x-claim-tier");
    assert_eq!(config.forward.client, "x-claim-client-id");
    assert_eq!(config.forward.schools_format, ListFormat::Comma);
    assert_eq!(config.forward.schools_bytes_max, 8192);
    assert!(config.forward.authorization);
    assert_eq!(config.bounds.token_bytes_max, 16_384);
    assert_eq!(config.bounds.cached_tokens_max, 10_000);
    assert_eq!(config.bounds.cached_bytes_max, 16 << 20);
    assert_eq!(config.bounds.waiters_max, 1_000);
    assert_eq!(config.bounds.retry_after_max, Duration::from_hours(1));
    let failed = &config.authentication_failures[0];
    assert_eq!((failed.name.as_str(), failed.unit), ("authentication-failures", Unit::Requests));
    let window = Window::Bucket { amount: some(600), per: Duration::from_mins(1), burst: some(600) };
    assert_eq!(failed.window, window);
}

#[test]
fn defaults_of_issuers_and_routes_are_as_documented() {
    let config = load(&least()).unwrap();
    let issuer = &config.issuers[0];
    assert_eq!(issuer.rules.clock_skew, Duration::from_secs(30));
    assert_eq!(issuer.rules.lifetime_max, None);
    assert_eq!(issuer.rules.names.client.path.0, "client_id");
    assert_eq!((issuer.tiers.as_slice(), issuer.default_tier), (&[0][..], Some(0)));
    let route = &config.routes[0];
    assert_eq!(route.host, HostMatch::Any);
    // A route is guarded unless it says otherwise.
    assert_eq!((route.require.len(), route.issuers.as_slice()), (1, &[0][..]));
    assert_eq!((route.cost.weight, &route.cost.factor), (NonZeroU32::MIN, &Factor::One));
    assert!(!route.cors_preflight && !route.upgrades);
}

#[test]
fn defaults_of_remote_keys_are_as_documented() {
    let remote = json!({"remote": {"uri": "http://idp:8080", "cluster": "outbound|443||idp.ns.svc.cluster.local"}});
    let config = accepted(&[("/issuers/0/jwks", remote)]);
    let Some(Source::Remote(remote)) = config.issuers[0].keys() else { panic!("not remote") };
    assert_eq!((remote.scheme.as_str(), remote.authority.as_str(), remote.path.as_str()), ("http", "idp:8080", "/"));
    assert_eq!(remote.timeout, Duration::from_secs(2));
    assert_eq!(remote.refresh, Duration::from_mins(10));
    assert_eq!(remote.max_stale, Duration::from_hours(24));
    assert_eq!(remote.cooldown, Duration::from_secs(2));
    let warning = "issuers[0].jwks.remote.uri: keys travel without TLS, as far as the URI tells";
    assert_eq!(config.warnings, [warning]);
}

#[test]
fn uri_is_split() {
    let config = accepted(&[("/issuers/0/jwks/remote/uri", json!("https://[::1]:8443/a/b?c=d&e"))]);
    let Some(Source::Remote(remote)) = config.issuers[0].keys() else { panic!("not remote") };
    assert_eq!((remote.authority.as_str(), remote.path.as_str()), ("[::1]:8443", "/a/b?c=d&e"));
}

#[test]
fn remote_is_read_as_it_is_given() {
    let times = [("timeout", "3s"), ("refresh", "11m"), ("max_stale", "25h"), ("cooldown", "4s")];
    let mut given = json!({"uri": "http://auth.example.com/keys", "cluster": "keys"});
    for (name, value) in times {
        given[name] = json!(value);
    }
    let config = accepted(&[("/issuers/0/jwks/remote", given)]);
    let Some(Source::Remote(remote)) = config.issuers[0].keys() else { panic!("not remote") };
    assert_eq!((remote.cluster.as_str(), remote.scheme.as_str()), ("keys", "http"));
    let read = [remote.timeout, remote.refresh, remote.max_stale, remote.cooldown];
    let (secs, mins, hours) = (Duration::from_secs, Duration::from_mins, Duration::from_hours);
    assert_eq!(read, [secs(3), mins(11), hours(25), secs(4)]);
}

#[test]
fn claims_are_names_or_pointers() {
    let config = accepted(&[
        ("/issuers/0/claims/schools", json!("/org/a~1b")),
        // no pointer, so that a tilde is a tilde
        ("/issuers/0/claims/client", json!("client~2")),
    ]);
    let names = &config.issuers[0].rules.names;
    assert_eq!(
        (names.schools.as_ref().unwrap().path.0.as_str(), names.client.path.0.as_str()),
        ("/org/a~1b", "client~2")
    );
}

#[test]
fn token_ids_are_read_where_tokens_are_revoked() {
    let id = |config: &Config| config.issuers[0].rules.names.grants.id.as_ref().map(|it| it.0.clone());
    let with = |revocations: Value| {
        let mut document = least();
        document["issuers"][0]["revocations"] = revocations;
        document
    };
    assert_eq!(id(&load(&least()).unwrap()), None);
    let mut document = with(json!({"inline": {"tokens": []}}));
    assert_eq!(id(&load(&document).unwrap()), Some("jti".to_owned()), "without `claims`");
    document["issuers"][0]["claims"] = json!({"client": "sub"});
    assert_eq!(id(&load(&document).unwrap()), Some("jti".to_owned()));
    document["issuers"][0]["claims"] = json!({"id": "tid"});
    assert_eq!(id(&load(&document).unwrap()), Some("tid".to_owned()));
}

#[test]
fn limits_are_read() {
    let config = accepted(&[]);
    let windows: Vec<_> = config.tiers[0].limits().map(|limit| (limit.unit, limit.window)).collect();
    let minute = Duration::from_mins(1);
    assert_eq!(
        windows,
        [
            (Unit::Requests, Window::Bucket { amount: some(60), per: minute, burst: some(10) }),
            (Unit::Requests, Window::Calendar { quota: some(1000), period: Period::Day }),
            // Without a burst, a bucket holds its amount.
            (Unit::Cost, Window::Bucket { amount: some(300), per: minute, burst: some(300) }),
        ]
    );
    assert_eq!(config.tiers[0].max_cost, Some(some(20)));
}

#[test]
fn limits_are_grouped_by_whose_budget_they_draw_on() {
    let limit = |name: &str, by: Value| json!({"name": name, "requests": 1, "per": "1m", "by": by});
    let limits = json!([
        limit("a", json!(["district", "client"])),
        {"name": "b", "requests": 1, "per": "1m"},
        limit("c", json!(["client"])),
        limit("d", json!(["token"])),
        limit("e", json!(["client", "district"])),
        limit("f", json!(["district"])),
    ]);
    let tiers = json!({"free": {"limits": limits}});
    let config = accepted(&[("/tiers", tiers), ("/issuers/0/tiers", json!(null))]);
    let names = |budget: &Budget| budget.limits.iter().map(|limit| limit.name.clone()).collect::<String>();
    let groups: Vec<_> = config.tiers[0].budgets.iter().map(|budget| (budget.by, names(budget))).collect();
    let expected =
        [(KeyKind::ClientDistrict, "ae"), (KeyKind::Client, "bc"), (KeyKind::Token, "d"), (KeyKind::District, "f")];
    assert_eq!(groups, expected.map(|(by, names)| (by, names.to_owned())));
}

#[test]
fn bounds_are_inclusive() {
    let remote = "/issuers/0/jwks/remote";
    // Every duration at its lower bound, refresh and staleness as short as the cooldown.
    accepted(&[
        (&format!("{remote}/timeout"), json!("1ms")),
        (&format!("{remote}/cooldown"), json!("100ms")),
        (&format!("{remote}/refresh"), json!("100ms")),
        (&format!("{remote}/max_stale"), json!("100ms")),
        ("/issuers/0/clock_skew", json!("0s")),
    ]);
    accepted(&[(&format!("{remote}/timeout"), json!("60s")), ("/issuers/0/clock_skew", json!("5m"))]);
    // The slowest bucket: 366 days to refill.
    accepted(&[("/tiers/free/limits/0", json!({"name": "minute", "requests": 1, "per": "1s", "burst": 31_622_400}))]);
    accepted(&[("/tiers/free/limits/0", json!({"name": "minute", "requests": 1_000_000_000, "per": "366d"}))]);
    // 32 characters, 16 limits.
    let limit = |n: u32| json!({"name": format!("a{n:031}"), "requests": 1, "per": "1ms"});
    let limits: Vec<Value> = (0..16).map(limit).collect();
    accepted(&[("/tiers/free/limits", json!(limits)), ("/tiers/free/max_cost", json!(null))]);
    accepted(&[("/bounds", json!({"max_token_bytes": 60_000, "max_cached_tokens": 0, "max_retry_after": "1s"}))]);
    // The longest URI.
    let uri = format!("https://auth.example.com/{}", "a".repeat(2_048 - 25));
    accepted(&[(&format!("{remote}/uri"), json!(uri))]);
    refused(
        &[(&format!("{remote}/uri"), json!(uri + "a"))],
        "issuers[0].jwks.remote.uri: expected an absolute URI such as `https://auth.example.com/jwks.json`, got another \
         string",
    );
    // 256 tiers.
    let tiers = |count: usize| {
        let mut document = least();
        let names = (1..count).map(|nth| format!("t{nth}")).chain(["t".to_owned()]);
        document["tiers"] = names.map(|name| (name, json!({"limits": []}))).collect();
        load(&document).map_err(|errors| errors.to_string())
    };
    assert!(tiers(256).is_ok());
    for count in [257, 258] {
        assert_eq!(tiers(count).unwrap_err(), format!("tiers: expected at most 256 tiers, got {count}"));
    }
    // What a limit ever admits at once.
    for (cost, warnings) in [(300, 0), (301, 1)] {
        assert_eq!(accepted(&[("/tiers/free/max_cost", json!(cost))]).warnings.len(), warnings, "{cost}");
    }
    // Ten thousand districts.
    let districts = |count: usize| (0..count).map(|nth| (format!("d{nth}"), json!([]))).collect::<Value>();
    accepted(&[("/districts", districts(10_000))]);
    for count in [10_001, 10_002] {
        let problem = format!("districts: expected at most 10000 districts, got {count}");
        refused(&[("/districts", districts(count))], &problem);
    }
    // A whole number that is written as a fraction, as a Struct would.
    accepted(&[("/bounds", json!({"max_waiters": 5.0}))]);
}

#[test]
fn secrets_are_read_in_every_form() {
    let base64 = [
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
        "-_-_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY",
    ];
    let mut secrets: Vec<Value> = base64
        .iter()
        .enumerate()
        .map(|(n, text)| json!({"kid": n.to_string(), "alg": "HS256", "base64": text}))
        .collect();
    secrets.push(json!({"kid": "text", "alg": "HS512", "text": SECRET.repeat(2)}));
    let config = accepted(&[("/issuers/0/jwks", json!(null)), ("/issuers/0/secrets", json!(secrets))]);
    let Some(Source::Inline(keys)) = config.issuers[0].keys() else { panic!("not inline") };
    assert_eq!(keys.keys().len(), 4);
}

#[test]
fn debug_shows_no_secret() {
    let debug = format!("{:?}", load(&least()).unwrap());
    assert!(!debug.contains(SECRET) && !debug.contains("48, 49, 50, 51"), "{debug}");
}

#[test]
fn inline_jwks_is_read_as_object_and_as_string() {
    let jwks = json!({"keys": [{"kty": "oct", "kid": "a", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]});
    for inline in [jwks.clone(), json!(jwks.to_string())] {
        let config = accepted(&[("/issuers/0/jwks", json!({"inline": inline}))]);
        let Some(Source::Inline(keys)) = config.issuers[0].keys() else { panic!("not inline") };
        assert_eq!(keys.keys()[0].kid(), Some("a"));
    }
}

#[test]
fn key_for_encryption_is_left_out_with_a_warning() {
    let k = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
    let jwks = json!({"keys": [{"kty": "oct", "kid": "a", "k": k}, {"kty": "oct", "use": "enc", "kid": "b", "k": k}]});
    let config = accepted(&[("/issuers/0/jwks", json!({"inline": jwks}))]);
    assert_eq!(config.warnings, ["issuers[0].jwks.inline: unused key 1: not meant for verifying"]);
}

#[test]
fn routes_are_read() {
    let schools = "/routes/0/scope/schools";
    let route = accepted(&[
        ("/routes/0/match/path", json!("/schools/{school}/")),
        ("/routes/0/match/host", json!("*.Example.com")),
        (schools, json!({"path": "school", "separator": ","})),
        ("/routes/0/cost", json!({"weight": 2, "times": "schools"})),
        ("/routes/0/issuers", json!(["https://auth.example.com/"])),
    ]);
    let route = &route.routes[0];
    assert_eq!(route.host, HostMatch::Suffix(".example.com".to_owned()));
    let scope = route.scope.as_ref().unwrap();
    assert_eq!(
        (&scope.place, scope.missing, scope.separator),
        (&Location::Path("school".to_owned()), Missing::Refuse, Some(','))
    );
    assert_eq!((route.cost.weight, &route.cost.factor), (some(2), &Factor::Schools));

    let route = accepted(&[
        (schools, json!({"header": "X-School", "missing": "allow"})),
        ("/routes/0/cost", json!({"weight": 5, "times": {"query": "limit", "default": 25}})),
        ("/routes/0/match/methods", json!(["GET", "POST", "M-SEARCH"])),
        ("/routes/0/upgrades", json!(true)),
        ("/routes/0/cors_preflight", json!(true)),
    ]);
    let route = &route.routes[0];
    let scope = route.scope.as_ref().unwrap();
    assert_eq!((&scope.place, scope.missing), (&Location::Header("x-school".to_owned()), Missing::Allow));
    assert_eq!(route.cost.factor, Factor::Query { name: "limit".to_owned(), default: some(25) });
    assert!(route.upgrades && route.cors_preflight);
    for host in ["[::1]", "10.0.0.1", "localhost"] {
        accepted(&[("/routes/0/match/host", json!(host))]);
    }
}

#[test]
fn open_route_needs_no_issuers_and_no_tiers() {
    let limits = json!([{"name": "login", "requests": 10, "per": "1m"}]);
    let open = json!({"routes": [{"match": {"path": "/oauth/token"}, "require": [], "address_limits": limits}]});
    let config = load(&open).unwrap();
    assert!(config.routes[0].issuers.is_empty());
    assert_eq!(config.routes[0].address_limits[0].name, "login");
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn tier_may_come_from_a_default() {
    let config = accepted(&[("/issuers/0/claims/tier", json!(null)), ("/issuers/0/default_tier", json!("premium"))]);
    assert_eq!(config.issuers[0].rules.names.tier, None);
    assert_eq!(config.tiers[config.issuers[0].default_tier.unwrap()].name, "premium");
}

#[test]
fn bound_on_schools_is_read() {
    let config = accepted(&[("/issuers/0/schools", json!(["a", "b"]))]);
    let schools = config.issuers[0].schools.as_ref().unwrap();
    assert!(schools.position("a").is_some() && schools.position("b").is_some());
    assert_eq!(schools.position("c"), None);
}

#[test]
fn header_names_are_lowered() {
    let config = accepted(&[("/forward/tier", json!("X-Tier")), ("/settlement_header", json!("X-Actual-Cost"))]);
    assert_eq!(config.forward.tier, "x-tier");
    assert_eq!(config.settlement_header.as_deref(), Some("x-actual-cost"));
}

#[test]
fn facts_for_the_filter_state_are_chosen() {
    use crate::config::FilterStateField;

    let chosen = |setting: Value| accepted(&[("/filter_state", setting)]).filter_state;
    assert_eq!(load(&least()).unwrap().filter_state, FilterStateField::ALL, "by default all");
    assert_eq!(chosen(json!(["decision"])), [FilterStateField::Decision]);
    assert_eq!(
        chosen(json!(["route", "decision", "client"])),
        [FilterStateField::Route, FilterStateField::Decision, FilterStateField::Client]
    );
    let names = FilterStateField::ALL.map(FilterStateField::name);
    assert_eq!(
        names,
        ["decision", "tier", "client", "route", "key", "cost", "retirement", "reason", "limit", "would_deny"]
    );
    assert_eq!(chosen(json!(names)), FilterStateField::ALL);
    assert_eq!(chosen(json!([])), []);
    assert_eq!(FilterStateField::Cost.key(), "hallpass.cost");
}

#[test]
fn failed_credentials_are_read() {
    let window = |setting: Value| accepted(&[("/authentication_failures", setting)]).authentication_failures[0].window;
    let minute = Duration::from_mins(1);
    let (ten, twenty) = (some(10), some(20));
    assert_eq!(window(json!({"requests": 10})), Window::Bucket { amount: ten, per: minute, burst: ten });
    assert_eq!(
        window(json!({"requests": 10, "burst": 20})),
        Window::Bucket { amount: ten, per: minute, burst: twenty }
    );
    assert_eq!(window(json!({"requests": 10, "per": "hour"})), Window::Calendar { quota: ten, period: Period::Hour });
    // YAML takes a bare `off` for `false`.
    for off in [json!("off"), json!(false)] {
        assert!(accepted(&[("/authentication_failures", off.clone())]).authentication_failures.is_empty());
        assert_eq!(accepted(&[("/rate_limit_headers", off)]).rate_limit_headers, RateLimitHeaders::Off);
    }
}

#[test]
fn unwise_settings_are_warned_of() {
    let rows = [
        (
            ("/issuers/0/audiences", json!(null)),
            "issuers[0].audiences: tokens that this issuer made for other services are accepted, and ID tokens; give `audiences`, `types: [at+jwt]` or `required_claims` with `values`",
        ),
        (
            ("/dry_run", json!(true)),
            "dry_run: limits, cost, early scope and the end of retired credentials are not enforced",
        ),
        (
            ("/tiers/free/dry_run", json!(true)),
            "tiers.free.dry_run: limits, cost, early scope and the end of retired credentials of this tier are not enforced",
        ),
        (("/tiers/free/limits", json!([])), "tiers.free.limits: the tier has no limits"),
        (("/tiers/free/max_cost", json!(301)), "tiers.free.max_cost: more than the limit `cost` ever admits at once"),
        (("/filter_state", json!(["tier"])), "filter_state: without `decision` the guard refuses every request"),
        (("/filter_state", json!([])), "filter_state: without `decision` the guard refuses every request"),
        (
            ("/authentication_failures", json!("off")),
            "authentication_failures: nothing slows down who guesses credentials",
        ),
        (
            ("/routes/-", json!({"match": {"path": "/docs/"}, "require": [], "open_subtree": true})),
            "routes[1].open_subtree: everything below this path is open",
        ),
        (
            ("/routes/0", json!({"match": {"path": "/docs"}, "require": []})),
            "issuers[0]: no route accepts tokens of this issuer",
        ),
    ];
    for (change, warning) in rows {
        assert_eq!(accepted(&[change]).warnings, [warning]);
    }
}
