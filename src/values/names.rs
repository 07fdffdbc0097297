//! Names and their positions: the one hash table of all that looks things up by names, since each kind of table is code.
//! And which name of a few another one may have been meant for.

use std::collections::HashMap;

#[cfg(test)]
mod tests;

/// Distinct names, counted from 0 in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(HashMap<Box<str>, usize>);

impl Names {
    /// Adds a name, which takes the next position; `Some`: it was there before, at this one.
    #[inline(never)]
    pub fn add(&mut self, name: &str) -> Option<usize> {
        let known = self.position(name);
        if known.is_none() {
            self.0.insert(name.into(), self.0.len());
        }
        known
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a name stands; compared byte by byte.
    #[inline(never)]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

/// Longest name that is compared with others, bytes: what is longer is no typing error.
pub(crate) const COMPARED_BYTES_MAX: usize = 40;

/// Fields of builds before the first release, and what each is called now.
const RENAMED: [(&str, &str); 5] = [
    ("account", "client"),
    ("application", "client"),
    ("vendor", "client"),
    ("vendors", "clients"),
    ("failed_credentials", "authentication_failures"),
];

/// The known name that an old one or a typing error may have meant.
#[inline(never)]
pub(crate) fn closest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > COMPARED_BYTES_MAX {
        return None;
    }
    let renamed = RENAMED.iter().find(|(old, _)| *old == name);
    if let Some(now) = renamed.and_then(|(_, now)| known.iter().find(|candidate| *candidate == now)) {
        return Some(now);
    }
    let near = |candidate: &&'static str| {
        let distance = strsim::osa_distance(name, candidate);
        (distance <= 2 && distance < candidate.len().min(name.len())).then_some((distance, *candidate))
    };
    known.iter().filter_map(near).min().map(|(_, candidate)| candidate)
}
