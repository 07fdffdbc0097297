//! What the root context of a worker and its requests share: the worker, and the requests that wait.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::filter::worker::Worker;
use crate::host::abi::{self, StreamType};
use crate::host::status::Status;
use crate::host::stream::{Flow, Stream, refuse_broken};
use crate::values::time::Timestamp;

/// Tick while requests wait for keys, or keys were never had.
pub const TICK_WAITING_MS: u32 = 20;
/// Streams that one callback wakes. Envoy carries out their answers when it is over, each inside the one before it: some
/// three hundred at once overflow the stack and trap, and other filters and access logs make each of them deeper.
const WAKES_MAX: usize = 32;

/// What the root context and its requests share.
#[derive(Debug)]
pub struct WorkerContext {
    /// The worker's state.
    pub worker: RefCell<Worker>,
    waiters: RefCell<Vec<Waiter>>,
    tick_ms: Cell<u32>,
    /// Whether there ever was a request: never so on Envoy's main thread.
    pub serves: Cell<bool>,
}

#[derive(Debug)]
struct Waiter {
    context: u32,
    stream: Weak<RefCell<Stream>>,
}

impl WorkerContext {
    /// Of a worker that has just been configured.
    pub fn new(worker: Worker) -> Self {
        Self {
            worker: RefCell::new(worker),
            waiters: RefCell::default(),
            tick_ms: Cell::default(),
            serves: Cell::default(),
        }
    }

    /// Has the stream of this context woken when it is ready.
    pub fn await_keys(&self, context: u32, stream: &Rc<RefCell<Stream>>) {
        if let Ok(mut waiters) = self.waiters.try_borrow_mut() {
            waiters.push(Waiter { context, stream: Rc::downgrade(stream) });
        }
        if !(1..=TICK_WAITING_MS).contains(&self.tick_ms.get()) {
            self.set_tick(TICK_WAITING_MS);
        }
    }

    /// How many streams are to be woken.
    #[cfg(feature = "test-faults")]
    pub fn waiters(&self) -> usize {
        self.waiters.try_borrow().map_or(0, |waiters| waiters.len())
    }

    /// Setting the period begins it anew: requests that wait, one every few milliseconds, would put the tick off for ever.
    pub fn set_tick(&self, period_ms: u32) {
        if self.tick_ms.get() != period_ms && abi::set_tick_period(period_ms).is_ok() {
            self.tick_ms.set(period_ms);
        }
    }

    /// Lets streams go on that are ready, those first that nobody looked at the last time; whether there may be more of them.
    /// `root` is the root context.
    #[inline(never)]
    pub fn wake(self: &Rc<Self>, root: u32, now: Timestamp) -> bool {
        let Ok(waiters) = self.waiters.try_borrow_mut().map(|mut list| std::mem::take(&mut *list)) else {
            return false;
        };
        let (mut waiters, mut waiting, mut woken) = (waiters.into_iter(), Vec::new(), 0_usize);
        for waiter in waiters.by_ref() {
            let Some(stream) = waiter.stream.upgrade() else {
                continue;
            };
            let ready = match (self.worker.try_borrow(), stream.try_borrow()) {
                (Ok(worker), Ok(stream)) => stream.is_ready(&worker, now),
                _ => false,
            };
            if !ready {
                waiting.push(waiter);
            } else if abi::set_effective_context(waiter.context).is_ok() {
                self.resume(&stream, waiter.context, now);
                woken = woken.saturating_add(1);
                if woken >= WAKES_MAX {
                    break;
                }
            }
        }
        let _ = abi::set_effective_context(root);
        let is_cut_short = waiters.len() > 0;
        if let Ok(mut list) = self.waiters.try_borrow_mut() {
            let woken_in_vain = std::mem::take(&mut *list);
            *list = waiters.chain(waiting).chain(woken_in_vain).collect();
        }
        is_cut_short
    }

    /// Looks again at a request that waited; the effective context is its own.
    #[inline(never)]
    fn resume(&self, stream: &Rc<RefCell<Stream>>, context: u32, now: Timestamp) {
        let flow = match (stream.try_borrow_mut(), self.worker.try_borrow_mut()) {
            (Ok(mut stream), Ok(mut worker)) => stream.resume(&mut worker, now),
            _ => Err(Status::InternalFailure),
        };
        let waits = stream.try_borrow().is_ok_and(|stream| stream.is_waiting());
        match flow {
            Ok(Flow::Pass) => {
                let _ = abi::continue_stream(StreamType::Request);
            }
            Ok(Flow::Held) if waits => self.await_keys(context, stream),
            Ok(Flow::Held) => {}
            Err(_) => refuse_broken(stream),
        }
    }
}
