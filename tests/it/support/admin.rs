//! Envoy's admin interface: readiness, listeners, metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use super::client::{Client, Response};

/// The admin interface of one Envoy.
#[derive(Clone, Copy, Debug)]
pub struct Admin {
    address: SocketAddr,
}

/// One sample of the Prometheus output.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Admin {
    pub const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    pub fn get(self, path: &str) -> Result<Response, String> {
        Client::new(self.address).get(path).try_send()
    }

    pub fn post(self, path: &str) -> Result<Response, String> {
        Client::new(self.address).request("POST", path).try_send()
    }

    /// Whether Envoy says that it serves.
    pub fn is_ready(self) -> bool {
        self.get("/ready").is_ok_and(|response| response.status == 200)
    }

    /// Names and addresses of the listeners.
    pub fn listeners(self) -> Vec<(String, SocketAddr)> {
        let Ok(response) = self.get("/listeners?format=json") else {
            return Vec::new();
        };
        let list = response.json();
        let entries = list["listener_statuses"].as_array().cloned().unwrap_or_default();
        entries.iter().filter_map(listener).collect()
    }

    /// All metrics that match `filter`, a regular expression over Envoy's own names.
    pub fn samples(self, filter: &str) -> Vec<Sample> {
        let response = self.get(&format!("/stats/prometheus?filter={filter}")).expect("the admin interface answers");
        response.text().lines().filter_map(sample).collect()
    }

    /// The value of a plain counter or gauge by Envoy's own name.
    pub fn stat(self, name: &str) -> Option<u64> {
        let response = self.get(&format!("/stats?filter=^{name}$")).ok()?;
        response.text().trim().rsplit_once(": ")?.1.parse().ok()
    }
}

fn listener(entry: &Value) -> Option<(String, SocketAddr)> {
    let address = &entry["local_address"]["socket_address"];
    let (ip, port) = (address["address"].as_str()?, address["port_value"].as_u64()?);
    let ip = if ip == "0.0.0.0" { "127.0.0.1" } else { ip };
    Some((entry["name"].as_str()?.to_owned(), format!("{ip}:{port}").parse().ok()?))
}

/// A line `name{a="b",c="d"} 1`; label values with escapes are taken as they stand.
fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| {
        let (name, value) = label.split_once("=\"")?;
        Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    Some(Sample { name: name.to_owned(), labels: labels.collect(), value: value.parse().ok()? })
}
