//! Lists, and the shared data of an index, in memory.
#![allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::TokenHash;
use super::bucket::IndexKeys;
use super::build::{BuildError, Builder, Built, Progress};
use crate::credentials::fetch::Record;
use crate::values::shared::memory::Memory;
use crate::values::shared::testing::Failing;
use crate::values::shared::{SharedData, StoreError, Swap, Version};

/// Shared data in memory; may be told to fail. The record of the list stands apart, so that tests can set it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) record: Record,
    pub(crate) buckets: Memory,
    pub(crate) failing: Failing,
    /// Swaps that are lost although nobody else wrote.
    pub(crate) losses: usize,
}

impl SharedData for Shelf {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.failing.call()?;
        if key.starts_with(b"hallpass1/tokens/") {
            *into = self.record.encode();
            return Ok(Version::Cas(1));
        }
        self.buckets.read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        self.failing.call()?;
        if self.losses > 0 {
            self.losses -= 1;
            return Ok(Swap::Lost);
        }
        self.buckets.swap(key, bytes, version)
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
pub(crate) fn finish(builder: &mut Builder, shelf: &mut Shelf, keys: &IndexKeys) -> Result<Built, BuildError> {
    loop {
        if let Progress::Done(built) = builder.advance(shelf, keys)? {
            return Ok(built);
        }
    }
}
