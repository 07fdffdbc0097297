//! Answers: the one mapping from a denial to status, headers and body.
//!
//! Bodies are RFC 9457 problem details by default; a dialect only changes the body. Challenges follow RFC 6750
//! section 3, `Retry-After` RFC 9110 section 10.2.3. Every text is fixed: nothing of the request is repeated but its id.

use std::time::Duration;

use serde::Serialize;

use crate::config::{Config, Dialect};
use crate::denial::Denial;
use crate::rate_fields;

mod dialect;
mod text;

/// A complete local reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers, in order; names lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: String,
}

/// The problem type of draft-ietf-httpapi-ratelimit-headers-11, section 6.1.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// What an ordinary problem takes.
const BODY_BYTES: usize = 320;

/// The answer to `denial`; `request_id` must be safe in a header.
pub fn answer(denial: &Denial, config: &Config, request_id: &str) -> Answer {
    let text = text::of(denial);
    let mut headers = vec![("x-request-id", request_id.to_owned()), ("cache-control", "no-store".to_owned())];
    if let Some(challenge) = challenge(denial, &config.realm) {
        headers.push(("www-authenticate", challenge));
    }
    if let Some(wait) = retry_after(denial) {
        let secs = whole_seconds(wait, config.bounds.retry_after_max);
        headers.push(("retry-after", secs.to_string()));
    }
    if let Denial::MethodNotAllowed(allow) = denial {
        headers.push(("allow", allow.clone()));
    }
    if let Denial::LimitReached(limit) = denial {
        headers.extend(rate_fields::fields(config.rate_limit_headers, &limit.standings));
    }
    let body = match config.errors {
        Dialect::ProblemJson => {
            headers.push(("content-type", "application/problem+json".to_owned()));
            problem_json(denial, &text, &config.problem_base, request_id)
        }
        Dialect::Plain => {
            headers.push(("content-type", "text/plain; charset=utf-8".to_owned()));
            format!("{}: {}\n", denial.code(), &text.detail)
        }
        Dialect::StudentDataApi => {
            headers.push(json_type());
            dialect::student_data_api(denial, &text.detail)
        }
        Dialect::OneRoster => {
            headers.push(json_type());
            dialect::oneroster(denial, &text.detail)
        }
        Dialect::OAuth => {
            headers.push(json_type());
            dialect::oauth(denial, &text.detail)
        }
    };
    Answer { status: text.status, headers, body }
}

fn json_type() -> (&'static str, String) {
    ("content-type", "application/json".to_owned())
}

/// `wait` in whole seconds, rounded up, from 1 to `max`.
fn whole_seconds(wait: Duration, max: Duration) -> u64 {
    let up = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(up).clamp(1, max.as_secs().max(1))
}

fn retry_after(denial: &Denial) -> Option<Duration> {
    match denial {
        Denial::LimitReached(limit) => Some(limit.retry_after),
        Denial::KeysUnavailable { retry_after } => Some(*retry_after),
        Denial::Unavailable => Some(Duration::from_secs(1)),
        _ => None,
    }
}

fn challenge(denial: &Denial, realm: &str) -> Option<String> {
    let error = match denial {
        Denial::CredentialRetired(retired) if retired.is_token => {
            r#", error="invalid_token", error_description="the token is retired""#
        }
        Denial::TokenMissing | Denial::KeyInvalid | Denial::CredentialRetired(_) => "",
        Denial::TokenInvalid => r#", error="invalid_token", error_description="the token is not valid""#,
        Denial::TokenExpired => r#", error="invalid_token", error_description="the token expired""#,
        Denial::TokenRevoked => r#", error="invalid_token", error_description="the token was revoked""#,
        Denial::TierUnknown
        | Denial::SchoolOutOfScope
        | Denial::SchoolMissing
        | Denial::SchoolsTooLong
        | Denial::DistrictOutOfScope
        | Denial::ScopeMissing
        | Denial::PermissionMissing
        | Denial::VendorMismatch => r#", error="insufficient_scope""#,
        _ => return None,
    };
    Some(format!(r#"Bearer realm="{realm}"{error}"#))
}

fn problem_json(denial: &Denial, text: &text::Text, base: &str, request_id: &str) -> String {
    let kind = match denial {
        Denial::LimitReached(_) => QUOTA_EXCEEDED.to_owned(),
        other => format!("{base}{}", other.code()),
    };
    let mut body = Body(Vec::with_capacity(BODY_BYTES));
    body.member("detail", &*text.detail);
    if is_uuid(request_id) {
        body.member("instance", &format!("urn:uuid:{request_id}"));
    }
    body.member("status", &text.status);
    body.member("title", text.title);
    body.member("type", &kind);
    if let Denial::LimitReached(limit) = denial {
        body.member("violated-policies", &limit.violated);
    }
    body.close()
}

/// A JSON object, written member by member: refusals are what an attacker asks for most.
struct Body(Vec<u8>);

impl Body {
    fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        // Neither texts and numbers nor memory can fail.
        let _ = serde_json::to_writer(&mut self.0, name);
        self.0.push(b':');
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    fn close(mut self) -> String {
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_default()
    }
}

/// Whether `id` has the form of a UUID (RFC 9562 section 4); Envoy's have, a proxy in front may set others.
fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests;
