//! Scope: which schools a request asks for, and whether the caller may see them.
//!
//! [`requested`] finds the ids, or refuses a request that servers could read in two ways; [`check`] compares them with
//! what the caller was granted, byte by byte. All of them must be granted. Ids in a body are read by [`crate::http::body`].

use std::borrow::Cow;
use std::fmt;

use crate::http::body::{self, Pointer};
use crate::http::head::{Doubled, Head, Known, folds_alike};
use crate::http::path::{PathError, Pattern, RawPath};
use crate::http::query::{self, QueryError, VALUES_MAX};

/// Where the ids of a request stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A query parameter of this name.
    Query(String),
    /// A variable of the route's path template.
    Path(String),
    /// A request header of this name, lower case.
    Header(String),
    /// A member of the JSON body; [`crate::http::body`] reads it.
    Body(Pointer),
}

/// What to do with a request that names no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Refuse it (the default).
    Refuse,
    /// Let it pass; the upstream narrows the answer by the forwarded list.
    Allow,
}

/// The scope rule of a route for schools or for districts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRule {
    /// Where the ids stand.
    pub place: Location,
    /// What a request without one gets.
    pub missing: Missing,
    /// A character that separates several ids in one value; `None`: a value is one id.
    pub separator: Option<char>,
}

/// Why the scope of a request cannot be told. Holds no part of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// Servers could read different ids: 400.
    Ambiguous,
    /// An empty id, a bad escape, or bytes that no id has: 400.
    Malformed,
    /// More ids or parameters than are checked: 400.
    TooMany,
    /// A form, a body of unknown type, or that of a GET, whose fields may override the query or the path; or a charset in
    /// which the query reads otherwise: 415.
    FormBody,
}

/// What the caller's grant says about the ids asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeCheck {
    /// Every id is granted, or there is none and the rule allows that.
    Granted,
    /// At least one id is not granted.
    OutOfScope,
    /// There is no id, and the rule refuses that.
    Missing,
}

impl ScopeRule {
    /// Whether it takes the body to tell the ids.
    pub const fn is_in_body(&self) -> bool {
        matches!(self.place, Location::Body(_))
    }
}

/// The ids that a request asks for in its head, in order; none if it names none there.
///
/// # Errors
/// The ids cannot be told for sure.
pub fn requested<'a>(
    rule: &ScopeRule,
    head: &'a Head,
    path: &RawPath<'a>,
    pattern: &Pattern,
) -> Result<Vec<Cow<'a, str>>, ScopeError> {
    let query = path.query.unwrap_or_default();
    let values = match &rule.place {
        Location::Query(_) if may_override_query(head) => return Err(ScopeError::FormBody),
        Location::Query(name) => match query::values(query, name)? {
            values if values.is_empty() && rule.missing == Missing::Allow && has_header_of(head, name) => {
                return Err(ScopeError::Ambiguous);
            }
            values => values,
        },
        Location::Path(_) if has_odd_body(head) => return Err(ScopeError::FormBody),
        Location::Path(name) if query::names(query, name) => return Err(ScopeError::Ambiguous),
        Location::Path(name) => pattern.variable(path, name).into_iter().collect::<Result<_, _>>()?,
        Location::Header(name) => header_values(head, name, rule.separator)?,
        Location::Body(pointer) if body::is_overridden(query, pointer) => return Err(ScopeError::Ambiguous),
        Location::Body(_) => Vec::new(),
    };
    let Some(separator) = rule.separator else {
        return Ok(values);
    };
    // In a header list (`a, b`) spaces around an id are no part of it.
    split_all(&values, separator, matches!(rule.place, Location::Header(_)))
}

/// Compares the ids of [`requested`] with what the caller was granted.
pub fn check<I: AsRef<str>>(rule: &ScopeRule, requested: &[I], is_granted: impl Fn(&str) -> bool) -> ScopeCheck {
    match (requested.is_empty(), rule.missing) {
        (true, Missing::Allow) => ScopeCheck::Granted,
        (true, Missing::Refuse) => ScopeCheck::Missing,
        (false, _) if requested.iter().all(|id| is_granted(id.as_ref())) => ScopeCheck::Granted,
        (false, _) => ScopeCheck::OutOfScope,
    }
}

impl From<QueryError> for ScopeError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Ambiguous => Self::Ambiguous,
            QueryError::Malformed => Self::Malformed,
            QueryError::TooManyParameters | QueryError::TooManyValues => Self::TooMany,
        }
    }
}

impl From<PathError> for ScopeError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Ambiguous => Self::Ambiguous,
            _ => Self::Malformed,
        }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ambiguous => "scope can be read in two ways",
            Self::Malformed => "scope is malformed",
            Self::TooMany => "scope has too many values or parameters",
            Self::FormBody => "body or its type may override the query",
        })
    }
}

impl std::error::Error for ScopeError {}

/// Every id of every value; `trims`: without the spaces around it.
#[inline(never)]
fn split_all<'a>(values: &[Cow<'a, str>], separator: char, trims: bool) -> Result<Vec<Cow<'a, str>>, ScopeError> {
    let mut ids = Vec::new();
    for value in values {
        match value {
            Cow::Borrowed(text) => ids.extend(split(text, separator, trims).into_iter().map(Cow::Borrowed)),
            Cow::Owned(text) => {
                ids.extend(split(text, separator, trims).into_iter().map(|id| Cow::Owned(id.to_owned())));
            }
        }
        if ids.len() > VALUES_MAX {
            return Err(ScopeError::TooMany);
        }
    }
    if ids.iter().any(|id| id.is_empty()) {
        return Err(ScopeError::Malformed);
    }
    Ok(ids)
}

#[inline(never)]
fn split(text: &str, separator: char, trims: bool) -> Vec<&str> {
    // One more than allowed is enough to tell.
    let ids = text.split(separator).take(VALUES_MAX.saturating_add(1));
    ids.map(|id| if trims { id.trim_matches(' ') } else { id }).collect()
}

/// Every value of the header; refuses other spellings that a server may fold to its name.
#[inline(never)]
fn header_values<'a>(head: &'a Head, name: &str, separator: Option<char>) -> Result<Vec<Cow<'a, str>>, ScopeError> {
    let mut values = Vec::new();
    for (it, value) in head.pairs() {
        if it.eq_ignore_ascii_case(name.as_bytes()) {
            if values.len() >= VALUES_MAX {
                return Err(ScopeError::TooMany);
            }
            values.push(Cow::Borrowed(header_value(value, separator)?));
        } else if folds_alike(it, name.as_bytes()) {
            return Err(ScopeError::Ambiguous);
        }
    }
    Ok(values)
}

fn header_value(value: &[u8], separator: Option<char>) -> Result<&str, ScopeError> {
    let text = str::from_utf8(value).map_err(|_| ScopeError::Malformed)?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(ScopeError::Malformed);
    }
    // A comma joins two headers for some.
    if text.contains(',') && separator != Some(',') {
        return Err(ScopeError::Ambiguous);
    }
    Ok(text)
}

/// Whether a server may read another query than the filter: the body may override it (a form does for many servers), or the
/// charset of `Content-Type` may say how to decode it (it does for Django and ASP.NET: `+ACY-` is `&` in UTF-7).
pub(crate) fn may_override_query(head: &Head) -> bool {
    has_odd_body(head) || (has_body(head) && may_be_form(head)) || has_odd_charset(head)
}

/// Whether a header may stand for a parameter that is not there.
pub(crate) fn has_header_of(head: &Head, parameter: &str) -> bool {
    head.pairs().any(|(name, _)| query::is_named_by_header(name, parameter))
}

/// A body that has no business there overrides query and path for servers that read JSON first (Laravel, `req.param` of
/// Express).
fn has_odd_body(head: &Head) -> bool {
    matches!(head.method(), Some(b"GET" | b"HEAD")) && has_body(head)
}

fn has_body(head: &Head) -> bool {
    !(head.end_of_stream || is_upgrade(head))
        || head.has(Known::TransferEncoding)
        || !matches!(head.known(Known::ContentLength), Ok(None | Some(b"0")))
}

/// Whether what follows the head is an upgraded stream (RFC 9110 section 7.8, RFC 8441): such a request never ends with its
/// head, and has a body only if it says so.
#[inline(never)]
fn is_upgrade(head: &Head) -> bool {
    let is_there = |known| matches!(head.known(known), Ok(Some(_)));
    let is_listed =
        |options: &[u8]| options.split(|it| *it == b',').any(|it| it.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
    let lists_upgrade = matches!(head.known(Known::Connection), Ok(Some(options)) if is_listed(options));
    (is_there(Known::Upgrade) && lists_upgrade) || (is_there(Known::Protocol) && head.method() == Some(b"CONNECT"))
}

/// Whether some server may read the body as form fields: a form type, none, two, or one that cannot be read.
#[inline(never)]
fn may_be_form(head: &Head) -> bool {
    let value = match head.known(Known::ContentType) {
        Ok(Some(value)) => value,
        Ok(None) | Err(Doubled) => return true,
    };
    let media = value.split(|byte| *byte == b';').next().unwrap_or(value).trim_ascii();
    let mut parts = media.split(|byte| *byte == b'/');
    let (Some(kind), Some(subtype), None) = (parts.next(), parts.next(), parts.next()) else {
        return true;
    };
    let is_token =
        |part: &[u8]| !part.is_empty() && part.iter().all(|it| it.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(it));
    !is_token(kind)
        || !is_token(subtype)
        || value.contains(&b',')
        || kind.eq_ignore_ascii_case(b"multipart")
        || is_urlencoded(subtype)
}

fn has_odd_charset(head: &Head) -> bool {
    match head.known(Known::ContentType) {
        Ok(None) => false,
        Ok(Some(value)) => !is_query_charset(value),
        Err(Doubled) => true,
    }
}

/// Whether each charset that the type names is one in which a query reads as in ASCII; `charset*=''utf-7` names one too.
#[inline(never)]
fn is_query_charset(media: &[u8]) -> bool {
    let media = media.to_ascii_lowercase();
    let mut behind = media.windows(CHARSET.len()).enumerate().filter(|(_, it)| *it == CHARSET).map(|(at, _)| {
        let end = at.saturating_add(CHARSET.len());
        media.get(end..).unwrap_or_default()
    });
    behind.all(|rest| {
        let value = rest.strip_prefix(b"=").unwrap_or_default();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        QUERY_CHARSETS.iter().any(|it| {
            let after = value.strip_prefix(*it);
            after.is_some_and(|after| after.first().is_none_or(|byte| b"\";, \t".contains(byte)))
        })
    })
}

const CHARSET: &[u8] = b"charset";

/// Charsets whose ASCII is ASCII, and that clients send.
const QUERY_CHARSETS: [&[u8]; 4] = [b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1"];

/// `x-www-form-urlencoded`, and what old Werkzeug (`x-url-encoded`) and CGI.pm (anything behind it) take for it.
fn is_urlencoded(subtype: &[u8]) -> bool {
    let letters: Vec<u8> = subtype.iter().filter(|it| it.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    letters.windows(URLENCODED.len()).any(|part| part == URLENCODED)
}

const URLENCODED: &[u8] = b"urlencoded";

#[cfg(test)]
mod tests;
