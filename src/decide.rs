//! The whole decision as a function: configuration, documents, request and time in, verdict out.
//!
//! For whoever drives the filter from outside: tests, fuzzers, an operator who asks what a configuration does. [`decide`] is
//! one request at a fresh worker; a [`Gate`] keeps its worker, so that limits and caches hold from one request to the next;
//! [`run`] carries out the steps of [`crate::filter::request`] one by one, as the shell does. Shared data is [`Memory`]. No upstream answers
//! here, so nothing is settled: what a request was charged stays charged. Nothing here is part of the filter in Envoy.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;

use crate::answer::denial::Denial;
use crate::answer::problem::Answer;
use crate::config::{Config, ConfigErrors};
use crate::credentials::fetch::{self, Record};
use crate::credentials::jwt::signature::HostCrypto;
use crate::credentials::opaque::bucket::BucketId;
use crate::credentials::opaque::build::{Buckets, Builder, Built, Progress};
use crate::credentials::opaque::lookup;
use crate::filter::document::{DocumentError, DocumentId};
use crate::filter::request::{Edit, Event, Forward, ReplyHead, Request, Step};
use crate::filter::worker::Worker;
use crate::http::head::Head;
use crate::http::request_id;
use crate::limits::key::SlotId;
use crate::limits::ledger::{self, Slots, StoreError, Swap, Version};
use crate::limits::memory;
use crate::values::time::Timestamp;

#[cfg(test)]
mod tests;

/// A name and its value, as bytes.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// A whole request, as Envoy shows it to the filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// Pseudo-headers and headers, in their order.
    pub head: &'a [Pair<'a>],
    /// The body; `None`: the request ends with its head or its trailers.
    pub body: Option<&'a [u8]>,
    /// Trailers.
    pub trailers: &'a [Pair<'a>],
    /// The address of the source that Envoy trusts.
    pub address: Option<IpAddr>,
    /// What its id is made of if its head brings none: random bytes.
    pub random: [u8; 16],
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// It goes to the upstream.
    Pass(Passed),
    /// It is answered here.
    Deny(Denied),
    /// It is held until a document comes that was not given, and refused if none comes.
    Waits,
}

/// How a request goes to the upstream.
#[derive(Debug)]
pub struct Passed {
    /// The id of the client that calls; `None` on open routes.
    pub client: Option<String>,
    /// The name of the tier.
    pub tier: Option<String>,
    /// What is done to its head, in this order.
    pub head: Vec<Edit<Vec<u8>>>,
    /// And to its trailers.
    pub trailers: Vec<Edit<Vec<u8>>>,
    /// And to the head of the response.
    pub response: Vec<Edit<Vec<u8>>>,
}

/// How a request is refused.
#[derive(Debug)]
pub struct Denied {
    /// Why.
    pub denial: Denial,
    /// What the client gets.
    pub answer: Answer<'static>,
}

/// Why there is no verdict.
#[derive(Debug)]
pub enum SetupError {
    /// The configuration is refused.
    Config(ConfigErrors),
    /// A document is refused.
    Document(DocumentError),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Document(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SetupError {}

/// Judges one request at a fresh worker. `documents` are what would be fetched: key sets and lists.
///
/// # Errors
/// The configuration or a document is refused.
pub fn decide(
    config: &[u8],
    documents: &[(DocumentId, &[u8])],
    call: &Call<'_>,
    host: &dyn HostCrypto,
    now: Timestamp,
) -> Result<Verdict, SetupError> {
    let mut gate = Gate::new(Config::from_bytes(config).map_err(SetupError::Config)?);
    for (id, bytes) in documents {
        gate.load(*id, bytes, now).map_err(SetupError::Document)?;
    }
    Ok(gate.decide(call, host, now))
}

/// One worker with shared data of its own.
#[derive(Debug)]
pub struct Gate {
    /// The worker.
    pub worker: Worker,
    memory: Memory,
    index: Index,
    loads: u64,
}

impl Gate {
    /// A fresh worker.
    pub fn new(config: Config) -> Self {
        Self { worker: Worker::new(config, 0), memory: Memory::default(), index: Index::default(), loads: 0 }
    }

    /// Hands the worker a document as if it had been fetched now.
    ///
    /// # Errors
    /// It is no such document. The last good one goes on serving.
    pub fn load(&mut self, id: DocumentId, bytes: &[u8], now: Timestamp) -> Result<(), DocumentError> {
        let lives = self.worker.remotes().find(|(of, _)| *of == id).map(|(_, it)| (it.refresh, it.max_stale));
        let (refresh, max_stale) = lives.unwrap_or_default();
        self.loads = self.loads.saturating_add(1);
        if id == DocumentId::Tokens {
            return self.load_tokens(bytes, now, (now.after(refresh), now.after(max_stale)));
        }
        let read = id.read(&self.worker.config, bytes)?;
        let document = fetch::Document {
            started: now,
            refresh_at: now.after(refresh),
            stale_at: now.after(max_stale),
            generation: self.loads,
            version: read.version(),
            place: fetch::Place::First,
            build: 0,
        };
        let record = Record { document: Some(document), ..Record::default() };
        self.worker.on_record(id, record);
        self.worker.adopt(id, record, read);
        Ok(())
    }

    /// Makes an index, as the shell does on its ticks.
    fn load_tokens(
        &mut self,
        bytes: &[u8],
        now: Timestamp,
        (refresh_at, stale_at): (Timestamp, Timestamp),
    ) -> Result<(), DocumentError> {
        let claim = Record { build: self.loads, ..self.index.record };
        let mut builder = Builder::new(bytes.to_vec(), &claim).map_err(DocumentError::Tokens)?;
        let built = loop {
            if let Progress::Done(built) = builder.advance(&mut self.index).map_err(DocumentError::Tokens)? {
                break built;
            }
        };
        let Built { generation, version, .. } = built;
        let same = claim.document.filter(|it| it.generation == generation);
        let document = fetch::Document {
            started: now,
            refresh_at,
            stale_at,
            generation,
            version,
            place: claim.place_for(generation),
            build: same.map_or(claim.build, |it| it.build),
        };
        self.index.record = Record { document: Some(document), ..claim };
        self.worker.on_record(DocumentId::Tokens, self.index.record);
        Ok(())
    }

    /// Judges a request.
    pub fn decide(&mut self, call: &Call<'_>, host: &dyn HostCrypto, now: Timestamp) -> Verdict {
        let ends = call.body.is_none() && call.trailers.is_empty();
        let head = Head::from_pairs(call.head).ending(ends);
        let mut request = Request::default();
        let Self { worker, memory, index, .. } = self;
        let mut around = Around { worker, slots: memory, index, host, address: call.address, now };
        let mut end = run(&mut around, &mut request, &head, Event::Head, |_| ());
        // Twice where a token is looked up again.
        for _ in 0..2 {
            let End::Body(max) = end else { break };
            let body = call.body.unwrap_or_default();
            let event = if body.len() > max { Event::TooBig } else { Event::Body(body) };
            end = run(&mut around, &mut request, &head, event, |_| ());
        }
        match end {
            End::Pass(forward) => Verdict::Pass(self.passed(call, &mut request, &head, &forward)),
            End::Deny(denial) => Verdict::Deny(self.denied(call, &request, &head, denial)),
            End::Waits => {
                let Self { worker, memory, index, .. } = self;
                let around = &mut Around { worker, slots: memory, index, host, address: None, now };
                run(around, &mut request, &head, Event::Gone, |_| ());
                Verdict::Waits
            }
            // A request that ends in nothing does not pass.
            End::Body(_) | End::Nothing => Verdict::Deny(self.denied(call, &request, &head, Denial::Unavailable)),
        }
    }

    fn passed(&mut self, call: &Call<'_>, request: &mut Request, head: &Head, forward: &Forward) -> Passed {
        let Worker { config, strip, .. } = &self.worker;
        let trailers = Head::from_pairs(call.trailers);
        let mut edits: Vec<_> = strip.names_to_remove(head).map(|it| Edit::Remove(it).into_owned()).collect();
        if request_id::accepted(head).is_none() {
            let id = request_id::fresh(call.random).into_bytes();
            edits.push(Edit::Set(b"x-request-id".to_vec(), id));
        }
        let Ok(()) = forward.edits(config, collect(&mut edits));
        let tier = forward.tier.and_then(|tier| config.tiers.get(tier));
        Passed {
            client: forward.client().map(str::to_owned),
            tier: tier.map(|it| it.name.clone()),
            head: edits,
            trailers: strip.trailers_to_remove(&trailers).map(|it| Edit::Remove(it).into_owned()).collect(),
            response: self.response(request, head),
        }
    }

    /// What the response gets, whatever it is.
    fn response(&mut self, request: &mut Request, head: &Head) -> Vec<Edit<Vec<u8>>> {
        let settlement = self.worker.config.settlement_header.as_ref();
        let mut edits: Vec<_> = settlement.map(|name| Edit::Remove(name.clone().into_bytes())).into_iter().collect();
        let reply = Event::Reply(ReplyHead { status: 0, settlement: None });
        if let Step::Reply(own) = request.step(&mut self.worker, head, Timestamp::default(), reply) {
            let Ok(()) = own.edits(collect(&mut edits));
        }
        edits
    }

    fn denied(&self, call: &Call<'_>, request: &Request, head: &Head, denial: Denial) -> Denied {
        let fresh = request_id::fresh(call.random);
        let id = request_id::accepted(head).unwrap_or(&fresh);
        let answer = request.answer(&denial, &self.worker.config, id).into_owned();
        Denied { denial, answer }
    }
}

fn collect(into: &mut Vec<Edit<Vec<u8>>>) -> impl FnMut(Edit<&[u8]>) -> Result<(), Infallible> {
    |edit| {
        into.push(edit.into_owned());
        Ok(())
    }
}

/// What a request is carried out with.
pub struct Around<'a, S> {
    /// The worker.
    pub worker: &'a mut Worker,
    /// Shared data: what is used up.
    pub slots: &'a mut S,
    /// Shared data: opaque tokens.
    pub index: &'a mut dyn Buckets,
    /// Who checks signatures first.
    pub host: &'a dyn HostCrypto,
    /// The trusted address of the source.
    pub address: Option<IpAddr>,
    /// The time.
    pub now: Timestamp,
}

/// How far a request came.
#[derive(Debug)]
pub enum End {
    /// It goes to the upstream.
    Pass(Forward),
    /// It is answered here.
    Deny(Denial),
    /// It waits for keys: tell it [`Event::Ready`] once [`Request::is_ready`].
    Waits,
    /// It waits for a body of at most so many bytes: tell it [`Event::Body`] or [`Event::TooBig`].
    Body(usize),
    /// The event changed nothing that anyone must act upon.
    Nothing,
}

/// Tells the request an event and carries out its steps until it needs something from outside; `watch` sees every step.
pub fn run<S: Slots>(
    around: &mut Around<'_, S>,
    request: &mut Request,
    head: &Head,
    event: Event<'_>,
    mut watch: impl FnMut(&Step<'_>),
) -> End {
    let now = around.now;
    let mut step = request.step(around.worker, head, now, event);
    loop {
        watch(&step);
        let event = match step {
            Step::NeedAddress => Event::Address(around.address),
            Step::Charge(charges) => Event::Charged(ledger::reserve(around.slots, &charges, now)),
            Step::Peek(charge) => Event::Peeked(ledger::peek(around.slots, charge, now)),
            Step::Refund(receipt) => {
                // As in the shell: a refund that fails leaves the charge in place.
                let _ = ledger::cancel(around.slots, receipt, now);
                Event::Refunded
            }
            Step::Verify(job) => Event::Verified(job.run(around.host)),
            Step::Lookup(token) => Event::Found(lookup::find(around.index, &token)),
            Step::AwaitKeys => return End::Waits,
            Step::AwaitBody { max } => return End::Body(max),
            Step::Pass(forward) => return End::Pass(forward),
            Step::Deny(denial) => return End::Deny(denial),
            Step::Reply(_) | Step::Nothing => return End::Nothing,
        };
        step = request.step(around.worker, head, now, event);
    }
}

/// Slots of limits in memory, of one process and one thread.
pub type Memory = memory::Memory<SlotId>;

/// An index of opaque tokens in memory, of one process and one thread.
#[derive(Debug, Default)]
pub struct Index {
    record: Record,
    buckets: memory::Memory<BucketId>,
}

impl Buckets for Index {
    fn read(&mut self, id: BucketId, into: &mut Vec<u8>) -> Result<Version, StoreError> {
        Ok(self.buckets.read(&id, into))
    }

    fn swap(&mut self, id: BucketId, bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        Ok(self.buckets.swap(id, bytes, version))
    }

    fn record(&mut self) -> Result<Record, StoreError> {
        Ok(self.record)
    }
}
