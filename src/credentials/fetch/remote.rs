//! Where a document comes from, and how fresh it is kept.

use std::time::Duration;

use super::ABANDONED_AFTER;
use crate::values::time::micros;

/// Longest cooldown that a request waits for; a longer one is for the client to wait out.
const WAIT_COOLDOWN_MAX: Duration = Duration::from_secs(10);

/// A document that is fetched through an Envoy cluster and kept fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The cluster to send the request to.
    pub cluster: String,
    /// `:authority`.
    pub authority: String,
    /// `:path`, with the query.
    pub path: String,
    /// `:scheme`, `https` or `http`.
    pub scheme: String,
    /// How long one fetch may take.
    pub timeout: Duration,
    /// Longest time between two fetches; `Cache-Control` may shorten it.
    pub refresh: Duration,
    /// How long the last good document serves when fetches fail.
    pub max_stale: Duration,
    /// Shortest time between two fetches.
    pub cooldown: Duration,
}

impl Remote {
    /// Longest time that a request waits for this document: a cooldown that has just begun, and one fetch.
    pub fn wait_max(&self) -> Duration {
        self.cooldown.min(WAIT_COOLDOWN_MAX).saturating_add(self.timeout).saturating_add(ABANDONED_AFTER)
    }

    /// A text that differs where anything differs that decides about the document; for keys in shared data.
    #[inline(never)]
    pub fn fingerprint_input(&self) -> String {
        format!(
            "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
            self.cluster,
            self.scheme,
            self.authority,
            self.path,
            micros(self.timeout),
            micros(self.refresh),
            micros(self.max_stale),
            micros(self.cooldown)
        )
    }
}
