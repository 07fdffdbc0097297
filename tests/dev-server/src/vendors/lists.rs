//! The two lists that the gateway fetches, and the faults that tests put on them.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::Vendors;
use crate::{body::Body, fault::Fault, problem::Problem};

/// `GET /v1/keys.json`
pub(super) async fn keys(State(vendors): State<Arc<Vendors>>) -> Response {
    vendors.keys_requests.increment();
    let healthy = Json(&vendors.state.lock().await.keys).into_response();
    vendors.keys_fault.put_on(healthy).await
}

/// `GET /v1/revocations.json`
pub(super) async fn revocations(State(vendors): State<Arc<Vendors>>) -> Response {
    vendors.revocations_requests.increment();
    let healthy = Json(&vendors.state.lock().await.revocations).into_response();
    vendors.revocations_fault.put_on(healthy).await
}

/// `POST /dev/keys-fault`: a fault, or null to be healthy again.
pub(super) async fn set_keys_fault(
    State(vendors): State<Arc<Vendors>>,
    Body(fault): Body<Option<Fault>>,
) -> Result<StatusCode, Problem> {
    vendors.keys_fault.set(fault).await
}

/// `POST /dev/revocations-fault`: likewise.
pub(super) async fn set_revocations_fault(
    State(vendors): State<Arc<Vendors>>,
    Body(fault): Body<Option<Fault>>,
) -> Result<StatusCode, Problem> {
    vendors.revocations_fault.set(fault).await
}
