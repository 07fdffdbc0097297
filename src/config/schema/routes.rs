//! `routes`.

use std::ops::RangeInclusive;

use super::TIERS_MAX;
use super::limits::LIMIT;
use crate::limits::LIMITS_MAX;
use crate::values::schema::{Field, Fields, Presence, Shape, field};

/// Most methods, credentials, permissions and issuers of one route.
pub(in crate::config) const NAMES_MAX: usize = 64;
/// Weights, and assumed factors.
pub(in crate::config) const COST: RangeInclusive<u32> = 1..=1_000_000;
/// Longest body, bytes. Envoy buffers no more than a listener's `per_connection_buffer_limit_bytes`, 1 MiB by default.
pub(in crate::config) const BODY_BYTES: RangeInclusive<u32> = 1..=16 << 20;

const PARAMETER: Shape = Shape::Text("parameter name, of visible ASCII without `%&=+;#`");
const POINTER: Shape = Shape::Text("JSON Pointer to a member");
const REQUEST_LIMITS: Shape =
    Shape::List(&Shape::Object(&LIMIT), 0..=LIMITS_MAX, "array of limits, at most 16, `requests` only");

const TIER_LIMITS: Shape = Shape::List(&Shape::Object(&LIMIT), 1..=LIMITS_MAX, "array of limits, 1 to 16");

/// A route.
pub const ROUTE: Fields = Fields::new(
    "routes[]",
    &[
        field("match", Shape::Object(&MATCH), Presence::Required, "what the route takes"),
        field(
            "require",
            Shape::List(&Shape::Words(&["api_key", "bearer"]), 0..=2, "array of distinct `api_key`, `bearer`"),
            Presence::Default("[\"bearer\"]"),
            "`[]` is an open route; see [Two credentials]",
        ),
        field(
            "require_any",
            Shape::List(&Shape::Words(&["api_key", "bearer"]), 2..=2, "`[bearer, api_key]`, in either order"),
            Presence::NONE,
            "exactly one of them must be shown; instead of `require`, see [Keys alone]",
        ),
        field(
            "issuers",
            Shape::List(&Shape::Text("issuer name"), 1..=NAMES_MAX, "array of distinct issuer names, not empty"),
            Presence::Optional("every issuer; with both credentials that of `api_keys`"),
            "whose tokens open the route; only with `bearer`; with both credentials only `api_keys.issuer`",
        ),
        field(
            "permissions",
            Shape::List(&Shape::Text("permission"), 0..=NAMES_MAX, "array of distinct strings without `*`, at most 64"),
            Presence::NONE,
            "all of them must be in the token; needs `bearer`; not with `require_any`",
        ),
        field(
            "tiers",
            Shape::List(&Shape::Text("tier name"), 1..=TIERS_MAX, "array of distinct tier names, not empty"),
            Presence::Optional("every tier"),
            "whose clients may use the route, see [Limits of a route]; not on an open route",
        ),
        field(
            "limits",
            Shape::Map(&TIER_LIMITS, TIERS_MAX, "object, at most 256"),
            Presence::NONE,
            "tier name to array of limits, with the fields of a tier's limits: further limits of that tier on this route, \
             see [Limits of a route]; not on an open route",
        ),
        field("scope", Shape::Object(&SCOPE), Presence::NONE, "see [Scope]; needs `bearer`"),
        field(
            "body",
            Shape::Object(&BODY),
            Presence::Optional("see below"),
            "how bodies are read; only where `scope` or `cost` looks into them",
        ),
        field(
            "cost",
            Shape::Either(
                &[Shape::Number(COST), Shape::Object(&COST_RULE)],
                "whole number from 1 to 1,000,000, or an object",
            ),
            Presence::Default("1"),
            "weight of a request; not on an open route",
        ),
        field(
            "address_limits",
            REQUEST_LIMITS,
            Presence::NONE,
            "limits per source address, with the fields of a tier's limits; routes of one path pattern share budgets of \
             one name",
        ),
        field(
            "failure_limits",
            REQUEST_LIMITS,
            Presence::NONE,
            "limits per key and source address, for requests that the upstream answers with 400 or more; needs \
             `api_key`, see [Limits]",
        ),
        field(
            "cors_preflight",
            Shape::Boolean,
            Presence::OFF,
            "CORS preflights pass to the upstream without credentials; Envoy's `cors` filter before hallpass answers them itself, \
             see [Browsers]",
        ),
        field(
            "upgrades",
            Shape::Boolean,
            Presence::OFF,
            "upgrades (WebSocket) pass. Their stream is no body for the rules of query and path; not beside a body rule",
        ),
        field(
            "open_subtree",
            Shape::Boolean,
            Presence::OFF,
            "allows an open route whose path ends in `/`; warned of; only there",
        ),
    ],
);

/// `match` of a route.
pub const MATCH: Fields = Fields::new(
    "routes[].match",
    &[
        field(
            "host",
            Shape::Text("host without port, `*.example.com`, or `*`"),
            Presence::Default("\"*\""),
            "host, in any case; the port is ignored. `*.` stands for one label or more. Addresses in their usual spelling \
             (`127.0.0.1`, `[::1]`): a request whose host is another spelling of one (`127.1`, `[0::1]`) has no route",
        ),
        field(
            "path",
            Shape::Text("path pattern"),
            Presence::Required,
            "`/a/b` is exact, `/a/` is everything below, `{x}` is any one segment; see [Paths]",
        ),
        field(
            "methods",
            Shape::List(
                &Shape::Text("method"),
                1..=NAMES_MAX,
                "array of distinct methods of `A-Z0-9-_`, 1 to 64, not CONNECT",
            ),
            Presence::Optional("every method but CONNECT"),
            "`GET` brings `HEAD`; `*` is none",
        ),
    ],
);

/// `scope` of a route.
pub const SCOPE: Fields = Fields::new(
    "routes[].scope",
    &[
        field(
            "schools",
            Shape::Object(&SCOPE_RULE),
            Presence::Optional("this or `districts`, or both"),
            "where the school ids stand; every issuer of the route needs `claims.schools`",
        ),
        field(
            "districts",
            Shape::Object(&SCOPE_RULE),
            Presence::Optional("this or `schools`, or both"),
            "where the district ids stand; every issuer of the route needs `claims.districts`",
        ),
        field(
            "require_one",
            Shape::Boolean,
            Presence::Optional("`true` with both, where it is allowed only"),
            "a request that names neither a school nor a district is refused",
        ),
    ],
);

/// Where the ids of a request stand.
pub const SCOPE_RULE: Fields = Fields {
    path: "routes[].scope.schools",
    one_of: &["query", "path", "header", "body"],
    rows: &[
        field("query", PARAMETER, Presence::OneOf, "a query parameter"),
        field("path", Shape::Text("variable name"), Presence::OneOf, "a variable of `match.path`"),
        field(
            "header",
            Shape::Text("header name"),
            Presence::OneOf,
            "a request header, none that the filter strips and not `api_keys.header`",
        ),
        field("body", POINTER, Presence::OneOf, "a member of the JSON body, see [Bodies]"),
        field(
            "missing",
            Shape::Words(&["refuse", "allow"]),
            Presence::Default("\"refuse\""),
            "a request that names no school; not `allow` with `path`",
        ),
        field(
            "separator",
            Shape::Words(&[",", ";", "|", ":", " "]),
            Presence::NONE,
            "separates several ids in one value; not with `body`; `;` not with `path`",
        ),
    ],
};

/// `body` of a route.
pub const BODY: Fields = Fields::new(
    "routes[].body",
    &[field("max_bytes", Shape::Number(BODY_BYTES), Presence::Default("65536"), "longest body (413)")],
);

/// `cost` of a route, as an object.
pub const COST_RULE: Fields = Fields::new(
    "routes[].cost",
    &[
        weight("weight", Presence::Default("1"), "weight"),
        field(
            "times",
            Shape::Either(&[Shape::Object(&COST_FACTOR), Shape::Words(&["schools"])], "object, or `schools`"),
            Presence::NONE,
            "what multiplies the weight; `schools` (the number asked for) needs `scope.schools`",
        ),
    ],
);

/// What multiplies the weight.
pub const COST_FACTOR: Fields = Fields {
    path: "routes[].cost.times",
    one_of: &["query", "body"],
    rows: &[
        field("query", PARAMETER, Presence::OneOf, "a query parameter that holds a whole number"),
        field("body", POINTER, Presence::OneOf, "a member of the JSON body that holds a whole number"),
        weight("default", Presence::Required, "what the server assumes without the parameter"),
    ],
};

const fn weight(name: &'static str, presence: Presence, meaning: &'static str) -> Field {
    field(name, Shape::Number(COST), presence, meaning)
}
