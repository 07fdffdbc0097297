//! Names that a configuration may choose: of limits, tiers and headers.

use super::reader::Reader;
use crate::credentials::jwt::claims::ClaimPath;
use crate::http::head;

/// Headers that the filter must not set or read as data: they frame, route or authenticate the message.
const RESERVED: [&str; 19] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "path-info",
    "script-name",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-request-id",
    "x-script-name",
];
/// The same, by the beginning of the name; some override the path or the method.
const RESERVED_PREFIXES: [&str; 8] =
    ["proxy-", "x-envoy-", "x-forwarded-", "x-http-method", "x-method-", "x-original-", "x-override-", "x-rewrite-"];
const HEADER: &str = "a header name of at most 64 bytes";
/// Longest header name.
const HEADER_BYTES_MAX: usize = 64;

/// `[a-z][a-z0-9_-]{0,31}`
pub(super) fn is_limit(name: &str) -> bool {
    let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    name.len() <= 32 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(rest)
}

/// `[A-Za-z0-9_.-]{1,64}`
pub(super) fn is_tier(name: &str) -> bool {
    let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(part)
}

/// Not empty, and without control characters.
pub(super) fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// Requests never carry a name with letters from another alphabet or with a space at its end: a rule that looks for one
/// checks nothing.
#[inline(never)]
pub(super) fn warn_of_look_alikes(reader: &Reader<'_>, name: &str) {
    if !name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') || name.trim() != name {
        reader.warn("has a space at an end, or characters beyond ASCII, of which some look like others");
    }
}

/// A token of RFC 9110.
pub(super) fn is_token(text: &str) -> bool {
    let part = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(part)
}

/// A header's name as upstreams may fold it.
pub(super) fn fold(name: &str) -> String {
    name.bytes().map(head::fold).map(char::from).collect()
}

/// A header's name that the filter may set, read or remove, in lower case.
#[inline(never)]
pub(super) fn header(reader: &Reader<'_>) -> Option<String> {
    header_named(reader, reader.string(HEADER, |_| true)?)
}

/// The same, for a name that stands elsewhere than in the value.
#[inline(never)]
pub(super) fn header_named(reader: &Reader<'_>, name: &str) -> Option<String> {
    if !is_token(name) || name.len() > HEADER_BYTES_MAX {
        let got = if name.is_empty() { "an empty string" } else { "another string" };
        reader.problem(format_args!("expected {HEADER}, got {got}"));
        return None;
    }
    let folded = fold(name);
    let reserved =
        RESERVED.contains(&folded.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix));
    if reserved {
        reader.problem("expected a header name that is free, got one that HTTP or Envoy needs itself");
        return None;
    }
    Some(name.to_ascii_lowercase())
}

/// A member's name, or a JSON Pointer.
pub(super) fn claim(reader: &Reader<'_>) -> Option<ClaimPath> {
    let path = reader.string("a claim's name, or a JSON Pointer such as `/org/schools`", is_claim)?;
    warn_of_look_alikes(reader, path);
    Some(ClaimPath(path.to_owned()))
}

/// In a pointer, `~` stands only in `~0` and `~1` (RFC 6901).
fn is_claim(path: &str) -> bool {
    let pointer = path.starts_with('/');
    let escapes = path.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    is_text(path) && (!pointer || escapes)
}
