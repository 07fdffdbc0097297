//! Caches of a worker: tokens that were verified, and signatures that were found bad (rule 10).
//!
//! A hit needs the whole token, byte by byte; a hash alone never identifies one. Every hit is checked against the time
//! and against the generation of its issuer's keys. Revocation is the caller's check. What is refused for another
//! reason than its signature (unknown key, time, claims) is not cached at all.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::OnceLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use lru::LruCache;

use crate::bytes::is_same;
use crate::time::Now;

#[cfg(test)]
mod tests;

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
    pub not_before: Now,
    /// up to, but not at, this one.
    pub not_after: Now,
}

/// Tokens that were verified; the least recently used go first.
#[derive(Debug)]
pub struct TokenCache<T> {
    entries: Bounded<Entry<T>>,
}

impl<T> TokenCache<T> {
    /// At most `count_max` tokens and about `bytes_max` bytes; `seed` must be random, so that clients cannot aim at
    /// one place of the table.
    pub fn new(seed: u64, count_max: usize, bytes_max: usize) -> Self {
        Self { entries: Bounded::new(seed, count_max, bytes_max) }
    }

    /// The value of a token that is valid now and whose issuer still has the keys; drops it otherwise.
    pub fn get(&mut self, token: &[u8], now: Now, generation_of: impl Fn(usize) -> Option<u64>) -> Option<Rc<T>> {
        let entry = self.entries.get(token)?;
        let is_current = Some(entry.generation) == generation_of(entry.issuer);
        if is_current && entry.not_before <= now && now < entry.not_after {
            return Some(Rc::clone(&entry.value));
        }
        self.entries.remove(token);
        None
    }

    /// Keeps a verified token; `value_bytes` is about what its value takes.
    pub fn insert(&mut self, token: &[u8], entry: Entry<T>, value_bytes: usize) {
        self.entries.insert(token, entry, value_bytes);
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
    /// Bounds and seed as for [`TokenCache::new`].
    pub fn new(seed: u64, count_max: usize, bytes_max: usize) -> Self {
        Self { entries: Bounded::new(seed, count_max, bytes_max) }
    }

    /// Whether this token was found bad, and the keys are still the same; forgets it otherwise.
    pub fn contains(&mut self, token: &[u8], generation_of: impl Fn(usize) -> Option<u64>) -> bool {
        let Some(&(issuer, generation)) = self.entries.get(token) else {
            return false;
        };
        if Some(generation) == generation_of(issuer) {
            return true;
        }
        self.entries.remove(token);
        false
    }

    /// Remembers a token whose signature is bad; for nothing else.
    pub fn insert(&mut self, token: &[u8], issuer: usize, generation: u64) {
        self.entries.insert(token, (issuer, generation), 0);
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

/// A token as the table compares it: whole, by [`is_same`]. The `memcmp` of wasm would take longer than the hash.
trait Token {
    fn bytes(&self) -> &[u8];
}

/// A token that the table keeps.
struct Kept(Box<[u8]>);

impl Token for Kept {
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Token for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
}

impl<'a> Borrow<dyn Token + 'a> for Kept {
    fn borrow(&self) -> &(dyn Token + 'a) {
        self
    }
}

impl Hash for dyn Token + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for dyn Token + '_ {
    fn eq(&self, other: &Self) -> bool {
        is_same(self.bytes(), other.bytes())
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        is_same(&self.0, &other.0)
    }
}

impl Eq for dyn Token + '_ {}
impl Eq for Kept {}

/// A table by token, bounded in count and bytes.
struct Bounded<V> {
    map: LruCache<Kept, Weighed<V>, Seeded>,
    count_max: usize,
    bytes_max: usize,
    bytes: usize,
}

struct Weighed<V> {
    value: V,
    bytes: usize,
}

impl<V> Bounded<V> {
    fn new(seed: u64, count_max: usize, bytes_max: usize) -> Self {
        Self { map: LruCache::unbounded_with_hasher(Seeded::new(seed)), count_max, bytes_max, bytes: 0 }
    }

    fn get(&mut self, token: &[u8]) -> Option<&V> {
        self.map.get(&token as &dyn Token).map(|weighed| &weighed.value)
    }

    fn insert(&mut self, token: &[u8], value: V, value_bytes: usize) {
        self.remove(token);
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
        self.map.put(Kept(token.into()), Weighed { value, bytes });
    }

    fn remove(&mut self, token: &[u8]) {
        if let Some(removed) = self.map.pop(&token as &dyn Token) {
            self.bytes = self.bytes.saturating_sub(removed.bytes);
        }
    }
}

impl<V> fmt::Debug for Bounded<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys are tokens: they never show.
        f.debug_struct("Bounded").field("len", &self.map.len()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Hashes differ from worker to worker and from start to start.
struct Seeded(SeedableRandomState);

impl Seeded {
    fn new(seed: u64) -> Self {
        // foldhash wants this part to live for ever: the first seed of the process makes it, later ones only add theirs.
        static SHARED: OnceLock<SharedSeed> = OnceLock::new();
        let shared = SHARED.get_or_init(|| SharedSeed::from_u64(seed.rotate_left(32)));
        Self(SeedableRandomState::with_seed(seed, shared))
    }
}

impl BuildHasher for Seeded {
    type Hasher = <SeedableRandomState as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}
