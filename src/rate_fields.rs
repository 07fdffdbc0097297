//! Rate limit fields of responses.
//!
//! `RateLimit-Policy` and `RateLimit` per draft-ietf-httpapi-ratelimit-headers-11: a bucket is advertised as what it
//! admits at once (`q` its burst, `w` the time to refill it). A limit of costs is left out, so that it never
//! appears as if it counted requests.

use std::fmt::Write;
use std::time::Duration;

use crate::config::RateLimitHeaders;
use crate::limits::Unit;
use crate::limits::ledger::Standing;

/// The fields for `standings`, in order; none if no limit counts requests.
pub fn fields(mode: RateLimitHeaders, standings: &[Standing]) -> Vec<(&'static str, String)> {
    let requests = || standings.iter().filter(|s| s.unit() == Unit::Requests);
    match mode {
        RateLimitHeaders::Off => Vec::new(),
        RateLimitHeaders::Draft11 => {
            let (mut policy, mut state) = (String::new(), String::new());
            for standing in requests() {
                let comma = if policy.is_empty() { "" } else { ", " };
                let (name, quota, window) = (standing.name(), standing.capacity, seconds_up(standing.window));
                let (left, reset) = (standing.remaining, seconds_up(standing.reset_after));
                // Writing to a String cannot fail.
                let _ = write!(policy, "{comma}\"{name}\";q={quota};w={window}");
                let _ = write!(state, "{comma}\"{name}\";r={left};t={reset}");
            }
            if policy.is_empty() {
                return Vec::new();
            }
            vec![("ratelimit-policy", policy), ("ratelimit", state)]
        }
        RateLimitHeaders::XRateLimit => {
            let Some(tightest) = requests().min_by_key(|s| s.remaining) else {
                return Vec::new();
            };
            vec![
                ("x-ratelimit-limit", tightest.capacity.to_string()),
                ("x-ratelimit-remaining", tightest.remaining.to_string()),
                ("x-ratelimit-reset", seconds_up(tightest.reset_after).to_string()),
            ]
        }
    }
}

/// Whole seconds, rounded up.
fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
pub(crate) mod tests;
