//! Looks one token up in the index that all workers share.
//!
//! A worker knows which build is current from the record as it was at its last tick. A token that is not there, or a bucket
//! that is being built anew, makes it read the record once more: what one worker has finished building, all others find at
//! once.

use super::bucket::{self, BucketId, IndexKeys};
use super::{Grant, TokenHash};
use crate::credentials::fetch::{Document, Record};
use crate::values::shared::{SharedData, StoreError};

/// A token to look up, and in which index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The token.
    pub hash: TokenHash,
    /// Its issuer, by index.
    pub issuer: usize,
    /// The current document, as the worker knows it.
    pub document: Document,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the token opens; `None`: the list does not have it.
    pub grant: Option<Grant>,
    /// The record, where it was read again.
    pub record: Option<Record>,
}

/// Looks a token up.
///
/// # Errors
/// Shared data failed.
#[inline(never)]
pub fn find(data: &mut impl SharedData, keys: &IndexKeys, lookup: &Lookup) -> Result<Found, StoreError> {
    let mut bytes = Vec::new();
    if let Some(grant) = look(data, keys, &lookup.hash, &lookup.document, &mut bytes)? {
        return Ok(Found { grant: Some(grant), record: None });
    }
    data.read(&keys.record, &mut bytes)?;
    let record = Record::decode(&bytes);
    let newer = record.document.filter(|document| document.build != lookup.document.build);
    let grant = match newer {
        Some(document) => look(data, keys, &lookup.hash, &document, &mut bytes)?,
        None => None,
    };
    Ok(Found { grant, record: Some(record) })
}

#[inline(never)]
fn look(
    data: &mut impl SharedData,
    keys: &IndexKeys,
    hash: &TokenHash,
    document: &Document,
    bytes: &mut Vec<u8>,
) -> Result<Option<Grant>, StoreError> {
    data.read(keys.bucket(BucketId::of(hash, document.place)).as_bytes(), bytes)?;
    Ok(bucket::find(bytes, document.build, hash))
}
