//! What a request costs: fuel of the interpreter, and host calls with the bytes that they move.
//!
//! Nothing here depends on time or chance, so that what differs from `cost.json` was changed by the code (or the
//! compiler).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::corpus::{ACME, Policy, SECRET, Sample, education_token, forged, signature, student_token};
use crate::drive::Drive;
use crate::host::{Count, Host, Pairs, pairs};
use crate::rng::Rng;
use crate::vm::Code;

/// How much the fuel of a scenario may differ.
const FUEL_PER_CENT: u64 = 3;
/// The same where another compiler made the module.
const FUEL_PER_CENT_OF_ANOTHER_COMPILER: u64 = 25;
/// So long that no bucket runs dry.
const PAUSE_NS: u64 = 1_000_000_000;
/// Failed credentials that an address has by default.
const BUDGET: usize = 600;
/// How to accept what was measured.
pub const BLESS: &str = "scripts/build && cargo run --locked -p wasm-host -- cost --bless";

/// One request of some kind, from the creation of its context to its deletion.
#[derive(Clone, Debug)]
pub struct Cost {
    /// What was measured.
    pub name: &'static str,
    /// Fuel.
    pub fuel: u64,
    /// Host calls.
    pub calls: BTreeMap<String, Count>,
}

impl Cost {
    fn total(&self) -> Count {
        self.calls.values().fold(Count::default(), |sum, count| Count {
            calls: sum.calls + count.calls,
            bytes: sum.bytes + count.bytes,
        })
    }
}

/// All scenarios.
///
/// # Panics
/// One does not end as it should.
pub fn measure(code: &Code) -> Vec<Cost> {
    let mut costs = education(code);
    costs.extend(students(code));
    costs
}

struct Bench<'c> {
    drive: Drive<'c>,
    root: u32,
    costs: Vec<Cost>,
    /// Between two requests.
    pause_ns: u64,
}

impl<'c> Bench<'c> {
    fn start(code: &'c Code, policy: usize, name: &'static str, good: &[&Sample]) -> Self {
        let mut host = Host::new(Policy::of(policy).config.clone());
        host.environment = vec![format!("PJWT_SECRET={SECRET}").into_bytes()];
        host.signed = good.iter().map(|sample| signature(sample)).collect();
        let mut drive = Drive::start(code, host, Rng::new(0)).expect("the module starts");
        drive.vm.take_fuel();
        drive.vm.host_mut().counts.clear();
        let root = drive.root(policy).expect("it is configured");
        let mut bench = Self { drive, root, costs: Vec::new(), pause_ns: PAUSE_NS };
        bench.note(name);
        bench.drive.fetch_all(root).expect("keys are fetched");
        bench
    }

    fn note(&mut self, name: &'static str) {
        let fuel = self.drive.vm.take_fuel();
        let calls = std::mem::take(&mut self.drive.vm.host_mut().counts);
        assert!(self.drive.vm.host().violations.is_empty(), "{name}: {:?}", self.drive.vm.host().violations);
        self.costs.push(Cost { name, fuel, calls });
    }

    fn request(&mut self, head: &Pairs, body: &[u8]) -> String {
        self.drive.vm.host_mut().clock += self.pause_ns;
        self.drive.vm.take_fuel();
        self.drive.vm.host_mut().counts.clear();
        let stream = self.drive.request(self.root, head.clone(), body).expect("no trap");
        stream.decisions.last().map(|it| String::from_utf8_lossy(it).into_owned()).unwrap_or_default()
    }

    fn measure(&mut self, name: &'static str, decision: &str, head: &Pairs, body: &[u8]) {
        assert_eq!(self.request(head, body), decision, "{name}");
        self.note(name);
    }

    fn tick(&mut self, name: &'static str) {
        self.drive.vm.take_fuel();
        self.drive.vm.host_mut().counts.clear();
        self.drive.callback("proxy_on_tick", &[self.root]).expect("no trap");
        self.note(name);
    }
}

fn education(code: &Code) -> Vec<Cost> {
    let (first, second) = (education_token("app-1"), education_token("app-2"));
    let expired = &Policy::of(0).tokens[4];
    let head = |path: &str, token: Option<&Sample>| {
        let mut head = browser(path, "GET");
        head.extend(token.iter().map(|it| (b"authorization".to_vec(), format!("Bearer {}", it.text).into_bytes())));
        head
    };
    let summary = "/stats/v1/attendance/summary?school_id=oakwood-primary";
    let mut bench = Bench::start(code, 0, "configure (education)", &[&first, &second, expired]);
    // What the first request of a worker does once.
    bench.request(&head(summary, Some(&second)), b"");
    bench.measure("cold RS256, checked by the host", "allow", &head(summary, Some(&first)), b"");
    bench.request(&head(summary, Some(&first)), b"");
    bench.measure("warm, first system", "allow", &head(summary, Some(&first)), b"");
    bench.measure("refused: signature", "token-invalid", &head(summary, Some(&forged(&first))), b"");
    bench.measure("refused: signature, again", "token-invalid", &head(summary, Some(&forged(&first))), b"");
    bench.pause_ns = 0;
    for _ in 0..BUDGET {
        bench.request(&head(summary, Some(&forged(&second))), b"");
    }
    bench.measure("refused: budget used up", "limit-reached", &head(summary, Some(&forged(&second))), b"");
    bench.measure("refused: budget used up, again", "limit-reached", &head(summary, Some(&forged(&first))), b"");
    bench.pause_ns = PAUSE_NS;
    bench.measure("refused: expired", "token-expired", &head(summary, Some(expired)), b"");
    bench.measure("refused: no token", "token-missing", &head(summary, None), b"");
    let elsewhere = summary.replace("oakwood-primary", "elsewhere");
    bench.measure("refused: out of scope", "school-out-of-scope", &head(&elsewhere, Some(&first)), b"");
    bench.measure("no route", "no-route", &head("/nowhere", Some(&first)), b"");
    bench.measure("open route", "allow", &head("/healthz", None), b"");
    bench.tick("tick (education)");
    bench.costs
}

fn students(code: &Code) -> Vec<Cost> {
    let head = |id: &str, key: &str| {
        let token = format!("Bearer {}", student_token(id).text);
        let mut head = browser("/v1/students", "POST");
        head.extend(pairs(&[("x-api-key", key), ("authorization", &token), ("content-type", "application/json")]));
        head
    };
    let body = br#"{"limit":25,"districtlea":"1503000"}"#;
    let mut bench = Bench::start(code, 1, "configure (students)", &[]);
    bench.request(&head("one", ACME), body);
    bench.measure("cold HS512, key and body", "allow", &head("two", ACME), body);
    bench.request(&head("two", ACME), body);
    bench.measure("warm, key and body", "allow", &head("two", ACME), body);
    bench.measure("refused: key", "key-refused", &head("two", "wrong"), body);
    bench.tick("tick (students)");
    bench.costs
}

/// The head of an ordinary request.
fn browser(path: &str, method: &str) -> Pairs {
    pairs(&[
        (":authority", "api.example.com"),
        (":path", path),
        (":method", method),
        (":scheme", "https"),
        ("user-agent", "district-dashboard/3.1 (+https://dashboard.example.com)"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-request-id", "6c1f1a5e-92d5-4a8e-9d0c-3a1b2c4d5e6f"),
    ])
}

/// A table for people.
pub fn table(costs: &[Cost]) -> String {
    let mut text = format!("{:34}{:>12}{:>8}{:>9}\n", "one request", "fuel", "calls", "bytes");
    for cost in costs {
        let Count { calls, bytes } = cost.total();
        let _ = writeln!(text, "{:34}{:>12}{calls:>8}{bytes:>9}", cost.name, cost.fuel);
    }
    text
}

/// The same, host call by host call, for one scenario.
pub fn details(cost: &Cost) -> String {
    let mut text = format!("{}\n", cost.name);
    for (name, count) in &cost.calls {
        let _ = writeln!(text, "  {name:44}{:>6}{:>9}", count.calls, count.bytes);
    }
    text
}

/// The file of what is expected.
pub fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/cost.json"))
}

/// What was measured, for the file.
pub fn to_json(code: &Code, costs: &[Cost]) -> String {
    let scenarios = costs.iter().map(|cost| {
        let calls = cost.calls.iter().map(|(name, count)| (name.clone(), json!([count.calls, count.bytes])));
        (cost.name.to_owned(), json!({"fuel": cost.fuel, "calls": calls.collect::<Map<_, _>>()}))
    });
    let file = json!({"compiler": code.compiler(), "scenarios": scenarios.collect::<Map<_, _>>()});
    // One line for each list of two numbers.
    let text = serde_json::to_string_pretty(&file).expect("JSON");
    let mut short = String::new();
    for line in text.lines() {
        let part = line.trim_start();
        let is_inner =
            part.starts_with(']') || part.parse::<u64>().is_ok() || part.trim_end_matches(',').parse::<u64>().is_ok();
        short.push_str(if is_inner { part } else { line });
        if !(line.ends_with('[') || is_inner && !part.starts_with(']')) {
            short.push('\n');
        }
    }
    short
}

/// What differs from the file by more than it may; one line each.
pub fn differences(code: &Code, costs: &[Cost], expected: &Value) -> Vec<String> {
    let same = expected["compiler"] == json!(code.compiler());
    let per_cent = if same { FUEL_PER_CENT } else { FUEL_PER_CENT_OF_ANOTHER_COMPILER };
    let mut lines = Vec::new();
    let known = expected["scenarios"].as_object().cloned().unwrap_or_default();
    lines.extend(
        known.keys().filter(|name| !costs.iter().any(|it| it.name == *name)).map(|name| format!("{name}: gone")),
    );
    for cost in costs {
        let Some(before) = known.get(cost.name) else {
            lines.push(format!("{}: new", cost.name));
            continue;
        };
        let fuel = before["fuel"].as_u64().unwrap_or(0);
        if cost.fuel.abs_diff(fuel) * 100 > fuel * per_cent {
            let change = 100.0 * (as_float(cost.fuel) / as_float(fuel) - 1.0);
            lines.push(format!(
                "{}: fuel {} (expected {fuel} within {per_cent} %: {change:+.1} %)",
                cost.name, cost.fuel
            ));
        }
        let empty = Map::new();
        let calls = before["calls"].as_object().unwrap_or(&empty);
        for name in cost.calls.keys().chain(calls.keys().filter(|name| !cost.calls.contains_key(*name))) {
            let Count { calls: now, bytes } = cost.calls.get(name).copied().unwrap_or_default();
            let (then, bytes_then) = (
                calls.get(name).map_or(0, |it| it[0].as_u64().unwrap_or(0)),
                calls.get(name).map_or(0, |it| it[1].as_u64().unwrap_or(0)),
            );
            if now != then {
                lines.push(format!("{}: {now} calls of {name} (expected {then})", cost.name));
            } else if bytes != bytes_then {
                lines.push(format!("{}: {name} moves {bytes} bytes (expected {bytes_then})", cost.name));
            }
        }
    }
    lines
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn as_float(number: u64) -> f64 {
    number as f64
}
