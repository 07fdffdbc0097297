//! Registered applications: what they bought, which schools approved them, and their credentials.
//!
//! Registration is open, as this is for development. Everything after it needs the client secret.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::{
    AuthServer,
    secret::{self, SecretHash},
};
use crate::{body::Body, name::Name, problem::Problem};

/// Registration is open, and everything is kept in memory.
const APPLICATIONS_MAX: usize = 10_000;
const NAME_BYTES_MAX: usize = 200;
/// Far more than a header can carry, so that tests reach the cap of the gateway.
const SCHOOLS_MAX: usize = 20_000;
const CLIENT_ID_BYTES: usize = 16;

/// A registered application; as JSON it is without its secret.
#[derive(Serialize)]
pub(crate) struct Application {
    pub(crate) client_id: String,
    name: String,
    pub(crate) tier: Name,
    pub(crate) schools: Vec<Name>,
    #[serde(skip)]
    secret: SecretHash,
}

/// A client id with the secret that the caller shows.
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

impl Credentials {
    /// Reads `Authorization: Basic`. The ids and secrets made here need no percent-encoding.
    pub(crate) fn from_basic(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
        let (client_id, client_secret) = text.split_once(':')?;
        Some(Self { client_id: client_id.to_owned(), client_secret: client_secret.to_owned() })
    }
}

/// All applications by client id.
#[derive(Default)]
pub(crate) struct Registry(HashMap<String, Application>);

impl Registry {
    /// The application whose credentials these are.
    pub(crate) fn authenticate(&mut self, credentials: &Credentials) -> Option<&mut Application> {
        let application = self.0.get_mut(&credentials.client_id)?;
        application.secret.matches(&credentials.client_secret).then_some(application)
    }

    #[cfg(test)]
    pub(super) fn kept_secrets(&self) -> Vec<Vec<u8>> {
        self.0.values().map(|application| application.secret.as_bytes().to_vec()).collect()
    }
}

/// The body of a registration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Registration {
    name: String,
    tier: Name,
    schools: Vec<Name>,
}

/// The only answer that carries the secret.
#[derive(Serialize)]
struct Registered<'a> {
    #[serde(flatten)]
    application: &'a Application,
    client_secret: &'a str,
}

/// `POST /applications`
pub(crate) async fn register(
    State(server): State<Arc<AuthServer>>,
    Body(registration): Body<Registration>,
) -> Result<Response, Problem> {
    if registration.name.is_empty() || registration.name.len() > NAME_BYTES_MAX {
        return Err(bad_request("`name` (expected 1 to 200 bytes)"));
    }
    let client_secret = secret::generate();
    let mut application = Application {
        client_id: secret::random_text::<CLIENT_ID_BYTES>(),
        name: registration.name,
        tier: registration.tier,
        schools: Vec::new(),
        secret: SecretHash::of(&client_secret),
    };
    add_schools(&mut application.schools, registration.schools)?;

    let registered = Registered { application: &application, client_secret: &client_secret };
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    let response = (StatusCode::CREATED, no_store, Json(registered)).into_response();
    let mut registry = server.applications.lock().await;
    if registry.0.len() >= APPLICATIONS_MAX {
        return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "too many applications"));
    }
    registry.0.insert(application.client_id.clone(), application);
    Ok(response)
}

/// `GET /applications/{client_id}`
pub(crate) async fn show(
    State(server): State<Arc<AuthServer>>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut registry = server.applications.lock().await;
    let application = owned(&mut registry, &client_id, &headers)?;
    Ok(Json(application).into_response())
}

/// What changes; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    tier: Option<Name>,
    #[serde(default)]
    schools_add: Vec<Name>,
    #[serde(default)]
    schools_remove: Vec<Name>,
}

/// `PATCH /applications/{client_id}`: all of the change or none. Tokens issued before keep their claims.
pub(crate) async fn change(
    State(server): State<Arc<AuthServer>>,
    Path(client_id): Path<String>,
    headers: HeaderMap,
    body: Result<Body<Change>, Problem>,
) -> Result<Response, Problem> {
    let mut registry = server.applications.lock().await;
    let application = owned(&mut registry, &client_id, &headers)?;
    let Body(change) = body?;

    let removed: HashSet<Name> = change.schools_remove.into_iter().collect();
    let mut schools = application.schools.clone();
    schools.retain(|school| !removed.contains(school));
    add_schools(&mut schools, change.schools_add)?;
    application.schools = schools;
    if let Some(tier) = change.tier {
        application.tier = tier;
    }
    Ok(Json(application).into_response())
}

/// The application of the path, if the caller authenticates as it.
fn owned<'a>(registry: &'a mut Registry, client_id: &str, headers: &HeaderMap) -> Result<&'a mut Application, Problem> {
    Credentials::from_basic(headers)
        .filter(|credentials| credentials.client_id == client_id)
        .and_then(|credentials| registry.authenticate(&credentials))
        .ok_or_else(unauthorized)
}

fn unauthorized() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "expected the client id and the client secret of this application as Basic credentials",
    )
}

/// Adds what is not yet there, in the order given.
fn add_schools(schools: &mut Vec<Name>, more: Vec<Name>) -> Result<(), Problem> {
    if schools.len().saturating_add(more.len()) > SCHOOLS_MAX {
        return Err(bad_request("too many schools (expected at most 20000)"));
    }
    let mut known: HashSet<Name> = schools.iter().cloned().collect();
    schools.extend(more.into_iter().filter(|school| known.insert(school.clone())));
    Ok(())
}

fn bad_request(detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
