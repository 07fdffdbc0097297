//! Claims: what a token must say, and what it says about the caller.

use std::time::Duration;

/// Where a claim stands: a top-level member's name, or a JSON Pointer (RFC 6901) when it begins with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(pub String);

/// Names of the claims that describe the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The client's id: a string; always required.
    pub client: ClaimPath,
    /// The tier's name: a string; `None`: every token of the issuer has the issuer's default tier.
    pub tier: Option<ClaimPath>,
    /// The approved schools: an array of strings; `None`: tokens of this issuer carry no schools.
    pub schools: Option<ClaimPath>,
}

/// What a token of one issuer must satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRules {
    /// `iss`, compared byte by byte.
    pub issuer: String,
    /// Accepted `aud` values; empty: `aud` is not judged.
    pub audiences: Vec<String>,
    /// Tolerance for `exp`, `nbf` and `iat`.
    pub clock_skew: Duration,
    /// Longest accepted `exp - iat`; with it `iat` is required.
    pub lifetime_max: Option<Duration>,
    /// Claims that must be present and not null.
    pub required: Vec<ClaimPath>,
    /// Which claims describe the caller.
    pub names: ClaimNames,
}
