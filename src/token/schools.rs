//! The list of schools that a token approves: for membership and for the header.

use std::rc::Rc;

use crate::config::ListFormat;

#[cfg(test)]
mod tests;

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
        Self { sorted: sorted.into(), header: header.into_bytes().into() }
    }

    /// Whether the set has this school; compared byte by byte.
    pub fn contains(&self, school: &str) -> bool {
        self.sorted.binary_search_by(|known| known.as_ref().cmp(school)).is_ok()
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
