//! Answers: status, headers and body of a denial.
//!
//! Bodies are RFC 9457 problem details by default; a dialect only changes the body. `Retry-After` follows RFC 9110
//! section 10.2.3. An answer repeats nothing of the request but its id.

use std::borrow::Cow;
use std::time::Duration;

use crate::answer::denial::Denial;
use crate::answer::rate_fields;
use crate::config::{Config, Dialect};
use crate::values::bytes::ByteSet;
use crate::values::time::seconds_up;

mod dialect;

/// A complete local reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Status code.
    pub status: u16,
    /// Headers, in order; names lower case.
    pub headers: Vec<(&'static str, Cow<'a, str>)>,
    /// Body.
    pub body: String,
}

impl Answer<'_> {
    /// The same, with texts of its own.
    pub fn into_owned(self) -> Answer<'static> {
        let headers = self.headers.into_iter().map(|(name, value)| (name, Cow::Owned(value.into_owned())));
        Answer { headers: headers.collect(), ..self }
    }
}

/// The problem type of draft-ietf-httpapi-ratelimit-headers-11, section 6.1.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// What stands for itself in a JSON string; so does more, but not in the texts of answers.
static PLAIN: ByteSet = ByteSet::alphanumeric_and(b" !#$%&'()*+,-./:;<=>?@[]^_`{|}~");

/// Room for the headers of nearly every answer.
const HEADERS: usize = 8;
/// Room for the body of nearly every answer.
const BODY_BYTES: usize = 512;

/// The answer to `denial`; `request_id` must be safe in a header.
#[inline(never)]
pub fn answer<'a>(denial: &'a Denial, config: &'a Config, request_id: &'a str) -> Answer<'a> {
    let (row, detail) = (denial.row(), denial.detail());
    let mut headers = Vec::with_capacity(HEADERS);
    headers.extend([("x-request-id", Cow::Borrowed(request_id)), ("cache-control", Cow::Borrowed("no-store"))]);
    if let Some(error) = row.challenge {
        let challenge = [r#"Bearer realm=""#, &config.realm, "\"", error].concat();
        headers.push(("www-authenticate", challenge.into()));
    }
    if let Some(wait) = denial.retry_after() {
        let secs = whole_seconds(wait, config.bounds.retry_after_max);
        headers.push(("retry-after", secs.to_string().into()));
    }
    if let Denial::MethodNotAllowed(allow) = denial {
        headers.push(("allow", allow.into()));
    }
    if let Denial::LimitReached(limit) = denial {
        let fields = rate_fields::refusal_fields(config.rate_limit_headers, &limit.statuses);
        headers.extend(fields.into_iter().map(|(name, value)| (name, value.into())));
    }
    if row.status == 429 {
        // Envoys in front of this one that retry on 429 do not where this stands.
        headers.push(("x-envoy-ratelimited", Cow::Borrowed("true")));
    }
    let (media, body) = match config.errors {
        Dialect::ProblemJson => {
            ("application/problem+json", problem_json(denial, &detail, &config.problem_base, request_id))
        }
        Dialect::Plain => ("text/plain; charset=utf-8", [row.code, ": ", &detail, "\n"].concat()),
        Dialect::StudentDataApi => (JSON, dialect::student_data_api(row, &detail)),
        Dialect::OneRoster => (JSON, dialect::oneroster(row, &detail)),
        Dialect::OAuth => (JSON, dialect::oauth(row, &detail)),
    };
    headers.push(("content-type", media.into()));
    Answer { status: row.status, headers, body }
}

impl Answer<'_> {
    /// The same for a gRPC request: trailers only, with a status and one line of text in every dialect. Envoy would make
    /// them of any answer to gRPC, but not of one to gRPC-Web, where it makes `UNAVAILABLE` of 429.
    #[must_use]
    pub fn into_grpc(mut self, denial: &Denial) -> Self {
        self.status = 200;
        self.body.clear();
        self.headers.retain(|(name, _)| *name != "content-type");
        self.headers.extend([
            ("content-type", Cow::Borrowed("application/grpc")),
            ("grpc-status", denial.grpc_status().to_string().into()),
            ("grpc-message", grpc_message(denial).into()),
        ]);
        self
    }
}

/// Percent-encoded as gRPC over HTTP/2 asks for.
fn grpc_message(denial: &Denial) -> String {
    let text = [denial.code(), ": ", &denial.detail()].concat();
    let mut message = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            message.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase();
            message.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    message
}

const JSON: &str = "application/json";

/// `wait` in whole seconds, rounded up, from 1 to `max`.
fn whole_seconds(wait: Duration, max: Duration) -> u64 {
    seconds_up(wait).clamp(1, max.as_secs().max(1))
}

/// The members in the order of their names, as `serde_json` writes them.
#[inline(never)]
fn problem_json(denial: &Denial, detail: &str, base: &str, request_id: &str) -> String {
    let mut json = String::with_capacity(BODY_BYTES);
    json.push_str(r#"{"detail":"#);
    push_text(&mut json, &[detail]);
    if is_uuid(request_id) {
        json.push_str(r#","instance":"#);
        push_text(&mut json, &["urn:uuid:", request_id]);
    }
    json.push_str(r#","status":"#);
    json.push_str(itoa::Buffer::new().format(denial.row().status));
    json.push_str(r#","title":"#);
    push_text(&mut json, &[denial.row().title]);
    json.push_str(r#","type":"#);
    match denial {
        Denial::LimitReached(limit) => {
            push_text(&mut json, &[QUOTA_EXCEEDED]);
            json.push_str(r#","violated-policies":"#);
            for (nth, name) in limit.violated.iter().enumerate() {
                json.push(if nth == 0 { '[' } else { ',' });
                push_text(&mut json, &[name]);
            }
            json.push_str(if limit.violated.is_empty() { "[]" } else { "]" });
        }
        other => push_text(&mut json, &[base, other.code()]),
    }
    json.push('}');
    json
}

/// Appends a JSON string of these parts; where nothing must be escaped, which is nearly always, without `serde_json`,
/// whose way there is longer than all else that a refusal takes.
#[inline(never)]
fn push_text(json: &mut String, parts: &[&str]) {
    json.push('"');
    for part in parts {
        if PLAIN.holds_all(part.as_bytes()) {
            json.push_str(part);
        } else {
            let quoted = serde_json::to_string(part).unwrap_or_default();
            json.push_str(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        }
    }
    json.push('"');
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
