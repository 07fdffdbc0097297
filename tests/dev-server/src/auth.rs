//! The authorization server: applications, the token endpoint, the key set and, for development only,
//! the controls under `/dev`.
//!
//! The vendors of the Student Data API and the district tokens stand beside it, in `vendors` and `districts`.

pub(crate) mod applications;
mod dev;
mod jwks;
mod oauth;
pub(crate) mod secret;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::sync::{Mutex, RwLock};

use self::applications::Registry;
use crate::{
    districts::{self, Districts},
    fault::FaultSwitch,
    keys::{KeySet, SigningKey},
    record::Record,
    vendors::{self, Vendors},
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
    jwks_fault: FaultSwitch,
    jwks_requests: Counter,
    token_requests: Counter,
    /// What reached the other listener.
    upstream: Arc<Record>,
    vendors: Arc<Vendors>,
    districts: Arc<Districts>,
}

impl AuthServer {
    pub(crate) fn new(
        settings: Settings,
        key: SigningKey,
        upstream: Arc<Record>,
        vendors: Arc<Vendors>,
        districts: Arc<Districts>,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            keys: RwLock::new(KeySet::new(key)),
            applications: Mutex::default(),
            jwks_fault: FaultSwitch::default(),
            jwks_requests: Counter::default(),
            token_requests: Counter::default(),
            upstream,
            vendors,
            districts,
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
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The routes of the authorization server.
pub(crate) fn router(server: Arc<AuthServer>) -> Router {
    let vendors = vendors::router(Arc::clone(&server.vendors));
    let districts = districts::router(Arc::clone(&server.districts));
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
        .merge(vendors)
        .merge(districts)
}
