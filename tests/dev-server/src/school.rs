//! The id of a school, in a form that is safe in a list, a path and a header.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};

/// Longest id in bytes; real ones (slugs, LEA and NCES numbers) stay far below.
const ID_BYTES_MAX: usize = 64;

/// A school id: ASCII letters, digits, `-`, `_` and `.`, so never a separator or a wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct SchoolId(String);

impl SchoolId {
    /// Reads an id.
    ///
    /// # Errors
    /// When it is empty, too long or has another character.
    pub(crate) fn parse(id: &str) -> Result<Self, SchoolIdError> {
        let fits = (1..=ID_BYTES_MAX).contains(&id.len());
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if fits && id.bytes().all(known) { Ok(Self(id.to_owned())) } else { Err(SchoolIdError) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SchoolId {
    type Error = SchoolIdError;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::parse(&id)
    }
}

/// The text is no school id; it does not repeat the text.
#[derive(Debug)]
pub(crate) struct SchoolIdError;

impl fmt::Display for SchoolIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no school id (expected 1 to {ID_BYTES_MAX} letters, digits, `-`, `_` or `.`)")
    }
}

impl Error for SchoolIdError {}
