//! What programs read of a refusal: `RateLimit` fields that agree with `Retry-After`, gRPC statuses, proxies that retry.

use serde_json::{Value, json};

use crate::support::client::{Client, Response};
use crate::support::sample::{NEVER, config, token, total};
use crate::support::{Answer, Gateway, Upstream, wait_until};

/// A minute of 60 requests and 10 units of cost; a request costs what its parameter says.
fn costly() -> Value {
    let minute = json!({"name": "minute", "requests": 60, "per": "1m"});
    let cost = json!({"name": "cost", "cost": 10, "per": "1m"});
    let mut config = config(&json!([minute, cost]));
    config["routes"][0]["cost"] = json!({"times": {"query": "limit", "default": 1}});
    config
}

fn start(config: Value) -> (Gateway, Upstream) {
    let upstream = Upstream::start();
    (Gateway::builder().config(config).upstream(upstream.port()).start(), upstream)
}

/// `Retry-After` of a 429.
#[track_caller]
fn wait(response: &Response) -> u64 {
    response.expect_status(429).header("retry-after").expect("Retry-After").parse().expect("seconds")
}

#[test]
fn refusal_by_cost_shows_no_room_of_another_limit() {
    for mode in ["draft-11", "x-ratelimit"] {
        let mut config = costly();
        config["rate_limit_headers"] = json!(mode);
        let (gateway, _upstream) = start(config);
        let token = token("a").sign();
        let ask = || gateway.get("/a?limit=5").bearer(&token).send();
        for _ in 0..2 {
            ask().expect_status(200);
        }

        let refused = ask();

        let wait = wait(&refused);
        assert!((20..=30).contains(&wait), "{refused:?}");
        if mode == "draft-11" {
            assert_eq!(refused.header("ratelimit-policy").unwrap(), r#""cost";q=10;w=60;qu="cost""#);
            assert_eq!(refused.header("ratelimit").unwrap(), format!(r#""cost";r=0;t={wait}"#));
        } else {
            assert_eq!(refused.header("x-ratelimit-limit"), None);
            assert_eq!(refused.header("x-ratelimit-remaining").unwrap(), "0");
            assert_eq!(refused.header("x-ratelimit-reset").unwrap(), wait.to_string());
        }
    }
}

#[test]
fn refusal_by_two_limits_tells_the_one_that_binds_longest() {
    let limits = json!([{"name": "quick", "requests": 1, "per": "1m"}, {"name": "slow", "requests": 1, "per": "1h"}]);
    for mode in ["draft-11", "x-ratelimit"] {
        let mut config = config(&limits);
        config["rate_limit_headers"] = json!(mode);
        let (gateway, _upstream) = start(config);
        let token = token("a").sign();
        gateway.get("/a").bearer(&token).send().expect_status(200);

        let refused = gateway.get("/a").bearer(&token).send();

        let wait = wait(&refused);
        if mode == "draft-11" {
            let state = refused.header("ratelimit").unwrap();
            assert!(state.starts_with(&format!(r#""slow";r=0;t={wait}, "quick";r=0;t="#)), "{state}");
        } else {
            assert_eq!(refused.header("x-ratelimit-remaining").unwrap(), "0");
            assert_eq!(refused.header("x-ratelimit-reset").unwrap(), wait.to_string());
        }
    }
}

#[test]
fn refusal_by_the_address_shows_its_limit() {
    let mut config = costly();
    config["routes"][0]["address_limits"] = json!([{"name": "address", "requests": 1, "per": "1m"}]);
    let (gateway, _upstream) = start(config);
    let token = token("a").sign();
    gateway.get("/a").bearer(&token).send().expect_status(200);

    let refused = gateway.get("/a").bearer(&token).send();

    let expected = format!(r#""address";r=0;t={}"#, wait(&refused));
    assert_eq!(refused.header("ratelimit").unwrap(), expected);
}

#[test]
fn refusal_by_the_cost_of_a_body_shows_its_limit() {
    let mut config = costly();
    config["routes"][0]["cost"] = json!({"times": {"body": "/limit", "default": 1}});
    config["routes"][0]["body"] = json!({"max_bytes": 1000});
    config["routes"][0]["match"]["methods"] = json!(["POST"]);
    let (gateway, _upstream) = start(config);
    let token = token("a").sign();
    let ask = || gateway.request("POST", "/a").bearer(&token).json(&json!({"limit": 8})).send();
    ask().expect_status(200);

    let refused = ask();

    let expected = format!(r#""cost";r=0;t={}"#, wait(&refused));
    assert_eq!(refused.header("ratelimit").unwrap(), expected);
}

/// The answer to a gRPC call over HTTP/2 with an empty message.
fn call(client: Client, media: &str, path: &str, token: Option<&str>) -> Response {
    let request = client.request("POST", path).header("content-type", media).header("te", "trailers");
    let request = token.into_iter().fold(request, |request, token| request.bearer(token));
    request.body(&b"\0\0\0\0\0"[..]).send()
}

/// Status and message of an answer to gRPC.
#[track_caller]
fn check_grpc(response: &Response, status: &str, message: &str) {
    assert_eq!(response.expect_status(200).header("grpc-status").as_deref(), Some(status), "{response:?}");
    let found = response.header("grpc-message").unwrap_or_default();
    assert!(found.starts_with(message) && !found.ends_with("%0A") && !found.contains('{'), "{found}");
}

#[test]
fn grpc_calls_get_a_status_that_says_whether_to_retry() {
    for errors in ["problem-json", "plain"] {
        let mut config = config(&json!([total("all", 1)]));
        config["errors"] = json!(errors);
        config["tiers"]["standard"]["max_cost"] = json!(5);
        let costly = json!({"match": {"path": "/costly.Service/Call"}, "cost": 9});
        config["routes"] = json!([costly, {"match": {"path": "/school.Service/"}}]);
        let (gateway, upstream) = start(config);
        let token = token("a").sign();
        let unknown_tier = crate::support::sample::token("a").claim("tier", "gold").sign();
        let client = gateway.client().http2();
        let call = |path, token| call(client, "application/grpc", path, token);
        let path = "/school.Service/List";

        check_grpc(&call(path, None), "16", "token-missing: ");
        check_grpc(&call(path, Some("bad")), "16", "token-invalid: ");
        check_grpc(&call(path, Some(&unknown_tier)), "7", "tier-unknown: ");
        check_grpc(&call("/other.Service/List", Some(&token)), "12", "no-route: ");
        check_grpc(&call("/costly.Service/Call", Some(&token)), "8", "too-costly: ");
        call(path, Some(&token)).expect_status(200);
        let limited = call(path, Some(&token));
        check_grpc(&limited, "8", "limit-reached: ");
        assert!(limited.header("retry-after").is_some(), "{limited:?}");
        assert_eq!(upstream.seen().len(), 1);
    }
}

#[test]
fn grpc_web_gets_the_same_where_its_filter_stands_first() {
    let (upstream, limits) = (Upstream::start(), json!([total("all", 1)]));
    let gateway = Gateway::builder()
        .config(config(&limits))
        .upstream(upstream.port())
        .edit_connection_manager(|manager| {
            let filter = json!({
                "name": "envoy.filters.http.grpc_web",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"},
            });
            manager["http_filters"].as_array_mut().unwrap().insert(0, filter);
        })
        .start();
    let token = token("a").sign();
    let media = "application/grpc-web+proto";
    call(*gateway.client(), media, "/a", Some(&token)).expect_status(200);

    let limited = call(*gateway.client(), media, "/a", Some(&token));

    check_grpc(&limited, "8", "limit-reached: ");
    assert!(limited.header("content-type").unwrap().starts_with("application/grpc-web"), "{limited:?}");
}

#[test]
fn envoy_in_front_does_not_retry_what_a_limit_refused() {
    let front = |port: u16| {
        Gateway::builder()
            .without_filter()
            .upstream(port)
            .edit_connection_manager(|manager| {
                manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["retry_policy"] = json!({
                    "retry_on": "retriable-status-codes", "retriable_status_codes": [429], "num_retries": 3,
                    "retry_back_off": {"base_interval": "0.01s"}
                });
            })
            .start()
    };
    let mut config = config(&json!([{"name": "all", "requests": 1, "per": NEVER}]));
    config["tiers"]["standard"]["max_cost"] = json!(5);
    config["routes"][0]["cost"] = json!({"times": {"query": "limit", "default": 1}});
    let (guarded, _upstream) = start(config);
    let token = token("a").sign();
    guarded.get("/a").bearer(&token).send().expect_status(200);
    let outer = front(guarded.address().port());

    for path in ["/a", "/a?limit=9"] {
        let refused = outer.get(path).bearer(&token).send();
        assert_eq!(refused.expect_status(429).header("x-envoy-ratelimited").as_deref(), Some("true"));
    }
    wait_until("the access log", || guarded.access_log().len() >= 3);
    assert_eq!(guarded.access_log().len(), 3, "one each");

    // A server without the header is asked again.
    let server = Upstream::start();
    server.answer(|_| Answer::new(429));
    front(server.port()).get("/a").send().expect_status(429);
    assert_eq!(server.heads(), 4);
}
