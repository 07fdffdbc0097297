//! One JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2): its purpose, its algorithm, its numbers.
//!
//! Private members (`d`, `p`, ...) refuse a key of the configuration, where nobody should find them; in a set from the network
//! they are ignored, as are certificates (`x5c`, `x5u`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::material::Material;
use super::{Origin, SkipReason};
use crate::credentials::jwt::jose::Alg;

/// What a JWK verifies with.
#[inline(never)]
pub(super) fn read(jwk: &Value, origin: Origin) -> Result<(Alg, Material), SkipReason> {
    if !jwk.is_object() {
        return Err(SkipReason::Malformed("keys"));
    }
    if let (Origin::Inline, Some(name)) = (origin, private_member(jwk)) {
        return Err(SkipReason::Private(name));
    }
    judge_purpose(jwk)?;
    let kind = Kind::of(jwk, origin)?;
    let alg = kind.alg(jwk)?;
    Ok((alg, kind.material(jwk, alg)?))
}

/// What makes a key of a pair the private one: RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2, and `AKP` of later ones.
/// A shared secret (`oct`) has none of them.
fn private_member(jwk: &Value) -> Option<&'static str> {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"].into_iter().find(|name| jwk.get(name).is_some())
}

/// `use` and `key_ops`: RFC 7517 sections 4.2 and 4.3; absent means anything.
#[inline(never)]
fn judge_purpose(jwk: &Value) -> Result<(), SkipReason> {
    match jwk.get("use") {
        None => {}
        Some(Value::String(usage)) if usage == "sig" => {}
        Some(Value::String(_)) => return Err(SkipReason::Purpose),
        Some(_) => return Err(SkipReason::Malformed("use")),
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(ops)) if ops.iter().any(|op| op == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(SkipReason::Purpose),
        Some(_) => Err(SkipReason::Malformed("key_ops")),
    }
}

/// `kty` with `crv`.
#[derive(Clone, Copy)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    Secret,
}

impl Kind {
    #[inline(never)]
    fn of(jwk: &Value, origin: Origin) -> Result<Self, SkipReason> {
        match (text(jwk, "kty")?, origin) {
            ("RSA", _) => Ok(Self::Rsa),
            ("EC", _) => match text(jwk, "crv")? {
                "P-256" => Ok(Self::P256),
                "P-384" => Ok(Self::P384),
                _ => Err(SkipReason::Unsupported),
            },
            ("OKP", _) => match text(jwk, "crv")? {
                "Ed25519" => Ok(Self::Ed25519),
                _ => Err(SkipReason::Unsupported),
            },
            ("oct", Origin::Inline) => Ok(Self::Secret),
            ("oct", Origin::Remote) => Err(SkipReason::SecretInRemoteSet),
            _ => Err(SkipReason::Unsupported),
        }
    }

    /// What a key of this kind may be for; the first is meant where the key does not say.
    const fn algs(self) -> &'static [Alg] {
        match self {
            Self::Rsa => &[Alg::Rs256, Alg::Rs384, Alg::Rs512, Alg::Ps256, Alg::Ps384, Alg::Ps512],
            Self::P256 => &[Alg::Es256],
            Self::P384 => &[Alg::Es384],
            Self::Ed25519 => &[Alg::EdDsa],
            Self::Secret => &[Alg::Hs256, Alg::Hs384, Alg::Hs512],
        }
    }

    fn alg(self, jwk: &Value) -> Result<Alg, SkipReason> {
        let algs = self.algs();
        if jwk.get("alg").is_none() {
            return algs.first().copied().ok_or(SkipReason::Unsupported);
        }
        let alg = Alg::from_name(text(jwk, "alg")?).ok_or(SkipReason::Unsupported)?;
        if algs.contains(&alg) { Ok(alg) } else { Err(SkipReason::AlgOfOtherType) }
    }

    #[inline(never)]
    fn material(self, jwk: &Value, alg: Alg) -> Result<Material, SkipReason> {
        match self {
            Self::Rsa => Material::rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?),
            Self::P256 => Material::p256(&bytes(jwk, "x")?, &bytes(jwk, "y")?),
            Self::P384 => Material::p384(&bytes(jwk, "x")?, &bytes(jwk, "y")?),
            Self::Ed25519 => Material::ed25519(&bytes(jwk, "x")?),
            Self::Secret => Material::secret(alg, &bytes(jwk, "k")?),
        }
    }
}

fn text<'a>(jwk: &'a Value, name: &'static str) -> Result<&'a str, SkipReason> {
    jwk.get(name).and_then(Value::as_str).ok_or(SkipReason::Malformed(name))
}

fn bytes(jwk: &Value, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| SkipReason::Malformed(name))
}
