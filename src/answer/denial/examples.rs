/// One example of every denial, in the order of its index, as `envoy/errors.md` shows them. Tests here and in `tests/it`
/// include this file.
fn examples() -> Vec<Denial> {
    let limit =
        LimitReached { violated: vec!["cost".to_owned()], retry_after: Duration::from_secs(1), statuses: Vec::new() };
    vec![
        Denial::Malformed(Malformed::Path),
        Denial::TokenMissing,
        Denial::TokenInvalid,
        Denial::TokenExpired,
        Denial::TierUnknown,
        Denial::SchoolOutOfScope,
        Denial::SchoolMissing,
        Denial::SchoolsTooLong,
        Denial::UpgradeRefused,
        Denial::NoRoute,
        Denial::MethodNotAllowed("GET, HEAD".to_owned()),
        Denial::BodyUnsupported,
        Denial::LimitReached(limit),
        Denial::TooCostly,
        Denial::KeysUnavailable { retry_after: Duration::from_secs(1) },
        Denial::Unavailable,
        Denial::KeyRefused,
        Denial::ClientMismatch,
        Denial::TokenRevoked,
        Denial::PermissionMissing,
        Denial::DistrictOutOfScope,
        Denial::ScopeMissing,
        Denial::BodyMalformed,
        Denial::BodyTooLarge,
        Denial::CredentialsAmbiguous,
        Denial::KeyInvalid,
        Denial::CredentialRetired(Retired { replacement: "district tokens".into(), is_token: true }),
        Denial::TierNotAllowed,
    ]
}
