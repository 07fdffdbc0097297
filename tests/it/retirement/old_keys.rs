//! An old key on its own: in its header or as the user of Basic, never beside another credential, and never upstream.

use serde_json::{Value, json};

use crate::support::client::values;
use crate::support::policy::{expect_no_trap, expect_problem, start, vms};
use crate::support::retirement::{at, basic, policy, schedule, token};

fn quiet() -> Value {
    schedule(at(600), at(1_200), at(1_800))
}

#[test]
fn one_credential_is_taken_and_several_are_ambiguous() {
    let (upstream, gateway) = start(policy(&["app"], &quiet()));
    let before = vms(&gateway);
    let (key, user, bearer) = ("key-app".to_owned(), basic("key-app:"), format!("Bearer {}", token("app").sign()));
    let header = |value: &str| ("x-api-key", value.to_owned());
    let authorization = |value: &str| ("authorization", value.to_owned());
    let good = [vec![header(&key)], vec![authorization(&user)], vec![authorization(&bearer)]];
    let ambiguous = [
        vec![header(&key), authorization(&bearer)],
        vec![authorization(&bearer), header("wrong")],
        vec![header(&key), authorization("Bearer x")],
        vec![header(&key), authorization(&user)],
        vec![header(&key), header(&key)],
        vec![header(&key), ("X_Api_Key", key.clone())],
        vec![header(&format!("{key},{key}"))],
        vec![authorization(&user), authorization(&user)],
        vec![authorization(&user), authorization(&bearer)],
        vec![authorization(&format!("{bearer}, {user}"))],
    ];
    let invalid = [
        vec![header("wrong")],
        vec![header("")],
        vec![("x_api_key", key.clone())],
        vec![authorization(&basic("key-app"))],
        vec![authorization(&basic("key-app:secret"))],
        vec![authorization(&basic("key-app::"))],
        vec![authorization(&basic(":key-app"))],
        vec![authorization(&basic("wrong:"))],
        vec![authorization(user.trim_end_matches('='))],
        vec![authorization(&format!("{user}="))],
        vec![authorization(&user.replace(' ', "  "))],
        vec![authorization("Basic")],
    ];
    for client in [*gateway.client(), gateway.client().http2()] {
        let send = |headers: &[(&str, String)]| {
            headers.iter().fold(client.get("/a"), |request, (name, value)| request.header(name, value)).send()
        };
        for headers in &good {
            send(headers).expect_status(200);
        }
        for headers in &ambiguous {
            let response = send(headers);
            assert_eq!(response.status, 400, "{headers:?}: {response:?}");
            expect_problem(&response, 400, "credentials-ambiguous");
        }
        for headers in &invalid {
            let response = send(headers);
            assert_eq!(response.status, 401, "{headers:?}: {response:?}");
            expect_problem(&response, 401, "key-invalid");
            assert_eq!(response.header("www-authenticate").as_deref(), Some("Bearer realm=\"education-data\""));
        }
        expect_problem(&send(&[]), 401, "token-missing");
    }
    assert_eq!(upstream.heads(), 2 * good.len());
    expect_no_trap(&gateway, before);
}

#[test]
fn key_and_basic_never_reach_the_upstream_unless_they_are_forwarded() {
    let check = |forward: bool| {
        let mut policy = policy(&["app"], &quiet());
        policy["api_keys"]["forward"] = json!(forward);
        let (upstream, gateway) = start(policy);
        let user = basic("key-app:");
        for (path, name, value) in [
            ("/a", "x-api-key", "key-app".to_owned()),
            ("/a", "authorization", user.clone()),
            // where no key is asked for
            ("/open/a", "x-api-key", "key-app".to_owned()),
            ("/open/a", "authorization", user.clone()),
            ("/open/a", "authorization", user.replace("Basic", "bASIC")),
            ("/open/a", "authorization", basic("somebody:password")),
        ] {
            gateway.get(path).header(name, &value).send().expect_status(200);
            let expected = if forward { vec![value.clone()] } else { vec![] };
            assert_eq!(values(&upstream.last().headers, name), expected, "{path} {value}");
        }
        // tokens go by their own rule
        let token = token("app").sign();
        gateway.get("/a").bearer(&token).send().expect_status(200);
        assert_eq!(upstream.last().header("authorization"), Some(format!("Bearer {token}")));
        gateway.get("/open/a").bearer("x").send().expect_status(200);
        assert_eq!(upstream.last().header("authorization").as_deref(), Some("Bearer x"));
    };
    check(false);
    check(true);
}

#[test]
fn key_and_token_of_one_application_share_its_budget() {
    let mut policy = policy(&["app", "other"], &quiet());
    policy["api_keys"]["issuer"] = policy["issuers"][0]["issuer"].clone();
    policy["tiers"]["standard"] = policy["tiers"]["trickle"].clone();
    let (_upstream, gateway) = start(policy);
    let by_key = |client: &str| gateway.get("/a").header("x-api-key", format!("key-{client}")).send().status;
    let by_token = || gateway.get("/a").bearer(token("app").sign()).send().status;
    let by_basic = || gateway.get("/a").header("authorization", basic("key-app:")).send().status;
    assert_eq!([by_key("app"), by_token(), by_basic()], [200; 3]);
    assert_eq!([by_key("app"), by_token(), by_basic()], [429; 3]);
    assert_eq!(by_key("other"), 200);
}
