//! What every room reads and compares: bytes, texts, names, strict JSON, moments.

pub(crate) mod bytes;
pub mod json;
pub mod names;
pub(crate) mod percent;
pub mod schema;
pub mod text;
pub mod time;
