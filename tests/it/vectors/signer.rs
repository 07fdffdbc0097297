//! Signs with every algorithm. Of each there are two keys; the second is known to nobody else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass::credentials::jwt::jose::Alg;
use jsonwebtoken::Algorithm;
use p384::ecdsa::SigningKey;
use p384::ecdsa::signature::Signer as _;
use serde_json::{Value, json};

use super::b64;
use crate::support::tokens::{self, Key};

const SECRETS: [&[u8]; 2] = [
    b"a shared secret of sixty-four bytes, which is what HS512 asks for",
    b"another secret of sixty-four bytes, which is what HS512 asks for!",
];

/// A key for one algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Signer {
    pub alg: Alg,
    /// Which of the two keys: 0 or 1.
    pub nth: usize,
}

impl Signer {
    pub const fn first(alg: Alg) -> Self {
        Self { alg, nth: 0 }
    }

    fn key(self) -> Key {
        let pair = match self.alg {
            Alg::Hs256 | Alg::Hs384 | Alg::Hs512 => SECRETS.map(Key::Secret),
            Alg::Es256 => [Key::P256No1, Key::P256No2],
            Alg::EdDsa => [Key::Ed25519No1, Key::Ed25519No2],
            _ => [Key::Rsa1, Key::Rsa2],
        };
        pair[self.nth]
    }

    fn p384(self) -> SigningKey {
        SigningKey::from_slice(&[[0x17; 48], [0x18; 48]][self.nth]).expect("a scalar")
    }

    /// The public half, or the secret, without `alg` and `kid`.
    pub fn jwk(self) -> Value {
        if self.alg != Alg::Es384 {
            return self.key().jwk();
        }
        let point = self.p384().verifying_key().to_encoded_point(false);
        let (x, y) = (b64(point.x().expect("x")), b64(point.y().expect("y")));
        json!({"kty": "EC", "crv": "P-384", "x": x, "y": y})
    }

    /// A compact token of these bytes.
    pub fn token(self, header: &[u8], payload: &[u8]) -> String {
        if self.alg != Alg::Es384 {
            let algorithm: Algorithm = self.alg.name().parse().expect("an algorithm");
            return tokens::sign(header, payload, self.key(), algorithm);
        }
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature: p384::ecdsa::Signature = self.p384().sign(input.as_bytes());
        format!("{input}.{}", b64(signature.to_bytes()))
    }
}
