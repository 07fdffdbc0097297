//! Revocation without a service: which tokens are void although they are signed and not expired.
//!
//! A list names single tokens by `jti`, and clients whose tokens issued up to a moment are void; a token of such a client
//! that does not say when it was issued is void as well. There is no tolerance for clocks: a token issued at the very
//! moment is void.

use serde_json::Value;

use crate::credentials::list::{self, Entry, ListError, Origin};
use crate::credentials::schema::{REVOCATION_LIST, REVOKED_CLIENT};
use crate::values::names::Names;
use crate::values::text::{VALUE_BYTES_MAX, is_plain};
use crate::values::time::Timestamp;
use crate::values::time::numeric_date;

const LIST_FIELDS: &[&str] = &REVOCATION_LIST.names::<{ REVOCATION_LIST.count() }>();
const CLIENT_FIELDS: &[&str] = &REVOKED_CLIENT.names::<{ REVOKED_CLIENT.count() }>();
/// No client has another id.
const CLIENT: &str = "a client's id, 1 to 256 of visible ASCII without comma, quote and backslash";
/// What is less, as a number of seconds, is a date that was written without its dashes, or a year: it would void nothing.
const SECS_MIN: u64 = 946_684_800;

/// What is void.
#[derive(Debug, Default)]
pub struct RevocationList {
    version: u64,
    tokens: Names,
    clients: Names,
    /// By the position of the client.
    until: Vec<Timestamp>,
}

impl RevocationList {
    /// Reads a list from the network.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ListError> {
        Self::from_value(&list::parse(bytes)?, Origin::Remote)
    }

    /// Reads a parsed list.
    ///
    /// # Errors
    /// The first thing wrong with it: an unknown member or a bad entry.
    #[inline(never)]
    pub fn from_value(value: &Value, origin: Origin) -> Result<Self, ListError> {
        let root = Entry::root(value, LIST_FIELDS)?;
        let version = root.version(origin)?;
        let mut tokens = Names::default();
        for (path, token) in root.elements("tokens")? {
            let token = token.as_str().filter(|token| is_id(token));
            let token = token.ok_or(ListError::Expected { path, what: "a `jti`, a string of 1 to 256 bytes" })?;
            tokens.add(token);
        }
        let (mut clients, mut kept) = (Names::default(), Vec::<Timestamp>::new());
        for entry in root.entries("clients", CLIENT_FIELDS)? {
            let client = entry.text("client", CLIENT, is_plain)?;
            let until = issued_until(&entry)?;
            // Twice: the later moment voids what the earlier does.
            match clients.add(client).and_then(|at| kept.get_mut(at)) {
                Some(kept) => *kept = until.max(*kept),
                None => kept.push(until),
            }
        }
        Ok(Self { version, tokens, clients, until: kept })
    }

    /// Whether a token of `client` is void.
    pub fn is_revoked(&self, token_id: Option<&str>, client: &str, issued_at: Option<Timestamp>) -> bool {
        let until = || self.clients.position(client).and_then(|at| self.until.get(at));
        token_id.is_some_and(|id| self.tokens.position(id).is_some())
            || until().is_some_and(|until| issued_at.is_none_or(|at| at <= *until))
    }

    /// Whether it names single tokens.
    pub fn names_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The version that the list carries.
    pub const fn version(&self) -> u64 {
        self.version
    }
}

/// A date of RFC 3339, or seconds since 1970.
fn issued_until(entry: &Entry<'_>) -> Result<Timestamp, ListError> {
    let what = "a date such as `2026-01-01T00:00:00Z`";
    let late = "a date such as `2026-01-01T00:00:00Z`, and none before the year 2000";
    let value = entry.get("issued_until");
    match value.filter(|value| value.is_number()) {
        Some(number) => {
            let date = numeric_date(number).ok_or_else(|| entry.wrong("issued_until", what))?;
            if date.secs() < SECS_MIN { Err(entry.wrong("issued_until", late)) } else { Ok(date) }
        }
        None => entry.moment("issued_until")?.ok_or_else(|| entry.wrong("issued_until", what)),
    }
}

fn is_id(text: &str) -> bool {
    (1..=VALUE_BYTES_MAX).contains(&text.len())
}

#[cfg(test)]
mod tests;
