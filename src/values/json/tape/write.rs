//! Reads a document into a tape, strictly.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Inner, Span, Tape, Value, index};
use crate::values::json::{Budget, JsonError};

/// Up to so many members, a name is looked for among those before it; from then on in a set.
const SCANNED_MAX: usize = 16;

/// Writes one value, and what it holds, to the end of a tape.
pub(super) struct Writer<'w> {
    tape: &'w mut Tape,
    depth_left: usize,
    budget: &'w Budget,
}

impl<'w> Writer<'w> {
    pub(super) const fn new(tape: &'w mut Tape, depth_left: usize, budget: &'w Budget) -> Self {
        Self { tape, depth_left, budget }
    }

    fn deeper<E: Error>(&self) -> Result<usize, E> {
        self.depth_left.checked_sub(1).ok_or_else(|| self.budget.refuse(JsonError::TooDeep))
    }

    fn take_value<E: Error>(&self) -> Result<(), E> {
        self.budget.take_value().map_err(|refusal| self.budget.refuse(refusal))
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.tape.push(Value::Null);
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.tape.push(Value::Bool(flag));
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "negative ones are no value of anything here")]
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        let value = u64::try_from(value).map_or(Value::Float(value as f64), Value::Unsigned);
        self.tape.push(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.tape.push(Value::Unsigned(value));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if !value.is_finite() {
            return Err(E::custom("not finite"));
        }
        self.tape.push(Value::Float(value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        let span = self.tape.push_text(value);
        self.tape.push(Value::Text(span));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth_left = self.deeper()?;
        let at = self.tape.push(Value::Array(Inner::default()));
        let mut len = 0_u32;
        while seq.next_element_seed(Writer { tape: self.tape, depth_left, budget: self.budget })?.is_some() {
            self.take_value()?;
            len = len.saturating_add(1);
        }
        self.tape.close(at, len, Value::Array);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth_left = self.deeper()?;
        let at = self.tape.push(Value::Object(Inner::default()));
        let mut names = Names::default();
        while let Some(name) = map.next_key_seed(Name(self.tape))? {
            self.take_value()?;
            if names.is_double(self.tape, name) {
                return Err(self.budget.refuse(JsonError::DuplicateMember));
            }
            map.next_value_seed(Writer { tape: self.tape, depth_left, budget: self.budget })?;
        }
        self.tape.close(at, names.len, Value::Object);
        Ok(())
    }
}

/// Writes the name of a member.
struct Name<'w>(&'w mut Tape);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Span;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Span, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Span, E> {
        let span = self.0.push_text(name);
        self.0.push(Value::Text(span));
        Ok(span)
    }
}

/// The names of an object's members so far.
#[derive(Default)]
struct Names {
    len: u32,
    first: [Option<Span>; SCANNED_MAX],
    rest: BTreeSet<Box<[u8]>>,
}

impl Names {
    /// Adds a name; says whether it is there already.
    fn is_double(&mut self, tape: &Tape, name: Span) -> bool {
        let bytes = tape.bytes(name);
        let is_known = self.first.iter().map_while(|it| *it).any(|it| tape.bytes(it) == bytes);
        let is_double = match self.first.get_mut(index(self.len)) {
            Some(free) => {
                *free = Some(name);
                is_known
            }
            None => is_known || !self.rest.insert(bytes.into()),
        };
        self.len = self.len.saturating_add(1);
        is_double
    }
}
