//! One request in Envoy: turns callbacks into events, and steps into host calls.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::credentials::jwt::signature::HostCrypto;
use crate::decide::{self, End, Platform};
use crate::filter::request::{Event, ReplyHead, Request, Step};
use crate::filter::worker::Worker;
use crate::host::abi::{self, MapType, StreamType};
use crate::host::body::{Seen, Verdict};
#[cfg(feature = "test-faults")]
use crate::host::faults::{self, Callback};
use crate::host::output::{self, PublishedFields};
use crate::host::random::random_bytes;
use crate::host::root::Shared;
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
    body: Seen,
    /// Whether it was let go on, or answered: nothing is decided a second time, whatever the host calls.
    ended: bool,
    published: PublishedFields,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// It may go on.
    Pass,
    /// It waits, or was answered here.
    Held,
}

/// The context of one request.
#[derive(Debug)]
pub struct Http {
    context: u32,
    shared: Option<Rc<Shared>>,
    stream: Rc<RefCell<Stream>>,
}

impl Http {
    /// The context of this id; without `shared` (the configuration was refused) everything is answered 503.
    pub fn new(context: u32, shared: Option<Rc<Shared>>) -> Self {
        Self { context, shared, stream: Rc::default() }
    }

    fn begin(&self, end_of_stream: bool) -> Result<Flow, Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let mut worker = shared.worker.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        let mut stream = self.stream.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        if stream.begun {
            // A second head, from a host that must not give one: it took the place of what was judged, so nothing may go on.
            let Stream { request, head, .. } = &mut *stream;
            request.step(&mut worker, head, Timestamp::default(), Event::Gone);
            return Err(Status::InternalFailure);
        }
        let now = abi::now()?;
        let pairs = abi::header_pairs(MapType::RequestHeaders)?;
        let mut is_clean = true;
        let head = Head::parse_showing(pairs, |name, value| is_clean &= !worker.strip.removes(name, value));
        stream.head = head.unwrap_or_default().ending(end_of_stream);
        if !is_clean {
            stream.strip(&worker)?;
        }
        stream.identify()?;
        stream.run(&mut worker, Event::Head, now)
    }

    /// Judges the body as far as it is there; `len` is what is buffered, if this callback tells.
    fn body(&self, len: Option<usize>, ended: bool) -> Result<Flow, Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let mut worker = shared.worker.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        let mut stream = self.stream.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        stream.body.note(len, ended);
        if stream.request.is_passed() {
            return Ok(Flow::Pass);
        }
        stream.look(&mut worker)
    }

    fn on_body(&self, len: Option<usize>, ended: bool) -> Action {
        match self.body(len, ended) {
            Ok(Flow::Pass) => Action::Continue,
            Ok(Flow::Held) => Action::Pause,
            Err(_) => {
                refuse_broken(&self.stream);
                Action::Pause
            }
        }
    }

    fn is_passed(&self) -> bool {
        self.stream.try_borrow().is_ok_and(|stream| stream.request.is_passed())
    }

    fn is_waiting(&self) -> bool {
        self.stream.try_borrow().is_ok_and(|stream| stream.request.is_waiting())
    }

    fn reply(&self) -> Result<(), Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let mut worker = shared.worker.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        let mut stream = self.stream.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        stream.reply(&mut worker)
    }

    /// Removes the settlement header from the response's trailers. It settles nothing there: by then the head has published the
    /// client what is left.
    fn hide_settlement(&self) -> Result<(), Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let worker = shared.worker.try_borrow().map_err(|_| Status::InternalFailure)?;
        let Some(name) = &worker.config.settlement_header else {
            return Ok(());
        };
        abi::remove_header(MapType::ResponseTrailers, name.as_bytes())
    }

    fn strip_trailers(&self, count: usize) -> Result<(), Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let worker = shared.worker.try_borrow().map_err(|_| Status::InternalFailure)?;
        let pairs = abi::header_pairs(MapType::RequestTrailers)?;
        let trailers = Head::parse(pairs).ok_or(Status::ParseFailure)?;
        if count > 0 && trailers.is_empty() {
            // More than the host hands over: nobody knows what is among them.
            return Err(Status::ParseFailure);
        }
        for name in worker.strip.trailers_to_remove(&trailers) {
            abi::remove_header(MapType::RequestTrailers, name)?;
        }
        Ok(())
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "test-faults")]
        if faults::on_request(self.context, self.shared.as_ref()) {
            return Action::Pause;
        }
        match self.begin(end_of_stream) {
            Ok(Flow::Pass) => Action::Continue,
            Ok(Flow::Held) => {
                if let (true, Some(shared)) = (self.is_waiting(), &self.shared) {
                    shared.await_keys(self.context, &self.stream);
                }
                Action::Pause
            }
            Err(_) => {
                refuse_broken(&self.stream);
                Action::Pause
            }
        }
    }

    fn on_http_request_body(&mut self, len: usize, end_of_stream: bool) -> Action {
        #[cfg(feature = "test-faults")]
        faults::at(Callback::RequestBody, self.context);
        if self.is_passed() { Action::Continue } else { self.on_body(Some(len), end_of_stream) }
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        #[cfg(feature = "test-faults")]
        faults::at(Callback::RequestTrailers, self.context);
        if self.strip_trailers(count).is_err() {
            // Nothing may pass unstripped, and an answer can no longer be sent for sure.
            let _ = abi::close_stream(StreamType::Request);
            return Action::Pause;
        }
        // With trailers, no piece of the body was the last one.
        if self.is_passed() { Action::Continue } else { self.on_body(None, true) }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        #[cfg(feature = "test-faults")]
        faults::at(Callback::ResponseHeaders, self.context);
        // What cannot be added to a response is no reason to hold it back.
        let _ = self.reply();
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        #[cfg(feature = "test-faults")]
        faults::at(Callback::ResponseTrailers, self.context);
        let _ = self.hide_settlement();
        Action::Continue
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        #[cfg(feature = "test-faults")]
        faults::at(Callback::Delete, self.context);
        let Some(shared) = &self.shared else {
            return;
        };
        if let (Ok(mut worker), Ok(mut stream)) = (shared.worker.try_borrow_mut(), self.stream.try_borrow_mut()) {
            let Stream { request, head, .. } = &mut *stream;
            request.step(&mut worker, head, Timestamp::default(), Event::Gone);
        }
    }
}

impl Stream {
    /// Whether the request waits and should be woken.
    pub fn is_ready(&self, worker: &Worker, now: Timestamp) -> bool {
        self.request.is_ready(worker, now)
    }

    /// Looks again at a request that waited; the effective context is its own.
    #[inline(never)]
    pub fn wake(stream: &Rc<RefCell<Self>>, context: u32, shared: &Rc<Shared>, now: Timestamp) {
        let flow = match (stream.try_borrow_mut(), shared.worker.try_borrow_mut()) {
            (Ok(mut stream), Ok(mut worker)) => stream.run(&mut worker, Event::Ready, now),
            _ => Err(Status::InternalFailure),
        };
        let waits = stream.try_borrow().is_ok_and(|stream| stream.request.is_waiting());
        match flow {
            Ok(Flow::Pass) => {
                let _ = abi::continue_stream(StreamType::Request);
            }
            Ok(Flow::Held) if waits => shared.await_keys(context, stream),
            Ok(Flow::Held) => {}
            Err(_) => refuse_broken(stream),
        }
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
            Verdict::More => Ok(Flow::Held),
            Verdict::TooBig => self.run(worker, Event::TooBig, abi::now()?),
            Verdict::Whole(bytes) => self.run(worker, Event::Body(&bytes), abi::now()?),
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
                Verdict::More => break,
                Verdict::TooBig => Event::TooBig,
                Verdict::Whole(whole) => {
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
            output::answer(denial, request, worker, id_of(head, fresh_id))?;
        }
        if matches!(end, End::Pass(_) | End::Deny(_)) {
            *head = Head::default();
            *ended = true;
        }
        Ok(if matches!(end, End::Pass(_)) { Flow::Pass } else { Flow::Held })
    }

    /// Edits the response's head, and settles the cost.
    fn reply(&mut self, worker: &mut Worker) -> Result<(), Status> {
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
fn refuse_broken(stream: &Rc<RefCell<Stream>>) {
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
