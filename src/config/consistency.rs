//! Checks across sections, made once all of them are read.

use serde_json::Value;

use super::grants::NO_TIER;
use super::issuers::Issuers;
use super::limit::SpannedLimit;
use super::reader::Reader;
use super::{ApiKeys, Issuer};
use crate::credentials::api_key::KeyList;
use crate::limits::KeyKind;
use crate::policy::route::{Credential, Route};

/// Warns of limits that count by a key that no credential carries: they count by client.
#[inline(never)]
pub(super) fn warn_of_unknown_keys(limits: &[&SpannedLimit<'_>], issuers: &Issuers<'_>, keys: Option<&ApiKeys>) {
    let told = |issuer: &Issuer| (issuer.rules.names.grants.districts.is_some(), issuer.tokens().is_some());
    let mut of_issuers = issuers.list.iter().flatten().map(told);
    let grants = |list: &KeyList| list.keys().any(|key| key.grants.is_some());
    let district = of_issuers.clone().any(|it| it.0) || keys.is_some_and(|it| it.source.inline().is_none_or(grants));
    let token = of_issuers.any(|it| it.1) || keys.is_some();
    for SpannedLimit { reader, by, .. } in limits {
        let untold = match by {
            KeyKind::District | KeyKind::ClientDistrict if !district => "no token and no key tells a district",
            KeyKind::Token if !token => "there are neither API keys nor listed tokens",
            KeyKind::Client | KeyKind::District | KeyKind::ClientDistrict | KeyKind::Token => continue,
        };
        reader.warn_at("by", format_args!("counts by client, since {untold}"));
    }
}

/// Tokens must tell their tier if a route takes them without an API key.
#[inline(never)]
pub(super) fn check_tiers(issuers: &Issuers<'_>, routes: Option<&[Route]>) {
    for (index, (issuer, reader)) in issuers.list.iter().zip(&issuers.readers).enumerate() {
        let tells = issuer.as_ref().is_none_or(|it| it.rules.names.tier.is_some() || it.default_tier.is_some());
        let is_alone = |route: &Route| route.issuers.contains(&index) && !route.requires(Credential::ApiKey);
        if !tells && routes.is_some_and(|routes| routes.iter().any(is_alone)) {
            reader.problem(format_args!("`claims.tier`: {NO_TIER}; a route takes its tokens without an API key"));
        }
        let mut own = routes.into_iter().flatten().filter(|route| route.issuers.contains(&index)).peekable();
        if own.peek().is_some() && own.all(|route| route.requires(Credential::ApiKey)) {
            warn_of_unused_tiers(reader);
        }
    }
}

/// If every route uses the tier of a key, settings about the tiers of tokens have no effect.
#[inline(never)]
fn warn_of_unused_tiers(issuer: &Reader<'_>) {
    for (field, pointer) in [("claims.tier", "/claims/tier"), ("default_tier", "/default_tier"), ("tiers", "/tiers")] {
        if issuer.value().pointer(pointer).is_some() {
            let why = "every route that takes these tokens requires an API key, whose tier counts";
            issuer.warn_at(field, format_args!("binds nobody, since {why}"));
        }
    }
}

/// An issuer that shares a secret with another can sign in its name.
#[inline(never)]
pub(super) fn warn_of_shared_secrets(issuers: &Issuers<'_>) {
    for (index, reader) in issuers.readers.iter().enumerate() {
        let own = secret_forms(reader);
        let mut before = issuers.readers.iter().take(index).enumerate();
        if let Some((other, _)) = before.find(|(_, it)| secret_forms(it).iter().any(|form| own.contains(form))) {
            reader.warn_at("secrets", format_args!("one is also that of issuers[{other}]: each can sign as the other"));
        }
    }
}

/// The secrets of an issuer as they are written. Never shown.
fn secret_forms<'a>(issuer: &Reader<'a>) -> Vec<(&'static str, &'a Value)> {
    let secrets = issuer.value().get("secrets").and_then(Value::as_array);
    let form =
        |secret: &'a Value| ["env", "text", "base64"].into_iter().find_map(|name| Some((name, secret.get(name)?)));
    secrets.into_iter().flatten().filter_map(form).collect()
}
