//! The members of the lists of credentials: key lists, revocation lists, token lists.

use crate::credentials::jwt::claims::SCHOOLS_MAX;
use crate::values::schema::{Field, Fields, Presence, Shape, field};

/// Most keys of a list.
pub const KEYS_MAX: usize = 100_000;
/// Most tokens of a list from the network.
pub const TOKENS_MAX: usize = 100_000;

const VISIBLE: Shape = Shape::Text("string of 1 to 256 visible ASCII characters without comma, quote and backslash");
const HASH: Shape = Shape::Text("64 hexadecimal digits");
const DATE: Shape = Shape::Text("RFC 3339 date");
const VERSION: Field = field(
    "version",
    Shape::Document("whole number from 0"),
    Presence::Optional("required, `0` inline"),
    "may not go back",
);
const NOT_BEFORE: Field = field("not_before", DATE, Presence::NONE, "valid from then");

/// A list of API keys.
pub const KEY_LIST: Fields = Fields::new(
    "",
    &[VERSION, field("keys", Shape::List(&Shape::Object(&KEY), 0..=KEYS_MAX, "array"), Presence::Required, "the keys")],
);

/// An API key in its list.
pub const KEY: Fields = Fields::new(
    "keys[]",
    &[
        field("id", VISIBLE, Presence::Required, "names the key in the access log; unique"),
        field("client", VISIBLE, Presence::Required, "whose key it is; equals `claims.client` of the client's tokens"),
        field("sha256", HASH, Presence::Required, "SHA-256 of the key; unique"),
        field(
            "tier",
            Shape::Text("tier name"),
            Presence::Required,
            "the plan. One that is not configured is an error inline; from a remote list its requests are 403, see \
             [tier-unknown]",
        ),
        field(
            "districts",
            Shape::List(&Shape::Text("district id"), 0..=SCHOOLS_MAX, "array of distinct district ids, at most 10,000"),
            Presence::NONE,
            "what the key opens alone, see [Keys alone]",
        ),
        field(
            "schools",
            Shape::List(&Shape::Text("school id"), 0..=SCHOOLS_MAX, "array of distinct school ids, at most 10,000"),
            Presence::NONE,
            "likewise",
        ),
        NOT_BEFORE,
        not_after("valid up to, but not at, then"),
    ],
);

/// A list of revocations.
pub const REVOCATION_LIST: Fields = Fields::new(
    "",
    &[
        VERSION,
        field(
            "tokens",
            Shape::List(&Shape::Text("token id"), 0..=usize::MAX, "array of strings of 1 to 256 bytes"),
            Presence::NONE,
            "the `claims.id` of void tokens",
        ),
        field(
            "clients",
            Shape::List(&Shape::Object(&REVOKED_CLIENT), 0..=usize::MAX, "array"),
            Presence::NONE,
            "clients whose tokens are void up to a moment",
        ),
    ],
);

/// A client in a list of revocations.
pub const REVOKED_CLIENT: Fields = Fields::new(
    "clients[]",
    &[
        field("client", VISIBLE, Presence::Required, "a client (`claims.client`)"),
        field(
            "issued_until",
            Shape::Document(
                "RFC 3339 date, or seconds since 1970, then none before the year 2000 (`20260101` is no date)",
            ),
            Presence::Required,
            "its tokens issued (`iat`) up to and at this moment are void",
        ),
    ],
);

/// A list of opaque tokens.
pub const TOKEN_LIST: Fields = Fields::new(
    "",
    &[
        VERSION,
        field("tokens", Shape::List(&Shape::Object(&TOKEN), 0..=TOKENS_MAX, "array"), Presence::Required, "the tokens"),
    ],
);

/// A token in its list.
pub const TOKEN: Fields = Fields::new(
    "tokens[]",
    &[
        field("sha256", HASH, Presence::Required, "SHA-256 of the token; unique"),
        field("client", VISIBLE, Presence::Required, "forwarded, and whose budgets are charged"),
        field(
            "district",
            Shape::Text("string like that, without `*`"),
            Presence::Required,
            "the one approved district",
        ),
        field(
            "schools",
            Shape::List(
                &Shape::Text("school id"),
                0..=SCHOOLS_MAX,
                "array of at most 10,000 distinct strings like that",
            ),
            Presence::Required,
            "the approved schools, all of them: `districts` of the configuration opens no more to such a token",
        ),
        field(
            "tier",
            Shape::Text("tier name"),
            Presence::Required,
            "one that is not configured is an error inline; from a remote list, or where the issuer may not grant it, its \
             requests are 403, see [tier-unknown]",
        ),
        NOT_BEFORE,
        not_after("valid up to, but not at, then; from then on 401, see [token-expired]"),
    ],
);

const fn not_after(meaning: &'static str) -> Field {
    field("not_after", Shape::Text("RFC 3339 date, after `not_before`"), Presence::NONE, meaning)
}

/// Every object of the lists, by the heading of the section that has its table.
pub const SECTIONS: [(&str, &[&Fields]); 3] = [
    ("Key lists", &[&KEY_LIST, &KEY]),
    ("Revocation", &[&REVOCATION_LIST, &REVOKED_CLIENT]),
    ("Token lists", &[&TOKEN_LIST, &TOKEN]),
];
