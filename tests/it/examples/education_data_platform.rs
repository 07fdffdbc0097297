//! The example of the Education Data Platform, word for word, through `envoy/education-data-platform.yaml`.

use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::support::policy::expect_problem;
use crate::support::tokens::{jwks, now, sign};
use crate::support::{Gateway, Key, KeyServer, Response, Upstream, wait_until};

const FILE: &str = "envoy/education-data-platform.yaml";

/// The payload of the platform's documentation.
const PAYLOAD: &str = r#"{"tier":"standard","schools":["oakwood-primary","ravenscroft-high"],"client_id":"YOUR_CLIENT_ID","iss":"https://auth.example.com/","exp":1780821709}"#;

/// The request of the platform's documentation.
const SUMMARY: &str = "/stats/v1/attendance/summary?school_id=oakwood-primary";

struct Platform {
    api: Upstream,
    auth: KeyServer,
    gateway: Gateway,
}

impl Platform {
    fn start() -> Self {
        let auth = KeyServer::start(&jwks(&[Key::Rsa1.named("k")]));
        let api = Upstream::start();
        let gateway = Gateway::builder()
            .bootstrap_file(FILE)
            .port(9200, api.port())
            .port(9100, auth.port())
            .concurrency(2)
            .start();
        Self { api, auth, gateway }
    }

    fn get(&self, path: &str, payload: &str) -> Response {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "k"}).to_string();
        let token = sign(header.as_bytes(), payload.as_bytes(), Key::Rsa1, Algorithm::RS256);
        self.gateway.get(path).bearer(token).send()
    }
}

/// The payload with another time of expiry and otherwise as it stands.
fn alive() -> String {
    PAYLOAD.replace("1780821709", &(now() + 3600).to_string())
}

#[test]
fn documented_token_opens_the_documented_request() {
    let platform = Platform::start();

    // As it stands it expired in June 2026.
    let refused = platform.get(SUMMARY, PAYLOAD);
    expect_problem(&refused, 401, "token-expired");
    let challenge = r#"Bearer realm="education-data", error="invalid_token", error_description="the token expired""#;
    assert_eq!(refused.header("www-authenticate").as_deref(), Some(challenge));
    assert_eq!(platform.api.heads(), 0);

    // Only the expiry moved.
    let passed = platform.get(SUMMARY, &alive());
    passed.expect_status(200);
    let seen = platform.api.last();
    assert_eq!(seen.target, SUMMARY);
    assert_eq!(seen.header("x-claim-schools").as_deref(), Some("oakwood-primary,ravenscroft-high"));
    assert_eq!(seen.header("x-claim-tier").as_deref(), Some("standard"));
    assert_eq!(seen.header("x-claim-client-id").as_deref(), Some("YOUR_CLIENT_ID"));
    assert!(seen.header("authorization").is_some());
    assert_eq!(seen.header("x-request-id"), passed.header("x-request-id"));
    // 100 at once, refilled at ten a second: the next is there within a second.
    let policy = r#""minute";q=100;w=10, "day";q=20000;w=86400"#;
    assert_eq!(passed.header("ratelimit-policy").as_deref(), Some(policy));
    let standing = passed.header("ratelimit").expect("a standing");
    assert!(standing.starts_with(r#""minute";r=99;t=1, "day";r=19999;t="#), "{standing}");

    // Not approved, and not named.
    expect_problem(
        &platform.get(&SUMMARY.replace("oakwood-primary", "elm-park"), &alive()),
        403,
        "school-out-of-scope",
    );
    expect_problem(&platform.get("/stats/v1/attendance/summary", &alive()), 403, "school-missing");
    expect_problem(&platform.gateway.get(SUMMARY).send(), 401, "token-missing");

    wait_until("the access log", || {
        platform.gateway.access_log().iter().any(|line| {
            line["decision"] == "allow"
                && line["client"] == "YOUR_CLIENT_ID"
                && line["tier"] == "standard"
                && line["route"] == "/stats/v1/attendance/summary"
                && line["request_id"] == json!(passed.header("x-request-id"))
        })
    });
}

#[test]
fn documented_routes_answer_as_they_say() {
    let platform = Platform::start();
    let get = |path: &str| platform.get(path, &alive());

    // The school in the path: approved, and not.
    get("/stats/v1/schools/ravenscroft-high/attendance").expect_status(200);
    expect_problem(&get("/stats/v1/schools/elm-park/attendance"), 403, "school-out-of-scope");
    // Everything below is narrowed by the upstream.
    get("/stats/v1/anything").expect_status(200);
    // More than the tier's ceiling of 100.
    get("/stats/v1/attendance/records?limit=100").expect_status(200);
    expect_problem(&get("/stats/v1/attendance/records?limit=101"), 429, "too-costly");
    // Open routes.
    platform.gateway.get("/healthz").send().expect_status(200);
    let body = json!({"grant_type": "client_credentials"});
    let token = platform.gateway.request("POST", "/oauth/token").json(&body).send();
    token.expect_status(200);
    assert!(platform.auth.seen().iter().any(|seen| seen.method == "POST" && seen.target == "/oauth/token"));
    // Nothing else.
    expect_problem(&get("/"), 404, "no-route");
    expect_problem(&platform.gateway.get("/oauth/token").send(), 405, "method-not-allowed");
    // The connection manager refuses spellings that an upstream would fold, before the filter.
    platform.gateway.get("/healthz").header("x_claim_schools", "a").send().expect_status(400);
}

#[test]
fn tiers_of_the_platform_differ() {
    let platform = Platform::start();
    let summaries = |tier: &str, client: &str| {
        let payload = alive().replace("standard", tier).replace("YOUR_CLIENT_ID", client);
        (0..13).map(|_| platform.get(SUMMARY, &payload)).collect::<Vec<_>>()
    };

    // Sixty at a cost of five are twelve.
    let free = summaries("free", "a");
    assert!(free[..12].iter().all(|response| response.status == 200), "{free:?}");
    expect_problem(&free[12], 429, "limit-reached");
    assert_eq!(free[12].json()["violated-policies"], json!(["cost"]));
    assert!(summaries("premium", "b").iter().all(|response| response.status == 200));
    // An upgrade is a new token on the same budget: what was used stays used, what is allowed grows.
    assert!(summaries("standard", "a").iter().all(|response| response.status == 200));
}

#[test]
fn settled_cost_is_given_back_on_the_platform() {
    let platform = Platform::start();
    platform.api.answer(|_| crate::support::Answer::new(200).header("x-actual-cost", "1"));
    let payload = alive().replace("standard", "free");

    // Twenty each of sixty: the fourth would be refused if the upstream did not settle for one.
    for _ in 0..10 {
        let response = platform.get("/stats/v1/attendance/records?limit=20", &payload);
        response.expect_status(200);
        assert_eq!(response.header("x-actual-cost"), None);
    }
}

#[test]
fn bootstrap_of_the_platform_is_valid() {
    Gateway::builder().bootstrap_file(FILE).validate().expect("a valid bootstrap");
}
