//! Tokens and key sets, made with another library than the one under test. The keys of `tests/keys` are public: never trust
//! them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A signing key of `tests/keys`, or a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Rsa1,
    Rsa2,
    P256No1,
    P256No2,
    Ed25519No1,
    Ed25519No2,
    Secret(&'static [u8]),
}

impl Key {
    /// The algorithm that the key is mostly used with.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Rsa1 | Self::Rsa2 => Algorithm::RS256,
            Self::P256No1 | Self::P256No2 => Algorithm::ES256,
            Self::Ed25519No1 | Self::Ed25519No2 => Algorithm::EdDSA,
            Self::Secret(_) => Algorithm::HS512,
        }
    }

    fn pem(self) -> &'static str {
        match self {
            Self::Rsa1 => include_str!("../../keys/rsa-1.pem"),
            Self::Rsa2 => include_str!("../../keys/rsa-2.pem"),
            Self::P256No1 => include_str!("../../keys/p256-1.pem"),
            Self::P256No2 => include_str!("../../keys/p256-2.pem"),
            Self::Ed25519No1 => include_str!("../../keys/ed25519-1.pem"),
            Self::Ed25519No2 => include_str!("../../keys/ed25519-2.pem"),
            Self::Secret(_) => "",
        }
    }

    fn encoding(self) -> EncodingKey {
        let pem = self.pem().as_bytes();
        match self {
            Self::Rsa1 | Self::Rsa2 => EncodingKey::from_rsa_pem(pem).expect("an RSA key"),
            Self::P256No1 | Self::P256No2 => EncodingKey::from_ec_pem(pem).expect("a P-256 key"),
            Self::Ed25519No1 | Self::Ed25519No2 => EncodingKey::from_ed_pem(pem).expect("an Ed25519 key"),
            Self::Secret(secret) => EncodingKey::from_secret(secret),
        }
    }

    /// The key as a JWK: the public half, or the secret. Without `kid`, `alg` and `use`.
    pub fn jwk(self) -> Value {
        if matches!(self, Self::Ed25519No1 | Self::Ed25519No2) {
            return json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.ed25519_public())});
        }
        let jwk = Jwk::from_encoding_key(&self.encoding(), self.algorithm()).expect("a JWK");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk.as_object_mut().expect("a JWK is an object").remove("alg");
        jwk
    }

    /// The key as a JWK with its `kid`, its algorithm and `use: sig`.
    pub fn named(self, kid: &str) -> Value {
        self.named_for(kid, self.algorithm())
    }

    /// The key as a JWK with its `kid`, this algorithm and `use: sig`.
    pub fn named_for(self, kid: &str, algorithm: Algorithm) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(algorithm);
        jwk["use"] = json!("sig");
        jwk
    }

    fn ed25519_public(self) -> [u8; 32] {
        let text: String = self.pem().lines().filter(|line| !line.starts_with(['-', '#'])).collect();
        let der = STANDARD.decode(text).expect("PEM");
        // RFC 8410: the seed is the last 32 bytes of the PKCS #8 form
        let seed: [u8; 32] = der[der.len() - 32..].try_into().expect("a seed of 32 bytes");
        SigningKey::from_bytes(&seed).verifying_key().to_bytes()
    }
}

/// A key set of these keys.
pub fn jwks(keys: &[Value]) -> Value {
    json!({"keys": keys})
}

/// Seconds since the Unix epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}

/// A token that is not signed yet.
#[derive(Clone, Debug)]
pub struct Token {
    pub header: Value,
    pub claims: Value,
    key: Key,
    algorithm: Algorithm,
}

impl Token {
    /// The token of the Education Data Platform: `tier`, `schools`, `client_id`, `iss`, `exp` and nothing else.
    pub fn education(key: Key, kid: &str) -> Self {
        Self::new(
            key,
            kid,
            json!({
                "tier": "standard",
                "schools": ["oakwood-primary", "ravenscroft-high"],
                "client_id": "YOUR_CLIENT_ID",
                "iss": "https://auth.example.com/",
                "exp": now() + 3600,
            }),
        )
    }

    /// A token with these claims.
    pub fn new(key: Key, kid: &str, claims: Value) -> Self {
        let algorithm = key.algorithm();
        Self { header: json!({"alg": algorithm, "typ": "JWT", "kid": kid}), claims, key, algorithm }
    }

    /// Signs with another algorithm of the same key.
    #[must_use]
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self.header["alg"] = json!(algorithm);
        self
    }

    /// Sets a claim; null removes it.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// Sets a field of the header, whatever is signed; null removes it.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// Signs with another key and leaves the header as it is.
    #[must_use]
    pub fn forged_with(mut self, key: Key) -> Self {
        self.key = key;
        self.algorithm = key.algorithm();
        self
    }

    /// The compact form.
    pub fn sign(&self) -> String {
        sign(self.header.to_string().as_bytes(), self.claims.to_string().as_bytes(), self.key, self.algorithm)
    }
}

/// Signs any bytes as a compact JWS.
pub fn sign(header: &[u8], payload: &[u8], key: Key, algorithm: Algorithm) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = jsonwebtoken::crypto::sign(input.as_bytes(), &key.encoding(), algorithm).expect("a signature");
    format!("{input}.{signature}")
}

fn set(object: &mut Value, name: &str, value: Value) {
    let map = object.as_object_mut().expect("an object");
    if value.is_null() {
        map.remove(name);
    } else {
        map.insert(name.to_owned(), value);
    }
}
