//! A document that is read for a few of its values: flat, in two allocations, without a map for each object.
//!
//! [`Tape::parse`] accepts what [`super::parse`] accepts and refuses what it refuses, with the same error. Objects are
//! searched from their beginning, which suits the handful of members that a token has.

use std::fmt;

use serde::de::DeserializeSeed as _;

use super::{Budget, JsonError, Limits, text_of};
use write::Writer;

mod write;

/// A document, as a list of its values in their order; what an array or an object holds follows it.
pub struct Tape {
    values: Vec<Value>,
    /// All texts, one after the other.
    texts: String,
}

#[derive(Clone, Copy)]
enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Float(f64),
    Text(Span),
    Array(Inner),
    /// For each member the text of its name, then its value.
    Object(Inner),
}

/// Where a text stands.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

/// What an array or an object holds.
#[derive(Clone, Copy, Default)]
struct Inner {
    /// How many elements or members.
    len: u32,
    /// The first value after it.
    end: u32,
}

/// A value of a document.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tape: &'t Tape,
    at: usize,
}

/// Elements of an array, or names and values of an object by turns.
#[derive(Clone)]
struct Nodes<'t> {
    next: Node<'t>,
    end: usize,
}

impl Tape {
    /// Reads one document.
    ///
    /// # Errors
    ///
    /// The first thing wrong with it.
    pub fn parse(bytes: &[u8], limits: Limits) -> Result<Self, JsonError> {
        let text = text_of(bytes)?;
        let budget = Budget::new(limits);
        let mut tape = Self { values: Vec::with_capacity(32), texts: String::with_capacity(text.len()) };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let seed = Writer::new(&mut tape, limits.depth_max, &budget);
        seed.deserialize(&mut deserializer).map_err(|error| budget.error(&error))?;
        deserializer.end().map_err(|_| JsonError::TrailingData)?;
        Ok(tape)
    }

    /// The whole document.
    pub const fn root(&self) -> Node<'_> {
        Node { tape: self, at: 0 }
    }

    fn text(&self, span: Span) -> &str {
        self.texts.get(index(span.start)..index(span.end)).unwrap_or_default()
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.texts.as_bytes().get(index(span.start)..index(span.end)).unwrap_or_default()
    }

    /// Most names differ in length already.
    fn is(&self, span: Span, name: &str) -> bool {
        index(span.end.wrapping_sub(span.start)) == name.len() && self.bytes(span) == name.as_bytes()
    }

    fn push(&mut self, value: Value) -> usize {
        self.values.push(value);
        self.values.len().saturating_sub(1)
    }

    fn push_text(&mut self, text: &str) -> Span {
        let start = short(self.texts.len());
        self.texts.push_str(text);
        Span { start, end: short(self.texts.len()) }
    }

    /// Closes the array or object at `at`, which holds `len` elements or members.
    fn close(&mut self, at: usize, len: u32, value: impl FnOnce(Inner) -> Value) {
        let end = short(self.values.len());
        if let Some(place) = self.values.get_mut(at) {
            *place = value(Inner { len, end });
        }
    }
}

impl fmt::Debug for Tape {
    /// Tells the number of values only: they are somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({} values)", self.values.len())
    }
}

impl<'t> Node<'t> {
    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        matches!(self.value(), Value::Null)
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        matches!(self.value(), Value::Object(_))
    }

    /// A string.
    pub fn text(self) -> Option<&'t str> {
        match self.value() {
            Value::Text(span) => Some(self.tape.text(span)),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        match self.value() {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// A whole number that is not negative, written without fraction and exponent.
    pub fn unsigned(self) -> Option<u64> {
        match self.value() {
            Value::Unsigned(number) => Some(number),
            _ => None,
        }
    }

    /// Any other number.
    pub fn float(self) -> Option<f64> {
        match self.value() {
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// How many elements or members an array or an object has.
    pub fn len(self) -> usize {
        match self.value() {
            Value::Array(inner) | Value::Object(inner) => index(inner.len),
            _ => 0,
        }
    }

    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The elements of an array.
    pub fn elements(self) -> Option<impl Iterator<Item = Node<'t>> + Clone> {
        match self.value() {
            Value::Array(inner) => Some(self.nodes(inner)),
            _ => None,
        }
    }

    /// The members of an object, in their order.
    pub fn members(self) -> Option<impl Iterator<Item = (&'t str, Node<'t>)> + Clone> {
        match self.value() {
            Value::Object(inner) => Some(Members(self.nodes(inner))),
            _ => None,
        }
    }

    /// The member of this name, if it is an object that has it.
    pub fn get(self, name: &str) -> Option<Self> {
        let Value::Object(inner) = self.value() else {
            return None;
        };
        let (values, end) = (&self.tape.values, index(inner.end));
        let mut at = self.at.saturating_add(1);
        while at < end {
            let (name_at, value_at) = (at, at.saturating_add(1));
            at = match values.get(value_at)? {
                Value::Array(inner) | Value::Object(inner) => index(inner.end),
                _ => value_at.saturating_add(1),
            };
            if matches!(values.get(name_at)?, Value::Text(span) if self.tape.is(*span, name)) {
                return Some(Node { at: value_at, ..self });
            }
        }
        None
    }

    /// What a JSON Pointer (RFC 6901) leads to.
    pub fn pointer(self, pointer: &str) -> Option<Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        let mut steps = pointer.strip_prefix('/')?.split('/');
        steps.try_fold(self, |node, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            match node.value() {
                Value::Object(_) => node.get(&step),
                Value::Array(inner) => node.nodes(inner).nth(place(&step)?),
                _ => None,
            }
        })
    }

    fn value(self) -> Value {
        self.tape.values.get(self.at).copied().unwrap_or(Value::Null)
    }

    const fn nodes(self, inner: Inner) -> Nodes<'t> {
        Nodes { next: Node { at: self.at.saturating_add(1), ..self }, end: index(inner.end) }
    }

    /// Where the value after it stands.
    fn end(self) -> usize {
        match self.value() {
            Value::Array(inner) | Value::Object(inner) => index(inner.end),
            _ => self.at.saturating_add(1),
        }
    }
}

impl<'t> Iterator for Nodes<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        let node = self.next;
        if node.at >= self.end {
            return None;
        }
        self.next.at = node.end();
        Some(node)
    }
}

#[derive(Clone)]
struct Members<'t>(Nodes<'t>);

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, Node<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?.text()?, self.0.next()?))
    }
}

/// An index of an array in a pointer: digits, no leading zero.
fn place(step: &str) -> Option<usize> {
    let is_plain = !step.starts_with('+') && (!step.starts_with('0') || step.len() == 1);
    step.parse().ok().filter(|_| is_plain)
}

/// Documents of 4 GiB do not exist in a 32-bit VM, and tokens are bounded far below.
fn short(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

const fn index(place: u32) -> usize {
    place as usize
}

#[cfg(test)]
mod tests;
