//! Claims (RFC 7519 section 4): what a token must say, and what it says about the caller.
//!
//! Dates are `NumericDate`s, fractions included, from 1970 to the end of the year 9999. Whatever goes into a header is
//! visible ASCII without comma, quote and backslash, so that no value can end its list, its header or its quotes; a
//! token with any other value is refused whole, never trimmed. `null` counts as absent, but for the claims of RFC 7519,
//! whose types are fixed.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::jose::{Payload, TokenType};
use crate::credentials::reason::Reason;
use crate::values::json::tape::Node;
use crate::values::text::{VALUE_BYTES_MAX, is_plain};
use crate::values::time::{Timestamp, date_of, micros};

mod source;
#[cfg(test)]
mod tests;

pub use source::{ClaimPath, ClaimSource, ListForm};

/// Most schools in one token: what a header may hold is bounded in bytes elsewhere, this bounds the work before.
pub const SCHOOLS_MAX: usize = 10_000;

/// Names of the claims that describe the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The client's id: a string; always required.
    pub client: ClaimSource,
    /// The tier's name: a string; `None`: every token of the issuer has the issuer's default tier.
    pub tier: Option<ClaimSource>,
    /// The approved schools: a list; `None`: tokens of this issuer carry no schools.
    pub schools: Option<ClaimSource>,
    /// What else is granted.
    pub grants: GrantNames,
}

/// Names of the claims that grant more than schools; a claim that is named must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantNames {
    /// The approved districts: a list.
    pub districts: Option<ClaimSource>,
    /// Permission flags: a list.
    pub permissions: Option<ClaimSource>,
    /// Which schools belong to a district: an object of lists. May be absent.
    pub district_schools: Option<ClaimSource>,
    /// The token's id, by which it can be revoked: a string. May be absent.
    pub id: Option<ClaimPath>,
}

/// What a token of one issuer must satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// `iss`, compared byte by byte.
    pub issuer: String,
    /// Accepted `aud` values; empty: `aud` is not judged.
    pub audiences: Vec<String>,
    /// Tolerance for `exp`, `nbf` and `iat`.
    pub clock_skew: Duration,
    /// Longest accepted `exp - iat`; with it `iat` is required.
    pub lifetime_max: Option<Duration>,
    /// Claims that must be present and not null.
    pub required: Vec<RequiredClaim>,
    /// Accepted `typ` of the header; empty: all that are known, and none.
    pub types: Vec<TokenType>,
    /// What becomes of tokens that are bound to a key or a certificate.
    pub bound_tokens: BoundTokens,
    /// Which claims describe the caller.
    pub names: ClaimNames,
    /// Further claims for the upstream.
    pub forwarded: Vec<ClaimPath>,
}

/// A claim that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredClaim {
    /// Where.
    pub path: ClaimPath,
    /// What it must be, or, as an array, hold: one of these strings; empty: anything.
    pub values: Vec<String>,
}

/// What becomes of tokens with `cnf` (RFC 7800): of no use to a thief who lacks the key that they are bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BoundTokens {
    /// They are refused, since nothing proves that the client has the key.
    #[default]
    Refuse,
    /// They pass as if they were bound to nothing.
    Ignore,
    /// They pass where the client's certificate is the one that they are bound to (RFC 8705 section 3).
    Mtls,
}

/// SHA-256 of a client's certificate, as DER.
pub type CertificateDigest = [u8; 32];

/// What a valid token says about its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The client's id.
    pub client: String,
    /// The tier's name; `None` where the issuer's tokens carry none.
    pub tier: Option<String>,
    /// The approved schools, each once, in the order of the token; `None` where the issuer's tokens carry none.
    pub schools: Option<Vec<String>>,
    /// The approved districts, likewise.
    pub districts: Option<Vec<String>>,
    /// Permission flags, likewise.
    pub permissions: Option<Vec<String>>,
    /// Which schools belong to which district.
    pub district_schools: Vec<(String, Vec<String>)>,
    /// What it says of [`ClaimRules::forwarded`], in that order; `None`: nothing.
    pub forwarded: Vec<Option<Forwarded>>,
    /// The token's id.
    pub id: Option<String>,
    /// The certificate that it is bound to, where that counts.
    pub certificate: Option<CertificateDigest>,
    /// When it was issued, without tolerance.
    pub issued_at: Option<Timestamp>,
    /// The token is valid from this moment, tolerance included,
    pub not_before: Timestamp,
    /// and up to, but not at, this moment, tolerance included.
    pub not_after: Timestamp,
}

/// A claim for the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// A string, a whole number that is not negative, or a boolean, in the letters of JSON. Safe in a header.
    Text(String),
    /// A list of strings, each once and safe in a header.
    List(Vec<String>),
}

/// Why claims are refused. Quotes names of claims, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// The claim is absent or null.
    Missing(Claim),
    /// The claim has a wrong type or an unacceptable value.
    Invalid(Claim),
    /// One of `required_claims` has none of its values.
    Value(String),
    /// `typ` of the header is none of the issuer's.
    Type,
    /// The token is bound, and nothing proves by what.
    Bound,
    /// `events` is there: a logout token (`OpenID` Connect Back-Channel Logout 1.0), or another security event (RFC 8417).
    Logout,
    /// `iss` is another one.
    Issuer,
    /// `aud` names no accepted audience.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` is in the future.
    NotYetValid(&'static str),
    /// `exp - iat` is longer than the issuer may grant.
    Lifetime,
    /// A list of more than [`SCHOOLS_MAX`] ids.
    TooManyIds(Reason),
}

/// A claim that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it is read for.
    pub reason: Reason,
    /// Its name, or the pointer to it.
    pub name: String,
}

impl Claim {
    fn new(reason: Reason, name: &str) -> Self {
        Self { reason, name: name.to_owned() }
    }
}

impl ClaimError {
    /// The same as one word.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Missing(claim) | Self::Invalid(claim) => claim.reason,
            Self::Value(_) => Reason::Required,
            Self::Type => Reason::Type,
            Self::Bound => Reason::Bound,
            Self::Logout => Reason::Logout,
            Self::Issuer => Reason::Issuer,
            Self::Audience => Reason::Audience,
            Self::Expired => Reason::Expired,
            Self::NotYetValid(_) => Reason::NotBefore,
            Self::Lifetime => Reason::Lifetime,
            Self::TooManyIds(reason) => *reason,
        }
    }
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(Claim { name, .. }) => write!(f, "claim `{name}` is missing"),
            Self::Invalid(Claim { name, .. }) => write!(f, "claim `{name}` is invalid"),
            Self::Value(name) => write!(f, "claim `{name}` has none of the required values"),
            Self::Type => f.write_str("header has a `typ` that its issuer's tokens may not have"),
            Self::Bound => f.write_str("token is bound to a key that nothing proves"),
            Self::Logout => f.write_str("token has `events`, as logout tokens do"),
            Self::Issuer => f.write_str("claim `iss` names another issuer"),
            Self::Audience => f.write_str("claim `aud` names no accepted audience"),
            Self::Expired => f.write_str("token has expired"),
            Self::NotYetValid(name) => write!(f, "claim `{name}` is in the future"),
            Self::Lifetime => f.write_str("token lives longer than allowed"),
            Self::TooManyIds(reason) => {
                write!(f, "{} has too many ids (expected at most {SCHOOLS_MAX})", reason.name())
            }
        }
    }
}

impl std::error::Error for ClaimError {}

impl ClaimRules {
    /// Validates the payload of a token whose signature is good.
    ///
    /// # Errors
    ///
    /// The first rule that the payload breaks: issuer, time, kind of token, audience, required claims, then who is calling.
    pub fn validate(&self, token: &Payload, now: Timestamp) -> Result<Claims, ClaimError> {
        let payload = token.claims.root();
        self.check_issuer(payload)?;
        let (not_before, not_after) = self.window(payload, now)?;
        self.check_kind(token)?;
        self.check_audience(payload)?;
        for required in &self.required {
            required.check(payload)?;
        }
        check_names(payload)?;
        let grants = &self.names.grants;
        let list = |claim: Option<&ClaimSource>, reason| {
            claim.map(|claim| claim.ids(reason, claim.path.require(reason, payload)?)).transpose()
        };
        Ok(Claims {
            client: self.names.client.value(Reason::Client, payload)?,
            tier: self.names.tier.as_ref().map(|tier| tier.value(Reason::Tier, payload)).transpose()?,
            schools: list(self.names.schools.as_ref(), Reason::Schools)?,
            districts: list(grants.districts.as_ref(), Reason::Districts)?,
            permissions: list(grants.permissions.as_ref(), Reason::Permissions)?,
            district_schools: district_schools(grants.district_schools.as_ref(), payload)?,
            forwarded: self.forwarded.iter().map(|path| forwarded(path, payload)).collect::<Result<_, _>>()?,
            id: token_id(grants.id.as_ref(), payload)?,
            certificate: self.certificate(payload)?,
            issued_at: date(payload, "iat", Reason::Iat)?,
            not_before,
            not_after,
        })
    }

    fn check_issuer(&self, payload: Node<'_>) -> Result<(), ClaimError> {
        let value = payload.get("iss").filter(|value| !value.is_null());
        let value = value.ok_or_else(|| ClaimError::Missing(Claim::new(Reason::Issuer, "iss")))?;
        match value.text() {
            Some(issuer) if issuer == self.issuer => Ok(()),
            Some(_) => Err(ClaimError::Issuer),
            None => Err(ClaimError::Invalid(Claim::new(Reason::Issuer, "iss"))),
        }
    }

    /// That the token is one for access: its `typ`, and no security event.
    fn check_kind(&self, token: &Payload) -> Result<(), ClaimError> {
        if token.claims.root().get("events").is_some() {
            return Err(ClaimError::Logout);
        }
        let is_accepted = self.types.is_empty() || token.typ.is_some_and(|typ| self.types.contains(&typ));
        if is_accepted { Ok(()) } else { Err(ClaimError::Type) }
    }

    /// The certificate that the token is bound to. One that is bound to anything else as well is refused: nothing proves that.
    fn certificate(&self, payload: Node<'_>) -> Result<Option<CertificateDigest>, ClaimError> {
        let Some(bound) = payload.get("cnf").filter(|_| self.bound_tokens != BoundTokens::Ignore) else {
            return Ok(None);
        };
        let digest = || {
            let text = bound.get("x5t#S256").filter(|_| bound.len() == 1)?.text()?;
            URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
        };
        let digest = if self.bound_tokens == BoundTokens::Mtls { digest() } else { None };
        digest.map(Some).ok_or(ClaimError::Bound)
    }

    /// From when and up to when the token is valid; `now` must be within.
    fn window(&self, payload: Node<'_>, now: Timestamp) -> Result<(Timestamp, Timestamp), ClaimError> {
        let exp = date(payload, "exp", Reason::Exp)?
            .ok_or_else(|| ClaimError::Missing(Claim::new(Reason::Lifetime, "exp")))?;
        let issued_at = date(payload, "iat", Reason::Iat)?;
        let mut not_before = Timestamp::default();
        for (name, moment) in [("nbf", date(payload, "nbf", Reason::Nbf)?), ("iat", issued_at)] {
            let Some(moment) = moment else { continue };
            let earliest = Timestamp::from_micros(moment.micros().saturating_sub(micros(self.clock_skew)));
            if now < earliest {
                return Err(ClaimError::NotYetValid(name));
            }
            not_before = not_before.max(earliest);
        }
        let not_after = exp.after(self.clock_skew);
        if now >= not_after {
            return Err(ClaimError::Expired);
        }
        self.check_lifetime(issued_at, exp)?;
        Ok((not_before, not_after))
    }

    fn check_lifetime(&self, issued_at: Option<Timestamp>, exp: Timestamp) -> Result<(), ClaimError> {
        let Some(lifetime_max) = self.lifetime_max else {
            return Ok(());
        };
        let issued_at = issued_at.ok_or_else(|| ClaimError::Missing(Claim::new(Reason::Lifetime, "iat")))?;
        if exp.since(issued_at) > lifetime_max { Err(ClaimError::Lifetime) } else { Ok(()) }
    }

    /// RFC 7519 section 4.1.3: a string or strings, also where no audience is configured.
    fn check_audience(&self, payload: Node<'_>) -> Result<(), ClaimError> {
        let is_accepted = |audience: &str| self.audiences.iter().any(|accepted| accepted == audience);
        let missing = || ClaimError::Missing(Claim::new(Reason::Audience, "aud"));
        let invalid = || ClaimError::Invalid(Claim::new(Reason::Audience, "aud"));
        let Some(value) = payload.get("aud") else {
            return if self.audiences.is_empty() { Ok(()) } else { Err(missing()) };
        };
        if value.is_null() && !self.audiences.is_empty() {
            return Err(missing());
        }
        let found = match (value.text(), value.elements()) {
            (Some(audience), _) => is_accepted(audience),
            (None, Some(list)) if !value.is_empty() => {
                let mut names = list.map(Node::text);
                if names.clone().any(|name| name.is_none()) {
                    return Err(invalid());
                }
                names.any(|name| name.is_some_and(is_accepted))
            }
            _ => return Err(invalid()),
        };
        if found || self.audiences.is_empty() { Ok(()) } else { Err(ClaimError::Audience) }
    }
}

impl RequiredClaim {
    fn check(&self, payload: Node<'_>) -> Result<(), ClaimError> {
        let value = self.path.require(Reason::Required, payload)?;
        let is_one = |value: Node<'_>| value.text().is_some_and(|text| self.values.iter().any(|it| it == text));
        let is_good = self.values.is_empty()
            || is_one(value)
            || value.elements().is_some_and(|mut elements| elements.any(is_one));
        if is_good { Ok(()) } else { Err(ClaimError::Value(self.path.0.clone())) }
    }
}

/// RFC 7519 sections 4.1.2 and 4.1.7: strings. Nothing here uses `sub`; another reader of the token might.
fn check_names(payload: Node<'_>) -> Result<(), ClaimError> {
    for (name, reason) in [("sub", Reason::Sub), ("jti", Reason::Jti)] {
        if payload.get(name).is_some_and(|value| value.text().is_none()) {
            return Err(ClaimError::Invalid(Claim::new(reason, name)));
        }
    }
    Ok(())
}

fn date(payload: Node<'_>, name: &str, reason: Reason) -> Result<Option<Timestamp>, ClaimError> {
    let Some(value) = payload.get(name) else {
        return Ok(None);
    };
    date_of(value).map(Some).ok_or_else(|| ClaimError::Invalid(Claim::new(reason, name)))
}

/// A claim for the upstream, whole or not at all.
#[inline(never)]
fn forwarded(path: &ClaimPath, payload: Node<'_>) -> Result<Option<Forwarded>, ClaimError> {
    let Some(value) = path.find(payload) else {
        return Ok(None);
    };
    if value.elements().is_some() {
        return ClaimSource::new(&path.0).ids(Reason::Forwarded, value).map(|ids| Some(Forwarded::List(ids)));
    }
    let number = || value.unsigned().map(|number| number.to_string());
    let flag = || value.boolean().map(|flag| flag.to_string());
    let text = value.text().map(str::to_owned).or_else(number).or_else(flag).filter(|text| is_plain(text));
    text.map(|text| Some(Forwarded::Text(text))).ok_or_else(|| path.invalid(Reason::Forwarded))
}

fn district_schools(claim: Option<&ClaimSource>, payload: Node<'_>) -> Result<Vec<(String, Vec<String>)>, ClaimError> {
    let Some((claim, value)) = claim.and_then(|claim| Some((claim, claim.path.find(payload)?))) else {
        return Ok(Vec::new());
    };
    let reason = Reason::DistrictSchools;
    let districts = value.members().ok_or_else(|| claim.path.invalid(reason))?;
    let lists = districts.clone().filter(|(_, schools)| schools.elements().is_some());
    let total: usize = lists.map(|(_, schools)| schools.len()).sum();
    if value.len().saturating_add(total) > SCHOOLS_MAX {
        return Err(ClaimError::TooManyIds(reason));
    }
    let read = districts.map(|(district, schools)| Ok((district.to_owned(), claim.ids(reason, schools)?)));
    let read = read.collect::<Result<Vec<_>, _>>()?;
    let total = read.iter().map(|(_, schools)| schools.len()).fold(read.len(), usize::saturating_add);
    if total > SCHOOLS_MAX { Err(ClaimError::TooManyIds(reason)) } else { Ok(read) }
}

fn token_id(path: Option<&ClaimPath>, payload: Node<'_>) -> Result<Option<String>, ClaimError> {
    let Some((path, value)) = path.and_then(|path| Some((path, path.find(payload)?))) else {
        return Ok(None);
    };
    let id = value.text().filter(|id| (1..=VALUE_BYTES_MAX).contains(&id.len()));
    id.map(|id| Some(id.to_owned())).ok_or_else(|| path.invalid(Reason::Id))
}
