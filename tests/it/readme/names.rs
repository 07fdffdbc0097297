//! Names that the documents state: codes, bodies, metrics, headers.

use std::collections::BTreeSet;
use std::time::Duration;

use hallpass::answer::denial::{Denial, LimitReached, Malformed, Retired};
use hallpass::answer::problem;
use hallpass::config::{Config, FilterStateField};
use hallpass::credentials::jwt;
use hallpass::filter::metrics::{Kind, Metrics};
use hallpass::http::strip::StripSet;
use hallpass::limits::key::Table;
use hallpass::limits::slot::SLOT_BYTES_MAX;
use serde_json::{Value, json};

use super::document::{DOCUMENTS, spans};
use crate::support::process::root;

include!("../../../src/answer/denial/examples.rs");

fn config() -> Config {
    config_with(|_| {})
}

/// The minimal configuration, edited.
fn config_with(edit: impl FnOnce(&mut Value)) -> Config {
    let mut value: Value = serde_json::from_str(&DOCUMENTS.blocks_of("json hallpass")[0].text).expect("JSON");
    edit(&mut value);
    Config::from_bytes(value.to_string().as_bytes()).expect("the configuration loads")
}

#[test]
fn every_denial_has_its_heading_status_headers_and_body() {
    let config = config();
    let id = "01234567-89ab-4cde-8f01-23456789abcd";
    let codes: Vec<_> = examples().iter().map(Denial::code).collect();
    assert_eq!(codes, Denial::codes().collect::<Vec<_>>());
    for denial in examples() {
        let (code, answer) = (denial.code(), problem::answer(&denial, &config, id));
        let blocks = DOCUMENTS.blocks.iter().filter(|block| block.heading == code && block.info == "json problem");
        let bodies: Vec<Value> = blocks.map(|block| serde_json::from_str(&block.text).expect("JSON")).collect();
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(bodies, [body], "the body under `{code}`");
        let text = DOCUMENTS.section(code);
        assert!(text.contains(&format!("\n{}. ", answer.status)), "`{code}` is {}: {text}", answer.status);
        for (name, header) in
            [("www-authenticate", "WWW-Authenticate"), ("retry-after", "Retry-After"), ("allow", "Allow")]
        {
            let value = answer.headers.iter().find(|(it, _)| *it == name).map(|(_, value)| value.as_ref());
            let stated = text.contains(&format!("Header: `{header}")) || text.contains(&format!("Headers: `{header}"));
            assert_eq!(stated, value.is_some(), "`{header}` under `{code}`");
            if let (Some((_, error)), "www-authenticate") = (value.and_then(|value| value.split_once(", ")), name) {
                assert!(text.contains(error), "`{error}` under `{code}`");
            }
        }
        let anchor = format!("<a id=\"{code}\"></a>");
        let row = DOCUMENTS.table("Errors").into_iter().find(|row| row[1].contains(&anchor));
        let row = row.unwrap_or_else(|| panic!("no row for `{code}`"));
        assert_eq!(row[0], answer.status.to_string(), "`{code}` in the table of errors");
        assert!(row[1].contains(&format!("[{code}](envoy/errors.md#{code})")), "`{code}` leads to its text: {row:?}");
    }
}

#[test]
fn malformed_requests_are_told_apart_by_four_texts() {
    let details = [Malformed::Head, Malformed::Path, Malformed::Parameter, Malformed::CostParameter].map(|what| {
        let body = problem::answer(&Denial::Malformed(what), &config(), "x").body;
        serde_json::from_str::<Value>(&body).expect("JSON")["detail"].to_string()
    });
    assert_eq!(BTreeSet::from(details).len(), 4);
}

#[test]
fn plain_bodies_are_as_shown() {
    let config = config_with(|value| value["errors"] = Value::from("plain"));
    let answer = problem::answer(&Denial::TokenMissing, &config, "x");
    let prose = DOCUMENTS.section("Answers").replace('\n', " ");
    assert!(prose.contains(&format!("`{}`", answer.body.trim_end())), "{}", answer.body);
}

#[test]
fn dialects_are_those_of_the_code() {
    let table = DOCUMENTS.table("Dialects");
    let described: BTreeSet<_> = table.iter().filter(|row| row.len() == 3).map(|row| row[0].as_str()).collect();
    let all = ["problem-json", "plain", "student-data-api", "oneroster", "oauth"];
    assert_eq!(described, all.map(|name| format!("`{name}`")).iter().map(String::as_str).collect());
    for (column, dialect, pointer) in [
        (2, "student-data-api", "/error/0"),
        (3, "oneroster", "/imsx_CodeMinor/imsx_codeMinorField/0/imsx_codeMinorFieldValue"),
        (4, "oauth", "/error"),
    ] {
        let config = config_with(|value| value["errors"] = Value::from(dialect));
        for denial in examples() {
            let (code, answer) = (denial.code(), problem::answer(&denial, &config, "x"));
            let mut rows = table.iter().filter(|row| row.len() == 5 && row[0].contains(&format!("(#{code})")));
            let (Some(row), None) = (rows.next(), rows.next()) else { panic!("not one row for `{code}`") };
            let body: Value = serde_json::from_str(&answer.body).expect("JSON");
            let real = body.pointer(pointer).and_then(Value::as_str).expect("a code");
            assert_eq!((&row[1], &row[column]), (&answer.status.to_string(), &format!("`{real}`")), "`{code}`");
        }
    }
    let config = config_with(|value| value["errors"] = Value::from("oneroster"));
    let shown: Value = serde_json::from_str(&DOCUMENTS.blocks_of("json oneroster")[0].text).expect("JSON");
    let real = problem::answer(&Denial::TokenRevoked, &config, "x").body;
    assert_eq!(shown, serde_json::from_str::<Value>(&real).expect("JSON"));
}

#[test]
fn metrics_are_those_of_the_code() {
    let metrics = Metrics::new(&config_with(|value| {
        let remote = json!({"remote": {"uri": "https://a/", "cluster": "a"}});
        value["api_keys"] = remote.clone();
        value["issuers"][0]["revocations"] = remote;
        value["issuers"][0]["retirement"] = json!({
            "announced": "2026-01-01T00:00:00Z", "refused_from": "2027-01-01T00:00:00Z", "link": "https://a/",
            "replacement": "others",
        });
    }));
    let real: BTreeSet<_> = metrics
        .list()
        .iter()
        .map(|metric| {
            let (name, labels) =
                metric.name["hallpass.".len()..].split_once('.').unwrap_or((&metric.name["hallpass.".len()..], ""));
            let mut labels: Vec<_> =
                labels.split(";.;").filter_map(|it| Some(it.trim_start_matches('.').split_once("=.=")?.0)).collect();
            labels.sort_unstable();
            let kind = if metric.kind == Kind::Counter { "counter" } else { "gauge" };
            (format!("hallpass_{name}"), labels.join(","), kind.to_owned())
        })
        .collect();
    let stated: BTreeSet<_> = DOCUMENTS
        .table("Metrics")
        .into_iter()
        .map(|row| {
            let labels: Vec<_> = spans(&row[1]).collect();
            (row[0].trim_matches('`').to_owned(), labels.join(","), row[2].clone())
        })
        .collect();
    assert_eq!(stated, real);
    let names: BTreeSet<_> = real.iter().map(|(name, ..)| name.as_str()).collect();
    let everything: String = DOCUMENTS.texts().collect();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for word in everything.split(|c| !is_part(c)).filter(|word| word.starts_with("hallpass_")) {
        assert!(names.contains(word), "there is no metric `{word}`");
    }
}

#[test]
fn facts_of_the_filter_state_are_those_of_the_code() {
    let real: BTreeSet<_> =
        FilterStateField::ALL.iter().map(|fact| format!("%FILTER_STATE(wasm.{}:PLAIN)%", fact.key())).collect();
    let stated: BTreeSet<_> =
        DOCUMENTS.table("Access log").iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(stated, real);
    let rows = DOCUMENTS.table("Top level");
    let row = rows.iter().find(|row| row[0] == "`filter_state`").expect("a row");
    assert!(spans(&row[1]).eq(FilterStateField::ALL.map(FilterStateField::name)), "{row:?}");
}

#[test]
fn stripped_headers_are_those_of_the_code() {
    let set = StripSet::with_hosts([]);
    let rows = DOCUMENTS.table("Headers");
    let is_header = |name: &&str| name.starts_with("x-") || ["forwarded", "script-name", "path-info"].contains(name);
    let names = rows.iter().flat_map(|row| spans(&row[0])).filter(is_header);
    let names: BTreeSet<_> = names.filter(|name| *name != "x-request-id").collect();
    for name in &names {
        assert!(set.contains(name.as_bytes()), "`{name}` is not stripped");
    }
    let source = std::fs::read_to_string(root().join("src/http/strip.rs")).expect("the source can be read");
    let list = |name: &str| source.split(name).nth(1).and_then(|rest| rest.split("];").next()).expect("the list");
    let lists = ["const ALWAYS", "const HOSTS"].map(list);
    let real: BTreeSet<_> = lists.iter().flat_map(|list| list.split('"').skip(1).step_by(2)).collect();
    assert_eq!(names, real);
}

#[test]
fn sizes_are_those_of_the_code() {
    let rows = DOCUMENTS.table("Memory of budgets");
    for (name, table) in [("clients", Table::Clients), ("addresses", Table::Addresses)] {
        let row = rows.iter().find(|row| row[0] == name).expect("a row");
        let number = |cell: &str| cell.replace(',', "").parse::<u64>().expect("a number");
        assert_eq!(number(&row[1]), u64::from(table.slots()));
        assert_eq!(number(&row[2]), SLOT_BYTES_MAX as u64);
        let mib = u64::from(table.slots()) * SLOT_BYTES_MAX as u64 / (1 << 20);
        assert_eq!(row[3], format!("{mib} MiB"));
    }
}

#[test]
fn algorithms_are_those_of_the_code() {
    let table = DOCUMENTS.table("Tokens");
    let stated: Vec<_> = table.iter().flat_map(|row| spans(&row[0])).collect();
    assert_eq!(stated.len(), 12);
    for name in stated {
        assert!(jwt::jose::Alg::from_name(name).is_some(), "`{name}` is not supported");
    }
    for name in ["none", "ES512", "ES256K"] {
        assert!(jwt::jose::Alg::from_name(name).is_none(), "`{name}` is supported");
    }
}
