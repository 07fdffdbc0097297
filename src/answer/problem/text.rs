//! Status and texts of denials: fixed by code and configuration, since nothing of a request is repeated.

use std::borrow::Cow;

use crate::answer::denial::{Denial, Malformed, Retired};

/// The fixed part of an answer.
pub(super) struct Text {
    pub(super) status: u16,
    pub(super) title: &'static str,
    pub(super) detail: Cow<'static, str>,
}

/// The text of a denial.
#[inline(never)]
pub(super) fn of(denial: &Denial) -> Text {
    let (status, title, detail) = match denial {
        Denial::Malformed(what) => (400, "Bad request", malformed(*what)),
        Denial::TokenMissing => {
            (401, "Token missing", "This resource needs a bearer token in the Authorization header.")
        }
        Denial::TokenInvalid => (401, "Token invalid", "The token is not a valid token for this resource."),
        Denial::TokenExpired => {
            (401, "Token expired", "The token expired. Get a new one from the authorization server.")
        }
        Denial::TokenRevoked => (401, "Token revoked", "The token was revoked. Get a new one."),
        Denial::KeyRefused => (403, "Key refused", "This resource needs one valid API key."),
        Denial::CredentialsAmbiguous => {
            (400, "Ambiguous credentials", "This resource takes one credential, and the request shows several.")
        }
        Denial::KeyInvalid => (401, "Key invalid", "The API key is not a valid key for this resource."),
        Denial::CredentialRetired(it) => return retired(it),
        Denial::ClientMismatch => (403, "Client mismatch", "The token belongs to another client than the API key."),
        Denial::PermissionMissing => (403, "Permission missing", "The token lacks a permission for this resource."),
        Denial::DistrictOutOfScope => (
            403,
            "District out of scope",
            "A district that was asked for is not in the list of districts that the token approves.",
        ),
        Denial::ScopeMissing => (
            403,
            "Scope missing",
            "This resource must be asked for by district or school, and what it must be asked for by is not named.",
        ),
        Denial::BodyMalformed => (
            400,
            "Bad request",
            "The body must be one JSON object that every server reads alike, with fields of the right type.",
        ),
        Denial::BodyTooLarge => (413, "Body too large", "The body is longer than this resource takes."),
        Denial::TierUnknown => (403, "Tier unknown", "The caller's tier is not one that this API offers."),
        Denial::SchoolOutOfScope => (
            403,
            "School out of scope",
            "A school that was asked for is not in the list of schools that the token approves.",
        ),
        Denial::SchoolMissing => {
            (403, "School missing", "This resource must be asked for by school, and no school is named.")
        }
        Denial::SchoolsTooLong => (
            403,
            "Too many schools",
            "The token approves more schools than this gateway can forward. Ask for a token with fewer.",
        ),
        Denial::UpgradeRefused => (403, "Upgrade refused", "This resource does not allow protocol upgrades."),
        Denial::NoRoute => (404, "Not found", "There is nothing at this address."),
        Denial::MethodNotAllowed(_) => (405, "Method not allowed", "This resource does not allow the method."),
        Denial::BodyUnsupported => (
            415,
            "Unsupported body",
            "This resource takes no form, no encoded body, and no body without the content type that it reads.",
        ),
        Denial::LimitReached(_) => {
            (429, "Quota exceeded", "A limit is used up. Try again after the time in Retry-After.")
        }
        Denial::TooCostly => (
            429,
            "Request too costly",
            "This one request costs more than the tier ever allows at once, so waiting does not help. Ask for less or upgrade.",
        ),
        Denial::KeysUnavailable { .. } => (
            503,
            "Keys unavailable",
            "The keys that verify tokens cannot be had at the moment. Try again after the time in Retry-After.",
        ),
        Denial::Unavailable => (503, "Unavailable", "The gateway could not decide about this request. Try again."),
    };
    Text { status, title, detail: Cow::Borrowed(detail) }
}

/// The one text that is not the same everywhere: what to use instead is the operator's to say.
fn retired(retired: &Retired) -> Text {
    let what = if retired.is_token { "This token" } else { "This API key" };
    let detail = format!("{what} is retired and works no more. Use {} instead.", retired.replacement);
    Text { status: 401, title: "Credential retired", detail: Cow::Owned(detail) }
}

const fn malformed(what: Malformed) -> &'static str {
    match what {
        Malformed::Head => "The request's headers cannot be read.",
        Malformed::Path => "The path holds an encoding or a segment that could be read in two ways.",
        Malformed::Parameter => "A parameter that decides about access is ambiguous or wrongly encoded.",
        Malformed::CostParameter => "The parameter that says how much is asked for must be one whole number from 1.",
    }
}
