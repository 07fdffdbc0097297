//! Permission tokens: HS512, 24 hours, the access scope of the moment of issue.

use std::{error::Error, fs, path::Path, time::Duration};

use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{LoginError, Vendors};
use crate::{
    auth::secret::random_text,
    token::{PermissionClaims, sign_hs512},
};

const ISSUER: &str = "https://students.example.com/";
const LIFETIME_S: i64 = 24 * 60 * 60;
const JTI_BYTES: usize = 16;
/// Shorter than the output of the hash is weaker than the hash (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 64;
/// For the local stack, where the gateway's configuration has the same.
const DEVELOPMENT_ONLY: &str = "development-only-permission-token-secret-of-64-bytes-or-more-0123456789";

/// The secret that login and gateway share.
pub(crate) struct TokenSecret(Vec<u8>);

impl TokenSecret {
    /// The secret of the file if one is named, else that of the environment, else the public development one.
    ///
    /// # Errors
    /// When the file cannot be read, or the secret has fewer than 64 bytes.
    pub(crate) fn choose(file: Option<&Path>, environment: Option<Vec<u8>>) -> Result<Self, Box<dyn Error>> {
        let bytes = match (file, environment) {
            (Some(path), _) => {
                let text = fs::read(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
                text.trim_ascii_end().to_vec()
            }
            (None, Some(secret)) => secret,
            (None, None) => DEVELOPMENT_ONLY.as_bytes().to_vec(),
        };
        if bytes.len() < SECRET_BYTES_MIN {
            let got = bytes.len();
            return Err(
                format!("the secret of permission tokens (expected {SECRET_BYTES_MIN} bytes, got {got})").into()
            );
        }
        Ok(Self(bytes))
    }
}

impl Vendors {
    /// A token for what the vendor may see now.
    pub(super) async fn issue_token(&self, client: &str) -> Result<String, LoginError> {
        loop {
            let state = self.state.lock().await;
            let vendor = state.vendors.get(client).ok_or(LoginError::Invalid)?;
            let iat = OffsetDateTime::now_utc().unix_timestamp();
            if state.revocations.issued_until(client).is_none_or(|until| until < iat) {
                let claims = PermissionClaims {
                    iss: ISSUER,
                    vendor: vendor.id.as_str(),
                    districts: &vendor.scope.districts,
                    schools: &vendor.scope.schools,
                    permissions: &vendor.scope.permissions,
                    jti: &random_text::<JTI_BYTES>(),
                    iat,
                    exp: iat.saturating_add(LIFETIME_S),
                };
                let payload = serde_json::to_string(&claims).map_err(|_| LoginError::Server)?;
                return sign_hs512(&self.secret.0, &payload).map_err(|_| LoginError::Server);
            }
            drop(state);
            // `iat` counts seconds, and those up to the change of the scope are void: a token of the second of
            // the change would be born void.
            tokio::time::sleep(left_of_second()).await;
        }
    }

    /// A token with any claims, taken byte for byte, for tests.
    pub(super) fn mint_token(&self, claims: &RawValue) -> Result<String, LoginError> {
        sign_hs512(&self.secret.0, claims.get()).map_err(|_| LoginError::Server)
    }
}

fn left_of_second() -> Duration {
    let gone = u64::from(OffsetDateTime::now_utc().millisecond());
    Duration::from_millis(1000_u64.saturating_sub(gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secret_is_refused() {
        assert!(TokenSecret::choose(None, Some(vec![b'x'; 63])).is_err());
        assert!(TokenSecret::choose(None, Some(vec![b'x'; 64])).is_ok());
        assert!(TokenSecret::choose(None, None).is_ok());
        // A file that is named and cannot be read: nothing else takes its place.
        assert!(TokenSecret::choose(Some(Path::new("does-not-exist")), Some(vec![b'x'; 64])).is_err());
    }
}
