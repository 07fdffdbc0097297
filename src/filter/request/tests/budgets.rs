//! Limits that count by client, by district, or by both; several of them at once.

use serde_json::{Value, json};

use crate::answer::denial::Denial;
use crate::filter::request::testing::{End, Exchange, Stack, token};

/// A route for tokens alone, whose tier has these limits.
fn stack(limits: &[(&str, u32, &[&str])]) -> Stack {
    let limit = |(name, requests, by): &(&str, u32, &[&str])| json!({"name": name, "requests": requests, "per": "1m", "by": by});
    let limits: Vec<Value> = limits.iter().map(limit).collect();
    Stack::new(&[
        ("/tiers/starter/limits", json!(limits)),
        ("/issuers/0/default_tier", json!("starter")),
        ("/routes/2/require", json!(["bearer"])),
    ])
}

fn of(client: &str, districts: &[&str]) -> String {
    token(&json!({"client": client, "districts": districts}))
}

/// How many requests pass before the first that does not, and the limits that refuse that one.
#[track_caller]
fn admitted(stack: &mut Stack, token: &str) -> (usize, Vec<String>) {
    for passed in 0..100 {
        let exchange = stack.get("", token);
        match exchange.verdict() {
            "pass" => {}
            "limit-reached" => return (passed, violated(&exchange)),
            other => panic!("{other}"),
        }
    }
    panic!("no limit")
}

fn violated(exchange: &Exchange) -> Vec<String> {
    match &exchange.end {
        End::Deny(Denial::LimitReached(limit)) => limit.violated.clone(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(stack: &mut Stack, token: &str, count: usize, limit: &str) {
    assert_eq!(admitted(stack, token), (count, vec![limit.to_owned()]));
}

#[test]
fn total_of_a_client_and_its_part_for_a_district_hold_together() {
    let mut stack = stack(&[("total", 5, &["client"]), ("part", 3, &["client", "district"])]);
    check(&mut stack, &of("acme", &["d1"]), 3, "part");
    // What the district refused was not charged to the total: two are left of it.
    check(&mut stack, &of("acme", &["d2"]), 2, "total");
    check(&mut stack, &of("other", &["d1"]), 3, "part");
}

#[test]
fn district_is_shared_by_its_clients() {
    let mut stack = stack(&[("district", 4, &["district"])]);
    check(&mut stack, &of("acme", &["d1"]), 4, "district");
    check(&mut stack, &of("other", &["d1"]), 0, "district");
    check(&mut stack, &of("other", &["d2"]), 4, "district");
}

#[test]
fn client_of_several_districts_counts_as_the_client() {
    let mut stack = stack(&[("district", 2, &["district"]), ("token", 3, &["token"])]);
    check(&mut stack, &of("acme", &["d1", "d2"]), 2, "district");
    // And takes nothing from the districts' own budgets.
    check(&mut stack, &of("acme", &["d1"]), 1, "token");
    check(&mut stack, &of("other", &["d2"]), 2, "district");
}

#[test]
fn new_tokens_of_one_holder_share_the_budget_of_a_token() {
    let mut stack = stack(&[("token", 3, &["token"])]);
    check(&mut stack, &token(&json!({"jti": "a"})), 3, "token");
    check(&mut stack, &token(&json!({"jti": "b"})), 0, "token");
}

#[test]
fn answers_tell_all_limits() {
    let mut stack = stack(&[("total", 5, &["client"]), ("part", 3, &["client", "district"])]);
    let mut exchange = stack.get("", &of("acme", &["d1"]));
    let edits = stack.reply(&mut exchange, 200, None);
    let policy = edits.fields.iter().find(|(name, _)| *name == "ratelimit-policy").map(|(_, value)| value.as_str());
    assert_eq!(policy, Some("\"total\";q=5;w=60, \"part\";q=3;w=60"));
}
