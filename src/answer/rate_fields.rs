//! Rate limit fields of responses.
//!
//! `RateLimit-Policy` and `RateLimit` per draft-ietf-httpapi-ratelimit-headers-11: a bucket is advertised as what it
//! admits at once (`q` its burst, `w` the time to refill it). A limit of costs is left out, so that it never
//! appears as if it counted requests.

use crate::config::RateLimitHeaders;
use crate::limits::Unit;
use crate::limits::ledger::LimitStatus;
use crate::limits::policy_template::SEPARATOR;
use crate::values::time::seconds_up;

/// The fields for `statuses`, in order; none if no limit counts requests.
#[inline(never)]
pub fn fields(mode: RateLimitHeaders, statuses: &[LimitStatus]) -> Vec<(&'static str, String)> {
    let requests = || statuses.iter().filter(|s| s.unit() == Unit::Requests);
    match mode {
        RateLimitHeaders::Off => Vec::new(),
        RateLimitHeaders::Draft11 => {
            let mut policy = String::with_capacity(FIELD_BYTES);
            let mut state = String::with_capacity(FIELD_BYTES);
            for (status, policy_template) in requests().filter_map(|status| Some((status, status.policy_template()?))) {
                push_part(&mut policy, &policy_template.policy);
                if let Some(window) = status.window {
                    push_number(&mut policy, seconds_up(window));
                }
                push_part(&mut state, &policy_template.state);
                push_number(&mut state, status.remaining);
                state.push_str(";t=");
                push_number(&mut state, seconds_up(status.reset_after));
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

/// Appends what is known of a limit beforehand.
fn push_part(field: &mut String, part: &str) {
    let is_first = field.is_empty();
    field.push_str(if is_first { part.strip_prefix(SEPARATOR).unwrap_or(part) } else { part });
}

fn push_number(field: &mut String, number: u64) {
    field.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
pub(crate) mod tests;
