//! Hostile JOSE headers, encodings and claims through a real Envoy: each is 401, none traps a VM, none reaches the upstream.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::policy::{KEY, expect_no_trap, open_and_guarded, start, token, vms};
use crate::support::tokens::{jwks, now, sign};
use crate::support::{Gateway, Key, KeyServer, Token, Upstream};

/// A token of these bytes, really signed.
fn of(header: &[u8], payload: &[u8]) -> String {
    sign(header, payload, KEY, KEY.algorithm())
}

#[test]
fn hostile_tokens_are_refused_and_odd_ones_pass() {
    let (upstream, gateway) = start(open_and_guarded());
    let before = vms(&gateway);
    for (what, token) in encodings().into_iter().chain(jose_headers()).chain(claims()) {
        let response = gateway.get("/a").bearer(token).send();
        assert_eq!(response.status, 401, "{what}: {response:?}");
    }
    assert_eq!(upstream.heads(), 0);
    check_odd_ones(&upstream, &gateway);
    expect_no_trap(&gateway, before);
}

fn encodings() -> Vec<(&'static str, String)> {
    let valid = token().claim("pad", "???>>>~~~").sign();
    let parts: Vec<&str> = valid.split('.').collect();
    let recoded = |nth: usize, engine: &base64::engine::GeneralPurpose| {
        let mut parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
        parts[nth] = engine.encode(URL_SAFE_NO_PAD.decode(&parts[nth]).unwrap());
        parts.join(".")
    };
    // 64 bytes leave two bits in the last character of the signature unused.
    let last = valid.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let stray = format!("{}{next}", &valid[..valid.len() - 1]);

    vec![
        ("padding in the signature", recoded(2, &URL_SAFE)),
        ("padding by hand", format!("{valid}==")),
        ("the other alphabet", valid.replace('-', "+").replace('_', "/") + "+"),
        ("the other alphabet in the payload", recoded(1, &STANDARD)),
        ("stray bits", stray),
        ("a character too many", format!("{valid}A")),
        ("a tilde", valid.replace('a', "~")),
    ]
}

fn jose_headers() -> Vec<(&'static str, String)> {
    let claims = token().claims.to_string();
    let payload = claims.as_bytes();
    let with = |name: &str, value: Value| token().header(name, value).sign();
    let header = |text: &str| of(text.as_bytes(), payload);
    let unsigned = |alg: &str| {
        let header = json!({"alg": alg, "kid": "k"}).to_string();
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    };
    let jwk = Key::P256No2.named("k");
    let members = (0..3000).fold(String::new(), |mut text, nth| {
        let _ = write!(text, r#","m{nth}":1"#);
        text
    });

    let mut rows = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "es256", "ES256 ", "ES256K", "HS256", "RS256", "ES512"] {
        rows.push(("another alg", with("alg", json!(alg))));
        rows.push(("unsigned", unsigned(alg)));
        rows.push(("unsigned with something", unsigned(alg) + "AA"));
    }
    for alg in [json!(null), json!(256), json!(["ES256"]), json!({"alg": "ES256"}), json!(true)] {
        rows.push(("alg of another type", with("alg", alg)));
    }
    for name in ["crit", "b64"] {
        rows.push(("critical extensions", with(name, json!(["exp"]))));
        rows.push(("critical extensions", with(name, json!(false))));
    }
    for (name, value) in [
        ("jwk", jwk.clone()),
        ("jku", json!("http://127.0.0.1:1/jwks")),
        ("x5u", json!("http://127.0.0.1:1/x")),
        ("x5c", json!(["MIIB"])),
    ] {
        rows.push(("the key in the token", token().header(name, value).forged_with(Key::P256No2).sign()));
    }
    rows.extend([
        ("typ of something else", with("typ", json!("dpop+jwt"))),
        ("typ of another type", with("typ", json!(1))),
        ("a doubled alg", header(r#"{"alg":"none","alg":"ES256","kid":"k"}"#)),
        ("a doubled kid", header(r#"{"alg":"ES256","kid":"x","kid":"k"}"#)),
        ("doubled by an escape", header(r#"{"alg":"ES256","kid":"x","k\u0069d":"k"}"#)),
        ("trailing garbage", header(r#"{"alg":"ES256","kid":"k"}x"#)),
        ("two documents", header(r#"{"alg":"ES256","kid":"k"}{}"#)),
        ("a byte order mark", header("\u{feff}{\"alg\":\"ES256\",\"kid\":\"k\"}")),
        ("no object", header(r#"["ES256"]"#)),
        ("empty", header("")),
        ("nested", header(&format!(r#"{{"alg":"ES256","kid":"k","x":{}1{}}}"#, "[".repeat(4000), "]".repeat(4000)))),
        ("never closed", header(&"[".repeat(9000))),
        ("many members", header(&format!(r#"{{"alg":"ES256","kid":"x"{members}}}"#))),
        ("not UTF-8", of(b"{\"alg\":\"ES256\",\"kid\":\"k\",\"x\":\"\xff\"}", payload)),
        ("a lone surrogate", header(r#"{"alg":"ES256","kid":"k","x":"\ud800"}"#)),
        ("single quotes", header("{'alg':'ES256','kid':'k'}")),
    ]);
    rows
}

#[test]
fn keys_that_a_token_brings_along_are_never_fetched() {
    let trap = KeyServer::start(&jwks(&[Key::P256No2.named("k")]));
    let (upstream, gateway) = start(open_and_guarded());
    let url = format!("http://127.0.0.1:{}/jwks", trap.port());

    for name in ["jku", "x5u", "iss"] {
        let forged = token().header(name, url.clone()).claim("jku", url.clone()).forged_with(Key::P256No2).sign();
        gateway.get("/a").bearer(forged).send().expect_status(401);
    }
    // Beside a good signature they mean nothing.
    let good = token().header("jku", url.clone()).header("jwk", Key::P256No2.jwk()).sign();
    gateway.get("/a").bearer(good).send().expect_status(200);
    assert_eq!(trap.count(), 0);
    assert_eq!(upstream.heads(), 1);
}

fn claims() -> Vec<(&'static str, String)> {
    let with = |name: &str, value: Value| token().claim(name, value).sign();
    let payload = |text: &str| of(br#"{"alg":"ES256","kid":"k"}"#, text.as_bytes());
    let exp = now() + 60;
    let mut rows = Vec::new();

    for value in [json!(null), json!("9999999999"), json!(true), json!(-1), json!(1e300), json!([exp]), json!({})] {
        rows.push(("exp", with("exp", value)));
    }
    for value in [json!(0), json!(0.9), json!(now() - 1), json!(now())] {
        rows.push(("exp in the past", with("exp", value)));
    }
    for name in ["nbf", "iat"] {
        for value in [json!(now() + 60), json!("1"), json!(-1), json!(1e300), json!(i64::MIN), json!(u64::MAX)] {
            rows.push(("not yet", with(name, value)));
        }
    }
    for value in [
        json!(null),
        json!(""),
        json!("https://auth.example.com"),
        json!("https://AUTH.example.com/"),
        json!("https://auth.ex\u{430}mple.com/"),
        json!(" https://auth.example.com/"),
        json!(["https://auth.example.com/"]),
        json!(1),
    ] {
        rows.push(("iss", with("iss", value)));
    }
    for value in [
        json!(null),
        json!(""),
        json!("oakwood-primary"),
        json!({}),
        json!(["a", 1]),
        json!(["a", null]),
        json!([["a"]]),
        json!(["a,b"]),
        json!([""]),
        json!(["a", ""]),
        json!(["*"]),
        json!(["a\r\nx-claim-tier: premium"]),
        json!(["a\n"]),
        json!(["a\0"]),
        json!(["a\"b"]),
        json!(["a b"]),
        json!(["sch\u{f6}n"]),
        json!(["a\u{2028}"]),
    ] {
        rows.push(("schools", with("schools", value)));
    }
    for name in ["client_id", "tier"] {
        for value in [
            json!(null),
            json!(1),
            json!(""),
            json!(["standard"]),
            json!("a\r\nb: c"),
            json!("a\0"),
            json!("a,b"),
            json!("sch\u{f6}n"),
        ] {
            rows.push(("a name", with(name, value)));
        }
    }
    rows.extend([
        ("a doubled claim", payload(&format!(r#"{{"iss":"https://auth.example.com/","exp":{exp},"tier":"standard","client_id":"a","schools":["a"],"schools":["b"]}}"#))),
        ("doubled by an escape", payload(&format!(r#"{{"iss":"https://auth.example.com/","exp":{exp},"tier":"standard","client_id":"a","schools":["a"],"sch\u006fols":["b"]}}"#))),
        ("no object", payload("[]")),
        ("nothing", payload("")),
        ("trailing garbage", payload(&format!("{}x", token().claims))),
        ("a byte order mark", payload(&format!("\u{feff}{}", token().claims))),
        ("not UTF-8", of(br#"{"alg":"ES256","kid":"k"}"#, b"{\"x\":\"\xff\"}")),
        ("nested", payload(&format!(r#"{{"x":{}{}}}"#, "[".repeat(5000), "]".repeat(5000)))),
    ]);
    rows
}

#[track_caller]
fn check_odd_ones(upstream: &Upstream, gateway: &Gateway) {
    for (what, token) in [
        ("no typ", token().header("typ", json!(null))),
        ("RFC 9068", token().header("typ", "at+jwt")),
        ("RFC 9068 in full", token().header("typ", "application/at+jwt")),
        ("a fraction", token().claim("exp", f64::from(u32::try_from(now()).unwrap()) + 60.5)),
        ("unknown claims", token().claim("x", json!({"y": [1, 2, null]}))),
        ("duplicates", token().claim("schools", json!(["a", "b", "a"]))),
    ] {
        let response = gateway.get("/a").bearer(token.sign()).send();
        assert_eq!(response.status, 200, "{what}: {response:?}");
    }
    assert_eq!(upstream.last().headers("x-claim-schools"), ["a,b"]);
    let many: Vec<String> = (0..700).map(|nth| format!("school-{nth}")).collect();
    let response = gateway.get("/a").bearer(Token::education(KEY, "k").claim("schools", json!(many)).sign()).send();
    response.expect_status(200);
    assert_eq!(upstream.last().headers("x-claim-schools"), [many.join(",")]);
}
