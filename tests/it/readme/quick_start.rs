//! The quick starts: their `sh curl` blocks run in order, in one shell, against the local stack.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::document::DOCUMENTS;
use crate::support::Gateway;
use crate::support::process::root;

/// What stands between the outputs of two blocks.
const MARK: &str = "=== end of block";

/// The development server, on ports that the system chooses.
struct DevServer {
    child: Child,
    auth: String,
    api: String,
}

impl DevServer {
    fn start() -> Self {
        let mut child = Command::new(binary())
            .env("PJWT_SECRET", secret())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let address = |name: &str| ready[name].as_str().expect("an address").to_owned();
        Self { auth: address("auth"), api: address("api"), child }
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Has cargo build the development server beside this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.ancestors().nth(3).expect("target/debug/deps");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--package", "dev-server", "--bin", "dev-server", "--target-dir"]);
    let status = cargo.arg(target).current_dir(root()).status().expect("cargo runs");
    assert!(status.success(), "cargo build --locked --package dev-server failed");
    target.join("debug/dev-server")
}

fn port(address: &str) -> u16 {
    address.rsplit_once(':').expect("an address with a port").1.parse().expect("a port")
}

/// Whether `text` is `pattern`, in which `...` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            let Some((_, after)) = rest.split_once(before) else { return false };
            rest = after;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

/// Compares line by line; a line `...` stands for any number of lines. The error names the line that is missing.
fn compare(expected: &str, printed: &str) -> Result<(), String> {
    let mut lines = printed.lines().peekable();
    let mut skips = false;
    for line in expected.lines() {
        if line == "..." {
            skips = true;
            continue;
        }
        let found = if skips { lines.any(|it| fits(line, it)) } else { lines.next().is_some_and(|it| fits(line, it)) };
        if !found {
            return Err(line.to_owned());
        }
        skips = false;
    }
    match lines.next() {
        Some(more) if !skips => Err(format!("nothing behind it, but there is {more:?}")),
        _ => Ok(()),
    }
}

/// Runs the blocks under `heading` against the stack of the bootstrap `file`.
#[track_caller]
fn check(heading: &str, file: &str) {
    let server = DevServer::start();
    let mut builder = Gateway::builder().bootstrap_file(file);
    if std::fs::read_to_string(root().join(file)).expect("a bootstrap").contains(ENVIRONMENT) {
        builder = builder.replace(ENVIRONMENT, &format!("{{key_values: {{PJWT_SECRET: {}}}}}", secret()));
    }
    let gateway = builder.port(9100, port(&server.auth)).port(9200, port(&server.api)).concurrency(2).start();
    let admin = std::fs::read_to_string(gateway.dir().join("admin")).expect("the address of the admin interface");
    let addresses = [
        ("127.0.0.1:10000", gateway.address().to_string()),
        ("127.0.0.1:9901", admin.trim().to_owned()),
        ("127.0.0.1:9100", server.auth.clone()),
        ("127.0.0.1:9200", server.api.clone()),
    ];

    let mut script = String::new();
    let mut expected = Vec::new();
    let blocks = DOCUMENTS.blocks.iter().enumerate();
    for (at, block) in blocks.filter(|(_, block)| block.info == "sh curl" && block.heading == heading) {
        script.extend([block.text.as_str(), "echo; echo '", MARK, "'\n"]);
        let next = DOCUMENTS.blocks.get(at + 1).filter(|next| next.info == "text" && next.heading == block.heading);
        expected.push((&block.place, next.map(|next| next.text.clone()).unwrap_or_default()));
    }
    assert!(expected.len() > 4, "no quick start under `{heading}`");
    for (written, real) in &addresses {
        script = script.replace(written, real);
    }
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).output().expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the quick start failed (it needs curl): {errors}\n{text}");

    let printed: Vec<&str> = text.split(&format!("{MARK}\n")).collect();
    for ((place, expected), printed) in expected.iter().zip(&printed) {
        if let Err(missing) = compare(expected.trim_end(), printed.trim_end()) {
            panic!("{place}: expected `{missing}` in\n{expected}\nbut it printed\n{printed}");
        }
    }
}

/// How `envoy/student-data-api.yaml` gets its secret, which tests give it by value.
const ENVIRONMENT: &str = "{host_env_keys: [PJWT_SECRET]}";

/// The secret that the quick start gives both processes.
fn secret() -> &'static str {
    let blocks = DOCUMENTS.blocks.iter().flat_map(|block| block.text.lines());
    let mut secrets = blocks.filter_map(|line| line.strip_prefix("export PJWT_SECRET="));
    secrets.next().expect("a document sets PJWT_SECRET")
}

#[test]
fn the_quick_start_prints_what_the_document_says() {
    check("The Education Data Platform by hand", "envoy/education-data-platform.yaml");
}

#[test]
fn the_quick_start_of_the_student_data_api_prints_what_the_document_says() {
    check("The Student Data API by hand", "envoy/student-data-api.yaml");
}

#[test]
fn the_quick_start_of_district_tokens_prints_what_the_document_says() {
    check("District tokens by hand", "envoy/district-tokens.yaml");
}

#[test]
fn every_curl_block_is_run() {
    for block in DOCUMENTS.blocks_of("sh curl") {
        let run = ["The Education Data Platform by hand", "The Student Data API by hand", "District tokens by hand"];
        assert!(run.contains(&block.heading.as_str()), "{}", block.place);
    }
}

#[test]
fn comparison_tells_outputs_apart() {
    for (expected, printed, same) in [
        ("a\nb", "a\nb", true),
        ("a\nb", "a\nc", false),
        ("a", "a\nb", false),
        ("a\nb", "a", false),
        ("a\n...\nc", "a\nb\nb\nc", true),
        ("a\n...\nc", "a\nb", false),
        ("a\n...", "a\nb", true),
        ("r=...;t=1", "r=30;t=1", true),
        ("r=...;t=1", "r=30;t=2", false),
        ("id: ...", "id: 1", true),
        ("\"x\":\"...\",\"y\":\"...\"", "\"x\":\"1\",\"y\":\"2\"", true),
        ("\"x\":\"...\",\"y\":1", "\"x\":\"1\",\"z\":1", false),
    ] {
        assert_eq!(compare(expected, printed).is_ok(), same, "{expected:?} {printed:?}");
    }
}
