//! The header of a token (RFC 7515 section 4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Alg, Header, TokenError, TokenType, is_kid};
use crate::values::json::tape::Node;

/// Bytes of a SHA-1 and of a SHA-256.
const SHA1_BYTES: usize = 20;
const SHA256_BYTES: usize = 32;

/// Reads what decides how the token is checked.
pub(super) fn read(header: Node<'_>) -> Result<Header, TokenError> {
    let alg = header.get("alg").and_then(Node::text).ok_or(TokenError::AlgMissing)?;
    let alg = Alg::from_name(alg).ok_or(TokenError::AlgUnsupported)?;
    if header.get("crit").is_some() || header.get("b64").is_some() {
        return Err(TokenError::Critical);
    }
    let typ = match header.get("typ") {
        None => None,
        Some(typ) => Some(typ.text().and_then(token_type).ok_or(TokenError::Typ)?),
    };
    let kid = match header.get("kid").map(|kid| kid.text().filter(|kid| is_kid(kid))) {
        None => None,
        Some(kid) => Some(kid.ok_or(TokenError::Kid)?.into()),
    };
    Ok(Header { alg, kid, typ })
}

/// RFC 7519 section 5.1 and RFC 9068 section 4; media types ignore case.
fn token_type(typ: &str) -> Option<TokenType> {
    let known =
        [("JWT", TokenType::Jwt), ("at+jwt", TokenType::AccessToken), ("application/at+jwt", TokenType::AccessToken)];
    known.into_iter().find(|(name, _)| typ.eq_ignore_ascii_case(name)).map(|(_, typ)| typ)
}

/// Checks what nothing here uses, but `jwt-compact` reads: nested tokens, other encodings, and wrong types are refused.
pub(super) fn check_unused(header: Node<'_>) -> Result<(), TokenError> {
    let is_good = |(name, value): (&str, Node<'_>)| match name {
        "cty" => value.is_null() || value.text().is_some_and(|it| it.eq_ignore_ascii_case("json")),
        "jku" | "x5u" => value.is_null() || value.text().is_some(),
        "x5t" => value.is_null() || value.text().is_some_and(|it| is_thumbprint(it, SHA1_BYTES)),
        "x5t#S256" => value.is_null() || value.text().is_some_and(|it| is_thumbprint(it, SHA256_BYTES)),
        _ => true,
    };
    if header.members().is_some_and(|mut members| members.all(is_good)) { Ok(()) } else { Err(TokenError::Header) }
}

/// Whether it is base64url of so many bytes, or of a longer text; padding is let pass.
fn is_thumbprint(value: &str, bytes: usize) -> bool {
    let once = value.strip_suffix('=').unwrap_or(value);
    let value = once.strip_suffix('=').unwrap_or(once);
    let Ok(decoded) = URL_SAFE_NO_PAD.decode(value) else {
        return false;
    };
    decoded.len() == bytes || (decoded.len() > bytes && std::str::from_utf8(&decoded).is_ok())
}
