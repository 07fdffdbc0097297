//! Every order of events, also those that no shell sends.
//!
//! Every state is reached that any sequence of events leads to, and every event is tried in it. A state that was reached
//! before is not followed again, so that sequences of every length are covered although few are replayed.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::setup::{INLINE, START, district_tokens, good, jwks, remote, signed, unknown_kid};
use super::stack::{Shelf, Stack, head};
use crate::answer::denial::Denial;
use crate::credentials::jwt::jose::Alg;
use crate::credentials::opaque::lookup::Found;
use crate::filter::request::testing::key;
use crate::filter::request::{Event, ReplyHead, Request, Step};
use crate::http::head::Head;
use crate::limits::key::LimitKey;
use crate::limits::ledger::{self, Charge, Outcome, StoreError};

/// What happens, as often as one likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    Head,
    Address,
    Admitted,
    Refused,
    TooMuch,
    Failed,
    /// What was foreseen: room, none, and a failure of the host.
    Room,
    NoRoom,
    Unforeseen,
    Refunded,
    Good,
    Bad,
    Granted,
    Withheld,
    LookupFailed,
    Ready,
    Reply,
    Gone,
}

const EVENTS: [Happens; 18] = [
    Happens::Head,
    Happens::Address,
    Happens::Admitted,
    Happens::Refused,
    Happens::TooMuch,
    Happens::Failed,
    Happens::Room,
    Happens::NoRoom,
    Happens::Unforeseen,
    Happens::Refunded,
    Happens::Good,
    Happens::Bad,
    Happens::Granted,
    Happens::Withheld,
    Happens::LookupFailed,
    Happens::Ready,
    Happens::Reply,
    Happens::Gone,
];

/// A request, and what is known before it.
struct Scene {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    /// Keys of the remote issuer are there.
    keys: bool,
    /// The second issuer has a list of opaque tokens instead.
    opaque: bool,
    /// The token was seen before.
    cached: bool,
    /// What a pass needs: a caller, and a charge of the plan.
    needs: (bool, bool),
    /// The schedule of API keys.
    retirement: Value,
}

/// What the events so far amount to.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Tally {
    verified: bool,
    ended: usize,
    passed: bool,
    gone: bool,
    replies: usize,
    guard: usize,
    refunds: usize,
    plan: usize,
    address: usize,
    charging: Option<Vec<String>>,
    /// Whether the guard's budget had room when it was asked.
    room: bool,
    foreseeing: bool,
    verifying: bool,
    /// A signature was found bad.
    failed: bool,
    looking: bool,
}

fn outcome(charges: &[Charge], happens: Happens) -> Result<Outcome, StoreError> {
    let mut shelf = Shelf::default();
    match happens {
        Happens::Failed => Err(StoreError::Host),
        Happens::Admitted => ledger::reserve(&mut shelf, charges, START),
        Happens::TooMuch => {
            let charges: Vec<_> =
                charges.iter().map(|it| Charge { requests: u32::MAX, cost: u32::MAX, ..it.clone() }).collect();
            ledger::reserve(&mut shelf, &charges, START)
        }
        _ => loop {
            let outcome = ledger::reserve(&mut shelf, charges, START)?;
            if !outcome.admitted {
                return Ok(outcome);
            }
        },
    }
}

impl Tally {
    /// Notes an event before it is told.
    fn before(&mut self, happens: Happens) {
        let charged = self
            .charging
            .take_if(|_| matches!(happens, Happens::Admitted | Happens::Refused | Happens::TooMuch | Happens::Failed));
        if let (Some(names), Happens::Admitted) = (charged, happens) {
            match names[0].as_str() {
                "authentication-failures" => self.guard += 1,
                "minute" => self.plan += 1,
                _ => self.address += 1,
            }
        }
        if self.foreseeing && matches!(happens, Happens::Room | Happens::NoRoom | Happens::Unforeseen) {
            self.room |= happens == Happens::Room;
            self.foreseeing = false;
        }
        if self.verifying && matches!(happens, Happens::Good | Happens::Bad) {
            self.verified |= happens == Happens::Good;
            self.failed |= happens == Happens::Bad;
            self.verifying = false;
        }
        let found = matches!(happens, Happens::Granted | Happens::Withheld | Happens::LookupFailed);
        if self.looking && found {
            self.verified |= happens == Happens::Granted;
            self.looking = false;
        }
        self.gone |= happens == Happens::Gone;
    }

    /// Judges the step that an event led to.
    #[track_caller]
    fn after(&mut self, scene: &Scene, step: &Step<'_>, so_far: &[Happens]) {
        let name = scene.name;
        if !matches!(step, Step::Nothing) {
            assert!(!self.gone, "{name}: {step:?} although gone, {so_far:?}");
            let is_reply = matches!(step, Step::Reply(_));
            assert!(self.ended == 0 || (self.passed && is_reply), "{name}: {step:?} after the end, {so_far:?}");
        }
        match step {
            Step::Pass(forward) => {
                (self.ended, self.passed) = (self.ended + 1, true);
                let (caller, plan) = scene.needs;
                assert_eq!(forward.caller.is_some(), caller, "{name}: {so_far:?}");
                assert!(!caller || scene.cached || self.verified, "{name}: nobody verified, {so_far:?}");
                assert_eq!(self.plan == 1, plan, "{name}: the plan was not charged, {so_far:?}");
                assert_eq!(self.guard, self.refunds, "{name}: the guard keeps a charge, {so_far:?}");
            }
            Step::Deny(denial) => {
                self.ended += 1;
                let is_free = matches!(denial, Denial::LimitReached(_) | Denial::TooCostly | Denial::Unavailable);
                assert!(!self.failed || self.guard == 1 || is_free, "{name}: a failure for nothing, {so_far:?}");
            }
            Step::AwaitBody { .. } => panic!("{name}: no route judges bodies, {so_far:?}"),
            Step::Reply(_) => self.replies += 1,
            Step::Refund(_) => self.refunds += 1,
            Step::Peek(_) => self.foreseeing = true,
            Step::Charge(charges) => {
                let limits = charges.iter().flat_map(|charge| charge.limits.iter());
                self.charging = Some(limits.map(|limit| limit.name.clone()).collect());
            }
            Step::Verify(_) => {
                assert!(self.room || self.guard == 1, "{name}: crypto unguarded, {so_far:?}");
                self.verifying = true;
            }
            Step::Lookup(_) => self.looking = true,
            Step::NeedAddress | Step::NeedCertificate | Step::AwaitKeys | Step::Nothing => {}
        }
        assert!(self.plan <= 1 && self.address <= 1, "{name}: charged twice, {so_far:?}");
        assert!(self.refunds <= self.guard && self.guard <= self.refunds + 1, "{name}: guard, {so_far:?}");
        assert!(self.ended <= 1 && self.replies <= 1, "{name}: {so_far:?}");
    }
}

/// Replays a sequence, judges every step, and tells the state that it leads to.
#[track_caller]
fn replay(scene: &Scene, sequence: &[Happens]) -> String {
    let (mut stack, head) = stage(scene);
    let mut request = Request::default();
    let mut tally = Tally::default();
    let mut pending: Vec<Charge> = vec![spare_charge(&stack)];
    for (nth, happens) in sequence.iter().enumerate() {
        tally.before(*happens);
        let event = match happens {
            Happens::Head => Event::Head,
            Happens::Address => Event::Address(stack.address),
            Happens::Refunded => Event::Refunded,
            Happens::Room => Event::Peeked(outcome(&[spare_charge(&stack)], Happens::Admitted)),
            Happens::NoRoom => Event::Peeked(outcome(&[spare_charge(&stack)], Happens::Refused)),
            Happens::Unforeseen => Event::Peeked(Err(StoreError::Host)),
            Happens::Good | Happens::Bad => Event::Verified(*happens == Happens::Good),
            Happens::Granted | Happens::Withheld | Happens::LookupFailed => Event::Found(found(*happens)),
            Happens::Ready => Event::Ready,
            Happens::Reply => Event::Reply(ReplyHead { status: 200, settlement: Some(b"1") }),
            Happens::Gone => Event::Gone,
            result => Event::Charged(outcome(&pending, *result)),
        };
        let step = request.step(&mut stack.worker, &head, stack.now, event);
        tally.after(scene, &step, &sequence[..=nth]);
        if let Step::Charge(charges) = step {
            pending = charges.into_vec();
        }
        assert_eq!(stack.worker.waiting, usize::from(request.is_waiting()), "{}: {sequence:?}", scene.name);
    }
    // However often the guard was charged and refunded: only the difference matters for what follows.
    (tally.guard, tally.refunds) = (tally.guard - tally.refunds, 0);
    format!("{request:?} {tally:?}")
}

/// A charge for events that nobody asked for.
fn spare_charge(stack: &Stack) -> Charge {
    let limits = std::rc::Rc::clone(&stack.worker.config.authentication_failures);
    Charge { key: LimitKey::client("spare", "spare"), limits, requests: 1, cost: 1 }
}

/// What a lookup came to.
fn found(happens: Happens) -> Result<Found, StoreError> {
    match happens {
        Happens::LookupFailed => Err(StoreError::Host),
        Happens::Withheld => Ok(Found { grant: None, record: None }),
        _ => Ok(Found { grant: Some(super::setup::grant()), record: None }),
    }
}

fn stage(scene: &Scene) -> (Stack, Head) {
    let either = json!({"match": {"path": "/either"}, "require_any": ["bearer", "api_key"]});
    let mut key = key("old", "app", "free");
    key["schools"] = json!(["oak"]);
    let mut changes = vec![
        ("/issuers/0/jwks/inline", jwks(&[Alg::EdDsa])),
        ("/routes/4", either),
        (
            "/api_keys",
            json!({"issuer": INLINE, "basic": true, "inline": {"keys": [key]}, "retirement": scene.retirement}),
        ),
    ];
    changes.extend(scene.opaque.then(|| ("/issuers/1", district_tokens())));
    let mut stack = Stack::new(&changes);
    if scene.keys && scene.opaque {
        stack.publish(1, &["known"]);
        stack.tell();
    } else if scene.keys {
        stack.fetch(&[Alg::EdDsa], 1);
        stack.sleep(1);
    }
    if let (true, Some(token)) = (scene.cached, scene.headers[0].1.strip_prefix("Bearer ")) {
        stack.get("/plain", token);
    }
    let headers: Vec<_> = scene.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    (stack, head(scene.method, scene.path, &headers).ending(true))
}

/// Tries every event in the state that this sequence leads to, and in all that follow from it.
#[track_caller]
fn search(scene: &Scene, sequence: &mut Vec<Happens>, seen: &mut HashSet<String>) {
    for event in EVENTS {
        sequence.push(event);
        if seen.insert(replay(scene, sequence)) {
            search(scene, sequence, seen);
        }
        sequence.pop();
    }
}

/// Searches everything; there is more than one state to see.
#[track_caller]
fn search_all(scene: &Scene) {
    let mut seen = HashSet::from([replay(scene, &[])]);
    search(scene, &mut Vec::new(), &mut seen);
    assert!(seen.len() > 2, "{}", scene.name);
}

#[track_caller]
fn check(name: &'static str, path: &'static str, token: &str, keys: bool, cached: bool, needs: (bool, bool)) {
    let headers = vec![("authorization", format!("Bearer {token}"))];
    let retirement = schedule(START.secs() + 1);
    let scene = Scene { name, method: "GET", path, headers, keys, opaque: false, cached, needs, retirement };
    search_all(&scene);
}

#[test]
fn opaque_tokens() {
    for (name, path, keys, cached) in [
        ("list there", "/plain", true, false),
        ("list missing", "/plain", false, false),
        ("in scope", "/stats?school_id=s-known", true, false),
        ("out of scope", "/stats?school_id=elm", true, false),
        ("address limit", "/limited", true, false),
        ("cached", "/plain", true, true),
    ] {
        let headers = vec![("authorization", "Bearer known".to_owned())];
        let (needs, retirement) = ((true, true), schedule(START.secs() + 1));
        search_all(&Scene { name, method: "GET", path, headers, keys, opaque: true, cached, needs, retirement });
    }
}

#[test]
fn cold_token_of_known_keys() {
    check("cold", "/plain", &good(), false, false, (true, true));
    check("scope", "/stats?school_id=oak", &good(), false, false, (true, true));
    check("out of scope", "/stats?school_id=elm", &good(), false, false, (true, true));
    check("without limits", "/plain", &signed(&json!({"tier": "open"})), false, false, (true, false));
    check("unknown tier", "/plain", &signed(&json!({"tier": "gold"})), false, false, (true, true));
}

#[test]
fn cold_token_behind_an_address_limit() {
    check("address limit", "/limited", &good(), false, false, (true, true));
}

#[test]
fn cached_caller() {
    check("cached", "/plain", &good(), false, true, (true, true));
    check("cached, address limit", "/limited", &good(), false, true, (true, true));
    check("cached, out of scope", "/stats?school_id=elm", &good(), false, true, (true, true));
}

#[test]
fn keys_over_the_network() {
    check("keys there", "/plain", &remote(), true, false, (true, true));
    check("keys missing", "/plain", &remote(), false, false, (true, true));
    check("key unknown", "/plain", &unknown_kid(super::setup::REMOTE), true, false, (true, true));
}

#[test]
fn key_alone() {
    let basic = |user: &str| ("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:"))));
    let header = |key: &str| ("x-api-key", key.to_owned());
    for (name, shown, end) in [
        ("key", vec![header("key-old")], 1),
        ("key that is retired", vec![header("key-old")], 0),
        ("wrong key", vec![header("key-new")], 1),
        ("key in Basic", vec![basic("key-old")], 1),
        ("two keys", vec![basic("key-old"), header("key-old")], 1),
        ("key and token", vec![header("key-old"), ("authorization", format!("Bearer {}", good()))], 1),
    ] {
        // A key needs no signature, as a cached token needs none.
        let (needs, retirement) = ((true, true), schedule(START.secs() + end));
        let (method, path, headers) = ("GET", "/either", shown);
        let (keys, opaque, cached) = (false, false, true);
        search_all(&Scene { name, method, path, headers, keys, opaque, cached, needs, retirement });
    }
    check("token where a key would do", "/either", &good(), false, false, (true, true));
    check("cached token where a key would do", "/either", &good(), false, true, (true, true));
}

/// Announced long ago; the end is at this second.
fn schedule(end: u64) -> Value {
    // `Debug` of a moment in UTC is RFC 3339.
    let end = chrono::DateTime::from_timestamp(i64::try_from(end).unwrap(), 0).unwrap();
    json!({
        "announced": "2014-07-01T00:00:00Z",
        "refused_from": format!("{end:?}"),
        "link": "https://a/",
        "replacement": "tokens",
    })
}

#[test]
fn requests_without_a_token() {
    check("open", "/open", "x", false, false, (false, false));
    check("malformed", "/plain", "a, b", false, false, (true, true));
    check("no route", "/nothing", "x", false, false, (true, true));
    for (method, path) in [("POST", "/login"), ("OPTIONS", "/stats"), ("GET", "/plain")] {
        let preflight = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
        let headers = preflight.map(|(name, value)| (name, value.to_owned())).to_vec();
        let retirement = schedule(START.secs() + 1);
        let (needs, keys, cached, opaque) = ((false, false), false, false, false);
        let scene = Scene { name: path, method, path, headers, keys, opaque, cached, needs, retirement };
        search_all(&scene);
    }
}
