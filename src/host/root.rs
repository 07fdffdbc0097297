//! The root context of a worker: configuration, ticks, answers to call-outs.

use std::ffi::OsString;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::rc::Rc;

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
use crate::host::http::Http;
use crate::host::shared_data;
use crate::host::worker_context::{TICK_WAITING_MS, WorkerContext};
use crate::values::time::Timestamp;

/// Tick while nothing waits: how old a worker's view of the shared keys and its metrics may be.
const TICK_MS: u32 = 500;
/// Tick while an index is being made: the worker serves requests in between.
const TICK_MAKING_MS: u32 = 10;

/// Tick while there are more streams to wake than one callback may.
const TICK_WAKING_MS: u32 = 1;
/// The root context.
pub struct Root {
    context: u32,
    /// Digest of the configuration in use.
    configured: Option<[u8; 32]>,
    shared: Option<Rc<WorkerContext>>,
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
        let shared = WorkerContext::new(worker);
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
            // One that was never fetched is as old as the epoch: an alert on the age must not stay silent.
            let age = now.since(worker.document_started(id).unwrap_or_default()).as_secs();
            let gauge = self.metrics.get(worker.metrics.document_age(id));
            if let Some(Some(id)) = gauge {
                let _ = abi::record_metric(*id, age);
            }
        }
    }

    #[inline(never)]
    fn adjust_tick(&self, shared: &WorkerContext, is_cut_short: bool) {
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
            if let Some(warning) = worker.issuer_warning(now) {
                log(Level::Warn, &warning);
            }
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
        let is_cut_short = shared.wake(self.context, now);
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
            if let Some(warning) = worker.issuer_warning(now) {
                log(Level::Warn, &warning);
            }
            self.report(&mut worker, now);
        }
        let is_cut_short = shared.wake(self.context, now);
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
