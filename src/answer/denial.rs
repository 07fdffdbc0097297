//! Denials: every way in which the filter refuses a request, as data.
//!
//! A denial carries what its answer needs and nothing that came from the client. What is fixed about the answer stands in
//! one table; [`crate::answer::problem`] writes it. The code names a denial in metrics, access logs and problem types.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use crate::limits::ledger::LimitStatus;

mod table;

pub(super) use table::Row;
use table::{RETIRED_KEY, ROWS};

/// One refusal.
#[derive(Clone, Debug, PartialEq)]
pub enum Denial {
    /// The head, the path or a parameter cannot be read in one way only.
    Malformed(Malformed),
    /// The route wants a token and the request has none.
    TokenMissing,
    /// The token is no valid token of the route's issuers.
    TokenInvalid,
    /// The token was valid once.
    TokenExpired,
    /// The token's tier is not configured, or its issuer may not grant it.
    TierUnknown,
    /// A school that was asked for is not in the token's list.
    SchoolOutOfScope,
    /// The route's rule wants a school and the request names none.
    SchoolMissing,
    /// The list of schools is longer than what may be forwarded.
    SchoolsTooLong,
    /// The route does not allow upgrades.
    UpgradeRefused,
    /// No route matches host and path.
    NoRoute,
    /// A route matches host and path, but not the method; the methods that would.
    MethodNotAllowed(String),
    /// A body that cannot be judged, or that could override the judged parameters.
    BodyUnsupported,
    /// A rate, cost or quota limit is used up.
    LimitReached(LimitReached),
    /// The request costs more than a tier's ceiling, or than a limit ever holds.
    TooCostly,
    /// The API key is missing, doubled, unknown, or not valid now.
    KeyRefused,
    /// The token belongs to another client than the API key.
    ClientMismatch,
    /// The token was revoked.
    TokenRevoked,
    /// The token lacks a permission that the route requires.
    PermissionMissing,
    /// A district that was asked for is not in the token's list.
    DistrictOutOfScope,
    /// The route's rule wants a district, or a school or a district, and the request names none.
    ScopeMissing,
    /// The body cannot be read in one way only.
    BodyMalformed,
    /// The body is longer than the route allows.
    BodyTooLarge,
    /// The request shows several credentials where one is called for.
    CredentialsAmbiguous,
    /// The API key that is shown instead of a token is unknown, or not valid now.
    KeyInvalid,
    /// The credential is good but for its date.
    CredentialRetired(Retired),
    /// The route is not for the caller's tier.
    TierNotAllowed,
    /// Keys cannot be had at the moment.
    KeysUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// The filter could not reach a decision (for example, shared data failed).
    Unavailable,
}

/// What could not be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The header map: empty, too large, or a doubled pseudo-header.
    Head,
    /// The path.
    Path,
    /// A judged parameter or header.
    Parameter,
    /// The parameter that multiplies the cost.
    CostParameter,
}

/// Which credential is retired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// What to use instead, as configured.
    pub replacement: Rc<str>,
    /// Whether it is a bearer token.
    pub is_token: bool,
}

/// Which limits refused.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitReached {
    /// Names of the limits that are used up, the one that binds longest first.
    pub violated: Vec<String>,
    /// Until the limit that binds longest admits the request.
    pub retry_after: Duration,
    /// How these limits stand, in the same order, for the `RateLimit` fields.
    pub statuses: Vec<LimitStatus>,
}

impl Denial {
    /// All codes, in the order of [`Denial::index`].
    pub fn codes() -> impl Iterator<Item = &'static str> {
        ROWS.iter().map(|row| row.code)
    }

    /// A small number for tables.
    pub const fn index(&self) -> usize {
        match self {
            Self::Malformed(_) => 0,
            Self::TokenMissing => 1,
            Self::TokenInvalid => 2,
            Self::TokenExpired => 3,
            Self::TierUnknown => 4,
            Self::SchoolOutOfScope => 5,
            Self::SchoolMissing => 6,
            Self::SchoolsTooLong => 7,
            Self::UpgradeRefused => 8,
            Self::NoRoute => 9,
            Self::MethodNotAllowed(_) => 10,
            Self::BodyUnsupported => 11,
            Self::LimitReached(_) => 12,
            Self::TooCostly => 13,
            Self::KeysUnavailable { .. } => 14,
            Self::Unavailable => 15,
            Self::KeyRefused => 16,
            Self::ClientMismatch => 17,
            Self::TokenRevoked => 18,
            Self::PermissionMissing => 19,
            Self::DistrictOutOfScope => 20,
            Self::ScopeMissing => 21,
            Self::BodyMalformed => 22,
            Self::BodyTooLarge => 23,
            Self::CredentialsAmbiguous => 24,
            Self::KeyInvalid => 25,
            Self::CredentialRetired(_) => 26,
            Self::TierNotAllowed => 27,
        }
    }

    /// The code: in metrics, access logs and problem types.
    pub fn code(&self) -> &'static str {
        self.row().code
    }

    /// What is fixed about its answer.
    pub(in crate::answer) fn row(&self) -> &'static Row {
        if let Self::CredentialRetired(Retired { is_token: false, .. }) = self {
            return &RETIRED_KEY;
        }
        let [first, ..] = &ROWS;
        ROWS.get(self.index()).unwrap_or(first)
    }

    /// What the client is told in words: fixed by code and configuration, since nothing of a request is repeated.
    pub(in crate::answer) fn detail(&self) -> Cow<'static, str> {
        let detail = self.row().detail;
        match self {
            Self::Malformed(what) => what.detail().into(),
            Self::CredentialRetired(retired) => [detail, " Use ", &retired.replacement, " instead."].concat().into(),
            _ => detail.into(),
        }
    }

    /// What a gRPC client is told (`google.rpc.Code`). Without it Envoy makes `UNAVAILABLE` of 429, which clients retry.
    pub fn grpc_status(&self) -> u8 {
        match self.row().status {
            // UNAUTHENTICATED
            401 => 16,
            // PERMISSION_DENIED
            403 => 7,
            // UNIMPLEMENTED: there is no such method here.
            404 | 405 => 12,
            // RESOURCE_EXHAUSTED
            413 | 429 => 8,
            // UNAVAILABLE
            503 => 14,
            // INVALID_ARGUMENT
            _ => 3,
        }
    }

    /// How long the client is asked to wait.
    pub(in crate::answer) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::LimitReached(limit) => Some(limit.retry_after),
            Self::KeysUnavailable { retry_after } => Some(*retry_after),
            Self::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

impl Malformed {
    const fn detail(self) -> &'static str {
        match self {
            Self::Head => "The request's headers cannot be read.",
            Self::Path => "The path holds an encoding or a segment that could be read in two ways.",
            Self::Parameter => "A parameter that decides about access is ambiguous or wrongly encoded.",
            Self::CostParameter => "The parameter that says how much is asked for must be one whole number from 1.",
        }
    }
}

#[cfg(test)]
mod tests;
