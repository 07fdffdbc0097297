//! The catalog is whole, and what it shows as an example is accepted.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use super::{API, DISTRICTS, Endpoint, PLATFORM, VENDORS};
use crate::tests::{Answer, Client, Stack, basic};

#[test]
fn every_route_stands_in_the_catalog() {
    let mut routes = BTreeSet::new();
    collect_routes(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut routes);
    // The list itself, and two more paths of the echo.
    for extra in ["/", "/echo", "/echo/"] {
        assert!(routes.remove(extra), "{extra}");
    }
    let listed = [PLATFORM, VENDORS, DISTRICTS, API].concat();
    assert_eq!(routes, listed.iter().map(|endpoint| endpoint.path.to_owned()).collect());
}

/// The templates of all `.route("...", ...)` in these sources.
fn collect_routes(directory: &Path, routes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_routes(&path, routes);
        } else if !path.ends_with("endpoints/tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let templates = text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
            routes.extend(templates.map(ToOwned::to_owned));
        }
    }
}

#[tokio::test]
async fn every_example_is_accepted() {
    let stack = Stack::start().await;
    let (client_id, client_secret) = stack.register().await;
    let key = stack.auth.post("/dev/keys", &json!({"client": "number-garden"})).await.json();
    let known =
        [("CLIENT_ID", &*client_id), ("CLIENT_SECRET", &client_secret), ("KEY_ID", key["id"].as_str().unwrap())];
    let fill_in = |text: &str| known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    for (client, endpoints) in
        [(&stack.auth, PLATFORM), (&stack.auth, VENDORS), (&stack.auth, DISTRICTS), (&stack.api, API)]
    {
        for endpoint in endpoints {
            let answer = send(client, endpoint, fill_in).await;
            let right = if endpoint.path.ends_with("/broken") { 500..=500 } else { 200..=299 };
            assert!(right.contains(&answer.status), "{} {}: {answer:?}", endpoint.method, endpoint.path);
        }
    }
}

async fn send(client: &Client, endpoint: &Endpoint, fill_in: impl Fn(&str) -> String) -> Answer {
    let mut headers = endpoint.headers.to_vec();
    let credentials = endpoint.user.map(&fill_in).unwrap_or_default();
    let authorization = credentials.split_once(':').map(|(id, secret)| basic(id, secret)).unwrap_or_default();
    if endpoint.user.is_some() {
        headers.push(("authorization", &authorization));
    }
    if endpoint.body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let body = fill_in(endpoint.body.unwrap_or_default()).into_bytes();
    client.send(endpoint.method, &fill_in(endpoint.target), &headers, body).await
}

#[tokio::test]
async fn both_listeners_list_all_endpoints_with_commands_to_paste() {
    let stack = Stack::start().await;
    for client in [&stack.auth, &stack.api] {
        let answer = client.get("/").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
        let text = String::from_utf8(answer.body).unwrap();
        let (auth, api) = (stack.auth.address(), stack.api.address());
        for expected in [
            format!("\n    curl -s 'http://{auth}/applications/CLIENT_ID' -u CLIENT_ID:CLIENT_SECRET\n"),
            format!(
                "\nPOST /dev/revoke\n    Voids one token.\n    \
                curl -s 'http://{auth}/dev/revoke' -H 'Content-Type: application/json' -d '{{\"jti\": \"TOKEN_ID\"}}'\n"
            ),
            format!("\n    curl -s -X DELETE 'http://{auth}/dev/requests'\n"),
            format!(
                "\n    curl -s 'http://{api}/stats/v1/schools' -H 'X-Claim-Schools: oakwood-primary,ravenscroft-high'\n"
            ),
        ] {
            assert!(text.contains(&expected), "{expected} in {text}");
        }
    }
}

#[tokio::test]
async fn refused_body_names_the_field_and_shows_what_would_be_accepted() {
    let stack = Stack::start().await;
    let rows = [
        (json!({"name": "a", "tier": 7, "schools": []}), "`tier`: invalid type: integer `7`, expected a string"),
        (
            json!({"name": "a", "tier": "a b", "schools": []}),
            "`tier`: expected 1 to 64 letters, digits, `-`, `_` or `.`",
        ),
        (json!({"name": "a", "tier": "b", "schools": ["c", "*"]}), "`schools[1]`: expected 1 to 64 letters"),
        (json!({"name": "a", "schools": []}), "missing field `tier`"),
        (json!({"name": "a", "tear": "b"}), "`tear`: unknown field `tear`, expected one of `name`, `tier`, `schools`"),
    ];
    for (body, detail) in rows {
        let answer = stack.auth.post("/applications", &body).await;
        assert_eq!(answer.status, 422);
        assert!(answer.json()["detail"].as_str().unwrap().starts_with(detail), "{answer:?}");
        let accepted: Value = answer.json()["example"].clone();
        assert_eq!(stack.auth.post("/applications", &accepted).await.status, 201);
    }
    // The body of a refusal that is about no body has no example.
    assert_eq!(stack.auth.get("/applications/unknown").await.json().get("example"), None);
}
