//! The tables of configuration fields are those of the readers: no field more, no field less, and the defaults are true.

use std::collections::{BTreeMap, BTreeSet};

use hallpass::config::Config;
use serde_json::{Value, json};

use super::document::{README, spans};
use crate::support::process::root;

const HEADINGS: [&str; 8] = [
    "Top level",
    "API keys",
    "Issuers",
    "Tiers",
    "Budget for failed credentials",
    "Routes",
    "Forwarded headers",
    "Bounds",
];

/// The readers' lists of fields, by file and name, and where in a document each holds.
const READERS: [(&str, &str, &str); 23] = [
    ("document.rs", "FIELDS", ""),
    ("document.rs", "BOUND_FIELDS", "bounds."),
    ("api_keys.rs", "FIELDS", "api_keys."),
    ("retirement.rs", "FIELDS", "api_keys.retirement."),
    ("retirement.rs", "EXTENSION_FIELDS", "api_keys.retirement.extensions[]."),
    ("issuers.rs", "FIELDS", "issuers[]."),
    ("issuers.rs", "CLAIM_FIELDS", "issuers[].claims."),
    ("keys.rs", "JWKS_FIELDS", "issuers[].jwks."),
    ("keys.rs", "REMOTE_FIELDS", "issuers[].jwks.remote."),
    ("keys.rs", "SECRET_FIELDS", "issuers[].secrets[]."),
    ("lists.rs", "SOURCE_FIELDS", "issuers[].revocations."),
    ("tiers.rs", "FIELDS", "tiers.NAME."),
    ("limit.rs", "FIELDS", "tiers.NAME.limits[]."),
    ("limit.rs", "BUDGET_FIELDS", "authentication_failures."),
    ("tokens.rs", "FIELDS", "issuers[].tokens."),
    ("routes.rs", "FIELDS", "routes[]."),
    ("routes.rs", "MATCH_FIELDS", "routes[].match."),
    ("access.rs", "BODY_FIELDS", "routes[].body."),
    ("cost.rs", "FIELDS", "routes[].cost."),
    ("cost.rs", "TIMES_FIELDS", "routes[].cost.times."),
    ("scope.rs", "FIELDS", "routes[].scope."),
    ("scope.rs", "PLACE_FIELDS", "routes[].scope.schools."),
    ("forward.rs", "FIELDS", "forward."),
];

/// Rows of all tables: path, and the cell of the default.
fn rows() -> Vec<(String, String)> {
    let rows = HEADINGS.into_iter().flat_map(|heading| README.table(heading));
    rows.map(|row| (row[0].trim_matches('`').to_owned(), row[2].clone())).collect()
}

/// A document that loads, in which the parent of `path` is there.
fn document_for(path: &str) -> Value {
    let mut document = json!({
        "issuers": [{
            "issuer": "a",
            "jwks": {"remote": {"uri": "https://a/", "cluster": "a"}},
            "claims": {"tier": "tier", "schools": "schools"},
        }],
        "tiers": {"NAME": {"limits": [{"name": "l", "requests": 1, "per": "1m"}]}},
        "routes": [{"match": {"path": "/"}, "scope": {"schools": {"query": "s"}}}],
        "api_keys": {"inline": {"keys": []}},
        "authentication_failures": {},
        "forward": {},
        "bounds": {},
    });
    if path.contains(".secrets") {
        let secret = json!({"alg": "HS256", "text": "0123456789abcdef0123456789abcdef"});
        let issuer = document["issuers"][0].as_object_mut().expect("an object");
        issuer.remove("jwks");
        issuer.insert("secrets".to_owned(), json!([secret]));
    }
    if path.starts_with("issuers[].tokens") {
        document["issuers"][0] = json!({"issuer": "a", "tokens": {}});
    }
    for (field, other) in [
        ("issuers[].secrets[].base64", "/issuers/0/secrets/0"),
        ("issuers[].secrets[].env", "/issuers/0/secrets/0"),
        ("tiers.NAME.limits[].cost", "/tiers/NAME/limits/0"),
    ] {
        if path == field {
            let parent = document.pointer_mut(other).and_then(Value::as_object_mut).expect("an object");
            parent.remove("text");
            parent.remove("requests");
        }
    }
    if path.starts_with("issuers[].jwks.inline") {
        document["issuers"][0]["jwks"] = json!({});
    }
    if path.starts_with("issuers[].revocations.") {
        document["issuers"][0]["revocations"] = json!({});
    }
    if ["api_keys.inline", "api_keys.remote"].contains(&path) {
        document["api_keys"] = json!({});
    }
    if path.starts_with("api_keys.retirement.") {
        document["api_keys"]["retirement"] = schedule_for(path);
    }
    if path.starts_with("routes[].body.") {
        document["routes"][0]["scope"]["schools"] = json!({"body": "/s"});
        document["routes"][0]["body"] = json!({});
        document["routes"][0]["match"]["methods"] = json!(["POST"]);
    }
    if ["path", "header", "body"].iter().any(|place| path == format!("routes[].scope.schools.{place}")) {
        document["routes"][0]["scope"]["schools"] = json!({});
    }
    if path.starts_with("routes[].cost.") {
        document["routes"][0]["cost"] = json!({});
    }
    if path.starts_with("routes[].cost.times.") {
        document["routes"][0]["cost"]["times"] = json!({"query": "n", "default": 1});
    }
    document
}

/// A schedule in which every field but those of [`document_for`]'s `path` could be left out, if it is not required.
fn schedule_for(path: &str) -> Value {
    let mut schedule = json!({
        "announced": "2026-01-01T00:00:00Z", "refused_from": "2027-01-01T00:00:00Z", "link": "https://a/",
        "replacement": "others", "extensions": [{"client": "a", "refused_from": "2028-01-01T00:00:00Z"}],
    });
    if path.ends_with("extensions[].refused_from") {
        // Either date will do.
        let throttled_from = json!("2026-06-01T00:00:00Z");
        schedule["extensions"][0]["throttled_from"] = throttled_from.clone();
        schedule["throttled_from"] = throttled_from;
        schedule["throttled_tier"] = json!("NAME");
    }
    schedule
}

fn set(document: &mut Value, path: &str, value: Value) {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = parent.replace("[]", "/0").replace('.', "/");
    let pointer = if pointer.is_empty() { pointer } else { format!("/{pointer}") };
    document.pointer_mut(&pointer).unwrap_or_else(|| panic!("`{path}` has a parent"))[name] = value;
}

fn load(document: &Value) -> Result<String, String> {
    let loaded = Config::from_bytes(document.to_string().as_bytes());
    loaded.map(|config| format!("{config:?}")).map_err(|errors| errors.to_string())
}

#[test]
fn every_field_of_the_readme_exists() {
    for (path, _) in rows() {
        let mut document = document_for(&path);
        // No field takes this.
        set(&mut document, &path, json!(-1.5));
        let errors = load(&document).expect_err("a wrong type");
        let written = path.replace("[]", "[0]");
        let line = errors.lines().find(|line| line.starts_with(&format!("{written}: ")));
        let line = line.unwrap_or_else(|| panic!("no problem names `{written}`:\n{errors}"));
        assert!(!line.contains("unknown field"), "{line}");
    }
}

#[test]
fn every_field_of_the_readers_is_in_the_readme() {
    let stated: BTreeSet<String> = rows().into_iter().map(|(path, _)| path).collect();
    assert_eq!(stated.len(), rows().len(), "no field stands twice");
    let mut real = BTreeSet::new();
    let mut lists: BTreeMap<(String, String), Vec<String>> = lists();
    for (file, list, prefix) in READERS {
        let names = lists.remove(&(file.to_owned(), list.to_owned()));
        let names = names.unwrap_or_else(|| panic!("`{list}` is no longer in src/config/{file}"));
        real.extend(names.into_iter().map(|name| format!("{prefix}{name}")));
    }
    assert!(lists.is_empty(), "readers that this test does not know: {:?}", lists.keys());
    assert_eq!(stated, real);
}

/// Every list of fields in `src/config`, by file and name.
fn lists() -> BTreeMap<(String, String), Vec<String>> {
    let mut lists = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("src/config")).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        let Ok(source) = std::fs::read_to_string(&path) else { continue };
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        for part in source.split("const ").skip(1) {
            let Some((name, rest)) = part.split_once(": &[&str] =") else { continue };
            if name.ends_with("FIELDS") {
                let list = rest.split(';').next().expect("an end");
                let names = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
                lists.insert((file.clone(), name.to_owned()), names);
            }
        }
    }
    lists
}

#[test]
fn defaults_are_true() {
    let mut count = 0;
    for (path, cell) in rows() {
        let mut written = spans(&cell);
        // Only a cell that is one code span and nothing else states a value; `this or ...` and the like do not.
        let (Some(text), None) = (written.next(), written.next()) else { continue };
        if cell != format!("`{text}`") || text == "requests" {
            continue;
        }
        let text = text.replace(',', "");
        let value = match text.as_str() {
            "[bearer]" => json!(["bearer"]),
            "[client]" => json!(["client"]),
            _ => serde_json::from_str(&text).unwrap_or_else(|_| json!(text)),
        };
        let absent = document_for(&path);
        let mut given = absent.clone();
        set(&mut given, &path, value);
        let absent = load(&absent).unwrap_or_else(|errors| panic!("`{path}`: {errors}"));
        let given = load(&given).unwrap_or_else(|errors| panic!("`{path}`: {errors}"));
        assert_eq!(given, absent, "the default of `{path}`");
        count += 1;
    }
    assert!(count > 25, "the tables state defaults, only {count} found");
}

/// The document for `path` without the field, if it had it.
fn without(path: &str) -> Value {
    let mut document = document_for(path);
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = parent.replace("[]", "/0").replace('.', "/");
    let pointer = if pointer.is_empty() { pointer } else { format!("/{pointer}") };
    document.pointer_mut(&pointer).and_then(Value::as_object_mut).expect("an object").remove(name);
    document
}

#[test]
fn fields_are_required_where_the_readme_says_so() {
    let mut count = 0;
    for (path, cell) in rows() {
        // Required unless another is there, and named where none is.
        if ["issuers[].claims.tier", "routes[].scope.schools", "routes[].cost.times.query"].contains(&path.as_str()) {
            continue;
        }
        let named = format!("{}: ", path.replace("[]", "[0]"));
        let errors = load(&without(&path)).err().unwrap_or_default();
        let is_missed = errors.lines().any(|line| line.starts_with(&named));
        assert_eq!(is_missed, cell == "required", "`{path}`: {errors}");
        count += usize::from(is_missed);
    }
    assert!(count > 8);
}

#[test]
fn every_member_of_the_lists_is_in_the_readme() {
    let stated = |heading| -> BTreeSet<String> {
        let rows = README.table(heading).into_iter();
        rows.map(|row| row[0].trim_matches('`').to_owned()).filter(|name| !name.contains(' ')).collect()
    };
    let real = |file: &str, lists: [(&str, &str); 2]| -> BTreeSet<String> {
        let source = std::fs::read_to_string(root().join(file)).expect("the source can be read");
        let names = |(list, prefix): (&str, &str)| -> Vec<String> {
            let list = source.split(&format!("const {list}: &[&str] = &[")).nth(1).expect("the list");
            let names = list.split(']').next().expect("an end").split('"').skip(1).step_by(2);
            names.map(|name| format!("{prefix}{name}")).collect()
        };
        lists.into_iter().flat_map(names).collect()
    };
    let mut keys = real("src/credentials/api_key.rs", [("LIST_FIELDS", ""), ("KEY_FIELDS", "keys[].")]);
    keys.remove("keys");
    assert_eq!(stated("Key lists"), keys);
    let mut revocations = real("src/credentials/revocation.rs", [("LIST_FIELDS", ""), ("CLIENT_FIELDS", "clients[].")]);
    revocations.remove("clients");
    revocations.remove("tokens");
    revocations.insert("tokens[]".to_owned());
    assert_eq!(stated("Revocation"), revocations);
    let mut tokens = real("src/credentials/opaque.rs", [("LIST_FIELDS", ""), ("TOKEN_FIELDS", "tokens[].")]);
    tokens.remove("tokens");
    assert_eq!(stated("Token lists"), tokens);
}

#[test]
fn lists_of_the_readme_are_read() {
    let list = |heading: &str| {
        let block = README.blocks.iter().find(|block| block.heading == heading && block.info == "json");
        serde_json::from_str::<Value>(&block.expect("a list").text).expect("JSON")
    };
    let mut document = document_for("api_keys.header");
    document["tiers"]["starter"] = document["tiers"]["NAME"].clone();
    document["api_keys"]["inline"] = list("Key lists");
    document["issuers"][0]["revocations"] = json!({"inline": list("Revocation")});
    document["tiers"]["standard"] = document["tiers"]["NAME"].clone();
    let tokens = json!({"issuer": "b", "tokens": {"inline": list("Token lists")}});
    document["issuers"].as_array_mut().expect("an array").push(tokens);
    document["api_keys"]["issuer"] = json!("a");
    load(&document).unwrap_or_else(|errors| panic!("{errors}"));
}
