//! The head of a request: pseudo-headers and headers, as bytes, read from Envoy in one call.
//!
//! The buffer is a header map in the proxy-wasm "pairs" layout, little-endian: `u32` count, then for each pair the
//! `u32` lengths of name and value, then for each pair name, NUL, value, NUL. [`Head::parse`] is total, checks the
//! whole layout, and notes in the same pass where the headers stand that every request is judged by; nothing
//! is copied. Envoy hands over an *empty* map when a head has more than 1,024 entries or 1 MiB, so a request whose head
//! [`is_empty`](Head::is_empty) must be refused.

use std::fmt;
use std::slice;

/// The headers that the pass of [`Head::parse`] notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:authority`
    Authority,
    /// `:protocol` (RFC 8441)
    Protocol,
    /// `authorization`
    Authorization,
    /// `content-type`
    ContentType,
    /// `content-length`
    ContentLength,
    /// `transfer-encoding`
    TransferEncoding,
    /// `x-request-id`
    RequestId,
    /// `connection`
    Connection,
    /// `upgrade`
    Upgrade,
    /// `origin`
    Origin,
    /// `access-control-request-method`
    PreflightMethod,
}

/// A header that may stand once stands more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubled;

/// What `Authorization` holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// There is no such header.
    Absent,
    /// Anything but one bearer token: another scheme, two headers, a comma, a quote, two spaces, nothing at all.
    Malformed,
    /// The token, not empty, in the characters of `b64token` (RFC 6750 section 2.1).
    Token(&'a [u8]),
}

/// Where the first value of a known header stands, and how often the header does.
#[derive(Clone, Copy, Default)]
struct Place {
    at: usize,
    len: usize,
    seen: usize,
}

const KNOWN: usize = 13;

/// The head of a request, or its trailers. Owns the bytes.
#[derive(Default)]
pub struct Head {
    buffer: Vec<u8>,
    places: [Place; KNOWN],
    /// Whether the request ends with its head. The caller sets it; `false` until then.
    pub end_of_stream: bool,
}

/// The pairs of a head, in their order.
pub struct Pairs<'a> {
    sizes: slice::Iter<'a, [u8; 8]>,
    body: &'a [u8],
}

impl Head {
    /// Reads a serialized header map. `None`: the layout does not add up. No bytes at all are an empty map.
    pub fn parse(buffer: Vec<u8>) -> Option<Self> {
        let places = scan(&buffer)?;
        Some(Self { buffer, places, end_of_stream: false })
    }

    /// A head of these pairs, as Envoy would serialize it. For tests and tools.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Self {
        let mut sizes = Vec::new();
        let mut body = Vec::new();
        let mut count: u32 = 0;
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            let (Ok(name_len), Ok(value_len)) = (u32::try_from(name.len()), u32::try_from(value.len())) else {
                continue;
            };
            count = count.saturating_add(1);
            sizes.extend_from_slice(&name_len.to_le_bytes());
            sizes.extend_from_slice(&value_len.to_le_bytes());
            for text in [name, value] {
                body.extend_from_slice(text);
                body.push(0);
            }
        }
        let buffer = [&count.to_le_bytes()[..], &sizes, &body].concat();
        let places = scan(&buffer).unwrap_or_default();
        Self { buffer, places, end_of_stream: false }
    }

    /// The same head, with the flag set.
    #[must_use]
    pub fn ending(mut self, end_of_stream: bool) -> Self {
        self.end_of_stream = end_of_stream;
        self
    }

    /// Whether there is no header at all: Envoy's way to say that there are too many. Refuse such a request.
    pub fn is_empty(&self) -> bool {
        self.pairs().next().is_none()
    }

    /// Whether the request can be judged at all: the head is not empty, and no pseudo-header stands twice.
    pub fn is_sound(&self) -> bool {
        let pseudo = [Known::Method, Known::Path, Known::Authority, Known::Protocol];
        !self.is_empty() && pseudo.iter().all(|it| self.known(*it).is_ok())
    }

    /// All names and values, in their order.
    pub fn pairs(&self) -> Pairs<'_> {
        let (sizes, body) = layout(&self.buffer).unwrap_or_default();
        Pairs { sizes: sizes.iter(), body }
    }

    /// `:method`, if it stands once.
    pub fn method(&self) -> Option<&[u8]> {
        self.known(Known::Method).ok().flatten()
    }

    /// `:path`, if it stands once.
    pub fn path(&self) -> Option<&[u8]> {
        self.known(Known::Path).ok().flatten()
    }

    /// `:authority`, if it stands once.
    pub fn authority(&self) -> Option<&[u8]> {
        self.known(Known::Authority).ok().flatten()
    }

    /// The value of a header that the pass has noted. Costs no search.
    ///
    /// # Errors
    /// The header stands more than once.
    pub fn known(&self, known: Known) -> Result<Option<&[u8]>, Doubled> {
        match self.place(known) {
            Place { seen: 0, .. } => Ok(None),
            Place { seen: 1, at, len } => Ok(self.buffer.get(at..at.saturating_add(len))),
            _ => Err(Doubled),
        }
    }

    /// Whether a header that the pass has noted stands at least once.
    pub fn has(&self, known: Known) -> bool {
        self.place(known).seen > 0
    }

    /// Every value of the header `name`, in any case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.pairs().filter(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The one value of the header `name`, in any case.
    ///
    /// # Errors
    /// The header stands more than once.
    pub fn single<'a>(&'a self, name: &'a str) -> Result<Option<&'a [u8]>, Doubled> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Doubled),
        }
    }

    /// Reads `Authorization` (RFC 6750 section 2.1). The scheme in any case, then exactly one space, then the token.
    pub fn bearer(&self) -> Bearer<'_> {
        let value = match self.known(Known::Authorization) {
            Ok(None) => return Bearer::Absent,
            Ok(Some(value)) => value,
            Err(Doubled) => return Bearer::Malformed,
        };
        let Some((scheme, token)) = value.split_at_checked(SCHEME.len()) else {
            return Bearer::Malformed;
        };
        // Envoy joins two headers with a comma; no token contains one, nor a space.
        if scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty() && token.iter().all(|byte| is_token_byte(*byte)) {
            Bearer::Token(token)
        } else {
            Bearer::Malformed
        }
    }

    /// The token of a head whose [`bearer`](Self::bearer) was one.
    pub fn bearer_again(&self) -> Option<&[u8]> {
        self.known(Known::Authorization).ok()??.split_at_checked(SCHEME.len()).map(|(_, token)| token)
    }

    fn place(&self, known: Known) -> Place {
        self.places.get(known as usize).copied().unwrap_or_default()
    }
}

impl fmt::Debug for Head {
    /// Tells the number of headers only: values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({} headers)", self.pairs().count())
    }
}

impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Malformed => "Malformed",
            Self::Token(_) => "Token(..)",
        })
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [name, value, rest] = split_pair(*self.sizes.next()?, self.body)?;
        self.body = rest;
        Some((name, value))
    }
}

impl Known {
    fn of(name: &[u8]) -> Option<Self> {
        let candidates: &[(&str, Self)] = match name.len() {
            5 => &[(":path", Self::Path)],
            6 => &[("origin", Self::Origin)],
            7 => &[(":method", Self::Method), ("upgrade", Self::Upgrade)],
            9 => &[(":protocol", Self::Protocol)],
            10 => &[(":authority", Self::Authority), ("connection", Self::Connection)],
            12 => &[("content-type", Self::ContentType), ("x-request-id", Self::RequestId)],
            13 => &[("authorization", Self::Authorization)],
            14 => &[("content-length", Self::ContentLength)],
            17 => &[("transfer-encoding", Self::TransferEncoding)],
            29 => &[("access-control-request-method", Self::PreflightMethod)],
            _ => &[],
        };
        candidates.iter().find(|(it, _)| name.eq_ignore_ascii_case(it.as_bytes())).map(|(_, known)| *known)
    }
}

const SCHEME: &[u8] = b"bearer ";

/// Every byte of every token is looked up here, so it is a table.
static TOKEN_BYTES: [bool; 256] = token_bytes();

#[expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "runs when compiled; stays below 256")]
const fn token_bytes() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
        byte += 1;
    }
    table
}

fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES.get(usize::from(byte)).copied().unwrap_or(false)
}

/// The table of lengths, and what follows it.
fn layout(buffer: &[u8]) -> Option<(&[[u8; 8]], &[u8])> {
    if buffer.is_empty() {
        return Some((&[], &[]));
    }
    let (count, rest) = buffer.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (sizes, body) = rest.split_at_checked(count.checked_mul(8)?)?;
    Some((sizes.as_chunks().0, body))
}

/// Checks the whole layout and notes where the known headers stand.
fn scan(buffer: &[u8]) -> Option<[Place; KNOWN]> {
    let (sizes, mut body) = layout(buffer)?;
    let mut places = [Place::default(); KNOWN];
    for size in sizes {
        let [name, value, rest] = split_pair(*size, body)?;
        body = rest;
        if let Some(place) = Known::of(name).and_then(|known| places.get_mut(known as usize)) {
            let end = buffer.len().saturating_sub(rest.len()).saturating_sub(1);
            place.at = end.saturating_sub(value.len());
            place.len = value.len();
            place.seen = place.seen.saturating_add(1);
        }
    }
    body.is_empty().then_some(places)
}

/// The next name and value, and what follows them.
fn split_pair(size: [u8; 8], body: &[u8]) -> Option<[&[u8]; 3]> {
    let (name_len, value_len) = size.split_first_chunk::<4>()?;
    let value_len = value_len.first_chunk::<4>()?;
    let (name, rest) = split_text(*name_len, body)?;
    let (value, rest) = split_text(*value_len, rest)?;
    Some([name, value, rest])
}

/// A text of this length and the NUL behind it.
fn split_text(len: [u8; 4], body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = body.split_at_checked(usize::try_from(u32::from_le_bytes(len)).ok()?)?;
    Some((text, rest.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests;
