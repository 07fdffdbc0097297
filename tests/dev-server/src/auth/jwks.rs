//! The key set endpoint, and the faults that tests put on it.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::AuthServer;
use crate::problem::Problem;

/// How the key set endpoint misbehaves; what is absent stays as it is.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    status: Option<u16>,
    delay_ms: Option<u64>,
    body: Option<String>,
}

/// `GET /.well-known/jwks.json`
pub(crate) async fn show(State(server): State<Arc<AuthServer>>) -> Response {
    server.jwks_requests.increment();
    let fault = server.jwks_fault.lock().await.clone();
    // The keys of the moment of the request: a delayed answer may be older than one sent meanwhile.
    let mut response = healthy(&server).await;
    let Some(fault) = fault else {
        return response;
    };
    if let Some(delay_ms) = fault.delay_ms {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    if let Some(status) = fault.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        *response.status_mut() = status;
    }
    if let Some(body) = fault.body {
        // The length of the healthy body must not stay.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::from(body);
    }
    response
}

async fn healthy(server: &AuthServer) -> Response {
    let max_age = format!("max-age={}", server.settings.jwks_max_age_s);
    let jwks = server.keys.read().await.jwks();
    ([(header::CACHE_CONTROL, max_age)], Json(jwks)).into_response()
}

/// `POST /dev/jwks-fault`: a fault, or null to be healthy again.
pub(crate) async fn set_fault(
    State(server): State<Arc<AuthServer>>,
    fault: Result<Json<Option<Fault>>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(fault) = fault?;
    let status = fault.as_ref().and_then(|fault| fault.status);
    // 1xx would be no answer at all.
    if status.is_some_and(|status| !(200..=599).contains(&status)) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`status` (expected 200 to 599)"));
    }
    *server.jwks_fault.lock().await = fault;
    Ok(StatusCode::NO_CONTENT)
}
