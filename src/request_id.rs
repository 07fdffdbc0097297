//! Request ids: one id for a request in the answer, at the upstream and in both logs.

use std::fmt::Write;

use crate::head::{Head, Known};

/// Longest id that is taken over; a UUID has 36.
const LEN_MAX: usize = 128;

/// The id that Envoy or a proxy before it set, if it is safe to repeat in a header and a body.
pub fn accepted(head: &Head) -> Option<String> {
    let id = std::str::from_utf8(head.known(Known::RequestId).ok()??).ok()?;
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!id.is_empty() && id.len() <= LEN_MAX && id.bytes().all(safe)).then(|| id.to_owned())
}

/// A version 4 UUID (RFC 9562 section 5.4) of these random bytes.
pub fn fresh(random: [u8; 16]) -> String {
    let mut bytes = random;
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let mut id = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests;
