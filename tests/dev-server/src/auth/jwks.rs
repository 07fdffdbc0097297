//! The key set endpoint, and the faults that tests put on it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::AuthServer;
use crate::{body::Body, fault::Fault, problem::Problem};

/// `GET /.well-known/jwks.json`
pub(crate) async fn show(State(server): State<Arc<AuthServer>>) -> Response {
    server.jwks_requests.increment();
    // The keys of the moment of the request: a delayed answer may be older than one sent meanwhile.
    let healthy = healthy(&server).await;
    server.jwks_fault.put_on(healthy).await
}

async fn healthy(server: &AuthServer) -> Response {
    let max_age = format!("max-age={}", server.settings.jwks_max_age_s);
    let jwks = server.keys.read().await.jwks();
    ([(header::CACHE_CONTROL, max_age)], Json(jwks)).into_response()
}

/// `POST /dev/jwks-fault`: a fault, or null to be healthy again.
pub(crate) async fn set_fault(
    State(server): State<Arc<AuthServer>>,
    Body(fault): Body<Option<Fault>>,
) -> Result<StatusCode, Problem> {
    server.jwks_fault.set(fault).await
}
