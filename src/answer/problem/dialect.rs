//! Dialects: error bodies as other APIs know them. One table says which code each denial has in each.

use super::{BODY_BYTES, push_text};
use crate::answer::denial::Denial;

/// The codes of one denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codes {
    /// `error` of the Student Data API.
    student: &'static str,
    /// `imsx_codeMinorFieldValue` of `OneRoster` 1.2.
    oneroster: &'static str,
    /// `error` of RFC 6749 and RFC 6750.
    oauth: &'static str,
}

/// The table.
pub(super) const fn codes(denial: &Denial) -> Codes {
    let (student, oneroster, oauth) = match denial {
        Denial::Malformed(_)
        | Denial::BodyMalformed
        | Denial::BodyTooLarge
        | Denial::BodyUnsupported
        | Denial::CredentialsAmbiguous => ("bad-request", "invaliddata", "invalid_request"),
        Denial::KeyRefused => ("Forbidden", "unauthorisedrequest", "invalid_client"),
        Denial::TokenMissing => ("unauthorized", "unauthorisedrequest", "unauthorized"),
        Denial::KeyInvalid => ("unauthorized", "unauthorisedrequest", "invalid_client"),
        Denial::CredentialRetired(retired) if retired.is_token => {
            ("credential-retired", "unauthorisedrequest", "invalid_token")
        }
        Denial::CredentialRetired(_) => ("credential-retired", "unauthorisedrequest", "invalid_client"),
        Denial::TokenInvalid | Denial::TokenExpired | Denial::TokenRevoked => {
            ("invalid-token", "unauthorisedrequest", "invalid_token")
        }
        Denial::DistrictOutOfScope => ("no-districtlea", "forbidden", "insufficient_scope"),
        Denial::SchoolOutOfScope
        | Denial::SchoolMissing
        | Denial::ScopeMissing
        | Denial::SchoolsTooLong
        | Denial::PermissionMissing
        | Denial::ClientMismatch => ("no-privilege", "forbidden", "insufficient_scope"),
        Denial::TierUnknown => ("Forbidden", "forbidden", "insufficient_scope"),
        Denial::UpgradeRefused => ("Forbidden", "forbidden", "invalid_request"),
        Denial::NoRoute => ("not-found", "unknownobject", "not_found"),
        Denial::MethodNotAllowed(_) => ("method-not-allowed", "invaliddata", "invalid_request"),
        Denial::LimitReached(_) => ("too-many-requests", "server_busy", "slow_down"),
        Denial::TooCostly => ("too-many-requests", "server_busy", "invalid_request"),
        Denial::KeysUnavailable { .. } | Denial::Unavailable => {
            ("unavailable", "server_busy", "temporarily_unavailable")
        }
    };
    Codes { student, oneroster, oauth }
}

/// A body of the Student Data API.
#[inline(never)]
pub(super) fn student_data_api(denial: &Denial, message: &str) -> String {
    let mut json = String::with_capacity(BODY_BYTES);
    json.push_str(r#"{"actionOk":false,"error":["#);
    push_text(&mut json, &[codes(denial).student]);
    json.push_str(r#"],"message":"#);
    push_text(&mut json, &[message]);
    json.push('}');
    json
}

/// `imsx_StatusInfo` (1EdTech `OneRoster` 1.2, REST binding).
#[inline(never)]
pub(super) fn oneroster(denial: &Denial, description: &str) -> String {
    let mut json = String::with_capacity(BODY_BYTES);
    json.push_str(r#"{"imsx_CodeMinor":{"imsx_codeMinorField":[{"imsx_codeMinorFieldName":"TargetEndSystem","#);
    json.push_str(r#""imsx_codeMinorFieldValue":"#);
    push_text(&mut json, &[codes(denial).oneroster]);
    json.push_str(r#"}]},"imsx_codeMajor":"failure","imsx_description":"#);
    push_text(&mut json, &[description]);
    json.push_str(r#","imsx_severity":"error"}"#);
    json
}

/// An error of RFC 6749 section 5.2.
#[inline(never)]
pub(super) fn oauth(denial: &Denial, description: &str) -> String {
    let mut json = String::with_capacity(BODY_BYTES);
    json.push_str(r#"{"error":"#);
    push_text(&mut json, &[codes(denial).oauth]);
    json.push_str(r#","error_description":"#);
    push_text(&mut json, &[description]);
    json.push('}');
    json
}

#[cfg(test)]
mod tests;
