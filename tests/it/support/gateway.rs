//! A real Envoy with the filter in it; stopped when it goes out of scope.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

mod builder;

pub use self::builder::Builder;
use super::admin::{Admin, Sample};
use super::bootstrap::Plan;
use super::client::{Client, RequestBuilder};
use super::process::Process;
use super::{DEADLINE, wait_for};

/// A running Envoy.
#[derive(Debug)]
pub struct Gateway {
    // The process goes first: Envoy must not outlive its files.
    process: Process,
    admin: Admin,
    listeners: Vec<(String, SocketAddr)>,
    client: Client,
    plan: Plan,
    bootstrap: String,
    dir: TempDir,
}

impl Gateway {
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Address of the first listener.
    pub fn address(&self) -> SocketAddr {
        self.listeners[0].1
    }

    /// Address of the listener `name`.
    #[track_caller]
    pub fn address_of(&self, name: &str) -> SocketAddr {
        let found = self.listeners.iter().find(|(other, _)| other == name);
        found.unwrap_or_else(|| panic!("no listener `{name}` among {:?}", self.listeners)).1
    }

    /// A client of the first listener, HTTP/1.1.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A GET over HTTP/1.1.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(path)
    }

    /// A request over HTTP/1.1.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method, path)
    }

    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// Sum of the samples of the Prometheus metric `name` that carry all `labels`.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let carries = |sample: &Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        };
        let samples = self.admin.samples("");
        samples.iter().filter(|sample| sample.name == name && carries(sample)).map(|sample| sample.value).sum()
    }

    /// Everything that Envoy logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The lines of the access log so far, from the file or from the standard output; Envoy writes them a moment after the
    /// response.
    pub fn access_log(&self) -> Vec<Value> {
        let file = std::fs::read_to_string(self.dir.path().join("access.log")).unwrap_or_default();
        let log = self.process.log();
        file.lines()
            .chain(log.lines())
            .filter(|line| line.starts_with('{'))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Gives a reloadable filter another configuration; the error is Envoy's log where it refuses. Workers take it a moment
    /// after the main thread: poll for what depends on it.
    pub fn reload(&mut self, config: Value) -> Result<(), String> {
        const TAKEN: &str = "extension_config_discovery.http_filter.hallpass.update_success";
        const REFUSED: &str = "extension_config_discovery.http_filter.hallpass.update_rejected";
        let stat = |name| self.admin.stat(name).unwrap_or_default();
        let before = (stat(TAKEN), stat(REFUSED));
        let plan = Plan { config, ..self.plan.clone() };
        builder::write_extension(&plan, self.dir.path());
        let taken = wait_for("the answer to a new configuration", DEADLINE, || {
            let now = (stat(TAKEN), stat(REFUSED));
            (now != before).then_some(now.0 > before.0)
        });
        if !taken {
            return Err(self.log());
        }
        self.plan = plan;
        Ok(())
    }

    /// The number of the process, which is that of its main thread.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Resident memory of Envoy, KiB.
    pub fn memory_kb(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("Envoy runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Directory of this Envoy's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Asks Envoy to end, as an operator does.
    pub fn terminate(&mut self) {
        self.process.terminate();
    }

    /// How Envoy ended; `None` where it did not.
    pub fn wait(&mut self) -> Option<std::process::ExitStatus> {
        self.process.wait(DEADLINE)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let log = self.process.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(60)..].join("\n");
        eprintln!("--- bootstrap\n{}\n--- tail of Envoy's log\n{tail}\n---", self.bootstrap);
    }
}
