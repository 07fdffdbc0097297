use std::collections::BTreeSet;

use super::*;

/// One denial of every kind.
fn every() -> Vec<Denial> {
    let limit = LimitReached { violated: Vec::new(), retry_after: Duration::ZERO, standings: Vec::new() };
    vec![
        Denial::Malformed(Malformed::Head),
        Denial::TokenMissing,
        Denial::TokenInvalid,
        Denial::TokenExpired,
        Denial::TierUnknown,
        Denial::SchoolOutOfScope,
        Denial::SchoolMissing,
        Denial::SchoolsTooLong,
        Denial::UpgradeRefused,
        Denial::NoRoute,
        Denial::MethodNotAllowed(String::new()),
        Denial::BodyUnsupported,
        Denial::LimitReached(limit),
        Denial::TooCostly,
        Denial::KeysUnavailable { retry_after: Duration::ZERO },
        Denial::Unavailable,
        Denial::KeyRefused,
        Denial::VendorMismatch,
        Denial::TokenRevoked,
        Denial::PermissionMissing,
        Denial::DistrictOutOfScope,
        Denial::ScopeMissing,
        Denial::BodyMalformed,
        Denial::BodyTooLarge,
        Denial::CredentialsAmbiguous,
        Denial::KeyInvalid,
        Denial::CredentialRetired(Retired { replacement: "x".into(), is_token: true }),
    ]
}

#[test]
fn codes_are_in_the_order_of_the_index() {
    let every = every();
    assert_eq!(every.len(), Denial::CODES.len());
    for (nth, denial) in every.iter().enumerate() {
        assert_eq!(denial.index(), nth, "{denial:?}");
        assert_eq!(denial.code(), Denial::CODES[nth], "{denial:?}");
    }
}

#[test]
fn codes_are_distinct_and_fit_metrics_and_fragments() {
    assert_eq!(BTreeSet::from(Denial::CODES).len(), Denial::CODES.len());
    for code in Denial::CODES {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
    }
}
