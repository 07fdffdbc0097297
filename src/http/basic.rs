//! `Authorization: Basic` (RFC 7617), as API keys travel in it: the key is the user, the password is empty.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::head::{Doubled, Head, Known};

/// Longest user that is read, bytes: what is longer is no API key.
pub const USER_BYTES_MAX: usize = 512;

/// The longest user and a colon in base64.
const ENCODED_BYTES_MAX: usize = (USER_BYTES_MAX + 1).div_ceil(3) * 4;

const SCHEME: &[u8] = b"basic";

/// What `Authorization` holds, as far as Basic is concerned.
#[derive(PartialEq, Eq)]
pub enum Basic {
    /// There is no such header, or it is of another scheme alone.
    Absent,
    /// Anything but a user with an empty password: other base64, another password, two colons or none, two headers.
    Malformed,
    /// The user, not empty.
    User(Vec<u8>),
}

/// The user of `Authorization: Basic`: the scheme in any case, exactly one space, canonical base64 of the user and a colon.
pub fn user(head: &Head) -> Basic {
    match head.known(Known::Authorization) {
        Ok(Some(value)) if is_basic(value) => parse(value).map_or(Basic::Malformed, Basic::User),
        Err(Doubled) if head.values("authorization").any(is_basic) => Basic::Malformed,
        Ok(_) | Err(Doubled) => Basic::Absent,
    }
}

/// Whether a server may read a value of `Authorization` as Basic credentials; also as one of several that were joined.
pub fn is_basic(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| {
        let part = part.trim_ascii_start();
        let scheme = part.split(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(SCHEME)
    })
}

fn parse(value: &[u8]) -> Option<Vec<u8>> {
    let (scheme, encoded) = value.split_at_checked(SCHEME.len())?;
    let encoded = encoded.strip_prefix(b" ").filter(|_| scheme.eq_ignore_ascii_case(SCHEME))?;
    if encoded.len() > ENCODED_BYTES_MAX {
        return None;
    }
    let mut user = STANDARD.decode(encoded).ok()?;
    let is_last = user.pop() == Some(b':');
    (is_last && !user.is_empty() && !user.contains(&b':')).then_some(user)
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Malformed => "Malformed",
            Self::User(_) => "User(..)",
        })
    }
}

#[cfg(test)]
mod tests;
