//! The whole decision as a function: configuration, documents, request and time in, verdict out.
//!
//! For whoever drives the filter from outside: tests, fuzzers, an operator who asks what a configuration does. [`decide`] is
//! one request at a fresh worker; a [`Gate`] keeps its worker, so that limits and caches hold from one request to the next;
//! [`run`] carries out the steps of [`crate::filter::request`] one by one, for these and for the shell. Shared data is
//! [`Memory`]. No upstream answers here, so nothing is settled: what a request was charged stays charged.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use crate::answer::denial::Denial;
use crate::answer::problem::Answer;
use crate::config::{Config, ConfigErrors};
use crate::credentials::fetch::{self, Record};
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::jwt::signature::HostCrypto;
use crate::credentials::opaque::build::{BuildError, Builder, Built, Progress};
use crate::filter::document::{DocumentError, DocumentId};
use crate::filter::request::{Edit, Event, Forward, ReplyHead, Request, Step};
use crate::filter::worker::Worker;
use crate::http::head::Head;
use crate::http::request_id;
use crate::limits::ledger::Slots;
use crate::values::shared::memory::Memory;
use crate::values::shared::{SharedData, StoreError};
use crate::values::time::Timestamp;

pub use self::driver::{End, Platform, run};

mod driver;
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
    /// SHA-256 of the certificate that the client showed.
    pub certificate: Option<CertificateDigest>,
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
    loads: u64,
}

impl Gate {
    /// A fresh worker.
    pub fn new(config: Config) -> Self {
        Self { worker: Worker::new(config, 0), memory: Memory::default(), loads: 0 }
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
        let no_index = || DocumentError::Tokens(BuildError::Store(StoreError::Host));
        let keys = self.worker.index().map(Rc::clone).ok_or_else(no_index)?;
        let mut record = Vec::new();
        self.memory.read(&keys.record, &mut record).map_err(|error| DocumentError::Tokens(error.into()))?;
        let claim = Record { build: self.loads, ..Record::decode(&record) };
        let mut builder = Builder::new(bytes.to_vec(), &claim).map_err(DocumentError::Tokens)?;
        let built = loop {
            if let Progress::Done(built) = builder.advance(&mut self.memory, &keys).map_err(DocumentError::Tokens)? {
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
        let record = Record { document: Some(document), ..claim };
        self.memory.write(&keys.record, &record.encode());
        self.worker.on_record(DocumentId::Tokens, record);
        Ok(())
    }

    /// Judges a request.
    pub fn decide(&mut self, call: &Call<'_>, host: &dyn HostCrypto, now: Timestamp) -> Verdict {
        let ends = call.body.is_none() && call.trailers.is_empty();
        let head = Head::from_pairs(call.head).ending(ends);
        let mut request = Request::default();
        let Self { worker, memory, .. } = self;
        let mut outside = Outside { memory, host, address: call.address, certificate: call.certificate };
        let mut tell = |request: &mut Request, event: Event<'_>| run(&mut outside, worker, request, &head, event, now);
        let mut end = tell(&mut request, Event::Head);
        // Twice where a token is looked up again.
        for _ in 0..2 {
            let End::Body(max) = end else { break };
            let body = call.body.unwrap_or_default();
            let event = if body.len() > max { Event::TooBig } else { Event::Body(body) };
            end = tell(&mut request, event);
        }
        if matches!(end, End::Waits) {
            tell(&mut request, Event::Gone);
        }
        match end {
            End::Pass(forward) => Verdict::Pass(self.passed(call, &mut request, &head, &forward)),
            End::Deny(denial) => Verdict::Deny(self.denied(call, &request, &head, denial)),
            End::Waits => Verdict::Waits,
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
        let answer = request.answer(&denial, head, &self.worker.config, id).into_owned();
        Denied { denial, answer }
    }
}

fn collect(into: &mut Vec<Edit<Vec<u8>>>) -> impl FnMut(Edit<&[u8]>) -> Result<(), Infallible> {
    |edit| {
        into.push(edit.into_owned());
        Ok(())
    }
}

/// What a request finds outside of its worker.
struct Outside<'a> {
    memory: &'a mut Memory,
    host: &'a dyn HostCrypto,
    address: Option<IpAddr>,
    certificate: Option<CertificateDigest>,
}

impl Platform for Outside<'_> {
    fn slots<'a>(&'a mut self, _: &'a mut Worker, _: Timestamp) -> impl Slots + 'a {
        &mut *self.memory
    }

    fn index(&mut self) -> impl SharedData {
        &mut *self.memory
    }

    fn crypto(&self) -> &dyn HostCrypto {
        self.host
    }

    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        self.certificate
    }
}
