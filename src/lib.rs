//! hallpass: an Envoy filter that guards education data APIs.
//!
//! Functional core, thin shell. Everything below `host` is free of IO, clock, logging and `proxy_wasm`; `host`
//! (wasm32 only) is the only code that names it.
//!
//! ```text
//! Envoy -> host (abi, root, http, store, fetch, verify)      wasm32 only
//!            |  events in, steps out
//!            v
//!          filter    one request as an explicit state machine
//!            |       worker: all state that a worker keeps
//!   token   fetch   route   scope   cost   limits   forward   problem   config   head
//! ```

pub mod config;
pub mod cost;
pub mod host;
pub mod limits;
pub mod path;
pub mod route;
pub mod scope;
pub mod time;
pub mod token;
