//! Claims (RFC 7519 section 4): what a token must say, and what it says about the caller.
//!
//! Dates are `NumericDate`s, fractions included, from 1970 to the end of the year 9999. Whatever goes into a header is
//! visible ASCII without comma, quote and backslash, so that no value can end its list, its header or its quotes; a
//! token with any other value is refused whole, never trimmed. `null` counts as absent, but for the claims of RFC 7519,
//! whose types are fixed.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::time::{Now, micros};

#[cfg(test)]
mod tests;

/// Most schools in one token: what a header may hold is bounded in bytes elsewhere, this bounds the work before.
pub const SCHOOLS_MAX: usize = 10_000;

/// Longest client id, tier or school id, bytes: they become keys of tables and parts of headers.
pub const VALUE_BYTES_MAX: usize = 256;

/// First second after the year 9999.
const DATE_SECS_END: u64 = 253_402_300_800;

/// Where a claim stands: a top-level member's name, or a JSON Pointer (RFC 6901) when it begins with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(pub String);

/// Names of the claims that describe the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The client's id: a string; always required.
    pub client: ClaimPath,
    /// The tier's name: a string; `None`: every token of the issuer has the issuer's default tier.
    pub tier: Option<ClaimPath>,
    /// The approved schools: an array of strings; `None`: tokens of this issuer carry no schools.
    pub schools: Option<ClaimPath>,
    /// What else is granted.
    pub grants: GrantNames,
}

/// Names of the claims that grant more than schools; a claim that is named must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantNames {
    /// The approved districts: an array of strings.
    pub districts: Option<ClaimPath>,
    /// Permission flags: an array of strings.
    pub permissions: Option<ClaimPath>,
    /// Which schools belong to a district: an object of arrays of strings. May be absent.
    pub district_schools: Option<ClaimPath>,
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
    pub required: Vec<ClaimPath>,
    /// Which claims describe the caller.
    pub names: ClaimNames,
}

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
    /// The token's id.
    pub id: Option<String>,
    /// When it was issued, without tolerance.
    pub issued_at: Option<Now>,
    /// The token is valid from this moment, tolerance included,
    pub not_before: Now,
    /// and up to, but not at, this moment, tolerance included.
    pub not_after: Now,
}

/// Why claims are refused. Quotes names of claims, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// The claim is absent or null.
    Missing(String),
    /// The claim has a wrong type or an unacceptable value.
    Invalid(String),
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
    /// More than [`SCHOOLS_MAX`] schools.
    TooManySchools,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "claim `{name}` is missing"),
            Self::Invalid(name) => write!(f, "claim `{name}` is invalid"),
            Self::Issuer => f.write_str("claim `iss` names another issuer"),
            Self::Audience => f.write_str("claim `aud` names no accepted audience"),
            Self::Expired => f.write_str("token has expired"),
            Self::NotYetValid(name) => write!(f, "claim `{name}` is in the future"),
            Self::Lifetime => f.write_str("token lives longer than allowed"),
            Self::TooManySchools => write!(f, "token has too many schools (expected at most {SCHOOLS_MAX})"),
        }
    }
}

impl std::error::Error for ClaimError {}

impl ClaimPath {
    /// The value there; `None` if it is absent or null.
    pub fn find<'a>(&self, payload: &'a Value) -> Option<&'a Value> {
        let value = if self.0.starts_with('/') { payload.pointer(&self.0) } else { payload.get(&self.0) };
        value.filter(|value| !value.is_null())
    }

    fn require<'a>(&self, payload: &'a Value) -> Result<&'a Value, ClaimError> {
        self.find(payload).ok_or_else(|| ClaimError::Missing(self.0.clone()))
    }

    fn invalid(&self) -> ClaimError {
        ClaimError::Invalid(self.0.clone())
    }
}

impl ClaimRules {
    /// Judges the payload of a token whose signature is good.
    ///
    /// # Errors
    ///
    /// The first rule that the payload breaks: issuer, time, audience, required claims, then who is calling.
    pub fn judge(&self, payload: &Value, now: Now) -> Result<Claims, ClaimError> {
        self.judge_issuer(payload)?;
        let (not_before, not_after) = self.window(payload, now)?;
        self.judge_audience(payload)?;
        for path in &self.required {
            path.require(payload)?;
        }
        judge_names(payload)?;
        let grants = &self.names.grants;
        let list = |path: Option<&ClaimPath>| path.map(|path| ids_at(path, path.require(payload)?)).transpose();
        Ok(Claims {
            client: value_at(&self.names.client, payload)?,
            tier: self.names.tier.as_ref().map(|path| value_at(path, payload)).transpose()?,
            schools: list(self.names.schools.as_ref())?,
            districts: list(grants.districts.as_ref())?,
            permissions: list(grants.permissions.as_ref())?,
            district_schools: district_schools(grants.district_schools.as_ref(), payload)?,
            id: token_id(grants.id.as_ref(), payload)?,
            issued_at: date(payload, "iat")?,
            not_before,
            not_after,
        })
    }

    fn judge_issuer(&self, payload: &Value) -> Result<(), ClaimError> {
        match payload.get("iss") {
            None | Some(Value::Null) => Err(ClaimError::Missing("iss".to_owned())),
            Some(Value::String(issuer)) if *issuer == self.issuer => Ok(()),
            Some(Value::String(_)) => Err(ClaimError::Issuer),
            Some(_) => Err(ClaimError::Invalid("iss".to_owned())),
        }
    }

    /// From when and up to when the token is valid; `now` must be within.
    fn window(&self, payload: &Value, now: Now) -> Result<(Now, Now), ClaimError> {
        let exp = date(payload, "exp")?.ok_or_else(|| ClaimError::Missing("exp".to_owned()))?;
        let issued_at = date(payload, "iat")?;
        let mut not_before = Now::default();
        for (name, moment) in [("nbf", date(payload, "nbf")?), ("iat", issued_at)] {
            let Some(moment) = moment else { continue };
            let earliest = Now::from_micros(moment.micros().saturating_sub(micros(self.clock_skew)));
            if now < earliest {
                return Err(ClaimError::NotYetValid(name));
            }
            not_before = not_before.max(earliest);
        }
        let not_after = exp.after(self.clock_skew);
        if now >= not_after {
            return Err(ClaimError::Expired);
        }
        self.judge_lifetime(issued_at, exp)?;
        Ok((not_before, not_after))
    }

    fn judge_lifetime(&self, issued_at: Option<Now>, exp: Now) -> Result<(), ClaimError> {
        let Some(lifetime_max) = self.lifetime_max else {
            return Ok(());
        };
        let issued_at = issued_at.ok_or_else(|| ClaimError::Missing("iat".to_owned()))?;
        if exp.since(issued_at) > lifetime_max { Err(ClaimError::Lifetime) } else { Ok(()) }
    }

    /// RFC 7519 section 4.1.3: a string or strings, also where no audience is configured.
    fn judge_audience(&self, payload: &Value) -> Result<(), ClaimError> {
        let is_accepted = |audience: &str| self.audiences.iter().any(|accepted| accepted == audience);
        let invalid = || ClaimError::Invalid("aud".to_owned());
        let found = match payload.get("aud") {
            None if self.audiences.is_empty() => return Ok(()),
            None => return Err(ClaimError::Missing("aud".to_owned())),
            Some(Value::Null) if !self.audiences.is_empty() => return Err(ClaimError::Missing("aud".to_owned())),
            Some(Value::String(audience)) => is_accepted(audience),
            Some(Value::Array(list)) if !list.is_empty() => {
                let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                names.ok_or_else(invalid)?.into_iter().any(is_accepted)
            }
            Some(_) => return Err(invalid()),
        };
        if found || self.audiences.is_empty() { Ok(()) } else { Err(ClaimError::Audience) }
    }
}

/// RFC 7519 sections 4.1.2 and 4.1.7: strings. Nothing here uses `sub`; another reader of the token might.
fn judge_names(payload: &Value) -> Result<(), ClaimError> {
    for name in ["sub", "jti"] {
        if payload.get(name).is_some_and(|value| !value.is_string()) {
            return Err(ClaimError::Invalid(name.to_owned()));
        }
    }
    Ok(())
}

/// RFC 7519 section 2, `NumericDate`: `None` unless it is a number from 1970 to the end of 9999.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, rounding down is meant"
)]
#[expect(clippy::cast_precision_loss, reason = "the bound has fewer than 53 bits")]
pub fn numeric_date(value: &Value) -> Option<Now> {
    if let Some(secs) = value.as_u64() {
        return (secs < DATE_SECS_END).then(|| Now::from_secs(secs));
    }
    let secs = value.as_f64().filter(|secs| (0.0..DATE_SECS_END as f64).contains(secs))?;
    Some(Now::from_micros((secs * 1e6) as u64))
}

fn date(payload: &Value, name: &str) -> Result<Option<Now>, ClaimError> {
    let Some(value) = payload.get(name) else {
        return Ok(None);
    };
    numeric_date(value).map(Some).ok_or_else(|| ClaimError::Invalid(name.to_owned()))
}

/// Whether a value can stand in a header and in a list of any format without changing what is around it.
pub fn is_plain(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'"' | b'\\');
    !value.is_empty() && value.len() <= VALUE_BYTES_MAX && value.bytes().all(is_plain)
}

/// Whether a value can name one school: a `*` might be read as "all" by someone.
pub fn is_school(value: &str) -> bool {
    is_plain(value) && !value.contains('*')
}

fn value_at(path: &ClaimPath, payload: &Value) -> Result<String, ClaimError> {
    match path.require(payload)? {
        Value::String(value) if is_plain(value) => Ok(value.clone()),
        _ => Err(path.invalid()),
    }
}

/// An array of ids, each kept once.
fn ids_at(path: &ClaimPath, value: &Value) -> Result<Vec<String>, ClaimError> {
    let list = value.as_array().ok_or_else(|| path.invalid())?;
    if list.len() > SCHOOLS_MAX {
        return Err(ClaimError::TooManySchools);
    }
    let mut seen = BTreeSet::new();
    let mut ids = Vec::with_capacity(list.len());
    for id in list {
        let id = id.as_str().filter(|id| is_school(id)).ok_or_else(|| path.invalid())?;
        if seen.insert(id) {
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

fn district_schools(path: Option<&ClaimPath>, payload: &Value) -> Result<Vec<(String, Vec<String>)>, ClaimError> {
    let Some((path, value)) = path.and_then(|path| Some((path, path.find(payload)?))) else {
        return Ok(Vec::new());
    };
    let districts = value.as_object().ok_or_else(|| path.invalid())?;
    let total: usize = districts.values().filter_map(Value::as_array).map(Vec::len).sum();
    if districts.len().saturating_add(total) > SCHOOLS_MAX {
        return Err(ClaimError::TooManySchools);
    }
    let entry = |(district, schools): (&String, &Value)| Ok((district.clone(), ids_at(path, schools)?));
    districts.iter().map(entry).collect()
}

fn token_id(path: Option<&ClaimPath>, payload: &Value) -> Result<Option<String>, ClaimError> {
    let Some((path, value)) = path.and_then(|path| Some((path, path.find(payload)?))) else {
        return Ok(None);
    };
    let id = value.as_str().filter(|id| (1..=VALUE_BYTES_MAX).contains(&id.len()));
    id.map(|id| Some(id.to_owned())).ok_or_else(|| path.invalid())
}
