//! The bytes of one bucket of the index, and where buckets stand.
//!
//! A version byte and the number of the build that wrote the bucket (8), then records: the hash (32), the length of what
//! follows (4), the grant. All numbers are little-endian. A bucket of another build, or bytes that do not parse, are a bucket
//! without tokens: what abandoned builders left can never be found.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::entry;
use super::{Grant, TokenHash};
use crate::credentials::fetch::{Place, Remote};

/// Buckets of one place: about six tokens in each when the list is as long as it may be.
pub const BUCKETS: u16 = 1 << 14;
/// Longest bucket, bytes: hashes spread evenly, so that a list that fills one is no list of hashes.
pub const BUCKET_BYTES_MAX: usize = 256 << 10;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 9;

/// Names a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BucketId {
    /// In which of the two places of the index.
    pub place: Place,
    index: u16,
}

impl BucketId {
    /// The bucket of this hash.
    pub fn of(hash: &TokenHash, place: Place) -> Self {
        let head = hash.bytes().first_chunk().map_or(0, |head| u16::from_le_bytes(*head));
        Self { place, index: head & BUCKETS.saturating_sub(1) }
    }
}

/// Where in shared data a list's record and its buckets stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexKeys {
    /// The key of the record of its fetches.
    pub record: Vec<u8>,
    /// The beginning of the keys of its buckets.
    buckets: String,
}

impl IndexKeys {
    /// Those of the list that is fetched from here.
    #[inline(never)]
    pub fn new(remote: &Remote) -> Self {
        let digest = Sha256::digest(remote.fingerprint_input());
        let mut buckets = "hallpass1/t/".to_owned();
        for byte in digest.iter().take(8) {
            // Writing to a string cannot fail.
            let _ = write!(buckets, "{byte:02x}");
        }
        Self { record: [b"hallpass1/tokens/".as_slice(), &digest].concat(), buckets }
    }

    /// The key of a bucket, such as `hallpass1/t/0011223344556677/0/12ab`. There are as many keys as buckets, since none can
    /// ever be deleted.
    pub fn bucket(&self, id: BucketId) -> String {
        let place = u8::from(id.place == Place::Second);
        format!("{}/{place}/{:04x}", self.buckets, id.index)
    }
}

/// What adding to a bucket came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// The bytes have the token now.
    Done,
    /// They had it already, from the same build.
    Twice,
    /// They would be too long.
    Full,
    /// A newer build has the bucket.
    Superseded,
}

/// What this build's bucket says about a token: `None` if it does not have it.
pub(super) fn find(bytes: &[u8], build: u64, hash: &TokenHash) -> Option<Grant> {
    let (found, records) = split(bytes)?;
    if found != build {
        return None;
    }
    Records(records).find(|(of, _)| hash.is(of)).and_then(|(_, grant)| entry::decode(grant))
}

/// Adds a token to a bucket as it was read.
#[inline(never)]
pub(super) fn add(bytes: &mut Vec<u8>, build: u64, hash: &TokenHash, grant: &Grant) -> Added {
    match split(bytes) {
        Some((found, _)) if found > build => return Added::Superseded,
        Some((found, records)) if found == build => {
            if Records(records).any(|(of, _)| of == hash.bytes()) {
                return Added::Twice;
            }
        }
        _ => {
            bytes.clear();
            bytes.push(VERSION);
            bytes.extend_from_slice(&build.to_le_bytes());
        }
    }
    bytes.extend_from_slice(hash.bytes());
    let len_at = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    let begin = bytes.len();
    entry::encode(grant, bytes);
    let len = u32::try_from(bytes.len().saturating_sub(begin)).unwrap_or(u32::MAX);
    if let Some(place) = bytes.get_mut(len_at..begin) {
        place.copy_from_slice(&len.to_le_bytes());
    }
    if bytes.len() > BUCKET_BYTES_MAX { Added::Full } else { Added::Done }
}

/// The build and the records.
fn split(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let ([version, build @ ..], records) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    (*version == VERSION).then_some((u64::from_le_bytes(*build), records))
}

/// Records, each with its hash; ends where bytes do not parse.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8; 32], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (hash, rest) = self.0.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (grant, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
        self.0 = rest;
        Some((hash, grant))
    }
}
