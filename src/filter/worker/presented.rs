//! Tokens as requests show them.

use super::Worker;
use crate::credentials::cache::Fingerprint;

/// A token as a request shows it, with its fingerprint in the tables of this worker.
#[derive(Clone, Copy)]
pub struct PresentedCredential<'a> {
    pub(super) token: &'a [u8],
    pub(super) print: Fingerprint,
}

impl<'a> PresentedCredential<'a> {
    /// The same token again, whose fingerprint is known.
    pub const fn again(token: &'a [u8], print: Fingerprint) -> Self {
        Self { token, print }
    }

    /// Its fingerprint.
    pub const fn print(self) -> Fingerprint {
        self.print
    }
}

impl Worker {
    /// A token with its fingerprint.
    pub fn presented<'a>(&self, token: &'a [u8]) -> PresentedCredential<'a> {
        PresentedCredential { token, print: self.prints.of(token) }
    }
}
