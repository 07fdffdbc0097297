//! Percent-encoding (RFC 3986 section 2.1), read strictly: what servers read differently is told apart here.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes once. `None`: a `%` without two hexadecimal digits, or bytes that are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    if !escapes(text).all(is_escape) {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// Decodes as a lenient server does: bad escapes stay, other bytes become the replacement character.
pub(crate) fn decode_lossy(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// Whether another decoding would find something to decode.
pub(crate) fn has_escape(text: &str) -> bool {
    escapes(text).any(is_escape)
}

/// What the two hexadecimal digits of an escape stand for.
pub(crate) fn byte(high: u8, low: u8) -> Option<u8> {
    let value = char::from(high).to_digit(16)?.checked_mul(16)?.checked_add(char::from(low).to_digit(16)?)?;
    u8::try_from(value).ok()
}

/// What follows each `%`, up to the next one.
fn escapes(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().split(|byte| *byte == b'%').skip(1)
}

fn is_escape(after_percent: &[u8]) -> bool {
    matches!(after_percent, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}
