//! The root context of a worker: configuration, ticks, answers to call-outs.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::{Rc, Weak};

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use sha2::{Digest, Sha256};

use crate::config::{Config, Environment};
use crate::filter::metrics::Kind;
use crate::filter::worker::Worker;
use crate::host::abi::{self, BufferType, Level, MetricId, MetricType};
#[cfg(feature = "test-faults")]
use crate::host::faults::{self, Callback};
use crate::host::fetch::{self, Source};
use crate::host::http::{Http, Stream};
use crate::host::shared_data;
use crate::values::time::Timestamp;

/// Tick while nothing waits: how old a worker's view of the shared keys and its metrics may be.
const TICK_MS: u32 = 500;
/// Tick while requests wait for keys, or keys were never had.
const TICK_WAITING_MS: u32 = 20;

/// Tick while an index is being made: the worker serves requests in between.
const TICK_MAKING_MS: u32 = 10;

/// Tick while there are more streams to wake than one callback may.
const TICK_WAKING_MS: u32 = 1;
/// Streams that one callback wakes. Envoy carries out their answers when it is over, each inside the one before it: some
/// three hundred at once overflow the stack and trap, and other filters and access logs make each of them deeper.
const WAKES_MAX: usize = 32;

/// What the root context and its requests share.
#[derive(Debug)]
pub struct Shared {
    /// The worker's state.
    pub worker: RefCell<Worker>,
    waiters: RefCell<Vec<Waiter>>,
    tick_ms: Cell<u32>,
    /// Whether there ever was a request: never so on Envoy's main thread.
    serves: Cell<bool>,
}

#[derive(Debug)]
struct Waiter {
    context: u32,
    stream: Weak<RefCell<Stream>>,
}

impl Shared {
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
    fn set_tick(&self, period_ms: u32) {
        if self.tick_ms.get() != period_ms && abi::set_tick_period(period_ms).is_ok() {
            self.tick_ms.set(period_ms);
        }
    }
}

/// The root context.
pub struct Root {
    context: u32,
    /// Digest of the configuration in use.
    configured: Option<[u8; 32]>,
    shared: Option<Rc<Shared>>,
    sources: Vec<Source>,
    metrics: Vec<Option<MetricId>>,
}

impl Root {
    /// The root context of this id, not configured yet.
    pub fn new(context: u32) -> Self {
        Self { context, configured: None, shared: None, sources: Vec::new(), metrics: Vec::new() }
    }

    #[inline(never)]
    fn configure(&mut self, bytes: &[u8]) -> bool {
        let digest = Sha256::digest(bytes).into();
        if self.configured == Some(digest) {
            // Envoy configures a root context again for each listener or extension that has the same configuration. What it
            // has (call-outs under way, requests that wait, counts) must not be lost.
            return true;
        }
        let config = match Config::from_bytes_in(bytes, &environment()) {
            Ok(config) => config,
            Err(errors) => {
                for error in errors.to_string().lines() {
                    log(Level::Error, &format!("configuration refused: {error}"));
                }
                return false;
            }
        };
        for warning in &config.warnings {
            log(Level::Warn, &format!("configuration: {warning}"));
        }
        let mut worker = Worker::new(config, RandomState::new().build_hasher().finish());
        worker.secret = shared_data::secret();
        self.metrics = define_metrics(&worker);
        self.sources = fetch::sources(&worker);
        let now = abi::now().unwrap_or_default();
        for source in &self.sources {
            source.take_over(&mut worker, now);
        }
        self.configured = Some(digest);
        let shared = Shared {
            worker: RefCell::new(worker),
            waiters: RefCell::default(),
            tick_ms: Cell::default(),
            serves: Cell::default(),
        };
        shared.set_tick(if self.sources.is_empty() { TICK_MS } else { TICK_WAITING_MS });
        self.shared = Some(Rc::new(shared));
        true
    }

    /// Flushes counts and sets gauges.
    #[inline(never)]
    fn report(&self, worker: &mut Worker, now: Timestamp) {
        for (at, by) in worker.metrics.drain() {
            if let Some(Some(id)) = self.metrics.get(at) {
                let _ = abi::increment_metric(*id, i64::try_from(by).unwrap_or(i64::MAX));
            }
        }
        for (id, _) in worker.remotes() {
            let age = worker.document_started(id).map(|started| now.since(started).as_secs());
            let gauge = self.metrics.get(worker.metrics.document_age(id));
            if let (Some(age), Some(Some(id))) = (age, gauge) {
                let _ = abi::record_metric(*id, age);
            }
        }
    }

    /// Lets streams go on that are ready, those first that nobody looked at the last time; whether there may be more of them.
    #[inline(never)]
    fn wake(&self, shared: &Rc<Shared>, now: Timestamp) -> bool {
        let Ok(waiters) = shared.waiters.try_borrow_mut().map(|mut list| std::mem::take(&mut *list)) else {
            return false;
        };
        let (mut waiters, mut waiting, mut woken) = (waiters.into_iter(), Vec::new(), 0_usize);
        for waiter in waiters.by_ref() {
            let Some(stream) = waiter.stream.upgrade() else {
                continue;
            };
            let ready = match (shared.worker.try_borrow(), stream.try_borrow()) {
                (Ok(worker), Ok(stream)) => stream.is_ready(&worker, now),
                _ => false,
            };
            if !ready {
                waiting.push(waiter);
            } else if abi::set_effective_context(waiter.context).is_ok() {
                Stream::wake(&stream, waiter.context, shared, now);
                woken = woken.saturating_add(1);
                if woken >= WAKES_MAX {
                    break;
                }
            }
        }
        let _ = abi::set_effective_context(self.context);
        let is_cut_short = waiters.len() > 0;
        if let Ok(mut list) = shared.waiters.try_borrow_mut() {
            let woken_in_vain = std::mem::take(&mut *list);
            *list = waiters.chain(waiting).chain(woken_in_vain).collect();
        }
        is_cut_short
    }

    #[inline(never)]
    fn adjust_tick(&self, shared: &Shared, is_cut_short: bool) {
        let Ok(worker) = shared.worker.try_borrow() else {
            return;
        };
        let missing = worker.remotes().any(|(id, _)| worker.document_started(id).is_none());
        let period = if is_cut_short {
            TICK_WAKING_MS
        } else if self.sources.iter().any(Source::is_making) {
            TICK_MAKING_MS
        } else if missing || worker.waiting > 0 {
            TICK_WAITING_MS
        } else {
            TICK_MS
        };
        drop(worker);
        shared.set_tick(period);
    }
}

impl Drop for Root {
    /// The end of the root context: Envoy deletes it right after it is done. Here and not in `on_done`, so that Envoy need
    /// not call that one for each request, see `scripts/link-filter`.
    fn drop(&mut self) {
        self.sources.iter_mut().for_each(Source::release);
        if let (Some(shared), Ok(now)) = (&self.shared, abi::now())
            && let Ok(mut worker) = shared.worker.try_borrow_mut()
        {
            self.report(&mut worker, now);
        }
    }
}

impl Context for Root {
    #[inline(never)]
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _trailers: usize) {
        #[cfg(feature = "test-faults")]
        faults::at(Callback::CallResponse, self.context);
        let (Some(shared), Ok(now)) = (self.shared.clone(), abi::now()) else {
            return;
        };
        if let Ok(mut worker) = shared.worker.try_borrow_mut() {
            for source in &mut self.sources {
                source.on_answer(&mut worker, token, headers, body, now);
            }
        }
        let is_cut_short = self.wake(&shared, now);
        self.adjust_tick(&shared, is_cut_short);
    }
}

impl RootContext for Root {
    #[cfg(feature = "test-faults")]
    fn on_vm_start(&mut self, _len: usize) -> bool {
        faults::at(Callback::VmStart, self.context);
        true
    }

    #[inline(never)]
    fn on_configure(&mut self, len: usize) -> bool {
        #[cfg(feature = "test-faults")]
        if !faults::on_configure() {
            return false;
        }
        match abi::buffer(BufferType::PluginConfiguration, 0, usize::MAX) {
            Ok(bytes) => self.configure(&bytes),
            Err(_) if len == 0 => self.configure(b""),
            Err(status) => {
                // A refusal that the configuration does not call for could hit one worker alone, and Envoy would let
                // everything pass there. Without a configuration every request is answered 503.
                log(Level::Error, &format!("configuration cannot be read: {status}"));
                true
            }
        }
    }

    #[inline(never)]
    fn on_tick(&mut self) {
        #[cfg(feature = "test-faults")]
        faults::on_tick(self.shared.as_ref().is_some_and(|shared| shared.serves.get()));
        let (Some(shared), Ok(now)) = (self.shared.clone(), abi::now()) else {
            return;
        };
        if let Ok(mut worker) = shared.worker.try_borrow_mut() {
            for source in &mut self.sources {
                source.on_tick(&mut worker, shared.serves.get(), now);
            }
            self.report(&mut worker, now);
        }
        let is_cut_short = self.wake(&shared, now);
        self.adjust_tick(&shared, is_cut_short);
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        #[cfg(feature = "test-faults")]
        faults::at(Callback::ContextCreate, context);
        if let Some(shared) = &self.shared {
            shared.serves.set(true);
        }
        Some(Box::new(Http::new(context, self.shared.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// What `vm_config.environment_variables` passes on.
#[inline(never)]
fn environment() -> Environment {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    Environment::new(std::env::vars_os().filter_map(text))
}

#[inline(never)]
fn define_metrics(worker: &Worker) -> Vec<Option<MetricId>> {
    let ids = worker.metrics.list().iter().map(|metric| {
        let kind = match metric.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        abi::define_metric(kind, metric.name.as_bytes()).ok()
    });
    let ids: Vec<_> = ids.collect();
    for (at, value) in worker.metrics.dry_run(&worker.config) {
        if let Some(Some(id)) = ids.get(at) {
            let _ = abi::record_metric(*id, value);
        }
    }
    ids
}

fn log(level: Level, message: &str) {
    let _ = abi::log(level, format!("hallpass: {message}").as_bytes());
}
