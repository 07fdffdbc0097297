//! Bodies that the filter judges: strict JSON, read once as a whole, found by JSON Pointers (RFC 6901).
//!
//! A body is read only if every server reads it alike: one JSON object in UTF-8, declared as `application/json`, not
//! compressed, no member twice. What cannot be read so is refused; nothing is repaired. The bytes are not changed.

use std::fmt;

use serde_json::{Map, Value};

use crate::http::head::{Head, Known, folds_alike};
use crate::http::query;
use crate::values::json::{self, Limits};
use crate::values::text::VALUE_BYTES_MAX;

/// Depth and number of values that a body may have: room for a list of ids, not for work.
const LIMITS: Limits = Limits { depth_max: 32, values_max: 16_384 };

/// Most ids at one place of a body.
pub const IDS_MAX: usize = 1_000;

/// Headers that say how to read a body.
const DESCRIBING: [&[u8]; 4] = [b"content-type", CONTENT_ENCODING, b"content-length", b"transfer-encoding"];
const CONTENT_ENCODING: &[u8] = b"content-encoding";

/// How a route's bodies are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Longest body, bytes.
    pub bytes_max: u32,
}

/// Why a body is refused. Holds no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Not there, not strict JSON, or what a rule looks for is of a wrong type: 400.
    Malformed,
    /// Longer than the rule allows: 413.
    TooLarge,
    /// Another content type, or compressed: 415.
    Unsupported,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "body is malformed",
            Self::TooLarge => "body is too long",
            Self::Unsupported => "body is not plain JSON",
        })
    }
}

impl std::error::Error for BodyError {}

/// A JSON Pointer to a member of an object, through objects only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<Name>);

/// A member's name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: String,
    /// See [`query::fold`]; done once, as every member of every body is compared with it.
    folded: String,
}

impl Pointer {
    /// Reads `/a/b`; `None`: it is none, or it points to the whole document.
    pub fn parse(text: &str) -> Option<Self> {
        let names = text.strip_prefix('/')?.split('/').map(unescape).collect::<Option<Vec<_>>>()?;
        let is_whole = names.iter().all(|name| !name.is_empty());
        is_whole.then(|| Self(names.into_iter().map(Name::new).collect()))
    }

    /// Whether no body can have something at another place as well: one of the two is above the other, or servers may take one
    /// for the other.
    pub(crate) fn clashes(&self, other: &Self) -> bool {
        let inside = |value: Value, name: &Name| Value::Object(Map::from_iter([(name.text.clone(), value)]));
        match other.0.iter().rev().fold(Value::Null, inside) {
            Value::Object(members) => self != other && !matches!(Body(members).find(self), Ok(None)),
            _ => false,
        }
    }
}

impl Name {
    fn new(text: String) -> Self {
        Self { folded: query::fold(&text), text }
    }

    /// Whether a server may take another member for this one: they match names in any case, without hyphens, or up to a NUL.
    fn is_meant_by(&self, other: &str) -> bool {
        other != self.text && self.is_folded_from(other)
    }

    fn is_folded_from(&self, other: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        // Nearly every name: it leads to nothing below it, and folds byte by byte.
        if !self.folded.is_empty() && other.bytes().all(is_plain) {
            let letters = other.bytes().filter(u8::is_ascii_alphanumeric);
            return letters.map(|byte| byte.to_ascii_lowercase()).eq(self.folded.bytes());
        }
        query::folds_to(other, &self.folded)
    }
}

/// `~1` is a slash, `~0` a tilde; no other tilde may stand.
fn unescape(name: &str) -> Option<String> {
    let is_escaped = name.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    is_escaped.then(|| name.replace("~1", "/").replace("~0", "~"))
}

/// Judges a body by its request's head, before any of it is read.
///
/// # Errors
/// There is no body, or it is none that can be judged.
#[inline(never)]
pub fn judge_head(rule: Rule, head: &Head) -> Result<(), BodyError> {
    if head.end_of_stream {
        return Err(BodyError::Malformed);
    }
    let Ok(Some(media)) = head.known(Known::ContentType) else {
        return Err(BodyError::Unsupported);
    };
    if !is_json(media) || !is_plain(head) {
        return Err(BodyError::Unsupported);
    }
    match head.known(Known::ContentLength) {
        Ok(None) => Ok(()),
        Ok(Some(digits)) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let text = str::from_utf8(digits).map_err(|_| BodyError::Malformed)?;
            // What does not fit is too long.
            let length: u64 = text.parse().unwrap_or(u64::MAX);
            if length > u64::from(rule.bytes_max) { Err(BodyError::TooLarge) } else { Ok(()) }
        }
        _ => Err(BodyError::Malformed),
    }
}

/// Whether the body is not compressed, and no header tells something about it to servers that fold names alone
/// (`content_type` for `content-type`).
fn is_plain(head: &Head) -> bool {
    let mut is_coded = false;
    for (name, value) in head.pairs() {
        let Some(describing) = DESCRIBING.iter().find(|it| folds_alike(it, name)) else {
            continue;
        };
        if !name.eq_ignore_ascii_case(describing) {
            return false;
        }
        if *describing == CONTENT_ENCODING {
            let is_identity = value.trim_ascii().eq_ignore_ascii_case(b"identity");
            if !is_identity || std::mem::replace(&mut is_coded, true) {
                return false;
            }
        }
    }
    true
}

/// Whether the query names a member that the body is judged by, or one above it: some servers merge the two.
pub fn is_overridden(query: &str, pointer: &Pointer) -> bool {
    pointer.0.iter().any(|name| query::names(query, &name.text))
}

/// `application/json`, without parameters or with `charset=utf-8` alone.
fn is_json(media: &[u8]) -> bool {
    if media == b"application/json" {
        return true;
    }
    let mut parts = media.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(b"application/json"));
    let is_utf8 =
        |part: &[u8]| part.eq_ignore_ascii_case(b"charset=utf-8") || part.eq_ignore_ascii_case(b"charset=\"utf-8\"");
    is_json && parts.next().is_none_or(is_utf8) && parts.next().is_none()
}

/// A body that was read.
#[derive(Debug)]
pub struct Body(Map<String, Value>);

impl Body {
    /// Reads a whole body.
    ///
    /// # Errors
    /// It is not exactly one JSON object, or one by which Laravel takes the request for one of another method.
    pub fn parse(rule: Rule, bytes: &[u8]) -> Result<Self, BodyError> {
        if bytes.len() > usize::try_from(rule.bytes_max).unwrap_or(usize::MAX) {
            return Err(BodyError::TooLarge);
        }
        match json::parse(bytes, LIMITS) {
            Ok(Value::Object(members)) if !members.keys().any(|name| query::is_method_override(name)) => {
                Ok(Self(members))
            }
            _ => Err(BodyError::Malformed),
        }
    }

    /// The ids at `pointer`: a string, or an array of strings; none if the member is absent or the array is empty.
    ///
    /// # Errors
    /// Another type, an empty id, too many; or a name beside it that a server may take for the same.
    pub fn ids(&self, pointer: &Pointer) -> Result<Vec<&str>, BodyError> {
        let ids: Vec<&str> = match self.find(pointer)? {
            None => Vec::new(),
            Some(Value::String(id)) => vec![id],
            Some(Value::Array(list)) if list.len() <= IDS_MAX => {
                list.iter().map(Value::as_str).collect::<Option<_>>().ok_or(BodyError::Malformed)?
            }
            Some(_) => return Err(BodyError::Malformed),
        };
        if ids.iter().all(|id| is_id(id)) { Ok(ids) } else { Err(BodyError::Malformed) }
    }

    /// The whole number from 1 at `pointer`; `None` if the member is absent. Numbers beyond `u32` are `u32::MAX`.
    ///
    /// # Errors
    /// Anything else, zero included: servers read it as "no limit".
    pub fn number(&self, pointer: &Pointer) -> Result<Option<u32>, BodyError> {
        match self.find(pointer)? {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                None | Some(0) => Err(BodyError::Malformed),
                Some(number) => Ok(Some(u32::try_from(number).unwrap_or(u32::MAX))),
            },
        }
    }

    /// What stands at `pointer`. Members above it must be objects.
    fn find(&self, pointer: &Pointer) -> Result<Option<&Value>, BodyError> {
        let mut members = Some(&self.0);
        let mut found = None;
        for name in &pointer.0 {
            let Some(object) = members else {
                return Err(BodyError::Malformed);
            };
            if object.keys().any(|other| name.is_meant_by(other)) || has_prototype(object) {
                return Err(BodyError::Malformed);
            }
            found = object.get(&name.text);
            let Some(value) = found else {
                return Ok(None);
            };
            members = value.as_object();
        }
        Ok(found)
    }
}

/// Whether a script that copies or merges the object takes members from another place than their own.
fn has_prototype(object: &Map<String, Value>) -> bool {
    object.contains_key("__proto__") || object.get("constructor").is_some_and(|it| it.get("prototype").is_some())
}

fn is_id(text: &str) -> bool {
    // ASCII first, byte by byte.
    let has_control = || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.contains(char::is_control);
    (1..=VALUE_BYTES_MAX).contains(&text.len()) && !has_control()
}

#[cfg(test)]
mod tests;
