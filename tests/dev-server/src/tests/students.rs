//! The Student Data API: the login, and the students within the forwarded scope.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use super::{
    Stack,
    client::{Answer, Client},
    names,
};

const SECRET: &[u8] = b"development-only-permission-token-secret-of-64-bytes-or-more-0123456789";
const EMAIL: &str = "integrations@reading-lab.example";
const PASSWORD: &str = "reading-lab-development-only";

impl Client {
    async fn log_in(&self, client: Option<&str>, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password}).to_string();
        let client = client.map(|client| ("x-claim-client-id", client));
        let headers: Vec<_> = client.into_iter().chain([("content-type", "application/json")]).collect();
        self.send("POST", "/v1/login", &headers, body.into_bytes()).await
    }

    async fn students(&self, scope: [&str; 3], body: &str) -> Answer {
        let headers = [
            ("content-type", "application/json"),
            ("x-claim-districts", scope[0]),
            ("x-claim-schools", scope[1]),
            ("x-claim-permissions", scope[2]),
        ];
        self.send("POST", "/v1/students", &headers, body.as_bytes().to_vec()).await
    }
}

#[track_caller]
fn check_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(names(&answer.json()), ["actionOk", "error", "message"]);
    assert_eq!((&answer.json()["actionOk"], &answer.json()["error"]), (&json!(false), &json!([code])));
}

fn claims(answer: &Answer) -> Value {
    let body = answer.json();
    let token = body["token"].as_str().unwrap();
    assert_eq!(decode_header(token).unwrap().alg, Algorithm::HS512);
    let mut validation = Validation::new(Algorithm::HS512);
    validation.set_issuer(&["https://students.example.com/"]);
    decode::<Value>(token, &DecodingKey::from_secret(SECRET), &validation).unwrap().claims
}

#[tokio::test]
async fn login_gives_a_permission_token_of_a_day() {
    let stack = Stack::start().await;
    let answer = stack.api.log_in(Some("reading-lab"), EMAIL, PASSWORD).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(names(&answer.json()), ["actionOk", "token"]);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let claims = claims(&answer);
    assert_eq!(names(&claims), ["districts", "exp", "iat", "iss", "jti", "permissions", "schools", "vendor"]);
    assert_eq!(claims["vendor"], "reading-lab");
    assert_eq!(claims["districts"], json!(["1503000"]));
    assert_eq!(claims["schools"], json!(["15040001"]));
    assert_eq!(claims["permissions"], json!(["students.read"]));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 86400);
}

#[tokio::test]
async fn login_needs_the_client_of_the_user_and_the_password() {
    let stack = Stack::start().await;
    // Not the password, no such user, the user of another client, an unknown client.
    for (client, email, password) in [
        ("reading-lab", EMAIL, "wrong"),
        ("reading-lab", "nobody@reading-lab.example", PASSWORD),
        ("number-garden", EMAIL, PASSWORD),
        ("nobody", EMAIL, PASSWORD),
    ] {
        check_refused(&stack.api.log_in(Some(client), email, password).await, 401, "invalid-login");
    }
    // Without the gateway's client; two of them.
    check_refused(&stack.api.log_in(None, EMAIL, PASSWORD).await, 403, "Forbidden");
    let doubled = [("x-claim-client-id", "reading-lab"); 2];
    check_refused(&stack.api.send("POST", "/v1/login", &doubled, vec![]).await, 403, "Forbidden");
    // No body, no password, a doubled one.
    let client = ("x-claim-client-id", "reading-lab");
    for (content_type, body, status) in [
        ("application/json", "", 400),
        ("application/json", r#"{"email": "a"}"#, 400),
        ("application/json", r#"{"email": "a", "password": "b", "password": "c"}"#, 400),
        ("text/plain", "{}", 415),
    ] {
        let headers = [client, ("content-type", content_type)];
        let answer = stack.api.send("POST", "/v1/login", &headers, body.as_bytes().to_vec()).await;
        check_refused(&answer, status, "bad-request");
    }
}

#[tokio::test]
async fn token_after_a_change_of_scope_is_issued_after_what_the_change_voids() {
    let stack = Stack::start().await;
    let change = json!({"vendor": "reading-lab", "districts": ["1504000"], "schools": []});
    let old = claims(&stack.api.log_in(Some("reading-lab"), EMAIL, PASSWORD).await);
    assert_eq!(stack.auth.post("/dev/scope", &change).await.status, 200);
    let new = claims(&stack.api.log_in(Some("reading-lab"), EMAIL, PASSWORD).await);
    assert_eq!(new["districts"], json!(["1504000"]));
    assert_ne!(old["jti"], new["jti"]);

    let list = stack.auth.get("/v1/revocations.json").await.json();
    let until = list["clients"][0]["issued_until"].as_str().unwrap();
    let rfc3339 = time::format_description::well_known::Rfc3339;
    let until = time::OffsetDateTime::parse(until, &rfc3339).unwrap().unix_timestamp();
    assert!(old["iat"].as_i64().unwrap() <= until && until < new["iat"].as_i64().unwrap());
}

#[tokio::test]
async fn minted_permission_token_carries_what_the_test_asks_for() {
    let stack = Stack::start().await;
    let body = json!({"claims": {"iss": "https://students.example.com/", "exp": 4_000_000_000_u64, "vendor": "x"}});
    let answer = stack.auth.post("/dev/permission-tokens", &body).await;
    assert_eq!(claims(&answer)["vendor"], "x");
}

#[tokio::test]
async fn students_answer_within_the_forwarded_scope_only() {
    let stack = Stack::start().await;
    let scope = ["1503000", "15040001", "students.read"];
    let check = async |body: &str, expected: &[&str]| {
        let answer = stack.api.students(scope, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["actionOk"], true);
        let students = answer.json()["students"].as_array().unwrap().clone();
        let ids: Vec<_> = students.iter().map(|student| student["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{body}");
    };
    let all = ["st-1001", "st-1002", "st-1003", "st-1004", "st-1005", "st-2001", "st-2002"];
    // The whole scope, and cut.
    check("{}", &all).await;
    check(r#"{"limit": 2}"#, &all[..2]).await;
    // A district; a school of it, one and as a list; a school of another district; both districts' schools.
    check(r#"{"limit": 25, "districtlea": "1503000"}"#, &all[..5]).await;
    check(r#"{"schoolleas": "15030002"}"#, &all[3..5]).await;
    check(r#"{"schoolleas": ["15030002"]}"#, &all[3..5]).await;
    check(r#"{"schoolleas": ["15030002", "15040001"]}"#, &all[3..]).await;
    // A district and a school that is not of it; no school; members that mean nothing here.
    check(r#"{"districtlea": "1503000", "schoolleas": "15040001"}"#, &[]).await;
    check(r#"{"schoolleas": []}"#, &[]).await;
    check(r#"{"filter": {"districtlea": "1504000"}, "schoolleas": "15030002"}"#, &all[3..5]).await;
}

#[tokio::test]
async fn students_out_of_scope_are_refused() {
    let stack = Stack::start().await;
    let district = r#"{"districtlea": "1503000"}"#;
    let rows = [
        // The district: not granted, though its school is; the list is empty.
        (["1504000", "15030001", "students.read"], district, 403, "no-districtlea"),
        (["", "", "students.read"], district, 403, "no-districtlea"),
        // A school of a district that is not granted, one of two, one that does not exist.
        (["1503000", "", "students.read"], r#"{"schoolleas": "15040001"}"#, 403, "no-privilege"),
        (["1503000", "", "students.read"], r#"{"schoolleas": ["15030001", "15040001"]}"#, 403, "no-privilege"),
        (["1503000", "", "students.read"], r#"{"schoolleas": "nowhere"}"#, 403, "no-privilege"),
        // No permission, another one.
        (["1503000", "", ""], district, 403, "no-privilege"),
        (["1503000", "", "students.write"], district, 403, "no-privilege"),
        // A list that is malformed.
        (["1503000,", "", "students.read"], district, 403, "no-privilege"),
        // Bodies: none, doubled, numbers, trailing data.
        (["1503000", "", "students.read"], "", 400, "bad-request"),
        (
            ["1503000", "", "students.read"],
            r#"{"districtlea": "1503000", "districtlea": "1504000"}"#,
            400,
            "bad-request",
        ),
        (["1503000", "", "students.read"], r#"{"districtlea": 1503000}"#, 400, "bad-request"),
        (["1503000", "", "students.read"], r#"{"limit": "many"}"#, 400, "bad-request"),
        (["1503000", "", "students.read"], "{} {}", 400, "bad-request"),
    ];
    for (scope, body, status, code) in rows {
        check_refused(&stack.api.students(scope, body).await, status, code);
    }
    assert_eq!(stack.api.students(["1503000", "", "students.read"], district).await.status, 200);
}

#[tokio::test]
async fn each_of_the_three_lists_must_be_there_once() {
    let stack = Stack::start().await;
    let lists = [("x-claim-districts", "1503000"), ("x-claim-schools", ""), ("x-claim-permissions", "students.read")];
    let send = async |lists: &[(&str, &str)]| {
        let headers: Vec<_> = lists.iter().copied().chain([("content-type", "application/json")]).collect();
        stack.api.send("POST", "/v1/students", &headers, b"{}".to_vec()).await
    };
    assert_eq!(send(&lists).await.status, 200);
    for left_out in 0..lists.len() {
        let mut missing = lists.to_vec();
        let list = missing.remove(left_out);
        check_refused(&send(&missing).await, 403, "no-privilege");
        missing.extend([list, list]);
        check_refused(&send(&missing).await, 403, "no-privilege");
    }
}
