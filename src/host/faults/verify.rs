//! Signature checks on demand: how this module and its host judge a signature over any bytes, not only over tokens.
//!
//! A request with `x-test-keys` (a JWK Set) and any number of `x-test-signature` (`message.signature`), all in base64url, is
//! answered 200 with two characters for each signature: what [`signature::verify`] says with the host beside it, `Y` or `N`
//! where the host was asked and told, `y` or `n` where Rust did it; then what Rust alone says. The set is read as the
//! configuration's would be; one that is refused is answered 422, with the reason.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::credentials::jwt::keyset::{KeySet, Origin};
use crate::credentials::jwt::signature::{self, Hash, HostCrypto, NoHost};
use crate::host::abi::{self, LocalResponse, MapType};
use crate::host::verify::Host;
use crate::http::head::Head;

/// Answers the request if it asks for checks; says whether it did.
pub fn on_request() -> bool {
    let Some(head) = abi::header_pairs(MapType::RequestHeaders).ok().and_then(Head::parse) else {
        return false;
    };
    let Some(keys) = head.values("x-test-keys").next() else {
        return false;
    };
    let (status, body) = match judge(keys, &head) {
        Ok(verdicts) => (200, verdicts),
        Err(reason) => (422, reason),
    };
    let headers = [(&b"content-type"[..], &b"text/plain"[..])];
    let response = LocalResponse { status, details: "test", headers: &headers, body: body.as_bytes(), grpc_status: 0 };
    abi::send_local_response(&response).is_ok()
}

fn judge(keys: &[u8], head: &Head) -> Result<String, String> {
    let keys = URL_SAFE_NO_PAD.decode(keys).map_err(|error| error.to_string())?;
    let keys = KeySet::from_jwks(&keys, Origin::Inline).map_err(|error| error.to_string())?;
    let key = keys.keys().first().ok_or("no key")?;
    let mut verdicts = String::new();
    for pair in head.values("x-test-signature") {
        let dot = pair.iter().position(|byte| *byte == b'.').ok_or("no dot")?;
        let (message, signature) = pair.split_at_checked(dot).ok_or("no dot")?;
        let message = URL_SAFE_NO_PAD.decode(message).map_err(|error| error.to_string())?;
        let signature =
            URL_SAFE_NO_PAD.decode(signature.get(1..).unwrap_or_default()).map_err(|error| error.to_string())?;
        let witness = Witness::default();
        let with_host = signature::verify(key, &message, &signature, &witness);
        let told = witness.told.get();
        // Where the host was of no use, Rust has just done it.
        let alone = if told { signature::verify(key, &message, &signature, &NoHost) } else { with_host };
        verdicts.push(match (with_host, told) {
            (true, true) => 'Y',
            (false, true) => 'N',
            (true, false) => 'y',
            (false, false) => 'n',
        });
        verdicts.push(if alone { 'y' } else { 'n' });
    }
    Ok(verdicts)
}

/// The host, and whether it was asked and told.
#[derive(Default)]
struct Witness {
    told: Cell<bool>,
}

impl HostCrypto for Witness {
    fn verify(&self, hash: Hash, spki_der: &[u8], signature: &[u8], message: &[u8]) -> Option<bool> {
        let answer = Host.verify(hash, spki_der, signature, message);
        self.told.set(answer.is_some());
        answer
    }
}
