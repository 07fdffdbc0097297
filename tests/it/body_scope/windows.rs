//! Bodies over HTTP/2 that are held: Envoy holds as much of a stream as its window, whatever the connection may buffer.

use std::time::Duration;

use serde_json::json;

use crate::support::process::root;
use crate::support::sample::{key_server, key_set, remote_config, token};
use crate::support::tokens::jwks;
use crate::support::{Answer, Gateway, Key, Upstream, wait_until};

/// What the bootstraps set.
const WINDOW: usize = 1_048_576;
/// The smallest window, which was theirs before.
const SMALL: usize = 65_536;

/// The status of a POST of this length over HTTP/2 that must wait for new keys.
fn status(window: usize, length: usize) -> u16 {
    let (keys, upstream) = (key_server(), Upstream::start());
    let config = remote_config(&json!({"timeout": "5s"}));
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port());
    let gateway = gateway.edit_connection_manager(move |manager| {
        manager["http2_protocol_options"] = json!({"initial_stream_window_size": window});
    });
    let gateway = gateway.start();
    wait_until("the first keys", || gateway.get("/a").bearer(token("a").sign()).send().status == 200);
    // Keys rotate, and the body is here before the new ones are.
    let both = jwks(&[Key::P256No1.named("k"), Key::P256No1.named("new")]);
    keys.answer(Answer::json(&both).after(Duration::from_millis(800)));
    assert_ne!(both, key_set());
    let request = gateway.client().http2().request("POST", "/a").body(vec![b'x'; length]);
    let response = request.bearer(token("a").header("kid", "new").sign()).send();
    if response.status == 200 {
        assert_eq!(upstream.last().body.len(), length);
    }
    response.status
}

#[test]
fn held_body_over_http2_is_bounded_by_the_window_of_its_stream() {
    assert_eq!(status(SMALL, SMALL - 1_024), 200);
    assert_eq!(status(SMALL, SMALL * 3), 413);
    assert_eq!(status(WINDOW, SMALL * 3), 200);
    assert_eq!(status(WINDOW, WINDOW - 1_024), 200);
}

#[test]
fn bootstraps_let_a_stream_hold_what_the_connection_may() {
    for name in ["education-data-platform", "student-data-api", "district-tokens"] {
        let text =
            std::fs::read_to_string(root().join(format!("envoy/{name}.yaml"))).expect("the bootstrap can be read");
        let number = |field: &str| -> Option<usize> {
            let (_, rest) = text.split_once(&format!(" {field}: "))?;
            rest.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
        };
        assert_eq!(number("initial_stream_window_size"), Some(WINDOW), "{name}");
        assert_eq!(number("per_connection_buffer_limit_bytes"), Some(WINDOW), "{name}");
        assert!(number("max_bytes").unwrap_or_default() <= WINDOW, "{name}");
    }
}
