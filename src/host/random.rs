//! Randomness of the host, as the standard library gets it from WASI.

use std::hash::{BuildHasher, RandomState};

/// 16 bytes that nobody can guess.
pub fn random_bytes() -> [u8; 16] {
    let word = || RandomState::new().hash_one(0_u8).to_le_bytes();
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&word());
    high.copy_from_slice(&word());
    bytes
}
