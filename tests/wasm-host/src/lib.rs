//! Plays Envoy for the built filter, in an interpreter of WebAssembly.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test: it may panic and look at the clock"
)]

pub mod breach;
pub mod chaos;
pub mod corpus;
pub mod cost;
pub mod drive;
pub mod fuzz;
pub mod host;
pub mod imports;
mod oracle;
pub mod rng;
#[path = "../../it/support/tokens.rs"]
#[allow(missing_docs, unreachable_pub, dead_code, reason = "shared with the tests in a real Envoy")]
mod tokens;
pub mod vm;
