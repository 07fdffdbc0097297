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

mod answers;
mod bypass;
mod canary;
mod capabilities;
mod clients;
mod differential;
mod drain;
mod dry_run;
mod examples;
mod exports;
mod guard;
mod headers;
mod headers_held;
mod headers_ids;
mod hostile;
mod keys;
mod keys_faults;
mod layers;
mod leaving;
mod limits;
mod limits_address;
mod metrics;
mod opaque;
mod opaque_many;
mod opaque_remote;
mod pieces;
mod readme;
mod reload;
mod retirement;
mod retirement_boundary;
mod retirement_keys;
mod scope;
mod scope_cost;
mod settlement;
mod smoke;
mod student_answers;
mod student_body;
mod student_body_flow;
mod student_body_policy;
mod student_body_waits;
mod student_keys;
mod student_keys_remote;
mod student_keys_secrecy;
mod student_keys_tokens;
mod student_limits;
mod student_revocation;
mod student_scope;
mod student_scope_cost;
mod student_scope_example;
mod student_scope_headers;
mod support;
mod tokens;
mod tokens_claims;
mod tokens_hostile;
mod traps;
mod tunnels;
mod vectors;
mod withdrawn;
mod workers;
