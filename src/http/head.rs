//! The head of a request: pseudo-headers and headers, as bytes, read from Envoy in one call.
//!
//! The buffer is a header map in the proxy-wasm "pairs" layout, little-endian: `u32` count, then for each pair the
//! `u32` lengths of name and value, then for each pair name, NUL, value, NUL. [`Head::parse`] is total, checks the
//! whole layout, and notes in the same pass where the headers stand that every request is judged by; nothing
//! is copied. Envoy hands over an *empty* map when a head has more than 1,024 entries or 1 MiB, so a request whose head
//! [`is_empty`](Head::is_empty) must be refused.

use std::fmt;
use std::slice;

use crate::values::bytes::{ByteSet, is_same_in_any_case};

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

/// How many headers are noted.
const KNOWN: usize = Known::PreflightMethod as usize + 1;

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
        Self::parse_showing(buffer, |_, _| {})
    }

    /// The same; shows every name and value to `look` in the same pass.
    pub fn parse_showing(buffer: Vec<u8>, look: impl FnMut(&[u8], &[u8])) -> Option<Self> {
        let mut head = Self { buffer, ..Self::default() };
        scan(&head.buffer, &mut head.places, look)?;
        Some(head)
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
        Self::parse([&count.to_le_bytes()[..], &sizes, &body].concat()).unwrap_or_default()
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

    /// Whether it is the head of a gRPC request, as Envoy tells it.
    pub fn is_grpc(&self) -> bool {
        let media = self.known(Known::ContentType).ok().flatten();
        let suffix = media.and_then(|media| media.strip_prefix(b"application/grpc"));
        suffix.is_some_and(|suffix| suffix.is_empty() || suffix.starts_with(b"+"))
    }

    /// Every value of the header `name`, in any case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.pairs().filter(|(it, _)| it.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Reads `Authorization` (RFC 6750 section 2.1). The scheme in any case, then exactly one space, then the token.
    pub fn bearer(&self) -> Bearer<'_> {
        // Envoy joins two headers with a comma; no token contains one, nor a space.
        match self.unread_bearer() {
            Some(token) if !token.is_empty() && TOKEN_BYTES.holds_all(token) => Bearer::Token(token),
            None if !self.has(Known::Authorization) => Bearer::Absent,
            _ => Bearer::Malformed,
        }
    }

    /// What follows `Bearer ` in the one `Authorization`, whatever it is: enough to find a token that is known already.
    pub fn unread_bearer(&self) -> Option<&[u8]> {
        let (scheme, token) = self.known(Known::Authorization).ok()??.split_at_checked(SCHEME.len())?;
        is_same_in_any_case(scheme, SCHEME).then_some(token)
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
        // Length and first byte leave one candidate at most.
        let (text, known) = match (name.len(), name.first()?.to_ascii_lowercase()) {
            (5, b':') => (":path", Self::Path),
            (6, b'o') => ("origin", Self::Origin),
            (7, b':') => (":method", Self::Method),
            (7, b'u') => ("upgrade", Self::Upgrade),
            (9, b':') => (":protocol", Self::Protocol),
            (10, b':') => (":authority", Self::Authority),
            (10, b'c') => ("connection", Self::Connection),
            (12, b'c') => ("content-type", Self::ContentType),
            (12, b'x') => ("x-request-id", Self::RequestId),
            (13, b'a') => ("authorization", Self::Authorization),
            (14, b'c') => ("content-length", Self::ContentLength),
            (17, b't') => ("transfer-encoding", Self::TransferEncoding),
            (29, b'a') => ("access-control-request-method", Self::PreflightMethod),
            _ => return None,
        };
        is_same_in_any_case(name, text.as_bytes()).then_some(known)
    }
}

/// One byte of a header's name, as the most lenient server reads it: CGI makes `X-Claim_Schools` and `x.claim.schools` the
/// variable `HTTP_X_CLAIM_SCHOOLS`, so case is none, and every character that is not alphanumeric is the same one.
pub(crate) const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

/// Whether a server may take the names of two headers for the same.
pub(crate) fn folds_alike(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| fold(*a) == fold(*b))
}

const SCHEME: &[u8] = b"Bearer ";

/// The characters of `b64token`.
static TOKEN_BYTES: ByteSet = ByteSet::alphanumeric_and(b"-._~+/=");

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
fn scan(buffer: &[u8], places: &mut [Place; KNOWN], mut look: impl FnMut(&[u8], &[u8])) -> Option<()> {
    let (sizes, mut body) = layout(buffer)?;
    for size in sizes {
        let [name, value, rest] = split_pair(*size, body)?;
        body = rest;
        look(name, value);
        if let Some(place) = Known::of(name).and_then(|known| places.get_mut(known as usize)) {
            let end = buffer.len().saturating_sub(rest.len()).saturating_sub(1);
            place.at = end.saturating_sub(value.len());
            place.len = value.len();
            place.seen = place.seen.saturating_add(1);
        }
    }
    body.is_empty().then_some(())
}

/// The next name and value, and what follows them.
fn split_pair(size: [u8; 8], body: &[u8]) -> Option<[&[u8]; 3]> {
    let [n0, n1, n2, n3, v0, v1, v2, v3] = size;
    let (name, rest) = split_text([n0, n1, n2, n3], body)?;
    let (value, rest) = split_text([v0, v1, v2, v3], rest)?;
    Some([name, value, rest])
}

/// A text of this length and the NUL behind it.
fn split_text(len: [u8; 4], body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = body.split_at_checked(usize::try_from(u32::from_le_bytes(len)).ok()?)?;
    Some((text, rest.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests;
