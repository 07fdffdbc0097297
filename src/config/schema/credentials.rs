//! `issuers` and `api_keys`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::TIERS_MAX;
use crate::config::duration;
use crate::credentials::jwt::claims::SCHOOLS_MAX;
use crate::values::schema::{Field, Fields, Presence, Shape, field};

/// Most audiences, and most required claims, of one issuer.
pub(in crate::config) const NAMES_MAX: usize = 64;
/// Most secrets of one issuer.
pub(in crate::config) const SECRETS_MAX: usize = 64;
/// Most clients with dates of their own.
pub(in crate::config) const EXTENSIONS_MAX: usize = 10_000;
/// More tolerance than this hides a broken clock.
pub(in crate::config) const CLOCK_SKEW: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);
pub(in crate::config) const LIFETIME: RangeInclusive<Duration> = Duration::from_secs(1)..=duration::LONGEST;
/// Envoy reads a timeout below a millisecond as none.
pub(in crate::config) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_mins(1);
/// Below the least, unknown kids make the filter hammer the issuer.
pub(in crate::config) const COOLDOWN: RangeInclusive<Duration> = COOLDOWN_MIN..=Duration::from_hours(1);
/// Times between fetches, and how long what was fetched is good: no shorter than the shortest cooldown.
pub(in crate::config) const REFRESH: RangeInclusive<Duration> = COOLDOWN_MIN..=duration::LONGEST;
const COOLDOWN_MIN: Duration = Duration::from_millis(100);

const CLAIM: Shape = Shape::Text("claim");
const VALUE_CLAIM_SHAPE: Shape = Shape::Either(&[CLAIM, Shape::Object(&VALUE_CLAIM)], "claim, or object");
const LIST_CLAIM_SHAPE: Shape = Shape::Either(&[CLAIM, Shape::Object(&LIST_CLAIM)], "claim, or object");
const DATE: Shape = Shape::Text("date");
const SCHOOLS: Shape =
    Shape::List(&Shape::Text("school id"), 0..=SCHOOLS_MAX, "array of distinct school ids, at most 10,000");
const LIST_OVER_NETWORK: &str = "over the network; `refresh` defaults to `10s`, `max_stale` to `10m`";
const IN_CONFIGURATION: &str = "in the configuration";
const SOURCES: &[&str] = &["inline", "remote"];

/// `api_keys`.
pub const API_KEYS: Fields = Fields {
    path: "api_keys",
    one_of: SOURCES,
    rows: &[
        field(
            "header",
            Shape::Text("header name, none of `forward` and not `settlement_header`"),
            Presence::Default("\"x-api-key\""),
            "the request header that carries the key",
        ),
        field(
            "basic",
            Shape::Boolean,
            Presence::OFF,
            "whether the user of `Authorization: Basic` is a key as well, see [Keys alone]",
        ),
        field(
            "forward",
            Shape::Boolean,
            Presence::OFF,
            "whether the header, and Basic, reach the upstream, from any route; warned of",
        ),
        field(
            "issuer",
            Shape::Text("issuer name"),
            Presence::Optional("the only issuer, if there is one"),
            "whose clients the keys name; the tokens of routes that require both come from it; with `require_any` and \
             several issuers it is warned of if this is not given",
        ),
        inline("list, see [Key lists]; `version` may be left out", "keys in the configuration"),
        remote(LIST_OVER_NETWORK),
        field(
            "retirement",
            Shape::Object(&RETIREMENT),
            Presence::NONE,
            "when keys retire, see [Retirement of credentials]",
        ),
    ],
};

/// `retirement` of keys, or of an issuer.
pub const RETIREMENT: Fields = Fields::new(
    "api_keys.retirement",
    &[
        field("announced", DATE, Presence::Required, "from then on answers tell of it"),
        field(
            "throttled_from",
            Shape::Text("date between `announced` and `refused_from`"),
            Presence::Optional("none; with `throttled_tier`"),
            "from then on `throttled_tier` replaces the credential's tier",
        ),
        field(
            "throttled_tier",
            Shape::Text("tier name"),
            Presence::Optional("none; with `throttled_from`"),
            "the stricter tier. It is warned of if it changes nothing, and if its limits, or what one request may cost, are \
             not stricter than those of every other tier that the credentials may have",
        ),
        field(
            "refused_from",
            Shape::Text("date after `announced`"),
            Presence::Required,
            "from then on credentials are refused, see [credential-retired]",
        ),
        field(
            "link",
            Shape::Text("absolute http or https URL, at most 1024 bytes, no user"),
            Presence::Required,
            "a page about it, for `Link`",
        ),
        field(
            "replacement",
            Shape::Text("1 to 256 of printable ASCII without `\"`, `\\`, `<` and `>`, no space at either end"),
            Presence::Required,
            "what to use instead; stands in the body of the refusal",
        ),
        field(
            "extensions",
            Shape::List(&Shape::Object(&EXTENSION), 0..=EXTENSIONS_MAX, "array, at most 10,000"),
            Presence::NONE,
            "dates of single clients",
        ),
    ],
);

/// Dates of a single client.
pub const EXTENSION: Fields = Fields::new(
    "api_keys.retirement.extensions[]",
    &[
        field("client", Shape::Text("client id"), Presence::Required, "whose; each once"),
        field(
            "throttled_from",
            Shape::Text("date, not before that of all, before the client's `refused_from`"),
            Presence::Optional("that of all"),
            "its own date; only where there is one for all",
        ),
        field(
            "refused_from",
            Shape::Text("date, not before that of all"),
            Presence::Optional("that of all; one of both is needed"),
            "its own date",
        ),
    ],
);

/// An issuer.
pub const ISSUER: Fields = Fields {
    path: "issuers[]",
    one_of: &["jwks", "secrets", "tokens"],
    rows: &[
        field("issuer", Shape::Text("string"), Presence::Required, "`iss`, compared byte by byte; unique"),
        field(
            "audiences",
            Shape::List(&Shape::Text("audience"), 1..=NAMES_MAX, "array of distinct strings, 1 to 64"),
            Presence::NONE,
            "accepted `aud`; without it every `aud` is accepted, or none, which is warned of unless `types: [at+jwt]` or \
             `required_claims` with `values` tells access tokens apart",
        ),
        field("jwks", Shape::Object(&JWKS), Presence::OneOf, "keys that sign tokens"),
        field(
            "secrets",
            Shape::List(&Shape::Object(&SECRET), 1..=SECRETS_MAX, "array, 1 to 64"),
            Presence::OneOf,
            "shared secrets; one that two issuers share is warned of",
        ),
        field(
            "clock_skew",
            Shape::Duration(CLOCK_SKEW),
            Presence::Default("\"30s\""),
            "tolerance for `exp`, `nbf`, `iat`",
        ),
        field("max_lifetime", Shape::Duration(LIFETIME), Presence::NONE, "longest `exp - iat`; makes `iat` required"),
        field(
            "required_claims",
            Shape::List(
                &Shape::Either(&[CLAIM, Shape::Object(&REQUIRED_CLAIM)], "claim, or object"),
                0..=NAMES_MAX,
                "array of distinct claims, each a claim or an object, at most 64",
            ),
            Presence::NONE,
            "claims that must be there and not null, or have one of some values; without `claims.id` where a list of revocations may name single \
             tokens it is warned of",
        ),
        field(
            "types",
            Shape::List(
                &Shape::Words(&["at+jwt", "JWT"]),
                1..=2,
                "array of distinct types, not empty: `at+jwt`, `JWT`",
            ),
            Presence::Optional("any, also none"),
            "accepted `typ` of the header; `at+jwt` alone keeps ID tokens out where the issuer follows RFC 9068",
        ),
        field(
            "bound_tokens",
            Shape::Words(&["refuse", "ignore", "mtls"]),
            Presence::Default("\"refuse\""),
            "tokens with `cnf`, which are bound to a key: `mtls` accepts those that are bound to the client's certificate \
             (RFC 8705); `ignore` accepts all, so that a stolen one works, which is warned of",
        ),
        field(
            "claims",
            Shape::Object(&CLAIMS),
            Presence::Optional("see below"),
            "names of the claims that describe the caller",
        ),
        field(
            "tiers",
            Shape::List(&Shape::Text("tier name"), 1..=TIERS_MAX, "array of distinct tier names, not empty"),
            Presence::Optional("every tier"),
            "what the issuer may grant; where every route of the issuer requires an API key, this, `default_tier` and \
             `claims.tier` bind nobody, which is warned of",
        ),
        field(
            "default_tier",
            Shape::Text("tier name, one of the issuer's `tiers`"),
            Presence::NONE,
            "tier of every token; only without `claims.tier`",
        ),
        field(
            "schools",
            SCHOOLS,
            Presence::NONE,
            "bound on what the issuer may grant: a token with another school is invalid; needs `claims.schools`; refused \
             beside `claims.districts`, whose districts open schools that no such list bounds",
        ),
        field("revocations", Shape::Object(&REVOCATIONS), Presence::NONE, "void tokens, see [Revocation]"),
        field(
            "retirement",
            Shape::Object(&RETIREMENT),
            Presence::NONE,
            "when tokens of the issuer retire, see [Retirement of credentials]; without `throttled_tier` where a route \
             requires an API key beside them, since the tier is then the key's",
        ),
        field(
            "tokens",
            Shape::Object(&TOKENS),
            Presence::OneOf,
            "opaque tokens, see [Token lists]; at most one issuer has them. Beside it only `issuer`, `tiers` and \
             `retirement` may stand.",
        ),
    ],
};

/// `jwks` of an issuer.
pub const JWKS: Fields = Fields {
    path: "issuers[].jwks",
    one_of: SOURCES,
    rows: &[
        inline(
            "JWKS, as an object or a string, at most 256 KiB and 100 keys",
            "weak, broken and private keys (`d`, `p`, ...) refuse the configuration; keys for other uses are left out, \
             which is warned of",
        ),
        remote("keys over the network, see [Key sets]"),
    ],
};

/// Where a document is fetched from.
pub const REMOTE: Fields = Fields::new(
    "issuers[].jwks.remote",
    &[
        field(
            "uri",
            Shape::Text("absolute http or https URI, at most 2048 bytes, no user, no fragment"),
            Presence::Required,
            "authority and path of the request; http is warned of. The connection, TLS included, is that of the cluster.",
        ),
        field(
            "cluster",
            Shape::Text("string"),
            Presence::Required,
            "Envoy cluster that serves it; one that is missing is a failed fetch, which the log tells",
        ),
        field("timeout", Shape::Duration(TIMEOUT), Presence::Default("\"2s\""), "longest fetch"),
        field(
            "refresh",
            Shape::Duration(REFRESH),
            Presence::Default("\"10m\""),
            "longest time between fetches; at least `cooldown`",
        ),
        field(
            "max_stale",
            Shape::Duration(REFRESH),
            Presence::Default("\"24h\""),
            "how long the last good document serves when fetches fail; at least `refresh`",
        ),
        field("cooldown", Shape::Duration(COOLDOWN), Presence::Default("\"2s\""), "shortest time between fetches"),
    ],
);

/// A shared secret.
pub const SECRET: Fields = Fields {
    path: "issuers[].secrets[]",
    one_of: &["base64", "text", "env"],
    rows: &[
        field("kid", Shape::Text("string, at most 256 bytes"), Presence::NONE, "name in tokens"),
        field(
            "alg",
            Shape::Words(&["HS256", "HS384", "HS512"]),
            Presence::Required,
            "the only algorithm of the secret",
        ),
        field(
            "base64",
            Shape::Text("base64 or base64url, with or without padding"),
            Presence::OneOf,
            "the secret, at least as long as the hash (32, 48, 64 bytes)",
        ),
        field("text", Shape::Text("string"), Presence::OneOf, "the same as plain text"),
        field(
            "env",
            Shape::Text("name of an environment variable"),
            Presence::OneOf,
            "the same as plain text, from `vm_config.environment_variables`",
        ),
    ],
};

/// `claims` of an issuer.
pub const CLAIMS: Fields = Fields::new(
    "issuers[].claims",
    &[
        field(
            "client",
            VALUE_CLAIM_SHAPE,
            Presence::Default("\"client_id\""),
            "the client's id; always required in tokens",
        ),
        field(
            "tier",
            VALUE_CLAIM_SHAPE,
            Presence::NONE,
            "the tier's name; without it tokens are not asked for one, and `default_tier` is required, unless every route \
             of the issuer requires an API key",
        ),
        field(
            "schools",
            LIST_CLAIM_SHAPE,
            Presence::NONE,
            "the approved schools; without it no list is read or forwarded, and routes of the issuer cannot have `scope`",
        ),
        field("districts", LIST_CLAIM_SHAPE, Presence::NONE, "the approved districts; needed by `scope.districts`"),
        field(
            "permissions",
            LIST_CLAIM_SHAPE,
            Presence::NONE,
            "what the caller may do: an array of strings, or, unless `form` says otherwise, one string with spaces between, as \
             OAuth's `scope`; needed by `permissions` of routes; a claim for two of these lists is warned of",
        ),
        field(
            "district_schools",
            LIST_CLAIM_SHAPE,
            Presence::NONE,
            "object of district id to list of school ids; counts for the token's own districts; may be absent from a token",
        ),
        field(
            "id",
            CLAIM,
            Presence::Optional("`jti` with `revocations`, else none"),
            "the token's id, by which it can be revoked; may be absent from a token: demand it with `required_claims`",
        ),
    ],
);

/// A claim of one value.
pub const VALUE_CLAIM: Fields = Fields::new(
    "issuers[].claims.client",
    &[
        field("claim", CLAIM, Presence::Required, "where it stands"),
        field("numbers", Shape::Boolean, Presence::OFF, "accept whole numbers up to 2^53 - 1, as their decimal digits"),
    ],
);

/// A claim that is a list.
pub const LIST_CLAIM: Fields = Fields::new(
    "issuers[].claims.schools",
    &[
        field("claim", CLAIM, Presence::Required, "where it stands"),
        field(
            "form",
            Shape::Words(&["array", "string", "separated"]),
            Presence::Optional("`array`; for `permissions` also a string with spaces between"),
            "an array of values, one value, or a string of values with a separator between; a token with another form is \
             invalid",
        ),
        field(
            "separator",
            Shape::Text("one of `,`, a space, `;` and `|`"),
            Presence::Optional("`,`"),
            "what stands between values; only with `form: separated`; an empty string is an empty list",
        ),
        field("numbers", Shape::Boolean, Presence::OFF, "accept whole numbers up to 2^53 - 1, as their decimal digits"),
    ],
);

/// A claim that must be there.
pub const REQUIRED_CLAIM: Fields = Fields::new(
    "issuers[].required_claims[]",
    &[
        field("claim", CLAIM, Presence::Required, "where it stands"),
        field(
            "values",
            Shape::List(&Shape::Text("value"), 1..=NAMES_MAX, "array of distinct strings, 1 to 64"),
            Presence::Required,
            "what it may be: one of these strings, or an array that holds one of them",
        ),
    ],
);

/// `revocations` of an issuer.
pub const REVOCATIONS: Fields = Fields {
    path: "issuers[].revocations",
    one_of: SOURCES,
    rows: &[inline("list, see [Revocation]; `version` may be left out", IN_CONFIGURATION), remote(LIST_OVER_NETWORK)],
};

/// `tokens` of an issuer.
pub const TOKENS: Fields = Fields {
    path: "issuers[].tokens",
    one_of: SOURCES,
    rows: &[
        inline("list, see [Token lists]; at most 1,000 tokens; `version` may be left out", IN_CONFIGURATION),
        remote(LIST_OVER_NETWORK),
    ],
};

const fn inline(form: &'static str, meaning: &'static str) -> Field {
    field("inline", Shape::Document(form), Presence::OneOf, meaning)
}

const fn remote(meaning: &'static str) -> Field {
    field("remote", Shape::Object(&REMOTE), Presence::OneOf, meaning)
}
