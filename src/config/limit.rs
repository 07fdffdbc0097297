//! Reading of limits, wherever they stand, and the contradictions between limits of one name.

use std::num::NonZeroU32;
use std::time::Duration;

use super::duration;
use super::name;
use super::reader::{Object, Reader};
use super::schema::limits::{AMOUNT, FAILURE_BUDGET, LIMIT, PER};
use crate::limits::{Budget, KeyKind, LIMITS_MAX, Limit, Period, Unit, Window};
use crate::values::names::Names;

const FIELDS: &[&str] = &LIMIT.names::<{ LIMIT.count() }>();
/// The same for a budget whose name and unit are given.
const BUDGET_FIELDS: &[&str] = &FAILURE_BUDGET.names::<{ FAILURE_BUDGET.count() }>();
/// The name of the budget for failed credentials.
const FAILED_CREDENTIALS: &str = "authentication-failures";
/// Requests per minute of the budget for failed credentials.
const FAILED_CREDENTIALS_DEFAULT: NonZeroU32 = NonZeroU32::new(600).unwrap();
const MINUTE: Duration = Duration::from_mins(1);

/// A limit and where the document has it.
#[derive(Clone, Debug)]
pub(super) struct SpannedLimit<'a> {
    /// Where.
    pub(super) reader: Reader<'a>,
    /// The limit.
    pub(super) limit: Limit,
    /// Whose budget it draws on.
    pub(super) by: KeyKind,
}

/// Limits grouped by whose budget they draw on, in the order in which each kind comes first.
#[inline(never)]
pub(super) fn budgets(limits: Vec<SpannedLimit<'_>>) -> Vec<Budget> {
    let mut groups: Vec<(KeyKind, Vec<Limit>)> = Vec::new();
    for SpannedLimit { limit, by, .. } in limits {
        match groups.iter_mut().find(|(of, _)| *of == by) {
            Some((_, group)) => group.push(limit),
            None => groups.push((by, vec![limit])),
        }
    }
    groups.into_iter().map(|(by, limits)| Budget { by, limits: limits.into() }).collect()
}

/// The limits of a tier: requests or cost.
#[inline(never)]
pub(super) fn of_tier<'a>(reader: &Reader<'a>) -> Option<Vec<SpannedLimit<'a>>> {
    list(reader, &|fields| {
        let (unit, amount) = fields.one_of(&["requests", "cost"])?;
        let unit = if unit == "cost" { Unit::Cost } else { Unit::Requests };
        Some((unit, self::amount(&amount)?))
    })
}

/// The limits of an address: requests only, since an open route has no cost.
#[inline(never)]
pub(super) fn of_address<'a>(reader: &Reader<'a>) -> Option<Vec<SpannedLimit<'a>>> {
    list(reader, &|fields| {
        if fields.get("by").is_some() {
            fields.problem("by", "expected it at limits of tiers only, since these count for an address");
            return None;
        }
        if fields.get("cost").is_some() {
            fields.problem("cost", "expected `requests`, since requests of an address have no cost");
            return None;
        }
        Some((Unit::Requests, amount(&fields.required("requests")?)?))
    })
}

/// `authentication_failures`: an object, or `off`.
#[inline(never)]
pub(super) fn authentication_failures(fields: &Object<'_>) -> Option<Vec<Limit>> {
    let window = match fields.get("authentication_failures") {
        None => {
            let amount = FAILED_CREDENTIALS_DEFAULT;
            Window::Bucket { amount, per: MINUTE, burst: amount }
        }
        Some(reader) if reader.is_off() => {
            reader.warn("nothing slows down who guesses credentials");
            return Some(Vec::new());
        }
        Some(reader) if !reader.value().is_object() => {
            reader.expected("an object or `off`");
            return None;
        }
        Some(reader) => budget(&reader.object(BUDGET_FIELDS)?)?,
    };
    Some(vec![Limit::new(FAILED_CREDENTIALS, Unit::Requests, window)])
}

fn budget(fields: &Object<'_>) -> Option<Window> {
    let amount = fields.field("requests", FAILED_CREDENTIALS_DEFAULT, amount);
    let per = fields.field("per", Per::Bucket(MINUTE), per);
    window(fields, amount, per)
}

/// Limits of one name draw on one budget, wherever they stand: they must count in the same way.
///
/// A budget is known by its limit's name: what is stored of it is read under every limit of that name.
#[inline(never)]
pub(super) fn check_agreement(limits: &[SpannedLimit<'_>]) {
    let (mut names, mut firsts) = (Names::default(), Vec::<&SpannedLimit<'_>>::new());
    for placed in limits {
        let Some(first) = names.add(&placed.limit.name).and_then(|at| firsts.get(at)) else {
            firsts.push(placed);
            continue;
        };
        if alike(first, placed) {
            continue;
        }
        placed.reader.problem(format_args!(
            "expected the unit, the kind of window and the `by` that the limit of the same name has at {}",
            first.reader.path()
        ));
    }
    for (nth, placed) in firsts.iter().enumerate() {
        let mut before = firsts.iter().take(nth).rev();
        if let Some(other) = before.find(|other| other.limit.id() == placed.limit.id()) {
            placed.reader.problem(format_args!(
                "expected another name, since the ids of this one and of `{}` collide",
                other.limit.name
            ));
        }
    }
}

fn alike(one: &SpannedLimit<'_>, other: &SpannedLimit<'_>) -> bool {
    let windows = match (one.limit.window, other.limit.window) {
        (Window::Bucket { .. }, Window::Bucket { .. }) => true,
        (Window::Calendar { period, .. }, Window::Calendar { period: other, .. }) => period == other,
        _ => false,
    };
    windows && one.limit.unit == other.limit.unit && one.by == other.by
}

#[inline(never)]
fn list<'a>(
    reader: &Reader<'a>,
    counted: &dyn Fn(&Object<'a>) -> Option<(Unit, NonZeroU32)>,
) -> Option<Vec<SpannedLimit<'a>>> {
    let limits = reader.list(LIMITS_MAX, |item| limit(item, counted))?;
    for (index, placed) in limits.iter().enumerate() {
        let before = limits.get(..index).unwrap_or_default();
        if before.iter().any(|other| other.limit.name == placed.limit.name) {
            placed.reader.problem(format_args!("expected distinct names, got `{}` a second time", placed.limit.name));
            return None;
        }
    }
    Some(limits)
}

#[inline(never)]
fn limit<'a>(
    reader: &Reader<'a>,
    counted: &dyn Fn(&Object<'a>) -> Option<(Unit, NonZeroU32)>,
) -> Option<SpannedLimit<'a>> {
    let fields = reader.object(FIELDS)?;
    let name = fields
        .required("name")
        .and_then(|name| name.string("a name of at most 32 of `a-z0-9_-` that begins with a letter", name::is_limit));
    let counted = counted(&fields);
    let per = fields.required("per").and_then(|field| per(&field));
    let window = window(&fields, counted.map(|(_, amount)| amount), per);
    let by = fields.field("by", KeyKind::Client, by);
    let (unit, _) = counted?;
    Some(SpannedLimit { reader: *reader, limit: Limit::new(name?, unit, window?), by: by? })
}

/// `by`: `[client]`, `[district]`, both, or `[token]`.
#[inline(never)]
fn by(reader: &Reader<'_>) -> Option<KeyKind> {
    let words = [("client", KeyKind::Client), ("district", KeyKind::District), ("token", KeyKind::Token)];
    let by = match reader.list(2, |item| item.word(&words))?[..] {
        [one] => Some(one),
        [KeyKind::Client, KeyKind::District] | [KeyKind::District, KeyKind::Client] => Some(KeyKind::ClientDistrict),
        _ => None,
    };
    if by.is_none() {
        reader.problem("expected `[client]`, `[district]`, `[client, district]` or `[token]`");
    }
    by
}

#[inline(never)]
fn window(fields: &Object<'_>, amount: Option<NonZeroU32>, per: Option<Per>) -> Option<Window> {
    let burst = fields.maybe("burst", self::amount);
    let (amount, per, burst) = (amount?, per?, burst?);
    let per = match per {
        Per::Bucket(per) => per,
        Per::Calendar(period) if burst.is_none() => return Some(Window::Calendar { quota: amount, period }),
        Per::Calendar(_) => {
            fields.problem("burst", "expected no burst on a calendar quota, which is there at once");
            return None;
        }
    };
    let burst = burst.unwrap_or(amount);
    if refill_ms(amount, per, burst) > duration::LONGEST.as_millis() {
        fields.problem("burst", format_args!("expected one that refills in {}", duration::display(duration::LONGEST)));
        return None;
    }
    Some(Window::Bucket { amount, per, burst })
}

/// Milliseconds in which an empty bucket fills, rounded down.
fn refill_ms(amount: NonZeroU32, per: Duration, burst: NonZeroU32) -> u128 {
    let units = u128::from(burst.get()).saturating_mul(per.as_millis());
    units.checked_div(u128::from(amount.get())).unwrap_or(u128::MAX)
}

#[derive(Clone, Copy, Debug)]
enum Per {
    Bucket(Duration),
    Calendar(Period),
}

#[inline(never)]
fn per(reader: &Reader<'_>) -> Option<Per> {
    match reader.value().as_str() {
        Some("hour") => Some(Per::Calendar(Period::Hour)),
        Some("day") => Some(Per::Calendar(Period::Day)),
        Some("month") => Some(Per::Calendar(Period::Month)),
        Some(text) if duration::parse(text).is_none() => {
            reader.problem("expected a duration such as `1m`, or `hour`, `day` or `month`, got another string");
            None
        }
        _ => reader.duration(PER).map(Per::Bucket),
    }
}

fn amount(reader: &Reader<'_>) -> Option<NonZeroU32> {
    reader.integer(AMOUNT).and_then(NonZeroU32::new)
}
