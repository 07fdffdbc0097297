//! A list of ids that a token grants (schools, districts, permissions): for membership and for the header.

use std::rc::Rc;

use crate::config::ListFormat;

#[cfg(test)]
mod tests;

/// A set of ids; may be empty, which means none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    sorted: Rc<[Box<str>]>,
    header: Rc<[u8]>,
}

impl Ids {
    /// From values that have passed [`super::claims::is_school`], in the order in which to forward them.
    pub fn new(ids: Vec<String>, format: ListFormat) -> Self {
        let header = match format {
            ListFormat::Comma => ids.join(","),
            // The values need no escapes: they have neither quotes nor backslashes nor control characters.
            ListFormat::Json if ids.is_empty() => "[]".to_owned(),
            ListFormat::Json => format!("[\"{}\"]", ids.join("\",\"")),
        };
        let mut sorted: Vec<Box<str>> = ids.into_iter().map(String::into_boxed_str).collect();
        sorted.sort_unstable();
        Self { sorted: sorted.into(), header: header.into_bytes().into() }
    }

    /// Whether the set has this id; compared byte by byte.
    pub fn contains(&self, id: &str) -> bool {
        self.sorted.binary_search_by(|known| known.as_ref().cmp(id)).is_ok()
    }

    /// The ids, sorted by bytes.
    pub fn sorted(&self) -> &[Box<str>] {
        &self.sorted
    }

    /// The value of the header for the upstream, complete.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// About how much memory it takes, bytes.
    pub fn weight(&self) -> usize {
        let per_id = size_of::<Box<str>>().saturating_mul(self.sorted.len());
        // Each id stands once in the set and once in the header.
        per_id.saturating_add(self.header.len().saturating_mul(2))
    }
}
