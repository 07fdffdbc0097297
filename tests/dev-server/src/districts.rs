//! District tokens: what each district shares with each application, and one opaque token for each such pair.
//!
//! A district signs up under `/dev`; the application finds the token in its own list (`/oauth/tokens`), and the gateway
//! learns its SHA-256 from `/v1/district-tokens.json`. Behind the gateway stands the data of the districts ([`api`]).

pub(crate) mod api;
mod dev;
mod lists;
mod shared;

use std::{collections::BTreeMap, error::Error, sync::Arc};

use axum::{
    Router,
    routing::{get, post},
};
use serde::Deserialize;
use tokio::sync::Mutex;

use self::shared::SharedList;
use crate::{
    auth::{Counter, secret::SecretHash},
    fault::FaultSwitch,
    name::Name,
    students::Students,
    vendors::version_now,
};

const BUILT_IN: &str = include_str!("../data/applications.json");

/// All applications, and what districts share with them.
pub(crate) struct Districts {
    students: Students,
    state: Mutex<State>,
    fault: FaultSwitch,
    /// How often the gateway fetched the list.
    pub(crate) requests: Counter,
}

struct State {
    /// By name, which is the application in the list of tokens.
    applications: BTreeMap<String, Application>,
    shared: SharedList,
}

/// An application that districts may share data with.
struct Application {
    tier: Name,
    secret: SecretHash,
}

/// An application of the data file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BuiltIn {
    application: Name,
    tier: Name,
    secret: String,
}

impl Districts {
    /// The applications that come with the server; no district has shared anything yet.
    ///
    /// # Errors
    /// When a file does not fit its format.
    pub(crate) fn built_in() -> Result<Arc<Self>, Box<dyn Error>> {
        let built_in: Vec<BuiltIn> =
            serde_json::from_str(BUILT_IN).map_err(|error| format!("applications: {error}"))?;
        let application = |it: BuiltIn| {
            let application = Application { tier: it.tier, secret: SecretHash::of(&it.secret) };
            (it.application.as_str().to_owned(), application)
        };
        let state = State {
            applications: built_in.into_iter().map(application).collect(),
            shared: SharedList::new(version_now()),
        };
        Ok(Arc::new(Self {
            students: Students::built_in()?,
            state: Mutex::new(state),
            fault: FaultSwitch::default(),
            requests: Counter::default(),
        }))
    }
}

/// What stands on the listener of the authorization server.
pub(crate) fn router(districts: Arc<Districts>) -> Router {
    Router::new()
        .route("/v1/district-tokens.json", get(lists::for_gateway))
        .route("/oauth/tokens", get(lists::for_application))
        .route("/dev/district-applications", post(dev::add_application))
        .route("/dev/districts/share", post(dev::share))
        .route("/dev/districts/withdraw", post(dev::withdraw))
        .route("/dev/district-tokens-fault", post(lists::set_fault))
        .with_state(districts)
}
