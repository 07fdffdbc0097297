//! Problems of a configuration: all of them are collected, each names its field's path.
//!
//! Messages never repeat a value, since any value may be a secret or a school; they may repeat names that the
//! configuration gives to tiers, issuers and limits.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::position::Positions;

/// Problems that are kept; the rest are only counted, so that a hostile document cannot flood the log.
const PROBLEMS_MAX: usize = 64;

/// Everything that is wrong with a configuration, each as `path: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    problems: Vec<String>,
    more: usize,
}

impl ConfigErrors {
    /// The document as a whole cannot be read.
    pub(super) fn document(message: impl fmt::Display) -> Self {
        Self { problems: vec![format!("configuration: {message}")], more: 0 }
    }

    /// The problems, in the order found; at most 64.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigErrors {
    /// One problem per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))?;
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Where readers put what they find.
#[derive(Debug, Default)]
pub(super) struct Diagnostics {
    pub(super) positions: Positions,
    problems: RefCell<Vec<String>>,
    more: Cell<usize>,
    warnings: RefCell<Vec<String>>,
    more_warnings: Cell<usize>,
}

impl Diagnostics {
    /// Notes a problem: the document is refused.
    #[inline(never)]
    pub(super) fn problem(&self, path: &str, message: &dyn fmt::Display) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < PROBLEMS_MAX {
            problems.push(line(path, message));
        } else {
            self.more.set(self.more.get().saturating_add(1));
        }
    }

    /// Notes what is allowed but unwise.
    #[inline(never)]
    pub(super) fn warn(&self, path: &str, message: &dyn fmt::Display) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < PROBLEMS_MAX {
            warnings.push(line(path, message));
        } else {
            self.more_warnings.set(self.more_warnings.get().saturating_add(1));
        }
    }

    /// The warnings, and how many more there are; or the problems if there are any.
    pub(super) fn finish(self) -> Result<Vec<String>, ConfigErrors> {
        let problems = self.problems.into_inner();
        if problems.is_empty() {
            let mut warnings = self.warnings.into_inner();
            if self.more_warnings.get() > 0 {
                warnings.push(format!("and {} more", self.more_warnings.get()));
            }
            return Ok(warnings);
        }
        Err(ConfigErrors { problems, more: self.more.get() })
    }
}

fn line(path: &str, message: &dyn fmt::Display) -> String {
    let path = if path.is_empty() { "configuration" } else { path };
    format!("{path}: {message}")
}
