//! Tokens: read without a panic; what is accepted, a lenient reader reads alike; claims that pass can stand in headers.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallpass::credentials::ids::{Ids, ListFormat};
use hallpass::credentials::jwt::claims::{
    BoundTokens, ClaimNames, ClaimPath, ClaimRules, ClaimSource, Claims, GrantNames, RequiredClaim,
};
use hallpass::credentials::jwt::jose::{Alg, Payload, TokenError};
use hallpass::credentials::jwt::keyset::{KeySet, Origin, Secret};
use hallpass::credentials::jwt::signature::{NoHost, verify_compact};
use hallpass::values::json::Limits;
use hallpass::values::json::tape::Tape;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use upstreams::body::documents;

use crate::{NOW, is_header_safe, line};

/// The secret of every token here. It guards nothing.
pub(crate) const SECRET: &[u8; 33] = b"fuzzing needs a secret of its own";

thread_local! {
    /// Public keys of every kind, those of RFC 7515 and RFC 8037.
    static PUBLIC: KeySet = KeySet::from_jwks(include_bytes!("public_keys.json"), Origin::Remote).unwrap();
    static SECRETS: KeySet = {
        let secret = Secret { kid: None, alg: Alg::Hs256, bytes: SECRET };
        KeySet::from_secrets(&[secret]).unwrap()
    };
}

/// A compact token as it comes. Nobody has signed it, so it is refused.
pub fn token(data: &[u8]) {
    let verdict = PUBLIC.with(|keys| verify_compact(keys, data, &NoHost));
    if let Ok(payload) = verdict {
        assert!(is_example(data), "accepted {payload}");
    }
    if let Err(error) = SECRETS.with(|keys| verify_compact(keys, data, &NoHost)) {
        assert!(!error.to_string().is_empty());
    }
}

/// Whether the token is one that the owner of a public key has signed: the examples of the RFCs, and ours of the corpus.
fn is_example(token: &[u8]) -> bool {
    static EXAMPLES: OnceLock<Vec<&'static str>> = OnceLock::new();
    let examples = EXAMPLES.get_or_init(|| include_str!("signed_examples.txt").lines().collect());
    examples.iter().any(|it| it.as_bytes() == token)
}

/// The first line is the header of a token, what follows it the payload; signed here.
pub fn signed(data: &[u8]) {
    let (header, payload) = line(data);
    let token = sign(header, payload);
    let judged = SECRETS.with(|keys| verify_compact(keys, token.as_bytes(), &NoHost));
    let claims = match judged {
        Ok(claims) => claims,
        Err(error) => return assert_ne!(error, TokenError::Signature, "{token}"),
    };
    for (bytes, what) in [(header, "header"), (payload, "payload")] {
        assert_eq!(documents(bytes).len(), 1, "{what} of {token} is read in two ways");
    }
    assert_eq!(serde_json::from_slice::<Value>(payload).ok().as_ref(), Some(&claims), "{token}");
    let header: Value = serde_json::from_slice(header).unwrap_or_default();
    assert_eq!(header["alg"], "HS256", "{token}");
    assert!(header.get("crit").is_none() && header.get("b64").is_none(), "{token}");
    let tape = Tape::parse(payload, Limits::TOKEN).unwrap();
    if let Ok(accepted) = rules().validate(&Payload { typ: None, claims: tape }, NOW) {
        check_claims(&accepted, &claims);
    }
}

/// A token with this header and this payload.
pub(crate) fn sign(header: &[u8], payload: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn rules() -> ClaimRules {
    let path = ClaimSource::new;
    ClaimRules {
        issuer: "i".to_owned(),
        audiences: vec!["a".to_owned()],
        clock_skew: std::time::Duration::from_secs(30),
        lifetime_max: Some(std::time::Duration::from_hours(24)),
        required: vec![RequiredClaim { path: ClaimPath("/x/y".to_owned()), values: vec![] }],
        types: vec![],
        bound_tokens: BoundTokens::Refuse,
        names: ClaimNames {
            client: path("client_id"),
            tier: Some(path("tier")),
            schools: Some(path("schools")),
            grants: GrantNames {
                districts: Some(path("districts")),
                permissions: None,
                district_schools: Some(path("open")),
                id: Some(ClaimPath("jti".to_owned())),
            },
        },
        forwarded: Vec::new(),
    }
}

fn check_claims(claims: &Claims, payload: &Value) {
    assert!(claims.not_before <= NOW && NOW < claims.not_after, "{payload}");
    assert!(payload["exp"].as_f64().is_some_and(|exp| exp + 30.0 > 1_780_228_800.0), "{payload}");
    assert_eq!(payload["iss"], "i");
    let granted = payload["schools"].as_array().map_or(0, Vec::len);
    let lists = [&claims.schools, &claims.districts].into_iter().flatten();
    for ids in lists {
        for format in [ListFormat::Comma, ListFormat::Json] {
            check_list(ids, &Ids::new(ids, format), format);
        }
    }
    assert!(claims.schools.as_ref().is_some_and(|schools| schools.len() <= granted), "{payload}");
    assert!(is_header_safe(claims.client.as_bytes()) && !claims.client.is_empty());
    assert!(claims.tier.as_ref().is_some_and(|tier| is_header_safe(tier.as_bytes())));
}

/// An upstream that splits the header reads the list as it was.
fn check_list(ids: &[String], list: &Ids, format: ListFormat) {
    assert!(is_header_safe(list.header()));
    let text = String::from_utf8_lossy(list.header());
    let read: Vec<String> = match format {
        ListFormat::Comma if text.is_empty() => Vec::new(),
        ListFormat::Comma => text.split(',').map(|id| id.trim().to_owned()).collect(),
        ListFormat::Json => serde_json::from_str(&text).unwrap(),
    };
    assert_eq!(read, ids);
    assert!(ids.iter().all(|id| list.contains(id) && !id.contains('*')));
}
