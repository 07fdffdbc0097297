//! What every room reads and compares: bytes, texts, names, strict JSON, moments.

pub(crate) mod bytes;
pub(crate) mod direct_mapped;
pub mod json;
pub mod names;
pub(crate) mod percent;
pub mod schema;
pub mod shared;
pub mod text;
pub mod time;
