//! The context of one request in Envoy: turns callbacks into events.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::host::abi::{self, MapType, StreamType};
#[cfg(feature = "test-faults")]
use crate::host::faults::{self, Callback};
use crate::host::status::Status;
use crate::host::stream::{Flow, Stream, refuse_broken};
use crate::host::worker_context::WorkerContext;
use crate::http::head::Head;

/// The context of one request.
#[derive(Debug)]
pub struct Http {
    context: u32,
    shared: Option<Rc<WorkerContext>>,
    stream: Rc<RefCell<Stream>>,
}

impl Http {
    /// The context of this id; without `shared` (the configuration was refused) everything is answered 503.
    pub fn new(context: u32, shared: Option<Rc<WorkerContext>>) -> Self {
        Self { context, shared, stream: Rc::default() }
    }

    fn begin(&self, end_of_stream: bool) -> Result<Flow, Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let mut worker = shared.worker.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        let mut stream = self.stream.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        stream.begin(&mut worker, end_of_stream)
    }

    /// Evaluates the body as far as it is there; `len` is what is buffered, if this callback tells.
    fn body(&self, len: Option<usize>, ended: bool) -> Result<Flow, Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let mut worker = shared.worker.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        let mut stream = self.stream.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        stream.body(&mut worker, len, ended)
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
        self.stream.try_borrow().is_ok_and(|stream| stream.is_passed())
    }

    fn is_waiting(&self) -> bool {
        self.stream.try_borrow().is_ok_and(|stream| stream.is_waiting())
    }

    fn reply(&self) -> Result<(), Status> {
        let shared = self.shared.as_ref().ok_or(Status::InternalFailure)?;
        let mut worker = shared.worker.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        let mut stream = self.stream.try_borrow_mut().map_err(|_| Status::InternalFailure)?;
        stream.reply(&mut worker)
    }

    /// Removes the settlement header from the response's trailers. It settles nothing there: by then the head has told the
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
            stream.leave(&mut worker);
        }
    }
}
