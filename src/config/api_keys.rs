//! `api_keys`: the header that carries them, which clients they name, and the list.

use super::forward;
use super::issuers::{self, Issuers};
use super::lists;
use super::name;
use super::reader::{Object, Reader};
use super::retirement;
use super::schema::credentials::API_KEYS;
use super::tiers::Tiers;
use super::{ApiKeys, Forward, Source};
use crate::credentials::api_key::{Context, KeyList};
use crate::credentials::ids::ListFormat;
use crate::credentials::list::Origin;

const FIELDS: &[&str] = &API_KEYS.names::<{ API_KEYS.count() }>();
const HEADER_DEFAULT: &str = "x-api-key";

/// Reads `api_keys`; absent: none.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether it could be read, the inner one whether it is given"
)]
#[inline(never)]
pub(super) fn read(
    fields: &Object<'_>,
    issuers: &Issuers<'_>,
    tiers: &Tiers<'_>,
    forward: Option<&Forward>,
) -> Option<Option<ApiKeys>> {
    let Some(reader) = fields.get("api_keys") else {
        return Some(None);
    };
    let fields = reader.object(FIELDS)?;
    let header = fields.field("header", HEADER_DEFAULT.to_owned(), |name| header(name, forward));
    let format = forward.map_or(ListFormat::Comma, |forward| forward.schools_format);
    let (basic, forward) = (fields.flag("basic"), fields.flag("forward"));
    let issuer = fields.maybe("issuer", |name| issuers::by_name(name, issuers));
    let issuer = issuer.map(|given| given.or_else(|| only(issuers)));
    let of = issuer.flatten().and_then(|index| issuers.names.get(index).copied().flatten());
    let context = Context { issuer: of, tiers: &tiers.names, format, origin: Origin::Inline };
    let source = lists::source(&fields, |value| KeyList::from_value(value, &context));
    let held = source.as_ref().and_then(Source::inline).map(|list| list.keys().filter_map(|key| key.tier).collect());
    let held: Option<Vec<usize>> = held;
    let retirement = fields.maybe("retirement", |schedule| retirement::read(schedule, tiers, held.as_deref()));
    if forward == Some(true) {
        fields.warn("forward", "the upstream sees the callers' keys");
    }
    Some(Some(ApiKeys {
        header: header?,
        basic: basic?,
        forward: forward?,
        issuer: issuer?,
        source: source?,
        retirement: retirement?,
    }))
}

/// Where there is one issuer, keys name its clients.
fn only(issuers: &Issuers<'_>) -> Option<usize> {
    (issuers.names.len() == 1).then_some(0)
}

/// A header that the filter sets for the upstream cannot carry a key.
#[inline(never)]
fn header(reader: &Reader<'_>, forward: Option<&Forward>) -> Option<String> {
    let header = name::header(reader)?;
    if let Some(setting) = forward.and_then(|forward| forward::setting_of(forward, &header)) {
        reader.problem(format_args!("expected another name than that of `forward.{setting}`"));
        return None;
    }
    Some(header)
}
