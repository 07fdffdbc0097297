//! The untrusted token: compact JWS (RFC 7515 section 7.1) with a JWT (RFC 7519) as payload, syntax only.
//!
//! Everything that has a strict and a lenient reading is read strictly, before anything costs CPU: size, three
//! segments, canonical base64url (no padding, no stray bits), JSON objects without duplicate members. What passes,
//! `jwt-compact`, which is more lenient, reads as well. Nothing here trusts the header: `jwk`, `jku`, `x5u` and
//! `x5c` are never used, and `alg` only ever has to equal what the key says.

use std::fmt;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::credentials::reason::Reason;
use crate::values::json::tape::{Node, Tape};
use crate::values::json::{self, JsonError};
use crate::values::time::date_of;

mod header;
#[cfg(test)]
mod tests;

/// Longest accepted `kid`, bytes: it is kept while a request waits for keys.
pub const KID_BYTES_MAX: usize = 256;

/// Longest token where no configuration says otherwise: Envoy itself takes 60 KiB of headers by default.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Signature algorithms (RFC 7518 section 3.1, RFC 8037) that keys may have. ES512 is none: its curve is not verified here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the RFC")]
pub enum Alg {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    /// Also by its fully specified name, `Ed25519` (RFC 9864): Ed25519 is the only curve here.
    EdDsa,
}

impl Alg {
    /// From the name in `alg`; case-sensitive. `none` is no name here.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// The name in `alg`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// Why a token is refused before its claims are judged. The text never quotes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Longer than the cap.
    TooLong,
    /// Not three non-empty segments.
    Segments,
    /// A segment is not canonical base64url without padding.
    Base64(Part),
    /// A segment is not strict JSON.
    Json(Part, JsonError),
    /// A segment is JSON, but no object.
    NotObject(Part),
    /// `alg` is missing or no string.
    AlgMissing,
    /// `alg` is `none` or otherwise not supported.
    AlgUnsupported,
    /// `typ` is neither absent nor that of a JWT or an access token.
    Typ,
    /// `kid` is no string, too long, or has control characters.
    Kid,
    /// `crit` or `b64` is present: extensions that would change what is signed.
    Critical,
    /// Another registered header parameter has a wrong type or value.
    Header,
    /// `exp`, `nbf` or `iat` is present and no date, see [`crate::values::time::numeric_date`].
    Date(&'static str),
    /// No key fits.
    Key(SelectError),
    /// The signature is not that of the key.
    Signature,
}

/// Why no key verifies a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectError {
    /// The token names a key that the set lacks; a newer set may have it.
    UnknownKid,
    /// The token names no key, and not exactly one key has its algorithm.
    NoKey,
    /// The set has keys of that name, but none that can be used; a newer set might, and nobody waits for it.
    SkippedKid,
    /// The keys of that name have other algorithms.
    AlgMismatch,
}

impl SelectError {
    /// The same as one word.
    pub const fn reason(self) -> Reason {
        match self {
            Self::UnknownKid | Self::SkippedKid | Self::NoKey => Reason::Kid,
            Self::AlgMismatch => Reason::Algorithm,
        }
    }
}

impl fmt::Display for SelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKid => "no key has the `kid` of the token",
            Self::NoKey => "token has no `kid`, and not exactly one key has its `alg`",
            Self::SkippedKid => "the key of the `kid` of the token cannot be used",
            Self::AlgMismatch => "`alg` of the token is not that of the key",
        })
    }
}

impl std::error::Error for SelectError {}

/// A segment of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

impl TokenError {
    /// The same as one word.
    pub fn reason(self) -> Reason {
        match self {
            Self::TooLong => Reason::TooLong,
            Self::Segments | Self::Base64(_) | Self::Json(..) | Self::NotObject(_) | Self::Critical | Self::Header => {
                Reason::Syntax
            }
            Self::AlgMissing | Self::AlgUnsupported => Reason::Algorithm,
            Self::Typ => Reason::Type,
            Self::Kid => Reason::Kid,
            Self::Date("exp") => Reason::Exp,
            Self::Date("nbf") => Reason::Nbf,
            Self::Date(_) => Reason::Iat,
            Self::Key(error) => error.reason(),
            Self::Signature => Reason::Signature,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("token is too long"),
            Self::Segments => f.write_str("token does not have three segments"),
            Self::Base64(part) => write!(f, "{part} is not canonical base64url"),
            Self::Json(part, error) => write!(f, "{part} {error}"),
            Self::NotObject(part) => write!(f, "{part} is no object"),
            Self::AlgMissing => f.write_str("header has no `alg`"),
            Self::AlgUnsupported => f.write_str("header has an unsupported `alg`"),
            Self::Typ => f.write_str("header has an unsupported `typ`"),
            Self::Kid => f.write_str("header has an unacceptable `kid`"),
            Self::Critical => f.write_str("header has `crit` or `b64`"),
            Self::Header => f.write_str("header has an unacceptable parameter"),
            Self::Date(name) => write!(f, "`{name}` is no date"),
            Self::Key(error) => error.fmt(f),
            Self::Signature => f.write_str("signature is wrong"),
        }
    }
}

impl std::error::Error for TokenError {}

/// A token of which only the syntax is known to be good.
#[derive(Debug)]
pub struct UntrustedToken<'a> {
    text: &'a str,
    /// How much of it is signed.
    message_len: usize,
    header: Rc<Header>,
    payload: Tape,
    signature: Vec<u8>,
}

/// What of a header decides how its token is checked.
#[derive(Debug)]
struct Header {
    alg: Alg,
    kid: Option<Box<str>>,
    typ: Option<TokenType>,
}

/// What `typ` of a header says (RFC 7519 section 5.1, RFC 9068 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// `JWT`: any token.
    Jwt,
    /// `at+jwt`: an access token.
    AccessToken,
}

/// What a token says, and of which type it says that it is.
#[derive(Debug)]
pub struct Payload {
    /// `typ` of the header.
    pub typ: Option<TokenType>,
    /// The claims.
    pub claims: Tape,
}

/// Reads tokens. All that one key has signed have the same header, so the last good one is kept, as it was and as it was read.
#[derive(Debug, Default)]
pub struct Reader {
    known: Option<(Box<str>, Rc<Header>)>,
}

impl<'a> UntrustedToken<'a> {
    /// The whole token.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// `alg` as the token claims it.
    pub fn alg(&self) -> Alg {
        self.header.alg
    }

    /// `kid` as the token claims it.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// `iss` as the token claims it; only good for choosing the issuer whose keys must then verify it.
    pub fn issuer(&self) -> Option<&str> {
        self.payload().get("iss").and_then(Node::text)
    }

    /// What the token says; nobody vouches for it yet.
    pub const fn payload(&self) -> Node<'_> {
        self.payload.root()
    }

    /// The same as one value.
    ///
    /// # Errors
    ///
    /// None: it was read before.
    pub(super) fn payload_as_value(&self) -> Result<Value, TokenError> {
        let segment = self.text.split('.').nth(1).unwrap_or_default();
        let bytes = decode(Part::Payload, segment)?;
        json::parse(&bytes, json::Limits::TOKEN).map_err(|error| TokenError::Json(Part::Payload, error))
    }

    /// What the check of its signature needs, and what may be believed once that succeeds: `alg`, how much of the token is
    /// signed, the signature, the payload.
    pub(super) fn into_parts(self) -> (Alg, usize, Vec<u8>, Payload) {
        let payload = Payload { typ: self.header.typ, claims: self.payload };
        (self.header.alg, self.message_len, self.signature, payload)
    }
}

impl Reader {
    /// Reads a token of at most `bytes_max` bytes; the cap comes before any decoding.
    ///
    /// # Errors
    ///
    /// The first thing wrong with it; never [`TokenError::Key`] or [`TokenError::Signature`].
    pub fn read<'a>(&mut self, token: &'a [u8], bytes_max: usize) -> Result<UntrustedToken<'a>, TokenError> {
        if token.len() > bytes_max {
            return Err(TokenError::TooLong);
        }
        let text = std::str::from_utf8(token).map_err(|_| TokenError::Segments)?;
        let [first, payload, signature] = segments(text)?;
        let message_len = text.len().saturating_sub(signature.len()).saturating_sub(1);
        if let Some((_, header)) = self.known.as_ref().filter(|(known, _)| **known == *first) {
            let (header, signature) = (Rc::clone(header), decode(Part::Signature, signature)?);
            let payload = claims_object(payload)?;
            return Ok(UntrustedToken { text, message_len, header, payload, signature });
        }
        let members = object(Part::Header, first)?;
        let header = Rc::new(header::read(members.root())?);
        let signature = decode(Part::Signature, signature)?;
        let payload = claims_object(payload)?;
        header::check_unused(members.root())?;
        self.known = Some((first.into(), Rc::clone(&header)));
        Ok(UntrustedToken { text, message_len, header, payload, signature })
    }
}

/// Reads one token, see [`Reader::read`].
///
/// # Errors
///
/// As there.
pub fn parse(token: &[u8], bytes_max: usize) -> Result<UntrustedToken<'_>, TokenError> {
    Reader::default().read(token, bytes_max)
}

/// The payload, its dates readable.
fn claims_object(segment: &str) -> Result<Tape, TokenError> {
    let payload = object(Part::Payload, segment)?;
    check_dates(payload.root())?;
    Ok(payload)
}

fn segments(text: &str) -> Result<[&str; 3], TokenError> {
    let mut split = text.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (split.next(), split.next(), split.next(), split.next())
    else {
        return Err(TokenError::Segments);
    };
    if header.is_empty() || payload.is_empty() || signature.is_empty() {
        return Err(TokenError::Segments);
    }
    Ok([header, payload, signature])
}

fn decode(part: Part, segment: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| TokenError::Base64(part))
}

fn object(part: Part, segment: &str) -> Result<Tape, TokenError> {
    let bytes = decode(part, segment)?;
    match Tape::parse(&bytes, json::Limits::TOKEN) {
        Ok(document) if document.root().is_object() => Ok(document),
        Ok(_) => Err(TokenError::NotObject(part)),
        Err(error) => Err(TokenError::Json(part, error)),
    }
}

/// Whether a `kid` can name a key, in a token or in a key set.
pub fn is_kid(kid: &str) -> bool {
    kid.len() <= KID_BYTES_MAX && !kid.chars().any(char::is_control)
}

/// `jwt-compact` refuses a payload whose dates it cannot read; refusing them here first keeps "bad signature" apart
/// from "bad claims", so that only the former is ever cached as bad.
fn check_dates(payload: Node<'_>) -> Result<(), TokenError> {
    for name in ["exp", "nbf", "iat"] {
        if payload.get(name).is_some_and(|value| date_of(value).is_none()) {
            return Err(TokenError::Date(name));
        }
    }
    Ok(())
}
