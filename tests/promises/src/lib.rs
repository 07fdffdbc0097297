//! What hallpass promises of any input: total functions of bytes that panic where a promise is broken.
//!
//! Each is a fuzz target, one line in `tests/fuzz/fuzz_targets/`; `scripts/fuzz` fuzzes. The inputs are text where they can
//! be, so that the corpus (`tests/fuzz/corpus/TARGET/`) can be read. Whatever once broke a promise is kept there under the
//! name `found-*`, and the tests here replay all of it without libFuzzer.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is what tells that a promise is broken"
)]

mod body;
#[cfg(test)]
mod bypass;
mod config;
mod decision;
mod head;
mod headers;
mod key_set;
mod lists;
mod path;
mod query;
#[cfg(test)]
mod replay;
mod slots;
mod token;

pub use body::body;
pub use config::config;
pub use decision::decision;
pub use head::head;
pub use headers::headers;
pub use key_set::key_set;
pub use lists::lists;
pub use path::path;
pub use query::query;
pub use slots::slots;
pub use token::{signed, token};

use hallpass::values::time::Timestamp;

/// When everything happens: 2026-05-31, noon.
const NOW: Timestamp = Timestamp::from_secs(1_780_228_800);

/// What the caller may see.
const GRANTED: [&str; 2] = ["in", "in-2"];

/// The first line and what follows it.
fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}

/// The lines before the first empty one, and what follows it.
fn paragraph(data: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (first, after) = line(rest);
        rest = after;
        if first.is_empty() {
            break;
        }
        lines.push(first);
    }
    (lines, rest)
}

/// Headers of lines `name: value`.
fn fields<'a>(lines: &[&'a [u8]]) -> Vec<(&'a [u8], &'a [u8])> {
    let field = |line: &&'a [u8]| {
        // A pseudo-header begins with the colon.
        let from = usize::from(line.first() == Some(&b':'));
        let at = line.iter().skip(from).position(|byte| *byte == b':').map_or(line.len(), |at| at + from);
        let value = line.get(at + 1..).unwrap_or_default();
        (&line[..at], value.strip_prefix(b" ").unwrap_or(value))
    };
    lines.iter().map(field).collect()
}

/// Whether a value can stand in a header and be read in one way only.
fn is_header_safe(value: &[u8]) -> bool {
    value.iter().all(|byte| (b' '..0x7f).contains(byte))
}
