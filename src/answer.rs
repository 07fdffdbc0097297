//! What a client is told: refusals, their bodies in the dialect of the API, and rate limit fields.

pub mod denial;
pub mod problem;
pub mod rate_fields;
