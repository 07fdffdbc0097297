//! The Student Data API in memory: one worker, driven as the shell drives it.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Event, ReplyEdits, ReplyHead, Request, Step};
use crate::config::Config;
use crate::credentials::fetch::{Document, Place, Record};
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::signature::{HostCrypto, NoHost};
use crate::credentials::jwt::testing::{OCT_K, token_with_header};
pub(crate) use crate::decide::End;
use crate::decide::{self, Platform};
use crate::filter::document::DocumentId;
use crate::filter::worker::Worker;
use crate::http::head::Head;
use crate::limits::ledger::{self, Slots};
use crate::values::shared::SharedData;
use crate::values::shared::memory::Memory;
use crate::values::time::Timestamp;

/// When the tests begin: 2026-05-31, noon.
pub(crate) const START: Timestamp = Timestamp::from_secs(1_780_228_800);
pub(crate) const ISSUER: &str = "https://students.example.com/";

/// The hash that a list holds of a key.
pub(crate) fn sha256(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An entry of the list of keys.
pub(crate) fn key(id: &str, client: &str, tier: &str) -> Value {
    json!({"id": id, "client": client, "tier": tier, "sha256": sha256(&format!("key-{id}"))})
}

/// Keys `acme1` and `acme2` of one client, `globex` of another, and routes for a login and for students.
pub(crate) fn document() -> Value {
    json!({
        "errors": "student-data-api",
        "api_keys": {"inline": {"keys": [
            key("acme1", "acme", "starter"), key("acme2", "acme", "starter"), key("globex", "globex", "open")
        ]}},
        "issuers": [{
            "issuer": ISSUER,
            "claims": {
                "client": "client", "districts": "districts", "schools": "schools", "permissions": "permissions",
                "district_schools": "open"
            },
            "revocations": {"inline": {"tokens": ["void"]}}
        }],
        "tiers": {
            "starter": {"limits": [
                {"name": "rate", "requests": 5, "per": "1m"},
                {"name": "cost", "cost": 100, "per": "1m"},
                {"name": "day", "requests": 8, "per": "day"}
            ]},
            "open": {"limits": []}
        },
        "districts": {"d1": ["s11", "s12"], "d2": ["s21"]},
        "routes": [
            {"match": {"path": "/login", "methods": ["POST"]}, "require": ["api_key"],
             "failure_limits": [{"name": "logins", "requests": 2, "per": "1m"}]},
            {"match": {"path": "/students", "methods": ["POST"]}, "require": ["api_key", "bearer"],
             "permissions": ["read"],
             "scope": {"districts": {"body": "/d", "missing": "allow"}, "schools": {"body": "/s", "missing": "allow"}},
             "cost": {"weight": 2, "times": {"body": "/limit", "default": 5}}, "body": {"max_bytes": 1000}},
            {"match": {"path": "/plain", "methods": ["GET"]}, "require": ["api_key", "bearer"]}
        ],
        "authentication_failures": {"requests": 3, "per": "1m"}
    })
}

/// What the token of client `acme` says, with changes.
pub(crate) fn token(changes: &Value) -> String {
    let mut claims = json!({
        "iss": ISSUER, "client": "acme", "districts": ["d1"], "schools": ["s1"], "permissions": ["read", "write"],
        "jti": "t1", "iat": START.secs() - 10, "exp": START.secs() + 86_400
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    token_with_header(Alg::Hs512, r#"{"alg":"HS512"}"#, &claims.to_string())
}

/// One request on its way.
pub(crate) struct Exchange {
    pub(crate) request: Request,
    head: Head,
    pub(crate) end: End,
    /// Steps: charges with the names of their limits and the cost, checks of signatures.
    pub(crate) trace: Vec<String>,
}

impl Exchange {
    /// `pass`, `waits`, `body`, or the denial's code.
    pub(crate) fn verdict(&self) -> &'static str {
        verdict(&self.end)
    }
}

/// `pass`, `waits`, `body`, `nothing`, or the denial's code.
pub(crate) fn verdict(end: &End) -> &'static str {
    match end {
        End::Pass(_) => "pass",
        End::Deny(denial) => denial.code(),
        End::Waits => "waits",
        End::Body(_) => "body",
        End::Nothing => "nothing",
    }
}

/// One worker, its shared data and its clock.
pub(crate) struct Stack {
    pub(crate) worker: Worker,
    pub(crate) now: Timestamp,
    memory: Memory,
}

impl Stack {
    /// The configuration with what stands at JSON Pointers replaced or added.
    #[track_caller]
    pub(crate) fn new(changes: &[(&str, Value)]) -> Self {
        let mut document = document();
        for (pointer, value) in changes {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let parent = document.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().insert(name.to_owned(), value.clone());
        }
        let secret = json!([{"alg": "HS512", "base64": OCT_K}]);
        document["issuers"][0]["secrets"] = secret;
        let config = Config::from_bytes(document.to_string().as_bytes());
        let config = config.unwrap_or_else(|errors| panic!("{changes:?}: {errors}"));
        Self { worker: Worker::new(config, 1), now: START, memory: Memory::default() }
    }

    pub(crate) fn sleep(&mut self, secs: u64) {
        self.now = self.now.after(Duration::from_secs(secs));
    }

    /// Hands the worker a remote document that was fetched now and serves for an hour.
    pub(crate) fn fetch(&mut self, id: DocumentId, generation: u64, body: &Value) {
        let document = Document {
            started: self.now,
            refresh_at: self.now.after(Duration::from_mins(10)),
            stale_at: self.now.after(Duration::from_hours(1)),
            generation,
            version: 1,
            place: Place::First,
            build: 1,
        };
        let record = Record { started: self.now, document: Some(document), ..Record::default() };
        if self.worker.on_record(id, record) {
            self.worker.on_document(id, record, body.to_string().as_bytes()).unwrap();
        }
    }

    /// A POST of `body` to `/students` with the key of this id.
    pub(crate) fn students(&mut self, key: &str, token: &str, body: &str) -> Exchange {
        let headers = [("content-type", "application/json")];
        let mut exchange = self.send("POST", "/students", key, token, &headers, false);
        self.body(&mut exchange, body.as_bytes());
        exchange
    }

    pub(crate) fn get(&mut self, key: &str, token: &str) -> Exchange {
        self.send("GET", "/plain", key, token, &[], true)
    }

    pub(crate) fn login(&mut self, key: &str) -> Exchange {
        self.send("POST", "/login", key, "", &[], false)
    }

    /// Empty key or token: no such header.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        key: &str,
        token: &str,
        headers: &[(&str, &str)],
        ends: bool,
    ) -> Exchange {
        let mut pairs: Vec<(&str, String)> =
            vec![(":method", method.to_owned()), (":path", path.to_owned()), (":authority", "a".to_owned())];
        if !key.is_empty() {
            pairs.push(("x-api-key", format!("key-{key}")));
        }
        if !token.is_empty() {
            pairs.push(("authorization", format!("Bearer {token}")));
        }
        pairs.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let head = Head::from_pairs(&pairs).ending(ends);
        let mut exchange = Exchange { request: Request::default(), head, end: End::Nothing, trace: Vec::new() };
        self.run(&mut exchange, Event::Head);
        exchange
    }

    /// The body ends; nothing happens unless it is waited for.
    pub(crate) fn body(&mut self, exchange: &mut Exchange, bytes: &[u8]) {
        if matches!(exchange.end, End::Body(_)) {
            self.run(exchange, Event::Body(bytes));
        }
    }

    pub(crate) fn tick(&mut self, exchange: &mut Exchange) {
        if exchange.request.is_ready(&self.worker, self.now) {
            self.run(exchange, Event::Ready);
        }
    }

    /// The response's head arrives; gives back and settles as the shell does.
    pub(crate) fn reply(&mut self, exchange: &mut Exchange, status: u16, settlement: Option<&[u8]>) -> ReplyEdits {
        let event = Event::Reply(ReplyHead { status, settlement });
        let Step::Reply(mut edits) = exchange.request.step(&mut self.worker, &exchange.head, self.now, event) else {
            panic!("no edits")
        };
        if let Some(receipt) = edits.refund.take() {
            ledger::cancel(&mut self.memory, receipt, self.now).unwrap();
        }
        for (receipt, actual) in edits.settle.drain(..) {
            ledger::settle(&mut self.memory, receipt, actual, self.now).unwrap();
        }
        edits
    }

    /// How often this was counted, by the beginning of the metric's name; empties all counts.
    pub(crate) fn counted(&mut self, name: &str) -> u64 {
        let counts: Vec<_> = self.worker.metrics.drain().collect();
        let list = self.worker.metrics.list();
        counts.iter().filter(|(at, _)| list[*at].name.starts_with(name)).map(|(_, by)| by).sum()
    }

    pub(crate) fn run(&mut self, exchange: &mut Exchange, event: Event<'_>) {
        let Exchange { request, head, end, trace } = exchange;
        let Self { worker, memory, now } = self;
        let reached = decide::run(&mut Traced { memory, trace }, worker, request, head, event, *now);
        // Whatever comes after the end leaves it as it is.
        if !matches!(reached, End::Nothing) {
            *end = reached;
        }
    }
}

/// What a request finds outside of its worker; notes its steps.
struct Traced<'a> {
    memory: &'a mut Memory,
    trace: &'a mut Vec<String>,
}

impl Platform for Traced<'_> {
    fn slots<'a>(&'a mut self, _: &'a mut Worker, _: Timestamp) -> impl Slots + 'a {
        &mut *self.memory
    }

    fn index(&mut self) -> impl SharedData {
        &mut *self.memory
    }

    fn crypto(&self) -> &dyn HostCrypto {
        &NoHost
    }

    fn address(&self) -> Option<IpAddr> {
        "192.0.2.1".parse().ok()
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        None
    }

    fn on_step(&mut self, step: &Step<'_>) {
        match step {
            Step::Charge(charges) => {
                for charge in charges {
                    let names: Vec<&str> = charge.limits.iter().map(|limit| limit.name.as_str()).collect();
                    self.trace.push(format!("{}x{}/{}", names.join("+"), charge.requests, charge.cost));
                }
            }
            Step::Peek(_) => self.trace.push("peek".to_owned()),
            Step::Verify(_) => self.trace.push("verify".to_owned()),
            _ => {}
        }
    }
}
