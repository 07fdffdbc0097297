//! A small configuration and its tokens, for tests of what does not depend on the rest of it.

use serde_json::{Value, json};

use super::server::KeyServer;
use super::tokens::{Key, Token, jwks, now};

/// The issuer of [`token`].
pub const ISSUER: &str = "https://auth.example.com/";
/// Long enough that nothing comes back during a test.
pub const NEVER: &str = "366d";

/// One issuer with the key `k`; one tier, `standard`, with these limits; every path is guarded.
pub fn config(limits: &Value) -> Value {
    json!({
        "issuers": [issuer(&json!({"inline": key_set()}))],
        "tiers": {"standard": {"limits": limits}},
        "routes": [{"match": {"path": "/"}}],
    })
}

/// The same with keys of a [`KeyServer`] behind the cluster `auth`; `extra` goes into `jwks.remote`.
pub fn remote_config(extra: &Value) -> Value {
    let mut remote = json!({"uri": "http://auth.example.com/jwks", "cluster": "auth", "cooldown": "100ms"});
    for (name, value) in extra.as_object().expect("an object") {
        remote[name] = value.clone();
    }
    let mut config = config(&json!([]));
    config["issuers"] = json!([issuer(&json!({"remote": remote}))]);
    config
}

/// An issuer with these keys that reads client, tier and schools.
pub fn issuer(jwks: &Value) -> Value {
    json!({
        "issuer": ISSUER,
        "jwks": jwks,
        "claims": {"client": "client_id", "tier": "tier", "schools": "schools"},
    })
}

/// A limit of requests that never come back during a test.
pub fn total(name: &str, requests: u32) -> Value {
    json!({"name": name, "requests": requests, "per": NEVER})
}

/// The key set of [`token`].
pub fn key_set() -> Value {
    jwks(&[Key::P256No1.named("k")])
}

/// A server of [`key_set`].
pub fn key_server() -> KeyServer {
    KeyServer::start(&key_set())
}

/// A token of this client, of the tier `standard`.
pub fn token(client: &str) -> Token {
    let claims =
        json!({"tier": "standard", "schools": ["oakwood"], "client_id": client, "iss": ISSUER, "exp": now() + 600});
    Token::new(Key::P256No1, "k", claims)
}
