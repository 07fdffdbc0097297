//! The authorization server: applications, the token endpoint, the key set and, for development only,
//! the controls under `/dev`.
//!
//! The login of the Student Data API and the district tokens will be further modules here.

pub(crate) mod applications;
mod dev;
mod jwks;
mod oauth;
mod secret;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::sync::{Mutex, RwLock};

use self::{applications::Registry, jwks::Fault};
use crate::{
    keys::{KeySet, SigningKey},
    record::Record,
};

/// What the command line says about the authorization server.
pub(crate) struct Settings {
    pub(crate) issuer: String,
    /// The one audience that a client may ask for; without it no token carries `aud`.
    pub(crate) audience: Option<String>,
    pub(crate) token_lifetime_s: u64,
    pub(crate) jwks_max_age_s: u64,
}

/// The state of the authorization server, shared by its handlers.
pub(crate) struct AuthServer {
    settings: Settings,
    keys: RwLock<KeySet>,
    applications: Mutex<Registry>,
    jwks_fault: Mutex<Option<Fault>>,
    jwks_requests: Counter,
    token_requests: Counter,
    /// What reached the other listener.
    upstream: Arc<Record>,
}

impl AuthServer {
    pub(crate) fn new(settings: Settings, key: SigningKey, upstream: Arc<Record>) -> Arc<Self> {
        Arc::new(Self {
            settings,
            keys: RwLock::new(KeySet::new(key)),
            applications: Mutex::default(),
            jwks_fault: Mutex::default(),
            jwks_requests: Counter::default(),
            token_requests: Counter::default(),
            upstream,
        })
    }

    /// What is kept of the client secrets.
    #[cfg(test)]
    pub(crate) async fn kept_secrets(&self) -> Vec<Vec<u8>> {
        self.applications.lock().await.kept_secrets()
    }
}

/// A count of requests.
#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The routes of the authorization server.
pub(crate) fn router(server: Arc<AuthServer>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/applications", post(applications::register))
        .route("/applications/{client_id}", get(applications::show).patch(applications::change))
        .route("/oauth/token", post(oauth::token))
        .route("/.well-known/jwks.json", get(jwks::show))
        .route("/dev/rotate-keys", post(dev::rotate_keys))
        .route("/dev/tokens", post(dev::mint_token))
        .route("/dev/jwks-fault", post(jwks::set_fault))
        .route("/dev/stats", get(dev::stats))
        .route("/dev/requests", get(dev::requests).delete(dev::forget_requests))
        .with_state(server)
}
