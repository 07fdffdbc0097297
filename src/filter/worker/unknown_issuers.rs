//! Tokens of issuers that the configuration does not name, counted until one of a configured issuer is seen.
//!
//! An issuer that is configured with or without a last slash, against what its tokens say, refuses everyone: the answers do not
//! tell, so the log does.

use std::time::Duration;

use super::Worker;
use crate::config::Config;
use crate::values::time::Timestamp;

/// How long nothing but unknown issuers must have been seen.
const WATCH: Duration = Duration::from_mins(1);

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct UnknownIssuers {
    first: Option<Timestamp>,
    count: u64,
    /// The configured issuer that one of them differs from by its last slash only, by index.
    slash: Option<usize>,
    /// A configured issuer was seen, or the warning was given.
    is_settled: bool,
}

impl UnknownIssuers {
    /// Notes a token of an issuer that is not configured.
    pub(super) fn note(&mut self, config: &Config, name: Option<&str>, now: Timestamp) {
        if self.is_settled {
            return;
        }
        self.first.get_or_insert(now);
        self.count = self.count.saturating_add(1);
        let bare = |name: &str| name.strip_suffix('/').unwrap_or(name).to_owned();
        if let (None, Some(name)) = (self.slash, name.map(bare)) {
            self.slash = config.issuers.iter().position(|issuer| bare(&issuer.rules.issuer) == name);
        }
    }

    /// Notes a token of a configured issuer.
    pub(super) const fn settle(&mut self) {
        self.is_settled = true;
    }
}

impl Worker {
    /// A warning, once, where for a minute no token was of a configured issuer. It names no value of a token.
    pub fn issuer_warning(&mut self, now: Timestamp) -> Option<String> {
        let seen = &mut self.unknown_issuers;
        if seen.is_settled || now.since(seen.first?) < WATCH {
            return None;
        }
        seen.is_settled = true;
        let count = seen.count;
        Some(match seen.slash.and_then(|index| self.config.issuers.get(index)) {
            Some(issuer) => format!(
                "no token names a configured issuer ({count} refused): `iss` differs from `{}` by the last slash",
                issuer.rules.issuer
            ),
            None => format!("no token names a configured issuer ({count} refused)"),
        })
    }
}
