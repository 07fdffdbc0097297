//! The vendors of the Student Data API: clients with a plan, users and an access scope, their API keys, and
//! what has been revoked.
//!
//! Both listeners share this state. Beside the authorization server, the gateway fetches `/v1/keys.json` and
//! `/v1/revocations.json`, and `/dev` steers all of it; behind the gateway, users log in (`students`). Of keys
//! and passwords only hashes are kept.

mod api_keys;
mod dev;
mod lists;
mod password;
mod permission_token;
mod revocations;
mod vendor;

use std::{collections::HashMap, error::Error, sync::Arc};

use axum::{
    Router,
    routing::{get, post},
};
use time::OffsetDateTime;
use tokio::sync::Mutex;

pub(crate) use self::permission_token::TokenSecret;
use self::{
    api_keys::KeyList,
    password::{PasswordHash, verify_anyway},
    revocations::RevocationList,
    vendor::{User, Vendor},
};
use crate::{auth::Counter, fault::FaultSwitch};

const BUILT_IN: &str = include_str!("../data/vendors.json");

/// All vendors with what hangs on them.
pub(crate) struct Vendors {
    secret: TokenSecret,
    state: Mutex<State>,
    keys_fault: FaultSwitch,
    revocations_fault: FaultSwitch,
    /// How often the gateway fetched the lists.
    pub(crate) keys_requests: Counter,
    pub(crate) revocations_requests: Counter,
}

struct State {
    /// By client, which is the vendor's id in keys and tokens alike.
    vendors: HashMap<String, Vendor>,
    keys: KeyList,
    revocations: RevocationList,
}

/// Why a login failed.
#[derive(Debug)]
pub(crate) enum LoginError {
    /// Unknown client, unknown user of this client, or not the password: the caller learns no more.
    Invalid,
    /// The token could not be made.
    Server,
}

impl Vendors {
    /// The vendors that come with the server.
    ///
    /// # Errors
    /// When the file does not fit the format.
    pub(crate) fn built_in(secret: TokenSecret) -> Result<Arc<Self>, Box<dyn Error>> {
        let vendors: Vec<Vendor> = serde_json::from_str(BUILT_IN).map_err(|error| format!("vendors: {error}"))?;
        // Versions must not go back when this server starts again while the gateway keeps running.
        let version = version_now();
        let state = State {
            vendors: vendors.into_iter().map(|vendor| (vendor.id.as_str().to_owned(), vendor)).collect(),
            keys: KeyList::new(version),
            revocations: RevocationList::new(version),
        };
        Ok(Arc::new(Self {
            secret,
            state: Mutex::new(state),
            keys_fault: FaultSwitch::default(),
            revocations_fault: FaultSwitch::default(),
            keys_requests: Counter::default(),
            revocations_requests: Counter::default(),
        }))
    }

    /// Exchanges the password of a user of this client for a permission token.
    ///
    /// # Errors
    /// When the user is not one of the client, or the password is wrong.
    pub(crate) async fn log_in(&self, client: &str, email: &str, password: String) -> Result<String, LoginError> {
        let hash = self.password_of(client, email).await;
        // Hashing takes tens of milliseconds of CPU, on purpose.
        let right = tokio::task::spawn_blocking(move || match hash {
            Some(hash) => hash.matches(&password),
            None => verify_anyway(&password),
        });
        match right.await {
            Ok(true) => self.issue_token(client).await,
            Ok(false) => Err(LoginError::Invalid),
            Err(_) => Err(LoginError::Server),
        }
    }

    async fn password_of(&self, client: &str, email: &str) -> Option<PasswordHash> {
        let state = self.state.lock().await;
        let user = state.vendors.get(client)?.users.iter().find(|user| user.email == email)?;
        Some(user.password_hash.clone())
    }

    #[cfg(test)]
    pub(crate) async fn kept_passwords(&self) -> Vec<String> {
        let state = self.state.lock().await;
        let users = state.vendors.values().flat_map(|vendor| &vendor.users);
        users.map(|user| user.password_hash.as_str().to_owned()).collect()
    }
}

/// The first version of a list: milliseconds since the epoch.
pub(crate) fn version_now() -> u64 {
    let ms = OffsetDateTime::now_utc().unix_timestamp_nanos().checked_div(1_000_000);
    ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(1)
}

/// What stands on the listener of the authorization server.
pub(crate) fn router(vendors: Arc<Vendors>) -> Router {
    Router::new()
        .route("/v1/keys.json", get(lists::keys))
        .route("/v1/revocations.json", get(lists::revocations))
        .route("/dev/vendors", post(dev::add_vendor))
        .route("/dev/keys", post(dev::issue_key))
        .route("/dev/keys/rotate", post(dev::rotate_key))
        .route("/dev/scope", post(dev::change_scope))
        .route("/dev/revoke", post(dev::revoke))
        .route("/dev/permission-tokens", post(dev::mint_token))
        .route("/dev/keys-fault", post(lists::set_keys_fault))
        .route("/dev/revocations-fault", post(lists::set_revocations_fault))
        .with_state(vendors)
}
