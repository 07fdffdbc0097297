//! The document as Envoy hands it over: JSON text, or a serialized `google.protobuf.Struct`.
//!
//! A `google.protobuf.StringValue` arrives as its text, a `Struct` as protobuf whose numbers are doubles. JSON is
//! tried first; the first byte decides nothing, since a Struct begins with a line feed, and JSON may.

use prost::Message as _;
use serde_json::{Map, Number, Value};

use super::diagnostics::ConfigErrors;
use crate::values::json;

/// Longest document, bytes: room for hundreds of tiers, routes and inline keys.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Whole doubles up to this are exact (2^53).
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads the document; duplicate members are refused at any depth.
#[inline(never)]
pub(super) fn read(bytes: &[u8]) -> Result<Value, ConfigErrors> {
    if bytes.is_empty() {
        return Err(ConfigErrors::document("expected JSON or a google.protobuf.Struct, got nothing"));
    }
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let message = format!("expected at most {DOCUMENT_BYTES_MAX} bytes, got {}", bytes.len());
        return Err(ConfigErrors::document(message));
    }
    let not_json = match json::parse(bytes, json::Limits::DOCUMENT) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match read_struct(bytes) {
        Ok(value) => Ok(value),
        Err(NotStruct::Decode) => Err(ConfigErrors::document(format!(
            "expected JSON or a google.protobuf.Struct, got neither: it {not_json}"
        ))),
        Err(NotStruct::Content(message)) => Err(ConfigErrors::document(message)),
    }
}

/// Why bytes are no usable Struct.
#[derive(Debug)]
enum NotStruct {
    /// They are not a Struct at all; the JSON error says more.
    Decode,
    /// They are one, with this fault.
    Content(&'static str),
}

/// `google.protobuf.Struct`. The map is read as the list of entries that it is on the wire, so that
/// duplicates show; prost bounds the recursion.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Struct {
    #[prost(message, repeated, tag = "1")]
    pub(super) fields: Vec<MapEntry>,
}

/// An entry of the map in [`Struct`].
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct MapEntry {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<ProtoValue>,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ProtoValue {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) kind: Option<Kind>,
}

/// The kinds of a [`ProtoValue`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Kind {
    /// Null.
    #[prost(int32, tag = "1")]
    Null(i32),
    /// Number.
    #[prost(double, tag = "2")]
    Number(f64),
    /// String.
    #[prost(string, tag = "3")]
    String(String),
    /// Boolean.
    #[prost(bool, tag = "4")]
    Bool(bool),
    /// Object.
    #[prost(message, tag = "5")]
    Struct(Struct),
    /// Array.
    #[prost(message, tag = "6")]
    List(List),
}

/// `google.protobuf.ListValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct List {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<ProtoValue>,
}

fn read_struct(bytes: &[u8]) -> Result<Value, NotStruct> {
    let document = Struct::decode(bytes).map_err(|_| NotStruct::Decode)?;
    if document.fields.is_empty() {
        // Bytes of unknown fields only: a text that happens to be protobuf.
        return Err(NotStruct::Decode);
    }
    object(document)
}

#[inline(never)]
fn object(document: Struct) -> Result<Value, NotStruct> {
    let mut members = Map::new();
    for entry in document.fields {
        let value = value(entry.value.unwrap_or_default())?;
        if members.insert(entry.key, value).is_some() {
            return Err(NotStruct::Content(
                "expected distinct member names, got a duplicate in a google.protobuf.Struct",
            ));
        }
    }
    Ok(Value::Object(members))
}

#[inline(never)]
fn value(value: ProtoValue) -> Result<Value, NotStruct> {
    Ok(match value.kind {
        None | Some(Kind::Null(_)) => Value::Null,
        Some(Kind::Number(number)) => Value::Number(double(number)?),
        Some(Kind::String(text)) => Value::String(text),
        Some(Kind::Bool(flag)) => Value::Bool(flag),
        Some(Kind::Struct(members)) => object(members)?,
        Some(Kind::List(list)) => Value::Array(list.values.into_iter().map(self::value).collect::<Result<_, _>>()?),
    })
}

fn double(number: f64) -> Result<Number, NotStruct> {
    if let Some(whole) = whole(number) {
        return Ok(Number::from(whole));
    }
    Number::from_f64(number).ok_or(NotStruct::Content("expected finite numbers, got one that is not"))
}

/// The integer that a double holds exactly, if it does.
pub(super) fn whole(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() <= WHOLE_MAX;
    #[expect(clippy::cast_possible_truncation, reason = "exact: whole, and far inside i64")]
    exact.then_some(number as i64)
}
