//! Query strings: the values of one protected parameter, or a refusal where two servers could read different ones.
//!
//! Servers differ in what they split at (`&`, `;`), how often they decode, which names they take for the same
//! (`School_ID`, `school.id`, `school_id[]`), and which of several values they use. So a protected parameter must be
//! spelled byte for byte as configured, every value of it counts, and whatever could be taken for it is refused.

use std::borrow::Cow;
use std::fmt;

use crate::bytes::{ByteSet, in_one_case, is_same};
use crate::path::split_at;
use crate::percent;

/// More parameters than this in a query with a protected one are refused: each is compared by name.
pub const PARAMETERS_MAX: usize = 1_000;

/// More values than this for one protected parameter are refused: each is looked up.
pub const VALUES_MAX: usize = 100;

/// What means nothing to any server.
static TAME: ByteSet = ByteSet::alphanumeric_and(b"-._");

/// Why a query is refused: 400. Holds no part of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// A parameter that some servers take for the protected one, or a value that they read differently.
    Ambiguous,
    /// A bad escape, a control character, bytes that are not UTF-8, or an empty value.
    Malformed,
    /// More than [`PARAMETERS_MAX`] parameters.
    TooManyParameters,
    /// More than [`VALUES_MAX`] values.
    TooManyValues,
}

/// Every value of the parameter `name`, decoded once, in order.
///
/// # Errors
/// Some server could read another value than these.
pub fn values<'q>(query: &'q str, name: &str) -> Result<Vec<Cow<'q, str>>, QueryError> {
    let mut values = Vec::new();
    let mut rest = Some(query);
    let mut count = 0_usize;
    while let Some(text) = rest {
        if count >= PARAMETERS_MAX {
            return Err(QueryError::TooManyParameters);
        }
        count = count.saturating_add(1);
        let (parameter, tail) = split_at(text, b'&').map_or((text, None), |(first, tail)| (first, Some(tail)));
        rest = tail;
        let (key, value) = split_at(parameter, b'=').unwrap_or((parameter, ""));
        if is_same(key.as_bytes(), name.as_bytes()) {
            if values.len() >= VALUES_MAX {
                return Err(QueryError::TooManyValues);
            }
            values.push(decode_value(value)?);
        } else if resembles(key, name)? || hides(parameter, name)? {
            return Err(QueryError::Ambiguous);
        }
    }
    Ok(values)
}

/// Whether the query names the parameter `name`, or may do so for some server.
pub(crate) fn names(query: &str, name: &str) -> bool {
    !query.is_empty() && values(query, name).map_or(true, |values| !values.is_empty())
}

/// Whether a parameter may turn the request into another method: `_method`, which Laravel and Symfony read in a POST,
/// `WordPress` in any request.
pub fn overrides_method(query: &str) -> bool {
    may_override_method(query) && is_overriding(query)
}

/// Byte by byte, as every request with a query gets here: in nearly all of them each name begins with a letter, which that of
/// no override does.
fn may_override_method(query: &str) -> bool {
    let mut before = b'&';
    let mut is_odd = false;
    for byte in query.bytes() {
        is_odd |= byte == b'%' || (matches!(before, b'&' | b';') && !byte.is_ascii_alphabetic());
        before = byte;
    }
    is_odd
}

#[inline(never)]
fn is_overriding(query: &str) -> bool {
    any_key(query, is_method_override) || (query.contains('%') && any_key_once_decoded(query, is_method_override))
}

/// Whether a field of this name does that.
pub(crate) fn is_method_override(name: &str) -> bool {
    // Nearly every name: none of another letter folds to it, and `method` itself means something else.
    !name.starts_with(|it: char| it.is_ascii_alphabetic()) && folds_to(name, "method")
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambiguous => "query can be read in two ways",
            Self::Malformed => "query is malformed",
            Self::TooManyParameters => "query has too many parameters",
            Self::TooManyValues => "query parameter has too many values",
        })
    }
}

impl std::error::Error for QueryError {}

fn key_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or(parameter)
}

#[inline(never)]
fn decode_value(raw: &str) -> Result<Cow<'_, str>, QueryError> {
    if raw.is_empty() {
        return Err(QueryError::Malformed);
    }
    // Nearly every value.
    if TAME.holds_all(raw.as_bytes()) {
        return Ok(Cow::Borrowed(raw));
    }
    // A space or a plus; the end of the value for those who split at it.
    if raw.contains(['+', ';', '=']) {
        return Err(QueryError::Ambiguous);
    }
    let value = percent::decode(raw).ok_or(QueryError::Malformed)?;
    if value.contains(char::is_control) {
        return Err(QueryError::Malformed);
    }
    // Decoded again by some.
    if value.contains('%') {
        return Err(QueryError::Ambiguous);
    }
    Ok(value)
}

/// Whether a server finds the protected parameter in this one that splits at `;`, or that decodes before it splits.
#[inline(never)]
fn hides(parameter: &str, name: &str) -> Result<bool, QueryError> {
    for piece in parameter.split(';').filter(|piece| piece.len() < parameter.len()) {
        if resembles(key_of(piece), name)? {
            return Ok(true);
        }
    }
    if !parameter.contains('%') {
        return Ok(false);
    }
    let protected = fold(name);
    Ok(any_key_once_decoded(parameter, |key| folds_to(key, &protected)))
}

/// Whether this holds of the name of a parameter, for a server that splits at `;` as well.
fn any_key(query: &str, is_it: impl Fn(&str) -> bool) -> bool {
    query.split(['&', ';']).any(|parameter| is_it(key_of(parameter)))
}

/// The same for a server that decodes before it splits, once or twice.
fn any_key_once_decoded(query: &str, is_it: impl Fn(&str) -> bool) -> bool {
    let once = percent::decode_lossy(query);
    any_key(&once, &is_it) || (percent::has_escape(&once) && any_key(&percent::decode_lossy(&once), &is_it))
}

/// Whether a server may take the parameter `key` for the one called `name`.
#[inline(never)]
fn resembles(key: &str, name: &str) -> Result<bool, QueryError> {
    let needs_decoding = |byte: u8| !byte.is_ascii() || b"%+[].;".contains(&byte);
    if !key.bytes().any(needs_decoding) {
        return Ok(alphanumerics(key).eq(alphanumerics(name)));
    }
    let once = percent::decode(key).ok_or(QueryError::Malformed)?;
    let twice = percent::decode_lossy(&once);
    let protected = fold(name);
    Ok(folds_to(&once, &protected) || folds_to(&twice, &protected))
}

fn alphanumerics(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase())
}

/// Whether a decoded name folds to `protected`, or leads through it to something below: `a[b]`, `a.b` for `a`.
pub(crate) fn folds_to(name: &str, protected: &str) -> bool {
    // C libraries end a text at NUL.
    let name = name.split('\0').next().unwrap_or(name);
    leads_through(name, protected) || leads_through(&without_indexes(name), protected)
}

/// Whether the name, or what stands before one of its nesting marks, folds to `protected`. One pass, since clients choose
/// the name.
#[inline(never)]
fn leads_through(name: &str, protected: &str) -> bool {
    let mut left = protected.chars();
    for character in name.chars() {
        if matches!(character, '[' | ']' | '.') && left.as_str().is_empty() {
            return true;
        }
        if folded(character).any(|it| left.next() != Some(it)) {
            return false;
        }
    }
    left.as_str().is_empty()
}

/// Letters and digits only, in one case; full-width forms as their ASCII twins.
#[inline(never)]
pub(crate) fn fold(name: &str) -> String {
    name.chars().flat_map(folded).collect()
}

fn folded(character: char) -> impl Iterator<Item = char> {
    in_one_case(character).filter(|it| it.is_alphanumeric())
}

/// The name without `[]`, `[7]` and `.7`.
#[inline(never)]
fn without_indexes(name: &str) -> String {
    let is_index = |text: &str| text.bytes().all(|it| it.is_ascii_digit() || it == b' ');
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        kept.push_str(before);
        rest = match after.split_once(']') {
            Some((inside, tail)) if is_index(inside) => tail,
            _ => after,
        };
    }
    kept.push_str(rest);
    kept.split('.').filter(|it| !is_index(it)).collect()
}

#[cfg(test)]
mod tests;
