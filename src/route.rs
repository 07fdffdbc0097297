//! Routes: which rule a request falls under, by host, path and method; the first match wins.
//!
//! Paths are judged as Envoy routes them (see [`crate::path`]); nothing is normalised here.

use std::rc::Rc;

use crate::cost;
use crate::limits::Limit;
use crate::path::Pattern;
use crate::scope;

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
    /// `Authorization: Bearer` with a token of one of the route's issuers.
    Bearer,
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
    /// The issuers whose tokens open the route, by index into the configuration; never empty on a guarded route.
    pub issuers: Vec<usize>,
    /// Where the school ids stand, if the filter is to judge them.
    pub scope: Option<scope::Rule>,
    /// What a request costs.
    pub cost: cost::Rule,
    /// Limits per source address (for open routes such as the token endpoint).
    pub address_limits: Rc<[Limit]>,
    /// Whether CORS preflights pass without credentials.
    pub cors_preflight: bool,
    /// Whether upgrades (WebSocket) pass.
    pub upgrades: bool,
}
