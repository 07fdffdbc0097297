//! Requests that wait for keys: nothing reaches the upstream before the verdict, and then the request passes whole.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use crate::support::policy::{expect_no_trap, expect_problem, open_and_guarded, vms};
use crate::support::tokens::jwks;
use crate::support::{Answer, Client, Gateway, Key, KeyServer, Response, Token, Upstream, wait_until};

/// How long the server of the keys takes.
const SLOW: Duration = Duration::from_millis(800);

struct Held {
    keys: KeyServer,
    upstream: Upstream,
    gateway: Gateway,
}

impl Held {
    /// A gateway that has keys, but not those that tokens will name.
    fn start() -> Self {
        let keys = KeyServer::start(&jwks(&[Key::P256No1.named("k")]));
        let upstream = Upstream::start();
        let mut config = open_and_guarded();
        config["issuers"][0]["jwks"] = json!({"remote": {
            "uri": "https://auth.example.com/jwks", "cluster": "auth", "timeout": "5s", "cooldown": "100ms",
        }});
        let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(keys.port()).start();
        gateway.get("/a").bearer(Token::education(Key::P256No1, "k").sign()).send().expect_status(200);
        Self { keys, upstream, gateway }
    }

    fn client(&self, http2: bool) -> Client {
        if http2 { self.gateway.client().http2() } else { *self.gateway.client() }
    }

    /// A token that names the key `kid`, which comes after [`SLOW`] or, if not `known`, never.
    fn token(&self, kid: &str, known: bool) -> String {
        let mut set = vec![Key::P256No1.named("k")];
        set.extend(known.then(|| Key::P256No2.named(kid)));
        self.keys.answer(Answer::json(&jwks(&set)).after(SLOW));
        Token::education(Key::P256No2, kid).sign()
    }

    /// Sends a body with trailers and checks that the upstream sees nothing until the keys are there.
    fn post(&self, client: Client, token: &str, pieces: Vec<Bytes>, trailers: &[(&str, &str)]) -> Response {
        self.upstream.forget();
        let asked = self.keys.count();
        // The keys cannot be there before this and the time that their server takes.
        let sent = Instant::now();
        let request = client.request("POST", "/a").bearer(token).pieces(pieces, trailers).spawn();
        loop {
            let is_early = self.upstream.heads() > 0 || request.is_finished();
            if sent.elapsed() >= SLOW {
                break;
            }
            assert!(!is_early, "something went upstream, or came back, before the keys");
            std::thread::sleep(Duration::from_millis(10));
        }
        wait_until("the fetch of the keys", || self.keys.count() > asked);
        crate::support::RUNTIME.block_on(request).expect("the task ends").expect("an answer")
    }
}

const TRAILERS: [(&str, &str); 3] = [("x-end", "1"), ("x-claim-schools", "evil"), ("x_claim_tier", "evil")];

#[test]
fn held_request_passes_whole_once_the_keys_are_there() {
    let held = Held::start();
    let before = vms(&held.gateway);
    for http2 in [false, true] {
        for (nth, (pieces, trailers)) in [
            (vec!["ab", "cd", ""], &TRAILERS[..]),
            (vec!["ab", "cd"], &[]),
            (Vec::new(), &TRAILERS[..]),
            (Vec::new(), &[]),
        ]
        .into_iter()
        .enumerate()
        {
            let token = held.token(&format!("new-{http2}-{nth}"), true);
            let body = pieces.concat();
            let pieces = pieces.into_iter().map(Bytes::from).collect();
            held.post(held.client(http2), &token, pieces, trailers).expect_status(200);
            let seen = held.upstream.wait_for(1).pop().unwrap();
            assert_eq!(seen.body, body);
            let seen_trailers = seen.trailers.clone().unwrap_or_default();
            assert_eq!(seen_trailers.len(), usize::from(!trailers.is_empty()), "{seen:?}");
            assert_eq!(seen.headers("x-claim-schools"), ["oakwood-primary,ravenscroft-high"]);
            assert_eq!(held.upstream.heads(), 1);
        }
    }
    expect_no_trap(&held.gateway, before);
}

#[test]
fn held_request_is_refused_when_the_keys_lack_its_own() {
    let held = Held::start();
    let before = vms(&held.gateway);
    for http2 in [false, true] {
        let token = held.token("new", false);
        let pieces = vec![Bytes::from("ab"), Bytes::from("cd")];
        let response = held.post(held.client(http2), &token, pieces, &TRAILERS);
        expect_problem(&response, 401, "token-invalid");
        assert_eq!(held.upstream.heads(), 0);
    }
    expect_no_trap(&held.gateway, before);
}

#[test]
fn held_request_with_a_large_body_ends_with_one_answer() {
    let held = Held::start();
    let before = vms(&held.gateway);
    for http2 in [false, true] {
        held.upstream.forget();
        // More than the buffer of the connection, 1 MiB: Envoy answers 413, or holds the client back.
        let pieces = vec![Bytes::from(vec![b'a'; 65_536]); 48];
        let token = held.token(&format!("new-{http2}"), true);
        let request = held.client(http2).request("POST", "/a").bearer(token).pieces(pieces, &[("x-end", "1")]);
        match request.try_send() {
            Ok(response) if response.status == 200 => {
                assert_eq!(held.upstream.wait_for(1)[0].body.len(), 48 * 65_536);
            }
            Ok(response) => {
                response.expect_status(413);
                assert_eq!(held.upstream.heads(), 0);
            }
            // Envoy may close before the client has sent all.
            Err(error) => {
                assert!(!error.contains("within"), "it hangs: {error}");
                assert_eq!(held.upstream.heads(), 0);
            }
        }
    }
    expect_no_trap(&held.gateway, before);
}
