//! Query strings: the values of one protected parameter, or a refusal where two servers could read different ones.
//!
//! Servers differ in what they split at (`&`, `;`), how often they decode, which names they take for the same
//! (`School_ID`, `school.id`, `school_id[]`, `filter.school_id`), and which of several values they use. So a protected
//! parameter must be spelled as configured (reserved characters may be escaped, as clients do), every value of it counts,
//! and whatever could be taken for it is refused.

use std::borrow::Cow;
use std::fmt;

use crate::values::bytes::{ByteSet, in_one_case, is_same, split_once};
use crate::values::percent;

/// More parameters than this in a query with a protected one are refused: each is compared by name.
pub const PARAMETERS_MAX: usize = 1_000;

/// More values than this for one protected parameter are refused: each is looked up.
pub const VALUES_MAX: usize = 100;

/// What leads from a name to one below it.
const NESTING: [char; 3] = ['[', ']', '.'];

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
        let (parameter, tail) = split_once(text, b'&').map_or((text, None), |(first, tail)| (first, Some(tail)));
        rest = tail;
        let (key, value) = split_once(parameter, b'=').unwrap_or((parameter, ""));
        if is_same(key.as_bytes(), name.as_bytes()) || is_escaped_from(key, name) {
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

/// Parameters that turn a request into one of another method, folded: `_method` of Laravel and Symfony in a POST, of
/// `WordPress` in any request; `X-HTTP-Method-Override` of ASP.NET MVC, `x-tunneled-method` and `X-HTTP-Method` of Plack in
/// a POST.
const METHOD_OVERRIDES: [&str; 5] =
    ["method", "xhttpmethod", "xhttpmethodoverride", "xmethodoverride", "xtunneledmethod"];

/// Whether a parameter may turn the request into another method. A name behind a prefix (`form._method`) does not: servers
/// look the method up by its name, and bind parameters to objects only once they know it.
pub fn overrides_method(query: &str) -> bool {
    may_override_method(query) && is_overriding(query)
}

/// Byte by byte, as every request with a query gets here: in nearly all of them each name begins with a letter other than
/// `x`, which that of no override does.
fn may_override_method(query: &str) -> bool {
    let mut before = b'&';
    let mut is_odd = false;
    for byte in query.bytes() {
        is_odd |= byte == b'%' || (matches!(before, b'&' | b';') && !begins_plainly(byte));
        before = byte;
    }
    is_odd
}

#[inline(never)]
fn is_overriding(query: &str) -> bool {
    if !query.contains('%') {
        return any_key(query, is_method_override);
    }
    // ASP.NET reads `%u0058` as `X`.
    let is_in_words = query.contains("%u00") && any_key_once_decoded(&query.replace("%u00", "%"), is_method_override);
    is_in_words || any_key(query, is_method_override) || any_key_once_decoded(query, is_method_override)
}

/// Whether a field of this name does that.
pub(crate) fn is_method_override(name: &str) -> bool {
    // Nearly every name: none of another letter folds to one of them, and `method` itself means something else.
    !name.bytes().next().is_some_and(begins_plainly) && METHOD_OVERRIDES.iter().any(|it| folds_to(name, it))
}

const fn begins_plainly(first: u8) -> bool {
    first.is_ascii_alphabetic() && !matches!(first, b'x' | b'X')
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
    Ok(any_key_once_decoded(parameter, |key| is_taken_for(key, &protected)))
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
    Ok(is_taken_for(&once, &protected) || is_taken_for(&twice, &protected))
}

/// Whether the key is the name as clients write it: RFC 3986 (section 2.2) lets them escape `[` and `$`, and most do so. No
/// client escapes a letter, so that some server may see another name in it.
fn is_escaped_from(key: &str, name: &str) -> bool {
    let mut rest = key.as_bytes();
    for byte in name.bytes() {
        rest = match rest {
            [first, tail @ ..] if *first == byte => tail,
            [b'%', high, low, tail @ ..] if is_reserved(byte) && percent::byte(*high, *low) == Some(byte) => tail,
            _ => return false,
        };
    }
    rest.is_empty()
}

const fn is_reserved(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a header has this parameter's name: Spring binds both to one field, the header where the parameter is not there.
pub(crate) fn is_named_by_header(header: &[u8], name: &str) -> bool {
    let letters = header.iter().filter(|it| it.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
    !header.starts_with(b":") && letters.eq(alphanumerics(name))
}

fn alphanumerics(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase())
}

/// Whether a server may take a parameter of this decoded name for the one that folds to `protected`.
fn is_taken_for(name: &str, protected: &str) -> bool {
    folds_to(name, protected) || ends_in(name, protected)
}

/// Whether the name leads to `protected` from above: where a method takes an object that is called `filter`, ASP.NET finds
/// its `a` in `filter.a`, and only without that in `a`. Linear but for a search, since clients choose the name.
#[inline(never)]
fn ends_in(name: &str, protected: &str) -> bool {
    let mut folds = String::with_capacity(name.len());
    let mut bounds = Vec::new();
    for piece in name.split(NESTING) {
        bounds.push(folds.len());
        folds.extend(piece.chars().flat_map(folded));
    }
    bounds.push(folds.len());
    let is_at = |start: usize| {
        let is_there = folds.get(start..).is_some_and(|rest| rest.starts_with(protected));
        is_there && bounds.binary_search(&start.saturating_add(protected.len())).is_ok()
    };
    !protected.is_empty() && bounds.iter().any(|start| is_at(*start))
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
        if NESTING.contains(&character) && left.as_str().is_empty() {
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
