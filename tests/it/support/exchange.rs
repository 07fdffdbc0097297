//! One exchange that goes step by step, over HTTP/1.1 or HTTP/2, and that the client may leave at any moment.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{DEADLINE, Gateway, RUNTIME};

/// A connection with one request on it.
pub struct Exchange(Kind);

enum Kind {
    Http1 { stream: TcpStream, has_length: bool },
    Http2(Box<Http2>),
}

struct Http2 {
    driver: JoinHandle<()>,
    client: h2::client::SendRequest<Bytes>,
    request: SendStream<Bytes>,
    response: Option<ResponseFuture>,
    body: Option<RecvStream>,
}

impl Exchange {
    /// Opens a connection and sends the head of a request with `host: api.example.com`; one with a body tells no length.
    #[track_caller]
    pub fn open(gateway: &Gateway, http2: bool, head: Request<()>, has_body: bool) -> Self {
        let address = gateway.address();
        RUNTIME.block_on(async {
            let stream = TcpStream::connect(address).await.expect("Envoy accepts a connection");
            stream.set_nodelay(true).expect("a socket");
            Self(if http2 {
                over_http2(stream, head, has_body).await
            } else {
                over_http1(stream, &head, has_body).await
            })
        })
    }

    /// Sends a piece of the body.
    #[track_caller]
    pub fn send(&mut self, piece: &str, ends: bool) {
        match &mut self.0 {
            Kind::Http1 { stream, has_length } => {
                assert!(!*has_length, "a request without a body");
                let end = if ends { "0\r\n\r\n" } else { "" };
                let chunk = format!("{:x}\r\n{piece}\r\n{end}", piece.len());
                RUNTIME.block_on(stream.write_all(chunk.as_bytes())).expect("Envoy reads");
            }
            Kind::Http2(it) => it.request.send_data(Bytes::from(piece.to_owned()), ends).expect("Envoy reads"),
        }
    }

    /// Waits for the head of the response and tells its status; what comes of the body is left alone.
    #[track_caller]
    pub fn status(&mut self) -> u16 {
        let status = async {
            match &mut self.0 {
                Kind::Http1 { stream, .. } => {
                    let mut text = String::new();
                    while !text.contains("\r\n\r\n") {
                        text.push(char::from(stream.read_u8().await.expect("a response")));
                    }
                    text.get(9..12).and_then(|digits| digits.parse().ok()).expect("a status")
                }
                Kind::Http2(it) => {
                    let response = it.response.take().expect("the status is asked for once").await;
                    let (head, body) = response.expect("a response").into_parts();
                    it.body = Some(body);
                    head.status.as_u16()
                }
            }
        };
        RUNTIME.block_on(async { tokio::time::timeout(DEADLINE, status).await }).expect("a response in time")
    }

    /// Leaves: closes the connection of HTTP/1.1, resets the stream of HTTP/2. Over HTTP/2 the connection must serve on, which
    /// another request on it shows.
    #[track_caller]
    pub fn leave(self, next: Request<()>) -> Option<u16> {
        let Kind::Http2(mut it) = self.0 else { return None };
        it.request.send_reset(Reason::CANCEL);
        drop(it.body.take());
        let status = RUNTIME.block_on(async {
            let mut client = it.client.clone().ready().await.expect("the connection lives");
            let (response, _) = client.send_request(on_http2(next), true).expect("the connection lives");
            let response = tokio::time::timeout(Duration::from_secs(20), response).await;
            response.expect("a response in time").expect("the connection lives").status().as_u16()
        });
        it.driver.abort();
        Some(status)
    }
}

async fn over_http1(mut stream: TcpStream, head: &Request<()>, has_body: bool) -> Kind {
    let mut text = format!("{} {} HTTP/1.1\r\nhost: api.example.com\r\n", head.method(), head.uri());
    for (name, value) in head.headers() {
        write!(text, "{name}: {}\r\n", value.to_str().expect("text")).expect("a string takes everything");
    }
    text += if has_body { "transfer-encoding: chunked\r\n\r\n" } else { "\r\n" };
    stream.write_all(text.as_bytes()).await.expect("Envoy reads");
    Kind::Http1 { stream, has_length: !has_body }
}

async fn over_http2(stream: TcpStream, head: Request<()>, has_body: bool) -> Kind {
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let driver = tokio::spawn(async move { drop(connection.await) });
    let mut client = client.ready().await.expect("HTTP/2");
    let (response, request) = client.send_request(on_http2(head), !has_body).expect("a request");
    Kind::Http2(Box::new(Http2 { driver, client, request, response: Some(response), body: None }))
}

/// The same request with scheme and authority.
fn on_http2(mut head: Request<()>) -> Request<()> {
    let uri = format!("http://api.example.com{}", head.uri());
    *head.uri_mut() = uri.parse().expect("a target");
    head
}

/// The head of a request with these headers.
#[track_caller]
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).expect("a method")).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a head")
}
