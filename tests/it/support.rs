//! The harness: a real Envoy ([`Gateway`]), an upstream that remembers ([`Upstream`]), a server of key sets
//! ([`KeyServer`]), clients ([`Client`], [`raw`]) and tokens ([`Token`]).
//!
//! Tests are plain functions; the servers and the clients run on one runtime of the process. Every wait is a poll with a
//! deadline. When a test fails, the gateway prints its configuration and the tail of Envoy's log.

pub mod admin;
pub mod api_keys;
pub mod body_scope;
pub mod bootstrap;
pub mod client;
pub mod exchange;
pub mod gateway;
pub mod lists;
pub mod load;
pub mod opaque_tokens;
pub mod policy;
pub mod process;
pub mod raw;
pub mod retirement;
pub mod sample;
pub mod server;
pub mod tokens;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

pub use self::client::{Client, Response};
pub use self::gateway::Gateway;
pub use self::server::{Answer, KeyServer, Seen, Upstream};
pub use self::tokens::{Key, Token};

/// How long a test waits for what must happen soon, on a machine that is busy with other things.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Where the servers and the clients of all tests run.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime starts")
});

/// Polls `look` until it gives a value; panics with `what` after `deadline`.
#[track_caller]
pub fn wait_for<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Polls `condition` until it holds; panics with `what` after [`DEADLINE`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, DEADLINE, || condition().then_some(()));
}
