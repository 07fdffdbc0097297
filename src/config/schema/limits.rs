//! `tiers`, and limits wherever they stand.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::duration;
use crate::limits::LIMITS_MAX;
use crate::values::schema::{Field, Fields, Presence, Shape, field};

/// Amounts, quotas and bursts: products with a time in microseconds stay inside 64 bits only below this.
pub(in crate::config) const AMOUNT: RangeInclusive<u32> = 1..=1_000_000_000;
/// Length of a bucket's `per`.
pub(in crate::config) const PER: RangeInclusive<Duration> = Duration::from_millis(1)..=duration::LONGEST;
/// Ceiling for the cost of one request.
pub(in crate::config) const MAX_COST: RangeInclusive<u32> = 1..=u32::MAX;

const PER_SHAPE: Shape = Shape::Either(
    &[Shape::Duration(PER), Shape::Words(&["hour", "day", "month"])],
    "duration, `1ms` to `366d`, or `hour`, `day`, `month`",
);

/// A tier.
pub const TIER: Fields = Fields::new(
    "tiers.NAME",
    &[
        field(
            "limits",
            Shape::List(&Shape::Object(&LIMIT), 0..=LIMITS_MAX, "array of limits, at most 16"),
            Presence::Required,
            "all must admit a request; `[]` is warned of",
        ),
        field(
            "max_cost",
            Shape::Number(MAX_COST),
            Presence::NONE,
            "ceiling for the cost of one request; more than a cost limit holds is warned of",
        ),
        field("dry_run", Shape::Boolean, Presence::OFF, "see [Dry run], for this tier; warned of"),
    ],
);

/// A limit.
pub const LIMIT: Fields = Fields {
    path: "tiers.NAME.limits[]",
    one_of: &["requests", "cost"],
    rows: &[
        field(
            "name",
            Shape::Text("`[a-z][a-z0-9_-]{0,31}`"),
            Presence::Required,
            "unique in the list; tiers that use one name share its budget and must agree on unit, kind of window and `by`",
        ),
        field("requests", Shape::Number(AMOUNT), Presence::OneOf, "requests per `per`"),
        field("cost", Shape::Number(AMOUNT), Presence::OneOf, "cost per `per`"),
        field(
            "per",
            PER_SHAPE,
            Presence::Required,
            "a duration: a bucket that refills continuously; a word: a calendar quota in UTC",
        ),
        burst("the amount", "what the bucket holds; it must refill within `366d`; not on a calendar quota"),
        field(
            "by",
            Shape::List(
                &Shape::Words(&["client", "district", "token"]),
                1..=2,
                "`[client]`, `[district]`, `[client, district]` or `[token]`",
            ),
            Presence::Default("[\"client\"]"),
            "whose budget it draws on, see [Limits]; warned of where no credential tells it",
        ),
    ],
};

/// The budget of a source address for failed credentials.
pub const FAILURE_BUDGET: Fields = Fields::new(
    "authentication_failures",
    &[
        field("requests", Shape::Number(AMOUNT), Presence::Default("600"), "failed credentials per `per`"),
        field("per", PER_SHAPE, Presence::Default("\"1m\""), "its window"),
        burst("`requests`", "what the bucket holds"),
    ],
);

const fn burst(default: &'static str, meaning: &'static str) -> Field {
    field("burst", Shape::Number(AMOUNT), Presence::Optional(default), meaning)
}
