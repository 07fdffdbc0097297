//! Tests against the real artefact: hallpass as a Wasm filter in a real Envoy.
//!
//! `scripts/test` builds the filter, gets Envoy and runs them. A missing part is a failing test that names the command.
//! Where the tests of each class of hostile inputs are, stands in `hostile.rs`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "the rules of the filter; a test may panic and look at the clock"
)]

mod abandoned_requests;
mod answers;
mod api_keys;
mod body_scope;
mod browser;
mod bypass;
mod capabilities;
mod cost;
mod differential;
mod dry_run;
mod examples;
mod harness;
mod headers;
mod hostile;
mod jwks;
mod jwt;
mod layers;
mod lifecycle;
mod limits;
mod metrics;
mod opaque_tokens;
mod ordinary_clients;
mod readme;
mod reasons;
mod refusals;
mod request_ids;
mod retirement;
mod revocation;
mod scope;
mod secrecy;
mod support;
mod tunnels;
mod vectors;
mod wasm_module;
