//! Names of the data model (schools, districts, vendors, tiers, permissions), in a form that is safe in a
//! list, a path and a header.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};

/// Longest name in bytes; real ones (slugs, LEA and NCES numbers) stay far below.
const NAME_BYTES_MAX: usize = 64;

/// A name: ASCII letters, digits, `-`, `_` and `.`, so never a separator or a wildcard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(String);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// When it is empty, too long or has another character.
    pub(crate) fn parse(text: &str) -> Result<Self, NameError> {
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len());
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if fits && text.bytes().all(known) { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// The text is no name; it does not repeat the text.
#[derive(Debug)]
pub(crate) struct NameError;

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected 1 to {NAME_BYTES_MAX} letters, digits, `-`, `_` or `.`")
    }
}

impl Error for NameError {}
