//! Rate limit fields of responses.
//!
//! `RateLimit-Policy` and `RateLimit` per draft-ietf-httpapi-ratelimit-headers-11: a bucket is advertised as what it
//! admits at once (`q` its burst, `w` the time to refill it). A limit of costs never appears as if it counted requests: it is
//! left out, but for a refusal, where it has its unit (`qu`).

use std::cmp::Reverse;
use std::time::Duration;

use crate::config::RateLimitHeaders;
use crate::limits::Unit;
use crate::limits::ledger::LimitStatus;
use crate::limits::policy_template::SEPARATOR;
use crate::values::time::seconds_up;

/// The fields of a request that passes: how all its limits stand, in order; none if no limit counts requests.
#[inline(never)]
pub fn fields(mode: RateLimitHeaders, statuses: &[LimitStatus]) -> Vec<(&'static str, String)> {
    let requests = || statuses.iter().filter(|s| s.unit() == Unit::Requests);
    match mode {
        RateLimitHeaders::Off => Vec::new(),
        RateLimitHeaders::Draft11 => draft_11(requests().map(|status| (status, status.remaining, status.reset_after))),
        RateLimitHeaders::XRateLimit => {
            // Of several with as much left, the one that takes longest.
            let tightest = requests().min_by_key(|status| (status.remaining, Reverse(status.reset_after)));
            tightest.map_or_else(Vec::new, |it| x_rate_limit(it, it.remaining, it.reset_after))
        }
    }
}

/// The fields of a refusal: only the limits that refused, of whichever unit, so that nothing contradicts `Retry-After`. Nothing
/// is left of them for this request until they admit it. The first binds longest.
#[inline(never)]
pub fn refusal_fields(mode: RateLimitHeaders, refusing: &[LimitStatus]) -> Vec<(&'static str, String)> {
    match mode {
        RateLimitHeaders::Off => Vec::new(),
        RateLimitHeaders::Draft11 => draft_11(refusing.iter().map(|status| (status, 0, status.wait()))),
        RateLimitHeaders::XRateLimit => {
            refusing.first().map_or_else(Vec::new, |longest| x_rate_limit(longest, 0, longest.wait()))
        }
    }
}

/// The fields of limits, each with what remains and until when.
fn draft_11<'a>(limits: impl Iterator<Item = (&'a LimitStatus, u64, Duration)>) -> Vec<(&'static str, String)> {
    let mut policy = String::with_capacity(FIELD_BYTES);
    let mut state = String::with_capacity(FIELD_BYTES);
    for (status, remaining, reset) in limits {
        let Some(template) = status.policy_template() else { continue };
        push_part(&mut policy, &template.policy);
        if let Some(window) = status.window {
            push_number(&mut policy, seconds_up(window));
        }
        if status.unit() == Unit::Cost {
            policy.push_str(r#";qu="cost""#);
        }
        push_part(&mut state, &template.state);
        push_number(&mut state, remaining);
        state.push_str(";t=");
        push_number(&mut state, seconds_up(reset));
    }
    if policy.is_empty() {
        return Vec::new();
    }
    vec![("ratelimit-policy", policy), ("ratelimit", state)]
}

/// These fields have no unit: the capacity of a limit of costs would appear as if it counted requests.
fn x_rate_limit(status: &LimitStatus, remaining: u64, reset: Duration) -> Vec<(&'static str, String)> {
    let limit = (status.unit() == Unit::Requests).then(|| ("x-ratelimit-limit", status.capacity.to_string()));
    let state =
        [("x-ratelimit-remaining", remaining.to_string()), ("x-ratelimit-reset", seconds_up(reset).to_string())];
    limit.into_iter().chain(state).collect()
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
