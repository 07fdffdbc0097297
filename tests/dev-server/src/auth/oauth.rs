//! The token endpoint: the client credentials grant of RFC 6749, with parameters in JSON or as a form.
//!
//! The client authenticates in the body or with Basic (section 2.3.1), not both. Errors are those of
//! section 5.2. The token carries the tier and the schools of this moment.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jsonwebtoken::get_current_timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AuthServer,
    applications::{Application, Credentials},
};
use crate::{
    problem::BASIC_CHALLENGE,
    token::{Claims, issue},
};

const GRANT: &str = "client_credentials";
const NO_STORE: [(header::HeaderName, &str); 2] = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

/// The parameters of a token request; unknown ones are ignored (section 3.2), doubled ones refused.
#[derive(Deserialize)]
struct Parameters {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    audience: Option<String>,
}

/// Refusals of the token endpoint.
enum OauthError {
    InvalidRequest(&'static str),
    InvalidClient,
    UnsupportedGrantType,
    /// The audience is not one of this server (RFC 8707, section 2).
    InvalidTarget,
    ServerError,
}

/// `POST /oauth/token`
pub(crate) async fn token(State(server): State<Arc<AuthServer>>, headers: HeaderMap, body: Bytes) -> Response {
    server.token_requests.increment();
    match grant(&server, &headers, &body).await {
        Ok(answer) => (NO_STORE, Json(answer)).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn grant(server: &AuthServer, headers: &HeaderMap, body: &[u8]) -> Result<Value, OauthError> {
    let parameters = Parameters::read(headers, body)?;
    match parameters.grant_type.as_deref() {
        Some(GRANT) => {}
        Some(_) => return Err(OauthError::UnsupportedGrantType),
        None => return Err(OauthError::InvalidRequest("`grant_type` is missing")),
    }
    let audience = parameters.audience.clone();
    let credentials = parameters.credentials(headers)?;

    let mut registry = server.applications.lock().await;
    let application = registry.authenticate(&credentials).ok_or(OauthError::InvalidClient)?;
    let audience = granted_audience(server, audience.as_deref())?;
    let token = issue_for(server, application, audience).await?;
    Ok(json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": server.settings.token_lifetime_s,
    }))
}

async fn issue_for(
    server: &AuthServer,
    application: &Application,
    audience: Option<&str>,
) -> Result<String, OauthError> {
    let claims = Claims {
        tier: &application.tier,
        schools: &application.schools,
        client_id: &application.client_id,
        iss: &server.settings.issuer,
        exp: get_current_timestamp().saturating_add(server.settings.token_lifetime_s),
        aud: audience,
    };
    issue(server.keys.read().await.signing(), &claims).map_err(|_| OauthError::ServerError)
}

/// The `aud` of the token: none at all unless the server was told its audience.
fn granted_audience<'a>(server: &'a AuthServer, requested: Option<&str>) -> Result<Option<&'a str>, OauthError> {
    match (server.settings.audience.as_deref(), requested) {
        (Some(known), Some(requested)) if known != requested => Err(OauthError::InvalidTarget),
        (Some(known), Some(_)) => Ok(Some(known)),
        (None, _) | (_, None) => Ok(None),
    }
}

impl Parameters {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, OauthError> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or("").trim();
        let parsed = match media_type.to_ascii_lowercase().as_str() {
            "application/json" => serde_json::from_slice(body).ok(),
            "application/x-www-form-urlencoded" => serde_urlencoded::from_bytes(body).ok(),
            _ => return Err(OauthError::InvalidRequest("expected a JSON body or a form")),
        };
        parsed.ok_or(OauthError::InvalidRequest("malformed, or a parameter is doubled"))
    }

    fn credentials(self, headers: &HeaderMap) -> Result<Credentials, OauthError> {
        let in_body = self.client_id.zip(self.client_secret);
        let in_header = headers.contains_key(header::AUTHORIZATION);
        match (in_body, in_header) {
            (Some(_), true) => Err(OauthError::InvalidRequest("credentials in the header and in the body")),
            (Some((client_id, client_secret)), false) => Ok(Credentials { client_id, client_secret }),
            (None, true) => Credentials::from_basic(headers).ok_or(OauthError::InvalidClient),
            (None, false) => Err(OauthError::InvalidClient),
        }
    }
}

impl OauthError {
    /// Status, error code and description.
    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", "unknown client, or not its secret"),
            Self::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "expected client_credentials")
            }
            Self::InvalidTarget => (StatusCode::BAD_REQUEST, "invalid_target", "unknown audience"),
            Self::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the token could not be signed"),
        }
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let (status, code, description) = self.parts();
        let body = Json(json!({"error": code, "error_description": description}));
        let mut response = (status, NO_STORE, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, BASIC_CHALLENGE);
        }
        response
    }
}
