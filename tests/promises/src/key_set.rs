//! Key sets: any document is one or is refused; keys that are kept verify nothing that nobody signed.

use hallpass::credentials::jwt::jose::Alg;
use hallpass::credentials::jwt::keyset::{KEYS_MAX, KeySet, Origin};
use hallpass::credentials::jwt::signature::{NoHost, verify};
use serde_json::Value;

/// A JWK Set.
pub fn key_set(data: &[u8]) {
    for origin in [Origin::Inline, Origin::Remote] {
        let set = match KeySet::from_jwks(data, origin) {
            Ok(set) => set,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        assert!((1..=KEYS_MAX).contains(&set.keys().len()));
        let document: Value = serde_json::from_slice(data).unwrap();
        let listed = document["keys"].as_array().map_or(0, Vec::len);
        assert_eq!(set.keys().len() + set.skipped().len(), listed);
        for (at, key) in set.keys().iter().enumerate() {
            let is_secret = matches!(key.alg(), Alg::Hs256 | Alg::Hs384 | Alg::Hs512);
            assert!(!(is_secret && origin == Origin::Remote), "a secret from the network");
            let is_twin = |other: &str| key.kid() == Some(other);
            let uses = set.keys().iter().filter_map(|it| it.kid()).filter(|kid| is_twin(kid)).count();
            assert!(uses < 2, "two keys of one name");
            // Signatures cost time: a few are enough.
            if at < 2 {
                for length in [0, 32, 64, 96, 256] {
                    assert!(!verify(key, b"message", &vec![1; length], &NoHost));
                }
            }
        }
    }
}
