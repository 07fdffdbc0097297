//! The Student Data API through `envoy/student-data-api.yaml`, word for word, with the fixtures of the development server.

use serde_json::{Value, json};

use crate::support::body_scope::{SECRET, api_key, token};
use crate::support::{Answer, Gateway, Response, Token, Upstream, wait_until};

const FILE: &str = "envoy/student-data-api.yaml";
const HARBOUR: &str = r#"{"districtlea":"1503000"}"#;

struct Example {
    api: Upstream,
    auth: Upstream,
    gateway: Gateway,
}

impl Example {
    fn start() -> Self {
        let keys = json!({"version": 7, "keys": [
            api_key("brightpath", "key-of-brightpath", "professional"),
            api_key("tinytools", "key-of-tinytools", "starter"),
            api_key("trial", "key-of-trial", "trial"),
        ]});
        let revocations = json!({"version": 3, "tokens": ["gone"], "clients": []});
        let auth = Upstream::answering(move |seen| match seen.target.as_str() {
            "/v1/keys.json" => Answer::json(&keys),
            "/v1/revocations.json" => Answer::json(&revocations),
            _ => Answer::new(404),
        });
        let api = Upstream::start();
        let gateway = file().port(9200, api.port()).port(9100, auth.port()).concurrency(2).start();
        Self { api, auth, gateway }
    }

    fn post(&self, vendor: &str, token: &Token, body: &str) -> Response {
        let request = self.gateway.request("POST", "/v1/students").header("x-api-key", format!("key-of-{vendor}"));
        request.bearer(token.sign()).header("content-type", "application/json").body(body.to_owned()).send()
    }
}

fn file() -> crate::support::gateway::Builder {
    let secret = format!("key_values: {{PJWT_SECRET: \"{SECRET}\"}}");
    Gateway::builder().bootstrap_file(FILE).replace("host_env_keys: [PJWT_SECRET]", &secret)
}

fn of(vendor: &str) -> Token {
    token().claim("vendor", vendor)
}

#[track_caller]
fn expect_code(response: &Response, status: u16, code: &str) {
    response.expect_status(status);
    assert_eq!(
        (&response.json()["actionOk"], &response.json()["error"]),
        (&json!(false), &json!([code])),
        "{response:?}"
    );
}

#[test]
fn bootstrap_of_the_student_data_api_is_valid() {
    file().validate().expect("a valid bootstrap");
}

#[test]
fn bootstrap_without_the_secret_is_refused() {
    let log = Gateway::builder()
        .bootstrap_file(FILE)
        .replace("host_env_keys: [PJWT_SECRET]", "key_values: {OTHER: x}")
        .validate()
        .expect_err("no secret");
    assert!(log.contains("secrets[0].env"), "{log}");
}

#[test]
fn student_data_api_serves_by_its_bootstrap() {
    let example = Example::start();
    let passed = example.post("brightpath", &of("brightpath"), HARBOUR);
    passed.expect_status(200);
    let seen = example.api.last();
    assert_eq!(seen.body, HARBOUR);
    for (name, value) in [
        ("x-claim-client-id", "brightpath"),
        ("x-claim-tier", "professional"),
        ("x-claim-districts", "1503000"),
        ("x-claim-schools", "15040001"),
        ("x-claim-permissions", "students.read,students.list"),
    ] {
        assert_eq!(seen.header(name).as_deref(), Some(value), "{name}: {seen:?}");
    }
    assert_eq!(seen.header("x-api-key"), None);
    assert_eq!(seen.header("x-request-id"), passed.header("x-request-id"));
    // 25 at once, refilled at ten a second
    let policy = r#""rate";q=25;w=3, "day";q=10000;w=86400"#;
    assert_eq!(passed.header("ratelimit-policy").as_deref(), Some(policy));
    example.post("brightpath", &of("brightpath"), r#"{"schoolleas":["15030001","15040001"]}"#).expect_status(200);
    example.gateway.get("/healthz").send().expect_status(200);
    example.api.forget();

    let asked = |body: &str| example.post("brightpath", &of("brightpath"), body);
    expect_code(&asked(r#"{"districtlea":"1504000"}"#), 403, "no-districtlea");
    expect_code(&asked(r#"{"schoolleas":"15040002"}"#), 403, "no-privilege");
    expect_code(&asked("{}"), 403, "no-privilege");
    expect_code(&asked(r#"{"districtlea":"1503000","districtlea":"1504000"}"#), 400, "bad-request");
    expect_code(&asked(&format!("{HARBOUR}{}", " ".repeat(65_536))), 413, "bad-request");
    expect_code(&example.post("tinytools", &of("brightpath"), HARBOUR), 403, "no-privilege");
    expect_code(&example.post("nobody", &of("brightpath"), HARBOUR), 403, "Forbidden");
    expect_code(&example.post("brightpath", &of("brightpath").claim("jti", "gone"), HARBOUR), 401, "invalid-token");
    expect_code(
        &example.post("brightpath", &of("brightpath").claim("jti", Value::Null), HARBOUR),
        401,
        "invalid-token",
    );
    let less = of("brightpath").claim("permissions", json!([]));
    expect_code(&example.post("brightpath", &less, HARBOUR), 403, "no-privilege");
    expect_code(&example.gateway.get("/nowhere").send(), 404, "not-found");
    // the connection manager refuses spellings that an upstream would fold
    let spoofed = example.gateway.request("POST", "/v1/students").header("x_claim_client_id", "a");
    spoofed.send().expect_status(400);
    assert_eq!(example.api.heads(), 0);

    wait_until("the access log", || {
        example.gateway.access_log().iter().any(|line| {
            line["decision"] == "allow"
                && line["client"] == "brightpath"
                && line["key"] == "brightpath-1"
                && line["cost"] == "25"
                && line["route"] == "/v1/students"
                && line["request_id"] == json!(passed.header("x-request-id"))
        })
    });
}

#[test]
fn logins_reach_the_api_with_their_client_and_failures_are_counted() {
    let example = Example::start();
    example.api.answer(|seen| Answer::new(if seen.body == "right" { 200 } else { 401 }));
    let login = |body: &'static str| {
        let request = example.gateway.request("POST", "/v1/login").header("x-api-key", "key-of-brightpath");
        request.header("x-claim-client-id", "evil").body(body).send()
    };
    for _ in 0..8 {
        login("right").expect_status(200);
    }
    // the login trusts the client, so it stands behind the gateway only
    assert_eq!(example.api.last().header("x-claim-client-id").as_deref(), Some("brightpath"));
    assert!(example.auth.seen().iter().all(|seen| seen.method == "GET"), "{:?}", example.auth.seen());
    for _ in 0..5 {
        login("wrong").expect_status(401);
    }
    expect_code(&login("wrong"), 429, "too-many-requests");
    expect_code(&login("right"), 429, "too-many-requests");
}
