//! Bodies of requests that wait for keys or lists: they may end meanwhile, and are judged all the same.

use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::body_scope::{ACME, GRANTED, Student, api_key, config, token};
use crate::support::tokens::jwks;
use crate::support::{Answer, Gateway, Key, RUNTIME, Response, Token, Upstream, wait_until};

/// A server of one document, which says nothing until the test lets it.
struct Gated {
    server: Upstream,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn start(document: &Value) -> Self {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let (answer, held) = (Answer::json(document), Arc::clone(&gate));
        let server = Upstream::answering(move |_| {
            tokio::task::block_in_place(|| {
                let (is_open, opened) = &*held;
                drop(opened.wait_while(is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
            });
            answer.clone()
        });
        Self { server, gate }
    }

    fn open(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        // A thread that waits would keep the process.
        self.open();
    }
}

/// What it is, its pieces, its trailers, and the status that must come of it.
type Case = (&'static str, Vec<&'static str>, &'static [(&'static str, &'static str)], u16);

/// Bodies that are granted and others, with an ending of each kind.
fn cases() -> Vec<Case> {
    const TRAILERS: &[(&str, &str)] = &[("x-end", "1"), ("x-claim-districts", "9")];
    vec![
        ("granted, by an empty frame", vec![r#"{"districtlea":"#, r#""1503000"}"#], &[], 200),
        ("granted, by trailers", vec![r#"{"districtlea":"#, r#""1503000"}"#], TRAILERS, 200),
        ("out of scope, by an empty frame", vec![r#"{"districtlea":"9"}"#], &[], 403),
        ("out of scope, by trailers", vec![r#"{"districtlea":"9"}"#], TRAILERS, 403),
        ("malformed", vec![GRANTED, GRANTED], &[], 400),
        ("empty", vec![], &[], 400),
        ("trailers alone", vec![], TRAILERS, 400),
        ("over the cap", vec![GRANTED, "                                                                "], &[], 413),
        ("over the cap, with trailers", vec![GRANTED, "                                        "], TRAILERS, 413),
    ]
}

/// Sends every case at once while there are no keys, and checks that nothing reaches the upstream before they are there.
fn check_waiting(student: &Student, lists: &Gated, token: &Token) {
    let token = token.sign();
    let mut answers = Vec::new();
    for http2 in [false, true] {
        for (what, pieces, trailers, status) in cases() {
            let pieces: Vec<Bytes> = pieces.into_iter().map(Bytes::from).collect();
            let body = pieces.concat();
            let request = student.client(http2).request("POST", "/small").bearer(&token).header("x-api-key", ACME);
            let request = request.header("content-type", "application/json").header("x-case", what);
            answers.push((what, body, status, request.pieces(pieces, trailers).spawn()));
        }
    }
    let count = u64::try_from(answers.len()).unwrap();
    wait_until("all requests at Envoy", || student.stat("http.main.downstream_rq_active") == count);
    student.expect_nothing_else_upstream();
    assert!(answers.iter().all(|(.., answer)| !answer.is_finished()), "something came back before the keys");
    lists.open();
    let mut passed = 0;
    for (what, body, status, answer) in answers {
        let response: Response = RUNTIME.block_on(answer).unwrap().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(response.status, status, "{what}: {response:?}");
        let seen = student.upstream.seen();
        let mut bodies =
            seen.iter().filter(|seen| seen.header("x-case").as_deref() == Some(what)).map(|seen| &seen.body);
        passed += usize::from(status == 200);
        assert_eq!(bodies.next().is_some(), status == 200, "{what}");
        assert!(bodies.all(|seen| *seen == body), "{what}");
    }
    assert_eq!(student.upstream.heads(), passed);
    student.expect_no_trap();
}

fn remote(path: &str) -> Value {
    json!({"uri": format!("https://students.example.com{path}"), "cluster": "auth", "timeout": "15s", "refresh": "60s",
        "cooldown": "100ms", "max_stale": "300s"})
}

fn start(config: Value, document: &Value) -> (Student, Gated) {
    let lists = Gated::start(document);
    let upstream = Upstream::start();
    let gateway = Gateway::builder().config(config).upstream(upstream.port()).auth(lists.server.port()).start();
    (Student::around(upstream, gateway), lists)
}

#[test]
fn body_that_ends_while_its_token_waits_for_keys_is_judged() {
    let mut config = config();
    let issuer = config["issuers"][0].as_object_mut().unwrap();
    issuer.remove("secrets");
    issuer.insert("jwks".to_owned(), json!({"remote": remote("/jwks")}));
    let (student, lists) = start(config, &jwks(&[Key::P256No1.named("k")]));
    check_waiting(&student, &lists, &Token::new(Key::P256No1, "k", token().claims));
}

#[test]
fn body_that_ends_while_the_list_of_api_keys_is_fetched_is_judged() {
    let mut config = config();
    config["api_keys"] = json!({"remote": remote("/keys")});
    let list = json!({"version": 1, "keys": [api_key("acme", ACME, "enterprise")]});
    let (student, lists) = start(config, &list);
    check_waiting(&student, &lists, &token());
}

#[test]
fn body_that_ends_while_the_list_of_revocations_is_fetched_is_judged() {
    let mut config = config();
    config["issuers"][0]["revocations"] = json!({"remote": remote("/revocations")});
    let (student, lists) = start(config, &json!({"version": 1, "tokens": ["other"], "clients": []}));
    check_waiting(&student, &lists, &token());
}
