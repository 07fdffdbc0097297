//! hallpass: an Envoy filter that guards education data APIs.
//!
//! Functional core, thin shell. Everything but `host` is free of IO, clock, logging and `proxy_wasm`; `host` is the only
//! code that names it, and only where it is compiled for wasm32.
//!
//! ```text
//!   Envoy -> host (abi, root, http, store, fetch, verify)         the shell
//!              |  events in, steps out
//!              v
//!   decide                                                        the whole decision as a function, for other drivers
//!   filter                                                        one request as an explicit state machine
//!   worker  caller                                                all that one worker keeps between requests
//!   problem  rate_fields  metrics  denial                         answers and counts
//!   document                                                      keys and lists as a worker has them
//!   config                                                        what the operator wants, validated once
//!   route  scope  body  cost  strip                               rules on requests
//!   api_key  revocation  opaque  list                             keys, void tokens and opaque tokens, from lists
//!   token (jose, keyset, signature, claims, ids, cache)  grant    who is calling, and what for
//!   limits (bucket, calendar, slot, ledger, owner, spent, recent) what is used up
//!   head  basic  path  query  request_id                          strict reading
//!   time  retirement  fetch                                       what follows from the time alone
//!   bytes  percent  names                                         what every text is looked at with
//! ```
//!
//! Modules know only what stands on their own line or below. Invariants:
//! - Whatever decides is a pure function of configuration, request, state and `now`.
//! - A request ends in exactly one `Pass` or `Deny`, and is charged at most once per budget.
//! - Nothing here panics, whatever clients or the host send; the lints of `Cargo.toml` hold that.

pub mod api_key;
pub mod basic;
pub mod body;
mod bytes;
pub mod caller;
pub mod config;
pub mod cost;
pub mod decide;
pub mod denial;
pub mod document;
pub mod fetch;
pub mod filter;
pub mod grant;
pub mod head;
pub mod host;
pub mod limits;
pub mod list;
pub mod metrics;
pub mod names;
pub mod opaque;
pub mod path;
mod percent;
pub mod problem;
pub mod query;
pub mod rate_fields;
pub mod request_id;
pub mod retirement;
pub mod revocation;
pub mod route;
pub mod scope;
pub mod strip;
pub mod time;
pub mod token;
pub mod worker;
