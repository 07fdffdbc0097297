//! Both servers in this process, spoken to over real connections.

mod api;
mod auth;
mod client;
mod districts;
mod students;
mod vendors;

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch};

pub(crate) use self::client::{Answer, Client};
use crate::{
    auth::{AuthServer, Settings},
    districts::Districts,
    keys::{SigningAlg, SigningKey},
    record::Record,
    serve::serve,
    stats::Dataset,
    students::Students,
    vendors::{TokenSecret, Vendors},
};

const ISSUER: &str = "https://auth.example.com/";
const AUDIENCE: &str = "https://api.example.com";

/// Both listeners; they stop when this is dropped.
pub(crate) struct Stack {
    pub(crate) auth: Client,
    pub(crate) api: Client,
    server: Arc<AuthServer>,
    vendors: Arc<Vendors>,
    _stop: watch::Sender<bool>,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::with(SigningAlg::Es256, None).await
    }

    async fn with(alg: SigningAlg, audience: Option<&str>) -> Self {
        let record = Arc::new(Record::default());
        let settings = Settings {
            issuer: ISSUER.to_owned(),
            audience: audience.map(ToOwned::to_owned),
            token_lifetime_s: 3600,
            jwks_max_age_s: 60,
        };
        let key = SigningKey::first(alg).unwrap();
        let vendors = Vendors::built_in(TokenSecret::choose(None, None).unwrap()).unwrap();
        let districts = Districts::built_in().unwrap();
        let auth = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (auth_address, api_address) = (auth.local_addr().unwrap(), api.local_addr().unwrap());
        let endpoints = crate::endpoints::router(auth_address, api_address);
        let api_router = crate::api_router(
            Dataset::built_in().unwrap(),
            Students::built_in().unwrap(),
            Arc::clone(&vendors),
            Arc::clone(&districts),
            endpoints.clone(),
            Arc::clone(&record),
        );
        let server = AuthServer::new(settings, key, record, Arc::clone(&vendors), districts);
        let auth_router = crate::auth::router(Arc::clone(&server)).merge(endpoints);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(auth, auth_router, stopped.clone()));
        tokio::spawn(serve(api, api_router, stopped));
        Self { auth: Client::to(auth_address), api: Client::to(api_address), server, vendors, _stop: stop }
    }

    /// Registers an application for two schools and returns its id and its secret.
    pub(crate) async fn register(&self) -> (String, String) {
        let body = json!({"name": "Dashboards", "tier": "standard",
            "schools": ["oakwood-primary", "ravenscroft-high"]});
        let answer = self.auth.post("/applications", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    async fn ask_token(&self, id: &str, secret: &str) -> Answer {
        let body = json!({"client_id": id, "client_secret": secret, "audience": AUDIENCE,
            "grant_type": "client_credentials"});
        self.auth.post("/oauth/token", &body).await
    }

    async fn token(&self, id: &str, secret: &str) -> String {
        let answer = self.ask_token(id, secret).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// The payload, if the present key set verifies the token.
    async fn verify(&self, token: &str) -> Option<Value> {
        let answer = self.auth.get("/.well-known/jwks.json").await;
        let keys: JwkSet = serde_json::from_value(answer.json()).unwrap();
        let header = decode_header(token).unwrap();
        let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap())?).unwrap();
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[ISSUER]);
        validation.validate_aud = false;
        Some(decode::<Value>(token, &key, &validation).ok()?.claims)
    }
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
