//! How bodies come and end: whole, slowly, in any framing, or not at all. They reach the upstream byte for byte, and nothing
//! reaches it before the verdict.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc::Sender;

use crate::support::body_scope::{ACME, GRANTED, Student, config, token};
use crate::support::client::RequestBuilder;
use crate::support::{Gateway, RUNTIME, Upstream, raw, wait_until};

/// Ways in which a body may come and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With its length.
    Length,
    /// Without a length: by an empty frame or the last chunk.
    Empty,
    /// With an empty frame in the middle; Envoy takes two in a row for a flood.
    Gap,
    /// By trailers.
    Trailers,
}

const ENDINGS: [Ending; 4] = [Ending::Length, Ending::Empty, Ending::Gap, Ending::Trailers];
const TRAILERS: [(&str, &str); 3] = [("x-end", "1"), ("x-claim-districts", "9"), ("x_claim_client_id", "evil")];

impl Ending {
    fn give(self, request: RequestBuilder, body: &str) -> RequestBuilder {
        let (first, second) = body.as_bytes().split_at(body.len() / 2);
        let [first, second] = [first, second].map(Bytes::copy_from_slice);
        match self {
            Self::Length => request.body(body.to_owned()),
            Self::Empty => request.pieces(vec![first, second], &[]),
            Self::Gap => request.pieces(vec![first, Bytes::new(), second], &[]),
            Self::Trailers => request.pieces(vec![first, second], &TRAILERS),
        }
    }
}

#[test]
fn body_is_judged_however_it_is_framed() {
    let student = Student::start();
    check_endings(&student);
    check_framing_by_hand(&student);
    student.expect_no_trap();
}

#[track_caller]
fn check_endings(student: &Student) {
    for http2 in [false, true] {
        for ending in ENDINGS {
            let what = format!("{ending:?}, http2: {http2}");
            let send = |body: &str| ending.give(student.request(http2, "/v1/students"), body).send();
            student.expect_refused(&send(r#"{"districtlea":"9999999"}"#), 403, "no-districtlea", &what);
            student.expect_refused(&send(r#"{"schoolleas":"15040002"}"#), 403, "no-privilege", &what);
            student.expect_refused(&send("{}"), 403, "no-privilege", &what);
            student.expect_refused(&send("{ "), 400, "bad-request", &what);
            student.expect_refused(&send(&format!("{GRANTED}{GRANTED}")), 400, "bad-request", &what);

            let body = "{\"x\":\"\u{e4}\\u0000 \",\r\n\"districtlea\":\t[\"1503000\"]}  \n";
            let response = send(body);
            let trailers = student.upstream.last().trailers.unwrap_or_default();
            assert_eq!(trailers.len(), usize::from(ending == Ending::Trailers), "{what}: {trailers:?}");
            student.expect_passed(&response, body, &what);
        }
        // no data at all: by an empty frame, by trailers alone
        for trailers in [&[][..], &TRAILERS] {
            let response = student.request(http2, "/v1/students").pieces(Vec::new(), trailers).send();
            student.expect_refused(&response, 400, "bad-request", "no data");
            let response = student.request(http2, "/v1/students").pieces(vec![Bytes::new()], trailers).send();
            student.expect_refused(&response, 400, "bad-request", "an empty frame");
        }
        let response = student.request(http2, "/v1/students").send();
        student.expect_refused(&response, 400, "bad-request", "no body");
    }
}

#[track_caller]
fn check_framing_by_hand(student: &Student) {
    let send = |rest: &str| {
        let head = format!(
            "POST /v1/students HTTP/1.1\r\nhost: a\r\nx-api-key: {ACME}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\nconnection: close\r\n{rest}",
            token().sign()
        );
        raw::request(student.gateway.address(), head.as_bytes())
    };
    // a second document in a chunk of its own; more bytes than the length says (they are the next request's)
    for (rest, status) in [
        ("transfer-encoding: chunked\r\n\r\n19\r\n{\"districtlea\":\"1503000\"}\r\n2\r\n{}\r\n0\r\n\r\n", 400),
        ("transfer-encoding: chunked\r\n\r\n19\r\n{\"districtlea\":\"9999999\"}\r\n0\r\n\r\n", 403),
        // the length ends it before the second document, and before its own end
        ("content-length: 24\r\n\r\n{\"districtlea\":\"1503000\"}", 400),
        // both ways of framing: a request that could be read in two ways
        (
            "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n19\r\n{\"districtlea\":\"1503000\"}\r\n0\r\n\r\n",
            400,
        ),
        ("content-length: 25\r\ncontent-length: 2\r\n\r\n{\"districtlea\":\"1503000\"}", 400),
        ("content-length: 0\r\n\r\n", 400),
    ] {
        let (answered, text) = send(rest);
        assert_eq!(answered, Some(status), "{rest}: {text}");
        student.expect_silence(rest);
    }
    student.expect_nothing_else_upstream();
    for rest in [
        "transfer-encoding: chunked\r\n\r\n19;x=y\r\n{\"districtlea\":\"1503000\"}\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n01\r\n{\r\n18\r\n\"districtlea\":\"1503000\"}\r\n0\r\nx-end: 1\r\n\r\n",
        "content-length: 25\r\nexpect: 100-continue\r\n\r\n{\"districtlea\":\"1503000\"}",
    ] {
        let (_, text) = send(rest);
        assert!(text.contains("HTTP/1.1 200 OK\r\n"), "{rest}: {text}");
        assert_eq!(student.upstream.last().body, GRANTED);
    }
}

/// Waits until Envoy has read so many bytes of bodies and heads since there were `before`.
fn wait_for_bytes(student: &Student, before: u64, bytes: usize) {
    wait_until("bytes at Envoy", || {
        student.stat("http.main.downstream_cx_rx_bytes_total") >= before + u64::try_from(bytes).unwrap()
    });
}

fn feed(sender: &Sender<Frame<Bytes>>, part: &str) {
    RUNTIME.block_on(sender.send(Frame::data(Bytes::from(part.to_owned())))).expect("the request takes it");
}

#[test]
fn slow_body_is_waited_for_and_nothing_passes_meanwhile() {
    let student = Student::start();
    for http2 in [false, true] {
        for (rest, status) in [("\"1503000\"}", 200), ("\"9999999\"}", 403), ("\"", 400)] {
            let before = student.stat("http.main.downstream_cx_rx_bytes_total");
            let (request, sender) = student.request(http2, "/v1/students").streaming();
            let answer = request.spawn();
            // the head alone, and then a part that would be granted as it stands but for its end
            let parts = ["{\"x\":\"", &"a".repeat(5_000), "\",\"districtlea\":"];
            let mut sent = 0;
            for part in parts {
                feed(&sender, part);
                sent += part.len();
                wait_for_bytes(&student, before, sent);
                wait_until("the request to be held", || student.stat("http.main.downstream_rq_active") == 1);
                student.expect_silence("a part of the body");
            }
            assert!(!answer.is_finished());
            feed(&sender, rest);
            student.expect_silence("all of the body, but not its end");
            drop(sender);
            let response = RUNTIME.block_on(answer).unwrap().expect("an answer");
            response.expect_status(status);
            if status == 200 {
                student.expect_passed(&response, parts.concat() + rest, "granted");
            }
            student.expect_silence("after the verdict");
        }
    }
    student.expect_no_trap();
}

#[test]
fn client_that_leaves_midway_leaves_nothing_behind() {
    let student = Student::start();
    for http2 in [false, true] {
        let before = student.stat("http.main.downstream_cx_rx_bytes_total");
        let (request, sender) = student.request(http2, "/v1/students").streaming();
        let answer = request.spawn();
        // a whole document, whose end nobody has told
        feed(&sender, GRANTED);
        wait_for_bytes(&student, before, GRANTED.len());
        answer.abort();
        wait_until("Envoy to see it leave", || student.stat("http.main.downstream_rq_active") == 0);
        student.expect_silence("the client left");
    }
    // by raw bytes: less than the length says, and the end of the connection
    let head = format!(
        "POST /v1/students HTTP/1.1\r\nhost: a\r\nx-api-key: {ACME}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 26\r\n\r\n{GRANTED}",
        token().sign()
    );
    raw::exchange(student.gateway.address(), head.as_bytes(), true, Duration::from_secs(5));
    wait_until("Envoy to see it leave", || student.stat("http.main.downstream_rq_active") == 0);
    student.expect_nothing_else_upstream();
    student.expect_passed(&student.post("/v1/students", GRANTED), GRANTED, "the next one");
    student.expect_no_trap();
}

#[test]
fn nothing_passes_unjudged_where_envoy_may_not_hold_the_head() {
    let upstream = Upstream::start();
    let gateway = Gateway::builder()
        .config(config())
        .upstream(upstream.port())
        .allow_on_headers_stop_iteration(false)
        .edit_connection_manager(|manager| manager["stream_idle_timeout"] = "0.5s".into())
        .start();
    assert!(gateway.log().contains("allow_on_headers_stop_iteration"), "an operator is warned");
    let student = Student::around(upstream, gateway);

    let mut requests = Vec::new();
    for http2 in [false, true] {
        for ending in ENDINGS {
            for body in [GRANTED, r#"{"districtlea":"9999999"}"#] {
                requests.push(ending.give(student.request(http2, "/v1/students"), body).spawn());
            }
        }
        requests.push(student.request(http2, "/v1/students").pieces(Vec::new(), &TRAILERS).spawn());
        requests.push(student.request(http2, "/v1/students").pieces(Vec::new(), &[]).spawn());
    }
    for request in requests {
        // Envoy gives up on it: 408 or 504, or a reset.
        if let Ok(response) = RUNTIME.block_on(request).unwrap() {
            assert!([400, 408, 504].contains(&response.status), "{response:?}");
        }
    }
    student.expect_nothing_else_upstream();
    // Routes without such a rule serve, and what the head alone tells is refused at once.
    student.expect_passed(&student.request(false, "/flat").body("x").send(), "x", "no rule");
    student.expect_refused(&student.bare(false, "/v1/students").body(GRANTED).send(), 415, "bad-request", "no type");
    student.expect_no_trap();
}
