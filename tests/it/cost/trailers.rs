//! The actual cost in trailers of a response: the client never sees it, and it settles nothing.

use http::Version;
use serde_json::{Value, json};

use crate::support::policy::{expect_no_trap, open_and_guarded, token, vms};
use crate::support::sample::NEVER;
use crate::support::{Answer, Gateway, Response, Upstream};

const COST: &str = "x-actual-cost";

/// Every request to `/a` costs five of fourteen.
fn config() -> Value {
    let mut config = open_and_guarded();
    config["settlement_header"] = json!("X-Actual-Cost");
    config["routes"][2]["cost"] = json!(5);
    config["tiers"]["standard"]["limits"] = json!([{"name": "cost", "cost": 14, "per": NEVER}]);
    config
}

/// A gateway that speaks HTTP/2 with its upstream, as with one of gRPC, where a request asks for it with `x-over: http2`.
fn start(upstream: &Upstream) -> Gateway {
    let gateway = Gateway::builder().config(config()).upstream(upstream.port()).edit(|bootstrap| {
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
        let mut cluster = clusters[0].clone();
        cluster["name"] = json!("upstream-http2");
        let options = &mut cluster["typed_extension_protocol_options"];
        options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["explicit_http_config"] =
            json!({"http2_protocol_options": {}});
        clusters.push(cluster);
    });
    let gateway = gateway.edit_connection_manager(|manager| {
        let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap();
        let over = json!([{"name": "x-over", "string_match": {"exact": "http2"}}]);
        let matches = json!({"prefix": "/", "headers": over});
        routes.insert(0, json!({"match": matches, "route": {"cluster": "upstream-http2"}}));
    });
    gateway.start()
}

#[test]
fn cost_in_trailers_never_reaches_the_client_and_settles_nothing() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    let before = vms(&gateway);
    for (over, version) in [("http1", Version::HTTP_11), ("http2", Version::HTTP_2)] {
        check(&gateway, &upstream, over);
        assert_eq!(upstream.last().version, version);
    }
    upstream.answer(|_| Answer::new(200));
    expect_no_trap(&gateway, before);
}

#[track_caller]
fn check(gateway: &Gateway, upstream: &Upstream, over: &str) {
    // the budget of a client of its own
    let fresh = || token().claim("client_id", rand::random::<u64>().to_string()).sign();
    let costly = || Answer::new(200).body("answer").trailer(COST, "1").trailer(COST, "2");
    let named = |answer: Answer| answer.header("trailer", "grpc-status, x-actual-cost");
    // with others, as gRPC has them; alone; and without it, which is the twin
    let with_others = move || named(costly().trailer("grpc-status", "0").trailer("grpc-message", ""));
    let alone = move || named(costly());
    let without = move || named(Answer::new(200).body("answer").trailer("grpc-status", "0"));
    for client in [*gateway.client(), gateway.client().http2()] {
        let send = |path: &str| {
            let request = client.get(path).header("te", "trailers").header("x-over", over).bearer(fresh());
            let response = request.send();
            response.expect_status(200);
            assert_eq!(response.body, "answer", "{path}");
            assert_eq!(response.headers(COST), [""; 0]);
            response
        };
        let trailers = |response: &Response, name: &str| -> Vec<String> {
            let all = response.trailers.iter().flat_map(|map| map.get_all(name));
            all.map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        for path in ["/open/a", "/a"] {
            upstream.answer(move |_| with_others());
            let response = send(path);
            assert_eq!(trailers(&response, COST), [""; 0], "{path}, {over}");
            // HTTP/1.1 names its trailers beforehand, or has none
            assert_eq!(trailers(&response, "grpc-status"), ["0"], "{response:?}");

            upstream.answer(move |_| alone());
            assert_eq!(trailers(&send(path), COST), [""; 0]);

            upstream.answer(move |_| without());
            assert_eq!(trailers(&send(path), "grpc-status"), ["0"]);
        }
        // Trailers settle nothing, a head does.
        let passes = || {
            let token = fresh();
            (0..12).take_while(|_| client.get("/a").header("x-over", over).bearer(&token).send().status == 200).count()
        };
        upstream.answer(move |_| with_others());
        assert_eq!(passes(), 2, "five of fourteen each");
        upstream.answer(|_| Answer::new(200).header(COST, "1").body("answer"));
        assert_eq!(passes(), 10, "one of fourteen each, and five must be left");
    }
}
