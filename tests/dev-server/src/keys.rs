//! The signing key and the public key set (RFC 7517).
//!
//! The first RS256 key is a fixed development key, since generating one costs up to a second; rotation
//! generates. A key id is the RFC 7638 thumbprint, so the same key has the same id in every run.

use clap::ValueEnum;
use jsonwebtoken::{
    Algorithm, EncodingKey,
    errors::{Error as JwtError, ErrorKind},
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use p256::pkcs8::EncodePrivateKey as _;
use rand::rngs::OsRng;
use rsa::{RsaPrivateKey, pkcs1::EncodeRsaPrivateKey as _};
use serde::Deserialize;

const DEVELOPMENT_ONLY_PEM: &[u8] = include_bytes!("../keys/development-only.pem");
const RSA_BITS: usize = 2048;

/// The kinds of keys that the authorization server signs with, by their JOSE names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
pub(crate) enum SigningAlg {
    /// RSA with SHA-256, PKCS#1 v1.5
    #[value(name = "RS256")]
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA over P-256 with SHA-256
    #[value(name = "ES256")]
    #[serde(rename = "ES256")]
    Es256,
}

impl SigningAlg {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// A private key with its public half as a JWK.
pub(crate) struct SigningKey {
    pub(crate) alg: SigningAlg,
    pub(crate) kid: String,
    pub(crate) private: EncodingKey,
    public: Jwk,
}

impl SigningKey {
    /// The key that the server starts with.
    ///
    /// # Errors
    /// When the library refuses the key.
    pub(crate) fn first(alg: SigningAlg) -> Result<Self, JwtError> {
        match alg {
            SigningAlg::Rs256 => Self::new(alg, EncodingKey::from_rsa_pem(DEVELOPMENT_ONLY_PEM)?),
            SigningAlg::Es256 => Self::generate(alg),
        }
    }

    /// A fresh key. RSA takes up to a second of CPU: call it where blocking is allowed.
    ///
    /// # Errors
    /// When the library refuses to generate or to encode.
    pub(crate) fn generate(alg: SigningAlg) -> Result<Self, JwtError> {
        let private = match alg {
            SigningAlg::Rs256 => {
                let key = RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(generation)?;
                EncodingKey::from_rsa_der(key.to_pkcs1_der().map_err(generation)?.as_bytes())
            }
            SigningAlg::Es256 => {
                let key = p256::SecretKey::random(&mut OsRng);
                EncodingKey::from_ec_der(key.to_pkcs8_der().map_err(generation)?.as_bytes())
            }
        };
        Self::new(alg, private)
    }

    fn new(alg: SigningAlg, private: EncodingKey) -> Result<Self, JwtError> {
        let mut public = Jwk::from_encoding_key(&private, alg.algorithm())?;
        let kid = public.thumbprint(ThumbprintHash::SHA256);
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { alg, kid, private, public })
    }
}

/// The texts of the libraries name the failed step, never key material.
fn generation(error: impl std::fmt::Display) -> JwtError {
    ErrorKind::Provider(error.to_string()).into()
}

/// What becomes of the old key in a rotation.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rotation {
    /// Its public half stays in the key set, so that its tokens stay valid.
    Add,
    /// Only the new key remains: tokens of every older key are refused from now on.
    Replace,
}

/// One signing key, and older ones that still verify.
pub(crate) struct KeySet {
    signing: SigningKey,
    retired: Vec<Jwk>,
}

impl KeySet {
    pub(crate) fn new(signing: SigningKey) -> Self {
        Self { signing, retired: Vec::new() }
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn rotate(&mut self, fresh: SigningKey, rotation: Rotation) {
        let old = std::mem::replace(&mut self.signing, fresh);
        match rotation {
            Rotation::Add => self.retired.insert(0, old.public),
            Rotation::Replace => self.retired.clear(),
        }
    }

    /// The public keys, the signing one first.
    pub(crate) fn jwks(&self) -> JwkSet {
        let keys = std::iter::once(&self.signing.public).chain(&self.retired).cloned().collect();
        JwkSet { keys }
    }
}
