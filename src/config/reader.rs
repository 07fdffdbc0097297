//! Typed reading of a JSON document that collects every problem with its field's path.
//!
//! A getter returns `None` only after it has noted a problem, so that a caller reads all fields first and
//! gives up afterwards.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::diagnostics::Diagnostics;
use super::duration;
use super::position::{self, Position};
use super::wire;
use crate::values::names::{Names, closest};

/// A value of the document and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    position: Position,
    value: &'a Value,
    diagnostics: &'a Diagnostics,
}

impl<'a> Reader<'a> {
    /// The document as a whole.
    pub(super) fn root(value: &'a Value, diagnostics: &'a Diagnostics) -> Self {
        Self { position: Position::ROOT, value, diagnostics }
    }

    /// Where the value stands.
    #[inline(never)]
    pub(super) fn path(&self) -> String {
        self.diagnostics.positions.path(self.position)
    }

    /// The value as it was read.
    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    /// Whether this is `off`, for which YAML (Envoy's too) gives `false` unless it is quoted.
    pub(super) fn is_off(&self) -> bool {
        matches!(self.value, Value::Bool(false)) || self.value.as_str() == Some("off")
    }

    /// Notes a problem with this value.
    pub(super) fn problem(&self, message: impl fmt::Display) {
        self.note(&message, Diagnostics::problem);
    }

    /// Notes a warning about this value.
    pub(super) fn warn(&self, message: impl fmt::Display) {
        self.note(&message, Diagnostics::warn);
    }

    /// Notes a problem with a field of this object, given or not; `a.b` is the field `b` of the field `a`.
    pub(super) fn problem_at(&self, fields: &'static str, message: impl fmt::Display) {
        self.note_at(fields, &message, Diagnostics::problem);
    }

    /// Notes a warning about such a field.
    pub(super) fn warn_at(&self, fields: &'static str, message: impl fmt::Display) {
        self.note_at(fields, &message, Diagnostics::warn);
    }

    #[inline(never)]
    fn note(&self, message: &dyn fmt::Display, into: fn(&Diagnostics, &str, &dyn fmt::Display)) {
        into(self.diagnostics, &self.path(), message);
    }

    #[inline(never)]
    fn note_at(&self, fields: &str, message: &dyn fmt::Display, into: fn(&Diagnostics, &str, &dyn fmt::Display)) {
        into(self.diagnostics, &position::dotted(&self.path(), fields), message);
    }

    /// Notes that the value is not `what`.
    #[inline(never)]
    pub(super) fn expected(&self, what: &str) {
        self.problem(format_args!("expected {what}, got {}", kind(self.value)));
    }

    /// A boolean.
    #[inline(never)]
    pub(super) fn boolean(&self) -> Option<bool> {
        let flag = self.value.as_bool();
        if flag.is_none() {
            self.expected("a boolean");
        }
        flag
    }

    /// A whole number in the range.
    #[inline(never)]
    pub(super) fn integer(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let number = self.value.as_u64().or_else(|| {
            let whole = self.value.as_f64().and_then(wire::whole)?;
            u64::try_from(whole).ok()
        });
        let found = number.and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n));
        if found.is_none() {
            let got = if self.value.is_number() { "another number" } else { kind(self.value) };
            self.problem(format_args!("expected a whole number from {} to {}, got {got}", range.start(), range.end()));
        }
        found
    }

    /// A duration such as `2s` in the range.
    #[inline(never)]
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let Some(text) = self.value.as_str() else {
            self.expected("a duration such as `2s`");
            return None;
        };
        let Some(found) = duration::parse(text) else {
            self.problem("expected a duration such as `500ms`, `2s`, `10m`, `24h` or `7d`, got another string");
            return None;
        };
        if range.contains(&found) {
            return Some(found);
        }
        self.problem(format_args!(
            "expected a duration from {} to {}, got {}",
            duration::display(*range.start()),
            duration::display(*range.end()),
            duration::display(found)
        ));
        None
    }

    /// An accepted string; `what` describes it.
    pub(super) fn string(&self, what: &str, accepts: impl FnOnce(&str) -> bool) -> Option<&'a str> {
        let text = self.text(what)?;
        if !accepts(text) {
            self.other_text(what, text);
            return None;
        }
        Some(text)
    }

    #[inline(never)]
    fn text(&self, what: &str) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.expected(what);
        }
        text
    }

    #[inline(never)]
    fn other_text(&self, what: &str, got: &str) {
        let got = if got.is_empty() { "an empty string" } else { "another string" };
        self.problem(format_args!("expected {what}, got {got}"));
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| self.value.as_str() == Some(word));
        if found.is_none() {
            self.other_word(&words.iter().map(|(word, _)| *word).collect::<Vec<_>>());
        }
        found.map(|(_, meaning)| *meaning)
    }

    #[inline(never)]
    fn other_word(&self, words: &[&str]) {
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let got = if self.value.is_string() { "another string" } else { kind(self.value) };
        self.problem(format_args!("expected {}, got {got}", words.join(" or ")));
    }

    /// The items of an array, at most `max`.
    #[inline(never)]
    pub(super) fn items(&self, max: usize) -> Option<Vec<Self>> {
        let Some(items) = self.value.as_array() else {
            self.expected("an array");
            return None;
        };
        if items.len() > max {
            self.problem(format_args!("expected at most {max} items, got {}", items.len()));
            return None;
        }
        let item = |(index, value)| Self {
            position: self.diagnostics.positions.element(self.position, index),
            value,
            diagnostics: self.diagnostics,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// An array of at most `max` items, each read by `read`; every item is read before giving up.
    pub(super) fn list<T>(&self, max: usize, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.items(max)?.iter().map(read).collect();
        read.into_iter().collect()
    }

    /// The same; no item stands twice. `what` they are.
    pub(super) fn distinct<T: PartialEq>(
        &self,
        max: usize,
        what: &str,
        read: impl Fn(&Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.items(max)?;
        let found: Vec<Option<T>> = items.iter().map(read).collect();
        let found = found.into_iter().collect::<Option<Vec<T>>>()?;
        let is_again = |nth: usize| found.iter().take(nth).any(|before| Some(before) == found.get(nth));
        if let Some((_, item)) = items.iter().enumerate().find(|(nth, _)| is_again(*nth)) {
            item.problem(format_args!("expected distinct {what}, got one a second time"));
            return None;
        }
        Some(found)
    }

    /// An array of distinct accepted strings.
    #[inline(never)]
    pub(super) fn strings(&self, max: usize, what: &str, accepts: &dyn Fn(&str) -> bool) -> Option<Vec<String>> {
        let items = self.items(max)?;
        let texts: Vec<_> = items.iter().map(|item| item.string(what, accepts)).collect();
        let strings = texts.into_iter().collect::<Option<Vec<&str>>>()?;
        let mut seen = Names::default();
        if let Some((item, _)) = items.iter().zip(&strings).find(|(_, text)| seen.add(text).is_some()) {
            item.problem("expected distinct strings, got one a second time");
            return None;
        }
        Some(strings.into_iter().map(str::to_owned).collect())
    }

    /// The members of an object whose names the user chooses, in the order of names.
    #[inline(never)]
    pub(super) fn entries(&self) -> Option<Vec<(&'a str, Self)>> {
        let Some(members) = self.value.as_object() else {
            self.expected("an object");
            return None;
        };
        let entry = |(name, value): (&'a String, &'a Value)| {
            (
                name.as_str(),
                Self {
                    position: self.diagnostics.positions.member(self.position, name),
                    value,
                    diagnostics: self.diagnostics,
                },
            )
        };
        Some(members.iter().map(entry).collect())
    }

    /// An object of known fields; every other field is a problem.
    #[inline(never)]
    pub(super) fn object(&self, known: &'static [&'static str]) -> Option<Object<'a>> {
        let Some(members) = self.value.as_object() else {
            self.expected("an object");
            return None;
        };
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let path = self.diagnostics.positions.path(self.diagnostics.positions.member(self.position, name));
            match closest(name, known) {
                Some(near) => self.diagnostics.problem(&path, &format_args!("unknown field; did you mean `{near}`?")),
                None => self.diagnostics.problem(&path, &"unknown field"),
            }
        }
        Some(Object { reader: *self, members })
    }
}

/// An object whose fields are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a> {
    reader: Reader<'a>,
    members: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// A field, if it is given.
    #[inline(never)]
    pub(super) fn get(&self, name: &str) -> Option<Reader<'a>> {
        let value = self.members.get(name)?;
        let Reader { position, diagnostics, .. } = self.reader;
        Some(Reader { position: diagnostics.positions.member(position, name), value, diagnostics })
    }

    /// A field that must be given.
    #[inline(never)]
    pub(super) fn required(&self, name: &'static str) -> Option<Reader<'a>> {
        let field = self.get(name);
        if field.is_none() {
            self.problem(name, "missing");
        }
        field
    }

    /// Notes a problem with a field, given or not; `a.b` is the field `b` of the field `a`.
    pub(super) fn problem(&self, fields: &'static str, message: impl fmt::Display) {
        self.reader.problem_at(fields, message);
    }

    /// Notes a warning about a field, given or not.
    pub(super) fn warn(&self, fields: &'static str, message: impl fmt::Display) {
        self.reader.warn_at(fields, message);
    }

    /// A field, or the default where it is absent.
    pub(super) fn field<T>(&self, name: &str, default: T, read: impl FnOnce(&Reader<'a>) -> Option<T>) -> Option<T> {
        self.get(name).map_or(Some(default), |field| read(&field))
    }

    /// A field that may be absent: `Some(None)`.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether it could be read, the inner one whether it is given"
    )]
    pub(super) fn maybe<T>(&self, name: &str, read: impl FnOnce(&Reader<'a>) -> Option<T>) -> Option<Option<T>> {
        self.get(name).map_or(Some(None), |field| read(&field).map(Some))
    }

    /// A flag, off by default.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.field(name, false, Reader::boolean)
    }

    /// The one field of several alternatives that is given.
    #[inline(never)]
    pub(super) fn one_of(&self, names: &'static [&'static str]) -> Option<(&'static str, Reader<'a>)> {
        let mut given: Vec<_> = names.iter().filter_map(|name| Some((*name, self.get(name)?))).collect();
        match (given.len(), given.pop()) {
            (1, Some(only)) => Some(only),
            (count, _) => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                self.reader.problem(format_args!("expected exactly one of {}, got {count}", names.join(", ")));
                None
            }
        }
    }
}

#[inline(never)]
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
