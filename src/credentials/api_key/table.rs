//! Keys by their hashes. A table holds no more than a pointer for each of them.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::rc::Rc;

use subtle::{Choice, ConstantTimeEq};

use super::ApiKey;

/// The keys of a list.
#[derive(Default)]
pub(super) struct Table(HashSet<ByHash, BuildHasherDefault<Hashed>>);

/// SHA-256 of a key.
pub(super) struct KeyHash(pub(super) [u8; 32]);

/// A key, found by its hash.
struct ByHash(Rc<ApiKey>);

/// A key, found by its id.
pub(super) struct ById(pub(super) Rc<ApiKey>);

/// For what is a hash already. Only lists fill the table, so that nobody can crowd a place of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hashed(u64);

impl Table {
    /// The key of this hash.
    pub(super) fn get(&self, hash: &KeyHash) -> Option<&Rc<ApiKey>> {
        self.0.get(hash).map(|ByHash(key)| key)
    }

    /// Adds a key; says whether there was none of its hash.
    pub(super) fn insert(&mut self, key: Rc<ApiKey>) -> bool {
        self.0.insert(ByHash(key))
    }

    /// All of them, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &ApiKey> {
        self.0.iter().map(|ByHash(key)| key.as_ref())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Borrow<KeyHash> for ByHash {
    fn borrow(&self) -> &KeyHash {
        &self.0.hash
    }
}

impl PartialEq for ByHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for ByHash {}

impl Hash for ByHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash.hash(state);
    }
}

impl PartialEq for KeyHash {
    /// Takes the same time wherever the two differ. In words of eight bytes, each of which takes as long as a byte.
    fn eq(&self, other: &Self) -> bool {
        let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let words = self.0.as_chunks().0.iter().zip(other.0.as_chunks().0);
        words.fold(Choice::from(1), |same, (a, b)| same & word(a).ct_eq(&word(b))).into()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
    }
}
