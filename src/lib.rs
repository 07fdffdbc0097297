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
//! # Without Envoy
//!
//! [`decide::decide`] takes a configuration, what would be fetched (key sets, lists), a request and the time. It returns the
//! verdict: the client, its tier and every edit of the request and the response; or the denial and its answer; or that the
//! request waits for a document that was not given.
//!
//! ```
//! use hallpass::credentials::jwt::signature::NoHost;
//! use hallpass::decide::{Call, Verdict, decide};
//! use hallpass::values::time::Timestamp;
//!
//! // The key is `test-key`.
//! let config = br#"{
//!     "api_keys": {"inline": {"keys": [{
//!         "id": "acme-2026", "client": "acme", "tier": "starter",
//!         "sha256": "62af8704764faf8ea82fc61ce9c4c3908b6cb97d463a634e9e587d7c885db0ef"
//!     }]}},
//!     "tiers": {"starter": {"limits": [{"name": "rate", "requests": 2, "per": "1s"}]}},
//!     "routes": [{"match": {"path": "/v1/login", "methods": ["POST"]}, "require": ["api_key"]}]
//! }"#;
//! let now = Timestamp::from_secs(1_780_228_800);
//! let mut head: Vec<(&[u8], &[u8])> =
//!     vec![(b":method", b"POST"), (b":path", b"/v1/login"), (b":authority", b"api.example.com")];
//!
//! let call = Call { head: &head, ..Call::default() };
//! let Verdict::Deny(denied) = decide(config, &[], &call, &NoHost, now)? else { panic!("it has no key") };
//! assert_eq!(denied.answer.status, 403);
//!
//! head.push((b"x-api-key", b"test-key"));
//! let call = Call { head: &head, ..Call::default() };
//! let Verdict::Pass(passed) = decide(config, &[], &call, &NoHost, now)? else { panic!("the key is good") };
//! assert_eq!((passed.client.as_deref(), passed.tier.as_deref()), (Some("acme"), Some("starter")));
//! # Ok::<(), hallpass::decide::SetupError>(())
//! ```
//!
//! - [`decide::Gate`] keeps its worker, so that limits hold from one request to the next. It also takes a configuration of
//!   [`config::Config::from_bytes_in`], for secrets by `env`: `decide` reads no environment.
//! - `NoHost` stands for "no BoringSSL": then ES384 is refused.
//! - `Call::random` becomes the id of a request that brings none.
//! - A document counts as fetched at that moment. Its `version` is not compared with an earlier one, and one that the
//!   configuration does not fetch is read and not used.
//! - There is no upstream: what a request was charged stays charged, also the charge for a failure, and nothing is settled.
//! - [`credentials::jwt::signature::verify_compact`] takes a key set and a compact token and returns the payload.
//!
//! # Invariants
//!
//! - Whatever decides is a pure function of configuration, request, state and the time.
//! - A request ends in exactly one `Pass` or `Deny`, and is charged at most once per budget.
//! - Nothing here panics, whatever clients or the host send; the lints of `Cargo.toml` hold that.
//!
//! # Words of our own, or with a narrower meaning than elsewhere
//!
//! - *client*: whoever calls, by `client_id`; an API key, a JWT and an opaque token all name one.
//! - *scope*: the schools and districts that a request asks for. OAuth's scopes are *permissions* here.
//! - *budget*: what a limit counts for one key (a client, a district, a token, a source address).
//! - *slot*: one value of Envoy's shared data, with the budgets of a few limit keys in it.
//! - *overflow budget*: what newcomers share while a slot has no place for another limit key.
//! - *settlement*: the upstream's word on what a request really cost; the difference is given back.
//! - *tape*: a JSON document as one flat list of values, read without building a tree.
//! - *document*: a key set or a list that decides about credentials, from the configuration or fetched.
//! - *retirement*: the dates after which a class of credentials is announced to end, slowed down, refused.
//!
//! Readers and rare paths are `#[inline(never)]` throughout: Envoy compiles the whole module as it loads, and the memory
//! that this takes goes by the largest functions, so large functions are kept apart on purpose.

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
