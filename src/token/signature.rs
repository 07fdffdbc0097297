//! Signatures (RFC 7515 section 5.2): one verifier behind `jwt-compact`'s [`Algorithm`], one answer wherever it runs.
//!
//! RSA PKCS#1 v1.5 and ECDSA are first offered to the host, whose native code is several times as fast as Rust in a
//! wasm VM; what it does not do is done here. Both ways accept exactly the same signatures: lengths and ranges are
//! checked before either. ES384 has no Rust path; without a host that can, it is refused.
//!
//! Of `jwt-compact` only syntax and the call of the verifier are used: its own claims checks never run ([`super::claims`]
//! does them), and [`super::jose`] has refused every payload that its deserialisation could stumble over. Fractional
//! dates pass both.

use std::borrow::Cow;
use std::convert::Infallible;
use std::rc::Rc;

use jwt_compact::alg::{Hs256, Hs384, Hs512, Rsa};
use jwt_compact::{Algorithm, AlgorithmExt as _, AlgorithmSignature, Empty};
use p256::ecdsa::signature::Verifier as _;
use serde_json::Value;

use super::jose::{self, Alg, TokenError};
use super::keyset::material::Material;
use super::keyset::{Key, KeySet};
use ecdsa::Curve;

mod ecdsa;
#[cfg(test)]
mod tests;

/// Hash functions that a host may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// Native crypto of the host.
pub trait HostCrypto {
    /// Whether `signature` over `message` is that of the key: RSA PKCS#1 v1.5, or ECDSA with a DER signature, by the
    /// key's type. `None`: the host cannot tell; the check is then done here, if there is one.
    fn verify(&self, hash: Hash, spki_der: &[u8], signature: &[u8], message: &[u8]) -> Option<bool>;
}

/// No native crypto.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl HostCrypto for NoHost {
    fn verify(&self, _: Hash, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

/// One signature to check; holds the token, not a copy of it.
#[derive(Debug)]
pub struct Job<'a> {
    token: jwt_compact::UntrustedToken<'a>,
    key: Rc<Key>,
}

impl<'a> Job<'a> {
    pub(super) const fn new(token: jwt_compact::UntrustedToken<'a>, key: Rc<Key>) -> Self {
        Self { token, key }
    }

    /// Whether the key has signed the token.
    pub fn run(&self, host: &dyn HostCrypto) -> bool {
        let verifier = Verifier { alg: self.key.alg(), host };
        verifier.validator::<Empty>(&self.key).validate(&self.token).is_ok()
    }
}

/// The payload of a token that one of `keys` has signed, claims not judged; tokens of up to
/// [`jose::TOKEN_BYTES_MAX`] bytes.
///
/// # Errors
///
/// The token is malformed, no key fits, or the signature is not that of the key.
pub fn verify_compact(keys: &KeySet, token: &[u8], host: &dyn HostCrypto) -> Result<Value, TokenError> {
    let token = jose::parse(token, jose::TOKEN_BYTES_MAX)?;
    let key = keys.select(&token).map_err(TokenError::Key)?;
    let (job, payload) = token.into_job(key);
    if job.run(host) { Ok(payload) } else { Err(TokenError::Signature) }
}

/// Whether `signature` over `message` is that of the key, in the form that JWS has (RFC 7518 section 3).
#[inline(never)]
pub fn verify(key: &Key, message: &[u8], signature: &[u8], host: &dyn HostCrypto) -> bool {
    match &key.material {
        Material::Rsa { public, modulus, spki } => {
            // RFC 8017 section 8.2.2 step 1 and section 5.2.2 step 1.
            if signature.len() != modulus.len() || signature >= modulus.as_slice() {
                return false;
            }
            let native = pkcs1_hash(key.alg()).and_then(|hash| host.verify(hash, spki, signature, message));
            native.unwrap_or_else(|| rsa(key.alg()).is_some_and(|alg| with(&alg, public, message, signature)))
        }
        Material::P256 { public, spki } => {
            let Some(der) = Curve::P256.signature_der(signature) else {
                return false;
            };
            let native = host.verify(Hash::Sha256, spki, &der, message);
            native.unwrap_or_else(|| {
                p256::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| public.verify(message, &signature).is_ok())
            })
        }
        Material::P384 { spki } => {
            let Some(der) = Curve::P384.signature_der(signature) else {
                return false;
            };
            host.verify(Hash::Sha384, spki, &der, message).unwrap_or(false)
        }
        // Strict: refuses points of small order, which would make one signature fit many messages.
        Material::Ed25519(public) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| public.verify_strict(message, &signature).is_ok()),
        Material::Hs256(secret) => with(&Hs256, secret, message, signature),
        Material::Hs384(secret) => with(&Hs384, secret, message, signature),
        Material::Hs512(secret) => with(&Hs512, secret, message, signature),
    }
}

/// One of `jwt-compact`'s algorithms, with the length check that its validator would have made.
fn with<A: Algorithm>(alg: &A, key: &A::VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    if A::Signature::LENGTH.is_some_and(|expected| expected.get() != signature.len()) {
        return false;
    }
    A::Signature::try_from_slice(signature).is_ok_and(|signature| alg.verify_signature(&signature, key, message))
}

const fn pkcs1_hash(alg: Alg) -> Option<Hash> {
    match alg {
        Alg::Rs256 => Some(Hash::Sha256),
        Alg::Rs384 => Some(Hash::Sha384),
        Alg::Rs512 => Some(Hash::Sha512),
        _ => None,
    }
}

const fn rsa(alg: Alg) -> Option<Rsa> {
    match alg {
        Alg::Rs256 => Some(Rsa::rs256()),
        Alg::Rs384 => Some(Rsa::rs384()),
        Alg::Rs512 => Some(Rsa::rs512()),
        Alg::Ps256 => Some(Rsa::ps256()),
        Alg::Ps384 => Some(Rsa::ps384()),
        Alg::Ps512 => Some(Rsa::ps512()),
        _ => None,
    }
}

/// All algorithms as one, for `jwt-compact`; verifies only.
struct Verifier<'h> {
    alg: Alg,
    host: &'h dyn HostCrypto,
}

/// The bytes as the token has them.
struct RawSignature(Vec<u8>);

impl AlgorithmSignature for RawSignature {
    fn try_from_slice(slice: &[u8]) -> anyhow::Result<Self> {
        Ok(Self(slice.to_vec()))
    }

    fn as_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0)
    }
}

impl Algorithm for Verifier<'_> {
    type SigningKey = Infallible;
    type VerifyingKey = Key;
    type Signature = RawSignature;

    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(self.alg.name())
    }

    fn sign(&self, signing_key: &Infallible, _: &[u8]) -> RawSignature {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &RawSignature, key: &Key, message: &[u8]) -> bool {
        verify(key, message, &signature.0, self.host)
    }
}
