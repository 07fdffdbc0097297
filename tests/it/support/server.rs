//! Servers of the test: an upstream that remembers every request, and a server of key sets. HTTP/1.1 and HTTP/2.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::client::{Frames, channel, header_map, values};
use super::{DEADLINE, RUNTIME, wait_for};

/// A request as a server saw it.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    /// Path and query, as they stood.
    pub target: String,
    pub authority: Option<String>,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// What a server answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub trailers: Vec<(String, String)>,
    pub delay: Duration,
    pub manner: Manner,
}

/// Whether a server answers at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Answers,
    /// Reads the request and says nothing, for good.
    Hangs,
    /// Reads the request and closes the connection.
    Closes,
    /// Sends head and body, and never an end.
    Stalls,
}

type Handler = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

struct State {
    handler: Mutex<Handler>,
    heads: Mutex<usize>,
    seen: Mutex<Vec<Seen>>,
}

/// A server with a programmable answer.
pub struct Upstream {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    /// An upstream that answers 200 and `upstream`.
    pub fn start() -> Self {
        Self::answering(|_| Answer::new(200).body("upstream"))
    }

    /// An upstream that answers what `handler` says.
    pub fn answering(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let state = Arc::new(State {
            handler: Mutex::new(Arc::new(handler)),
            heads: Mutex::new(0),
            seen: Mutex::new(Vec::new()),
        });
        let listener = RUNTIME.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let accepting = RUNTIME.spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, accepting }
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) {
        *self.state.handler.lock().unwrap() = Arc::new(handler);
    }

    /// How many heads of requests came, whether the rest came or not.
    pub fn heads(&self) -> usize {
        *self.state.heads.lock().unwrap()
    }

    /// All whole requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// The last whole request.
    #[track_caller]
    pub fn last(&self) -> Seen {
        self.state.seen.lock().unwrap().last().cloned().expect("the upstream saw a request")
    }

    /// Waits until `count` whole requests came.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Seen> {
        wait_for("requests at the upstream", DEADLINE, || Some(self.seen()).filter(|seen| seen.len() >= count))
    }

    /// Forgets what it saw.
    pub fn forget(&self) {
        self.state.seen.lock().unwrap().clear();
        *self.state.heads.lock().unwrap() = 0;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // The task owns the listener and the connections.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(request, Arc::clone(&state)));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn serve(
    request: http::Request<Incoming>,
    state: Arc<State>,
) -> Result<http::Response<Frames>, Box<dyn std::error::Error + Send + Sync>> {
    *state.heads.lock().unwrap() += 1;
    let (head, body) = request.into_parts();
    let body = body.collect().await?;
    let seen = Seen {
        method: head.method.to_string(),
        target: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        authority: head.uri.authority().map(ToString::to_string),
        version: head.version,
        headers: head.headers,
        trailers: body.trailers().cloned(),
        body: body.to_bytes(),
    };
    let handler = Arc::clone(&state.handler.lock().unwrap());
    let answer = handler(&seen);
    state.seen.lock().unwrap().push(seen);
    tokio::time::sleep(answer.delay).await;
    match answer.manner {
        Manner::Answers | Manner::Stalls => Ok(answer.into_response()),
        Manner::Hangs => std::future::pending().await,
        Manner::Closes => Err("closed by the test".into()),
    }
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            trailers: Vec::new(),
            delay: Duration::ZERO,
            manner: Manner::Answers,
        }
    }

    pub fn json(body: &Value) -> Self {
        Self::new(200).header("content-type", "application/json").body(body.to_string())
    }

    pub fn hang() -> Self {
        Self { manner: Manner::Hangs, ..Self::new(200) }
    }

    pub fn close() -> Self {
        Self { manner: Manner::Closes, ..Self::new(200) }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Does not end after its body.
    #[must_use]
    pub fn stalls(self) -> Self {
        Self { manner: Manner::Stalls, ..self }
    }

    fn into_response(self) -> http::Response<Frames> {
        let (sender, body) = channel(2);
        sender.try_send(Frame::data(self.body.clone())).expect("the channel has room");
        if !self.trailers.is_empty() {
            sender.try_send(Frame::trailers(map_of(&self.trailers))).expect("the channel has room");
        }
        if self.manner == Manner::Stalls {
            let sender = sender.clone();
            RUNTIME.spawn(async move { sender.closed().await });
        }
        let mut response = http::Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status code");
        *response.headers_mut() = map_of(&self.headers);
        if self.trailers.is_empty() && self.manner == Manner::Answers {
            response.headers_mut().insert(http::header::CONTENT_LENGTH, self.body.len().into());
        }
        response
    }
}

fn map_of(fields: &[(String, String)]) -> HeaderMap {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    header_map(&fields)
}

impl Seen {
    /// All values of a header.
    pub fn headers(&self, name: &str) -> Vec<String> {
        values(&self.headers, name)
    }

    /// The value of a header; panics where there are several.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut all = values(&self.headers, name);
        assert!(all.len() < 2, "`{name}` stands {} times in {self:?}", all.len());
        all.pop()
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} {:?}", self.method, self.target, self.version)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.as_bytes().escape_ascii())?;
        }
        write!(f, "\n{}", self.body.escape_ascii())?;
        self.trailers.iter().try_for_each(|trailers| write!(f, "\n{trailers:?}"))
    }
}

/// A server of key sets; answers every path alike.
pub struct KeyServer(Upstream);

impl KeyServer {
    /// Serves this key set.
    pub fn start(jwks: &Value) -> Self {
        let answer = Answer::json(jwks);
        Self(Upstream::answering(move |_| answer.clone()))
    }

    pub const fn port(&self) -> u16 {
        self.0.port()
    }

    /// Serves another key set from now on.
    pub fn serve(&self, jwks: &Value) {
        self.answer(Answer::json(jwks));
    }

    /// Answers this from now on.
    pub fn answer(&self, answer: Answer) {
        self.0.answer(move |_| answer.clone());
    }

    /// How many times it was asked.
    pub fn count(&self) -> usize {
        self.0.heads()
    }

    /// The requests it got.
    pub fn seen(&self) -> Vec<Seen> {
        self.0.seen()
    }
}
