//! Plays Envoy for the built filter, in an interpreter of WebAssembly: callbacks in, host calls out, everything under
//! control.
//!
//! # What a request costs
//!
//! A real Envoy measures time, and some per cent of noise with it. Here the interpreter (`wasmi`, pinned) counts fuel,
//! about one per instruction, and the host counts its calls and the bytes that they move; clock and randomness are
//! fixed. So two runs of one module give the same numbers, and a change of 3 per cent is a change of the code.
//! `cost.json` holds what was accepted; `scripts/test` compares. Fuel is no time: the host's own work (signatures,
//! shared data) is not in it.
//!
//! ```text
//! scripts/build && cargo run -p wasm-host -- cost             a table; --details: each host call
//! scripts/build && cargo run -p wasm-host -- cost --bless     write cost.json anew, then commit it
//! scripts/build && cargo run -p wasm-host -- flat [--full]    the same with one, many and very many clients, keys, schools
//! ```
//!
//! # Hostile hosts
//!
//! A seed decides on a configuration (those of `envoy/`, two small ones, or a mutated one), on a host and on some
//! hundred callbacks. Any import may answer any status, known or not, or hand over nothing, a null pointer with a
//! length, cut, grown or random bytes, heads with odd pairs and false counts; swaps of shared data are lost for ever;
//! shared data is written by strangers; the clock jumps to either end of time; key servers answer anything;
//! configurations come again, changed and mutated; callbacks come in Envoy's order, or in any order to any context that
//! lives. What must hold ([`host`], `oracle`):
//!
//! - No trap, and no callback that never ends.
//! - Nothing goes on to the upstream (`Continue`, `proxy_continue_stream`) unless the latest `hallpass.decision` is
//!   `allow` and, judged from the head that was handed over and apart from the filter's code, its route is open or its
//!   token and key are good and not expired; and no claim header of the client's is left on it.
//! - At most one reply, none after a request went on, and no way on after a reply.
//! - No header, set or sent, with CR, LF or NUL or without a name.
//! - Bounded memory, and none that grows with requests.
//!
//! Some breaches of the ABI's contract make the SDK panic; [`breach::EXCEPTIONS`] lists them with the reason, and a
//! test commits each.
//!
//! ```text
//! cargo test -p wasm-host --test wasm -- --nocapture          as in scripts/test: fixed seeds
//! cargo run -p wasm-host -- fuzz --seconds 600                a search of fresh seeds; goes on after a finding
//! cargo run -p wasm-host -- fuzz --seconds 0 --seed N         a finding again
//! ```
//!
//! `HALLPASS_WASM` names another module than `target/hallpass.wasm`.
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
pub mod flat;
pub mod fuzz;
pub mod host;
pub mod imports;
mod oracle;
pub mod rng;
pub mod soak;
#[path = "../../it/support/tokens.rs"]
#[allow(missing_docs, unreachable_pub, dead_code, reason = "shared with the tests in a real Envoy")]
mod tokens;
pub mod vm;
mod wire;
