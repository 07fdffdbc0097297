//! Routes: which rule a request falls under, by host, path and method; the first match wins.
//!
//! Paths are read as Envoy routes them (see [`crate::http::path`]); nothing is normalised here. Where a more lenient server
//! would read the path as one of an earlier route, the request is refused: it could fall under a weaker rule.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use crate::http::body;
use crate::http::head::{Head, Known};
use crate::http::path::{Fit, Pattern, RawPath, Stems};
use crate::limits::{Budget, Limit};
use crate::policy::cost;
use crate::policy::scope;
use crate::values::bytes::ByteSet;

pub use shadowing::{Shadow, host_bypasses, shadows, unreachable};

/// Which hosts a route serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMatch {
    /// Every host.
    Any,
    /// Exactly this host, lower case, without port.
    Exact(String),
    /// Every host below this domain: `*.example.com` is held as `.example.com`.
    Suffix(String),
}

/// A credential that a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An API key.
    ApiKey,
    /// `Authorization: Bearer` with a token of one of the route's issuers.
    Bearer,
}

/// How many of a route's credentials must be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// All of them.
    All,
    /// Exactly one of them.
    One,
}

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Host.
    pub host: HostMatch,
    /// Path pattern.
    pub path: Pattern,
    /// Methods, upper case; empty: every method but CONNECT. `GET` brings `HEAD` with it.
    pub methods: Vec<String>,
    /// What the caller must show; empty: an open route.
    pub require: Vec<Credential>,
    /// How many of these.
    pub quorum: Quorum,
    /// The issuers whose tokens open the route, by index into the configuration; never empty on a guarded route.
    pub issuers: Vec<usize>,
    /// Tiers whose clients may use it, by index; empty: every tier.
    pub tiers: Vec<usize>,
    /// Limits that it adds to those of a tier, by the index of the tier; none at all where no tier has any.
    pub tier_budgets: Vec<Vec<Budget>>,
    /// Where the school ids stand, if the filter checks them.
    pub scope: Option<scope::ScopeRule>,
    /// Where the district ids stand, if the filter checks them.
    pub districts: Option<scope::ScopeRule>,
    /// Whether a request that names neither a school nor a district is refused.
    pub one_required: bool,
    /// Permissions that the token must have, all of them.
    pub permissions: Vec<String>,
    /// How the body is read; `None`: no rule looks into it.
    pub body: Option<body::Rule>,
    /// What a request costs.
    pub cost: cost::CostRule,
    /// Limits per source address (for open routes such as the token endpoint).
    pub address_limits: Rc<[Limit]>,
    /// Limits per API key and source address for requests that the upstream refuses.
    pub failure_limits: Rc<[Limit]>,
    /// Whether CORS preflights pass without credentials.
    pub cors_preflight: bool,
    /// Whether upgrades (WebSocket) pass.
    pub upgrades: bool,
}

/// Which route a request falls under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The route of this index.
    Route(usize),
    /// A CORS preflight that the route of this index lets pass.
    Preflight(usize),
    /// Routes serve the host and path, but not the method: 405 with this `Allow`.
    WrongMethod(String),
    /// A server may read the path as one of an earlier route than the one it matches: 400.
    Ambiguous,
    /// No route: 404.
    None,
}

/// Whether this is a CORS preflight: OPTIONS with `Origin` and `Access-Control-Request-Method`, once each.
pub fn is_preflight(head: &Head) -> bool {
    let is_there = |known| matches!(head.known(known), Ok(Some(value)) if !value.is_empty());
    head.method() == Some(b"OPTIONS") && is_there(Known::Origin) && is_there(Known::PreflightMethod)
}

/// The first route that serves the host (an authority, with or without port), path and method.
pub fn find(routes: &[Route], authority: &[u8], path: &RawPath<'_>, method: &[u8], is_preflight: bool) -> Found {
    let Some(host) = host_name(authority) else {
        return Found::None;
    };
    let request = Request { host, path, stems: Stems::of(path), method, is_preflight };
    let mut may_be_earlier = false;
    let mut serves_path = false;
    for (index, route) in routes.iter().enumerate().filter(|(_, route)| request.may_fit(route)) {
        match (request.fit(route), request.is_served_by(route)) {
            (Fit::Exact, true) if may_be_earlier && request.is_ambiguous(routes, index) => {
                return Found::Ambiguous;
            }
            (Fit::Exact, true) if !route.path.is_one_path && request.is_behind_script(routes, index, &route.path) => {
                return Found::Ambiguous;
            }
            (Fit::Exact, true) if request.passes_preflight(route) => {
                return Found::Preflight(index);
            }
            (Fit::Exact, true) => return Found::Route(index),
            (Fit::Exact, false) => serves_path = true,
            (Fit::Loose, true) => may_be_earlier = true,
            (Fit::Loose, false) | (Fit::No, _) => {}
        }
    }
    if serves_path { Found::WrongMethod(request.allow(routes)) } else { Found::None }
}

/// What a request is routed by.
struct Request<'a> {
    host: &'a [u8],
    path: &'a RawPath<'a>,
    stems: Stems,
    method: &'a [u8],
    is_preflight: bool,
}

impl Request<'_> {
    /// Leaves few of many routes to be looked at.
    fn may_fit(&self, route: &Route) -> bool {
        route.path.may_fit(&self.stems)
    }

    fn fit(&self, route: &Route) -> Fit {
        if self.may_fit(route) && route.host.matches(self.host) { route.path.fit(self.path) } else { Fit::No }
    }

    fn is_served_by(&self, route: &Route) -> bool {
        allows(&route.methods, self.method) || self.passes_preflight(route)
    }

    fn passes_preflight(&self, route: &Route) -> bool {
        self.is_preflight && route.cors_preflight
    }

    /// Whether a lenient server takes the request for one of a route before `index`. Where two routes differ in the
    /// final slash only, the operator has told them apart.
    fn is_ambiguous(&self, routes: &[Route], index: usize) -> bool {
        let Some(route) = routes.get(index) else {
            return true;
        };
        routes.iter().take(index).any(|earlier| {
            self.fit(earlier) == Fit::Loose && self.is_served_by(earlier) && !earlier.path.is_sibling(&route.path)
        })
    }

    /// Whether PHP takes the request for one of a route before `index`, unless this one names the script.
    #[inline(never)]
    fn is_behind_script(&self, routes: &[Route], index: usize, own: &Pattern) -> bool {
        let Some(path) = self.path.without_script().filter(|_| !own.names_script()) else {
            return false;
        };
        let Some(path) = RawPath::again(path.as_bytes()) else {
            return true;
        };
        let behind = Request { path: &path, stems: Stems::of(&path), ..*self };
        routes.iter().take(index).any(|earlier| behind.fit(earlier) != Fit::No && behind.is_served_by(earlier))
    }

    /// The methods of every route that serves the host and path, joined for `Allow`.
    fn allow(&self, routes: &[Route]) -> String {
        let mut names: Vec<&str> = Vec::new();
        for route in routes.iter().filter(|it| self.fit(it) == Fit::Exact) {
            let listed = route.methods.iter().flat_map(|it| {
                let head = (it == "GET").then_some("HEAD");
                [Some(it.as_str()), head].into_iter().flatten()
            });
            let usual = route.methods.is_empty().then_some(USUAL_METHODS);
            for name in listed.chain(usual.into_iter().flatten()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names.join(", ")
    }
}

impl Route {
    /// What it adds to the limits of a tier.
    pub fn budgets_of(&self, tier: usize) -> &[Budget] {
        self.tier_budgets.get(tier).map_or(&[], Vec::as_slice)
    }

    /// Whether clients of this tier may use it.
    pub fn allows_tier(&self, tier: usize) -> bool {
        self.tiers.is_empty() || self.tiers.contains(&tier)
    }

    /// Whether the caller must show this credential.
    pub fn requires(&self, credential: Credential) -> bool {
        !self.is_either() && self.accepts(credential)
    }

    /// Whether one credential is to be shown where there are several kinds.
    pub fn is_either(&self) -> bool {
        self.quorum == Quorum::One
    }

    /// Whether this credential counts here.
    pub fn accepts(&self, credential: Credential) -> bool {
        self.require.contains(&credential)
    }
}

impl HostMatch {
    /// Whether the host (without port, in any case) is one of these.
    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(it) => host.eq_ignore_ascii_case(it.as_bytes()),
            Self::Suffix(suffix) => host
                .len()
                .checked_sub(suffix.len())
                .filter(|label_len| *label_len > 0)
                .and_then(|label_len| host.get(label_len..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(suffix.as_bytes())),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Any) | (Self::Exact(_), Self::Suffix(_)) => false,
            (_, Self::Exact(host)) => self.matches(host.as_bytes()),
            (Self::Suffix(mine), Self::Suffix(its)) => its.ends_with(mine.as_str()),
        }
    }
}

/// The host of an authority, without its port. `None`: it is none, or could be read in two ways.
fn host_name(authority: &[u8]) -> Option<&[u8]> {
    let (host, port) = if authority.first() == Some(&b'[') {
        let end = authority.iter().position(|byte| *byte == b']')?;
        let (host, port) = authority.split_at_checked(end.saturating_add(1))?;
        (host, is_ipv6(host).then_some(port)?)
    } else {
        let end = authority.iter().position(|byte| *byte == b':');
        let (host, port) = authority.split_at_checked(end.unwrap_or(authority.len()))?;
        (host, is_name(host).then_some(port)?)
    };
    match port {
        [] => Some(host),
        [b':', digits @ ..] if (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => Some(host),
        _ => None,
    }
}

/// An IPv6 address in brackets, as RFC 5952 writes it: `[0::1]` is `[::1]` for whoever connects.
pub(crate) fn is_ipv6(host: &[u8]) -> bool {
    let inner = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let text = inner.and_then(|inner| str::from_utf8(inner).ok()).unwrap_or_default();
    text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string().eq_ignore_ascii_case(text))
}

/// Names and IPv4 addresses. A dot at either end or twice in a row is refused: `a.example.` is `a.example` for some. What
/// ends in a number is an address for some (`127.1`, `0x7f.0.0.1`), so it must be one that reads the same for all.
pub(crate) fn is_name(host: &[u8]) -> bool {
    let mut before = b'.';
    let mut has_empty_label = false;
    for byte in host {
        has_empty_label |= (before, *byte) == (b'.', b'.');
        before = *byte;
    }
    !has_empty_label && before != b'.' && NAME.holds_all(host) && (!ends_in_number(host) || is_ipv4(host))
}

/// As the URL standard of WHATWG has it: digits, or hexadecimal ones behind `0x`.
fn ends_in_number(host: &[u8]) -> bool {
    let last = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    match last {
        [b'0', b'x' | b'X', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
        digits => digits.iter().all(u8::is_ascii_digit),
    }
}

#[inline(never)]
fn is_ipv4(host: &[u8]) -> bool {
    str::from_utf8(host).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

/// Whether the method is one of these. `GET` brings `HEAD`; none listed means every method but CONNECT.
fn allows(methods: &[String], method: &[u8]) -> bool {
    if methods.is_empty() {
        // In lower case a method is another one for Envoy, and the same for some servers.
        let is_proper = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
        return !method.is_empty() && method.iter().all(is_proper) && method != b"CONNECT";
    }
    methods.iter().any(|it| it.as_bytes() == method || (it == "GET" && method == b"HEAD"))
}

/// What the names of hosts consist of.
static NAME: ByteSet = ByteSet::alphanumeric_and(b"-_.");

/// What an `Allow` names for a route that serves every method.
const USUAL_METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

mod shadowing;
#[cfg(test)]
mod tests;
