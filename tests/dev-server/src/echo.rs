//! `/echo/...` answers any method with what arrived: the head, the trailers, the size and hash of the body.

use std::fmt::Write as _;

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode},
    routing::any,
};
use http_body_util::BodyExt as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    problem::Problem,
    record::{Head, header_pairs},
};

/// What arrived.
#[derive(Serialize)]
struct Echo {
    #[serde(flatten)]
    head: Head,
    body_length: u64,
    /// In lower-case hexadecimal.
    body_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trailers: Option<Vec<(String, String)>>,
}

pub(crate) fn router() -> Router {
    Router::new().route("/echo", any(echo)).route("/echo/", any(echo)).route("/echo/{*rest}", any(echo))
}

async fn echo(request: Request) -> Result<Json<Echo>, Problem> {
    let (parts, body) = request.into_parts();
    let seen = read(body).await.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body ended early"))?;
    let mut body_sha256 = String::new();
    for byte in seen.hash.finalize() {
        // Writing to a string does not fail.
        let _ = write!(body_sha256, "{byte:02x}");
    }
    Ok(Json(Echo {
        head: Head::of(&parts),
        body_length: seen.length,
        body_sha256,
        trailers: seen.trailers.as_ref().map(header_pairs),
    }))
}

#[derive(Default)]
struct Seen {
    hash: Sha256,
    length: u64,
    trailers: Option<HeaderMap>,
}

/// Reads frame by frame and keeps none, so that a body of any size may come.
async fn read(mut body: Body) -> Result<Seen, axum::Error> {
    let mut seen = Seen::default();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        if let Some(data) = frame.data_ref() {
            seen.hash.update(data);
            seen.length = seen.length.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        } else if let Ok(trailers) = frame.into_trailers() {
            seen.trailers = Some(trailers);
        }
    }
    Ok(seen)
}
