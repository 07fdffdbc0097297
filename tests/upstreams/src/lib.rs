//! How servers behind a gateway read a request: short models of their parsers, each with its source.
//!
//! None of it uses code of hallpass: what the filter lets through is judged by what these read. They read leniently on
//! purpose, so that a model which is wrong finds too much rather than too little. The tests of this crate check them
//! against readings that were taken from the servers themselves (`tests/upstreams/taken/`).
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unnecessary_wraps,
    reason = "models for tests; a panic in one is a failing test"
)]

pub mod body;
pub mod corpus;
mod escape;
pub mod header;
pub mod path;
pub mod query;
pub mod taken;
