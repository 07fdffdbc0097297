//! Lists, and the shared data of an index, in memory.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::TokenHash;
use super::bucket::BucketId;
use super::build::{Buckets, BuildError, Builder, Built, Progress};
use crate::credentials::fetch::Record;
use crate::limits::ledger::{StoreError, Swap, Version};
use crate::limits::memory::Memory;
use crate::limits::testing::Failing;

/// Shared data in memory; may be told to fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) record: Record,
    pub(crate) buckets: Memory<BucketId>,
    pub(crate) failing: Failing,
    /// Swaps that are lost although nobody else wrote.
    pub(crate) losses: usize,
}

impl Buckets for Shelf {
    fn read(&mut self, id: BucketId, into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.failing.call()?;
        Ok(self.buckets.read(&id, into))
    }

    fn swap(&mut self, id: BucketId, bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        self.failing.call()?;
        if self.losses > 0 {
            self.losses -= 1;
            return Ok(Swap::Lost);
        }
        Ok(self.buckets.swap(id, bytes, version))
    }

    fn record(&mut self) -> Result<Record, StoreError> {
        self.failing.call()?;
        Ok(self.record)
    }
}

/// The hash of a token, as a list has it.
pub(crate) fn hex(token: &str) -> String {
    TokenHash::of(token.as_bytes()).bytes().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An entry for the token of this text: of the client `app`, for the district `d-TOKEN` and its school.
pub(crate) fn entry(token: &str) -> Value {
    json!({
        "sha256": hex(token), "client": "app", "district": format!("d-{token}"),
        "schools": [format!("s-{token}")], "tier": "free"
    })
}

/// A list of these entries.
pub(crate) fn list(version: u64, entries: &[Value]) -> String {
    json!({"version": version, "tokens": entries}).to_string()
}

/// Builds to the end.
pub(crate) fn finish(builder: &mut Builder, shelf: &mut Shelf) -> Result<Built, BuildError> {
    loop {
        if let Progress::Done(built) = builder.advance(shelf)? {
            return Ok(built);
        }
    }
}
