//! What reached the data APIs: the heads of the last requests for tests, and one log line each.
//!
//! Heads are kept as they came, credentials and ids included, and only `/dev/requests` shows them. The
//! log names the request id, the method, the template of the route and the status, nothing else.
//! Health checks are neither kept nor logged, since a proxy sends them at its own pace.

use std::{collections::VecDeque, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    middleware::Next,
    response::Response,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// How many heads are kept; what came before is only counted.
const HEADS_MAX: usize = 200;
/// Longer ids are cut in the log: the header is the sender's choice.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// The requests that came, by number and in part by head.
#[derive(Default)]
pub(crate) struct Record(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    count: u64,
    heads: VecDeque<Head>,
}

/// The head of one request.
#[derive(Serialize)]
pub(crate) struct Head {
    method: String,
    /// With the query, as it came.
    path: String,
    http_version: String,
    /// The `:authority` of HTTP/2; HTTP/1.1 has a `host` header instead.
    authority: Option<String>,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn of(parts: &Parts) -> Self {
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            http_version: format!("{:?}", parts.version),
            authority: parts.uri.authority().map(ToString::to_string),
            headers: header_pairs(&parts.headers),
        }
    }
}

/// Every header line, values byte by byte as Latin-1, so that nothing is lost.
pub(crate) fn header_pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

impl Record {
    async fn keep(&self, head: Head) {
        let mut kept = self.0.lock().await;
        kept.count = kept.count.saturating_add(1);
        if kept.heads.len() >= HEADS_MAX {
            kept.heads.pop_front();
        }
        kept.heads.push_back(head);
    }

    pub(crate) async fn count(&self) -> u64 {
        self.0.lock().await.count
    }

    pub(crate) async fn to_json(&self) -> Value {
        let kept = self.0.lock().await;
        json!({"count": kept.count, "requests": kept.heads})
    }

    pub(crate) async fn clear(&self) {
        *self.0.lock().await = Kept::default();
    }
}

/// The middleware around every route of the data APIs.
pub(crate) async fn observe(State(record): State<Arc<Record>>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/healthz" {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    record.keep(Head::of(&parts)).await;
    let line = LogLine::of(&parts);
    let response = next.run(Request::from_parts(parts, body)).await;
    eprintln!("{}", line.with(response.status()));
    response
}

/// What the log may show of a request.
struct LogLine {
    request_id: Option<String>,
    method: String,
    route: Option<String>,
}

impl LogLine {
    fn of(parts: &Parts) -> Self {
        Self {
            request_id: request_id(&parts.headers),
            method: parts.method.to_string(),
            route: parts.extensions.get().map(|path: &MatchedPath| path.as_str().to_owned()),
        }
    }

    fn with(&self, status: StatusCode) -> Value {
        json!({
            "request_id": self.request_id,
            "method": self.method,
            "route": self.route,
            "status": status.as_u16(),
        })
    }
}

/// The one `X-Request-Id`; of several none can be trusted to be the gateway's.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all("x-request-id").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    Some(value.to_str().ok()?.chars().take(REQUEST_ID_CHARS_MAX).collect())
}
