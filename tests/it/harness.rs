//! The harness itself: a request passes through a real Envoy, and what the upstream saw can be looked at.

use std::path::Path;

use bytes::Bytes;
use serde_json::json;

use crate::support::tokens::jwks;
use crate::support::{Gateway, Key, KeyServer, Token, Upstream, bootstrap, raw, wait_until};

#[test]
fn request_passes_through_envoy() {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().without_filter().upstream(upstream.port()).concurrency(2).start();

    let response = gateway.get("/a?b=c").header("x-raw", b"\xff").send();

    response.expect_status(200);
    assert_eq!(response.text(), "upstream");
    assert!(response.header("x-request-id").is_some());
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/a?b=c"));
    assert_eq!(seen.headers["x-raw"].as_bytes(), b"\xff");
    assert_eq!(seen.header("x-request-id"), response.header("x-request-id"));
    assert!(gateway.metric("envoy_http_downstream_rq_completed", &[("envoy_http_conn_manager_prefix", "main")]) >= 1.0);
    wait_until("the access log", || gateway.access_log().iter().any(|line| line["status"] == 200));
}

#[test]
fn bodies_and_trailers_pass_through_envoy() {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().without_filter().upstream(upstream.port()).start();
    let pieces = || vec![Bytes::from("ab"), Bytes::from("cd")];

    for client in [*gateway.client(), gateway.client().http2()] {
        client.request("POST", "/").pieces(pieces(), &[("x-end", "1")]).send().expect_status(200);
        let seen = upstream.last();
        assert_eq!(seen.body, "abcd");
        assert_eq!(seen.trailers.expect("trailers")["x-end"], "1");
    }
}

#[test]
fn raw_bytes_reach_envoy_as_they_are() {
    let upstream = Upstream::start();
    let gateway = Gateway::builder().without_filter().upstream(upstream.port()).start();

    let (status, _) = raw::request(gateway.address(), b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert_eq!(status, Some(200));
    let (status, _) = raw::request(gateway.address(), b"GET / HTTP/1.1\r\nhost: a\r\nb\0: c\r\n\r\n");
    assert_eq!(status, Some(400));
}

#[test]
fn invalid_bootstrap_is_reported_with_the_log_of_envoy() {
    let spoilt = || Gateway::builder().without_filter().edit(|bootstrap| bootstrap["no_such_field"] = json!(1));

    let refused = spoilt().try_start().expect_err("Envoy refuses an unknown field");
    assert!(refused.log.contains("no_such_field"), "{}", refused.log);
    assert!(spoilt().validate().is_err());
    Gateway::builder().without_filter().validate().expect("the twin is valid");
}

#[test]
fn minted_tokens_verify_against_their_key_set() {
    for key in [Key::Rsa1, Key::P256No1, Key::Ed25519No1, Key::Secret(b"a secret of this test")] {
        let jwk = serde_json::from_value(key.named("k")).expect("a JWK");
        let decoding = jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a key");
        let mut validation = jsonwebtoken::Validation::new(key.algorithm());
        validation.set_required_spec_claims(&["exp"]);
        let check = |token: &str| jsonwebtoken::decode::<serde_json::Value>(token, &decoding, &validation);

        let token = Token::education(key, "k");
        check(&token.sign()).expect("a valid token");
        check(&token.forged_with(Key::Rsa2).sign()).expect_err("a forged token");
    }
}

#[test]
fn key_server_serves_and_counts() {
    let keys = KeyServer::start(&jwks(&[Key::Rsa1.named("k")]));
    let gateway = Gateway::builder().without_filter().upstream(keys.port()).start();

    assert_eq!(gateway.get("/jwks").send().json()["keys"][0]["kid"], "k");
    assert_eq!(keys.count(), 1);
}

#[test]
fn ports_and_the_filter_of_a_bootstrap_file_are_replaced() {
    let file = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}\n\
                api: {address: a, port_value: 9200}\n\
                code: {local: {filename: target/hallpass.wasm}}\n";

    let texts = [("address: a,".to_owned(), "address: b,".to_owned())];
    let made = bootstrap::from_file(file, Path::new("/x/y.wasm"), &[(9200, 7)], &texts);

    let expected = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n\
                    api: {address: b, port_value: 7}\n\
                    code: {local: {filename: \"/x/y.wasm\"}}\n";
    assert_eq!(made, expected);
}
