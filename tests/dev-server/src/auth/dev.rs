//! Controls for tests. Development only: nothing here asks who is calling.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AuthServer;
use crate::{
    body::Body,
    keys::{Rotation, SigningAlg, SigningKey},
    problem::Problem,
    token::{Mint, mint},
};

/// Which key comes, and what becomes of the old one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateKeys {
    mode: Rotation,
    /// Default: the algorithm of the present key.
    alg: Option<SigningAlg>,
}

/// `POST /dev/rotate-keys`: signs with a fresh key from now on.
pub(crate) async fn rotate_keys(
    State(server): State<Arc<AuthServer>>,
    Body(request): Body<RotateKeys>,
) -> Result<Json<Value>, Problem> {
    let alg = match request.alg {
        Some(alg) => alg,
        None => server.keys.read().await.signing().alg,
    };
    let fresh = tokio::task::spawn_blocking(move || SigningKey::generate(alg))
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no key could be generated"))?;
    let kid = fresh.kid.clone();
    server.keys.write().await.rotate(fresh, request.mode);
    Ok(Json(json!({"kid": kid})))
}

/// `POST /dev/tokens`: a token with any claims, from any key.
pub(crate) async fn mint_token(
    State(server): State<Arc<AuthServer>>,
    Body(request): Body<Mint>,
) -> Result<impl IntoResponse, Problem> {
    let token = mint(server.keys.read().await.signing(), &request)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({"access_token": token}))))
}

/// `GET /dev/stats`
pub(crate) async fn stats(State(server): State<Arc<AuthServer>>) -> Json<Value> {
    Json(json!({
        "jwks_requests": server.jwks_requests.get(),
        "token_requests": server.token_requests.get(),
        "upstream_requests": server.upstream.count().await,
        "keys_requests": server.vendors.keys_requests.get(),
        "revocations_requests": server.vendors.revocations_requests.get(),
        "district_tokens_requests": server.districts.requests.get(),
    }))
}

/// `GET /dev/requests`: what reached the data APIs, oldest first.
pub(crate) async fn requests(State(server): State<Arc<AuthServer>>) -> Json<Value> {
    Json(server.upstream.to_json().await)
}

/// `DELETE /dev/requests`
pub(crate) async fn forget_requests(State(server): State<Arc<AuthServer>>) -> StatusCode {
    server.upstream.clear().await;
    StatusCode::NO_CONTENT
}
