//! Refusals of the Student Data API, in its own form: `{"actionOk": false, "error": [code], "message"}`.
//!
//! What the gateway refuses has the same form, so that a client reads one kind of error.

use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// One refusal.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The body cannot be read; with 413 and 415 where those fit.
    BadRequest(StatusCode),
    /// No client: the gateway forwards it, and nobody else.
    Forbidden,
    /// Unknown user of this client, or not the password.
    InvalidLogin,
    /// No permission, no scope, or a school out of it.
    NoPrivilege,
    /// A district out of the scope.
    NoDistrict,
    Server,
}

impl Refusal {
    /// Status, error code and message; none repeats what was asked for.
    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match *self {
            Self::BadRequest(status) => (status, "bad-request", "the body is not what this endpoint reads"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "Forbidden", "no client"),
            Self::InvalidLogin => (StatusCode::UNAUTHORIZED, "invalid-login", "unknown user, or not the password"),
            Self::NoPrivilege => (StatusCode::FORBIDDEN, "no-privilege", "not within the access scope"),
            Self::NoDistrict => {
                (StatusCode::FORBIDDEN, "no-districtlea", "the district is not within the access scope")
            }
            Self::Server => (StatusCode::INTERNAL_SERVER_ERROR, "server-error", "the request failed"),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let body = Json(json!({"actionOk": false, "error": [code], "message": message}));
        (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        // 422 is how axum tells the wrong members from broken JSON, which is 400 here.
        Self::BadRequest(match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        })
    }
}
