//! Configurations, and requests that fit them: good ones, and all kinds of others.

use std::path::Path;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use yaml_rust2::{Yaml, YamlLoader};

use crate::host::START;
use crate::tokens::{Key, Token, jwks};

/// Stands in headers that only the filter may set.
pub const SPOOF: &str = "spoofed-by-the-client";
/// Public: never trust it. 64 bytes, the least for HS512.
pub const SECRET: &str = "a-secret-of-the-tests-that-everyone-may-know-0123456789-abcdefgh";
/// The API key of the client `acme`, in the tier `enterprise`.
pub const ACME: &str = "acme-key-0123456789abcdef";
/// The one of `globex`, in the tier `trial`.
const GLOBEX: &str = "globex-key-0123456789abcdef";
const EDUCATION: &str = "https://auth.example.com/";
const STUDENTS: &str = "https://students.example.com/";

/// A configuration, and what requests may meet.
pub struct Policy {
    /// The configuration as JSON.
    pub config: Vec<u8>,
    /// Tokens.
    pub tokens: Vec<Sample>,
    /// API keys that are good.
    pub keys: Vec<&'static str>,
    /// Paths, methods, and whether there is a body.
    pub targets: Vec<(&'static str, &'static str, bool)>,
    /// Whether a path needs no credentials.
    pub is_open: fn(&str) -> bool,
    /// Whether a path needs an API key.
    pub needs_key: fn(&str) -> bool,
    /// Whether a path needs a token.
    pub needs_token: fn(&str) -> bool,
    /// Tolerance of clocks, seconds.
    pub skew: u64,
}

/// A token, and whether it may pass.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The compact form.
    pub text: String,
    /// Whether it is signed by whom it should be and says all that it should, until it ends.
    pub good: bool,
    /// When it ends, seconds since 1970.
    pub expires: u64,
}

impl Policy {
    /// The policies: the two systems of `envoy/`, and two small ones.
    pub fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Policy>> = OnceLock::new();
        ALL.get_or_init(|| vec![education(), students(), small(), dry()])
    }

    /// One of them.
    pub fn of(at: usize) -> &'static Self {
        &Self::all()[at]
    }
}

/// A token of the Education Data Platform for this client.
pub fn education_token(client: &str) -> Sample {
    education_sample(Key::Rsa1, "k1", client, START + 3600, true)
}

fn education_sample(key: Key, kid: &str, client: &str, expires: u64, good: bool) -> Sample {
    let claims = json!({
        "tier": "standard", "schools": ["oakwood-primary", "ravenscroft-high"], "client_id": client,
        "iss": EDUCATION, "exp": expires,
    });
    sample(&Token::new(key, kid, claims), expires, good)
}

/// A permission token of the vendor `acme`, with this id.
pub fn student_token(id: &str) -> Sample {
    student_sample("acme", id, SECRET, START + 3600, true)
}

fn student_sample(vendor: &str, id: &str, secret: &'static str, expires: u64, good: bool) -> Sample {
    let claims = json!({
        "iss": STUDENTS, "vendor": vendor, "jti": id, "iat": START - 60, "exp": expires,
        "districts": ["1503000"], "schools": ["15030001"], "permissions": ["students.read"],
    });
    sample(&Token::new(Key::Secret(secret.as_bytes()), "k", claims).header("kid", Value::Null), expires, good)
}

fn sample(token: &Token, expires: u64, good: bool) -> Sample {
    Sample { text: token.sign(), good, expires }
}

/// The same token with one bit of its signature changed.
pub fn forged(sample: &Sample) -> Sample {
    let (text, signature) = sample.text.rsplit_once('.').expect("a signature");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    bytes[9] ^= 1;
    Sample { text: format!("{text}.{}", URL_SAFE_NO_PAD.encode(bytes)), good: false, expires: sample.expires }
}

/// The signature of a token, and what it signs.
pub fn signature(sample: &Sample) -> (Vec<u8>, Vec<u8>) {
    let (text, signature) = sample.text.rsplit_once('.').expect("a signature");
    (URL_SAFE_NO_PAD.decode(signature).expect("base64url"), text.as_bytes().to_vec())
}

/// The document behind this path of the cluster `auth`.
pub fn document(path: &str) -> Vec<u8> {
    static KEYS: OnceLock<String> = OnceLock::new();
    let entry = |id: &str, client: &str, key: &str, tier: &str| {
        let hash = format!("{:x}", Sha256::digest(key));
        json!({"id": id, "client": client, "sha256": hash, "tier": tier})
    };
    let text = match path {
        "/v1/keys.json" => {
            let keys = [entry("acme-1", "acme", ACME, "enterprise"), entry("globex-1", "globex", GLOBEX, "trial")];
            json!({"version": 1, "keys": keys}).to_string()
        }
        "/v1/revocations.json" => json!({"version": 1, "tokens": ["revoked"], "clients": []}).to_string(),
        _ => KEYS.get_or_init(|| jwks(&[Key::Rsa1.named("k1")]).to_string()).clone(),
    };
    text.into_bytes()
}

fn education() -> Policy {
    let expired = education_sample(Key::Rsa1, "k1", "late", START - 1, true);
    let soon = education_sample(Key::Rsa1, "k1", "soon", START + 20, true);
    let tokens = vec![
        education_token("app-1"),
        education_token("app-2"),
        forged(&education_token("app-1")),
        soon,
        expired,
        education_sample(Key::Rsa2, "k1", "app-1", START + 3600, false),
        education_sample(Key::Rsa1, "k9", "app-1", START + 3600, false),
        unsigned(EDUCATION),
    ];
    Policy {
        config: bootstrap("education-data-platform"),
        tokens,
        keys: Vec::new(),
        targets: vec![
            ("GET", "/stats/v1/attendance/summary?school_id=oakwood-primary", false),
            ("GET", "/stats/v1/attendance/summary?school_id=elsewhere", false),
            ("GET", "/stats/v1/schools/ravenscroft-high/attendance", false),
            ("GET", "/stats/v1/attendance/records?limit=50", false),
            ("GET", "/stats/v1/other", false),
            ("GET", "/healthz", false),
            ("POST", "/oauth/token", true),
            ("GET", "/nowhere", false),
            ("POST", "/stats/v1/../x", true),
        ],
        is_open: |path| matches!(path.split('?').next(), Some("/healthz" | "/oauth/token")),
        needs_key: |_| false,
        needs_token: |_| true,
        skew: 0,
    }
}

fn students() -> Policy {
    let other = "another-secret-of-the-tests-that-everyone-may-know-0123456789-abc";
    let tokens = vec![
        student_token("one"),
        student_token("two"),
        forged(&student_token("one")),
        // The list of revocations comes and goes; what it names is judged in other tests.
        student_token("revoked"),
        student_sample("acme", "late", SECRET, START - 1, true),
        student_sample("globex", "three", SECRET, START + 30, true),
        student_sample("acme", "one", other, START + 3600, false),
        unsigned(STUDENTS),
    ];
    Policy {
        config: bootstrap("student-data-api"),
        tokens,
        keys: vec![ACME, GLOBEX],
        targets: vec![
            ("POST", "/v1/students", true),
            ("POST", "/v1/students", true),
            ("POST", "/v1/students", true),
            ("POST", "/v1/login", true),
            ("GET", "/healthz", false),
            ("GET", "/nowhere", false),
        ],
        is_open: |path| path == "/healthz",
        needs_key: |_| true,
        needs_token: |path| path != "/v1/login",
        skew: 0,
    }
}

/// Shared secrets in the configuration, hard limits, upgrades, and a scope in a header.
fn small() -> Policy {
    let text = "0123456789abcdef0123456789abcdef";
    let token = |client: &str, secret: &'static str, expires: u64, good: bool| {
        let claims = json!({"client_id": client, "schools": ["a"], "iss": EDUCATION, "exp": expires});
        let token = Token::new(Key::Secret(secret.as_bytes()), "k", claims);
        sample(&token.algorithm(jsonwebtoken::Algorithm::HS256), expires, good)
    };
    let config = json!({
        "errors": "plain",
        "issuers": [{
            "issuer": EDUCATION, "default_tier": "t", "clock_skew": "5m", "claims": {"schools": "schools"},
            "secrets": [{"kid": "k", "alg": "HS256", "text": text}],
        }],
        "tiers": {"t": {"limits": [
            {"name": "few", "requests": 3, "per": "1s"},
            {"name": "cost", "cost": 9, "per": "1m"},
        ]}},
        "routes": [
            {"match": {"path": "/open/"}, "require": [], "open_subtree": true},
            {"match": {"path": "/ws"}, "upgrades": true},
            {"match": {"path": "/h"}, "scope": {"schools": {"header": "x-school", "missing": "allow"}}, "cost": 3},
            {"match": {"path": "/"}},
        ],
        "authentication_failures": "off",
        "settlement_header": "x-actual-cost",
        "rate_limit_headers": "x-ratelimit",
        "bounds": {"max_cached_tokens": 1, "max_waiters": 2},
    });
    Policy {
        config: config.to_string().into_bytes(),
        tokens: vec![
            token("a", text, START + 3600, true),
            token("b", text, START + 3600, true),
            forged(&token("a", text, START + 3600, true)),
            token("a", "ffffffffffffffffffffffffffffffff", START + 3600, false),
            token("a", text, START + 10, true),
        ],
        keys: Vec::new(),
        targets: vec![
            ("GET", "/open/x", false),
            ("POST", "/", true),
            ("GET", "/h", false),
            ("GET", "/ws", false),
            ("PUT", "/any/where", true),
        ],
        is_open: |path| path.starts_with("/open/"),
        needs_key: |_| false,
        needs_token: |_| true,
        skew: 300,
    }
}

/// A dry run with two issuers, a key in the configuration and a key set from the network.
fn dry() -> Policy {
    let mut small = small();
    let mut config: Value = serde_json::from_slice(&small.config).expect("JSON");
    config["dry_run"] = json!(true);
    config["issuers"].as_array_mut().expect("an array").push(json!({
        "issuer": "https://other.example.com/", "default_tier": "t",
        "jwks": {"remote": {"uri": "https://auth.example.com/jwks.json", "cluster": "auth", "cooldown": "100ms"}},
    }));
    config["authentication_failures"] = json!({"requests": 5, "per": "1m"});
    small.config = config.to_string().into_bytes();
    small
}

/// `alg: none`, with every claim.
fn unsigned(issuer: &str) -> Sample {
    let claims = json!({
        "tier": "standard", "schools": [], "client_id": "a", "vendor": "acme", "iss": issuer, "exp": START + 3600,
        "jti": "x", "districts": [], "permissions": ["students.read"],
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}.", part(json!({"alg": "none"})), part(claims));
    Sample { text, good: false, expires: START + 3600 }
}

/// The configuration of the filter in `envoy/NAME.yaml`, as JSON.
fn bootstrap(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../envoy/{name}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let documents = YamlLoader::load_from_str(&text).expect("YAML");
    let config = documents.iter().find_map(find_configuration).expect("a configuration of the filter");
    config.to_string().into_bytes()
}

fn find_configuration(node: &Yaml) -> Option<Value> {
    match node {
        Yaml::Hash(members) => {
            let configuration = &node["configuration"]["value"];
            if configuration.is_badvalue() {
                members.values().find_map(find_configuration)
            } else {
                Some(to_json(configuration))
            }
        }
        Yaml::Array(items) => items.iter().find_map(find_configuration),
        _ => None,
    }
}

fn to_json(node: &Yaml) -> Value {
    match node {
        Yaml::Hash(members) => {
            let member = |(name, value): (&Yaml, &Yaml)| (name.as_str().unwrap_or_default().to_owned(), to_json(value));
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Yaml::Array(items) => items.iter().map(to_json).collect(),
        Yaml::Integer(number) => json!(number),
        Yaml::Boolean(value) => json!(value),
        Yaml::String(text) | Yaml::Real(text) => json!(text),
        _ => Value::Null,
    }
}
