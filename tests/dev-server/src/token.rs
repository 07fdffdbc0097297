//! Tokens in JWS compact form (RFC 7515): those of the token endpoint, and those that tests ask for.
//!
//! Header and payload are texts here, so that a test may mint what no honest server would issue.

use std::str::FromStr as _;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey, crypto, errors::Error as JwtError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{keys::SigningKey, name::Name};

/// The payload of an issued token; the order is the order on the wire.
#[derive(Serialize)]
pub(crate) struct Claims<'a> {
    pub(crate) tier: &'a Name,
    pub(crate) schools: &'a [Name],
    pub(crate) client_id: &'a str,
    pub(crate) iss: &'a str,
    /// Seconds since the epoch.
    pub(crate) exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aud: Option<&'a str>,
}

/// The payload of a permission token; the order is the order on the wire.
#[derive(Serialize)]
pub(crate) struct PermissionClaims<'a> {
    pub(crate) iss: &'a str,
    pub(crate) vendor: &'a str,
    pub(crate) districts: &'a [Name],
    pub(crate) schools: &'a [Name],
    pub(crate) permissions: &'a [Name],
    pub(crate) jti: &'a str,
    /// Seconds since the epoch, like `exp`.
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

/// What a test asks for: any payload, under any header, signed by any key or by none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mint {
    /// Taken byte for byte, so that duplicate members and odd numbers survive.
    claims: Box<RawValue>,
    /// Default: that of the signing key. `none` leaves the signature empty.
    alg: Option<String>,
    /// Default: the id of the signing key.
    kid: Option<String>,
    /// The secret of an HMAC as text, or a private key in PEM (PKCS#8 for EC and Ed25519).
    key: Option<String>,
    /// Further members of the header; they win over the others, and null removes one.
    #[serde(default)]
    header: Map<String, Value>,
}

/// Signs the payload as the authorization server does.
///
/// # Errors
/// When serializing or signing fails.
pub(crate) fn issue(key: &SigningKey, claims: &Claims<'_>) -> Result<String, JwtError> {
    let header = header(key.alg.name(), &key.kid);
    let input = signing_input(&header, &serde_json::to_string(claims)?)?;
    let signature = crypto::sign(input.as_bytes(), &key.private, key.alg.algorithm())?;
    Ok(format!("{input}.{signature}"))
}

/// Signs a payload, given as text, with HS512 as the login of the Student Data API does.
///
/// # Errors
/// When signing fails.
pub(crate) fn sign_hs512(secret: &[u8], payload: &str) -> Result<String, JwtError> {
    let header = Map::from_iter([("alg".to_owned(), json!("HS512")), ("typ".to_owned(), json!("JWT"))]);
    let input = signing_input(&header, payload)?;
    let signature = crypto::sign(input.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS512)?;
    Ok(format!("{input}.{signature}"))
}

/// Makes the token that a test asks for.
///
/// # Errors
/// When the algorithm is unknown, or the key is missing or does not fit it.
pub(crate) fn mint(signing: &SigningKey, request: &Mint) -> Result<String, JwtError> {
    let alg = request.alg.as_deref().unwrap_or(signing.alg.name());
    let mut header = header(alg, request.kid.as_deref().unwrap_or(&signing.kid));
    header.extend(request.header.clone());
    header.retain(|_, value| !value.is_null());
    let input = signing_input(&header, request.claims.get())?;
    let signature = match alg {
        "none" => String::new(),
        name => sign(signing, name, request.key.as_deref(), input.as_bytes())?,
    };
    Ok(format!("{input}.{signature}"))
}

fn sign(signing: &SigningKey, alg: &str, key: Option<&str>, input: &[u8]) -> Result<String, JwtError> {
    let algorithm = Algorithm::from_str(alg)?;
    let Some(key) = key.map(str::as_bytes) else {
        return crypto::sign(input, &signing.private, algorithm);
    };
    let key = match algorithm.family() {
        AlgorithmFamily::Hmac => EncodingKey::from_secret(key),
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(key)?,
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(key)?,
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(key)?,
    };
    crypto::sign(input, &key, algorithm)
}

fn header(alg: &str, kid: &str) -> Map<String, Value> {
    Map::from_iter([("alg".to_owned(), json!(alg)), ("kid".to_owned(), json!(kid)), ("typ".to_owned(), json!("JWT"))])
}

fn signing_input(header: &Map<String, Value>, payload: &str) -> Result<String, JwtError> {
    let header = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(header)?);
    let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
    Ok(format!("{header}.{payload}"))
}
