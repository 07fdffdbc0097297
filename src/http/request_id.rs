//! Request ids: one id for a request in the answer, at the upstream and in both logs.

use std::fmt::Write;

use crate::http::head::{Head, Known};
use crate::values::bytes::ByteSet;

/// Longest id that is taken over; a UUID has 36.
const LEN_MAX: usize = 128;

/// What is safe to repeat.
static SAFE: ByteSet = ByteSet::alphanumeric_and(b"-_.");

/// The id that Envoy or a proxy before it set, if it is safe to repeat in a header and a body.
pub fn accepted(head: &Head) -> Option<&str> {
    let id = head.known(Known::RequestId).ok()??;
    let is_safe = (1..=LEN_MAX).contains(&id.len()) && SAFE.holds_all(id);
    std::str::from_utf8(id).ok().filter(|_| is_safe)
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
