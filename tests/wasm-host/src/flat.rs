//! What must not grow: the cost of a request with the number of clients, keys, schools, districts, routes and tiers.
//!
//! Fuel is counted for one and the same request, once where there is one of a thing and once where there are many.
//! Envoy's own share (it copies a longer token and a longer header) is not in it: `scripts/bench --only
//! clients,keys,schools` measures that.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::corpus::SECRET;
use crate::drive::Drive;
use crate::host::{Answer, Host, Pairs, START, pairs};
use crate::rng::Rng;
use crate::tokens::{Key, Token};
use crate::vm::Code;

/// A thing that there may be many of, and what a request takes.
#[derive(Clone, Debug)]
pub struct Growth {
    /// The thing.
    pub what: &'static str,
    /// How many there are, and the fuel of a request; the smallest first.
    pub fuel: Vec<(usize, u64)>,
    /// How much that may grow, as a multiple of the first.
    pub bound: f64,
}

impl Growth {
    /// What the most costly request takes, as a multiple of the first.
    #[allow(clippy::cast_precision_loss, reason = "for people and a bound")]
    pub fn ratio(&self) -> f64 {
        let first = self.fuel[0].1;
        self.fuel.iter().map(|(_, fuel)| *fuel).max().unwrap_or(first) as f64 / first as f64
    }
}

/// All of it. `full` takes the numbers of the promise; without it the slow ones are smaller.
///
/// # Panics
/// A request does not end as it should.
pub fn measure(code: &Code, full: bool) -> Vec<Growth> {
    let keys = if full { [1, 100, 10_000] } else { [1, 10, 500] };
    let clients = if full { [1, 100, 10_000] } else { [1, 10, 100] };
    let growth = |what, bound, sizes: &[usize], fuel: fn(&Code, usize) -> u64| Growth {
        what,
        fuel: sizes.iter().map(|size| (*size, fuel(code, *size))).collect(),
        bound,
    };
    vec![
        growth("clients", 1.01, &clients, of_clients),
        growth("clients in one slot", 1.2, &[1, 2, 4, 8], of_neighbours),
        // A longer token is compared, whole.
        growth("schools in a token", 1.45, &[1, 10, 100, 1_000], of_schools),
        growth("districts in a token", 1.25, &[1, 10, 100, 1_000], of_districts),
        // Each is read and looked up.
        growth("schools in a body", 7.0, &[1, 10, 100], of_body),
        growth("API keys", 1.01, &keys, of_keys),
        growth("routes", 1.5, &[1, 20, 200], of_routes),
        growth("tiers", 1.01, &[1, 10, 50], of_tiers),
        growth("issuers", 1.05, &[1, 4, 16], of_issuers),
    ]
}

/// A table for people.
pub fn table(growths: &[Growth]) -> String {
    let mut text = String::new();
    for growth in growths {
        let cells = growth.fuel.iter().map(|(size, fuel)| format!("{size}: {fuel}"));
        let _ = writeln!(text, "{:24}{:5.2}  {}", growth.what, growth.ratio(), cells.collect::<Vec<_>>().join("  "));
    }
    text
}

fn of_clients(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &first_system(1, 1, 1), 0);
    for nth in 1..count {
        run.request(&get(&token(nth, 0, 3)), b"");
    }
    run.warm(&get(&token(0, 0, 3)), b"")
}

/// Other clients whose budgets stand in the same slot.
fn of_neighbours(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &first_system(1, 1, 1), 0);
    let head = get(&token(0, 0, 3));
    run.request(&head, b"");
    let shared = &mut run.drive.vm.host_mut().shared;
    let (value, _) = shared.iter_mut().find(|(key, _)| key.starts_with(b"hallpass2/c/")).expect("a slot").1;
    // A version, then the entry: tag, number of records, records.
    let own = value[1..].to_vec();
    for nth in 1..count {
        let mut entry = own.clone();
        entry[0] ^= u8::try_from(nth).expect("few");
        // Before the one that is looked for.
        value.splice(1..1, entry);
    }
    run.warm(&head, b"")
}

fn of_schools(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &first_system(1, 1, 1), 0);
    run.warm(&get(&token(0, 0, count)), b"")
}

fn of_routes(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &first_system(count, 1, 1), 0);
    run.warm(&get(&token(0, 0, 3)), b"")
}

fn of_tiers(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &first_system(1, count, 1), 0);
    run.warm(&get(&token(0, 0, 3)), b"")
}

fn of_issuers(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &first_system(1, 1, count), 0);
    run.warm(&get(&token(0, count - 1, 3)), b"")
}

fn of_districts(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &second_system(), 1);
    // The last one opens the school that is asked for.
    let (district, school) = (district(count - 1), school(count - 1));
    let body = json!({"limit": 25, "districtlea": district, "schoolleas": [school]}).to_string();
    run.warm(&post(0, count), body.as_bytes())
}

fn of_body(code: &Code, count: usize) -> u64 {
    let mut run = Run::start(code, &second_system(), 1);
    let body = json!({"limit": 25, "schoolleas": (0..count).map(school).collect::<Vec<_>>()}).to_string();
    run.warm(&post(0, 100), body.as_bytes())
}

fn of_keys(code: &Code, count: usize) -> u64 {
    let mut run = Run::with_keys(code, &second_system(), 1, count);
    run.warm(&post(count / 2, 1), br#"{"limit":25,"districtlea":"1500000"}"#)
}

struct Run<'c> {
    drive: Drive<'c>,
    root: u32,
}

impl<'c> Run<'c> {
    fn start(code: &'c Code, config: &Value, policy: usize) -> Self {
        Self::with_keys(code, config, policy, 1)
    }

    /// Answers whoever asks for API keys with so many.
    fn with_keys(code: &'c Code, config: &Value, policy: usize, count: usize) -> Self {
        let mut drive =
            Drive::start(code, Host::new(config.to_string().into_bytes()), Rng::new(0)).expect("the module starts");
        let root = drive.root(policy).expect("it is configured");
        drive.callback("proxy_on_tick", &[root]).expect("no trap");
        while !drive.vm.host().call_outs.is_empty() {
            let answer = Answer {
                headers: pairs(&[(":status", "200"), ("cache-control", "max-age=3600")]),
                body: keys(count).to_string().into_bytes(),
            };
            drive.answer(0, answer).expect("no trap");
        }
        drive.callback("proxy_on_tick", &[root]).expect("no trap");
        Self { drive, root }
    }

    /// The fuel of a request that the worker has seen twice.
    fn warm(&mut self, head: &Pairs, body: &[u8]) -> u64 {
        self.request(head, body);
        self.request(head, body);
        self.request(head, body)
    }

    fn request(&mut self, head: &Pairs, body: &[u8]) -> u64 {
        // So that no bucket runs dry.
        self.drive.vm.host_mut().clock += 1_000_000_000;
        self.drive.vm.take_fuel();
        let stream = self.drive.request(self.root, head.clone(), body).expect("no trap");
        let decision = stream.decisions.last().map(|it| String::from_utf8_lossy(it).into_owned());
        assert_eq!(decision.as_deref(), Some("allow"), "{}", String::from_utf8_lossy(&head[1].1));
        self.drive.vm.take_fuel()
    }
}

/// So many routes, of which the last one is asked for; tiers, of which the last one is the token's; issuers.
fn first_system(routes: usize, tiers: usize, issuers: usize) -> Value {
    let limits = json!([{"name": "minute", "requests": 1_000_000, "per": "1m"}]);
    let tier = |nth: usize| (format!("tier-{nth}"), json!({"limits": limits, "max_cost": 100}));
    let issuer = |nth: usize| {
        json!({
            "issuer": issuer(nth), "secrets": [{"alg": "HS256", "text": SECRET}], "default_tier": format!("tier-{}", tiers - 1),
            "claims": {"client": "client_id", "schools": "schools"}, "audiences": ["https://api.example.com"],
        })
    };
    let scope = json!({"schools": {"query": "school_id"}});
    let others =
        (1..routes).map(|nth| json!({"match": {"path": format!("/stats/v1/other-{nth}/{{id}}"), "methods": ["GET"]}}));
    let last = json!({"match": {"path": "/stats/v1/attendance", "methods": ["GET"]}, "scope": scope, "cost": 5});
    json!({
        "issuers": (0..issuers).map(issuer).collect::<Vec<_>>(),
        "tiers": (0..tiers).map(tier).collect::<serde_json::Map<_, _>>(),
        "routes": others.chain([last]).collect::<Vec<_>>(),
        "forward": {"max_schools_bytes": 16384},
        "bounds": {"max_cached_tokens": 200_000, "max_cached_bytes": 1 << 29},
    })
}

fn second_system() -> Value {
    let opened = (0..1_000).map(|nth| (district(nth), json!([school(nth)])));
    let scope = json!({
        "districts": {"body": "/districtlea", "missing": "allow"},
        "schools": {"body": "/schoolleas", "missing": "allow"},
        "require_one": true,
    });
    json!({
        "api_keys": {"header": "x-api-key", "remote": {"uri": "https://students.example.com/v1/keys.json", "cluster": "auth"}},
        "issuers": [{
            "issuer": issuer(0), "secrets": [{"alg": "HS512", "text": SECRET}], "audiences": ["https://api.example.com"],
            "claims": {"client": "client_id", "districts": "districts", "schools": "schools"},
        }],
        "tiers": {"enterprise": {"limits": [{"name": "rate", "requests": 1_000_000, "per": "1s"}]}},
        "districts": opened.collect::<serde_json::Map<_, _>>(),
        "routes": [{
            "match": {"path": "/v1/students", "methods": ["POST"]}, "require": ["api_key", "bearer"], "scope": scope,
            "body": {"max_bytes": 65536}, "cost": {"weight": 1, "times": {"body": "/limit", "default": 25}},
        }],
        "forward": {"max_schools_bytes": 16384},
    })
}

fn keys(count: usize) -> Value {
    let entry = |nth: usize| {
        let hash = format!("{:x}", Sha256::digest(key(nth)));
        json!({"id": format!("key-{nth}"), "client": client(nth), "sha256": hash, "tier": "enterprise"})
    };
    json!({"version": 1, "keys": (0..count).map(entry).collect::<Vec<_>>()})
}

fn key(nth: usize) -> String {
    format!("vendor-key-{nth:020}")
}

fn client(nth: usize) -> String {
    format!("client-{nth:06}")
}

fn issuer(nth: usize) -> String {
    format!("https://auth-{nth}.example.com/")
}

fn school(nth: usize) -> String {
    (15_030_001 + nth).to_string()
}

fn district(nth: usize) -> String {
    (1_500_000 + nth).to_string()
}

fn token(nth: usize, from: usize, schools: usize) -> String {
    let claims = json!({
        "iss": issuer(from), "aud": "https://api.example.com", "client_id": client(nth), "exp": START + 1_000_000,
        "schools": (0..schools).map(school).collect::<Vec<_>>(),
    });
    let token = Token::new(Key::Secret(SECRET.as_bytes()), "k", claims).header("kid", Value::Null);
    token.algorithm(jsonwebtoken::Algorithm::HS256).sign()
}

fn get(token: &str) -> Pairs {
    head("/stats/v1/attendance?school_id=15030001", "GET", token)
}

fn post(nth: usize, districts: usize) -> Pairs {
    let claims = json!({
        "iss": issuer(0), "aud": "https://api.example.com", "client_id": client(nth), "exp": START + 1_000_000,
        "districts": (0..districts).map(district).collect::<Vec<_>>(), "schools": ["1"],
    });
    let token = Token::new(Key::Secret(SECRET.as_bytes()), "k", claims).header("kid", Value::Null).sign();
    let mut head = head("/v1/students", "POST", &token);
    head.extend(pairs(&[("x-api-key", &key(nth)), ("content-type", "application/json")]));
    head
}

fn head(path: &str, method: &str, token: &str) -> Pairs {
    pairs(&[
        (":authority", "api.example.com"),
        (":path", path),
        (":method", method),
        (":scheme", "https"),
        ("user-agent", "district-dashboard/3.1"),
        ("accept", "application/json"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "6c1f1a5e-92d5-4a8e-9d0c-3a1b2c4d5e6f"),
        ("authorization", &format!("Bearer {token}")),
    ])
}
