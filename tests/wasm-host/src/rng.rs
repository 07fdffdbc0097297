//! Random numbers that stay the same for a seed on every machine: a finding is named by its seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// What to do next.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }

    /// Whether something happens that happens `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.below(of.len());
        &of[at]
    }

    /// One of these texts.
    pub fn text<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// At most `len_max` bytes.
    pub fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.below(len_max.saturating_add(1))];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The bytes, cut, grown or changed in a few places.
    pub fn mutated(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        match self.below(5) {
            0 => bytes.truncate(self.below(bytes.len())),
            1 => bytes.extend(self.bytes(64)),
            2 => bytes = self.bytes(256),
            _ => {
                for _ in 0..=self.below(3) {
                    let at = self.below(bytes.len());
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << (self.number() % 8);
                    }
                }
            }
        }
        bytes
    }
}
