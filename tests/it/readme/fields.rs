//! Fields of the configuration are as their tables say: they exist, their defaults are true, and the required ones are.

use hallpass::config::{Config, schema};
use hallpass::values::schema::Presence;
use serde_json::{Value, json};

use super::document::DOCUMENTS;
use super::tables::path;

/// Every field: its path, and whether it must be given.
fn rows() -> impl Iterator<Item = (String, &'static Presence)> {
    let objects = schema::SECTIONS.into_iter().flat_map(|(_, objects)| objects);
    objects.flat_map(|of| of.rows.iter().map(|field| (path(of, field), &field.presence)))
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
    for (object, claim) in [
        ("issuers[].claims.client.", json!({"claim": "c"})),
        ("issuers[].claims.schools.", json!({"claim": "s", "form": "separated"})),
    ] {
        if let Some(name) = path.strip_prefix(object) {
            let field = object.trim_end_matches('.').rsplit('.').next().expect("a name");
            document["issuers"][0]["claims"][field] = claim;
            // Its default belongs to the list of permissions, and it decides about the separator.
            if name == "form" {
                document["issuers"][0]["claims"][field] = json!({"claim": "s"});
            }
        }
    }
    if path.starts_with("issuers[].required_claims[].") {
        document["issuers"][0]["required_claims"] = json!([{"claim": "a", "values": ["b"]}]);
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
    if path.starts_with("rate_limit_headers.") {
        document["rate_limit_headers"] = json!({});
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
fn every_field_exists() {
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
fn defaults_are_true() {
    let mut count = 0;
    for (path, presence) in rows() {
        let Presence::Default(json) = presence else { continue };
        let value = serde_json::from_str(json).expect("defaults are JSON");
        let absent = document_for(&path);
        let mut given = absent.clone();
        set(&mut given, &path, value);
        let absent = load(&absent).unwrap_or_else(|errors| panic!("`{path}`: {errors}"));
        let given = load(&given).unwrap_or_else(|errors| panic!("`{path}`: {errors}"));
        assert_eq!(given, absent, "the default of `{path}`");
        count += 1;
    }
    assert!(count > 25, "the tables have defaults, only {count} found");
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
fn fields_are_required_where_the_tables_say_so() {
    let mut count = 0;
    for (path, presence) in rows() {
        // Required unless another is there, and named where none is.
        if ["issuers[].claims.tier", "routes[].scope.schools", "routes[].cost.times.query"].contains(&path.as_str()) {
            continue;
        }
        let named = format!("{}: ", path.replace("[]", "[0]"));
        let errors = load(&without(&path)).err().unwrap_or_default();
        let is_missed = errors.lines().any(|line| line.starts_with(&named));
        assert_eq!(is_missed, matches!(presence, Presence::Required), "`{path}`: {errors}");
        count += usize::from(is_missed);
    }
    assert!(count > 8);
}

#[test]
fn documented_lists_are_read() {
    let list = |heading: &str| {
        let block = DOCUMENTS.blocks.iter().find(|block| block.heading == heading && block.info == "json");
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
