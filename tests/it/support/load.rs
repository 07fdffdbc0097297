//! Good and bad requests, one after the other on several lanes, while something happens to the gateway.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, RequestBuilder, Response};
use super::sample::{remote_config, token};
use super::{DEADLINE, Gateway, Key, Seen, Upstream, wait_for};

/// How long a request may take before it counts as one that hangs.
const PATIENCE: Duration = Duration::from_secs(8);
/// Lanes: half of them HTTP/1.1, half HTTP/2, each request on a connection of its own.
const LANES: u32 = 4;

/// [`remote_config`] with a route that judges a body, and no budget for failed credentials.
pub fn config(extra: &Value) -> Value {
    let mut config = remote_config(extra);
    config["authentication_failures"] = json!("off");
    config["routes"] = json!([
        {"match": {"path": "/body", "methods": ["POST"]}, "scope": {"schools": {"body": "/school"}}},
        {"match": {"path": "/"}},
    ]);
    config
}

/// What may become of a request when something happens to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    /// Nothing happens to it.
    None,
    /// 503, 504, or a reset.
    Some,
}

/// What the load saw.
pub struct Load {
    losses: Losses,
    ends: AtomicBool,
    passed: AtomicUsize,
    refused: AtomicUsize,
    lost: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

/// Has `go` do its worst under load. No request may hang, none that is bad may get a good answer, and `upstream` may have seen
/// none that was not judged.
#[track_caller]
pub fn under_load(gateway: &Gateway, upstream: &Upstream, losses: Losses, go: impl FnOnce(&Load)) {
    let client = *gateway.client();
    load(client, upstream, losses, go);
}

/// [`under_load`] for a gateway that `go` changes.
#[track_caller]
pub fn load(client: Client, upstream: &Upstream, losses: Losses, go: impl FnOnce(&Load)) {
    let load = Load {
        losses,
        ends: AtomicBool::new(false),
        passed: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        lost: AtomicUsize::new(0),
        wrong: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for nth in 0..LANES {
            let (load, client) = (&load, if nth % 2 == 0 { client } else { client.http2() });
            scope.spawn(move || load.run(client, nth));
        }
        // Also where `go` panics: the lanes must end, or the test hangs.
        let _end = End(&load.ends);
        go(&load);
    });
    println!("{load}");
    assert_eq!(load.wrong.into_inner().unwrap(), Vec::<String>::new());
    let unjudged: Vec<_> = upstream.seen().into_iter().filter(|seen| !is_judged(seen)).collect();
    assert!(unjudged.is_empty(), "{unjudged:?}");
    upstream.forget();
}

struct End<'l>(&'l AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [passed, refused, lost] = [&self.passed, &self.refused, &self.lost].map(|it| it.load(Ordering::Relaxed));
        write!(f, "{passed} passed, {refused} refused, {lost} lost")
    }
}

impl Load {
    /// Waits until so many more good requests have passed.
    #[track_caller]
    pub fn wait_for(&self, more: usize) {
        let passed = || self.passed.load(Ordering::Relaxed);
        let before = passed();
        wait_for("load that passes", DEADLINE, || (passed() >= before + more).then_some(()));
    }

    /// Good requests and bad ones in turn, until told to end.
    fn run(&self, client: Client, nth: u32) {
        let cached = token(&format!("cached-{nth}")).sign();
        let mut round = 0_u32;
        while !self.ends.load(Ordering::Relaxed) {
            round += 1;
            let fresh = token(&format!("fresh-{nth}-{round}")).sign();
            let forged = token("forged").forged_with(Key::P256No2).sign();
            let get = || client.get("/a");
            let post = |school: &str| client.request("POST", "/body").json(&json!({"school": school}));
            let bad = |request: RequestBuilder| request.header("x-bad", "1").header("x-claim-client-id", "evil");
            for (request, status) in [
                (get().bearer(&cached), 200),
                (get().bearer(&fresh), 200),
                (post("oakwood").bearer(&cached), 200),
                (bad(get()), 401),
                (bad(get().bearer(&forged)), 401),
                (bad(post("elsewhere").bearer(&cached)), 403),
            ] {
                self.note(status, &request.timeout(PATIENCE).try_send());
            }
        }
    }

    fn note(&self, expected: u16, outcome: &Result<Response, String>) {
        let hangs = outcome.as_ref().is_err_and(|error| error.contains("no whole response"));
        let status = outcome.as_ref().map(|response| response.status);
        let count = match status {
            Ok(status) if status == expected && status == 200 => &self.passed,
            Ok(status) if status == expected => &self.refused,
            Ok(503 | 504) | Err(_) if self.losses == Losses::Some && !hangs => &self.lost,
            _ => {
                self.wrong.lock().unwrap().push(format!("{expected} expected: {outcome:?}"));
                return;
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether the filter has let this pass: it is not one of the bad ones, and names a caller that the client did not.
fn is_judged(seen: &Seen) -> bool {
    let client = seen.headers("x-claim-client-id").join(",");
    seen.headers("x-bad").is_empty() && !client.is_empty() && client != "evil"
}
