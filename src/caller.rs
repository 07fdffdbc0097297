//! The caller: what is left of a verified token once configuration has had its say.
//!
//! A caller never changes; a new token is a new caller. Whether a route, a limit or a scope admits it is not said here.

use crate::denial::Denial;
use crate::limits::owner::Owner;
use crate::token::schools::Schools;

/// A verified caller, as the upstream and the limits see it. Immutable; shared by all requests with its token.
#[derive(Debug)]
pub struct Caller {
    /// The issuer, by index.
    pub issuer: usize,
    /// The client's id; safe in a header.
    pub client: String,
    /// The tier, by index; meaningless when `refused` is `TierUnknown`.
    pub tier: usize,
    /// The approved schools; `None`: tokens of this issuer carry none.
    pub schools: Option<Schools>,
    /// Whose budgets its requests draw on.
    pub owner: Owner,
    /// Why every request with this token is refused, though it is valid.
    pub refused: Option<Denial>,
}

impl Caller {
    /// Whether the caller's list approves `school`.
    pub fn may_see(&self, school: &str) -> bool {
        self.schools.as_ref().is_some_and(|schools| schools.contains(school))
    }

    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        let schools = self.schools.as_ref().map_or(0, Schools::weight);
        size_of::<Self>().saturating_add(self.client.len()).saturating_add(schools)
    }

    /// The tier, unless it is unknown.
    pub fn known_tier(&self) -> Option<usize> {
        (self.refused != Some(Denial::TierUnknown)).then_some(self.tier)
    }
}
