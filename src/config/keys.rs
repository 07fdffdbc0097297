//! Where the keys of an issuer come from: `jwks` (inline, or remote through a cluster), or `secrets`.

use std::rc::Rc;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::Uri;
use http::uri::Authority;

use super::duration;
use super::name;
use super::reader::{Object, Reader};
use super::schema::credentials::{COOLDOWN, JWKS, REFRESH, REMOTE, SECRET, SECRETS_MAX, TIMEOUT};
use super::{Environment, Source};
use crate::credentials::fetch::Remote;
use crate::credentials::jwt::jose::{Alg, is_kid};
use crate::credentials::jwt::keyset::{KeySet, KeySetError, Origin, Secret};

const JWKS_FIELDS: &[&str] = &JWKS.names::<{ JWKS.count() }>();
const REMOTE_FIELDS: &[&str] = &REMOTE.names::<{ REMOTE.count() }>();
const SECRET_FIELDS: &[&str] = &SECRET.names::<{ SECRET.count() }>();
/// Longest URI of a document.
const URI_BYTES_MAX: usize = 2048;
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);
const COOLDOWN_DEFAULT: Duration = Duration::from_secs(2);
/// Secrets are pasted with and without padding.
const PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Reads `jwks` or `secrets`; `tokens` is for issuers of another kind.
#[inline(never)]
pub(super) fn read(fields: &Object<'_>, environment: &Environment) -> Option<Source<KeySet>> {
    let (name, reader) = fields.one_of(&["jwks", "secrets", "tokens"])?;
    if name == "secrets" {
        return secrets(&reader, environment);
    }
    let (name, source) = reader.object(JWKS_FIELDS)?.one_of(JWKS_FIELDS)?;
    if name == "inline" { inline(&source) } else { remote(&source, &KEY_DEFAULTS).map(Source::Remote) }
}

#[inline(never)]
fn inline(reader: &Reader<'_>) -> Option<Source<KeySet>> {
    let text = match reader.value() {
        serde_json::Value::String(text) => text.clone(),
        value if value.is_object() => value.to_string(),
        _ => {
            reader.expected("a JWKS, as an object or as a string");
            return None;
        }
    };
    key_set(reader, KeySet::from_jwks(text.as_bytes(), Origin::Inline))
}

#[inline(never)]
fn secrets(reader: &Reader<'_>, environment: &Environment) -> Option<Source<KeySet>> {
    let owned = reader.list(SECRETS_MAX, |item| secret(item, environment))?;
    let secrets: Vec<_> = owned.iter().map(|s| Secret { kid: s.kid, alg: s.alg, bytes: &s.bytes }).collect();
    key_set(reader, KeySet::from_secrets(&secrets))
}

#[inline(never)]
fn key_set(reader: &Reader<'_>, result: Result<KeySet, KeySetError>) -> Option<Source<KeySet>> {
    match result {
        Ok(keys) => {
            for skipped in keys.skipped() {
                reader.warn(format_args!("unused {skipped}"));
            }
            Some(Source::Inline(Rc::new(keys)))
        }
        Err(error) => {
            reader.problem(error);
            None
        }
    }
}

/// A decoded secret. It has no `Debug`: nothing may print it.
struct OwnedSecret<'a> {
    kid: Option<&'a str>,
    alg: Alg,
    bytes: Vec<u8>,
}

#[inline(never)]
fn secret<'a>(reader: &Reader<'a>, environment: &Environment) -> Option<OwnedSecret<'a>> {
    let fields = reader.object(SECRET_FIELDS)?;
    let kid = fields.maybe("kid", |kid| kid.string("a key id", is_kid));
    let algs = [("HS256", Alg::Hs256), ("HS384", Alg::Hs384), ("HS512", Alg::Hs512)];
    let alg = fields.required("alg").and_then(|alg| alg.word(&algs));
    let bytes = fields.one_of(&["base64", "text", "env"]).and_then(|(form, value)| {
        if form == "env" {
            return from_environment(&value, environment);
        }
        let text = value.string("a secret", |secret| !secret.is_empty())?;
        if form == "text" { Some(text.as_bytes().to_vec()) } else { from_base64(&value, text) }
    });
    Some(OwnedSecret { kid: kid?, alg: alg?, bytes: bytes? })
}

/// The value of an environment variable of the VM, as it is.
fn from_environment(reader: &Reader<'_>, environment: &Environment) -> Option<Vec<u8>> {
    let name = reader.string("the name of an environment variable", name::is_text)?;
    let value = environment.get(name).filter(|value| !value.is_empty());
    if value.is_none() {
        reader.problem("expected a variable that `vm_config.environment_variables` passes on, got one that is not set");
    }
    value.map(|value| value.as_bytes().to_vec())
}

/// Either alphabet of RFC 4648, with or without padding.
fn from_base64(reader: &Reader<'_>, text: &str) -> Option<Vec<u8>> {
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let decoded = GeneralPurpose::new(alphabet, PADDING).decode(text).ok();
    if decoded.is_none() {
        reader.problem("expected base64, got another string");
    }
    decoded
}

/// Times of a remote document where none are configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    refresh: Duration,
    max_stale: Duration,
}

/// Those of key sets.
const KEY_DEFAULTS: Defaults = Defaults { refresh: Duration::from_mins(10), max_stale: Duration::from_hours(24) };
/// Those of lists that revoke: what is revoked must soon be void, and stay so.
pub(super) const LIST_DEFAULTS: Defaults =
    Defaults { refresh: Duration::from_secs(10), max_stale: Duration::from_mins(10) };

/// Reads where a document is fetched from.
#[inline(never)]
pub(super) fn remote(reader: &Reader<'_>, defaults: &Defaults) -> Option<Remote> {
    let fields = reader.object(REMOTE_FIELDS)?;
    let location = fields.required("uri").and_then(|uri| location(&uri));
    let cluster = fields.required("cluster").and_then(|cluster| cluster.string("a cluster's name", name::is_text));
    let duration = |name: &'static str, default, range| fields.field(name, default, |field| field.duration(range));
    let timeout = duration("timeout", TIMEOUT_DEFAULT, TIMEOUT);
    let cooldown = duration("cooldown", COOLDOWN_DEFAULT, COOLDOWN);
    let refresh = duration("refresh", defaults.refresh, REFRESH);
    let max_stale = duration("max_stale", defaults.max_stale, REFRESH);
    let ordered = at_least(&fields, ("refresh", refresh), ("cooldown", cooldown))
        && at_least(&fields, ("max_stale", max_stale), ("refresh", refresh));
    let location = location?;
    if location.scheme == "http" {
        fields.warn("uri", "keys travel without TLS, as far as the URI tells");
    }
    let remote = Remote {
        cluster: cluster?.to_owned(),
        timeout: timeout?,
        refresh: refresh?,
        max_stale: max_stale?,
        cooldown: cooldown?,
        ..location
    };
    ordered.then_some(remote)
}

#[inline(never)]
fn at_least(fields: &Object<'_>, one: (&'static str, Option<Duration>), other: (&str, Option<Duration>)) -> bool {
    let ((name, Some(found)), (other, Some(least))) = (one, other) else {
        return true;
    };
    if found < least {
        fields.problem(
            name,
            format_args!(
                "expected at least `{other}` ({}), got {}",
                duration::display(least),
                duration::display(found)
            ),
        );
    }
    found >= least
}

/// Splits an absolute URI; the cluster and the times are left for the caller.
#[inline(never)]
fn location(reader: &Reader<'_>) -> Option<Remote> {
    let what = "an absolute URI such as `https://auth.example.com/jwks.json`";
    let plain = |uri: &str| {
        uri.len() <= URI_BYTES_MAX && uri.bytes().all(|b| b.is_ascii_graphic()) && !uri.contains(['#', '@', '\\'])
    };
    let text = reader.string(what, plain)?;
    let parts = text.parse::<Uri>().ok().and_then(|uri| {
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "https" | "http"))?;
        let authority = uri.authority().filter(|authority| is_complete(authority))?;
        Some(Remote {
            cluster: String::new(),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            scheme: scheme.to_owned(),
            timeout: TIMEOUT_DEFAULT,
            refresh: KEY_DEFAULTS.refresh,
            max_stale: KEY_DEFAULTS.max_stale,
            cooldown: COOLDOWN_DEFAULT,
        })
    });
    if parts.is_none() {
        reader.problem(format_args!("expected {what}, got another string"));
    }
    parts
}

/// A host, and either no port or one that fits 16 bits; the crate lets others pass.
fn is_complete(authority: &Authority) -> bool {
    let host = authority.host();
    !host.is_empty() && (authority.as_str() == host || authority.port_u16().is_some_and(|port| port > 0))
}
