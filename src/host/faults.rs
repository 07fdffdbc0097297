//! Faults on demand, for tests of what Envoy does when a module fails. Only in builds with the feature `test-faults`.
//!
//! The configuration of the VM (`vm_config.configuration`) names a fault of [`on_configure`] on workers. A request with the
//! header `x-test-trap` names a [`Callback`] that traps: its own, or the next one of its VM or of the process. One with
//! `x-test-state` is told what its VM holds. A request may also have signatures checked, see [`verify`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::abi::{self, BufferType, LocalResponse, MapType};
use super::worker_context::WorkerContext;

pub mod verify;

/// How often Envoy configures a module on its main thread, before any worker runs.
const ON_MAIN_THREAD: usize = 2;

/// The callback that traps next, of whichever VM.
const ARMED: &[u8] = b"hallpass-test-faults/armed";

/// A callback that traps on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// The head of the request that asks for it.
    RequestHeaders,
    /// The next piece of its body.
    RequestBody,
    /// Its trailers.
    RequestTrailers,
    /// The head of its response.
    ResponseHeaders,
    /// The trailers of its response.
    ResponseTrailers,
    /// The end of its context.
    Delete,
    /// The next request of this VM.
    ContextCreate,
    /// The next tick of this VM.
    Tick,
    /// The next tick of a VM that has no requests: mostly the main thread's.
    IdleTick,
    /// The next answer to a call-out, in whichever VM.
    CallResponse,
    /// The next VM that starts.
    VmStart,
    /// The next configuration.
    Configure,
}

/// Who traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Stream,
    Vm,
    Process,
}

thread_local! {
    /// Streams that will trap.
    static STREAMS: RefCell<Vec<(u32, Callback)>> = const { RefCell::new(Vec::new()) };
    /// What of this VM will trap.
    static NEXT: Cell<Option<Callback>> = const { Cell::new(None) };
}

impl Callback {
    const ALL: [(Self, &'static str, Scope); 12] = [
        (Self::RequestHeaders, "request_headers", Scope::Stream),
        (Self::RequestBody, "request_body", Scope::Stream),
        (Self::RequestTrailers, "request_trailers", Scope::Stream),
        (Self::ResponseHeaders, "response_headers", Scope::Stream),
        (Self::ResponseTrailers, "response_trailers", Scope::Stream),
        (Self::Delete, "delete", Scope::Stream),
        (Self::ContextCreate, "context_create", Scope::Vm),
        (Self::Tick, "tick", Scope::Vm),
        (Self::IdleTick, "idle_tick", Scope::Process),
        (Self::CallResponse, "http_call_response", Scope::Process),
        (Self::VmStart, "vm_start", Scope::Process),
        (Self::Configure, "configure", Scope::Process),
    ];

    fn named(name: &[u8]) -> Option<(Self, Scope)> {
        Self::ALL.iter().find(|(_, it, _)| it.as_bytes() == name).map(|(it, _, scope)| (*it, *scope))
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(it, ..)| *it == self).map_or("", |(_, name, _)| name)
    }
}

/// Traps where this callback of this context was asked to.
pub fn at(callback: Callback, context: u32) {
    let of_stream = STREAMS.with_borrow(|streams| streams.contains(&(context, callback)));
    let of_vm = NEXT.get() == Some(callback);
    if of_stream || of_vm || disarm(callback) {
        trap();
    }
}

/// Traps where a tick of this VM was asked to.
pub fn on_tick(serves: bool) {
    at(Callback::Tick, 0);
    if !serves {
        at(Callback::IdleTick, 0);
    }
}

/// What `on_configure` answers for this VM, unless it traps: yes on the main thread, no on workers.
pub fn on_configure() -> bool {
    at(Callback::Configure, 0);
    let fault = abi::buffer(BufferType::VmConfiguration, 0, usize::MAX).unwrap_or_default();
    if fault.is_empty() || is_on_main_thread() {
        return true;
    }
    if fault == b"trap-on-worker" {
        trap();
    }
    fault != b"fail-on-worker"
}

/// Notes which callback the request wants to trap; says whether the request was answered.
pub fn on_request(context: u32, shared: Option<&Rc<WorkerContext>>) -> bool {
    if let Some((callback, scope)) =
        abi::header(MapType::RequestHeaders, b"x-test-trap").ok().and_then(|name| Callback::named(&name))
    {
        match scope {
            Scope::Stream => STREAMS.with_borrow_mut(|streams| streams.push((context, callback))),
            Scope::Vm => NEXT.set(Some(callback)),
            Scope::Process => {
                let _ = abi::set_shared_data(ARMED, callback.name().as_bytes(), 0);
            }
        }
        at(Callback::RequestHeaders, context);
    }
    if let (Ok(_), Some(shared)) = (abi::header(MapType::RequestHeaders, b"x-test-state"), shared) {
        return tell_state(shared);
    }
    verify::on_request()
}

/// Answers with the contexts of requests that live (this one too), and with those that wait.
fn tell_state(shared: &Rc<WorkerContext>) -> bool {
    let contexts = Rc::strong_count(shared).saturating_sub(1);
    let waiting = shared.worker.try_borrow().map_or(0, |worker| worker.waiting);
    let state = format!("{{\"contexts\":{contexts},\"waiting\":{waiting},\"waiters\":{}}}", shared.waiters());
    let headers = [(&b"content-type"[..], &b"application/json"[..])];
    let response =
        LocalResponse { status: 200, details: "test", headers: &headers, body: state.as_bytes(), grpc_status: 0 };
    abi::send_local_response(&response).is_ok()
}

/// Whether this callback is to trap, once in the process.
fn disarm(callback: Callback) -> bool {
    let Ok(armed) = abi::shared_data(ARMED) else {
        return false;
    };
    armed.value == callback.name().as_bytes() && abi::set_shared_data(ARMED, b"-", armed.cas).is_ok()
}

/// Counts the VMs of the process in shared data: the first ones are those of the main thread.
fn is_on_main_thread() -> bool {
    const KEY: &[u8] = b"hallpass-test-faults/vms";
    let (count, cas) = abi::shared_data(KEY).map_or((0, abi::CAS_CREATE), |shared| (shared.value.len(), shared.cas));
    let one_more = vec![b'1'; count.saturating_add(1)];
    if abi::set_shared_data(KEY, &one_more, cas).is_err() {
        return is_on_main_thread();
    }
    count < ON_MAIN_THREAD
}

fn trap() -> ! {
    core::arch::wasm32::unreachable()
}
