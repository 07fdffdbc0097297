//! Signatures (RFC 7515 section 5.2): one verifier behind `jwt-compact`'s [`Algorithm`], one answer wherever it runs.
//!
//! RSA PKCS#1 v1.5 and ECDSA are first offered to the host, whose native code is several times as fast as Rust in a
//! wasm VM; what it does not do is done here. Both ways accept exactly the same signatures: lengths and ranges are
//! checked before either. ES384 has no Rust path; without a host that can, it is refused.
//!
//! What Rust checks, `jwt-compact` reads and checks as a whole, with that verifier; what the host has answered for, it need
//! not read once more. Its own claims checks never run ([`super::claims`] does them), and [`super::jose`] has refused
//! every header and payload that its deserialisation could stumble over. Fractional dates pass both.

use std::borrow::Cow;
use std::convert::Infallible;
use std::rc::Rc;

use jwt_compact::alg::{Hs256, Hs384, Hs512, Rsa};
use jwt_compact::{Algorithm, AlgorithmExt as _, AlgorithmSignature, Empty};
use p256::ecdsa::signature::Verifier as _;
use serde_json::Value;

use super::jose::{self, Alg, Payload, TokenError, UntrustedToken};
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

/// What the check of a signature needs beside the token.
#[derive(Debug)]
pub struct Check {
    key: Rc<Key>,
    alg: Alg,
    message_len: usize,
    signature: Vec<u8>,
}

impl<'a> UntrustedToken<'a> {
    /// Splits into the check of the signature and what may be believed once it succeeds.
    pub fn into_check(self, key: Rc<Key>) -> (Check, Payload) {
        let (alg, message_len, signature, payload) = self.into_parts();
        (Check { key, alg, message_len, signature }, payload)
    }

    /// The same, ready to run.
    pub fn into_job(self, key: Rc<Key>) -> (Job<'a>, Payload) {
        let token = self.text().as_bytes();
        let (check, payload) = self.into_check(key);
        (check.of(token), payload)
    }
}

impl Check {
    /// The check of this token: the one that it was made from.
    pub const fn of(self, token: &[u8]) -> Job<'_> {
        Job { token, check: self }
    }
}

/// One signature to check; holds the token, not a copy of it.
#[derive(Debug)]
pub struct Job<'a> {
    token: &'a [u8],
    check: Check,
}

impl Job<'_> {
    /// Whether the key has signed the token.
    pub fn run(&self, host: &dyn HostCrypto) -> bool {
        let Check { key, alg, message_len, signature } = &self.check;
        let message = self.token.get(..*message_len).filter(|_| key.alg() == *alg);
        message.is_some_and(|message| native(key, message, signature, host).unwrap_or_else(|| self.run_here()))
    }

    /// What is not for the host to check, `jwt-compact` reads and checks as a whole.
    #[inline(never)]
    fn run_here(&self) -> bool {
        let token = std::str::from_utf8(self.token).ok().and_then(untrusted);
        token.is_some_and(|token| is_valid(&self.check.key, &token))
    }
}

#[inline(never)]
fn untrusted(token: &str) -> Option<jwt_compact::UntrustedToken<'_>> {
    jwt_compact::UntrustedToken::new(token).ok()
}

#[inline(never)]
fn is_valid(key: &Key, token: &jwt_compact::UntrustedToken<'_>) -> bool {
    // By the token's own name of the algorithm, as far as it is one of the key's.
    let name = Some(token.algorithm()).filter(|name| Alg::from_name(name) == Some(key.alg()));
    Verifier(name.unwrap_or(key.alg().name())).validator::<Empty>(key).validate(token).is_ok()
}

/// The payload of a token that one of `keys` has signed, claims not judged; tokens of up to
/// [`jose::TOKEN_BYTES_MAX`] bytes. For tests and tools.
///
/// # Errors
///
/// The token is malformed, no key fits, or the signature is not that of the key.
pub fn verify_compact(keys: &KeySet, token: &[u8], host: &dyn HostCrypto) -> Result<Value, TokenError> {
    let token = jose::parse(token, jose::TOKEN_BYTES_MAX)?;
    let key = keys.select(&token).map_err(TokenError::Key)?;
    let payload = token.payload_as_value()?;
    let (job, _) = token.into_job(key);
    if job.run(host) { Ok(payload) } else { Err(TokenError::Signature) }
}

/// Whether `signature` over `message` is that of the key, in the form that JWS has (RFC 7518 section 3).
#[inline(never)]
pub fn verify(key: &Key, message: &[u8], signature: &[u8], host: &dyn HostCrypto) -> bool {
    native(key, message, signature, host).unwrap_or_else(|| own(key, message, signature))
}

/// What the host says; `None`: it cannot tell, or is not asked. A signature of a wrong form it does not see.
fn native(key: &Key, message: &[u8], signature: &[u8], host: &dyn HostCrypto) -> Option<bool> {
    match &key.material {
        Material::Rsa { modulus, .. } if !is_rsa_signature(modulus, signature) => Some(false),
        Material::Rsa { spki, .. } => host.verify(pkcs1_hash(key.alg())?, spki, signature, message),
        Material::P256 { spki, .. } => match Curve::P256.signature_der(signature) {
            Some(der) => host.verify(Hash::Sha256, spki, &der, message),
            None => Some(false),
        },
        // There is no Rust for it.
        Material::P384 { spki } => {
            let der = Curve::P384.signature_der(signature);
            Some(der.and_then(|der| host.verify(Hash::Sha384, spki, &der, message)).unwrap_or(false))
        }
        Material::Ed25519(_) | Material::Hs256(_) | Material::Hs384(_) | Material::Hs512(_) => None,
    }
}

/// The same in Rust.
#[inline(never)]
fn own(key: &Key, message: &[u8], signature: &[u8]) -> bool {
    match &key.material {
        Material::Rsa { public, modulus, .. } => {
            let alg = rsa(key.alg()).filter(|_| is_rsa_signature(modulus, signature));
            alg.is_some_and(|alg| with(&alg, public, message, signature))
        }
        Material::P256 { public, .. } => is_of_p256(public, message, signature),
        Material::P384 { .. } => false,
        Material::Ed25519(public) => is_of_ed25519(public, message, signature),
        Material::Hs256(secret) => with(&Hs256, secret, message, signature),
        Material::Hs384(secret) => with(&Hs384, secret, message, signature),
        Material::Hs512(secret) => with(&Hs512, secret, message, signature),
    }
}

#[inline(never)]
fn is_of_p256(public: &p256::ecdsa::VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    p256::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| public.verify(message, &signature).is_ok())
}

/// Strict: refuses points of small order, which would make one signature fit many messages.
#[inline(never)]
fn is_of_ed25519(public: &ed25519_dalek::VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    ed25519_dalek::Signature::from_slice(signature)
        .is_ok_and(|signature| public.verify_strict(message, &signature).is_ok())
}

/// RFC 8017 section 8.2.2 step 1 and section 5.2.2 step 1.
fn is_rsa_signature(modulus: &[u8], signature: &[u8]) -> bool {
    signature.len() == modulus.len() && signature < modulus
}

/// One of `jwt-compact`'s algorithms, with the length check that its validator would have made.
#[inline(never)]
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

/// All algorithms that Rust checks as one, for `jwt-compact`, under the name that a token has for it; verifies only.
struct Verifier<'n>(&'n str);

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
        Cow::Owned(self.0.to_owned())
    }

    fn sign(&self, signing_key: &Infallible, _: &[u8]) -> RawSignature {
        match *signing_key {}
    }

    fn verify_signature(&self, signature: &RawSignature, key: &Key, message: &[u8]) -> bool {
        own(key, message, &signature.0)
    }
}
