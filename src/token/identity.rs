//! Who is calling: what is left of a token once it is verified and judged.
//!
//! An identity never changes; a new token is a new identity. It says nothing about routes, limits or revocation.

use std::rc::Rc;

use super::claims::Claims;
use crate::config::ListFormat;
use crate::time::Now;

#[cfg(test)]
mod tests;

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The issuer, by index in the configuration.
    pub issuer: usize,
    /// The client's id; unique per issuer only.
    pub client: Box<str>,
    /// The tier, by index in the configuration.
    pub tier: usize,
    /// The approved schools; `None`: tokens of the issuer carry none.
    pub schools: Option<Schools>,
    /// Valid from this moment
    pub not_before: Now,
    /// up to, but not at, this one.
    pub not_after: Now,
    /// Generation of the key set that verified the token.
    pub generation: u64,
}

impl Identity {
    /// From judged claims; the caller has resolved the tier.
    pub fn new(
        issuer: usize,
        tier: usize,
        claims: Claims,
        format: ListFormat,
        generation: u64,
    ) -> Self {
        Self {
            issuer,
            client: claims.client.into_boxed_str(),
            tier,
            schools: claims.schools.map(|schools| Schools::new(schools, format)),
            not_before: claims.not_before,
            not_after: claims.not_after,
            generation,
        }
    }

    /// Whether the token is valid at this moment.
    pub fn is_valid_at(&self, now: Now) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        let schools = self.schools.as_ref().map_or(0, Schools::weight);
        size_of::<Self>()
            .saturating_add(self.client.len())
            .saturating_add(schools)
    }
}

/// A set of schools; may be empty, which means none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schools {
    sorted: Rc<[Box<str>]>,
    header: Rc<[u8]>,
}

impl Schools {
    /// From values that have passed [`super::claims::is_school`], in the order in which to forward them.
    pub fn new(schools: Vec<String>, format: ListFormat) -> Self {
        let header = match format {
            ListFormat::Comma => schools.join(","),
            // The values need no escapes: they have neither quotes nor backslashes nor control characters.
            ListFormat::Json if schools.is_empty() => "[]".to_owned(),
            ListFormat::Json => format!("[\"{}\"]", schools.join("\",\"")),
        };
        let mut sorted: Vec<Box<str>> = schools.into_iter().map(String::into_boxed_str).collect();
        sorted.sort_unstable();
        Self {
            sorted: sorted.into(),
            header: header.into_bytes().into(),
        }
    }

    /// Whether the set has this school; compared byte by byte.
    pub fn contains(&self, school: &str) -> bool {
        self.sorted
            .binary_search_by(|known| known.as_ref().cmp(school))
            .is_ok()
    }

    /// The schools, sorted by bytes.
    pub fn sorted(&self) -> &[Box<str>] {
        &self.sorted
    }

    /// The value of the header for the upstream, complete.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        let per_school = size_of::<Box<str>>().saturating_mul(self.sorted.len());
        // Each school stands once in the set and once in the header.
        per_school.saturating_add(self.header.len().saturating_mul(2))
    }
}
