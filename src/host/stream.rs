//! One request in Envoy: carries out what the request machine decides, with host calls.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::jwt::signature::HostCrypto;
use crate::decide::{self, End, Platform};
use crate::filter::request::{Event, ReplyHead, Request, Step};
use crate::filter::worker::Worker;
use crate::host::abi::{self, MapType, StreamType};
use crate::host::body::{BodyBuffer, Buffered};
use crate::host::output::{self, PublishedFields};
use crate::host::random::random_bytes;
use crate::host::shared_data::{self, slots};
use crate::host::status::Status;
use crate::host::verify::Host;
use crate::http::head::Head;
use crate::http::request_id;
use crate::limits::ledger::{self, Slots};
use crate::values::shared::SharedData;
use crate::values::time::Timestamp;

/// The state of one request.
#[derive(Debug, Default)]
pub struct Stream {
    request: Request,
    head: Head,
    /// Whether there was a head.
    begun: bool,
    /// The id of the request, where its head has none.
    fresh_id: String,
    body: BodyBuffer,
    /// Whether it was let go on, or answered: nothing is decided a second time, whatever the host calls.
    ended: bool,
    published: PublishedFields,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It may go on.
    Pass,
    /// It waits, or was answered here.
    Held,
}

impl Stream {
    /// Whether the request waits and should be woken.
    pub fn is_ready(&self, worker: &Worker, now: Timestamp) -> bool {
        self.request.is_ready(worker, now)
    }

    /// Whether the request was let go on.
    pub fn is_passed(&self) -> bool {
        self.request.is_passed()
    }

    /// Whether the request waits for keys.
    pub fn is_waiting(&self) -> bool {
        self.request.is_waiting()
    }

    /// Takes the head.
    ///
    /// # Errors
    /// The host failed, or gave a second head.
    pub fn begin(&mut self, worker: &mut Worker, end_of_stream: bool) -> Result<Flow, Status> {
        if self.begun {
            // A second head, from a host that must not give one: it took the place of the first, so nothing may go on.
            self.leave(worker);
            return Err(Status::InternalFailure);
        }
        let now = abi::now()?;
        let pairs = abi::header_pairs(MapType::RequestHeaders)?;
        let mut is_clean = true;
        let head = Head::parse_showing(pairs, |name, value| is_clean &= !worker.strip.removes(name, value));
        self.head = head.unwrap_or_default().ending(end_of_stream);
        if !is_clean {
            self.strip(worker)?;
        }
        self.identify()?;
        self.run(worker, Event::Head, now)
    }

    /// Takes the body as far as it is there; `len` is what is buffered, if this callback tells.
    ///
    /// # Errors
    /// The host failed.
    pub fn body(&mut self, worker: &mut Worker, len: Option<usize>, ended: bool) -> Result<Flow, Status> {
        self.body.note(len, ended);
        if self.is_passed() {
            return Ok(Flow::Pass);
        }
        self.look(worker)
    }

    /// Looks again at a request that waited; the effective context is its own.
    ///
    /// # Errors
    /// The host failed.
    pub fn resume(&mut self, worker: &mut Worker, now: Timestamp) -> Result<Flow, Status> {
        self.run(worker, Event::Ready, now)
    }

    /// The request is gone, or must count as gone.
    pub fn leave(&mut self, worker: &mut Worker) {
        let Self { request, head, .. } = self;
        request.step(worker, head, Timestamp::default(), Event::Gone);
    }

    /// Removes what clients may not send.
    fn strip(&self, worker: &Worker) -> Result<(), Status> {
        for name in worker.strip.names_to_remove(&self.head) {
            abi::remove_header(MapType::RequestHeaders, name)?;
        }
        Ok(())
    }

    /// Takes Envoy's request id, or makes one where there is none that is safe to repeat.
    fn identify(&mut self) -> Result<(), Status> {
        self.begun = true;
        if request_id::accepted(&self.head).is_some() {
            return Ok(());
        }
        self.fresh_id = request_id::fresh(random_bytes());
        abi::set_header(MapType::RequestHeaders, b"x-request-id", self.fresh_id.as_bytes())
    }

    /// The id of the request; empty while it has none.
    fn id(&self) -> &str {
        if self.begun { id_of(&self.head, &self.fresh_id) } else { "" }
    }

    /// Tells the request machine about the body if it asked for one and it is known by now.
    fn look(&mut self, worker: &mut Worker) -> Result<Flow, Status> {
        match self.body.look()? {
            Buffered::More => Ok(Flow::Held),
            Buffered::TooBig => self.run(worker, Event::TooBig, abi::now()?),
            Buffered::Whole(bytes) => self.run(worker, Event::Body(&bytes), abi::now()?),
        }
    }

    /// Carries out steps until the request passes, is answered or waits.
    fn run(&mut self, worker: &mut Worker, event: Event<'_>, now: Timestamp) -> Result<Flow, Status> {
        let Self { request, head, fresh_id, body, ended, published, .. } = self;
        let mut end = decide::run(&mut Envoy, worker, request, head, event, now);
        while let End::Body(max) = end {
            body.ask(max);
            let bytes;
            let event = match body.look()? {
                Buffered::More => break,
                Buffered::TooBig => Event::TooBig,
                Buffered::Whole(whole) => {
                    bytes = whole;
                    Event::Body(&bytes)
                }
            };
            end = decide::run(&mut Envoy, worker, request, head, event, now);
        }
        if let End::Pass(forward) = &end {
            output::forward_to_upstream(forward, worker)?;
        }
        output::publish(request, worker, published);
        if let End::Deny(denial) = &end {
            output::answer(denial, request, head, worker, id_of(head, fresh_id))?;
        }
        if matches!(end, End::Pass(_) | End::Deny(_)) {
            *head = Head::default();
            *ended = true;
        }
        Ok(if matches!(end, End::Pass(_)) { Flow::Pass } else { Flow::Held })
    }

    /// Edits the response's head, and settles the cost.
    ///
    /// # Errors
    /// The host failed.
    pub fn reply(&mut self, worker: &mut Worker) -> Result<(), Status> {
        if !self.request.is_passed() {
            return Ok(());
        }
        let settlement = match &worker.config.settlement_header {
            Some(name) => {
                let value = abi::header(MapType::ResponseHeaders, name.as_bytes()).ok();
                if value.is_some() {
                    abi::remove_header(MapType::ResponseHeaders, name.as_bytes())?;
                }
                value
            }
            None => None,
        };
        let Self { request, head, .. } = self;
        let status = if request.needs_status() { response_status() } else { 0 };
        let event = Event::Reply(ReplyHead { status, settlement: settlement.as_deref() });
        let Step::Reply(edits) = request.step(worker, head, Timestamp::default(), event) else {
            return Ok(());
        };
        edits.edits(|it| output::edit(MapType::ResponseHeaders, it))?;
        for (receipt, actual) in edits.settle {
            let now = abi::now()?;
            let _ = ledger::settle(&mut slots(worker, now), receipt, actual, now);
        }
        if let Some(receipt) = edits.refund {
            let now = abi::now()?;
            let _ = ledger::cancel(&mut slots(worker, now), receipt, now);
        }
        Ok(())
    }
}

/// What Envoy supplies to a request.
struct Envoy;

impl Platform for Envoy {
    fn slots<'a>(&'a mut self, worker: &'a mut Worker, now: Timestamp) -> impl Slots + 'a {
        slots(worker, now)
    }

    fn index(&mut self) -> impl SharedData {
        shared_data::Shared
    }

    fn crypto(&self) -> &dyn HostCrypto {
        &Host
    }

    fn address(&self) -> Option<IpAddr> {
        output::source_address()
    }

    fn certificate(&self) -> Option<CertificateDigest> {
        output::client_certificate()
    }
}

/// The id that the head brings, or else the one that was made.
fn id_of<'a>(head: &'a Head, fresh: &'a str) -> &'a str {
    request_id::accepted(head).unwrap_or(fresh)
}

/// The status of the response; 0: not readable.
fn response_status() -> u16 {
    let value = abi::header(MapType::ResponseHeaders, b":status").unwrap_or_default();
    std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The answer when there is no configuration or the host failed: nothing passes, also not later. One that was let go on or
/// answered gets no second one.
#[inline(never)]
pub fn refuse_broken(stream: &Rc<RefCell<Stream>>) {
    let (id, retirement) = match stream.try_borrow_mut() {
        Ok(mut stream) => {
            stream.request.abort();
            if std::mem::replace(&mut stream.ended, true) {
                return;
            }
            (stream.id().to_owned(), stream.request.retirement().cloned())
        }
        Err(_) => (String::new(), None),
    };
    let id = if id.is_empty() { request_id::fresh(random_bytes()) } else { id };
    if output::answer_broken(&id, retirement.as_ref()).is_err() {
        let _ = abi::close_stream(StreamType::Request);
    }
}
