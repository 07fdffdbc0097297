//! Fetching of key sets: carries out what [`crate::fetch`] decides.
//!
//! Record and document of one source stand in one value of the shared data, so that a swap changes both or neither.
//! Call-outs are sent from the root context: the answer to one that a request sends is lost with the request.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::config::Remote;
use crate::fetch::{Action, Record, max_age};
use crate::host::abi::{self, BufferType, HttpCall, Level, MapType};
use crate::host::status::Status;
use crate::metrics::{Count, FetchResult};
use crate::time::Now;
use crate::token::keyset::{KEY_SET_BYTES_MAX, KeySet, Origin};
use crate::worker::Worker;

/// Swaps of a record that are tried before the outcome of a fetch is given up.
const SWAPS_MAX: usize = 100;

/// One source of keys, as this worker's root context sees it.
#[derive(Debug)]
pub struct Source {
    issuer: usize,
    remote: Remote,
    key: Vec<u8>,
    /// The call-out under way, and when its claim began.
    call: Option<(u32, Now)>,
}

/// The sources of a configuration.
pub fn sources(worker: &Worker) -> Vec<Source> {
    let sources = worker.remotes().map(|(issuer, remote)| {
        let digest = Sha256::digest(remote.fingerprint_input());
        let mut key = b"hallpass1/keys/".to_vec();
        key.extend_from_slice(&digest);
        Source { issuer, remote: remote.clone(), key, call: None }
    });
    sources.collect()
}

impl Source {
    /// Takes over what other workers fetched, and fetches if it is time and nobody else does.
    pub fn on_tick(&mut self, worker: &mut Worker, now: Now) {
        let (record, body, cas) = self.read();
        if worker.on_record(self.issuer, record) {
            self.adopt(worker, record, &body);
        }
        if let Action::Claim(claim) = record.on_tick(&self.remote, worker.wanted(self.issuer), now)
            && abi::set_shared_data(&self.key, &value(&claim, &body), cas).is_ok()
        {
            worker.on_record(self.issuer, claim);
            self.send(worker, now);
        }
    }

    /// Takes the answer to call-out `token`, if it is ours.
    pub fn on_answer(&mut self, worker: &mut Worker, token: u32, headers: usize, body_len: usize, now: Now) {
        let Some((_, started)) = self.call.take_if(|(ours, _)| *ours == token) else {
            return;
        };
        match answer(headers, body_len) {
            Ok(fetched) => self.finish(worker, started, Some(&fetched), now),
            Err(reason) => {
                self.log(&format!("fetching keys failed: {reason}"));
                self.finish(worker, started, None, now);
            }
        }
    }

    /// Takes over what other workers fetched.
    pub fn take_over(&self, worker: &mut Worker) {
        let (record, body, _) = self.read();
        if worker.on_record(self.issuer, record) {
            self.adopt(worker, record, &body);
        }
    }

    /// Gives up a call-out under way: its answer would come to a context that is gone, and nobody else would fetch until its
    /// claim counts as abandoned.
    pub fn release(&mut self) {
        if let Some((_, started)) = self.call.take() {
            self.swap(|record, body| Some((record.on_abandoned(started)?, body.to_vec())));
        }
    }

    fn send(&mut self, worker: &mut Worker, now: Now) {
        let remote = &self.remote;
        let headers = [
            (":method", "GET"),
            (":scheme", remote.scheme.as_str()),
            (":authority", remote.authority.as_str()),
            (":path", remote.path.as_str()),
            ("accept", "application/jwk-set+json, application/json"),
        ];
        let call = HttpCall { cluster: &remote.cluster, headers: &headers, timeout: remote.timeout };
        match abi::http_call(&call) {
            Ok(token) => self.call = Some((token, now)),
            Err(status) => {
                self.log(&format!("fetching keys failed: the call-out was refused: {status}"));
                self.finish(worker, now, None, now);
            }
        }
    }

    /// Records how a fetch ended.
    fn finish(&mut self, worker: &mut Worker, started: Now, fetched: Option<&(Vec<u8>, Option<Duration>)>, now: Now) {
        let result = if fetched.is_some() { FetchResult::Ok } else { FetchResult::Failed };
        worker.metrics.count(Count::Fetch(self.issuer, result));
        let change = |record: &Record, old: &[u8]| match fetched {
            Some((body, age)) => {
                let next = record.on_success(&self.remote, started, generation(body), *age, now)?;
                Some((next, body.clone()))
            }
            None => Some((record.on_failure(&self.remote, started, now)?, old.to_vec())),
        };
        if let Some((next, body)) = self.swap(change)
            && worker.on_record(self.issuer, next)
        {
            self.adopt(worker, next, &body);
        }
    }

    /// Changes record and document by compare-and-swap; `None` where `change` gives nothing, or the host refuses.
    fn swap(&self, change: impl Fn(&Record, &[u8]) -> Option<(Record, Vec<u8>)>) -> Option<(Record, Vec<u8>)> {
        for _ in 0..SWAPS_MAX {
            let (record, old, cas) = self.read();
            let (next, body) = change(&record, &old)?;
            match abi::set_shared_data(&self.key, &value(&next, &body), cas) {
                Ok(()) => return Some((next, body)),
                Err(Status::CasMismatch) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn adopt(&self, worker: &mut Worker, record: Record, body: &[u8]) {
        let expected = record.document.map(|document| document.generation);
        if expected == Some(generation(body))
            && let Err(error) = worker.on_document(self.issuer, record, body)
        {
            self.log(&format!("keys from shared data refused: {error}"));
        }
    }

    /// The record, the document behind it, and the number to swap with.
    fn read(&self) -> (Record, Vec<u8>, u32) {
        match abi::shared_data(&self.key) {
            Ok(mut shared) => {
                let record = shared.value.get(..Record::LEN).map(Record::decode);
                shared.value.drain(..Record::LEN.min(shared.value.len()));
                (record.unwrap_or_default(), shared.value, shared.cas)
            }
            Err(_) => (Record::default(), Vec::new(), abi::CAS_CREATE),
        }
    }

    fn log(&self, message: &str) {
        let line = format!("hallpass: issuers[{}]: {message}", self.issuer);
        // A log line that cannot be written has nowhere to be reported.
        let _ = abi::log(Level::Warn, line.as_bytes());
    }
}

fn value(record: &Record, body: &[u8]) -> Vec<u8> {
    let mut value = record.encode();
    value.extend_from_slice(body);
    value
}

/// Names a document by its content.
fn generation(body: &[u8]) -> u64 {
    let digest = Sha256::digest(body);
    digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The document in the answer at hand, if it is one, and how long it may be kept.
fn answer(headers: usize, body_len: usize) -> Result<(Vec<u8>, Option<Duration>), String> {
    if headers == 0 {
        return Err("no answer in time".to_owned());
    }
    let status = abi::header(MapType::CallResponseHeaders, b":status").unwrap_or_default();
    if status != b"200" {
        return Err(format!("status {}", String::from_utf8_lossy(&status)));
    }
    if body_len > KEY_SET_BYTES_MAX {
        return Err(format!("{body_len} bytes are too many"));
    }
    let body = abi::buffer(BufferType::CallResponseBody, 0, body_len).map_err(|status| format!("no body: {status}"))?;
    KeySet::from_jwks(&body, Origin::Remote).map_err(|error| error.to_string())?;
    let age = abi::header(MapType::CallResponseHeaders, b"cache-control").ok();
    Ok((body, age.as_deref().and_then(max_age)))
}
