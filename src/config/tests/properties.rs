//! Nothing panics, and both forms of a document mean the same.

use proptest::prelude::*;

use super::*;

/// Member names of the configuration, so that arbitrary documents reach beyond the first check.
const NAMES: [&str; 41] = [
    "realm",
    "errors",
    "issuers",
    "tiers",
    "routes",
    "forward",
    "bounds",
    "issuer",
    "audiences",
    "jwks",
    "inline",
    "remote",
    "uri",
    "cluster",
    "timeout",
    "secrets",
    "alg",
    "text",
    "base64",
    "claims",
    "client",
    "tier",
    "schools",
    "limits",
    "name",
    "requests",
    "cost",
    "per",
    "burst",
    "match",
    "host",
    "path",
    "methods",
    "require",
    "scope",
    "query",
    "times",
    "weight",
    "authentication_failures",
    "filter_state",
    "max_cost",
];

/// Strings that some field accepts.
const WORDS: [&str; 11] =
    ["decision", "1m", "day", "free", "bearer", "HS256", "https://a/", "/x/{y}/", "*", "x-claim-tier", "off"];

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..100_u32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_name(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Pointers to every value of a document.
fn pointers(value: &Value, prefix: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{prefix}/{name}");
        pointers(child, &pointer, found);
        found.push(pointer);
    }
}

fn outcome(bytes: &[u8]) -> Result<String, String> {
    Config::from_bytes(bytes).map(|config| format!("{config:?}")).map_err(|errors| errors.to_string())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Config::from_bytes(&bytes);
    }

    #[test]
    fn damaged_struct_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = protobuf(&sample());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Config::from_bytes(&bytes);
    }

    #[test]
    fn arbitrary_json_never_panics(document in any_json()) {
        let _ = load(&document);
    }

    #[test]
    fn sample_with_an_arbitrary_value_means_the_same_in_both_forms(
        at in any::<prop::sample::Index>(),
        value in any_json().prop_filter("null removes", |value| !value.is_null()),
    ) {
        let mut document = sample();
        let mut found = Vec::new();
        pointers(&document, "", &mut found);
        set(&mut document, at.get::<String>(&found), value);
        prop_assert_eq!(outcome(document.to_string().as_bytes()), outcome(&protobuf(&document)));
    }
}
