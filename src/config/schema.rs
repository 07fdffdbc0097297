//! The fields of a configuration: their names, shapes, ranges, defaults and meanings. The readers check for what no table
//! has, and share the ranges.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration;
use crate::values::schema::{Field, Fields, Presence, Shape, field};

pub mod credentials;
pub mod limits;
pub mod routes;

use credentials::{API_KEYS, ISSUER};
use limits::{FAILURE_BUDGET, TIER};
use routes::ROUTE;

/// Most issuers.
pub(super) const ISSUERS_MAX: usize = 64;
/// Most tiers.
pub(super) const TIERS_MAX: usize = 256;
/// Most routes: every request looks at them in turn.
pub(super) const ROUTES_MAX: usize = 1_000;
/// Most districts of a configuration.
pub(super) const DISTRICTS_MAX: usize = 10_000;
/// Longest list of ids for the upstream, bytes. Envoy refuses requests whose headers exceed 60 KiB by default.
pub(super) const FORWARDED_LIST_BYTES: RangeInclusive<u32> = 1..=60_000;
/// Most further claims for the upstream.
pub(super) const FORWARDED_CLAIMS_MAX: usize = 16;
/// The shortest signed token is longer than the least; Envoy refuses requests whose headers exceed 60 KiB by default.
pub(super) const TOKEN_BYTES: RangeInclusive<u32> = 128..=60_000;
pub(super) const CACHED_TOKENS: RangeInclusive<u32> = 0..=1_000_000;
/// The memory of a worker is one 32-bit address space.
pub(super) const CACHED_BYTES: RangeInclusive<u32> = 0..=1 << 30;
pub(super) const WAITERS: RangeInclusive<u32> = 1..=100_000;
pub(super) const RETRY_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=duration::LONGEST;

/// The whole document.
pub const CONFIGURATION: Fields = Fields::new(
    "",
    &[
        field(
            "realm",
            Shape::Text("string, 1 to 256 of printable ASCII without `\"` and `\\`"),
            Presence::Default("\"api\""),
            "`realm` of `WWW-Authenticate`",
        ),
        field(
            "errors",
            Shape::Words(&["problem-json", "plain", "student-data-api", "oneroster", "oauth"]),
            Presence::Default("\"problem-json\""),
            "bodies of errors, see [Dialects]",
        ),
        field(
            "problem_base",
            Shape::Text("http or https URL, at most 256 bytes"),
            Presence::Default("\"https://github.com/hallpass/hallpass#\""),
            "the `type` of a problem is this and its code",
        ),
        field("dry_run", Shape::Boolean, Presence::OFF, "see [Dry run], for every tier; warned of"),
        field(
            "issuers",
            Shape::List(&Shape::Object(&ISSUER), 0..=ISSUERS_MAX, "array, at most 64"),
            Presence::NONE,
            "who signs tokens; needed by guarded routes",
        ),
        field(
            "tiers",
            Shape::Map(&Shape::Object(&TIER), TIERS_MAX, "object, at most 256"),
            Presence::NONE,
            "name (1 to 64 of `A-Za-z0-9_.-`) to tier; needed by issuers",
        ),
        field(
            "api_keys",
            Shape::Object(&API_KEYS),
            Presence::NONE,
            "see [API keys]; needed by routes that require `api_key`; without any of these it is warned of",
        ),
        field(
            "districts",
            Shape::Map(
                &Shape::List(&Shape::Text("school id"), 0..=10_000, "array of school ids"),
                DISTRICTS_MAX,
                "object, at most 10,000",
            ),
            Presence::NONE,
            "district id to array of distinct school ids, at most 10,000: a token's district opens its schools, see \
             [Scope]; warned of where no issuer has `claims.districts`",
        ),
        field(
            "routes",
            Shape::List(&Shape::Object(&ROUTE), 1..=ROUTES_MAX, "array, 1 to 1000"),
            Presence::Required,
            "what may be asked for; the first match wins; what no route matches is 404",
        ),
        field("forward", Shape::Object(&FORWARD), Presence::Optional("see below"), "headers for the upstream"),
        field(
            "rate_limit_headers",
            Shape::Either(
                &[RATE_LIMIT_WORDS, Shape::Object(&RATE_LIMIT_HEADERS)],
                "`draft-11`, `x-ratelimit`, `off`, or an object",
            ),
            Presence::Default("\"draft-11\""),
            "fields of responses that tell what is left, see [RateLimit fields]",
        ),
        field(
            "authentication_failures",
            Shape::Either(&[Shape::Object(&FAILURE_BUDGET), Shape::Words(&["off"])], "object, or `off`"),
            Presence::Optional("600 per `1m`"),
            "budget of a source address for failed credentials; `off` is warned of",
        ),
        field(
            "filter_state",
            Shape::List(
                &Shape::Words(&["decision", "tier", "client", "route", "key", "cost", "retirement"]),
                0..=7,
                "array of distinct fields: `decision`, `tier`, `client`, `route`, `key`, `cost`, `retirement`, `reason`, `limit`, `would_deny`",
            ),
            Presence::Optional("all"),
            "what of them the [Access log] and the guard get; without `decision` the guard refuses every request, which is \
             warned of",
        ),
        field(
            "settlement_header",
            Shape::Text("header name"),
            Presence::NONE,
            "response header in which the upstream tells the actual cost, see [Cost]; differs from the forwarded headers \
             and `api_keys.header`",
        ),
        field("bounds", Shape::Object(&BOUNDS), Presence::Optional("see below"), "bounds on clients and on memory"),
    ],
);

/// `forward`.
pub const FORWARD: Fields = Fields::new(
    "forward",
    &[
        forwarded("schools", Presence::Default("\"x-claim-schools\""), "the approved schools"),
        forwarded("tier", Presence::Default("\"x-claim-tier\""), "the tier"),
        forwarded("client", Presence::Default("\"x-claim-client-id\""), "the client's id"),
        forwarded("districts", Presence::Default("\"x-claim-districts\""), "the approved districts"),
        forwarded("permissions", Presence::Default("\"x-claim-permissions\""), "the permissions"),
        field(
            "schools_format",
            Shape::Words(&["comma", "json"]),
            Presence::Default("\"comma\""),
            "`a,b` or `[\"a\",\"b\"]`; districts and permissions too",
        ),
        field(
            "max_schools_bytes",
            Shape::Number(FORWARDED_LIST_BYTES),
            Presence::Default("8192"),
            "a longer list is refused (403); each of schools, districts and permissions",
        ),
        field(
            "claims",
            Shape::Map(&Shape::Text("claim"), FORWARDED_CLAIMS_MAX, "object, at most 16"),
            Presence::NONE,
            "header name to claim: further claims for the upstream, see [Other claims]",
        ),
        field(
            "authorization",
            Shape::Boolean,
            Presence::Default("true"),
            "whether `Authorization` reaches the upstream",
        ),
    ],
);

const fn forwarded(name: &'static str, presence: Presence, meaning: &'static str) -> Field {
    field(name, Shape::Text("header name"), presence, meaning)
}

const RATE_LIMIT_WORDS: Shape = Shape::Words(&["draft-11", "x-ratelimit", "off"]);

/// `rate_limit_headers`, as an object.
pub const RATE_LIMIT_HEADERS: Fields = Fields::new(
    "rate_limit_headers",
    &[
        field("fields", RATE_LIMIT_WORDS, Presence::Default("\"draft-11\""), "which fields"),
        field(
            "when",
            Shape::Words(&["always", "refused"]),
            Presence::Default("\"always\""),
            "`refused`: only the 429 of a limit carries them, and other responses cost nothing on the way back; not with \
             `fields: off`",
        ),
    ],
);

/// `bounds`.
pub const BOUNDS: Fields = Fields::new(
    "bounds",
    &[
        field("max_token_bytes", Shape::Number(TOKEN_BYTES), Presence::Default("16384"), "longest token"),
        field(
            "max_cached_tokens",
            Shape::Number(CACHED_TOKENS),
            Presence::Default("10000"),
            "verified tokens that a worker keeps",
        ),
        field(
            "max_cached_bytes",
            Shape::Number(CACHED_BYTES),
            Presence::Default("16777216"),
            "bytes of tokens and identities that a worker keeps",
        ),
        field(
            "max_waiters",
            Shape::Number(WAITERS),
            Presence::Default("1000"),
            "requests of a worker that may wait for keys or a list",
        ),
        field("max_retry_after", Shape::Duration(RETRY_AFTER), Presence::Default("\"1h\""), "longest `Retry-After`"),
    ],
);

/// Every object of the configuration, by the heading of the section that has its table.
pub const SECTIONS: [(&str, &[&Fields]); 8] = [
    ("Top level", &[&CONFIGURATION, &RATE_LIMIT_HEADERS]),
    ("API keys", &[&API_KEYS, &credentials::RETIREMENT, &credentials::EXTENSION]),
    (
        "Issuers",
        &[
            &ISSUER,
            &credentials::JWKS,
            &credentials::REMOTE,
            &credentials::SECRET,
            &credentials::CLAIMS,
            &credentials::VALUE_CLAIM,
            &credentials::LIST_CLAIM,
            &credentials::REQUIRED_CLAIM,
            &credentials::REVOCATIONS,
            &credentials::TOKENS,
        ],
    ),
    ("Tiers", &[&TIER, &limits::LIMIT]),
    ("Budget for failed credentials", &[&FAILURE_BUDGET]),
    (
        "Routes",
        &[
            &ROUTE,
            &routes::MATCH,
            &routes::SCOPE,
            &routes::SCOPE_RULE,
            &routes::BODY,
            &routes::COST_RULE,
            &routes::COST_FACTOR,
        ],
    ),
    ("Forwarded headers", &[&FORWARD]),
    ("Bounds", &[&BOUNDS]),
];
