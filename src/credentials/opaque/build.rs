//! Builds the index of a list, a little at a time.
//!
//! First the SHA-256 of the content: a list that is the current one is not read again. Then entry by entry into the buckets
//! of the place that nobody reads, each write a compare-and-swap. Nothing is found there before the record names this build,
//! which is the caller's last act; whatever ends a build before that changes nothing. A builder that was thought dead
//! and wakes up finds a newer build in some bucket and ends, and what it wrote meanwhile belongs to no record.

use std::fmt;

use sha2::{Digest, Sha256};

use super::bucket::{self, Added, BucketId, IndexKeys};
use super::reader::{ListReader, Read};
use super::{Grant, TOKENS, TOKENS_BYTES_MAX, TokenHash, entry};
use crate::credentials::fetch::{self, Place, Record};
use crate::credentials::list::ListError;
use crate::values::shared::{Edit, SharedData, StoreError, update};

/// Bytes that one call hashes, or reads and writes.
const PIECE_BYTES: usize = 64 << 10;
/// Entries that one call reads.
const PIECE_ENTRIES: usize = 16;

/// Why there is no new index. Names members and places, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// It is no such list.
    List(ListError),
    /// Shared data failed.
    Store(StoreError),
    /// Another builder is at work.
    Superseded,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Superseded => f.write_str("another worker has begun anew"),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<ListError> for BuildError {
    fn from(error: ListError) -> Self {
        Self::List(error)
    }
}

impl From<StoreError> for BuildError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How far a build is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do.
    Working,
    /// The index is complete.
    Done(Built),
}

/// A complete index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// Names the content of the list.
    pub generation: u64,
    /// The version that it carries.
    pub version: u64,
    /// How many tokens were read; 0 where the list is the current one.
    pub tokens: usize,
}

/// A list on its way into the index.
pub struct Builder {
    bytes: Vec<u8>,
    build: u64,
    current: Option<fetch::Document>,
    phase: Phase,
    /// Reused from bucket to bucket.
    scratch: Vec<u8>,
}

enum Phase {
    Hashing { digest: Sha256, at: usize },
    Reading { reader: ListReader, generation: u64, place: Place },
}

impl Builder {
    /// A build of these bytes under the claim of `record`.
    ///
    /// # Errors
    /// The list is too long.
    pub fn new(bytes: Vec<u8>, record: &Record) -> Result<Self, BuildError> {
        if bytes.len() > TOKENS_BYTES_MAX {
            return Err(BuildError::List(ListError::TooLong { bytes_max: TOKENS_BYTES_MAX }));
        }
        let phase = Phase::Hashing { digest: Sha256::new(), at: 0 };
        Ok(Self { bytes, build: record.build, current: record.document, phase, scratch: Vec::new() })
    }

    /// Works on, for well below a millisecond.
    ///
    /// # Errors
    /// It is no such list, or shared data failed, or somebody else builds. Nothing has changed then.
    #[inline(never)]
    pub fn advance(&mut self, data: &mut impl SharedData, keys: &IndexKeys) -> Result<Progress, BuildError> {
        match &mut self.phase {
            Phase::Hashing { digest, at } => {
                let rest = self.bytes.get(*at..).unwrap_or_default();
                let piece = rest.get(..PIECE_BYTES).unwrap_or(rest);
                digest.update(piece);
                *at = at.saturating_add(piece.len());
                if *at < self.bytes.len() {
                    return Ok(Progress::Working);
                }
                let digest = digest.finalize_reset();
                let generation = digest.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                Ok(self.on_hashed(generation))
            }
            Phase::Reading { reader, generation, place } => {
                let mut work = 0_usize;
                for _ in 0..PIECE_ENTRIES {
                    let before = reader.position();
                    match reader.next(&self.bytes)? {
                        Read::Entry(hash, grant) => {
                            let key = keys.bucket(BucketId::of(&hash, *place));
                            let nth = reader.entries().saturating_sub(1);
                            add(data, key.as_bytes(), self.build, (&hash, &grant, nth), &mut self.scratch)?;
                            work = work.saturating_add(self.scratch.len());
                        }
                        Read::More => {}
                        Read::End(version) => {
                            let tokens = reader.entries();
                            return Ok(Progress::Done(Built { generation: *generation, version, tokens }));
                        }
                    }
                    work = work.saturating_add(reader.position().saturating_sub(before));
                    if work > PIECE_BYTES {
                        break;
                    }
                }
                Ok(Progress::Working)
            }
        }
    }

    #[inline(never)]
    fn on_hashed(&mut self, generation: u64) -> Progress {
        match self.current {
            Some(document) if document.generation == generation => {
                Progress::Done(Built { generation, version: document.version, tokens: 0 })
            }
            current => {
                let place = Record { document: current, ..Record::default() }.place_for(generation);
                self.phase = Phase::Reading { reader: ListReader::default(), generation, place };
                Progress::Working
            }
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("bytes", &self.bytes.len()).field("build", &self.build).finish_non_exhaustive()
    }
}

/// Adds a token to its bucket, unless somebody else builds.
#[inline(never)]
fn add(
    data: &mut impl SharedData,
    bucket: &[u8],
    build: u64,
    (hash, grant, nth): (&TokenHash, &Grant, usize),
    bytes: &mut Vec<u8>,
) -> Result<(), BuildError> {
    let wrong = |what| ListError::Expected { path: format!("{TOKENS}[{nth}].sha256"), what };
    update(data, bucket, bytes, |bytes| match bucket::add(bytes, build, hash, grant) {
        Added::Done => Ok(Edit::Changed),
        Added::Twice => Err(wrong(entry::DISTINCT).into()),
        Added::Full => Err(wrong("hashes that are spread evenly, as those of random tokens are").into()),
        Added::Superseded => Err(BuildError::Superseded),
    })
}
