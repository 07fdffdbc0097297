//! Strict JSON (RFC 8259): one document, nothing after it, no member named twice at any depth.
//!
//! RFC 8259 section 4 leaves duplicate members open, so two readers of one token, key set or body may see two
//! different documents; here they are refused, compared after unescaping. A byte order mark, invalid UTF-8, deep
//! nesting and too many values are refused as well. Numbers are `u64`, `i64` or finite `f64`, as `serde_json` reads them.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

pub mod tape;
#[cfg(test)]
mod tests;

/// What a document may cost; the caller bounds its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of arrays and objects; `[]` has depth 1.
    pub depth_max: usize,
    /// Most object members and array elements, all together.
    pub values_max: usize,
}

impl Limits {
    /// Header and payload of a token: room for the longest list of schools.
    pub const TOKEN: Self = Self { depth_max: 32, values_max: 16_384 };
    /// Key sets and configurations, which come from operators and may list many things.
    pub const DOCUMENT: Self = Self { depth_max: 32, values_max: 1_000_000 };
}

/// Why bytes are no acceptable JSON document. Never quotes the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// It is not UTF-8.
    Utf8,
    /// An object names a member twice.
    DuplicateMember,
    /// Nesting is deeper than the limit.
    TooDeep,
    /// It has more values than the limit.
    TooManyValues,
    /// A second document or other bytes follow.
    TrailingData,
    /// It is not JSON; where, both counted from 1.
    Syntax {
        /// Line of the first wrong byte.
        line: usize,
        /// Column of the first wrong byte.
        column: usize,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("begins with a byte order mark"),
            Self::Utf8 => f.write_str("is not UTF-8"),
            Self::DuplicateMember => f.write_str("names a member twice"),
            Self::TooDeep => f.write_str("is nested too deeply"),
            Self::TooManyValues => f.write_str("has too many values"),
            Self::TrailingData => f.write_str("has data after its end"),
            Self::Syntax { line, column } => {
                write!(f, "is not JSON at line {line} column {column}")
            }
        }
    }
}

impl std::error::Error for JsonError {}

/// Reads one document.
///
/// # Errors
///
/// The first thing wrong with it.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    read(bytes, limits, Role::Value)
}

/// Reads one document as [`parse`] does, but hands each element of the array in the member `array` of its root to `take` once
/// it is read, and leaves that array empty, so that a long list is never there as a whole.
///
/// # Errors
///
/// The first thing wrong with it; anything, if `take` said `false`.
pub fn parse_each(
    bytes: &[u8],
    limits: Limits,
    array: &str,
    take: &dyn Fn(&Value) -> bool,
) -> Result<Value, JsonError> {
    read(bytes, limits, Role::Root(Each { array, take }))
}

fn read(bytes: &[u8], limits: Limits, role: Role<'_>) -> Result<Value, JsonError> {
    let text = text_of(bytes)?;
    let budget = Budget::new(limits);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Strict { depth_left: limits.depth_max, budget: &budget, role };
    let value = seed.deserialize(&mut deserializer).map_err(|error| budget.error(&error))?;
    deserializer.end().map_err(|_| JsonError::TrailingData)?;
    Ok(value)
}

fn text_of(bytes: &[u8]) -> Result<&str, JsonError> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError::ByteOrderMark);
    }
    std::str::from_utf8(bytes).map_err(|_| JsonError::Utf8)
}

/// What is left for the whole document, and why it was refused: serde's errors carry text only.
struct Budget {
    values_left: Cell<usize>,
    refusal: Cell<Option<JsonError>>,
}

impl Budget {
    const fn new(limits: Limits) -> Self {
        Self { values_left: Cell::new(limits.values_max), refusal: Cell::new(None) }
    }

    fn take_value(&self) -> Result<(), JsonError> {
        let left = self.values_left.get().checked_sub(1).ok_or(JsonError::TooManyValues)?;
        self.values_left.set(left);
        Ok(())
    }

    fn refuse<E: serde::de::Error>(&self, refusal: JsonError) -> E {
        self.refusal.set(Some(refusal));
        E::custom("refused")
    }

    fn error(&self, error: &serde_json::Error) -> JsonError {
        self.refusal.get().unwrap_or(JsonError::Syntax { line: error.line(), column: error.column() })
    }
}

/// Who gets the elements of an array of the root.
#[derive(Clone, Copy)]
struct Each<'b> {
    array: &'b str,
    take: &'b dyn Fn(&Value) -> bool,
}

/// What a value is.
#[derive(Clone, Copy)]
enum Role<'b> {
    /// One like any other.
    Value,
    /// The root, of which an array is handed out.
    Root(Each<'b>),
    /// That array.
    Array(Each<'b>),
}

#[derive(Clone, Copy)]
struct Strict<'b> {
    depth_left: usize,
    budget: &'b Budget,
    role: Role<'b>,
}

impl<'b> Strict<'b> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| self.budget.refuse(JsonError::TooDeep))?;
        Ok(Self { depth_left, role: Role::Value, ..self })
    }

    /// What the value of a member of this object is.
    fn role_of(&self, name: &str) -> Role<'b> {
        match self.role {
            Role::Root(each) if each.array == name => Role::Array(each),
            _ => Role::Value,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element_seed(inner)? {
            self.budget.take_value().map_err(|refusal| self.budget.refuse(refusal))?;
            match self.role {
                Role::Array(each) if (each.take)(&element) => {}
                Role::Array(_) => return Err(serde::de::Error::custom("refused")),
                Role::Value | Role::Root(_) => elements.push(element),
            }
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            self.budget.take_value().map_err(|refusal| self.budget.refuse(refusal))?;
            if members.contains_key(&name) {
                return Err(self.budget.refuse(JsonError::DuplicateMember));
            }
            let seed = Self { role: self.role_of(&name), ..inner };
            members.insert(name, map.next_value_seed(seed)?);
        }
        Ok(Value::Object(members))
    }
}
