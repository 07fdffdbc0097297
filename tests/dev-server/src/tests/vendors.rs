//! API keys, revocations and the controls of the vendors.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Stack, names};

const KEYS: &str = "/v1/keys.json";
const REVOCATIONS: &str = "/v1/revocations.json";

impl Stack {
    async fn keys(&self) -> Value {
        self.auth.get(KEYS).await.json()
    }

    async fn issue_key(&self, body: Value) -> Value {
        let answer = self.auth.post("/dev/keys", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()
    }
}

fn version(list: &Value) -> u64 {
    list["version"].as_u64().unwrap()
}

fn time(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

#[tokio::test]
async fn key_is_shown_once_and_listed_as_its_hash() {
    let stack = Stack::start().await;
    let before = version(&stack.keys().await);
    let issued = stack.issue_key(json!({"client": "reading-lab"})).await;
    assert_eq!(names(&issued), ["client", "id", "key", "tier"]);
    // The plan of the client is the default.
    assert_eq!(issued["tier"], "starter");

    let list = stack.keys().await;
    assert!(version(&list) > before);
    let key = &list["keys"][0];
    assert_eq!(names(key), ["client", "id", "sha256", "tier"]);
    let text = issued["key"].as_str().unwrap();
    assert_eq!(text.len(), 43);
    assert_eq!(key["sha256"], format!("{:x}", Sha256::digest(text)));
    assert!(!list.to_string().contains(text));
}

#[tokio::test]
async fn key_has_the_dates_and_the_tier_that_were_asked_for() {
    let stack = Stack::start().await;
    let dates = json!({"client": "reading-lab", "tier": "trial", "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2027-01-01T00:00:00Z"});
    stack.issue_key(dates).await;
    let key = &stack.keys().await["keys"][0];
    assert_eq!(key["tier"], "trial");
    assert_eq!(key["not_before"], "2026-01-01T00:00:00Z");
    assert_eq!(key["not_after"], "2027-01-01T00:00:00Z");

    let refused = [
        // No such client, an end before the beginning, a time that is none.
        (json!({"client": "nobody"}), 404),
        (
            json!({"client": "reading-lab", "not_before": "2027-01-01T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"}),
            400,
        ),
        (json!({"client": "reading-lab", "not_after": "soon"}), 422),
    ];
    for (body, status) in refused {
        assert_eq!(stack.auth.post("/dev/keys", &body).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn rotation_issues_a_key_and_ends_the_old_one_at_a_time() {
    let stack = Stack::start().await;
    let old = stack.issue_key(json!({"client": "reading-lab", "tier": "trial"})).await;
    let rotate = async |body: Value| stack.auth.post("/dev/keys/rotate", &body).await;
    let new = rotate(json!({"id": old["id"], "at": "2100-01-01T00:00:00Z"})).await.json();
    assert_eq!((&new["client"], &new["tier"]), (&old["client"], &old["tier"]));
    assert_ne!(new["key"], old["key"]);
    let list = stack.keys().await;
    assert_eq!(list["keys"][0]["not_after"], "2100-01-01T00:00:00Z");
    assert_eq!(list["keys"][1]["not_after"], Value::Null);

    // Now, unless a time is given; a later one gives nothing back.
    assert_eq!(rotate(json!({"id": old["id"]})).await.status, 201);
    let ended = time(&stack.keys().await["keys"][0]["not_after"]);
    assert!(ended <= OffsetDateTime::now_utc());
    assert_eq!(rotate(json!({"id": old["id"], "at": "2100-01-01T00:00:00Z"})).await.status, 201);
    assert_eq!(time(&stack.keys().await["keys"][0]["not_after"]), ended);
    assert_eq!(rotate(json!({"id": "unknown"})).await.status, 404);
}

#[tokio::test]
async fn change_of_scope_and_revocation_are_listed() {
    let stack = Stack::start().await;
    let empty = stack.auth.get(REVOCATIONS).await.json();
    assert_eq!((&empty["tokens"], &empty["clients"]), (&json!([]), &json!([])));

    assert_eq!(stack.auth.post("/dev/revoke", &json!({"jti": "one"})).await.status, 204);
    let revoked = stack.auth.get(REVOCATIONS).await.json();
    assert_eq!(revoked["tokens"], json!(["one"]));
    assert!(version(&revoked) > version(&empty));

    let change = json!({"vendor": "reading-lab", "districts": ["1504000"]});
    let answer = stack.auth.post("/dev/scope", &change).await;
    assert_eq!(answer.status, 200);
    // What the change does not name stays.
    let scope = json!({"districts": ["1504000"], "schools": ["15040001"], "permissions": ["students.read"]});
    assert_eq!(answer.json()["scope"], scope);
    let voided = stack.auth.get(REVOCATIONS).await.json();
    assert_eq!(voided["clients"][0]["client"], "reading-lab");
    assert!(time(&voided["clients"][0]["issued_until"]) <= OffsetDateTime::now_utc());
    assert!(version(&voided) > version(&revoked));
    assert_eq!(stack.auth.post("/dev/scope", &json!({"vendor": "nobody"})).await.status, 404);
}

#[tokio::test]
async fn vendors_are_added_once_and_keep_a_hash_of_passwords() {
    let stack = Stack::start().await;
    let vendor = json!({"vendor": "word-forge", "tier": "trial", "districts": [], "schools": ["15030001"],
        "permissions": [], "users": [{"email": "a@word-forge.example", "password": "correct horse"}]});
    assert_eq!(stack.auth.post("/dev/vendors", &vendor).await.status, 201);
    assert_eq!(stack.auth.post("/dev/vendors", &vendor).await.status, 409);
    let kept = stack.vendors.kept_passwords().await;
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|hash| hash.starts_with("$argon2id$") && !hash.contains("correct horse")));
}

#[tokio::test]
async fn lists_misbehave_on_request_and_count() {
    let stack = Stack::start().await;
    for (list, fault, count) in
        [(KEYS, "/dev/keys-fault", "keys_requests"), (REVOCATIONS, "/dev/revocations-fault", "revocations_requests")]
    {
        assert_eq!(stack.auth.post(fault, &json!({"status": 500, "body": "{}"})).await.status, 204);
        let broken = stack.auth.get(list).await;
        assert_eq!((broken.status, broken.body.as_slice()), (500, b"{}".as_slice()));
        assert_eq!(stack.auth.post(fault, &Value::Null).await.status, 204);
        assert_eq!(stack.auth.get(list).await.status, 200);
        assert_eq!(stack.auth.get("/dev/stats").await.json()[count], 2);
    }
}
