//! Every configuration of the documents loads in a real Envoy, in both forms, and every bootstrap is one.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::document::{Block, DOCUMENTS};
use crate::support::Gateway;
use crate::support::bootstrap::Wire;

/// The configuration under test, as Envoy shows it.
fn dumped(gateway: &Gateway) -> Value {
    fn find(value: &Value) -> Option<&Value> {
        match value {
            Value::Object(members) if members.get("@type").is_some_and(|it| it == STRUCT) => members.get("value"),
            Value::Object(members) => members.values().find_map(find),
            Value::Array(items) => items.iter().find_map(find),
            _ => None,
        }
    }
    let dump = gateway.admin().get("/config_dump").expect("the admin interface answers").json();
    find(&dump).expect("the dump holds the filter's Struct").clone()
}

const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";

/// A file of this text; `bootstrap_file` takes paths.
fn file(text: &str) -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("readme.yaml");
    std::fs::write(&path, text).expect("the file can be written");
    (dir, path)
}

/// The variables that configurations of the documents name.
const ENVIRONMENT: &str =
    r#"{"key_values": {"PJWT_SECRET": "a secret of sixty-four bytes or more, for tests of the documents alone"}}"#;

/// The `yaml envoy` block with another configuration of the filter.
fn bootstrap_with(configuration: &str) -> String {
    let bootstrap = &DOCUMENTS.blocks_of("yaml envoy")[0].text;
    let begin = bootstrap.find("value:\n").expect("the bootstrap holds a Struct") + "value:\n".len();
    let end = begin + bootstrap[begin..].find("- name: guard").expect("a guard follows");
    let end = bootstrap[..end].rfind('\n').expect("a line before") + 1;
    let mut indented = String::new();
    for line in configuration.lines() {
        indented.extend([" ".repeat(28).as_str(), line, "\n"]);
    }
    let admin = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n";
    let whole = format!("{admin}{}{indented}{}", &bootstrap[..begin], &bootstrap[end..]);
    let environment = format!("vm_config:\n{}environment_variables: {ENVIRONMENT}", " ".repeat(26));
    whole.replacen("vm_config:", &environment, 1)
}

#[track_caller]
fn loads_as_text(block: &Block, config: &Value) {
    for wire in [Wire::Text, Wire::Struct] {
        let environment: Value = serde_json::from_str(ENVIRONMENT).expect("JSON");
        let gateway = Gateway::builder().config(config.clone()).wire(wire);
        let edit = move |plugin: &mut Value| plugin["vm_config"]["environment_variables"] = environment;
        let result = gateway.edit_plugin(edit).validate();
        assert!(result.is_ok(), "{}: {wire:?}: {}", block.place, result.unwrap_err());
    }
}

#[test]
fn yaml_configurations_load() {
    for block in DOCUMENTS.blocks_of("yaml hallpass") {
        let (_dir, path) = file(&bootstrap_with(&block.text));
        let started = Gateway::builder().bootstrap_file(&path).try_start();
        let gateway = started.unwrap_or_else(|refused| panic!("{}: {}", block.place, refused.log));
        loads_as_text(block, &dumped(&gateway));
    }
}

#[test]
fn json_configurations_load() {
    for block in DOCUMENTS.blocks_of("json hallpass") {
        let config = serde_json::from_str(&block.text).unwrap_or_else(|e| panic!("{}: {e}", block.place));
        loads_as_text(block, &config);
    }
}

#[test]
fn the_minimal_configurations_are_the_same() {
    let yaml = DOCUMENTS.blocks_of("yaml hallpass")[0];
    let (_dir, path) = file(&bootstrap_with(&yaml.text));
    let gateway = Gateway::builder().bootstrap_file(&path).start();
    let json: Value = serde_json::from_str(&DOCUMENTS.blocks_of("json hallpass")[0].text).expect("JSON");
    // A Struct's numbers are doubles.
    let as_doubles = |value: &Value| hallpass::config::Config::from_bytes(value.to_string().as_bytes());
    let shown = |value: &Value| format!("{:?}", as_doubles(value).expect("it loads"));
    assert_eq!(shown(&dumped(&gateway)), shown(&json));
}

#[test]
fn bootstraps_load() {
    for block in DOCUMENTS.blocks_of("yaml envoy") {
        let (_dir, path) = file(&block.text);
        let result = Gateway::builder().bootstrap_file(&path).validate();
        assert!(result.is_ok(), "{}: {}", block.place, result.unwrap_err());
    }
}

#[test]
fn a_misspelt_field_is_refused_as_documented() {
    let mut config: Value = serde_json::from_str(&DOCUMENTS.blocks_of("json hallpass")[0].text).expect("JSON");
    config["tiers"]["standard"]["limits"][0]["brust"] = json!(1);
    let log = Gateway::builder().config(config).validate().expect_err("a misspelt field");
    let line = DOCUMENTS.blocks.iter().find(|block| block.text.contains("brust")).expect("an example of a refusal");
    assert!(log.contains(line.text.trim()), "{log}");
}
