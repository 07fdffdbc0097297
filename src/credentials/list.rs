//! Lists that an operator keeps (API keys, revocations): strict reading of their JSON.
//!
//! Every member is known, every entry is good, and a list from the network carries a version; anything else refuses
//! the list as a whole, so that a misspelt date never means "for ever" and the last good list keeps serving.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::values::json::{self, JsonError};
use crate::values::names::closest;
use crate::values::text::is_school;
use crate::values::time::{Timestamp, rfc3339};

/// Longest list from the network, bytes: tens of thousands of entries.
pub const LIST_BYTES_MAX: usize = 16 << 20;

/// The end of what has none.
const NEVER: Timestamp = Timestamp::from_micros(u64::MAX);

const NO_OTHERS: &str = "expected no other members than the documented ones";

/// Where a list comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the configuration: needs no version.
    Inline,
    /// From the network.
    Remote,
}

/// Why there is no list. Names members and places, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// Longer than such a list may be.
    TooLong {
        /// How long it may be.
        bytes_max: usize,
    },
    /// Not strict JSON.
    Json(JsonError),
    /// Not JSON from this byte on.
    NotJson {
        /// Counted from 0.
        at: usize,
    },
    /// What stands at `path` is not what is expected.
    Expected {
        /// Where: `keys[3].sha256`; empty for the whole.
        path: String,
        /// What.
        what: &'static str,
    },
    /// An object has a member that none is documented as.
    Unknown {
        /// Where: that of the object; of the member if it is but a typing error.
        path: String,
        /// The member that may be meant.
        near: Option<&'static str>,
    },
}

impl fmt::Display for ListError {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes_max } => write!(f, "list is too long (expected at most {bytes_max} bytes)"),
            Self::Json(error) => write!(f, "list {error}"),
            Self::NotJson { at } => write!(f, "list is not JSON from byte {at} on"),
            Self::Expected { path, what } if path.is_empty() => write!(f, "list: expected {what}"),
            Self::Expected { path, what } => write!(f, "`{path}`: expected {what}"),
            Self::Unknown { path, near: Some(near) } => write!(f, "`{path}`: unknown member; did you mean `{near}`?"),
            Self::Unknown { path, near: None } if path.is_empty() => write!(f, "list: {NO_OTHERS}"),
            Self::Unknown { path, near: None } => write!(f, "`{path}`: {NO_OTHERS}"),
        }
    }
}

impl std::error::Error for ListError {}

/// Parses a list from the network.
///
/// # Errors
/// It is too long, or not strict JSON.
pub fn parse(bytes: &[u8]) -> Result<Value, ListError> {
    json::parse(bounded(bytes)?, json::Limits::DOCUMENT).map_err(ListError::Json)
}

/// The same, for a list that may be long: the elements of the array `name` go to `take`, one by one, and no longer stand in what
/// is returned.
///
/// # Errors
/// As [`parse`]; then what `take` finds wrong.
pub(crate) fn parse_each(
    bytes: &[u8],
    name: &str,
    take: impl FnMut(&Value) -> Result<(), ListError>,
) -> Result<Value, ListError> {
    let state = RefCell::new((take, None));
    let take = |element: &Value| {
        let Ok(mut state) = state.try_borrow_mut() else {
            return false;
        };
        let taken = (state.0)(element);
        taken.map_err(|error| state.1 = Some(error)).is_ok()
    };
    let parsed = json::parse_each(bounded(bytes)?, json::Limits::DOCUMENT, name, &take);
    match state.into_inner().1 {
        Some(error) => Err(error),
        None => parsed.map_err(ListError::Json),
    }
}

fn bounded(bytes: &[u8]) -> Result<&[u8], ListError> {
    let bytes_max = LIST_BYTES_MAX;
    if bytes.len() > bytes_max { Err(ListError::TooLong { bytes_max }) } else { Ok(bytes) }
}

/// An object of a list and where it stands.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    path: String,
    members: &'a Map<String, Value>,
}

impl<'a> Entry<'a> {
    /// The list itself.
    pub(crate) fn root(value: &'a Value, known: &[&'static str]) -> Result<Self, ListError> {
        Self::new(String::new(), value, known)
    }

    /// An object that stands at `path`.
    #[inline(never)]
    pub(crate) fn new(path: String, value: &'a Value, known: &[&'static str]) -> Result<Self, ListError> {
        let Some(members) = value.as_object() else {
            return Err(ListError::Expected { path, what: "an object" });
        };
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(unknown(path, name, known));
        }
        Ok(Self { path, members })
    }

    /// `version`: required of lists from the network, 0 where absent.
    pub(crate) fn version(&self, origin: Origin) -> Result<u64, ListError> {
        match (self.members.get("version"), origin) {
            (None, Origin::Inline) => Ok(0),
            (value, _) => value.and_then(Value::as_u64).ok_or_else(|| self.wrong("version", "a whole number from 0")),
        }
    }

    /// The elements of the array `name`, each with its path; none where it is absent.
    pub(crate) fn elements(&self, name: &str) -> Result<Vec<(String, &'a Value)>, ListError> {
        let Some(value) = self.members.get(name) else {
            return Ok(Vec::new());
        };
        let elements = value.as_array().ok_or_else(|| self.wrong(name, "an array"))?;
        Ok(elements.iter().enumerate().map(|(at, value)| (format!("{name}[{at}]"), value)).collect())
    }

    /// The objects of the array `name`.
    pub(crate) fn entries(&self, name: &str, known: &[&'static str]) -> Result<Vec<Self>, ListError> {
        self.elements(name)?.into_iter().map(|(path, value)| Self::new(path, value, known)).collect()
    }

    /// A string that must be there.
    #[inline(never)]
    pub(crate) fn text(
        &self,
        name: &str,
        what: &'static str,
        accepts: impl Fn(&str) -> bool,
    ) -> Result<&'a str, ListError> {
        let text = self.members.get(name).and_then(Value::as_str);
        text.filter(|text| accepts(text)).ok_or_else(|| self.wrong(name, what))
    }

    /// A date of RFC 3339.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<Timestamp>, ListError> {
        let Some(value) = self.members.get(name) else {
            return Ok(None);
        };
        let moment = value.as_str().and_then(rfc3339);
        moment.map(Some).ok_or_else(|| self.wrong(name, "a date such as `2026-01-01T00:00:00Z`"))
    }

    /// From when on an entry is valid, and up to, but not at, which moment; without an end, up to the end of time.
    pub(crate) fn validity(&self) -> Result<(Timestamp, Timestamp), ListError> {
        let (from, end) = (self.moment("not_before")?, self.moment("not_after")?);
        if from.zip(end).is_some_and(|(from, end)| end <= from) {
            return Err(self.wrong("not_after", "a date after `not_before`"));
        }
        Ok((from.unwrap_or_default(), end.unwrap_or(NEVER)))
    }

    /// `sha256`: the hash of a credential.
    pub(crate) fn sha256(&self) -> Result<[u8; 32], ListError> {
        let hash = self.members.get("sha256").and_then(Value::as_str).and_then(digest_of_hex);
        hash.ok_or_else(|| self.wrong("sha256", "64 hexadecimal digits"))
    }

    /// The value of a member, as it is.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name)
    }

    /// The error about a member.
    pub(crate) fn wrong(&self, name: &str, what: &'static str) -> ListError {
        ListError::Expected { path: below(&self.path, name), what }
    }
}

/// Ids of schools or districts, in their order; `None`: one is none, or stands twice.
#[inline(never)]
pub(crate) fn distinct_ids(values: &[Value]) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let ids = values.iter().map(|id| id.as_str().filter(|id| is_school(id) && seen.insert(*id)).map(str::to_owned));
    ids.collect()
}

/// SHA-256 as 64 hexadecimal digits.
pub(crate) fn digest_of_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut hash = [0; 32];
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

/// The error about a member of the object at `path`. Its name is repeated only where it is nearly a known one: whoever
/// misplaces a secret must not find it in a log.
#[inline(never)]
pub(crate) fn unknown(path: String, name: &str, known: &[&'static str]) -> ListError {
    let near = closest(name, known);
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let path = if near.is_some() && is_plain { below(&path, name) } else { path };
    ListError::Unknown { path, near }
}

fn below(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    [path, dot, name].concat()
}

#[cfg(test)]
mod tests;
