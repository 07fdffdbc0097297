//! Tiers, limits, routes and headers: one change of the sample, one problem. The twins that pass are in `accepted`.

use super::*;

const NAME: &str = "expected a name of at most 32 of `a-z0-9_-` that begins with a letter, got another string";
const HEADER: &str = "expected a header name that is free, got one that HTTP or Envoy needs itself";

#[test]
fn bad_tiers_are_refused() {
    refused(&[("/tiers/free/limits", json!(null))], "tiers.free.limits: missing");
    refused(&[("/tiers/free/dryrun", json!(true))], "tiers.free.dryrun: unknown field; did you mean `dry_run`?");
    let tier = sample()["tiers"]["free"].clone();
    refused(&[("/tiers/a b", tier)], "tiers[\"a b\"]: expected a name of at most 64 of `A-Za-z0-9_.-`");
    refused(
        &[("/tiers/free/max_cost", json!(-5))],
        "tiers.free.max_cost: expected a whole number from 1 to 4294967295, got another number",
    );
    let limits = "/tiers/free/limits";
    let many: Vec<Value> = (0..17).map(|n| json!({"name": format!("l{n}"), "requests": 1, "per": "1s"})).collect();
    refused(&[(limits, json!(many))], "tiers.free.limits: expected at most 16 items, got 17");
    refused(
        &[("/tiers/free/limits/1/name", json!("minute"))],
        "tiers.free.limits[1]: expected distinct names, got `minute` a second time",
    );
}

#[test]
fn bad_limits_are_refused() {
    let at = "tiers.free.limits[0]";
    for name in ["", "Minute", "1m", "a b", "a\"", "abcdefghijklmnopqrstuvwxyz0123456"] {
        let got = if name.is_empty() { NAME.replace("another", "an empty") } else { NAME.to_owned() };
        refused(&[("/tiers/free/limits/0/name", json!(name))], &format!("{at}.name: {got}"));
    }
    refused(
        &[("/tiers/free/limits/0/requests", json!(null))],
        &format!("{at}: expected exactly one of `requests`, `cost`, got 0"),
    );
    refused(
        &[("/tiers/free/limits/0/cost", json!(5))],
        &format!("{at}: expected exactly one of `requests`, `cost`, got 2"),
    );
    for amount in [json!(0), json!(-1), json!(1.5), json!(1e300), json!(1_000_000_001)] {
        refused(
            &[("/tiers/free/limits/0/requests", amount)],
            &format!("{at}.requests: expected a whole number from 1 to 1000000000, got another number"),
        );
    }
    refused(
        &[("/tiers/free/limits/0/requests", json!("60"))],
        &format!("{at}.requests: expected a whole number from 1 to 1000000000, got a string"),
    );
    refused(&[("/tiers/free/limits/0/per", json!(null))], &format!("{at}.per: missing"));
    refused(
        &[("/tiers/free/limits/0/per", json!(60))],
        &format!("{at}.per: expected a duration such as `2s`, got a number"),
    );
    refused(
        &[("/tiers/free/limits/0/per", json!("0s"))],
        &format!("{at}.per: expected a duration from 1ms to 366d, got 0ms"),
    );
    refused(
        &[("/tiers/free/limits/0/per", json!("367d"))],
        &format!("{at}.per: expected a duration from 1ms to 366d, got 367d"),
    );
    refused(
        &[("/tiers/free/limits/1/burst", json!(5))],
        "tiers.free.limits[1].burst: expected no burst on a calendar quota, which is there at once",
    );
    // 31,622,400 units of a second each are 366 days; one more is too long.
    refused(
        &[("/tiers/free/limits/0", json!({"name": "minute", "requests": 1, "per": "1s", "burst": 31_622_401}))],
        &format!("{at}.burst: expected one that refills in 366d"),
    );
}

#[test]
fn contradictions_between_limits_of_one_name_are_refused() {
    let report =
        "expected the unit, the kind of window and the `by` that the limit of the same name has at tiers.free.limits";
    // Another unit: a cost in one tier, requests in the others.
    refused(
        &[("/tiers/premium/limits/0", json!({"name": "minute", "cost": 5, "per": "1m"}))],
        &format!("tiers.premium.limits[0]: {report}[0]"),
    );
    // A bucket in one tier, a quota in the others.
    refused(&[("/tiers/standard/limits/1/per", json!("24h"))], &format!("tiers.standard.limits[1]: {report}[1]"));
    // Another period.
    refused(&[("/tiers/standard/limits/1/per", json!("month"))], &format!("tiers.standard.limits[1]: {report}[1]"));
    // Another owner.
    refused(&[("/tiers/standard/limits/1/by", json!(["token"]))], &format!("tiers.standard.limits[1]: {report}[1]"));
}

#[test]
fn a_limit_counts_by_client_by_district_by_both_or_by_token() {
    let report = "tiers.free.limits[0].by: expected `[client]`, `[district]`, `[client, district]` or `[token]`";
    // Nothing; a pair that means less than its first; one word twice.
    for by in [json!([]), json!(["token", "district"]), json!(["client", "client"])] {
        refused(&[("/tiers/free/limits/0/by", by)], report);
    }
    let limit = json!([{"name": "login", "requests": 10, "per": "1m", "by": ["client"]}]);
    let open = json!({"match": {"path": "/x"}, "require": [], "address_limits": limit});
    refused(
        &[("/routes/0", open)],
        "routes[0].address_limits[0].by: expected it at limits of tiers only, since these count for an address",
    );
}

#[test]
fn bad_routes_are_refused() {
    refused(&[("/routes", json!(null))], "routes: missing");
    refused(&[("/routes", json!([]))], "routes: expected at least one route, got none");
    refused(&[("/routes/0/match", json!(null))], "routes[0].match: missing");
    refused(&[("/routes/0/match/path", json!("stats"))], "routes[0].match.path: does not begin with `/`");
    let host = "routes[0].match.host: expected a host such as `api.example.com` or `*.example.com`, without port, got another string";
    for name in [
        "api.example.com:443",
        "a..b",
        "*.*.com",
        "a*",
        "é.example",
        "[::g]",
        "*.[::1]",
        "*.",
        "*.*",
        "[0::1]",
        "127.1",
        "*.127.0.0.1",
        "*.1",
    ] {
        refused(&[("/routes/0/match/host", json!(name))], host);
    }
    for method in ["get", "CONNECT", "G ET", "GET,POST", "GET|POST", ".*", "^GET$", "GET+"] {
        let problem =
            "routes[0].match.methods[0]: expected a method in upper case, other than CONNECT, got another string";
        refused(&[("/routes/0/match/methods/0", json!(method))], problem);
    }
    // It would match nothing.
    for methods in [json!(["*"]), json!(["GET", "*"])] {
        let nth = methods.as_array().unwrap().len() - 1;
        let problem = "expected a method by its name, got `*`; leave `methods` out for all";
        refused(&[("/routes/0/match/methods", methods)], &format!("routes[0].match.methods[{nth}]: {problem}"));
    }
    refused(
        &[("/routes/0/match/methods", json!([]))],
        "routes[0].match.methods: expected at least one method, got none; leave it out for all",
    );
    refused(
        &[("/routes/0/require/0", json!("basic"))],
        "routes[0].require[0]: expected `bearer` or `api_key`, got another string",
    );
    refused(&[("/routes/0/issuers", json!([]))], "routes[0].issuers: expected at least one issuer, got none");
    refused(
        &[("/routes/0/issuers", json!(["https://other/"]))],
        "routes[0].issuers[0]: expected the name of one of `issuers`, got `https://other/`",
    );
    let issuer = "https://auth.example.com/";
    refused(
        &[("/routes/0/issuers", json!([issuer, issuer]))],
        "routes[0].issuers[1]: expected distinct issuers, got one a second time",
    );
    // A guarded route that nobody can pass.
    refused(
        &[("/issuers", json!([]))],
        "routes[0].require: expected `issuers` at the top level, got none; an open route has `require: []`",
    );
    let again = sample()["routes"][0].clone();
    refused(&[("/routes/-", again)], "routes[1]: never reached, since routes[0] matches all of its requests first");
}

#[test]
fn bad_costs_are_refused() {
    let weight = "expected a whole number from 1 to 1000000, got another number";
    for cost in [json!(0), json!(-5), json!(0.5), json!(1_000_001)] {
        refused(&[("/routes/0/cost", cost.clone())], &format!("routes[0].cost: {weight}"));
        refused(&[("/routes/0/cost", json!({"weight": cost}))], &format!("routes[0].cost.weight: {weight}"));
    }
    refused(&[("/routes/0/cost", json!("5"))], "routes[0].cost: expected a whole number or an object, got a string");
    refused(
        &[("/routes/0/cost", json!({"times": "limit"}))],
        "routes[0].cost.times: expected `schools`, got another string",
    );
    refused(&[("/routes/0/cost", json!({"times": {"query": "limit"}}))], "routes[0].cost.times.default: missing");
    refused(
        &[("/routes/0/cost", json!({"times": "schools"})), ("/routes/0/scope", json!(null))],
        "routes[0].cost.times: expected `scope` as well, without which no school is read",
    );
}

#[test]
fn bad_scopes_are_refused() {
    let schools = "/routes/0/scope/schools";
    let one = "routes[0].scope.schools: expected exactly one of `query`, `path`, `header`, `body`, got";
    refused(&[(schools, json!({}))], &format!("{one} 0"));
    refused(&[(schools, json!({"query": "a", "header": "b"}))], &format!("{one} 2"));
    refused(&[("/routes/0/scope", json!({}))], "routes[0].scope.schools: missing");
    refused(
        &[(schools, json!({"query": "a", "missing": "deny"}))],
        "routes[0].scope.schools.missing: expected `refuse` or `allow`, got another string",
    );
    refused(
        &[(schools, json!({"path": "school"}))],
        "routes[0].scope.schools.path: expected a variable of `match.path`",
    );
    refused(
        &[(schools, json!({"path": "school", "missing": "allow"})), ("/routes/0/match/path", json!("/{school}"))],
        "routes[0].scope.schools.missing: expected `refuse`, since a path always names a school",
    );
    for separator in ["", ",,", "a", "=", "&", "\n"] {
        let got = if separator.is_empty() { "an empty" } else { "another" };
        let problem = format!(
            "routes[0].scope.schools.separator: expected one of `,`, `;`, `|`, `:` and a space, got {got} string"
        );
        refused(&[(schools, json!({"query": "a", "separator": separator}))], &problem);
    }
    let problem = "routes[0].scope.schools.separator: expected another with `path`, where `;` is refused";
    let path = ("/routes/0/match/path", json!("/{school}"));
    refused(&[(schools, json!({"path": "school", "separator": ";"})), path], problem);
    // What no server reads by this name, or every server by another one, would pass unjudged.
    let parameter = "expected a query parameter's name, of visible ASCII without `%`, `&`, `=`, `+`, `;` and `#`";
    for name in ["school%5Fid", "a=b", "a&b", "a;b", "a+b", "a#b", "school id", "é"] {
        let rule = json!({"query": name, "missing": "allow"});
        refused(&[(schools, rule)], &format!("routes[0].scope.schools.query: {parameter}, got another string"));
        let times = json!({"times": {"query": name, "default": 1}});
        refused(&[("/routes/0/cost", times)], &format!("routes[0].cost.times.query: {parameter}, got another string"));
    }
    for name in ["school_id", "filter[school]", "school.id", "$school", "~"] {
        accepted(&[(schools, json!({"query": name}))]);
    }
    refused(&[(schools, json!({"header": "cookie"}))], &format!("routes[0].scope.schools.header: {HEADER}"));
    // Stripped before it could be read, under every spelling.
    let stripped =
        "routes[0].scope.schools.header: expected another name, since the filter strips this header from requests";
    refused(&[(schools, json!({"header": "X_Claim_Schools"}))], stripped);
    refused(&[(schools, json!({"header": "X_Cost"})), ("/settlement_header", json!("x-cost"))], stripped);
    // Stripped where routes are those of certain hosts: the upstream would not see what was judged.
    for header in ["X-Host", "forwarded", "x-http-host-override"] {
        refused(&[(schools, json!({"header": header}))], stripped);
        accepted(&[(schools, json!({"header": header})), ("/routes/0/match/host", json!("*"))]);
        accepted(&[(schools, json!({"header": header})), ("/routes/0/match/host", json!(null))]);
    }
    // Tokens without schools cannot pass a scope.
    refused(
        &[("/issuers/0/claims/schools", json!(null))],
        "routes[0].scope.schools: expected `claims.schools` at the issuer `https://auth.example.com/`",
    );
}

#[test]
fn bad_open_routes_are_refused() {
    let open = |route: Value, problem: &str| refused(&[("/routes/-", route)], problem);
    let exact = json!({"path": "/oauth/token"});
    open(
        json!({"match": exact, "require": [], "scope": {"schools": {"query": "a"}}}),
        "routes[1].scope: expected none on an open route, which has no caller",
    );
    open(
        json!({"match": exact, "require": [], "cost": 5}),
        "routes[1].cost: expected none on an open route, which charges nobody",
    );
    open(
        json!({"match": exact, "require": [], "issuers": ["https://auth.example.com/"]}),
        "routes[1].issuers: expected no issuers on an open route",
    );
    open(
        json!({"match": {"path": "/docs/"}, "require": []}),
        "routes[1].match.path: expected an exact path on an open route, got one that ends in `/`; `open_subtree: true` allows it",
    );
    open(
        json!({"match": exact, "require": [], "open_subtree": true}),
        "routes[1].open_subtree: expected only with a path that ends in `/`",
    );
    open(json!({"match": exact, "open_subtree": true}), "routes[1].open_subtree: expected only on an open route");
    open(
        json!({"match": exact, "require": [], "address_limits": [{"name": "a", "cost": 5, "per": "1m"}]}),
        "routes[1].address_limits[0].cost: expected `requests`, since requests of an address have no cost",
    );
}

#[test]
fn bad_header_names_are_refused() {
    for name in ["a b", "", ":path", "x\r\n", "é"] {
        let got = if name.is_empty() { "an empty" } else { "another" };
        refused(
            &[("/forward/tier", json!(name))],
            &format!("forward.tier: expected a header name of at most 64 bytes, got {got} string"),
        );
    }
    let taken = [
        "Host",
        "cookie",
        "authorization",
        "Content-Length",
        "content-type",
        "connection",
        "keep-alive",
        "proxy-x",
        "PATH_INFO",
        "script-name",
        "te",
        "trailer",
        "x-script-name",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
        "X_Request_ID",
        "x-envoy-original-path",
        "x-forwarded-for",
        "x-original-url",
        "X-HTTP-Method-Override",
    ];
    for name in taken {
        refused(&[("/forward/tier", json!(name))], &format!("forward.tier: {HEADER}"));
        refused(&[("/settlement_header", json!(name))], &format!("settlement_header: {HEADER}"));
    }
    // Names that an upstream may fold into one variable.
    refused(
        &[("/forward/tier", json!("X_Claim.Schools"))],
        "forward.tier: expected another name than that of `schools`; upstreams may fold every character but letters and digits",
    );
    refused(
        &[("/settlement_header", json!("x-claim_tier"))],
        "settlement_header: expected another name than that of `forward.tier`",
    );
    refused(
        &[("/forward/schools_format", json!("csv"))],
        "forward.schools_format: expected `comma` or `json`, got another string",
    );
    refused(
        &[("/forward/max_schools_bytes", json!(60_001))],
        "forward.max_schools_bytes: expected a whole number from 1 to 60000, got another number",
    );
}

#[test]
fn limits_of_addresses_agree_where_they_share_a_budget() {
    let login = |host: &str, path: &str, per: &str| {
        let limits = json!([{"name": "login", "requests": 5, "per": per}]);
        json!({"match": {"host": host, "path": path}, "require": [], "address_limits": limits})
    };
    let one = ("/routes/-", login("a.example.com", "/login", "1m"));
    // The same template on two hosts: one budget, counted in two ways.
    refused(
        &[one.clone(), ("/routes/-", login("b.example.com", "/login", "day"))],
        "routes[2].address_limits[0]: expected the unit, the kind of window and the `by` that the limit of the same name has at \
         routes[1].address_limits[0]",
    );
    accepted(&[one.clone(), ("/routes/-", login("b.example.com", "/login", "2m"))]);
    accepted(&[one, ("/routes/-", login("a.example.com", "/token", "day"))]);
}
