//! hallpass: an Envoy filter that guards education data APIs.
//!
//! Functional core, thin shell. Everything but `host` is free of IO, clock, logging and `proxy_wasm`; `host` is the only
//! code that names it, and only where it is compiled for wasm32. The crate has ten rooms; each knows only those below it:
//!
//! ```text
//!   host         Envoy's callbacks and host calls: events in, steps out; the only code that names proxy_wasm
//!   decide       the whole decision as one function, for drivers other than Envoy
//!   filter       one request as a state machine, what one worker keeps between requests, and what it counts
//!   answer       what a client is told: refusals, their bodies in the dialect of the API, rate limit fields
//!   config       how the configuration is read: validated once, every problem with its field's path
//!   policy       what the operator wants of a request: its route, the schools it asks for, its cost
//!   credentials  what clients show (JWT, API key, opaque token), and the key sets and lists that say whether it is good
//!   limits       what is used up: buckets, calendar quotas, and the slots of shared data that hold them
//!   http         strict reading of what clients send: head, path, query, body
//!   values       what every room reads and compares: texts, names, JSON, timestamps
//! ```
//!
//! Invariants:
//! - Whatever decides is a pure function of configuration, request, state and the time.
//! - A request ends in exactly one `Pass` or `Deny`, and is charged at most once per budget.
//! - Nothing here panics, whatever clients or the host send; the lints of `Cargo.toml` hold that.

pub mod answer;
pub mod config;
pub mod credentials;
pub mod decide;
pub mod filter;
pub mod host;
pub mod http;
pub mod limits;
pub mod policy;
pub mod values;
