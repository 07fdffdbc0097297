//! Where a claim stands, and in which form identity providers write it.
//!
//! A list is an array of strings unless the configuration declares another form: whoever writes `"a,b"` in a claim that is
//! not declared so gets no school of that name and no two schools, but a refusal.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Claim, ClaimError, SCHOOLS_MAX};
use crate::credentials::reason::Reason;
use crate::values::json::tape::Node;
use crate::values::text::{is_plain, is_school};

/// Up to so many ids, each is looked for among those before it.
const SCANNED_MAX: usize = 16;
/// The largest whole number that every reader of JSON takes for itself (RFC 7493 section 2.2).
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Where a claim stands: a top-level member's name, or a JSON Pointer (RFC 6901) when it begins with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(pub String);

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListForm {
    /// An array of strings.
    #[default]
    Array,
    /// An array of strings, or OAuth's `scope` (RFC 8693, RFC 9068): one string whose values are separated by a space.
    ArrayOrScope,
    /// One string, which is one value.
    One,
    /// One string whose values are separated by this character; an empty string is an empty list.
    Separated(char),
}

/// A claim that says something about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimSource {
    /// Where it stands.
    pub path: ClaimPath,
    /// Its form, if it is a list.
    pub form: ListForm,
    /// Whether a whole number stands for its decimal digits.
    pub numbers: bool,
}

impl ClaimPath {
    /// Whether both lead to the same claim: `/jti` is `jti`.
    pub fn is_same(&self, other: &Self) -> bool {
        self.top_level() == other.top_level()
    }

    fn top_level(&self) -> &str {
        let name = self.0.strip_prefix('/').filter(|name| !name.contains(['/', '~']));
        name.unwrap_or(&self.0)
    }

    /// The value there; `None` if it is absent or null.
    pub fn find<'a>(&self, payload: Node<'a>) -> Option<Node<'a>> {
        let value = if self.0.starts_with('/') { payload.pointer(&self.0) } else { payload.get(&self.0) };
        value.filter(|value| !value.is_null())
    }

    pub(super) fn require<'a>(&self, reason: Reason, payload: Node<'a>) -> Result<Node<'a>, ClaimError> {
        self.find(payload).ok_or_else(|| ClaimError::Missing(Claim::new(reason, &self.0)))
    }

    pub(super) fn invalid(&self, reason: Reason) -> ClaimError {
        ClaimError::Invalid(Claim::new(reason, &self.0))
    }
}

impl ClaimSource {
    /// A string, or an array of strings, at this path.
    pub fn new(path: &str) -> Self {
        Self { path: ClaimPath(path.to_owned()), form: ListForm::Array, numbers: false }
    }

    /// One value that can stand in a header.
    pub(super) fn value(&self, reason: Reason, payload: Node<'_>) -> Result<String, ClaimError> {
        let value = self.text(self.path.require(reason, payload)?).filter(|value| is_plain(value));
        value.map(Cow::into_owned).ok_or_else(|| self.path.invalid(reason))
    }

    /// A list of ids, each kept once.
    pub(super) fn ids(&self, reason: Reason, value: Node<'_>) -> Result<Vec<String>, ClaimError> {
        let invalid = || self.path.invalid(reason);
        match (value.elements(), self.form) {
            (Some(elements), ListForm::Array | ListForm::ArrayOrScope) => {
                self.distinct(reason, value.len(), &mut elements.map(|element| self.text(element)))
            }
            (None, ListForm::One) => self.distinct(reason, 1, &mut std::iter::once(self.text(value))),
            (None, ListForm::ArrayOrScope) => self.cut(reason, value.text().ok_or_else(invalid)?, ' '),
            (None, ListForm::Separated(separator)) => {
                self.cut(reason, &self.text(value).ok_or_else(invalid)?, separator)
            }
            _ => Err(invalid()),
        }
    }

    fn cut(&self, reason: Reason, text: &str, separator: char) -> Result<Vec<String>, ClaimError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let count = text.split(separator).count();
        self.distinct(reason, count, &mut text.split(separator).map(|id| Some(Cow::Borrowed(id))))
    }

    fn distinct(
        &self,
        reason: Reason,
        count: usize,
        texts: &mut dyn Iterator<Item = Option<Cow<'_, str>>>,
    ) -> Result<Vec<String>, ClaimError> {
        if count > SCHOOLS_MAX {
            return Err(ClaimError::TooManyIds(reason));
        }
        let mut ids: Vec<String> = Vec::with_capacity(count);
        let mut seen = BTreeSet::new();
        for id in texts {
            let id = id.filter(|id| is_school(id)).ok_or_else(|| self.path.invalid(reason))?;
            let is_new =
                if count <= SCANNED_MAX { ids.iter().all(|known| *known != *id) } else { seen.insert(id.clone()) };
            if is_new {
                ids.push(id.into_owned());
            }
        }
        Ok(ids)
    }

    fn text<'t>(&self, value: Node<'t>) -> Option<Cow<'t, str>> {
        let number = || value.unsigned().filter(|number| self.numbers && *number <= NUMBER_MAX);
        value.text().map(Cow::Borrowed).or_else(|| number().map(|number| Cow::Owned(number.to_string())))
    }
}
