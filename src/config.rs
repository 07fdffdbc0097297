//! The validated configuration: what the rest of the core works with, built once per load.
//!
//! [`Config::from_bytes`] takes what Envoy hands over (JSON, or a serialized `google.protobuf.Struct`) and
//! returns either this type or every problem found, each with its field's path.
//!
//! Readers are `inline(never)`: Envoy compiles the module as it loads, and the memory that this takes goes by the largest
//! functions. In one piece the readers were two functions of 30 KB, which took 11 MB more.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use crate::credentials::api_key::KeyList;
use crate::credentials::fetch::Remote;
use crate::credentials::grant::DistrictSchools;
use crate::credentials::ids::ListFormat;
use crate::credentials::jwt::claims::{ClaimPath, ClaimRules};
use crate::credentials::jwt::keyset::KeySet;
use crate::credentials::opaque::TokenList;
use crate::credentials::retirement::{Class, Schedule};
use crate::credentials::revocation::RevocationList;
use crate::limits::{Budget, Limit};
use crate::policy::route::Route;
use crate::values::names::Names;

mod access;
mod api_keys;
mod claims;
mod conflicts;
mod consistency;
mod cost;
mod diagnostics;
mod document;
mod duration;
mod filter_state;
mod forward;
mod grants;
mod issuers;
mod keys;
mod limit;
mod lists;
mod name;
mod position;
mod reader;
mod retirement;
mod route_tiers;
mod routes;
pub mod schema;
mod scope;
mod tiers;
mod tokens;
mod wire;

#[cfg(test)]
mod tests;

pub use diagnostics::ConfigErrors;
pub use filter_state::FilterStateField;

/// `problem_base` where none is configured: anchors of the README.
pub const PROBLEM_BASE_DEFAULT: &str = "https://github.com/hallpass/hallpass#";

/// Everything an operator configures.
#[derive(Debug)]
pub struct Config {
    /// `realm` of `WWW-Authenticate`.
    pub realm: String,
    /// The dialect of error bodies.
    pub errors: Dialect,
    /// Base URL of problem types; the kind is appended as a fragment.
    pub problem_base: String,
    /// Limits, cost, quotas and early scope only report (rule 14), for every tier.
    pub dry_run: bool,
    /// Issuers, in the order written.
    pub issuers: Vec<Issuer>,
    /// API keys, if routes require any.
    pub api_keys: Option<ApiKeys>,
    /// Which schools a district opens, for every issuer.
    pub district_schools: DistrictSchools,
    /// Tiers, in the order of their names: neither JSON nor protobuf keeps that of an object.
    pub tiers: Vec<Tier>,
    /// Routes; the first match wins.
    pub routes: Vec<Route>,
    /// Names of the headers that the upstream gets.
    pub forward: Forward,
    /// Which rate limit fields responses carry.
    pub rate_limit_headers: RateLimitHeaders,
    /// Whether only refusals by a limit carry them.
    pub rate_limit_headers_when_refused: bool,
    /// The budget of a source address for failed credentials.
    pub authentication_failures: Rc<[Limit]>,
    /// The response header in which the upstream tells the actual cost, lower case.
    pub settlement_header: Option<String>,
    /// What Envoy's filter state is told of a request, each once.
    pub filter_state: Vec<FilterStateField>,
    /// Bounds on what clients may send and on what a worker keeps.
    pub bounds: Bounds,
    /// What is allowed but unwise; logged at load. Each names its field's path.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads what Envoy hands over.
    ///
    /// # Errors
    /// Every problem of the document, not only the first.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ConfigErrors> {
        Self::from_bytes_in(bytes, &Environment::default())
    }

    /// The same, with the environment variables that the configuration may name.
    ///
    /// # Errors
    /// Every problem of the document, not only the first.
    pub fn from_bytes_in(bytes: &[u8], environment: &Environment) -> Result<Self, ConfigErrors> {
        document::read(&wire::read(bytes)?, environment)
    }

    /// When credentials of this class retire, if they do.
    pub fn retirement(&self, class: Class) -> Option<&Schedule> {
        match class {
            Class::ApiKeys => self.api_keys.as_ref()?.retirement.as_ref(),
            Class::Issuer(index) => self.issuers.get(index)?.retirement.as_ref(),
        }
    }

    /// The classes that have a schedule.
    pub fn retiring(&self) -> impl Iterator<Item = Class> {
        let issuers = (0..self.issuers.len()).map(Class::Issuer);
        [Class::ApiKeys].into_iter().chain(issuers).filter(|class| self.retirement(*class).is_some())
    }
}

/// Environment variables of the VM, from which secrets may be read. It has no `Debug`: nothing may print it.
#[derive(Default)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Names and values.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The shape of error bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 9457 `application/problem+json`.
    ProblemJson,
    /// `text/plain`, one line.
    Plain,
    /// `{"actionOk":false,"error":["code"],"message":"..."}`, of the Student Data API.
    StudentDataApi,
    /// `imsx_StatusInfo` of `OneRoster` 1.2.
    OneRoster,
    /// `{"error":"code","error_description":"..."}` (RFC 6749 section 5.2, RFC 6750 section 3.1).
    OAuth,
}

/// One issuer of tokens.
#[derive(Debug)]
pub struct Issuer {
    /// What its tokens must say.
    pub rules: ClaimRules,
    /// How its tokens are known.
    pub check: Check,
    /// Where revocations come from; `None`: none are looked at.
    pub revocations: Option<Source<RevocationList>>,
    /// Tiers that it may grant, by index; never empty.
    pub tiers: Vec<usize>,
    /// The tier of its tokens where no claim tells it.
    pub default_tier: Option<usize>,
    /// Schools that it may grant; `None`: any.
    pub schools: Option<Names>,
    /// When its tokens retire, if they do.
    pub retirement: Option<Schedule>,
}

/// How an issuer's tokens are known.
#[derive(Debug)]
pub enum Check {
    /// They are signed: the keys.
    Signature(Source<KeySet>),
    /// They are listed: random strings, by their hashes.
    List(Source<TokenList>),
}

impl Issuer {
    /// Where its keys come from, if its tokens are signed.
    pub const fn keys(&self) -> Option<&Source<KeySet>> {
        match &self.check {
            Check::Signature(keys) => Some(keys),
            Check::List(_) => None,
        }
    }

    /// Where the list of its tokens comes from, if they are listed.
    pub const fn tokens(&self) -> Option<&Source<TokenList>> {
        match &self.check {
            Check::Signature(_) => None,
            Check::List(tokens) => Some(tokens),
        }
    }
}

/// Where a document comes from.
#[derive(Debug)]
pub enum Source<T> {
    /// From the configuration.
    Inline(Rc<T>),
    /// From a URL, through an Envoy cluster.
    Remote(Remote),
}

impl<T> Source<T> {
    /// The document itself, if the configuration has it.
    pub fn inline(&self) -> Option<&T> {
        match self {
            Self::Inline(document) => Some(document),
            Self::Remote(_) => None,
        }
    }

    /// Where it is fetched from, if it is.
    pub const fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Inline(_) => None,
            Self::Remote(remote) => Some(remote),
        }
    }
}

/// API keys: how requests carry them, and which there are.
#[derive(Debug)]
pub struct ApiKeys {
    /// The request header, lower case.
    pub header: String,
    /// Whether the user of `Authorization: Basic` is a key as well.
    pub basic: bool,
    /// Whether keys reach the upstream.
    pub forward: bool,
    /// The issuer of the clients that keys name, by index; `None`: no token is bound to a key.
    pub issuer: Option<usize>,
    /// Where the list of keys comes from.
    pub source: Source<KeyList>,
    /// When keys retire, if they do.
    pub retirement: Option<Schedule>,
}

/// One tier.
#[derive(Debug)]
pub struct Tier {
    /// Name, as tokens carry it.
    pub name: String,
    /// Its limits, all of which a request must pass, by whose budget they draw on.
    pub budgets: Vec<Budget>,
    /// Ceiling for the cost of one request.
    pub max_cost: Option<NonZeroU32>,
    /// Limits, cost and quotas of this tier only report.
    pub dry_run: bool,
}

impl Tier {
    /// All its limits.
    pub fn limits(&self) -> impl Iterator<Item = &Limit> {
        self.budgets.iter().flat_map(|budget| budget.limits.iter())
    }
}

/// Names of the forwarded headers, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The approved schools.
    pub schools: String,
    /// The tier.
    pub tier: String,
    /// The client's id.
    pub client: String,
    /// The approved districts.
    pub districts: String,
    /// The permissions.
    pub permissions: String,
    /// How the list of schools is written.
    pub schools_format: ListFormat,
    /// A list of schools, districts or permissions longer than this many bytes is refused (403).
    pub schools_bytes_max: usize,
    /// Further claims, by the name of the header.
    pub claims: Vec<(String, ClaimPath)>,
    /// Whether `Authorization` reaches the upstream.
    pub authorization: bool,
}

impl Forward {
    /// All names, with the setting of each.
    #[inline(never)]
    pub fn names(&self) -> Vec<(&'static str, &str)> {
        let own = [
            ("schools", &self.schools),
            ("tier", &self.tier),
            ("client", &self.client),
            ("districts", &self.districts),
            ("permissions", &self.permissions),
        ];
        let of_claims = self.claims.iter().map(|(name, _)| ("claims", name));
        own.into_iter().chain(of_claims).map(|(setting, name)| (setting, name.as_str())).collect()
    }
}

/// Which rate limit fields responses carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitHeaders {
    /// `RateLimit-Policy` and `RateLimit`, draft-ietf-httpapi-ratelimit-headers-11.
    Draft11,
    /// `X-RateLimit-Limit`, `-Remaining`, `-Reset`, of the limit that is nearest to its end.
    XRateLimit,
    /// None.
    Off,
}

/// Bounds on what clients may send and on what a worker keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest token, bytes.
    pub token_bytes_max: usize,
    /// Verified tokens that a worker keeps.
    pub cached_tokens_max: usize,
    /// Bytes of tokens and identities that a worker keeps.
    pub cached_bytes_max: usize,
    /// Requests of one worker that may wait for keys at the same time.
    pub waiters_max: usize,
    /// Longest `Retry-After`.
    pub retry_after_max: Duration,
}
