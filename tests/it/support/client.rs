//! An HTTP client that shows everything: HTTP/1.1 or HTTP/2 with prior knowledge, bodies in pieces, trailers, values in bytes.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

mod race;

pub use self::race::{in_turn, race};
use super::RUNTIME;

/// How long a request may take; longer than any limit of the gateway under test.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Sends requests to one address, each on a connection of its own.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    address: SocketAddr,
    protocol: Protocol,
}

/// A request that is not sent yet.
pub struct RequestBuilder {
    client: Client,
    request: Request<BoxBody<Bytes, Infallible>>,
    timeout: Duration,
}

/// A response, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl Client {
    /// A client that speaks HTTP/1.1.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, protocol: Protocol::Http1 }
    }

    /// A client that speaks HTTP/2 without asking first.
    #[must_use]
    pub const fn http2(self) -> Self {
        Self { protocol: Protocol::Http2, ..self }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request("GET", path)
    }

    /// A request with `host: api.example.com`.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let mut request = Request::new(Empty::new().boxed());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).expect("a method");
        *request.uri_mut() = path.parse().unwrap_or_else(|error| panic!("`{path}` is no request target: {error}"));
        RequestBuilder { client: *self, request, timeout: REQUEST_TIMEOUT }.authority("api.example.com")
    }
}

impl RequestBuilder {
    /// Sets the `host` (HTTP/1.1) or `:authority` (HTTP/2).
    #[track_caller]
    pub fn authority(mut self, authority: &str) -> Self {
        if self.client.protocol == Protocol::Http1 {
            let value = HeaderValue::from_str(authority).expect("an authority");
            self.request.headers_mut().insert(http::header::HOST, value);
            return self;
        }
        let path = self.request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme("http").authority(authority).path_and_query(path);
        *self.request.uri_mut() = uri.build().expect("an authority");
        self
    }

    /// Adds a header, besides those of the same name. The value may be any bytes that HTTP allows.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header value");
        self.request.headers_mut().append(name, value);
        self
    }

    /// `Authorization: Bearer <token>`.
    #[track_caller]
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// A body with its length.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Full::new(body.into()).boxed();
        self
    }

    /// A JSON body with its content type.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// A body without a length, in these pieces, then these trailers if there are any. HTTP/1.1 sends only trailers that the
    /// header `trailer` names; it is set here.
    pub fn pieces(mut self, pieces: Vec<Bytes>, trailers: &[(&str, &str)]) -> Self {
        let (sender, body) = channel(pieces.len() + 1);
        for piece in pieces {
            sender.try_send(Frame::data(piece)).expect("the channel has room");
        }
        if !trailers.is_empty() {
            let names: Vec<&str> = trailers.iter().map(|(name, _)| *name).collect();
            if self.client.protocol == Protocol::Http1 {
                self = self.header("trailer", names.join(", "));
            }
            sender.try_send(Frame::trailers(header_map(trailers))).expect("the channel has room");
        }
        *self.request.body_mut() = body.boxed();
        self
    }

    /// A body that the test feeds through the sender; it ends when the sender is dropped.
    pub fn streaming(mut self) -> (Self, mpsc::Sender<Frame<Bytes>>) {
        let (sender, body) = channel(16);
        *self.request.body_mut() = body.boxed();
        (self, sender)
    }

    /// How long the whole exchange may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the request and waits for the whole response.
    #[track_caller]
    pub fn send(self) -> Response {
        let what = format!("{} {}", self.request.method(), self.request.uri());
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Sends the request; a broken or late exchange is an error.
    pub fn try_send(self) -> Result<Response, String> {
        RUNTIME.block_on(self.send_async())
    }

    /// Sends the request from within the runtime, for many at once.
    pub async fn send_async(self) -> Result<Response, String> {
        let timeout = self.timeout;
        let exchange = tokio::time::timeout(timeout, self.exchange()).await;
        exchange.unwrap_or_else(|_| Err(format!("no whole response within {timeout:?}")))
    }

    /// Starts the request in the background.
    pub fn spawn(self) -> tokio::task::JoinHandle<Result<Response, String>> {
        RUNTIME.spawn(self.send_async())
    }

    async fn exchange(self) -> Result<Response, String> {
        let stream = TcpStream::connect(self.client.address).await.map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let io = TokioIo::new(stream);
        let response = match self.client.protocol {
            Protocol::Http1 => {
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(io).await.map_err(|error| error.to_string())?;
                let driver = Driver(tokio::spawn(async move { drop(connection.await) }));
                collected(sender.send_request(self.request).await, driver).await
            }
            Protocol::Http2 => {
                let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                    .await
                    .map_err(|error| error.to_string())?;
                let driver = Driver(tokio::spawn(async move { drop(connection.await) }));
                collected(sender.send_request(self.request).await, driver).await
            }
        };
        response.map_err(|error| format!("{error} ({error:?})"))
    }
}

/// The task that drives a connection: ends with the exchange, also when that is given up.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn collected(
    response: hyper::Result<http::Response<hyper::body::Incoming>>,
    _driver: Driver,
) -> hyper::Result<Response> {
    let (head, body) = response?.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().cloned();
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes(), trailers })
}

/// A body that is fed frame by frame.
pub struct Frames(mpsc::Receiver<Frame<Bytes>>);

pub fn channel(room: usize) -> (mpsc::Sender<Frame<Bytes>>, Frames) {
    let (sender, receiver) = mpsc::channel(room);
    (sender, Frames(receiver))
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

/// A header map of these fields, duplicates kept.
pub fn header_map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        map.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    map
}

/// All values of a header, lossy where they are not UTF-8.
pub fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

impl Response {
    /// The value of a header; panics where there are several.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut all = values(&self.headers, name);
        assert!(all.len() < 2, "`{name}` stands {} times in {self:?}", all.len());
        all.pop()
    }

    /// All values of a header.
    pub fn headers(&self, name: &str) -> Vec<String> {
        values(&self.headers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Panics with the whole response where the status is another one.
    #[track_caller]
    pub fn expect_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// What is left by the first limit of a response that passed: `r` of its `RateLimit`.
    #[track_caller]
    pub fn left(&self) -> u64 {
        let state = self.expect_status(200).header("ratelimit").expect("RateLimit");
        let value = state.split(';').find_map(|part| part.strip_prefix("r=")).expect("r");
        value.parse().expect("a number")
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.as_bytes().escape_ascii())?;
        }
        write!(f, "\n{}", self.body.escape_ascii())?;
        self.trailers.iter().try_for_each(|trailers| write!(f, "\n{trailers:?}"))
    }
}
