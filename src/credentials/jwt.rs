//! Bearer tokens: compact JWS (RFC 7515) that carry a JWT (RFC 7519), read strictly.
//!
//! The order is fixed: [`jose`] reads the untrusted token, [`keyset`] picks the key, [`signature`] checks the
//! signature, [`claims`] judges what the token says. Only then is there a [`crate::filter::caller::Caller`], and only that is cached.

pub mod claims;
pub mod jose;
pub mod keyset;
pub mod signature;
#[cfg(test)]
pub(crate) mod testing;
