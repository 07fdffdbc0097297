use std::num::NonZeroU32;
use std::rc::Rc;

use super::{Credential, Found, HostMatch, Quorum, Route, Shadow, find, is_preflight, shadows, unreachable};
use crate::http::head::Head;
use crate::http::path::{Pattern, RawPath};
use crate::policy::cost::{self, Factor};

fn route(path: &str, methods: &[&str]) -> Route {
    Route {
        host: HostMatch::Any,
        path: Pattern::parse(path).unwrap(),
        methods: methods.iter().map(ToString::to_string).collect(),
        require: vec![Credential::Bearer],
        quorum: Quorum::All,
        issuers: vec![0],
        scope: None,
        districts: None,
        one_required: false,
        permissions: vec![],
        body: None,
        cost: cost::CostRule { weight: NonZeroU32::MIN, factor: Factor::One },
        address_limits: Rc::new([]),
        failure_limits: Rc::new([]),
        tiers: Vec::new(),
        tier_budgets: Vec::new(),
        cors_preflight: false,
        upgrades: false,
    }
}

fn on_host(host: HostMatch) -> Route {
    Route { host, ..route("/", &[]) }
}

fn exact(host: &str) -> HostMatch {
    HostMatch::Exact(host.to_owned())
}

fn suffix(host: &str) -> HostMatch {
    HostMatch::Suffix(host.to_owned())
}

fn with_cors(route: Route) -> Route {
    Route { cors_preflight: true, ..route }
}

fn wrong_method(allow: &str) -> Found {
    Found::WrongMethod(allow.to_owned())
}

#[track_caller]
fn check(routes: &[Route], method: &str, path: &str, expected: &Found) {
    let raw = RawPath::parse(path.as_bytes()).unwrap();
    let found = find(routes, b"api.example.com", &raw, method.as_bytes(), false);
    assert_eq!(&found, expected, "{method} {path}");
}

#[track_caller]
fn check_host(routes: &[Route], host: &str, expected: &Found) {
    let root = RawPath::parse(b"/").unwrap();
    let found = find(routes, host.as_bytes(), &root, b"GET", false);
    assert_eq!(&found, expected, "{host}");
}

#[test]
fn first_match_wins() {
    let routes =
        [route("/oauth/token", &["POST"]), route("/stats/v1/{kind}", &["GET"]), route("/stats/v1/", &["GET", "POST"])];
    check(&routes, "POST", "/oauth/token", &Found::Route(0));
    check(&routes, "GET", "/stats/v1/a", &Found::Route(1));
    check(&routes, "GET", "/stats/v1/a/b", &Found::Route(2));
    // The first one does not serve the method.
    check(&routes, "POST", "/stats/v1/a", &Found::Route(2));
    check(&routes, "GET", "/stats/v1", &Found::None);
    check(&routes, "GET", "/statsx/v1/", &Found::None);
    check(&routes, "GET", "/", &Found::None);
}

#[test]
fn script_does_not_lead_around_an_earlier_route() {
    let routes = [
        route("/admin/", &["GET"]),
        route("/s/{id}", &["GET"]),
        route("/api/index.php/v1/", &["GET"]),
        route("/api/", &["GET"]),
        route("/s/", &["GET"]),
        route("/", &["GET", "POST"]),
    ];
    for path in [
        // What Symfony and Laravel read as `/admin/a`, `/admin/` and `/s/x`.
        "/index.php/admin/a",
        "/INDEX.PHP/admin/a",
        "/index%2Ephp/admin/a",
        "/app.php/Admin/a",
        "/index.php/%61dmin/a",
        "/index.php/admin",
        "/index.php/s/x",
        "/s/index.php/x",
    ] {
        check(&routes, "GET", path, &Found::Ambiguous);
    }
    // Twins: nothing behind it, no script, no earlier route or none of the method, one that names the script.
    for (method, path, index) in [
        ("GET", "/index.php", 5),
        ("GET", "/b/index.php", 5),
        ("GET", "/index.phps/admin/a", 5),
        ("GET", "/php/admin/a", 5),
        ("GET", "/index.php/b", 5),
        ("GET", "/pluginfile.php/12/b", 5),
        ("GET", "/s/a/index.php/b", 4),
        ("POST", "/index.php/admin/a", 5),
        ("GET", "/admin/index.php/a", 0),
        ("GET", "/api/index.php/v1/a", 2),
        ("GET", "/api/index.php/v2/a", 3),
    ] {
        check(&routes, method, path, &Found::Route(index));
    }
    let named = [route("/api/v1/", &["GET"]), route("/api/index.php/v1/", &["GET"]), route("/api/", &["GET"])];
    check(&named, "GET", "/api/index.php/v1/a", &Found::Route(1));
    check(&named, "GET", "/api/app.php/v1/a", &Found::Ambiguous);
}

#[test]
fn wrong_method_gets_the_union_of_methods() {
    let routes = [route("/a", &["GET"]), route("/{x}", &["POST", "GET"]), route("/b", &["DELETE"])];
    check(&routes, "DELETE", "/a", &wrong_method("GET, HEAD, POST"));
    check(&routes, "GET", "/a", &Found::Route(0));
    check(&routes, "PUT", "/b", &wrong_method("POST, GET, HEAD, DELETE"));
}

#[test]
fn head_follows_get_only() {
    check(&[route("/a", &["GET"])], "HEAD", "/a", &Found::Route(0));
    check(&[route("/a", &["POST"])], "HEAD", "/a", &wrong_method("POST"));
    check(&[route("/a", &["HEAD"])], "GET", "/a", &wrong_method("HEAD"));
}

#[test]
fn route_without_methods_serves_all_but_connect() {
    let routes = [route("/", &[])];
    for method in ["GET", "OPTIONS", "PROPFIND", "VERSION-CONTROL"] {
        check(&routes, method, "/a", &Found::Route(0));
    }
    let usual = wrong_method("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    // Lower case is another method for Envoy, and the same one for some servers.
    for method in ["CONNECT", "connect", "get", "GeT", "", "GET x"] {
        check(&routes, method, "/a", &usual);
    }
}

#[test]
fn path_that_may_fall_under_an_earlier_route_is_refused() {
    let routes = [route("/admin/keys", &["GET"]), route("/admin/{name}", &["GET"]), route("/", &["GET"])];
    for path in [
        // Case, encoding, twice, parameters, a final slash.
        "/Admin/keys",
        "/%61dmin/keys",
        "/admin/key%73",
        "/admin/%256beys",
        "/admin;x/keys",
        "/admin/keys;x",
        "/admin/keys/",
        "/ADMIN/other",
        // A suffix, a stream, a final dot.
        "/admin/keys.json",
        "/admin/keys::$DATA",
        "/admin./keys",
    ] {
        check(&routes, "GET", path, &Found::Ambiguous);
    }
    // Twins: what falls under the first route already, and what fits no earlier one.
    check(&routes, "GET", "/admin/keys", &Found::Route(0));
    check(&routes, "GET", "/admin/b", &Found::Route(1));
    check(&routes, "GET", "/Students/%61;x/", &Found::Route(2));
    // What is below a path begins with the path itself, for servers that do not tell `/a` from `/a/`.
    let routes = [route("/grades/", &[]), route("/schools/{id}/", &[]), route("/", &[])];
    for path in ["/grades", "/GRADES", "/grades;x", "/grades%20", "/grades.json", "/schools/1"] {
        check(&routes, "GET", path, &Found::Ambiguous);
    }
    for (path, expected) in [("/grades/", 0), ("/grades/1", 0), ("/schools/1/", 1), ("/schools/", 2), ("/grade", 2)] {
        check(&routes, "GET", path, &Found::Route(expected));
    }
    // An earlier route that does not serve the method takes nothing from anyone.
    let routes = [route("/a", &["POST"]), route("/", &["GET"])];
    check(&routes, "GET", "/A", &Found::Route(1));
    // What only fits loosely is no route.
    check(&[route("/a", &["GET"])], "GET", "/A", &Found::None);
}

#[test]
fn final_slash_is_no_trick_where_a_route_names_it() {
    let routes = [route("/students", &["GET"]), route("/students/", &["GET"])];
    check(&routes, "GET", "/students", &Found::Route(0));
    check(&routes, "GET", "/students/", &Found::Route(1));
    check(&routes, "GET", "/students/1", &Found::Route(1));
    let routes = [route("/students/", &["GET"]), route("/students", &["GET"]), route("/", &["GET"])];
    check(&routes, "GET", "/students", &Found::Route(1));
    check(&routes, "GET", "/Students", &Found::Ambiguous);
    check(&[route("/students/", &["GET"])], "GET", "/students", &Found::None);
}

#[test]
fn suffix_is_no_trick_where_a_route_names_it() {
    let routes =
        [route("/export", &["GET"]), route("/export.csv", &["GET"]), route("/export:all", &["GET"]), route("/", &[])];
    check(&routes, "GET", "/export.csv", &Found::Route(1));
    check(&routes, "GET", "/export:all", &Found::Route(2));
    check(&routes, "GET", "/export.json", &Found::Ambiguous);
    check(&routes, "GET", "/exports", &Found::Route(3));
}

#[test]
fn hosts_are_compared_without_case_and_port() {
    let routes = [exact("api.example.com"), suffix(".example.org"), exact("[::1]")].map(on_host);
    for (host, expected) in [
        ("api.example.com", 0),
        ("API.Example.com", 0),
        ("api.example.com:443", 0),
        ("x.example.org", 1),
        ("x.y.EXAMPLE.org:80", 1),
        ("[::1]", 2),
        ("[::1]:80", 2),
    ] {
        check_host(&routes, host, &Found::Route(expected));
    }
    // The domain itself, nothing before the dot, longer names, another host.
    for host in ["example.org", ".example.org", "xexample.org", "x.example.org.evil.com", "example.com"] {
        check_host(&routes, host, &Found::None);
    }
    assert!(!suffix(".example.org").matches(b".example.org"), "no label before the dot");
}

#[test]
fn invalid_host_has_no_route_even_where_any_host_has() {
    let routes = [on_host(HostMatch::Any)];
    for host in [
        // None; joined; with user, path, space, escape; not ASCII.
        "",
        "a,b",
        "a@b",
        "a/b",
        "a b",
        "a%2eb",
        "é", // Ports that are none.
        "a:",
        "a:b",
        "a:1:2",
        "a:123456",
        ":80",
        "[::1]:", // Dots at either end and in a row.
        "a.",
        ".a",
        "a..b", // Broken brackets.
        "[::1",
        "[]",
        "[:]",
        "[::1]x",
        "::1",
        "[a@b]", // Other spellings of addresses.
        "[0::1]",
        "[::01]",
        "[::1%25eth0]",
        "[::ffff:7f00:1]",
        "127.1",
        "127.0.0.01",
        "0x7f.0.0.1",
        "127.0.0.0x1",
        "2130706433",
        "a.1",
        "0X1",
        "0x",
    ] {
        check_host(&routes, host, &Found::None);
    }
    for host in ["a", "a-b_c.d", "127.0.0.1:8080", "localhost", "[::]", "[2001:DB8::A]", "1.a", "a.1x", "0xg"] {
        check_host(&routes, host, &Found::Route(0));
    }
}

#[test]
fn preflight_passes_only_where_configured() {
    let routes = [route("/a", &["GET"]), with_cors(route("/b", &["GET"]))];
    let preflight = |path: &str| {
        let path = RawPath::parse(path.as_bytes()).unwrap();
        find(&routes, b"h", &path, b"OPTIONS", true)
    };
    assert_eq!(preflight("/b"), Found::Preflight(1));
    assert_eq!(preflight("/a"), wrong_method("GET, HEAD"));
    assert_eq!(preflight("/c"), Found::None);
    // OPTIONS that is no preflight.
    check(&routes, "OPTIONS", "/b", &wrong_method("GET, HEAD"));
}

#[test]
fn preflight_is_told_by_method_and_both_headers() {
    let options = (":method", "OPTIONS");
    let origin = ("origin", "https://a.example");
    let method = ("access-control-request-method", "GET");
    let check = |pairs: &[(&str, &str)], expected: bool| {
        assert_eq!(is_preflight(&Head::from_pairs(pairs)), expected, "{pairs:?}");
    };
    check(&[options, origin, method], true);
    check(&[options, origin], false);
    check(&[options, method], false);
    check(&[(":method", "GET"), origin, method], false);
    check(&[options, origin, origin, method], false);
    check(&[options, origin, ("access-control-request-method", "")], false);
}

#[track_caller]
fn check_unreachable(earlier: Route, later: Route, expected: bool) {
    let found = unreachable(&[route("/other", &[]), earlier, later]);
    assert_eq!(found, if expected { vec![(2, 1)] } else { vec![] });
}

#[test]
fn covered_routes_are_unreachable() {
    check_unreachable(route("/a/", &[]), route("/a/b", &["GET"]), true);
    check_unreachable(route("/a/b", &["GET"]), route("/a/", &[]), false);
    check_unreachable(route("/a/{x}", &["GET"]), route("/a/b", &["GET"]), true);
    // HEAD follows GET.
    check_unreachable(route("/a", &["GET"]), route("/a", &["HEAD"]), true);
    check_unreachable(route("/a", &["HEAD"]), route("/a", &["GET"]), false);
    check_unreachable(route("/a", &["GET"]), route("/a", &["GET", "POST"]), false);
    check_unreachable(route("/a", &["GET"]), route("/a", &[]), false);
    // Every method but CONNECT.
    check_unreachable(route("/a", &[]), route("/a", &["CONNECT"]), false);
}

#[test]
fn hosts_count_for_reachability() {
    for (earlier, later, expected) in [
        (HostMatch::Any, exact("a.b"), true),
        (exact("a.b"), HostMatch::Any, false),
        (exact("a.b"), exact("a.b"), true),
        (exact("a.b"), exact("c.b"), false),
        (suffix(".b"), exact("a.b"), true),
        (suffix(".b"), exact("b"), false),
        (suffix(".b"), suffix(".a.b"), true),
        (suffix(".a.b"), suffix(".b"), false),
        (exact("a.b"), suffix(".b"), false),
    ] {
        let routes = [on_host(earlier), on_host(later)];
        let unreachable = unreachable(&routes);
        assert_eq!(unreachable.contains(&(1, 0)), expected, "{:?}", routes.map(|it| it.host));
    }
}

#[test]
fn preflights_count_for_reachability() {
    let get = || route("/a", &["GET"]);
    check_unreachable(get(), with_cors(get()), false);
    check_unreachable(with_cors(get()), with_cors(get()), true);
    check_unreachable(route("/a", &[]), with_cors(get()), true);
}

/// What each of `routes` takes of the last one.
#[track_caller]
fn check_shadows(routes: &[Route], expected: &[(usize, &[&str])]) {
    let later = routes.len().saturating_sub(1);
    let expected =
        expected.iter().map(|(earlier, methods)| Shadow { later, earlier: *earlier, methods: methods.to_vec() });
    let found = shadows(routes).into_iter().filter(|it| it.later == later);
    assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn listed_method_that_an_earlier_route_takes_is_shadowed() {
    let later = || route("/a/b", &["GET", "POST"]);
    check_shadows(&[route("/a/", &["GET"]), later()], &[(0, &["GET"])]);
    check_shadows(&[route("/a/{x}", &["POST", "PUT"]), later()], &[(0, &["POST"])]);
    // Two take all of it, each what is left.
    check_shadows(&[route("/a/", &["GET"]), route("/a/", &["GET", "POST"]), later()], &[(0, &["GET"]), (1, &["POST"])]);
    // HEAD follows GET, and not the other way round.
    check_shadows(&[route("/a/", &["GET"]), route("/a/b", &["HEAD", "POST"])], &[(0, &["HEAD"])]);
    check_shadows(&[route("/a/", &["HEAD"]), later()], &[]);
    // Other methods, another path, another host.
    check_shadows(&[route("/a/", &["PUT"]), later()], &[]);
    check_shadows(&[route("/a/c", &["GET"]), later()], &[]);
    check_shadows(&[Route { host: exact("a.b"), ..route("/a/", &["GET"]) }, later()], &[]);
    // The narrow one first.
    check_shadows(&[later(), route("/a/", &[])], &[]);
}

#[test]
fn methods_that_none_lists_are_shadowed_by_wider_routes_alone() {
    check_shadows(&[route("/a/", &["GET"]), route("/a/b", &[])], &[(0, &["GET"])]);
    check_shadows(&[route("/a/b", &["GET"]), Route { host: exact("a.b"), ..route("/a/b", &[]) }], &[(0, &["GET"])]);
    // What is left of the same path.
    check_shadows(&[route("/a/b", &["GET"]), route("/a/b", &[])], &[]);
    // CORS of all routes, answered by one.
    check_shadows(&[route("/a/", &["OPTIONS"]), route("/a/b", &[])], &[]);
}
