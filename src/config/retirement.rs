//! `retirement` of API keys or of an issuer: dates, the harder tier, what clients are told, and later dates of single clients.
//!
//! A schedule that takes clients by surprise is refused: without notice, out of order, or with dates that cannot be read in
//! one way only.

use http::Uri;

use super::Tier;
use super::reader::{Object, Reader};
use super::schema::credentials::{EXTENSION, EXTENSIONS_MAX, RETIREMENT};
use super::tiers::{self, Tiers};
use crate::credentials::retirement::{Announcement, Dates, Schedule};
use crate::limits::{KeyKind, Limit, Unit, Window};
use crate::values::names::Names;
use crate::values::text::is_plain;
use crate::values::time::{Timestamp, whole_second};

const FIELDS: &[&str] = &RETIREMENT.names::<{ RETIREMENT.count() }>();
const EXTENSION_FIELDS: &[&str] = &EXTENSION.names::<{ EXTENSION.count() }>();
/// Longest link, bytes: it stands twice in a header of every answer.
const LINK_BYTES_MAX: usize = 1_024;
/// Longest name of a replacement, bytes.
const REPLACEMENT_BYTES_MAX: usize = 256;

/// Reads a schedule; `granted` are the tiers that the class may have, `None`: every tier.
#[inline(never)]
pub(super) fn read(reader: &Reader<'_>, tiers: &Tiers<'_>, granted: Option<&[usize]>) -> Option<Schedule> {
    let fields = reader.object(FIELDS)?;
    let announced = fields.required("announced").and_then(|date| moment(&date));
    let throttled_from = fields.maybe("throttled_from", moment);
    let throttled_tier = fields.maybe("throttled_tier", |name| tiers::by_name(name, tiers));
    let refused_from = fields.required("refused_from").and_then(|date| moment(&date));
    let link = fields.required("link").and_then(|link| link_url(&link));
    let replacement = fields.required("replacement").and_then(|name| replacement(&name));
    let is_whole = has_tier(&fields);
    let dates = Dates { throttled_from: throttled_from?, refused_from: refused_from? };
    let announced = announced?;
    let is_ordered = is_ordered(&fields, announced, dates);
    let extensions = fields.field("extensions", Vec::new(), |list| extensions(list, dates));
    let throttled_tier = throttled_tier?;
    if let (Some(index), Some(tiers)) = (throttled_tier, &tiers.list) {
        warn_of_softer(&fields, tiers, index, granted);
    }
    let announcement = Announcement { announced, link: link?, replacement: replacement? };
    let extensions = extensions?;
    (is_whole && is_ordered).then(|| Schedule::new(&announcement, throttled_tier, dates, extensions))
}

fn moment(reader: &Reader<'_>) -> Option<Timestamp> {
    let what = "a date with its offset from UTC and in whole seconds, such as `2026-01-01T00:00:00Z`";
    let found = whole_second(reader.string(what, |_| true)?);
    if found.is_none() {
        reader.problem(format_args!("expected {what}, got another string"));
    }
    found
}

fn has_tier(fields: &Object<'_>) -> bool {
    match (fields.get("throttled_from").is_some(), fields.get("throttled_tier").is_some()) {
        (true, false) => fields.problem("throttled_tier", "missing; `throttled_from` needs it"),
        (false, true) => fields.problem("throttled_from", "missing; `throttled_tier` needs it"),
        _ => return true,
    }
    false
}

/// Clients hear of it before anything changes, and what is harder comes before the end.
#[inline(never)]
fn is_ordered(fields: &Object<'_>, announced: Timestamp, dates: Dates) -> bool {
    let mut is_ordered = true;
    let mut problem = |name, message| {
        fields.problem(name, message);
        is_ordered = false;
    };
    if dates.refused_from <= announced {
        problem("refused_from", "expected a date after `announced`: a sunset comes after its deprecation");
    }
    if dates.throttled_from.is_some_and(|from| from <= announced) {
        problem("throttled_from", "expected a date after `announced`: clients need notice");
    }
    if dates.throttled_from.is_some_and(|from| from >= dates.refused_from) {
        problem("throttled_from", "expected a date before `refused_from`");
    }
    is_ordered
}

#[inline(never)]
fn link_url(reader: &Reader<'_>) -> Option<String> {
    let what = "an absolute http or https URL of at most 1024 bytes, without user";
    let is_url = |text: &str| {
        // The characters of RFC 3986: nothing ends the `<...>` of a Link field early.
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
        let uri = text.parse::<Uri>().ok();
        let authority = uri.as_ref().and_then(Uri::authority).map(|it| (it.as_str(), it.host()));
        let is_good = authority.is_some_and(|(all, host)| !host.is_empty() && !all.contains('@'));
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        text.len() <= LINK_BYTES_MAX && text.bytes().all(is_part) && is_good && matches!(scheme, Some("http" | "https"))
    };
    reader.string(what, is_url).map(str::to_owned)
}

/// It stands in bodies of every dialect.
#[inline(never)]
fn replacement(reader: &Reader<'_>) -> Option<String> {
    let is_name = |text: &str| {
        let is_visible =
            |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !matches!(byte, b'"' | b'\\' | b'<' | b'>');
        (1..=REPLACEMENT_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_visible) && text.trim() == text
    };
    let what = "1 to 256 of printable ASCII without quotes, backslashes, `<` and `>`, and no space at either end";
    reader.string(what, is_name).map(str::to_owned)
}

#[inline(never)]
fn extensions(reader: &Reader<'_>, class: Dates) -> Option<Vec<(String, Dates)>> {
    let items = reader.items(EXTENSIONS_MAX)?;
    let mut seen = Names::default();
    let mut read = Vec::with_capacity(items.len());
    for item in &items {
        let extension = extension(item, class);
        if let Some((client, _)) = &extension
            && seen.add(client).is_some()
        {
            item.problem("expected distinct clients, got one a second time");
            read.push(None);
            continue;
        }
        read.push(extension);
    }
    read.into_iter().collect()
}

#[inline(never)]
fn extension(reader: &Reader<'_>, class: Dates) -> Option<(String, Dates)> {
    let fields = reader.object(EXTENSION_FIELDS)?;
    let client = fields.required("client").and_then(|client| client.string("a client's id", is_plain));
    let throttled_from = fields.maybe("throttled_from", moment);
    let refused_from = fields.maybe("refused_from", moment);
    let (throttled_from, refused_from) = (throttled_from?, refused_from?);
    let mut is_good = true;
    let mut problem = |name, message| {
        fields.problem(name, message);
        is_good = false;
    };
    if throttled_from.is_none() && refused_from.is_none() {
        problem("refused_from", "expected a later date than that of all clients, here or in `throttled_from`");
    }
    match (throttled_from, class.throttled_from) {
        (Some(_), None) => {
            problem("throttled_from", "expected none where `throttled_from` is not given for all clients");
        }
        (Some(own), Some(all)) if own < all => {
            problem("throttled_from", "expected no earlier date than that of all clients");
        }
        _ => {}
    }
    if refused_from.is_some_and(|own| own < class.refused_from) {
        problem("refused_from", "expected no earlier date than that of all clients");
    }
    let dates = Dates {
        throttled_from: throttled_from.or(class.throttled_from),
        refused_from: refused_from.unwrap_or(class.refused_from),
    };
    if throttled_from.is_some_and(|from| from >= dates.refused_from) {
        problem("throttled_from", "expected a date before `refused_from` of the client");
    }
    Some((client?.to_owned(), dates)).filter(|_| is_good)
}

/// A tier is harder than another if all limits of that stand in it, none higher, its ceiling is no higher, and not all is the
/// same.
#[inline(never)]
fn warn_of_softer(fields: &Object<'_>, tiers: &[Tier], throttled: usize, granted: Option<&[usize]>) {
    let Some(hard) = tiers.get(throttled) else {
        return;
    };
    let may_have = |index: &usize| granted.is_none_or(|granted| granted.contains(index));
    let others = tiers.iter().enumerate().filter(|(index, _)| *index != throttled && may_have(index));
    let mut is_only = may_have(&throttled);
    for (_, tier) in others {
        is_only = false;
        let not_harder = format_args!("not harder than the tier `{}`, whose", tier.name);
        if let Some(limit) = exceeded(hard, tier) {
            fields.warn("throttled_tier", format_args!("{not_harder} limit `{}` it exceeds or lacks", limit.name));
        } else if ceiling(hard) > ceiling(tier) {
            fields.warn("throttled_tier", format_args!("{not_harder} `max_cost` it exceeds or lacks"));
        } else if exceeded(tier, hard).is_none() && ceiling(hard) == ceiling(tier) {
            fields.warn("throttled_tier", format_args!("{not_harder} limits it has"));
        }
    }
    if is_only {
        fields.warn(
            "throttled_tier",
            format_args!("nothing gets harder, since `{}` is every credential's tier", hard.name),
        );
    }
}

/// The first limit of a tier that another exceeds or lacks.
#[inline(never)]
fn exceeded<'t>(by: &Tier, tier: &'t Tier) -> Option<&'t Limit> {
    let is_held = |of: KeyKind, limit: &Limit| limits(by).any(|(other, it)| other == of && is_within(it, limit));
    limits(tier).find(|(of, limit)| !is_held(*of, limit)).map(|(_, limit)| limit)
}

/// The most that one request may cost.
fn ceiling(tier: &Tier) -> u64 {
    let costs = tier.limits().filter(|limit| limit.unit == Unit::Cost).map(Limit::capacity);
    let max_cost = tier.max_cost.map(|max| u64::from(max.get()));
    costs.chain(max_cost).min().unwrap_or(u64::MAX)
}

/// The limits of a tier, each with whose budget it draws on.
fn limits(tier: &Tier) -> impl Iterator<Item = (KeyKind, &Limit)> {
    tier.budgets.iter().flat_map(|budget| budget.limits.iter().map(|limit| (budget.by, limit)))
}

/// Whether one limit admits no more than another of the same budget.
#[inline(never)]
fn is_within(one: &Limit, other: &Limit) -> bool {
    let is_no_faster = match (one.window, other.window) {
        (Window::Bucket { amount, per, .. }, Window::Bucket { amount: amount_2, per: per_2, .. }) => {
            let rate =
                |amount: u32, per_other: std::time::Duration| u128::from(amount).saturating_mul(per_other.as_nanos());
            rate(amount.get(), per_2) <= rate(amount_2.get(), per)
        }
        (Window::Calendar { period, .. }, Window::Calendar { period: period_2, .. }) => period == period_2,
        _ => false,
    };
    one.id() == other.id() && is_no_faster && one.capacity() <= other.capacity()
}
