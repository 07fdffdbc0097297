//! Faults that tests put on what the gateway fetches: the key set and the lists.

use std::time::Duration;

use axum::{
    body::Body,
    http::{StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::problem::Problem;

/// How an endpoint misbehaves; what is absent stays as it is.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    status: Option<u16>,
    delay_ms: Option<u64>,
    body: Option<String>,
}

/// The fault of one endpoint; none is healthy.
#[derive(Default)]
pub(crate) struct FaultSwitch(Mutex<Option<Fault>>);

impl FaultSwitch {
    /// What a test posted: a fault, or null to be healthy again.
    ///
    /// # Errors
    /// When the status is none of a final answer.
    pub(crate) async fn set(&self, fault: Option<Fault>) -> Result<StatusCode, Problem> {
        let status = fault.as_ref().and_then(|fault| fault.status);
        // 1xx would be no answer at all.
        if status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "`status` (expected 200 to 599)"));
        }
        *self.0.lock().await = fault;
        Ok(StatusCode::NO_CONTENT)
    }

    /// The answer as the fault of this moment leaves it.
    pub(crate) async fn put_on(&self, mut response: Response) -> Response {
        let Some(fault) = self.0.lock().await.clone() else {
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
}
