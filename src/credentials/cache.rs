//! Caches of a worker: tokens that were verified, and signatures that were found bad (rule 10).
//!
//! A hit needs the whole token, byte by byte; a hash alone never identifies one. Every hit is checked against the time
//! and against the generation of its issuer's keys. Revocation is the caller's check. What is refused for another
//! reason than its signature (unknown key, time, claims) is not cached at all.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use lru::LruCache;

use crate::values::bytes::is_same;
use crate::values::time::Timestamp;

#[cfg(test)]
mod tests;

/// Bytes at the end of a token that its fingerprint is made of, beside its length. A signature stands there: two tokens that
/// are valid differ in it.
const PRINTED_BYTES: usize = 128;
/// What an entry costs beside its token and its value: hash table, list, reference counts.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// A verified token's value, and how long it holds.
#[derive(Debug)]
pub struct Entry<T> {
    /// What the token proved.
    pub value: Rc<T>,
    /// The issuer, by index in the configuration.
    pub issuer: usize,
    /// Generation of the key set that verified it.
    pub generation: u64,
    /// Valid from this moment
    pub not_before: Timestamp,
    /// up to, but not at, this one.
    pub not_after: Timestamp,
}

/// The hash of a token, for the tables of one worker; made once for all that a request asks of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// What makes fingerprints. They differ from worker to worker and from start to start.
pub struct Fingerprinter(SeedableRandomState);

impl Fingerprinter {
    /// `seed` must be random, so that clients cannot aim at one place of a table.
    pub fn new(seed: u64) -> Self {
        // foldhash wants this part to live for ever: the first seed of the process makes it, later ones only add theirs.
        static SHARED: OnceLock<SharedSeed> = OnceLock::new();
        let shared = SHARED.get_or_init(|| SharedSeed::from_u64(seed.rotate_left(32)));
        Self(SeedableRandomState::with_seed(seed, shared))
    }

    /// The fingerprint of a token, at the same cost for one of 15 kB. Whoever has a valid token can make others of its
    /// fingerprint, all of them bad: they drive each other out of [`BadSignatures`], never a token out of [`TokenCache`].
    pub fn of(&self, token: &[u8]) -> Fingerprint {
        let mut hasher = self.0.build_hasher();
        hasher.write_usize(token.len());
        hasher.write(token.last_chunk::<PRINTED_BYTES>().map_or(token, |end| end));
        Fingerprint(hasher.finish())
    }
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter(..)")
    }
}

/// Tokens that were verified; the least recently used go first.
#[derive(Debug)]
pub struct TokenCache<T> {
    entries: Bounded<Entry<T>>,
}

impl<T> TokenCache<T> {
    /// At most `count_max` tokens and about `bytes_max` bytes.
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { entries: Bounded::new(count_max, bytes_max) }
    }

    /// The value of a token that is valid now and whose issuer still has the keys; drops it otherwise.
    pub fn get(
        &mut self,
        print: Fingerprint,
        token: &[u8],
        now: Timestamp,
        generation_of: impl Fn(usize) -> Option<u64>,
    ) -> Option<Rc<T>> {
        let entry = self.entries.get(print, token)?;
        let is_current = Some(entry.generation) == generation_of(entry.issuer);
        if is_current && entry.not_before <= now && now < entry.not_after {
            return Some(Rc::clone(&entry.value));
        }
        self.entries.remove(print);
        None
    }

    /// Keeps a verified token; `value_bytes` is about what its value takes.
    pub fn insert(&mut self, print: Fingerprint, token: &[u8], entry: Entry<T>, value_bytes: usize) {
        self.entries.insert(print, token, entry, value_bytes);
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.entries.map.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how much memory it takes, bytes.
    pub const fn bytes(&self) -> usize {
        self.entries.bytes
    }
}

/// Tokens whose signature was found bad under an issuer's keys of one generation.
#[derive(Debug)]
pub struct BadSignatures {
    entries: Bounded<(usize, u64)>,
}

impl BadSignatures {
    /// Bounds as for [`TokenCache::new`].
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { entries: Bounded::new(count_max, bytes_max) }
    }

    /// The issuer whose keys this token was found bad under, if they are still the same; forgets it otherwise.
    pub fn issuer_of(
        &mut self,
        print: Fingerprint,
        token: &[u8],
        generation_of: impl Fn(usize) -> Option<u64>,
    ) -> Option<usize> {
        let &(issuer, generation) = self.entries.get(print, token)?;
        if Some(generation) == generation_of(issuer) {
            return Some(issuer);
        }
        self.entries.remove(print);
        None
    }

    /// Remembers a token whose signature is bad; for nothing else.
    pub fn insert(&mut self, print: Fingerprint, token: &[u8], issuer: usize, generation: u64) {
        self.entries.insert(print, token, (issuer, generation), 0);
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        self.entries.map.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A table by fingerprint, bounded in count and bytes. Of two tokens with one fingerprint it holds the later one. Tokens are
/// compared whole, by [`is_same`]: the `memcmp` of wasm would take longer than the hash.
struct Bounded<V> {
    map: LruCache<u64, Kept<V>, BuildHasherDefault<AsIs>>,
    count_max: usize,
    bytes_max: usize,
    bytes: usize,
}

struct Kept<V> {
    token: Box<[u8]>,
    value: V,
    bytes: usize,
}

impl<V> Bounded<V> {
    fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { map: LruCache::unbounded_with_hasher(BuildHasherDefault::default()), count_max, bytes_max, bytes: 0 }
    }

    fn get(&mut self, print: Fingerprint, token: &[u8]) -> Option<&V> {
        let kept = self.map.get(&print.0)?;
        is_same(&kept.token, token).then_some(&kept.value)
    }

    fn insert(&mut self, print: Fingerprint, token: &[u8], value: V, value_bytes: usize) {
        self.remove(print);
        let bytes = token.len().saturating_add(value_bytes).saturating_add(ENTRY_OVERHEAD_BYTES);
        if self.count_max == 0 || bytes > self.bytes_max {
            return;
        }
        while self.map.len() >= self.count_max || self.bytes.saturating_add(bytes) > self.bytes_max {
            let Some((_, evicted)) = self.map.pop_lru() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(evicted.bytes);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.map.put(print.0, Kept { token: token.into(), value, bytes });
    }

    fn remove(&mut self, print: Fingerprint) {
        if let Some(removed) = self.map.pop(&print.0) {
            self.bytes = self.bytes.saturating_sub(removed.bytes);
        }
    }
}

impl<V> fmt::Debug for Bounded<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It keeps tokens: they never show.
        f.debug_struct("Bounded").field("len", &self.map.len()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// A fingerprint is a hash already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
