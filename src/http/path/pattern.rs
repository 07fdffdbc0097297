//! Patterns of paths: `/a/b` is exact, `/a/` is everything below, `/a/{x}/b` and `/a/{x}/` are templates.

use std::borrow::Cow;
use std::fmt;

use super::stems::{PatternStems, Stems};
use super::{PathError, RawPath, cut};
use crate::values::bytes::{in_one_case, is_same};
use crate::values::percent;

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes.
    Literal(String),
    /// Any one non-empty segment, under this name.
    Variable(String),
}

/// A path pattern: `/a/b` is exact, `/a/` is everything below, `/a/{x}/b` and `/a/{x}/` are templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As written; what logs and access logs show.
    pub template: String,
    /// Segments.
    pub segments: Vec<Segment>,
    /// Whether any further segments may follow (the pattern ends in `/`).
    pub subtree: bool,
    /// Whether one path alone is of this pattern.
    pub(crate) is_one_path: bool,
    stems: PatternStems,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternError {
    /// It does not begin with `/`.
    NotAbsolute,
    /// It holds `//`.
    EmptySegment,
    /// It holds a segment that is `.` or `..`.
    DotSegment,
    /// A literal holds this character, which it may not (`%` and `;` are read differently by servers).
    Literal(char),
    /// A `*`, which is no wildcard here.
    Wildcard,
    /// A variable that is not `{name}` with a name of `a-z`, `0-9`, `_` that begins with no digit.
    Variable(String),
    /// Two variables of one name.
    Doubled(String),
}

/// How a path fits a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Not at all, however it is read.
    No,
    /// Only as some servers read it: in any case, decoded, cut at `;`, with or without the last `/`, or without a suffix
    /// (`.json`) of the last segment or final dots and spaces of any.
    Loose,
    /// As it was sent.
    Exact,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// The text is no pattern.
    #[inline(never)]
    pub fn parse(template: &str) -> Result<Self, PatternError> {
        let rest = template.strip_prefix('/').ok_or(PatternError::NotAbsolute)?;
        let (inner, subtree) = match rest.strip_suffix('/') {
            Some(inner) => (Some(inner), true),
            None if rest.is_empty() => (None, true),
            None => (Some(rest), false),
        };
        let mut segments = Vec::new();
        for text in inner.into_iter().flat_map(|it| it.split('/')) {
            let segment = Segment::parse(text)?;
            if let Segment::Variable(name) = &segment
                && segments.contains(&segment)
            {
                return Err(PatternError::Doubled(name.clone()));
            }
            segments.push(segment);
        }
        let stems = PatternStems::of(segments.iter().map(Segment::literal));
        let is_one_path = !subtree && segments.iter().all(|segment| segment.literal().is_some());
        Ok(Self { template: template.to_owned(), segments, subtree, is_one_path, stems })
    }

    /// Whether a path with these stems may [`fit`](Self::fit); `false` is for sure, and takes no comparison of texts.
    #[inline]
    pub fn may_fit(&self, path: &Stems) -> bool {
        self.stems.may_fit(path)
    }

    /// Whether the path, as it was sent, is one of this pattern.
    pub fn matches(&self, path: &RawPath<'_>) -> bool {
        self.fit(path) == Fit::Exact
    }

    /// How the path fits, also as servers read it that are more lenient than Envoy.
    pub fn fit(&self, path: &RawPath<'_>) -> Fit {
        if is_same(path.path.as_bytes(), self.template.as_bytes()) {
            return Fit::Exact;
        }
        let mut fit = Fit::Exact;
        let mut parts = path.segments();
        for (at, segment) in self.segments.iter().enumerate() {
            let Some(part) = parts.next() else {
                return Fit::No;
            };
            let is_last = at.saturating_add(1) == self.segments.len() && (!self.subtree || parts.rest.is_none());
            fit = fit.min(segment.fit(part, path.plain, is_last));
            if fit == Fit::No {
                return Fit::No;
            }
        }
        match (self.subtree, parts.next(), parts.next()) {
            (true, Some(_), _) | (false, None, _) => fit,
            // Express, Rails and Laravel take `/a` and `/a/` for one path.
            (false, Some(""), None) | (true, None, _) => Fit::Loose,
            (false, ..) => Fit::No,
        }
    }

    /// The value of a variable in a path that [matches](Self::matches), decoded once. `None`: no such variable.
    #[inline(never)]
    pub fn variable<'a>(&self, path: &RawPath<'a>, name: &str) -> Option<Result<Cow<'a, str>, PathError>> {
        let is_it = |segment: &Segment| matches!(segment, Segment::Variable(it) if it == name);
        let part = path.segments().nth(self.segments.iter().position(is_it)?)?;
        Some(decode_value(part))
    }

    /// Whether the pattern has a variable of this name.
    pub fn has_variable(&self, name: &str) -> bool {
        self.segments.iter().any(|it| matches!(it, Segment::Variable(it) if it == name))
    }

    /// Whether the pattern names a script (see [`RawPath::without_script`]): then its writer knows what follows it.
    pub(crate) fn names_script(&self) -> bool {
        self.segments.iter().any(|segment| segment.literal().is_some_and(super::is_script))
    }

    /// Whether `other` differs at most in names of variables, in the final slash, and in suffixes of literals: then whoever
    /// wrote both has told them apart.
    pub(crate) fn is_sibling(&self, other: &Self) -> bool {
        let is_same = |(mine, its): (&Segment, &Segment)| match (mine, its) {
            (Segment::Variable(_), Segment::Variable(_)) => true,
            (Segment::Literal(mine), Segment::Literal(its)) => {
                its.strip_prefix(mine.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(SUFFIX_MARKS))
            }
            _ => false,
        };
        self.segments.len() == other.segments.len() && self.segments.iter().zip(&other.segments).all(is_same)
    }

    /// Whether every path of `other` is one of this pattern too.
    #[inline(never)]
    pub fn covers(&self, other: &Self) -> bool {
        let depth_fits = match (self.subtree, other.subtree) {
            (true, true) => other.segments.len() >= self.segments.len(),
            (true, false) => other.segments.len() > self.segments.len(),
            (false, false) => other.segments.len() == self.segments.len(),
            (false, true) => false,
        };
        depth_fits
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(mine, its)| matches!(mine, Segment::Variable(_)) || mine == its)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if text.contains(['{', '}']) {
            let name = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
            return match name {
                Some(name) if is_name(name) => Ok(Self::Variable(name.to_owned())),
                _ => Err(PatternError::Variable(text.to_owned())),
            };
        }
        if text.starts_with(':') {
            return Err(PatternError::Variable(text.to_owned()));
        }
        match text {
            "" => return Err(PatternError::EmptySegment),
            "." | ".." => return Err(PatternError::DotSegment),
            _ => {}
        }
        match text.chars().find(|it| !is_literal(*it)) {
            Some('*') => Err(PatternError::Wildcard),
            Some(character) => Err(PatternError::Literal(character)),
            None => Ok(Self::Literal(text.to_owned())),
        }
    }

    fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Variable(_) => None,
        }
    }

    fn fit(&self, part: &str, plain: bool, is_last: bool) -> Fit {
        match self {
            Self::Variable(_) if part.is_empty() => Fit::No,
            Self::Variable(_) => Fit::Exact,
            Self::Literal(literal) if literal == part => Fit::Exact,
            Self::Literal(literal) if is_loosely(literal, part, plain, is_last) => Fit::Loose,
            Self::Literal(_) => Fit::No,
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => f.write_str("does not begin with `/`"),
            Self::EmptySegment => f.write_str("holds an empty segment"),
            Self::DotSegment => f.write_str("holds a dot segment"),
            Self::Literal(it) => write!(f, "holds `{}`, which no path literal may", it.escape_default()),
            Self::Wildcard => {
                f.write_str("holds `*` (expected `{name}` for one segment, or a final `/` for everything below)")
            }
            Self::Variable(it) => {
                write!(f, "holds `{}` (expected a whole segment `{{name}}` of a-z, 0-9 and _)", it.escape_default())
            }
            Self::Doubled(name) => write!(f, "holds `{{{name}}}` twice"),
        }
    }
}

impl std::error::Error for PatternError {}

/// Decodes a segment that serves as a value, where every server reads the same.
#[inline(never)]
fn decode_value(part: &str) -> Result<Cow<'_, str>, PathError> {
    let value = percent::decode(part).ok_or(PathError::Escape)?;
    // `;` begins a parameter for some; `%` is decoded again by some; a raw `+` is a space to some.
    if part.contains('+') || value.contains([';', '%']) {
        return Err(PathError::Ambiguous);
    }
    Ok(value)
}

/// What begins a suffix: of a format (Rails, Spring) or, on Windows, of a stream.
const SUFFIX_MARKS: [char; 2] = ['.', ':'];

/// Whether a lenient server may read `part` as `literal`: decoded not at all, once or twice, and cut at `;`.
#[inline(never)]
fn is_loosely(literal: &str, part: &str, plain: bool, is_last: bool) -> bool {
    let is_it = |part: &str| is_almost(literal, part, is_last);
    if plain || !part.contains(['%', ';']) {
        return is_it(part);
    }
    // Parameters go before decoding for some, after it for others.
    let once = percent::decode_lossy(part);
    let twice = percent::decode_lossy(&once);
    [part, &once, &twice].into_iter().any(|part| is_it(part) || is_it(cut(part)))
        || is_it(&percent::decode_lossy(cut(part)))
        || is_it(&percent::decode_lossy(&percent::decode_lossy(cut(part))))
}

/// Whether the two differ at most in case, in final dots and spaces, and in a suffix of the last segment.
fn is_almost(literal: &str, part: &str, is_last: bool) -> bool {
    // Letters beyond ASCII are some of those within, to servers that ignore case.
    let part: Cow<'_, str> = if part.is_ascii() { part.into() } else { part.chars().flat_map(in_one_case).collect() };
    let Some((head, tail)) = part.split_at_checked(literal.len()) else {
        return false;
    };
    let is_end = tail.bytes().all(|byte| matches!(byte, b'.' | b' '));
    head.eq_ignore_ascii_case(literal) && (is_end || (is_last && tail.trim_start().starts_with(SUFFIX_MARKS)))
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|it: char| it.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
}

/// `pchar` of RFC 3986 without escapes, `;` (parameters) and `*` (which looks like a wildcard).
fn is_literal(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~!$&'()+,=:@".contains(character)
}
