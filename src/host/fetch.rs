//! Fetching of key sets and lists: carries out what [`crate::credentials::fetch`] decides.
//!
//! A small record per source stands in one value of the shared data, which every worker reads on its ticks. Documents may be
//! long, so they stand apart, in two places: a new one is written to the place that no record names, and then the
//! record is swapped. Whoever finds other bytes there than the record names has the document fetched anew.
//! Call-outs are sent from the root context: the answer to one that a request sends is lost with the request.

use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::credentials::fetch::{Action, Fetched, Place, Record, Remote, max_age};
use crate::credentials::opaque::bucket::IndexKeys;
use crate::credentials::opaque::build::BuildError;
use crate::filter::document::{Document, DocumentId};
use crate::filter::metrics::{Count, FetchResult};
use crate::filter::worker::Worker;
use crate::host::abi::{self, BufferType, HttpCall, Level, MapType};
use crate::host::call_failure::{self, TEXT_BYTES_MAX};
use crate::host::index_build::IndexBuild;
use crate::host::shared_data::Shared;
use crate::values::shared::{Edit, SharedData, StoreError, Swap, Version, update};
use crate::values::time::Timestamp;

/// One source of documents, as this worker's root context sees it.
#[derive(Debug)]
pub struct Source {
    id: DocumentId,
    remote: Remote,
    key: Vec<u8>,
    /// The call-out under way, and when its claim began.
    call: Option<(u32, Timestamp)>,
    /// The index that is being made of the answer.
    making: Option<Box<IndexBuild>>,
    /// When this worker's last claim began: only one worker shall ever hold a long list.
    last: Option<Timestamp>,
}

/// A document that a fetch brought.
struct Answer {
    /// Its bytes; `None`: it stands in the index already.
    bytes: Option<Vec<u8>>,
    /// What they say; `None`: this worker has read them before.
    document: Option<Document>,
    fetched: Fetched,
}

/// The sources of a configuration.
#[inline(never)]
pub fn sources(worker: &Worker) -> Vec<Source> {
    let sources = worker.remotes().map(|(id, remote)| {
        let key = match id {
            DocumentId::Keys(_) => key_of(b"hallpass1/keys/", remote),
            DocumentId::ApiKeys => key_of(b"hallpass1/api-keys/", remote),
            DocumentId::Revocations(_) => key_of(b"hallpass1/revocations/", remote),
            DocumentId::Tokens => IndexKeys::new(remote).record,
        };
        Source { id, remote: remote.clone(), key, call: None, making: None, last: None }
    });
    sources.collect()
}

/// The key of the record of a document that is fetched from here.
fn key_of(kind: &[u8], remote: &Remote) -> Vec<u8> {
    [kind, &Sha256::digest(remote.fingerprint_input())].concat()
}

impl Source {
    /// Takes over what other workers fetched, and fetches if it is time and nobody else does. `serves`: requests were seen here.
    #[inline(never)]
    pub fn on_tick(&mut self, worker: &mut Worker, serves: bool, now: Timestamp) {
        self.make(worker, now);
        let (record, version) = self.read();
        if worker.on_record(self.id, record) {
            self.adopt(worker, record, now);
        }
        if self.id == DocumentId::Tokens {
            let (wanted, last) = (worker.wanted(self.id), self.last == Some(record.started));
            if record.is_left_to_others(&self.remote, wanted, serves, last, now) {
                return;
            }
        }
        if let Action::Claim(claim) = record.on_tick(&self.remote, worker.wanted(self.id), now)
            && Shared.swap(&self.key, &claim.encode(), version) == Ok(Swap::Done)
        {
            self.last = Some(now);
            worker.on_record(self.id, claim);
            self.send(worker, now);
        }
    }

    /// Takes the answer to call-out `token`, if it is ours.
    #[inline(never)]
    pub fn on_answer(&mut self, worker: &mut Worker, token: u32, headers: usize, body_len: usize, now: Timestamp) {
        let Some((_, started)) = self.call.take_if(|(ours, _)| *ours == token) else {
            return;
        };
        let answer = body(self.id, headers, body_len, &self.remote.scheme).and_then(|bytes| {
            if self.id == DocumentId::Tokens {
                return self.begin(worker, bytes, started, now).map(|()| None).map_err(|error| error.to_string());
            }
            answer(self.id, worker, bytes).map(Some)
        });
        match answer {
            Ok(None) => self.make(worker, now),
            Ok(Some(answer)) => self.finish(worker, started, Some(answer), now),
            Err(reason) => {
                self.log_failure(&reason);
                self.finish(worker, started, None, now);
            }
        }
    }

    /// Whether an index is being made, so that ticks should come soon.
    pub const fn is_making(&self) -> bool {
        self.making.is_some()
    }

    /// Begins an index of these bytes.
    #[inline(never)]
    fn begin(&mut self, worker: &Worker, bytes: Vec<u8>, started: Timestamp, now: Timestamp) -> Result<(), BuildError> {
        let (record, _) = self.read();
        let Some(keys) = worker.index().filter(|_| record.started == started) else {
            return Err(BuildError::Superseded);
        };
        let mut making = IndexBuild::new(bytes, Rc::clone(keys), &record, now)?;
        making.max_age = cache_age();
        self.making = Some(Box::new(making));
        Ok(())
    }

    /// Works on the index for a slice, if one is being made.
    #[inline(never)]
    fn make(&mut self, worker: &mut Worker, now: Timestamp) {
        let Some(mut making) = self.making.take() else {
            return;
        };
        let started = making.started;
        // A sign of life, and a look whether the claim is still ours.
        let (record, version) = self.read();
        let Some(alive) = record.on_progress(started, now) else {
            self.log_failure(&BuildError::Superseded.to_string());
            worker.metrics.count(Count::Fetch(self.id, FetchResult::Failed));
            return;
        };
        let _ = Shared.swap(&self.key, &alive.encode(), version);
        match making.slice(now) {
            Ok(None) => self.making = Some(making),
            Ok(Some(built)) => {
                let max_age = making.max_age;
                let fetched = Fetched { generation: built.generation, version: built.version, max_age };
                let now = abi::now().unwrap_or(now);
                let line = format!("hallpass: {}: {}", self.id.path(), making.account(&built, now));
                let _ = abi::log(Level::Debug, line.as_bytes());
                self.finish(worker, started, Some(Answer { bytes: None, document: None, fetched }), now);
            }
            Err(error) => {
                self.log_failure(&error.to_string());
                self.finish(worker, started, None, now);
            }
        }
    }

    /// Takes over what other workers fetched.
    pub fn take_over(&self, worker: &mut Worker, now: Timestamp) {
        let (record, _) = self.read();
        if worker.on_record(self.id, record) {
            self.adopt(worker, record, now);
        }
    }

    /// Gives up a call-out under way: its answer would come to a context that is gone, and nobody else would fetch until its
    /// claim counts as abandoned.
    #[inline(never)]
    pub fn release(&mut self) {
        let making = self.making.take().map(|making| making.started);
        let Some(started) = self.call.take().map(|(_, started)| started).or(making) else {
            return;
        };
        // Where the host refuses, the claim ends by itself, later.
        let _ = self.update(|record| Ok(record.on_abandoned(started)));
    }

    #[inline(never)]
    fn send(&mut self, worker: &mut Worker, now: Timestamp) {
        let remote = &self.remote;
        let headers = [
            (":method", "GET"),
            (":scheme", remote.scheme.as_str()),
            (":authority", remote.authority.as_str()),
            (":path", remote.path.as_str()),
            ("user-agent", concat!("hallpass/", env!("CARGO_PKG_VERSION"))),
            ("accept", "application/jwk-set+json, application/json"),
        ];
        let call = HttpCall { cluster: &remote.cluster, headers: &headers, timeout: remote.timeout };
        match abi::http_call(&call) {
            Ok(token) => self.call = Some((token, now)),
            Err(status) => {
                self.log_failure(&call_failure::not_sent(status, &remote.cluster));
                self.finish(worker, now, None, now);
            }
        }
    }

    /// Records how a fetch ended.
    #[inline(never)]
    fn finish(&mut self, worker: &mut Worker, started: Timestamp, answer: Option<Answer>, now: Timestamp) {
        let (mut is_old, mut recorded) = (false, None);
        let written = self.update(|record| {
            is_old = answer.as_ref().is_some_and(|answer| record.is_older(answer.fetched));
            let good = answer.as_ref().filter(|_| !is_old);
            recorded = match good {
                Some(answer) => record.on_success(&self.remote, started, answer.fetched, now),
                None => record.on_failure(&self.remote, started, now),
            };
            if let (Some(answer), Some(_)) = (good, recorded) {
                self.write(record, answer)?;
            }
            Ok(recorded)
        });
        let good = answer.filter(|_| written.is_ok() && recorded.is_some() && !is_old);
        let result = if good.is_some() { FetchResult::Ok } else { FetchResult::Failed };
        worker.metrics.count(Count::Fetch(self.id, result));
        let (Ok(()), Some(next)) = (written, recorded) else {
            return;
        };
        if is_old {
            self.log_failure("its version is older than the last one");
        }
        if worker.on_record(self.id, next)
            && let Some(document) = good.and_then(|answer| answer.document)
        {
            worker.adopt(self.id, next, document);
        }
    }

    /// Writes a document to the place that the current record does not name, unless it is the current document.
    #[inline(never)]
    fn write(&self, record: Record, answer: &Answer) -> Result<(), StoreError> {
        let generation = answer.fetched.generation;
        if record.document.is_some_and(|document| document.generation == generation) {
            return Ok(());
        }
        let Some(bytes) = &answer.bytes else {
            return Ok(());
        };
        abi::set_shared_data(&self.place_key(record.place_for(generation)), bytes, 0).map_err(|_| StoreError::Host)
    }

    /// Takes over the document that a record names.
    #[inline(never)]
    fn adopt(&self, worker: &mut Worker, record: Record, now: Timestamp) {
        let Some(document) = record.document else {
            return;
        };
        let bytes = abi::shared_data(&self.place_key(document.place)).map(|shared| shared.value).unwrap_or_default();
        if generation(&bytes) != document.generation {
            worker.want(self.id, now, now);
        } else if let Err(error) = worker.on_document(self.id, record, &bytes) {
            self.log(&format!("{} from shared data refused: {error}", self.what()));
        }
    }

    fn place_key(&self, place: Place) -> Vec<u8> {
        let suffix: &[u8] = match place {
            Place::First => b"/0",
            Place::Second => b"/1",
        };
        [&self.key, suffix].concat()
    }

    /// The record, and its version to swap it with.
    fn read(&self) -> (Record, Version) {
        let mut bytes = Vec::new();
        match Shared.read(&self.key, &mut bytes) {
            Ok(version) => (Record::decode(&bytes), version),
            Err(_) => (Record::default(), Version::Absent),
        }
    }

    /// Replaces the record by what `next` makes of it; `None` leaves it as it is.
    #[inline(never)]
    fn update(&self, mut next: impl FnMut(Record) -> Result<Option<Record>, StoreError>) -> Result<(), StoreError> {
        update(&mut Shared, &self.key, &mut Vec::new(), |bytes| {
            let next = next(Record::decode(bytes))?;
            Ok(next.map_or(Edit::Kept, |next| {
                *bytes = next.encode();
                Edit::Changed
            }))
        })
    }

    const fn what(&self) -> &'static str {
        match self.id {
            DocumentId::Keys(_) => "keys",
            DocumentId::ApiKeys => "API keys",
            DocumentId::Revocations(_) => "revocations",
            DocumentId::Tokens => "tokens",
        }
    }

    /// Tells what was fetched from where, and why that failed. A query may hold a secret and is left out.
    #[inline(never)]
    fn log_failure(&self, reason: &str) {
        let Remote { cluster, scheme, authority, path, .. } = &self.remote;
        let path = path.split('?').next().unwrap_or_default();
        let what = self.what();
        self.log(&format!("fetching {what} from {scheme}://{authority}{path} (cluster `{cluster}`) failed: {reason}"));
    }

    fn log(&self, message: &str) {
        let line = format!("hallpass: {}: {message}", self.id.path());
        // A log line that cannot be written has nowhere to be reported.
        let _ = abi::log(Level::Warn, line.as_bytes());
    }
}

/// Names a document by its content.
fn generation(bytes: &[u8]) -> u64 {
    let digest = Sha256::digest(bytes);
    digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The body of the answer at hand, if there is one that may be a document.
#[inline(never)]
fn body(id: DocumentId, headers: usize, body_len: usize, scheme: &str) -> Result<Vec<u8>, String> {
    if headers == 0 {
        return Err("no answer in time".to_owned());
    }
    let status = abi::header(MapType::CallResponseHeaders, b":status").unwrap_or_default();
    if status != b"200" {
        // Envoy sets this header on what a server answered, and not on what it answers in the place of a server.
        let is_of_server = abi::header(MapType::CallResponseHeaders, b"x-envoy-upstream-service-time").is_ok();
        let text = abi::buffer(BufferType::CallResponseBody, 0, body_len.min(TEXT_BYTES_MAX)).unwrap_or_default();
        return Err(call_failure::refused(&status, is_of_server, &text, scheme));
    }
    if body_len > id.bytes_max() {
        return Err(format!("{body_len} bytes are too many"));
    }
    abi::buffer(BufferType::CallResponseBody, 0, body_len).map_err(|status| format!("no body: {status}"))
}

/// The document in the answer at hand, if it is one, and how long it may be kept. A list that has not changed is not read again:
/// ten thousand keys would hold up the worker with every fetch.
fn answer(id: DocumentId, worker: &Worker, bytes: Vec<u8>) -> Result<Answer, String> {
    let (generation, max_age) = (generation(&bytes), cache_age());
    let known = worker.version_of(id, generation);
    let document =
        if known.is_some() { None } else { Some(id.read(&worker.config, &bytes).map_err(|it| it.to_string())?) };
    let version = known.or_else(|| document.as_ref().map(Document::version)).unwrap_or_default();
    Ok(Answer { bytes: Some(bytes), document, fetched: Fetched { generation, version, max_age } })
}

/// How long the answer at hand may be kept, as its server says.
fn cache_age() -> Option<Duration> {
    abi::header(MapType::CallResponseHeaders, b"cache-control").ok().as_deref().and_then(max_age)
}
