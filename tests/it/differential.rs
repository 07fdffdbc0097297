//! hallpass, joserfc and Envoy's own `jwt_authn` with the same keys judge the same tokens: whatever hallpass accepts, the other
//! two accept. hallpass is asked twice, in a real Envoy and as a library ([`hallpass::decide`]), and must say the same.
//!
//! Tokens are made and broken at random ([`generator`]), 3,000 of a fixed seed; `HALLPASS_SEED` and `HALLPASS_TOKENS` set another
//! seed and number. `scripts/test --long` takes 30,000 more, and a new seed each time, which it prints.
//!
//! Where hallpass accepts and another does not, by design; anything else fails the test:
//!
//! | who refuses | what | why hallpass accepts |
//! |---|---|---|
//! | joserfc | header parameters that nobody registered | RFC 7515 section 4: what is not understood is ignored |
//! | joserfc | `x5u`, `jku`, `x5c`, `x5t`, `jwk` of a strange form | they are never used |
//! | `jwt_authn` | dates that are no integers | RFC 7519 section 2: a `NumericDate` may have a fraction |
//!
//! The other way round they are more lenient, which is no finding.

mod generator;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use hallpass::config::Config;
use hallpass::credentials::jwt::jose::Alg;
use hallpass::credentials::jwt::signature::NoHost;
use hallpass::decide::{Call, Gate, Verdict};
use hallpass::values::time::Timestamp;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::support::client::in_turn;
use crate::support::policy::{self, ISSUER};
use crate::support::process::root;
use crate::support::{Client, Gateway, tokens};
use crate::vectors::ALGS;
use crate::vectors::signer::Signer;
use generator::{Made, SECOND_RS256, make};

/// Requests that are sent together.
const BATCH: usize = 200;
/// Connections to each listener.
const CONNECTIONS: usize = 4;

/// What a judge says: the reason of a refusal.
type Judgement = Result<(), String>;

fn keys() -> Value {
    let jwk = |signer: Signer, kid: &str| {
        let mut jwk = signer.jwk();
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(signer.alg.name());
        jwk["use"] = json!("sig");
        jwk
    };
    let mut keys: Vec<Value> = ALGS.iter().map(|alg| jwk(Signer::first(*alg), alg.name())).collect();
    keys.push(jwk(Signer { alg: Alg::Rs256, nth: 1 }, SECOND_RS256));
    json!({"keys": keys})
}

fn config() -> Value {
    let mut config = policy::config(&json!([{"match": {"path": "/"}}]));
    config["issuers"][0]["jwks"] = json!({"inline": keys()});
    config["tiers"]["standard"]["limits"] = json!([]);
    config
}

/// One Envoy: hallpass at the listener `main`, `jwt_authn` at another; both answer 200 by themselves to whom they let in.
fn gateway() -> Gateway {
    let jwt_authn = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"them": {"issuer": ISSUER, "local_jwks": {"inline_string": keys().to_string()}}},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "them"}}],
        },
    });
    Gateway::builder()
        .config(config())
        .edit_connection_manager(|manager| {
            manager["route_config"]["virtual_hosts"][0]["routes"][0] =
                json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
        })
        .edit(move |bootstrap| {
            let listeners = &mut bootstrap["static_resources"]["listeners"];
            let mut other = listeners[0].clone();
            other["name"] = json!("jwt_authn");
            let manager = &mut other["filter_chains"][0]["filters"][0]["typed_config"];
            manager["http_filters"][0] = jwt_authn;
            manager["stat_prefix"] = json!("jwt_authn");
            listeners.as_array_mut().expect("listeners").push(other);
        })
        .start()
}

/// The judgements of the gateway's listener, in order.
fn ask_envoy(client: &Client, tokens: &[Made]) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for batch in tokens.chunks(BATCH) {
        let requests = batch.iter().map(|made| client.get("/a").bearer(&made.text)).collect();
        for response in in_turn(CONNECTIONS, requests) {
            judgements.push(match response.status {
                200 => Ok(()),
                401 | 403 => Err(response.text()),
                other => panic!("status {other}: {response:?}"),
            });
        }
    }
    judgements
}

/// The judgements of the library; it has no ES384.
fn ask_library(tokens: &[Made], now: u64) -> Vec<Judgement> {
    let mut gate = Gate::new(Config::from_bytes(config().to_string().as_bytes()).expect("the configuration loads"));
    let judge = |made: &Made| {
        let bearer = format!("Bearer {}", made.text);
        let head: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":path", b"/a"),
            (b":authority", b"api.example.com"),
            (b"authorization", bearer.as_bytes()),
        ];
        match gate.decide(&Call { head: &head, ..Call::default() }, &NoHost, Timestamp::from_secs(now)) {
            Verdict::Pass(_) => Ok(()),
            Verdict::Deny(denied) => Err(denied.denial.code().to_owned()),
            Verdict::Waits => panic!("nothing is remote"),
        }
    };
    tokens.iter().map(judge).collect()
}

/// The judgements of joserfc.
fn ask_joserfc(tokens: &[Made], now: u64) -> Vec<Judgement> {
    let place = Command::new(root().join("scripts/get-joserfc")).output().expect("scripts/get-joserfc runs");
    assert!(place.status.success(), "scripts/get-joserfc: {}", String::from_utf8_lossy(&place.stderr));
    let mut child = Command::new("python3")
        .arg(root().join("tests/it/differential/joserfc_oracle.py"))
        .env("PYTHONPATH", String::from_utf8(place.stdout).expect("a path").trim_end())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut input = child.stdin.take().expect("its input");
    let setup = json!({"keys": keys(), "issuer": ISSUER, "now": now}).to_string();
    let lines: Vec<String> = tokens.iter().map(|made| json!(made.text).to_string()).collect();
    let writer = std::thread::spawn(move || {
        for line in std::iter::once(setup).chain(lines) {
            writeln!(input, "{line}").expect("the oracle reads");
        }
    });
    let output = child.wait_with_output().expect("the oracle ends");
    writer.join().expect("all was written");
    assert!(output.status.success(), "the oracle failed");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| if line == "ok" { Ok(()) } else { Err(line.to_owned()) }).collect()
}

/// Why joserfc may refuse what hallpass accepts.
fn joserfc_exception(reason: &str) -> Option<&'static str> {
    let begins = |with: &str| reason.starts_with(with);
    if begins("UnsupportedHeaderError") {
        return Some("a header parameter that nobody registered");
    }
    let names_unused = ["jku", "x5u", "x5c", "x5t", "jwk"].iter().any(|name| reason.contains(name));
    (begins("InvalidHeaderValueError") && names_unused).then_some("a strange form of a parameter that is never used")
}

/// Why `jwt_authn` may refuse what hallpass accepts.
fn jwt_authn_exception(made: &Made, _: &str) -> Option<&'static str> {
    let is_fraction = |change: &String| {
        ["claim exp", "claim nbf", "claim iat"].iter().any(|name| change.starts_with(name))
            && change.contains(['.', 'e'])
    };
    made.changes.iter().any(is_fraction).then_some("a date that is no integer")
}

fn seed() -> u64 {
    let seed = std::env::var("HALLPASS_SEED").ok().map(|seed| seed.parse().expect("HALLPASS_SEED is a number"));
    seed.unwrap_or(1)
}

/// How many of something, by name.
type Counts = BTreeMap<String, usize>;

fn compare(count: usize, seed: u64) {
    println!("{count} tokens, HALLPASS_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let now = tokens::now();
    let tokens: Vec<Made> = (0..count).map(|_| make(&mut random, now)).collect();
    let gateway = gateway();
    let ours = ask_envoy(gateway.client(), &tokens);
    let jwt_authn = ask_envoy(&Client::new(gateway.address_of("jwt_authn")), &tokens);
    let library = ask_library(&tokens, now);
    let joserfc = ask_joserfc(&tokens, now);
    assert_eq!([ours.len(), jwt_authn.len(), library.len(), joserfc.len()], [count; 4]);

    let (mut findings, mut counts) = (Vec::new(), Counts::new());
    for (at, made) in tokens.iter().enumerate() {
        let mut note = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
        if made.alg != Alg::Es384 && library[at].is_ok() != ours[at].is_ok() {
            findings.push(format!("library {:?}, Envoy {:?}: {made:?}", library[at], ours[at]));
        }
        for (judge, judgement) in [("joserfc", &joserfc[at]), ("jwt_authn", &jwt_authn[at])] {
            note(&format!("{judge} accepts: {}", judgement.is_ok()));
            if let (Ok(()), Err(reason)) = (&ours[at], judgement) {
                let exception = match judge {
                    "joserfc" => joserfc_exception(reason),
                    _ => jwt_authn_exception(made, reason),
                };
                match exception {
                    Some(exception) => note(&format!("only {judge} refuses: {exception}")),
                    None => findings.push(format!("only {judge} refuses ({reason}): {made:?}")),
                }
            }
        }
        note(&format!("hallpass accepts: {}", ours[at].is_ok()));
        // Whoever refuses everything is no judge.
        if made.changes.is_empty() {
            let all = [&ours[at], &jwt_authn[at], &joserfc[at]];
            assert!(all.iter().all(|judgement| judgement.is_ok()), "a good token is refused: {made:?} {all:?}");
        }
    }
    println!("{counts:#?}");
    assert!(findings.is_empty(), "{} findings, HALLPASS_SEED={seed}:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn whatever_hallpass_accepts_others_accept() {
    let count = std::env::var("HALLPASS_TOKENS").ok().map(|count| count.parse().expect("HALLPASS_TOKENS is a number"));
    compare(count.unwrap_or(3_000), seed());
}

#[test]
#[ignore = "long"]
fn whatever_hallpass_accepts_others_accept_in_a_long_run() {
    compare(30_000, seed());
}
