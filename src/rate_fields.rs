//! Rate limit fields of responses.
//!
//! `RateLimit-Policy` and `RateLimit` per draft-ietf-httpapi-ratelimit-headers-11: a bucket is advertised as what it
//! admits at once (`q` its burst, `w` the time to refill it). A limit of costs is left out, so that it never
//! appears as if it counted requests.

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
            let mut policy = String::with_capacity(FIELD_BYTES);
            let mut state = String::with_capacity(FIELD_BYTES);
            for standing in requests() {
                let name = standing.name();
                item(&mut policy, name, [";q=", ";w="], [standing.capacity, seconds_up(standing.window)]);
                item(&mut state, name, [";r=", ";t="], [standing.remaining, seconds_up(standing.reset_after)]);
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

/// Room for the fields of three limits or so.
const FIELD_BYTES: usize = 96;

/// Appends `"name";a=1;b=2`. By hand: the machinery of `format!` is slower than all else that a response takes.
fn item(field: &mut String, name: &str, keys: [&str; 2], numbers: [u64; 2]) {
    field.push_str(if field.is_empty() { "\"" } else { ", \"" });
    field.push_str(name);
    field.push('"');
    for (key, number) in keys.into_iter().zip(numbers) {
        field.push_str(key);
        field.push_str(itoa::Buffer::new().format(number));
    }
}

/// Whole seconds, rounded up.
fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
pub(crate) mod tests;
