//! Bodies and heads in as many pieces as a client can make: read once, judged right, and floods that Envoy stops.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::Request;

use crate::support::RUNTIME;
use crate::support::body_scope::{ACME, Student, config, token};
use crate::support::exchange::head;

/// A body of about `pieces` bytes that names this district at its end.
fn body(pieces: usize, district: &str) -> String {
    format!(r#"{{"x":"{}","districtlea":"{district}"}}"#, "a".repeat(pieces.saturating_sub(33)))
}

/// In chunks of one byte over HTTP/1.1. The status.
fn in_chunks(student: &Student, body: &str) -> Option<u16> {
    let mut text = format!(
        "POST /v1/students HTTP/1.1\r\nhost: a\r\nx-api-key: {ACME}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        token().sign()
    );
    for byte in body.chars() {
        write!(text, "1\r\n{byte}\r\n").expect("a string takes everything");
    }
    text += "0\r\n\r\n";
    crate::support::raw::request(student.gateway.address(), text.as_bytes()).0
}

/// In DATA frames of one byte over HTTP/2. The status.
fn in_frames(student: &Student, body: &str) -> Option<u16> {
    RUNTIME.block_on(async {
        let stream = tokio::net::TcpStream::connect(student.gateway.address()).await.expect("a connection");
        let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        let driver = tokio::spawn(async move { drop(connection.await) });
        let mut client = client.ready().await.expect("HTTP/2");
        let (response, mut request) = client.send_request(on_http2(), false).expect("a request");
        for (at, _) in body.char_indices() {
            request.reserve_capacity(1);
            while request.capacity() == 0 {
                std::future::poll_fn(|context| request.poll_capacity(context)).await.expect("open").expect("open");
            }
            let piece = Bytes::copy_from_slice(&body.as_bytes()[at..=at]);
            request.send_data(piece, at + 1 == body.len()).expect("the stream is open");
        }
        let response = tokio::time::timeout(Duration::from_mins(1), response).await.expect("an answer in time");
        driver.abort();
        response.ok().map(|response| response.status().as_u16())
    })
}

fn on_http2() -> Request<()> {
    let bearer = format!("Bearer {}", token().sign());
    let headers = [("x-api-key", ACME), ("authorization", &bearer), ("content-type", "application/json")];
    let mut request = head("POST", "/v1/students", &headers);
    *request.uri_mut() = "http://api.example.com/v1/students".parse().expect("a target");
    request
}

/// Bytes of a body, each a piece of its own.
const PIECES: usize = 100_000;

#[test]
fn countless_pieces_of_bodies_and_heads_are_judged_as_one_or_end_their_connection() {
    let mut config = config();
    config["routes"][0]["body"] = serde_json::json!({"max_bytes": 2 * PIECES});
    let student = Student::with(config);
    check_bodies(&student);
    check_heads(&student);
    student.expect_no_trap();
}

#[track_caller]
fn check_bodies(student: &Student) {
    for (how, send) in [("chunks", in_chunks as fn(&Student, &str) -> Option<u16>), ("frames", in_frames)] {
        for (district, status) in [("1503000", 200), ("9999999", 403)] {
            let (body, start) = (body(PIECES, district), Instant::now());
            assert_eq!(send(student, &body), Some(status), "{how}, {district}");
            println!("{how}: {status} after {:?}", start.elapsed());
            assert_eq!(student.upstream.heads(), usize::from(status == 200), "{how}");
            assert!(student.upstream.seen().iter().all(|seen| seen.body == body));
            student.upstream.forget();
        }
    }
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_uint(payload.len() as u64, 3);
    frame.put_u8(kind);
    frame.put_u8(flags);
    frame.put_u32(stream);
    frame.put_slice(payload);
    frame.to_vec()
}

/// A header field without Huffman codes that goes into no table (RFC 7541, 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        // a prefix of seven bits
        let mut rest = text.len();
        if rest < 127 {
            field.push(u8::try_from(rest).unwrap());
        } else {
            field.push(127);
            rest -= 127;
            while rest >= 128 {
                field.push(u8::try_from(rest % 128 + 128).unwrap());
                rest /= 128;
            }
            field.push(u8::try_from(rest).unwrap());
        }
        field.extend_from_slice(text.as_bytes());
    }
    field
}

/// A request whose head comes in these parts: HEADERS and CONTINUATION. Whether a response begins, and how the connection ends.
fn in_continuations(student: &Student, parts: &[&[u8]]) -> bool {
    const HEADERS: u8 = 1;
    const CONTINUATION: u8 = 9;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, b""));
    for (nth, part) in parts.iter().enumerate() {
        let kind = if nth == 0 { HEADERS } else { CONTINUATION };
        let ends = if nth == 0 { END_STREAM } else { 0 } | if nth + 1 == parts.len() { END_HEADERS } else { 0 };
        bytes.extend(frame(kind, ends, 1, part));
    }
    let mut stream = TcpStream::connect(student.gateway.address()).expect("Envoy accepts a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    // Envoy may close before it has read all.
    let _ = stream.write_all(&bytes);
    let (mut read, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return false,
            Ok(count) => read.extend_from_slice(&part[..count]),
        }
        let mut rest = read.as_slice();
        while rest.len() >= 9 {
            let len = usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
            match rest[3] {
                HEADERS => return true,
                // RST_STREAM, GOAWAY
                3 | 7 => return false,
                _ => rest = rest.get(9 + len..).unwrap_or_default(),
            }
        }
    }
}

#[track_caller]
fn check_heads(student: &Student) {
    let bearer = format!("Bearer {}", token().sign());
    let fields = |key: &str| -> Vec<u8> {
        let fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/flat"),
            (":authority", "api.example.com"),
            ("x-api-key", key),
            ("authorization", &bearer),
            ("x-claim-districts", "all"),
        ];
        fields.iter().flat_map(|(name, value)| field(name, value)).collect()
    };
    let (good, bad) = (fields(ACME), fields("key-of-nobody"));

    for (head, passes) in [(&good, true), (&bad, false)] {
        // cut in the middle of names and values
        let parts: Vec<&[u8]> = head.chunks(head.len().div_ceil(5)).collect();
        assert!(in_continuations(student, &parts), "a response");
        assert_eq!(student.upstream.heads(), usize::from(passes));
        if let Some(seen) = student.upstream.seen().pop() {
            assert_eq!(seen.headers("x-claim-districts"), ["1503000"]);
            assert_eq!(seen.headers("x-api-key"), [""; 0]);
        }
        student.upstream.forget();
    }

    // floods: of empty ones, of one byte each, and of fields without end
    let empty: Vec<&[u8]> = std::iter::once(good.as_slice()).chain(std::iter::repeat_n(&b""[..], 20_000)).collect();
    assert!(!in_continuations(student, &empty), "empty frames");
    let padding: Vec<u8> = (0..20_000).flat_map(|_| field("x-padding", "a")).collect();
    let long: Vec<&[u8]> = std::iter::once(good.as_slice()).chain(padding.chunks(100)).collect();
    assert!(!in_continuations(student, &long), "fields without end");
    let bytes: Vec<&[u8]> = padding.chunks(1).take(50_000).collect();
    assert!(!in_continuations(student, &bytes), "bytes");
    student.expect_silence("a flood");
}
