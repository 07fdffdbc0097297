//! The index of opaque tokens in Envoy's shared data, and its making: carries out what [`crate::credentials::opaque`] decides.
//!
//! A long list must not hold up a worker. In the callback of the answer its bytes are copied out of Envoy's buffer, which is
//! gone afterwards; all else is done in slices of a few milliseconds, on ticks.

use std::rc::Rc;
use std::time::Duration;

use crate::credentials::fetch::Record;
use crate::credentials::opaque::bucket::IndexKeys;
use crate::credentials::opaque::build::{BuildError, Builder, Built, Progress};
use crate::host::abi;
use crate::host::shared_data::Shared;
use crate::values::time::{self, Timestamp};

/// Longest slice, microseconds, but for the last piece.
const SLICE_US: u64 = 2_500;
/// Most pieces of a slice, should the clock stand still.
const SLICE_PIECES: usize = 64;

/// A list that is being made into an index.
#[derive(Debug)]
pub struct IndexBuild {
    builder: Builder,
    keys: Rc<IndexKeys>,
    /// When its claim began.
    pub started: Timestamp,
    /// How long its server says that it may be kept.
    pub max_age: Option<Duration>,
    since: Timestamp,
    /// How long its bytes took to be copied, microseconds.
    copy_us: u64,
    slices: u32,
    longest_us: u64,
}

impl IndexBuild {
    /// Of these bytes, which the claim of `record` brought in a callback that began at `now`.
    ///
    /// # Errors
    /// The list is too long.
    pub fn new(bytes: Vec<u8>, keys: Rc<IndexKeys>, record: &Record, now: Timestamp) -> Result<Self, BuildError> {
        let builder = Builder::new(bytes, record)?;
        let (started, since) = (record.started, now);
        let copy_us = time::micros(abi::now().unwrap_or(now).since(now));
        Ok(Self { builder, keys, started, max_age: None, since, copy_us, slices: 0, longest_us: 0 })
    }

    /// Works for a slice; `None`: there is more to do.
    ///
    /// # Errors
    /// There will be no index.
    #[inline(never)]
    pub fn slice(&mut self, now: Timestamp) -> Result<Option<Built>, BuildError> {
        let mut done = None;
        let mut taken_us = 0;
        for _ in 0..SLICE_PIECES {
            let progress = self.builder.advance(&mut Shared, &self.keys)?;
            let at = abi::now().unwrap_or(now);
            taken_us = at.micros().saturating_sub(now.micros());
            if let Progress::Done(built) = progress {
                done = Some(built);
            }
            if done.is_some() || taken_us >= SLICE_US {
                break;
            }
        }
        self.slices = self.slices.saturating_add(1);
        self.longest_us = self.longest_us.max(taken_us);
        Ok(done)
    }

    /// What it took, for the log.
    pub fn account(&self, built: &Built, now: Timestamp) -> String {
        let millis = time::micros(now.since(self.since)) / 1_000;
        let Self { copy_us, slices, longest_us, .. } = self;
        let tokens = built.tokens;
        format!(
            "{tokens} tokens, copied in {copy_us} us, {slices} slices, the longest {longest_us} us, {millis} ms in all"
        )
    }
}
