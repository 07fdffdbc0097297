//! Paths: strict reading of `:path`, and the patterns that routes match with.
//!
//! The path is judged as Envoy routes it and never changed. What two servers could read as different paths is refused
//! on every route: dot segments in any encoding (also cut at `;`), encoded separators (`/`, `?`, `#`), backslashes, empty
//! segments, bad escapes (RFC 3986 sections 3.3 and 6.2.2), and segments that ASP.NET takes out of the path.

use std::fmt;

use crate::values::bytes::{ByteSet, split_once};
use crate::values::percent;

pub use self::pattern::{Fit, Pattern, PatternError, Segment};
pub use self::stems::Stems;

mod pattern;
mod stems;

/// `:path`, found harmless, split at the first `?`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawPath<'a> {
    /// The path, without the query, as it was sent.
    pub path: &'a str,
    /// What follows the first `?`, as it was sent.
    pub query: Option<&'a str>,
    /// Whether the path is known to hold neither `%` nor `;`, so that every server reads the same segments.
    plain: bool,
    /// Whether it is known that there is nothing else to look for in its segments than whether they are empty.
    tame: bool,
}

/// What a path and a query consist of: what is graphic, but for `#`.
static GRAPHIC: ByteSet = ByteSet::alphanumeric_and(b"!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~");

/// The same without `%`, `;`, `\`, and what dot segments and sessions are made of.
static TAME: ByteSet = ByteSet::alphanumeric_and(b"!$&'*+,-/:=@_~");

/// Why a path is refused: 400, whatever the route. Holds no part of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with `/`.
    NotAbsolute,
    /// A control character, a space, `#`, or a byte that is not ASCII.
    Byte,
    /// A backslash, as it is or encoded.
    Backslash,
    /// A `/` that is encoded.
    EncodedSlash,
    /// A `?` or `#` that is encoded: where a proxy decodes the path (nginx with `$uri`), the next server ends it there.
    EncodedEnd,
    /// A control character that is encoded.
    EncodedControl,
    /// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
    Escape,
    /// Encoded three times or more.
    Nested,
    /// An empty segment before the last, or one that is empty when cut at `;`.
    EmptySegment,
    /// A segment that is `.` or `..` once decoded and cut at `;`.
    DotSegment,
    /// A segment such as `(S(x))`, which ASP.NET takes out of the path as a cookieless session.
    Session,
    /// A segment that serves as a value and may be read in two ways: it holds `;`, or `%` or `+` once decoded.
    Ambiguous,
}

impl<'a> RawPath<'a> {
    /// Reads `:path`.
    ///
    /// # Errors
    /// The path could be read in two ways, or is none.
    pub fn parse(raw: &'a [u8]) -> Result<Self, PathError> {
        if raw.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let mut path = Self::again(raw).ok_or(PathError::Byte)?;
        path.tame = TAME.holds_all(path.path.as_bytes());
        let is_graphic = path.tame || GRAPHIC.holds_all(path.path.as_bytes());
        if !is_graphic || !GRAPHIC.holds_all(path.query.unwrap_or_default().as_bytes()) {
            return Err(PathError::Byte);
        }
        path.plain = path.tame || !path.path.bytes().any(|byte| matches!(byte, b'%' | b';'));
        path.check()?;
        Ok(path)
    }

    /// The same path again, which [`parse`](Self::parse) has found harmless before: costs no second look at it.
    pub fn again(raw: &'a [u8]) -> Option<Self> {
        let raw = str::from_utf8(raw).ok()?;
        let (path, query) = split_once(raw, b'?').map_or((raw, None), |(path, query)| (path, Some(query)));
        Some(Self { path, query, plain: false, tame: false })
    }

    /// The path as it is without the script in it. `/index.php/a` is `/a` for PHP behind nginx or Apache (Symfony, Laravel,
    /// `CodeIgniter`): what follows the script is the path. `None`: it names none, or nothing follows it.
    #[inline(never)]
    pub fn without_script(&self) -> Option<String> {
        let mut segments = self.segments();
        let mut before = 0_usize;
        while !is_script(segments.next()?) {
            before = before.saturating_add(1);
        }
        let rest = segments.rest?;
        let kept = self.segments().take(before).chain([rest]);
        Some(kept.flat_map(|segment| ["/", segment]).collect())
    }

    /// The segments; the last one is empty when the path ends in `/`.
    fn segments(&self) -> Segments<'a> {
        Segments { rest: Some(self.path.strip_prefix('/').unwrap_or(self.path)) }
    }

    fn check(&self) -> Result<(), PathError> {
        if self.tame {
            let bytes = self.path.bytes();
            let is_empty = bytes.clone().zip(bytes.skip(1)).any(|pair| pair == (b'/', b'/'));
            return if is_empty { Err(PathError::EmptySegment) } else { Ok(()) };
        }
        if self.path.bytes().any(|byte| byte == b'\\') {
            return Err(PathError::Backslash);
        }
        let mut segments = self.segments();
        while let Some(segment) = segments.next() {
            if segment.is_empty() && segments.rest.is_none() {
                // An empty last segment only says that the path ends in `/`.
                break;
            }
            if self.plain {
                check_whole(segment)?;
            } else {
                check_plain(segment)?;
                check_encoded(segment)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RawPath<'_> {
    /// Tells nothing: paths hold ids of students and schools.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawPath(..)")
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "path does not begin with `/`",
            Self::Byte => "path holds a byte that must be encoded",
            Self::Backslash => "path holds a backslash",
            Self::EncodedSlash => "path holds an encoded `/`",
            Self::EncodedEnd => "path holds an encoded `?` or `#`",
            Self::EncodedControl => "path holds an encoded control character",
            Self::Escape => "path holds a bad escape",
            Self::Nested => "path is encoded more than twice",
            Self::EmptySegment => "path holds an empty segment",
            Self::DotSegment => "path holds a dot segment",
            Self::Session => "path holds a session in place of a cookie",
            Self::Ambiguous => "path segment can be read in two ways",
        })
    }
}

impl std::error::Error for PathError {}

/// Segments of a path.
struct Segments<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let (segment, rest) = split_once(rest, b'/').map_or((rest, None), |(segment, rest)| (segment, Some(rest)));
        self.rest = rest;
        Some(segment)
    }
}

fn is_script(segment: &str) -> bool {
    let name = percent::decode_lossy(segment);
    let suffix = name.len().checked_sub(SCRIPT.len()).and_then(|at| name.get(at..));
    suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(SCRIPT))
}

const SCRIPT: &str = ".php";

/// Judges a segment that a server may have cut at `;`.
fn check_plain(segment: &str) -> Result<(), PathError> {
    check_whole(cut(segment))?;
    // IIS cuts nothing.
    if is_session(segment) { Err(PathError::Session) } else { Ok(()) }
}

fn check_whole(segment: &str) -> Result<(), PathError> {
    match segment {
        "" => Err(PathError::EmptySegment),
        "." | ".." => Err(PathError::DotSegment),
        _ if is_session(segment) => Err(PathError::Session),
        _ => Ok(()),
    }
}

/// Whether a segment is `(A(x)S(y)F(z))` or begins and ends like that.
#[inline(never)]
fn is_session(segment: &str) -> bool {
    let inner = segment.strip_prefix('(').and_then(|rest| rest.strip_suffix("))"));
    inner.is_some_and(|inner| inner.starts_with(char::is_alphabetic) && inner.chars().nth(1) == Some('('))
}

/// Judges a segment as a server reads it that decodes once, and as one that does so twice.
#[inline(never)]
fn check_encoded(segment: &str) -> Result<(), PathError> {
    if !segment.contains('%') {
        return Ok(());
    }
    let once = percent::decode(segment).ok_or(PathError::Escape)?;
    check_decoded(&once)?;
    if !percent::has_escape(&once) {
        return Ok(());
    }
    let twice = percent::decode_lossy(&once);
    check_decoded(&twice)?;
    if percent::has_escape(&twice) {
        return Err(PathError::Nested);
    }
    Ok(())
}

#[inline(never)]
fn check_decoded(segment: &str) -> Result<(), PathError> {
    for character in segment.chars() {
        match character {
            '/' => return Err(PathError::EncodedSlash),
            '\\' => return Err(PathError::Backslash),
            '?' | '#' => return Err(PathError::EncodedEnd),
            _ if character.is_control() => return Err(PathError::EncodedControl),
            _ => {}
        }
    }
    check_plain(segment)
}

/// The segment without its parameters.
fn cut(segment: &str) -> &str {
    segment.split(';').next().unwrap_or(segment)
}

#[cfg(test)]
mod tests;
