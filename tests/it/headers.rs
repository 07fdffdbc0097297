//! Headers through a real Envoy: what is stripped, and what the upstream is told.

mod claims;
mod forwarded;

use bytes::Bytes;
use serde_json::json;

use crate::support::policy::{config, expect_no_trap, open_and_guarded, start, token, vms};
use crate::support::{Answer, Client, DEADLINE, Gateway, Seen, Upstream, raw, wait_for};

/// What no request of a client may bring to the upstream.
const EVIL: &str = "evil";

/// Names that some server folds to one that the filter sets or that overrides path or method.
const FORBIDDEN: [&str; 46] = [
    "x-claim-schools",
    "x_claim_schools",
    "x-claim_schools",
    "x.claim.schools",
    "x!claim#schools",
    "x~claim~schools",
    "x'claim'schools",
    "x*claim+schools",
    "x|claim^schools",
    "x$claim%schools",
    "x&claim`schools",
    "x-claim-tier",
    "x_claim_tier",
    "x-claim-client-id",
    "x_claim_client_id",
    "x-claim-client_id",
    "x-claim-districts",
    "x_claim_districts",
    "x-claim-permissions",
    "x-claim.permissions",
    "x-original-url",
    "x_original_url",
    "x-original-uri",
    "x-original-path",
    "x-original-method",
    "x-rewrite-url",
    "x_rewrite_url",
    "x-override-url",
    "x-http-method",
    "x-http-method-override",
    "x_http_method_override",
    "x-method-override",
    "x.method.override",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-forwarded-path",
    "x-forwarded-method",
    "x-script-name",
    "script-name",
    "x-up-devcap-post-charset",
    "SCRIPT_NAME",
    "path_info",
    "content_type",
    "content_length",
    "transfer_encoding",
    "transfer.encoding",
];

fn clients(gateway: &Gateway) -> [Client; 2] {
    [*gateway.client(), gateway.client().http2()]
}

/// Panics if anything of the client's is left in headers or trailers.
#[track_caller]
fn expect_clean(seen: &Seen, what: &str) {
    let trailers = seen.trailers.clone().unwrap_or_default();
    for (name, value) in seen.headers.iter().chain(&trailers) {
        assert!(!value.as_bytes().starts_with(EVIL.as_bytes()), "{what}: `{name}` got through: {seen:?}");
    }
}

#[test]
fn forbidden_headers_are_stripped_in_every_spelling_and_case() {
    let (upstream, gateway) = start(open_and_guarded());
    check_spellings(&upstream, &gateway);
    check_case_of_names(&upstream, &gateway);
}

#[track_caller]
fn check_spellings(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let before = vms(gateway);
    let valid = token().sign();

    for client in clients(gateway) {
        for path in ["/open/a", "/a"] {
            // Each alone, and once more beside a harmless one that stays.
            for name in FORBIDDEN {
                client.get(path).bearer(&valid).header(name, EVIL).send().expect_status(200);
                expect_clean(&upstream.last(), name);
            }
            // All at once, each three times.
            let mut request = client.get(path).bearer(&valid).header("x-claim-schoolsx", "harmless");
            for name in FORBIDDEN.into_iter().take(28) {
                for nth in 0..3 {
                    request = request.header(name, format!("{EVIL}{nth}"));
                }
            }
            request.send().expect_status(200);
            let seen = upstream.last();
            expect_clean(&seen, "all");
            assert_eq!(seen.headers("x-claim-schoolsx"), ["harmless"]);
            let claims = if path == "/a" { vec!["oakwood-primary,ravenscroft-high".to_owned()] } else { Vec::new() };
            assert_eq!(seen.headers("x-claim-schools"), claims);
        }
    }
    expect_no_trap(gateway, before);
}

#[track_caller]
fn check_case_of_names(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    for name in ["X-Claim-Schools", "X-CLAIM-SCHOOLS", "x-cLAIM-sCHOOLS", "X_Claim_Schools", "X-Original-URL"] {
        let request = format!("GET /open/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{name}: {EVIL}\r\n\r\n");
        assert_eq!(raw::request(gateway.address(), request.as_bytes()).0, Some(200));
        expect_clean(&upstream.last(), name);
    }
}

#[test]
fn forbidden_trailers_are_stripped() {
    let (upstream, gateway) = start(open_and_guarded());
    let before = vms(&gateway);
    let valid = token().sign();
    let trailers = [
        ("x-claim-schools", EVIL),
        ("x-claim-schools", EVIL),
        ("x_claim_schools", EVIL),
        ("x-claim-tier", EVIL),
        ("x.claim.client.id", EVIL),
        ("x-original-url", EVIL),
        // What the head was judged by.
        ("authorization", EVIL),
        ("x-request-id", EVIL),
        ("x-school-id", EVIL),
        ("x-end", "harmless"),
    ];

    for client in clients(&gateway) {
        for path in ["/open/a", "/a"] {
            for pieces in [vec![Bytes::from("ab"), Bytes::from("cd")], Vec::new()] {
                let body = pieces.concat();
                client.request("POST", path).bearer(&valid).pieces(pieces, &trailers).send().expect_status(200);
                let seen = upstream.last();
                expect_clean(&seen, path);
                assert_eq!(seen.body, body);
                assert_eq!(seen.trailers.expect("trailers")["x-end"], "harmless");
            }
        }
        // Nothing but forbidden ones.
        client
            .request("POST", "/a")
            .bearer(&valid)
            .pieces(vec![Bytes::from("a")], &trailers[..9])
            .send()
            .expect_status(200);
        expect_clean(&upstream.last(), "trailers alone");
        // A refused request is refused, trailers or not.
        let heads = upstream.heads();
        client.request("POST", "/a").pieces(vec![Bytes::from("a")], &trailers).send().expect_status(401);
        client.request("POST", "/a").pieces(Vec::new(), &trailers).send().expect_status(401);
        assert_eq!(upstream.heads(), heads);
    }
    expect_no_trap(&gateway, before);
}

#[test]
fn renamed_headers_are_stripped_under_both_names() {
    let mut config = open_and_guarded();
    config["forward"] = json!({"schools": "x-my-schools", "tier": "My-Tier", "client": "x.caller"});
    config["settlement_header"] = json!("x-actual-cost");
    let (upstream, gateway) = start(config);
    let names = [
        "x-my-schools",
        "x_my_schools",
        "my-tier",
        "my_tier",
        "x.caller",
        "x-caller",
        "x_caller",
        "x-actual-cost",
        "x_actual_cost",
        "x-claim-schools",
        "x_claim_schools",
        "x-claim-tier",
        "x-claim-client-id",
    ];

    for client in clients(&gateway) {
        for path in ["/open/a", "/a"] {
            let request = names.iter().fold(client.get(path), |request, name| request.header(name, EVIL));
            request.bearer(token().sign()).send().expect_status(200);
            expect_clean(&upstream.last(), path);
        }
        let seen = upstream.last();
        assert_eq!(seen.headers("x-my-schools"), ["oakwood-primary,ravenscroft-high"]);
        assert_eq!(seen.headers("my-tier"), ["standard"]);
        assert_eq!(seen.headers("x.caller"), ["YOUR_CLIENT_ID"]);
        assert!(seen.headers("x-claim-schools").is_empty());
    }
}

#[test]
fn forwarded_headers_are_exact() {
    let schools = json!(["oakwood-primary", "a;b", "x'y", "ravenscroft-high"]);
    for (format, authorization, expected) in [
        ("comma", true, "oakwood-primary,a;b,x'y,ravenscroft-high"),
        ("json", false, r#"["oakwood-primary","a;b","x'y","ravenscroft-high"]"#),
    ] {
        let mut config = open_and_guarded();
        config["forward"] = json!({"schools_format": format, "authorization": authorization});
        let (upstream, gateway) = start(config);
        let signed = token().claim("schools", schools.clone()).claim("client_id", "an:app/1").sign();
        for client in clients(&gateway) {
            client.get("/a?b=c").bearer(&signed).header("x-own", "1").send().expect_status(200);
            let seen = upstream.last();
            assert_eq!(seen.target, "/a?b=c");
            assert_eq!(seen.headers("x-claim-schools"), [expected]);
            assert_eq!(seen.headers("x-claim-tier"), ["standard"]);
            assert_eq!(seen.headers("x-claim-client-id"), ["an:app/1"]);
            assert_eq!(seen.headers("x-own"), ["1"]);
            let kept = if authorization { vec![format!("Bearer {signed}")] } else { Vec::new() };
            assert_eq!(seen.headers("authorization"), kept);
            // An open route tells nothing and keeps what is not the filter's.
            client.get("/open/a").header("authorization", "Basic YTpi").send().expect_status(200);
            let seen = upstream.last();
            assert!(seen.headers.keys().all(|name| !name.as_str().starts_with("x-claim")), "{seen:?}");
            assert_eq!(seen.headers("authorization"), ["Basic YTpi"]);
        }
        let none = token().claim("schools", json!([])).sign();
        gateway.get("/a").bearer(none).send().expect_status(200);
        assert_eq!(upstream.last().headers("x-claim-schools"), [if format == "json" { "[]" } else { "" }]);
    }
}

#[test]
fn settlement_header_never_reaches_the_client() {
    let upstream = Upstream::answering(|_| {
        Answer::new(200).header("x-actual-cost", "1").header("x-actual-cost", "2").header("x-own", "1").body("a")
    });
    let mut config = open_and_guarded();
    config["settlement_header"] = json!("X-Actual-Cost");
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).start();

    for client in clients(&gateway) {
        for path in ["/open/a", "/a"] {
            let response = client.get(path).bearer(token().sign()).send();
            response.expect_status(200);
            assert_eq!(response.headers("x-actual-cost"), [""; 0]);
            assert_eq!(response.headers("x-own"), ["1"]);
        }
    }
}

/// A gateway that lets Envoy upgrade to WebSocket; `/ws` allows it, `/a` does not, `/open-ws` needs no token.
fn upgrading() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = config(&json!([
        {"match": {"path": "/ws"}, "upgrades": true},
        {"match": {"path": "/open-ws"}, "upgrades": true, "require": []},
        {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
        {"match": {"path": "/"}},
    ]));
    let gateway = Gateway::builder()
        .config(config)
        .upstream(upstream.port())
        .edit_connection_manager(|manager| {
            manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}, {"upgrade_type": "CONNECT"}]);
            let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
            routes.insert(0, json!({"match": {"connect_matcher": {}}, "route": {"cluster": "upstream"}}));
        })
        .start();
    (upstream, gateway)
}

fn upgrade(gateway: &Gateway, path: &str, connection: &str, token: &str) -> Option<u16> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: {connection}\r\n\
         authorization: Bearer {token}\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    let answer = raw::exchange(gateway.address(), request.as_bytes(), false, std::time::Duration::from_secs(1));
    String::from_utf8_lossy(&answer).get(9..12)?.parse().ok()
}

#[test]
fn upgrades_pass_only_where_allowed_and_connect_nowhere() {
    let (upstream, gateway) = upgrading();
    check_upgrades(&upstream, &gateway);
    check_connect(&upstream, &gateway);
}

#[track_caller]
fn check_upgrades(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let before = vms(gateway);
    let valid = token().sign();

    for path in ["/a", "/open/a"] {
        assert_eq!(upgrade(gateway, path, "upgrade", &valid), Some(403), "{path}");
        assert_eq!(upgrade(gateway, path, "upgrade, x-claim-schools", &valid), Some(403), "{path}");
    }
    assert_eq!(upgrade(gateway, "/ws", "upgrade", "x"), Some(401));
    assert_eq!(upstream.heads(), 0);
    for connection in [
        "upgrade",
        "Upgrade",
        "upgrade, x-claim-schools",
        "x-claim-schools, upgrade, authorization",
        "keep-alive, Upgrade",
    ] {
        upstream.forget();
        // The upstream of the test does not switch protocols; what matters is what it was asked.
        let _ = upgrade(gateway, "/ws", connection, &valid);
        wait_for("the upgrade at the upstream", DEADLINE, || (upstream.heads() > 0).then_some(()));
        let seen = upstream.wait_for(1).pop().unwrap();
        let options = seen.headers("connection").join(",").to_ascii_lowercase();
        assert_eq!(options, "upgrade", "{connection}: {seen:?}");
        assert_eq!(seen.headers("x-claim-schools"), ["oakwood-primary,ravenscroft-high"], "{connection}");
    }
    expect_no_trap(gateway, before);
}

#[track_caller]
fn check_connect(upstream: &Upstream, gateway: &Gateway) {
    upstream.forget();
    let before = vms(gateway);
    let bearer = token().sign();

    for request in [
        "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n".to_owned(),
        format!("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\nauthorization: Bearer {bearer}\r\n\r\n"),
    ] {
        let answer = raw::exchange(gateway.address(), request.as_bytes(), false, std::time::Duration::from_secs(1));
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(text.starts_with("HTTP/1.1 4"), "{text}");
    }
    assert_eq!(upstream.heads(), 0);
    expect_no_trap(gateway, before);
}

#[test]
fn nominated_headers_do_not_take_claims_along() {
    let (upstream, gateway) = start(open_and_guarded());
    let before = vms(&gateway);
    let send = |connection: &str| {
        let request = format!(
            "GET /a HTTP/1.1\r\nhost: a\r\nconnection: close, {connection}\r\nauthorization: Bearer {}\r\n\r\n",
            token().sign()
        );
        raw::request(gateway.address(), request.as_bytes()).0
    };

    for connection in ["x-claim-schools", "x-claim-schools, x-claim-tier", "X-Claim-Client-Id", "x-request-id"] {
        upstream.forget();
        // Passed with every claim, or refused.
        match send(connection) {
            Some(200) => {
                let seen = upstream.last();
                assert_eq!(seen.headers("x-claim-schools"), ["oakwood-primary,ravenscroft-high"], "{connection}");
                assert_eq!(seen.headers("x-claim-tier"), ["standard"], "{connection}");
                assert_eq!(seen.headers("x-claim-client-id"), ["YOUR_CLIENT_ID"], "{connection}");
                assert!(seen.headers("connection").join(",").is_empty(), "{seen:?}");
            }
            status => {
                assert!(status.is_some_and(|status| (400..500).contains(&status)), "{connection}: {status:?}");
                assert_eq!(upstream.heads(), 0);
            }
        }
    }
    // Envoy deletes what is nominated: without its credential the request has none.
    upstream.forget();
    assert_eq!(send("authorization"), Some(401));
    assert_eq!(upstream.heads(), 0);
    expect_no_trap(&gateway, before);
}
