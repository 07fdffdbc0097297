//! The list that the gateway fetches, and each application's own.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use super::Districts;
use crate::{
    auth::applications::Credentials,
    body::Body,
    fault::Fault,
    problem::{BASIC_CHALLENGE, Problem},
};

/// `GET /v1/district-tokens.json`: hashes, and what each opens.
pub(super) async fn for_gateway(State(districts): State<Arc<Districts>>) -> Response {
    districts.requests.increment();
    let state = districts.state.lock().await;
    let tokens: Vec<_> = state.shared.iter().map(|shared| &shared.listed).collect();
    let healthy = Json(json!({"version": state.shared.version, "tokens": tokens})).into_response();
    drop(state);
    districts.fault.put_on(healthy).await
}

/// `GET /oauth/tokens`: the tokens of the application that authenticates with Basic, one per district.
pub(super) async fn for_application(State(districts): State<Arc<Districts>>, headers: HeaderMap) -> Response {
    let state = districts.state.lock().await;
    let shown = Credentials::from_basic(&headers).filter(|shown| {
        let known = state.applications.get(&shown.client_id);
        known.is_some_and(|application| application.secret.matches(&shown.client_secret))
    });
    let Some(shown) = shown else {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "expected the name and the secret of an application");
        return ([(header::WWW_AUTHENTICATE, BASIC_CHALLENGE)], problem).into_response();
    };
    let own = state.shared.iter().filter(|it| it.listed.application.as_str() == shown.client_id);
    let data: Vec<Value> = own
        .map(|it| json!({"district": it.listed.district, "schools": it.listed.schools, "access_token": it.token}))
        .collect();
    ([(header::CACHE_CONTROL, "no-store")], Json(json!({"data": data}))).into_response()
}

/// `POST /dev/district-tokens-fault`: a fault, or null to be healthy again.
pub(super) async fn set_fault(
    State(districts): State<Arc<Districts>>,
    Body(fault): Body<Option<Fault>>,
) -> Result<StatusCode, Problem> {
    districts.fault.set(fault).await
}
