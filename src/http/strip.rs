//! What a client may not send on: claim headers, overrides of path or method, hop-by-hop tricks.
//!
//! Names are compared as the most lenient server folds them, see `fold` of [`crate::http::head`].

use crate::http::basic;
use crate::http::head::{Doubled, Head, Known, fold, folds_alike};
use crate::values::bytes::is_same_in_any_case;

/// Names that are removed whatever the configuration says.
///
/// The default names of forwarded headers; then headers by which frameworks (Symfony, Laravel, Rails, Express, ASP.NET,
/// IIS, WSGI middleware, gateways) take another path or method than the one that the filter has judged; then two
/// variables of WSGI that Gunicorn takes from `SCRIPT_NAME` and `PATH_INFO`: it cuts the former off the path; and the charset
/// by which ASP.NET decodes the query of a `User-Agent` that begins with `UP`.
const ALWAYS: [&str; 23] = [
    "x-claim-schools",
    "x-claim-tier",
    "x-claim-client-id",
    "x-claim-districts",
    "x-claim-permissions",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-forwarded-method",
    "x-original-url",
    "x-original-uri",
    "x-original-path",
    "x-rewrite-url",
    "x-rewrite-uri",
    "x-override-url",
    "x-forwarded-uri",
    "x-forwarded-url",
    "x-forwarded-path",
    "x-script-name",
    "script-name",
    "path-info",
    "x-up-devcap-post-charset",
];

/// The request id, which is the filter's to set.
const REQUEST_ID: &str = "x-request-id";

/// What stays, while its other spellings are removed: the request id, and what says where a body ends and how it is read.
/// A server that takes `Transfer_Encoding` for it finds a second request in the body, which nobody has judged.
const ONE_SPELLING: [&str; 5] = [REQUEST_ID, "content-type", "content-length", "transfer-encoding", "content-encoding"];

/// By these, frameworks (Rails, Symfony, ASP.NET, Express) take another host than the one that the filter has judged: removed
/// where that matters.
const HOSTS: [&str; 6] =
    ["x-forwarded-host", "x-forwarded-server", "x-original-host", "x-http-host-override", "x-host", "forwarded"];

/// What every head is judged by as well: removed from trailers.
const HEAD_ALONE: [&str; 4] = ["authorization", "host", "connection", "upgrade"];

/// The names that are removed from requests and their trailers.
#[derive(Clone, Debug)]
pub struct StripSet {
    /// Folded.
    names: Vec<Box<[u8]>>,
    /// For each last byte, folded: bit `n` is set when a name of `n` bytes that ends in it is among them; bit 63 stands for
    /// every length from 63. Few headers get past this.
    endings: Box<[u64; 256]>,
    /// Whether Basic credentials are removed as well, since their user may be an API key.
    basic: bool,
    /// Folded names of what was judged in the head: in trailers, which some servers merge into it, they say something else.
    judged: Vec<Box<[u8]>>,
}

/// How a request wants to use the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// An ordinary request.
    Plain,
    /// An upgrade (RFC 9110 section 7.8) or an extended CONNECT (RFC 8441): only where the route allows it.
    Upgrade {
        /// `Connection` names more than `upgrade` and must be rewritten to `Upgrade`: the next hop would delete what it
        /// nominates, also the claim headers.
        rewrite: bool,
    },
    /// CONNECT, two `Upgrade` headers, or a `Connection` that nominates headers: always refused.
    Hostile,
}

impl StripSet {
    /// The default names, overrides, and `names`: those that are configured for forwarding and settlement.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self { names: Vec::new(), endings: Box::new([0; 256]), basic: false, judged: Vec::new() };
        for name in ALWAYS.into_iter().chain(ONE_SPELLING).chain(names) {
            let folded: Box<[u8]> = name.bytes().map(fold).collect();
            if !folded.is_empty() && !set.names.contains(&folded) {
                if let Some(bits) = folded.last().and_then(|last| set.endings.get_mut(usize::from(*last))) {
                    *bits |= length_bit(&folded);
                }
                set.names.push(folded);
            }
        }
        set
    }

    /// The same, and Basic credentials.
    #[must_use]
    pub fn and_basic(self) -> Self {
        Self { basic: true, ..self }
    }

    /// As [`new`](Self::new), and the names by which servers take another host: for routes of certain hosts.
    pub fn with_hosts<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(HOSTS.into_iter().chain(names))
    }

    /// The same; from trailers, these are removed as well, and what every head is judged by.
    #[must_use]
    pub fn judging<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = ONE_SPELLING.into_iter().chain(HEAD_ALONE).chain(names);
        Self { judged: names.map(|name| name.bytes().map(fold).collect()).collect(), ..self }
    }

    /// Whether a header of this name is removed. `x-request-id` and what tells of the body stay; their other spellings go.
    pub fn contains(&self, name: &[u8]) -> bool {
        let last = name.last().map_or(0, |last| usize::from(fold(*last)));
        self.endings.get(last).copied().unwrap_or(0) & length_bit(name) != 0 && self.is_listed(name)
    }

    #[inline(never)]
    fn is_listed(&self, name: &[u8]) -> bool {
        let is_kept = ONE_SPELLING.iter().any(|it| is_same_in_any_case(name, it.as_bytes()));
        !is_kept && self.names.iter().any(|it| folds_alike(it, name))
    }

    /// Whether a header of this name and value is removed.
    pub fn removes(&self, name: &[u8], value: &[u8]) -> bool {
        self.contains(name) || (self.basic && is_basic(name, value))
    }

    /// The names to remove from trailers, likewise.
    pub fn trailers_to_remove<'a>(&'a self, trailers: &'a Head) -> impl Iterator<Item = &'a [u8]> {
        let is_judged = |name: &[u8]| self.judged.iter().any(|it| folds_alike(it, name));
        trailers.pairs().filter(move |(name, value)| self.removes(name, value) || is_judged(name)).map(|(name, _)| name)
    }

    /// The names to remove, as they are spelled; a name that stands twice comes twice.
    pub fn names_to_remove<'a>(&'a self, head: &'a Head) -> impl Iterator<Item = &'a [u8]> {
        head.pairs().filter(move |(name, value)| self.removes(name, value)).map(|(name, _)| name)
    }
}

/// Judges `Connection`, `Upgrade`, `:protocol` and CONNECT.
pub fn connection(head: &Head) -> Connection {
    let (Ok(upgrade), Ok(protocol)) = (head.known(Known::Upgrade), head.known(Known::Protocol)) else {
        return Connection::Hostile;
    };
    let is_connect = head.method().is_some_and(|it| it.eq_ignore_ascii_case(b"CONNECT"));
    if is_connect != protocol.is_some() {
        return Connection::Hostile;
    }
    if upgrade.is_some() || is_connect {
        let rewrite = lists_more_than(head, &["upgrade"]);
        return Connection::Upgrade { rewrite };
    }
    // Envoy deletes `Connection` with what it nominates; if one is still there, do not let it travel on.
    if lists_more_than(head, &["keep-alive", "close", "upgrade", ""]) {
        return Connection::Hostile;
    }
    Connection::Plain
}

#[inline(never)]
fn is_basic(name: &[u8], value: &[u8]) -> bool {
    is_same_in_any_case(name, b"authorization") && basic::is_basic(value)
}

/// Whether `Connection` lists anything but these options.
fn lists_more_than(head: &Head, options: &[&str]) -> bool {
    let is_option = |token: &[u8]| {
        let token = token.trim_ascii();
        options.iter().any(|it| token.eq_ignore_ascii_case(it.as_bytes()))
    };
    match head.known(Known::Connection) {
        Ok(None) => false,
        Ok(Some(value)) => !value.split(|byte| *byte == b',').all(is_option),
        Err(Doubled) => true,
    }
}

fn length_bit(name: &[u8]) -> u64 {
    let bit = u32::try_from(name.len()).unwrap_or(u32::MAX).min(63);
    1_u64.checked_shl(bit).unwrap_or(0)
}

#[cfg(test)]
mod tests;
