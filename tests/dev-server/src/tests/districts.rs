//! District tokens: signing up, the two lists, and the data behind the gateway.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Stack, basic, names};

const LIST: &str = "/v1/district-tokens.json";

impl Stack {
    async fn district_tokens(&self) -> Value {
        self.auth.get(LIST).await.json()
    }

    async fn share(&self, body: Value) -> u16 {
        self.auth.post("/dev/districts/share", &body).await.status
    }

    async fn own_tokens(&self, application: &str, secret: &str) -> (u16, Value) {
        let credentials = basic(application, secret);
        let answer = self.auth.send("GET", "/oauth/tokens", &[("authorization", &credentials)], vec![]).await;
        (answer.status, answer.json())
    }

    async fn district_data(&self, path: &str, districts: Option<&str>, schools: Option<&str>) -> (u16, Value) {
        let claims = [("x-claim-districts", districts), ("x-claim-schools", schools)];
        let headers: Vec<_> = claims.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let answer = self.api.send("GET", path, &headers, vec![]).await;
        (answer.status, answer.json())
    }
}

#[tokio::test]
async fn district_signs_up_and_the_token_is_in_both_lists() {
    let stack = Stack::start().await;
    let before = stack.district_tokens().await;
    assert_eq!(before["tokens"], json!([]));
    assert_eq!(stack.share(json!({"application": "gradebook", "district": "1503000"})).await, 201);

    let listed = stack.district_tokens().await;
    assert!(listed["version"].as_u64() > before["version"].as_u64());
    let entry = &listed["tokens"][0];
    assert_eq!(names(entry), ["client", "district", "schools", "sha256", "tier"]);
    assert_eq!((&entry["client"], &entry["tier"]), (&json!("gradebook"), &json!("standard")));
    assert_eq!(entry["schools"], json!(["15030001", "15030002"]));

    let (status, own) = stack.own_tokens("gradebook", "gradebook-development-only").await;
    assert_eq!(status, 200);
    let token = own["data"][0]["access_token"].as_str().unwrap();
    assert_eq!(entry["sha256"], format!("{:x}", Sha256::digest(token)));
    assert!(!listed.to_string().contains(token));
    // Another application sees nothing of it.
    let (_, other) = stack.own_tokens("lesson-planner", "lesson-planner-development-only").await;
    assert_eq!(other["data"], json!([]));
}

#[tokio::test]
async fn district_shares_once_and_withdraws() {
    let stack = Stack::start().await;
    let terms = json!({"application": "gradebook", "district": "1504000", "schools": ["15040001"], "tier": "trial",
        "not_after": "2100-01-01T00:00:00Z"});
    assert_eq!(stack.share(terms.clone()).await, 201);
    assert_eq!(stack.share(terms).await, 409);
    assert_eq!(stack.share(json!({"application": "nobody", "district": "1504000"})).await, 404);
    let listed = stack.district_tokens().await;
    let entry = &listed["tokens"][0];
    assert_eq!((&entry["schools"], &entry["tier"]), (&json!(["15040001"]), &json!("trial")));
    assert_eq!(entry["not_after"], "2100-01-01T00:00:00Z");

    let pair = json!({"application": "gradebook", "district": "1504000"});
    assert_eq!(stack.auth.post("/dev/districts/withdraw", &pair).await.status, 204);
    assert_eq!(stack.auth.post("/dev/districts/withdraw", &pair).await.status, 404);
    let after = stack.district_tokens().await;
    assert_eq!(after["tokens"], json!([]));
    assert!(after["version"].as_u64() > listed["version"].as_u64());
}

#[tokio::test]
async fn applications_authenticate_for_their_list() {
    let stack = Stack::start().await;
    let new = json!({"application": "word-forge", "tier": "premium"});
    let answer = stack.auth.post("/dev/district-applications", &new).await;
    assert_eq!(answer.status, 201);
    let secret = answer.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(stack.auth.post("/dev/district-applications", &new).await.status, 409);
    assert_eq!(stack.own_tokens("word-forge", &secret).await.0, 200);
    // Another application's secret; none at all.
    assert_eq!(stack.own_tokens("gradebook", &secret).await.0, 401);
    assert_eq!(stack.auth.get("/oauth/tokens").await.status, 401);
}

#[tokio::test]
async fn data_is_what_the_gateway_vouches_for() {
    let stack = Stack::start().await;
    let all = "/districts/v1/1503000/students";
    let ids = |answer: &Value| answer["students"].as_array().map_or(0, Vec::len);
    // A district of two schools, of which one is shared.
    let (status, answer) = stack.district_data(all, Some("1503000"), Some("15030002")).await;
    assert_eq!((status, ids(&answer)), (200, 2));
    let (_, answer) = stack.district_data(all, Some("1503000"), Some("15030001,15030002")).await;
    assert_eq!(ids(&answer), 5);
    // No school; another district; a missing list; two districts in one list are two.
    let (status, answer) = stack.district_data(all, Some("1503000"), Some("")).await;
    assert_eq!((status, ids(&answer)), (200, 0));
    for (districts, schools) in [(Some("1504000"), Some("15030002")), (None, Some("15030002")), (Some("1503000"), None)]
    {
        assert_eq!(stack.district_data(all, districts, schools).await.0, 403, "{districts:?} {schools:?}");
    }
    let school = "/districts/v1/students?school_id=15030002";
    assert_eq!(stack.district_data(school, Some("1503000"), Some("15030002")).await.0, 200);
    assert_eq!(stack.district_data(school, Some("1503000"), Some("15030001")).await.0, 403);
    assert_eq!(stack.district_data(school, Some("1504000"), Some("15030002")).await.0, 403);
    let (_, answer) = stack.district_data("/districts/v1/schools", Some("1503000,1504000"), Some("15030002")).await;
    assert_eq!(answer["schools"], json!([{"id": "15030002", "district": "1503000"}]));
}

#[tokio::test]
async fn list_misbehaves_on_request_and_counts() {
    let stack = Stack::start().await;
    let fault = "/dev/district-tokens-fault";
    assert_eq!(stack.auth.post(fault, &json!({"status": 500})).await.status, 204);
    assert_eq!(stack.auth.get(LIST).await.status, 500);
    assert_eq!(stack.auth.post(fault, &Value::Null).await.status, 204);
    assert_eq!(stack.auth.get(LIST).await.status, 200);
    assert_eq!(stack.auth.get("/dev/stats").await.json()["district_tokens_requests"], 2);
}
