//! The login: email and password of a user become a permission token.
//!
//! The third credential, the key, is checked by the gateway, which forwards its client. The user must belong
//! to it.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::refusal::Refusal;
use crate::vendors::{LoginError, Vendors};

/// The body of a login; it has no `Debug`, so that no log shows it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    email: String,
    password: String,
}

/// `POST /v1/login`
pub(super) async fn log_in(
    State(vendors): State<Arc<Vendors>>,
    headers: HeaderMap,
    body: Result<Json<Login>, JsonRejection>,
) -> Result<Response, Refusal> {
    let client = forwarded_client(&headers).ok_or(Refusal::Forbidden)?;
    let Json(login) = body?;
    let token = vendors.log_in(client, &login.email, login.password).await?;
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok((no_store, Json(json!({"actionOk": true, "token": token}))).into_response())
}

/// The one `X-Claim-Client-Id`; of several none can be trusted to be the gateway's.
fn forwarded_client(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("x-claim-client-id").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    value.to_str().ok()
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Invalid => Self::InvalidLogin,
            LoginError::Server => Self::Server,
        }
    }
}
