//! Random numbers that stay the same for a seed in every version of this crate: a crasher is named by its seed.

/// `SplitMix64`: small, and good enough to choose what to do next.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
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
        let len = self.below(len_max.saturating_add(1));
        (0..len).map(|_| self.number().to_le_bytes()[0]).collect()
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
