//! The shell of the tests: carries out the steps of a request as `host::http` does, with slots in memory.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::super::testing::verdict;
use super::setup;
use crate::answer::denial::Denial;
use crate::credentials::fetch::{Action, Fetched, Record};
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::signature::{HostCrypto, NoHost};
use crate::credentials::opaque::build::Builder;
use crate::credentials::opaque::testing::{self as opaque, Shelf as Index};
use crate::decide::{self, End, Platform};
use crate::filter::document::DocumentId;
use crate::filter::request::{Event, Forward, ReplyEdits, ReplyHead, Request, Step};
use crate::filter::worker::Worker;
use crate::http::head::Head;
use crate::limits::key::{LimitKey, SlotId};
use crate::limits::ledger::{self, Slots};
use crate::values::shared::memory::Memory;
use crate::values::shared::testing::Failing;
use crate::values::shared::{SharedData, StoreError, Swap, Version};
use crate::values::time::Timestamp;

/// Slots in memory; may be told to fail.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    slots: Memory,
    pub(super) failing: Failing,
}

impl Slots for Shelf {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        self.slots.slot_of(key)
    }
}

impl SharedData for Shelf {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.failing.call()?;
        self.slots.read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        self.failing.call()?;
        self.slots.swap(key, bytes, version)
    }
}

/// One request on its way.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) request: Request,
    pub(super) head: Head,
    pub(super) end: End,
    /// The steps, in order; a charge with the names of its limits.
    pub(super) trace: Vec<String>,
}

/// One worker, its shared data and its clock.
pub(super) struct Stack {
    pub(super) worker: Worker,
    pub(super) shelf: Shelf,
    pub(super) index: Index,
    pub(super) now: Timestamp,
    pub(super) address: Option<IpAddr>,
    pub(super) host: Box<dyn HostCrypto>,
}

impl Stack {
    /// With the configuration of the tests, changed.
    #[track_caller]
    pub(super) fn new(changes: &[(&str, Value)]) -> Self {
        Self {
            worker: Worker::new(setup::config(changes), 1),
            shelf: Shelf::default(),
            index: Index::default(),
            now: setup::START,
            address: Some("192.0.2.1".parse().unwrap()),
            host: Box::new(NoHost),
        }
    }

    pub(super) fn sleep(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
    }

    /// Hands the worker a key set of these algorithms that was fetched now, as the shell does.
    pub(super) fn fetch(&mut self, algs: &[Alg], generation: u64) {
        let (record, body) = (setup::fetched(self.now, generation), setup::jwks(algs).to_string());
        if self.worker.on_record(setup::REMOTE_ID, record) {
            self.worker.on_document(setup::REMOTE_ID, record, body.as_bytes()).unwrap();
        }
    }

    /// Makes an index of these tokens that was fetched now, as some worker does.
    pub(super) fn publish(&mut self, version: u64, tokens: &[&str]) {
        let entries: Vec<Value> = tokens.iter().map(|token| opaque::entry(token)).collect();
        self.publish_entries(version, &entries);
    }

    /// The same with entries of the test's own.
    pub(super) fn publish_entries(&mut self, version: u64, entries: &[Value]) {
        let text = opaque::list(version, entries);
        let remote = self.worker.remotes().find(|(id, _)| *id == DocumentId::Tokens).map(|(_, it)| it.clone()).unwrap();
        let claim = match self.index.record.on_tick(&remote, Some(self.now), self.now) {
            Action::Claim(claim) => claim,
            Action::Idle => panic!("a fetch is not due"),
        };
        self.index.record = claim;
        let keys = self.worker.index().unwrap();
        let mut builder = Builder::new(text.into_bytes(), &claim).unwrap();
        let built = opaque::finish(&mut builder, &mut self.index, keys).unwrap();
        let fetched = Fetched { generation: built.generation, version: built.version, max_age: None };
        self.index.record = claim.on_success(&remote, self.now, fetched, self.now).unwrap();
    }

    /// The worker sees the record of the index, as on its ticks.
    pub(super) fn tell(&mut self) {
        assert!(
            !self.worker.on_record(DocumentId::Tokens, self.index.record),
            "the record is all that there is to have"
        );
    }

    /// Hands the worker the record of a fetch that failed now.
    pub(super) fn fail_fetch(&mut self, next_in: Duration) {
        let next_at = self.now.after(next_in);
        let record = Record { started: self.now, next_at, failures: 1, ..Record::default() };
        assert!(!self.worker.on_record(setup::REMOTE_ID, record));
    }

    /// A GET of this path with this token.
    pub(super) fn get(&mut self, path: &str, token: &str) -> Exchange {
        self.send("GET", path, &[("authorization", &format!("Bearer {token}"))])
    }

    /// A request without a body.
    pub(super) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Exchange {
        self.send_head(head(method, path, headers).ending(true))
    }

    pub(super) fn send_head(&mut self, head: Head) -> Exchange {
        let mut exchange = Exchange { request: Request::default(), head, end: End::Nothing, trace: Vec::new() };
        self.run(&mut exchange, Event::Head);
        exchange
    }

    /// A GET with a token that is new, up to where another worker may come between: its signature is being checked.
    pub(super) fn up_to_the_signature(&mut self, path: &str, token: &str) -> Exchange {
        let head = head("GET", path, &[("authorization", &format!("Bearer {token}"))]).ending(true);
        let mut request = Request::default();
        let now = self.now;
        assert!(matches!(request.step(&mut self.worker, &head, now, Event::Head), Step::NeedAddress));
        let Step::Peek(charge) = request.step(&mut self.worker, &head, now, Event::Address(self.address)) else {
            panic!("no guard");
        };
        let outcome = ledger::peek(&mut self.shelf, charge, now);
        assert!(matches!(request.step(&mut self.worker, &head, now, Event::Peeked(outcome)), Step::Verify(_)));
        Exchange { request, head, end: End::Nothing, trace: Vec::new() }
    }

    /// What its signature turned out to be, and what the request came to.
    pub(super) fn verified(&mut self, exchange: &mut Exchange, valid: bool) -> &'static str {
        self.run(exchange, Event::Verified(valid));
        exchange.verdict()
    }

    /// Wakes a request if it is ready, as the shell does on a tick.
    pub(super) fn tick(&mut self, exchange: &mut Exchange) {
        if exchange.request.is_ready(&self.worker, self.now) {
            self.run(exchange, Event::Ready);
        }
    }

    /// The body ends.
    pub(super) fn body(&mut self, exchange: &mut Exchange, bytes: &[u8]) {
        while matches!(exchange.end, End::Body(_)) {
            self.run(exchange, Event::Body(bytes));
        }
    }

    pub(super) fn gone(&mut self, exchange: &mut Exchange) {
        self.run(exchange, Event::Gone);
    }

    /// The response's head arrives; `None` if the machine has no edits for it.
    pub(super) fn reply(&mut self, exchange: &mut Exchange, settlement: Option<&[u8]>) -> Option<ReplyEdits> {
        let Exchange { request, head, .. } = exchange;
        match request.step(
            &mut self.worker,
            head,
            Timestamp::default(),
            Event::Reply(ReplyHead { status: 200, settlement }),
        ) {
            Step::Reply(edits) => Some(edits),
            _ => None,
        }
    }

    /// Settles as the shell does.
    pub(super) fn settle(&mut self, edits: ReplyEdits) {
        for (receipt, actual) in edits.settle {
            ledger::settle(&mut self.shelf, receipt, actual, self.now).unwrap();
        }
    }

    /// How often this was counted, by the beginning of the metric's name; empties all counts.
    pub(super) fn counted(&mut self, name: &str) -> u64 {
        let counts: Vec<_> = self.worker.metrics.drain().collect();
        let list = self.worker.metrics.list();
        counts.iter().filter(|(at, _)| list[*at].name.starts_with(name)).map(|(_, by)| by).sum()
    }

    fn run(&mut self, exchange: &mut Exchange, event: Event<'_>) {
        let Exchange { request, head, end, trace } = exchange;
        let Self { worker, shelf, index, now, address, host } = self;
        let mut outside = Outside { shelf, index, host: host.as_ref(), address: *address, trace };
        let reached = decide::run(&mut outside, worker, request, head, event, *now);
        // Whatever comes after the end leaves it as it is.
        if !matches!(reached, End::Nothing) {
            *end = reached;
        }
    }
}

/// What a request finds outside of its worker; notes its steps.
struct Outside<'a> {
    shelf: &'a mut Shelf,
    index: &'a mut Index,
    host: &'a dyn HostCrypto,
    address: Option<IpAddr>,
    trace: &'a mut Vec<String>,
}

impl Platform for Outside<'_> {
    fn slots<'a>(&'a mut self, _: &'a mut Worker, _: Timestamp) -> impl Slots + 'a {
        &mut *self.shelf
    }

    fn index(&mut self) -> impl SharedData {
        &mut *self.index
    }

    fn crypto(&self) -> &dyn HostCrypto {
        self.host
    }

    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        None
    }

    fn on_step(&mut self, step: &Step<'_>) {
        self.trace.extend(name_of(step));
    }
}

fn name_of(step: &Step<'_>) -> Option<String> {
    Some(match step {
        Step::NeedAddress => "address".to_owned(),
        Step::NeedCertificate => "certificate".to_owned(),
        Step::Charge(charges) => {
            let limits = charges.iter().flat_map(|charge| charge.limits.iter());
            let names: Vec<&str> = limits.map(|limit| limit.name.as_str()).collect();
            format!("charge {}", names.join("+"))
        }
        Step::Peek(charge) => {
            let names: Vec<&str> = charge.limits.iter().map(|limit| limit.name.as_str()).collect();
            format!("peek {}", names.join("+"))
        }
        Step::Refund(_) => "refund".to_owned(),
        Step::Verify(_) => "verify".to_owned(),
        Step::Lookup(_) => "lookup".to_owned(),
        Step::AwaitKeys => "await".to_owned(),
        Step::Pass(_) => "pass".to_owned(),
        Step::Deny(denial) => format!("deny {}", denial.code()),
        Step::AwaitBody { .. } | Step::Reply(_) | Step::Nothing => return None,
    })
}

impl Exchange {
    /// The steps, as one line.
    pub(super) fn steps(&self) -> String {
        self.trace.join(", ")
    }

    /// What it came to: `pass`, `waits`, or the denial's code.
    pub(super) fn verdict(&self) -> &'static str {
        verdict(&self.end)
    }

    #[track_caller]
    pub(super) fn forward(&self) -> &Forward {
        match &self.end {
            End::Pass(forward) => forward,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn denial(&self) -> &Denial {
        match &self.end {
            End::Deny(denial) => denial,
            other => panic!("{other:?}"),
        }
    }
}

/// A head as Envoy hands it over.
pub(super) fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Head {
    let mut pairs = vec![(":method", method), (":path", path), (":authority", "api.example.com"), (":scheme", "https")];
    pairs.extend_from_slice(headers);
    Head::from_pairs(&pairs)
}
