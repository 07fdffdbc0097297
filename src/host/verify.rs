//! Signature checks by the host: Envoy's foreign function `verify_signature`, which asks `BoringSSL`.
//!
//! It checks RSA PKCS#1 v1.5 and ECDSA with a signature in DER, several times faster than the same code inside the VM.
//! It knows neither PSS nor `EdDSA`, and other hosts do not have it: those are checked in Rust.

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

#[cfg(target_arch = "wasm32")]
use crate::credentials::jwt::signature::{Hash, HostCrypto};
use crate::host::status::Status;

/// Name of the foreign function.
pub const FUNCTION: &[u8] = b"verify_signature";

/// Arguments of `verify_signature` (`VerifySignatureArguments` in Envoy's `foreign.proto`); borrowed, as they are sent once.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    /// Name of the hash: `sha1`, `sha224`, `sha256`, `sha384` or `sha512`.
    pub hash_function: &'a str,
    /// Public key: `SubjectPublicKeyInfo` in DER.
    pub public_key: &'a [u8],
    /// Signature; in DER for ECDSA.
    pub signature: &'a [u8],
    /// What was signed.
    pub text: &'a [u8],
}

impl Arguments<'_> {
    /// The message on the wire: the fields 1 to 4, each with its length.
    pub fn encode(&self) -> Vec<u8> {
        let fields = [self.hash_function.as_bytes(), self.public_key, self.signature, self.text];
        // Key and length take up to 11 bytes.
        let bytes = fields.iter().fold(0_usize, |sum, field| sum.saturating_add(field.len()).saturating_add(11));
        let mut message = Vec::with_capacity(bytes);
        for (tag, field) in (1..).zip(fields) {
            encode_key(tag, WireType::LengthDelimited, &mut message);
            encode_varint(u64::try_from(field.len()).unwrap_or(u64::MAX), &mut message);
            message.extend_from_slice(field);
        }
        message
    }
}

/// Result of `verify_signature`; the error text beside it is not read.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Answer {
    /// Whether the signature is good.
    #[prost(bool, tag = "1")]
    pub result: bool,
}

/// What the answer of the host says: `None` where the host has no such function or could not say, so that Rust must check.
///
/// A failure of the host is no verdict: as a bad signature it would be remembered against a good token.
pub fn verdict(answer: Result<Vec<u8>, Status>) -> Option<bool> {
    match answer {
        Ok(bytes) => Some(Answer::decode(bytes.as_slice()).is_ok_and(|answer| answer.result)),
        Err(_) => None,
    }
}

/// The native crypto of the host.
#[cfg(target_arch = "wasm32")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Host;

#[cfg(target_arch = "wasm32")]
impl HostCrypto for Host {
    fn verify(&self, hash: Hash, spki_der: &[u8], signature: &[u8], message: &[u8]) -> Option<bool> {
        let arguments = Arguments { hash_function: hash_name(hash), public_key: spki_der, signature, text: message };
        verdict(crate::host::abi::call_foreign_function(FUNCTION, &arguments.encode()))
    }
}

/// The name of a hash as Envoy knows it.
#[cfg(target_arch = "wasm32")]
const fn hash_name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha256 => "sha256",
        Hash::Sha384 => "sha384",
        Hash::Sha512 => "sha512",
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Status, verdict};

    #[track_caller]
    fn check(answer: Result<&[u8], Status>, expected: Option<bool>) {
        assert_eq!(verdict(answer.map(<[u8]>::to_vec)), expected);
    }

    #[test]
    fn only_a_plain_yes_is_a_good_signature() {
        check(Ok(b"\x08\x01"), Some(true));
        // proto3 leaves a false out; so does a failure with a text beside it
        check(Ok(b""), Some(false));
        check(Ok(b"\x12\x03bad"), Some(false));
        check(Ok(b"\x08\x00"), Some(false));
        // not protobuf
        check(Ok(b"\xff"), Some(false));
    }

    #[test]
    fn host_without_the_function_leaves_it_to_rust() {
        check(Err(Status::NotFound), None);
        check(Err(Status::Unimplemented), None);
    }

    #[test]
    fn failure_of_the_host_is_no_verdict() {
        check(Err(Status::BadArgument), None);
        check(Err(Status::InternalFailure), None);
        check(Err(Status::Unknown(99)), None);
    }

    #[test]
    fn arguments_have_the_field_numbers_of_envoy() {
        let arguments = Arguments { hash_function: "sha256", public_key: b"k", signature: b"s", text: &[b't'; 200] };
        let text = [&b"\x22\xc8\x01"[..], &[b't'; 200]].concat();
        assert_eq!(arguments.encode(), [&b"\x0a\x06sha256\x12\x01k\x1a\x01s"[..], &text].concat());
    }
}
