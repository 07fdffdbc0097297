//! Cost that stands in the body: the base is charged before the body is read, the rest after.

use serde_json::{Value, json};

use crate::support::Response;
use crate::support::body_scope::{ACME, Student, api_key, config, route, token};
use crate::support::sample::NEVER;

/// A hundred units in all, for each of the clients `c-0`, `c-1` and so on; `/costly` costs twice the limit in its body.
fn costly(clients: usize) -> Value {
    let mut config = config();
    let keys = (0..clients).map(|nth| api_key(&format!("c-{nth}"), &format!("key-{nth}"), "metered"));
    config["api_keys"]["inline"]["keys"] = keys.chain([api_key("acme", ACME, "enterprise")]).collect();
    config["tiers"]["metered"] = json!({"limits": [{"name": "work", "cost": 100, "per": NEVER}]});
    config["tiers"]["capped"] = json!({"limits": [{"name": "work", "cost": 100, "per": NEVER}], "max_cost": 50});
    let mut costly = route("/costly", &json!({"districts": {"body": "/districtlea", "missing": "allow"}}));
    costly["cost"] = json!({"weight": 2, "times": {"body": "/limit", "default": 10}});
    let mut schools = route("/schools", &json!({"schools": {"body": "/schoolleas", "missing": "allow"}}));
    schools["cost"] = json!({"weight": 3, "times": "schools"});
    let take = json!({
        "match": {"path": "/take"}, "require": ["api_key", "bearer"], "cost": {"times": {"query": "n", "default": 1}},
    });
    config["routes"].as_array_mut().unwrap().extend([costly, schools, take]);
    config
}

fn send(student: &Student, nth: usize, path: &str, body: &str) -> Response {
    let token = token().claim("vendor", format!("c-{nth}")).sign();
    let request = student.client(false).request("POST", path).header("x-api-key", format!("key-{nth}")).bearer(token);
    request.header("content-type", "application/json").body(body.to_owned()).send()
}

/// Panics unless so many units are left for the client; takes them.
#[track_caller]
fn expect_left(student: &Student, nth: usize, units: u32, what: &str) {
    if units > 0 {
        let response = send(student, nth, &format!("/take?n={units}"), "");
        assert_eq!(response.status, 200, "{what}: less than {units} are left: {response:?}");
    }
    let response = send(student, nth, "/take?n=1", "");
    assert_eq!(response.status, 429, "{what}: more than {units} are left: {response:?}");
    student.upstream.forget();
}

#[test]
fn body_says_what_the_request_costs() {
    let cases = [
        // granted
        ("/costly", r#"{"limit":1}"#, 200, 2),
        ("/costly", r#"{"limit":5,"districtlea":"1503000"}"#, 200, 10),
        ("/costly", r#"{"limit":49}"#, 200, 98),
        ("/costly", r#"{"districtlea":"1503000"}"#, 200, 20),
        ("/costly", r#"{"a":{"limit":1}}"#, 200, 20),
        ("/schools", "{}", 200, 3),
        ("/schools", r#"{"schoolleas":"15030001"}"#, 200, 3),
        ("/schools", r#"{"schoolleas":["15030001","15030001","15040001"]}"#, 200, 9),
        // no number, or not one that servers read alike: the base alone
        ("/costly", r#"{"limit":0}"#, 400, 2),
        ("/costly", r#"{"limit":-1}"#, 400, 2),
        ("/costly", r#"{"limit":1.5}"#, 400, 2),
        ("/costly", r#"{"limit":1e1}"#, 400, 2),
        ("/costly", r#"{"limit":"5"}"#, 400, 2),
        ("/costly", r#"{"limit":null}"#, 400, 2),
        ("/costly", r#"{"limit":[5]}"#, 400, 2),
        ("/costly", r#"{"limit":1,"limit":5}"#, 400, 2),
        ("/costly", r#"{"limit":1,"LIMIT":5}"#, 400, 2),
        // refused for its scope: the base alone
        ("/costly", r#"{"limit":40,"districtlea":"9"}"#, 403, 2),
        ("/schools", r#"{"schoolleas":["15030001","9","9"]}"#, 403, 3),
        // more than the budget ever holds: waiting does not help
        ("/costly", r#"{"limit":51}"#, 429, 2),
        ("/costly", r#"{"limit":4294967297}"#, 429, 2),
        ("/costly", r#"{"limit":18446744073709551615}"#, 429, 2),
    ];
    let student = Student::with(costly(cases.len()));
    for (nth, (path, body, status, cost)) in cases.into_iter().enumerate() {
        let response = send(&student, nth, path, body);
        response.expect_status(status);
        assert_eq!(student.upstream.heads(), usize::from(status == 200), "{body}");
        assert_eq!(response.header("retry-after"), None, "{body}: {response:?}");
        expect_left(&student, nth, 100 - cost, body);
    }
    student.expect_no_trap();
}

#[test]
fn rest_of_the_cost_is_refused_where_the_budget_does_not_hold_it() {
    let student = Student::with(costly(1));
    send(&student, 0, "/costly", r#"{"limit":45}"#).expect_status(200);
    student.upstream.forget();

    // two of the ten that are left, and then not eighteen more
    let refused = send(&student, 0, "/costly", r#"{"limit":10}"#);
    student.expect_refused(&refused, 429, "too-many-requests", "the rest");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1, "{refused:?}");
    // what fits still passes
    let body = r#"{"limit":3}"#;
    student.expect_passed(&send(&student, 0, "/costly", body), body, "six of eight");
    expect_left(&student, 0, 2, "the base of the one, and all of the others");

    // the base does not fit: refused before the body is asked for
    let (request, sender) = student.client(false).request("POST", "/costly").streaming();
    let token = token().claim("vendor", "c-0").sign();
    let request = request.header("x-api-key", "key-0").bearer(token).header("content-type", "application/json");
    let refused = request.send();
    student.expect_refused(&refused, 429, "too-many-requests", "before the body");
    drop(sender);
}

#[test]
fn ceiling_of_a_tier_holds_for_bodies() {
    let mut config = costly(0);
    config["api_keys"]["inline"]["keys"].as_array_mut().unwrap().push(api_key("c-0", "key-0", "capped"));
    let student = Student::with(config);
    let refused = send(&student, 0, "/costly", r#"{"limit":26}"#);
    student.expect_refused(&refused, 429, "too-many-requests", "over the ceiling");
    assert_eq!(refused.header("retry-after"), None);
    let body = r#"{"limit":25}"#;
    student.expect_passed(&send(&student, 0, "/costly", body), body, "the ceiling");
}
