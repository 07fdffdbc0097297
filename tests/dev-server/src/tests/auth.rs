//! Applications, tokens, key sets and the controls.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, decode_header};
use serde_json::{Value, json};

use super::{AUDIENCE, Stack, basic, names};
use crate::keys::SigningAlg;

#[tokio::test]
async fn registered_application_gets_a_token_that_the_key_set_verifies() {
    for alg in [SigningAlg::Rs256, SigningAlg::Es256] {
        let stack = Stack::with(alg, None).await;
        let (id, secret) = stack.register().await;
        let answer = stack.ask_token(&id, &secret).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.json()["token_type"], "Bearer");
        assert_eq!(answer.json()["expires_in"], 3600);

        let claims = stack.verify(answer.json()["access_token"].as_str().unwrap()).await.unwrap();
        // No `aud`, `iat` or `sub`, although the request names an audience.
        assert_eq!(names(&claims), ["client_id", "exp", "iss", "schools", "tier"]);
        assert_eq!(claims["tier"], "standard");
        assert_eq!(claims["schools"], json!(["oakwood-primary", "ravenscroft-high"]));
        assert_eq!(claims["client_id"], id);
    }
}

#[tokio::test]
async fn audience_is_a_claim_only_when_the_server_has_one() {
    let stack = Stack::with(SigningAlg::Es256, Some(AUDIENCE)).await;
    let (id, secret) = stack.register().await;
    let claims = stack.verify(&stack.token(&id, &secret).await).await.unwrap();
    assert_eq!(claims["aud"], AUDIENCE);

    let other = json!({"client_id": id, "client_secret": secret, "audience": "https://other.example",
        "grant_type": "client_credentials"});
    let answer = stack.auth.post("/oauth/token", &other).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_target")));
}

#[tokio::test]
async fn token_endpoint_refuses_as_rfc_6749_says() {
    let stack = Stack::start().await;
    let (id, secret) = stack.register().await;
    let form = |grant: &str, secret: &str| format!("grant_type={grant}&client_id={id}&client_secret={secret}");
    let good = form("client_credentials", &secret);
    let rows = [
        // The twin that passes.
        (good.clone(), 200, None),
        // A wrong secret, and one of another length.
        (form("client_credentials", &"A".repeat(43)), 401, Some("invalid_client")),
        (form("client_credentials", "x"), 401, Some("invalid_client")),
        ("grant_type=client_credentials".to_owned(), 401, Some("invalid_client")),
        (form("password", &secret), 400, Some("unsupported_grant_type")),
        ("client_id=x&client_secret=y".to_owned(), 400, Some("invalid_request")),
        // A doubled parameter.
        (format!("{good}&client_id={id}"), 400, Some("invalid_request")),
    ];
    for (body, status, error) in rows {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = stack.auth.send("POST", "/oauth/token", &headers, body.into_bytes()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json()["error"].as_str(), error);
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn basic_credentials_get_a_token_too() {
    let stack = Stack::start().await;
    let (id, secret) = stack.register().await;
    let basic = basic(&id, &secret);
    let headers = [("authorization", basic.as_str()), ("content-type", "application/json")];
    let body = json!({"grant_type": "client_credentials"}).to_string().into_bytes();
    assert_eq!(stack.auth.send("POST", "/oauth/token", &headers, body).await.status, 200);
}

#[tokio::test]
async fn secret_is_kept_as_a_hash_and_shown_once() {
    let stack = Stack::start().await;
    let (id, secret) = stack.register().await;
    let basic = basic(&id, &secret);
    let path = format!("/applications/{id}");
    let answer = stack.auth.send("GET", &path, &[("authorization", &basic)], vec![]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(names(&answer.json()), ["client_id", "name", "schools", "tier"]);
    let kept = stack.server.kept_secrets().await;
    assert_eq!(kept.len(), 1);
    // Neither the text nor the bytes that it encodes.
    let raw = BASE64_URL_SAFE_NO_PAD.decode(&secret).unwrap();
    assert!(!kept.contains(&secret.clone().into_bytes()) && !kept.contains(&raw));
}

#[tokio::test]
async fn change_needs_the_secret_and_leaves_old_tokens_as_they_are() {
    let stack = Stack::start().await;
    let (id, secret) = stack.register().await;
    let old = stack.token(&id, &secret).await;
    let path = format!("/applications/{id}");
    // A tier of one's own: the gateway's configuration says what it buys.
    let change = json!({"tier": "district-plus", "schools_add": ["millbrook-academy", "oakwood-primary"],
        "schools_remove": ["ravenscroft-high"]});
    let send = async |authorization: &str| {
        let headers = [("authorization", authorization), ("content-type", "application/json")];
        stack.auth.send("PATCH", &path, &headers, change.to_string().into_bytes()).await
    };
    let (other_id, other_secret) = stack.register().await;
    assert_eq!(send(&basic(&id, "wrong")).await.status, 401);
    assert_eq!(send(&basic(&other_id, &other_secret)).await.status, 401);
    assert_eq!(send(&basic(&id, &secret)).await.status, 200);

    let claims = stack.verify(&stack.token(&id, &secret).await).await.unwrap();
    assert_eq!(claims["tier"], "district-plus");
    assert_eq!(claims["schools"], json!(["oakwood-primary", "millbrook-academy"]));
    assert_eq!(stack.verify(&old).await.unwrap()["tier"], "standard");
}

#[tokio::test]
async fn rotation_adds_or_replaces_the_key() {
    // ES256 only: generating RSA keys is tested once, below.
    let stack = Stack::start().await;
    let (id, secret) = stack.register().await;
    let first = stack.token(&id, &secret).await;
    let answer = stack.auth.post("/dev/rotate-keys", &json!({"mode": "add"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let second = stack.token(&id, &secret).await;
    assert_ne!(decode_header(&first).unwrap().kid, decode_header(&second).unwrap().kid);
    assert!(stack.verify(&first).await.is_some() && stack.verify(&second).await.is_some());

    stack.auth.post("/dev/rotate-keys", &json!({"mode": "replace"})).await;
    assert!(stack.verify(&first).await.is_none() && stack.verify(&second).await.is_none());
    assert!(stack.verify(&stack.token(&id, &secret).await).await.is_some());
}

#[tokio::test]
async fn rotation_may_change_the_algorithm() {
    let stack = Stack::start().await;
    let (id, secret) = stack.register().await;
    let request = json!({"mode": "replace", "alg": "RS256"});
    assert_eq!(stack.auth.post("/dev/rotate-keys", &request).await.status, 200);
    let token = stack.token(&id, &secret).await;
    assert_eq!(decode_header(&token).unwrap().alg, Algorithm::RS256);
    assert!(stack.verify(&token).await.is_some());
}

#[tokio::test]
async fn minted_token_carries_what_the_test_asks_for() {
    let stack = Stack::start().await;
    // Duplicate members survive, and a null in the header removes one.
    let body = br#"{"claims": {"exp": 1, "exp": 2}, "alg": "HS512", "key": "s", "header": {"kid": null}}"#;
    let headers = [("content-type", "application/json")];
    let answer = stack.auth.send("POST", "/dev/tokens", &headers, body.to_vec()).await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let part = |n: usize| {
        let part = token.split('.').nth(n).unwrap();
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(part(0), r#"{"alg":"HS512","typ":"JWT"}"#);
    assert_eq!(part(1), r#"{"exp": 1, "exp": 2}"#);

    let unsigned = stack.auth.post("/dev/tokens", &json!({"claims": {}, "alg": "none"})).await;
    assert!(unsigned.json()["access_token"].as_str().unwrap().ends_with('.'));
    let misfit = stack.auth.post("/dev/tokens", &json!({"claims": {}, "alg": "RS256"})).await;
    assert_eq!(misfit.status, 400);
}

#[tokio::test]
async fn key_set_misbehaves_on_request_and_counts() {
    let stack = Stack::start().await;
    let path = "/.well-known/jwks.json";
    assert_eq!(stack.auth.get(path).await.header("cache-control"), Some("max-age=60"));
    let fault = json!({"status": 500, "body": "<html>", "delay_ms": 1});
    assert_eq!(stack.auth.post("/dev/jwks-fault", &fault).await.status, 204);
    let broken = stack.auth.get(path).await;
    assert_eq!((broken.status, broken.body.as_slice()), (500, b"<html>".as_slice()));
    assert_eq!(stack.auth.post("/dev/jwks-fault", &Value::Null).await.status, 204);
    assert_eq!(stack.auth.get(path).await.status, 200);
    assert_eq!(stack.auth.get("/dev/stats").await.json()["jwks_requests"], 3);
}
