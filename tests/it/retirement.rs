//! Old keys and old tokens by phase: before the announcement, announced, limited harder, refused; told to the second.

mod boundaries;
mod old_keys;

use serde_json::json;

use crate::support::policy::{expect_no_trap, expect_problem, issuer, start, vms};
use crate::support::retirement::{HARD, at, expect_announced, expect_silent, extension, policy, schedule, token};
use crate::support::{Answer, Gateway, Response, wait_until};

fn with_key(gateway: &Gateway, path: &str, client: &str) -> Response {
    gateway.get(path).header("x-api-key", format!("key-{client}")).send()
}

/// `announced` has only been told, `throttled` has less to spend, `refused` has none left.
#[test]
fn each_phase_of_a_key_is_told_on_every_answer_and_counted() {
    let (announced, throttled, refused, later) = (at(-300), at(-200), at(-100), at(3_600));
    let mut schedule = schedule(announced, throttled, refused);
    schedule["extensions"] =
        json!([extension("announced", Some(at(1_800)), Some(later)), extension("throttled", None, Some(later))]);
    let (upstream, gateway) = start(policy(&["announced", "throttled", "refused"], &schedule));
    let before = vms(&gateway);

    // the upstream's own links stay, and come first
    let (next, own) = ("</next>; rel=\"next\"", "<https://a/>; rel=\"license\"");
    upstream.answer(move |seen| {
        let status = if seen.target == "/missing" { 404 } else { 200 };
        Answer::new(status)
            .header("link", next)
            .header("link", own)
            .header("sunset", "never")
            .header("deprecation", "true")
    });
    let response = with_key(&gateway, "/a?school=oakwood-primary", "announced");
    expect_announced(response.expect_status(200), announced, later, &[next, own]);
    let seen = upstream.last();
    assert_eq!(seen.header("x-claim-tier").as_deref(), Some("standard"));
    assert_eq!(seen.header("x-claim-client-id").as_deref(), Some("announced"));
    assert_eq!(seen.header("x-claim-schools").as_deref(), Some("oakwood-primary"));
    assert_eq!((seen.header("x-claim-districts").as_deref(), seen.header("x-api-key")), (Some(""), None));
    expect_announced(with_key(&gateway, "/missing", "announced").expect_status(404), announced, later, &[next, own]);

    let response = with_key(&gateway, "/a?school=other", "announced");
    expect_problem(&response, 403, "school-out-of-scope");
    expect_announced(&response, announced, later, &[]);
    for (body, status, code) in [("{", 400, "body-malformed"), (&"x".repeat(101), 413, "body-too-large")] {
        let request = gateway.request("POST", "/body").header("x-api-key", "key-announced");
        let response = request.header("content-type", "application/json").body(body.to_owned()).send();
        expect_problem(&response, status, code);
        expect_announced(&response, announced, later, &[]);
    }

    // the harder tier, from the first request on: what is left of it is told, then 429
    for left in (0..HARD).rev() {
        let response = with_key(&gateway, "/a", "throttled");
        expect_announced(response.expect_status(200), announced, later, &[next, own]);
        assert!(
            response.header("ratelimit").expect("RateLimit").contains(&format!("\"all\";r={left};")),
            "{response:?}"
        );
        assert_eq!(upstream.last().header("x-claim-tier").as_deref(), Some("trickle"));
    }
    let response = with_key(&gateway, "/a", "throttled");
    expect_problem(&response, 429, "limit-reached");
    expect_announced(&response, announced, later, &[]);

    let heads = upstream.heads();
    let response = with_key(&gateway, "/a", "refused");
    expect_problem(&response, 401, "credential-retired");
    expect_announced(&response, announced, refused, &[]);
    assert_eq!(response.header("www-authenticate").as_deref(), Some("Bearer realm=\"education-data\""));
    assert!(
        response.json()["detail"].as_str().expect("a text").contains("Use district tokens instead."),
        "{response:?}"
    );
    assert_eq!(upstream.heads(), heads);

    // a token is of another class, and who shows none is told nothing
    upstream.answer(|_| Answer::new(200));
    expect_silent(gateway.get("/a").bearer(token("refused").sign()).send().expect_status(200));
    expect_silent(gateway.get("/a").send().expect_status(401));
    expect_silent(with_key(&gateway, "/a", "nobody").expect_status(401));
    expect_silent(with_key(&gateway, "/open/a", "refused").expect_status(200));

    // no upstream at all: Envoy answers itself, after the filter let the request pass
    drop(upstream);
    expect_announced(with_key(&gateway, "/a", "announced").expect_status(503), announced, later, &[]);

    let hard = (HARD + 1).to_string();
    wait_until("the counters", || counts(&gateway, "api_keys") == ["0", "6", &hard, "1"]);
    let samples = gateway.admin().samples("hallpass");
    let of_retirement: Vec<_> = samples.iter().filter(|it| it.name == "hallpass_retirement_total").collect();
    assert!(of_retirement.iter().all(|it| it.labels.keys().eq(["class", "phase"])), "no client: {of_retirement:?}");
    assert_eq!(of_retirement.len(), 4);
    expect_logged(&gateway);
    assert_eq!(vms(&gateway), before);
}

/// How many requests of this class were counted in each phase.
fn counts(gateway: &Gateway, class: &str) -> Vec<String> {
    let count = |phase| gateway.metric("hallpass_retirement_total", &[("class", class), ("phase", phase)]);
    ["before", "announced", "throttled", "refused"].map(|phase| count(phase).to_string()).to_vec()
}

/// The log tells who still uses an old key, and in which phase.
#[track_caller]
fn expect_logged(gateway: &Gateway) {
    let line = |client: &str, decision: &str, tier: &str, phase: &str| {
        let log = gateway.access_log();
        let is_it = |line: &&serde_json::Value| {
            [("client", client), ("decision", decision), ("tier", tier), ("retirement", phase)]
                .iter()
                .all(|(name, value)| line[*name] == **value)
        };
        log.iter().filter(is_it).count()
    };
    wait_until("the access log", || {
        line("announced", "allow", "standard", "announced") == 3
            && line("announced", "school-out-of-scope", "standard", "announced") == 1
            && line("throttled", "allow", "trickle", "throttled") == HARD as usize
            && line("throttled", "limit-reached", "trickle", "throttled") == 1
            && line("refused", "credential-retired", "trickle", "refused") == 1
    });
}

#[test]
fn tokens_of_an_issuer_retire_and_nobody_is_told_before_the_announcement() {
    // Keys will retire one day; tokens have, but for one client.
    let (announced, refused, later) = (at(-300), at(-100), at(3_600));
    let mut policy = policy(&["app"], &schedule(at(600), at(1_200), at(1_800)));
    policy["issuers"] = json!([issuer()]);
    policy["issuers"][0]["retirement"] = schedule(announced, at(-200), refused);
    policy["issuers"][0]["retirement"]["extensions"] = json!([extension("late", Some(at(1_800)), Some(later))]);
    let (upstream, gateway) = start(policy);
    let before = vms(&gateway);

    for path in ["/a", "/a?school=oakwood-primary"] {
        expect_silent(with_key(&gateway, path, "app").expect_status(200));
    }
    expect_silent(with_key(&gateway, "/a?school=other", "app").expect_status(403));
    assert_eq!(upstream.last().header("x-claim-tier").as_deref(), Some("standard"));

    let late = token("late").sign();
    // verified, then from the cache
    for _ in 0..2 {
        let response = gateway.get("/a").bearer(&late).send();
        expect_announced(response.expect_status(200), announced, later, &[]);
    }
    let old = token("old").sign();
    for client in [*gateway.client(), gateway.client().http2()] {
        let response = client.get("/a").bearer(&old).send();
        expect_problem(&response, 401, "credential-retired");
        expect_announced(&response, announced, refused, &[]);
        let challenge =
            r#"Bearer realm="education-data", error="invalid_token", error_description="the token is retired""#;
        assert_eq!(response.header("www-authenticate").as_deref(), Some(challenge));
    }
    // what is no token at all says nothing of its retirement
    for bad in ["x".to_owned(), token("old").claim("exp", 1_000).sign()] {
        expect_silent(gateway.get("/a").bearer(bad).send().expect_status(401));
    }
    wait_until("the counters", || counts(&gateway, "api_keys") == ["3", "0", "0", "0"]);
    wait_until("the counters", || counts(&gateway, "auth.example.com") == ["0", "2", "0", "2"]);
    expect_no_trap(&gateway, before);
}
