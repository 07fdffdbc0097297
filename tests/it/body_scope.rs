//! Scope from the body: every district and school that it names must be granted, and one must be named.

mod framing;
mod pieces;
mod strict_reading;
mod waiting;
mod windows;

use serde_json::json;

use crate::support::Token;
use crate::support::body_scope::{GRANTED, Student, config, token};

/// The token is for the district 1503000 and the school 15040001.
#[test]
fn every_id_that_a_body_names_must_be_granted() {
    let student = Student::start();
    for (what, path, body, code) in [
        ("another district", "/v1/students", json!({"districtlea": "1504000"}), "no-districtlea"),
        ("one that nobody knows", "/v1/students", json!({"districtlea": "9999999"}), "no-districtlea"),
        ("one of two", "/v1/students", json!({"districtlea": ["1503000", "1504000"]}), "no-districtlea"),
        ("one of two, first", "/v1/students", json!({"districtlea": ["1504000", "1503000"]}), "no-districtlea"),
        ("a space", "/v1/students", json!({"districtlea": " 1503000"}), "no-districtlea"),
        ("a list in a string", "/v1/students", json!({"districtlea": "1503000,1503000"}), "no-districtlea"),
        ("a prefix", "/v1/students", json!({"districtlea": "150300"}), "no-districtlea"),
        ("a leading zero", "/v1/students", json!({"districtlea": "01503000"}), "no-districtlea"),
        ("all", "/v1/students", json!({"districtlea": "*"}), "no-districtlea"),
        ("a school as a district", "/v1/students", json!({"districtlea": "15030001"}), "no-districtlea"),
        ("another school", "/v1/students", json!({"schoolleas": "15040002"}), "no-privilege"),
        ("one school of two", "/v1/students", json!({"schoolleas": ["15030001", "15040002"]}), "no-privilege"),
        ("a district as a school", "/v1/students", json!({"schoolleas": "1503000"}), "no-privilege"),
        ("all schools", "/v1/students", json!({"schoolleas": ["*"]}), "no-privilege"),
        (
            "a good district beside",
            "/v1/students",
            json!({"districtlea": "1503000", "schoolleas": "15040002"}),
            "no-privilege",
        ),
        (
            "a good school beside",
            "/v1/students",
            json!({"districtlea": "1504000", "schoolleas": "15040001"}),
            "no-districtlea",
        ),
        ("neither", "/v1/students", json!({}), "no-privilege"),
        ("neither, other things", "/v1/students", json!({"limit": 5, "district": "1503000"}), "no-privilege"),
        ("empty lists", "/v1/students", json!({"districtlea": [], "schoolleas": []}), "no-privilege"),
        ("at another depth", "/v1/students", json!({"filter": {"districtlea": "1503000"}}), "no-privilege"),
        ("in an array", "/v1/students", json!({"filters": [{"districtlea": "1503000"}]}), "no-privilege"),
        (
            "a decoy below",
            "/v1/students",
            json!({"a": {"districtlea": "1503000"}, "districtlea": "1504000"}),
            "no-districtlea",
        ),
        (
            "a decoy above",
            "/nested",
            json!({"districtlea": "1503000", "filter": {"districtlea": "9"}}),
            "no-districtlea",
        ),
        ("above only", "/nested", json!({"districtlea": "1503000"}), "no-privilege"),
        ("above, and nothing below", "/nested", json!({"districtlea": "1503000", "filter": {}}), "no-privilege"),
        ("deeper", "/nested", json!({"filter": {"filter": {"districtlea": "1503000"}}}), "no-privilege"),
        ("no district", "/district", json!({"schoolleas": "15040001"}), "no-privilege"),
        ("an empty list of districts", "/district", json!({"districtlea": []}), "no-privilege"),
        ("no school", "/school", json!({"districtlea": "1503000"}), "no-privilege"),
        ("the district alone", "/both", json!({"districtlea": "1503000"}), "no-privilege"),
        ("the school alone", "/both", json!({"schoolleas": "15040001"}), "no-privilege"),
        ("optional, but not granted", "/either", json!({"districtlea": "1504000"}), "no-districtlea"),
    ] {
        student.expect_refused(&student.post(path, body.to_string()), 403, code, &format!("{what}: {body}"));
    }
    // Some servers read it as the member of a member.
    let dotted = json!({"filter.districtlea": "1503000"}).to_string();
    student.expect_refused(&student.post("/nested", dotted), 400, "bad-request", "a dotted name");
    student.expect_nothing_else_upstream();

    for (what, path, body) in [
        ("the district", "/v1/students", json!({"districtlea": "1503000"})),
        ("in a list", "/v1/students", json!({"districtlea": ["1503000"]})),
        ("twice", "/v1/students", json!({"districtlea": ["1503000", "1503000"]})),
        ("the school", "/v1/students", json!({"schoolleas": "15040001"})),
        ("a school of the district", "/v1/students", json!({"schoolleas": ["15030002"]})),
        ("schools of both kinds", "/v1/students", json!({"schoolleas": ["15030001", "15040001", "15030002"]})),
        ("both", "/v1/students", json!({"districtlea": "1503000", "schoolleas": ["15040001"]})),
        ("an empty list beside", "/v1/students", json!({"districtlea": "1503000", "schoolleas": []})),
        ("a decoy that is not read", "/v1/students", json!({"districtlea": "1503000", "a": {"districtlea": "9"}})),
        ("nested", "/nested", json!({"filter": {"districtlea": "1503000"}, "districtlea": "9"})),
        ("a district", "/district", json!({"districtlea": "1503000", "schoolleas": "9"})),
        ("a school", "/school", json!({"schoolleas": "15030001", "districtlea": "9"})),
        ("both required", "/both", json!({"schoolleas": "15030001", "districtlea": "1503000"})),
        ("none required", "/either", json!({})),
        ("one of none required", "/either", json!({"districtlea": "1503000"})),
    ] {
        let body = body.to_string();
        student.expect_passed(&student.post(path, body.clone()), body, what);
    }
    student.expect_no_trap();
}

#[test]
fn grants_are_the_tokens_own() {
    let mut config = config();
    config["issuers"][0]["claims"]["district_schools"] = json!("ds");
    let student = Student::with(config);
    let send = |token: &Token, body: &str| {
        let request = student.client(false).request("POST", "/v1/students").bearer(token.sign());
        request
            .header("x-api-key", crate::support::body_scope::ACME)
            .header("content-type", "application/json")
            .body(body.to_owned())
            .send()
    };
    let school = |id: &str| json!({"schoolleas": id}).to_string();
    let claimed = token().claim("ds", json!({"1503000": ["claimed"], "1504000": ["foreign"]}));
    let none = token().claim("districts", json!([])).claim("schools", json!([]));
    for (what, token, body, code) in [
        // the map counts for the token's own districts
        ("a school of a foreign district", &claimed, school("foreign"), "no-privilege"),
        ("the map of another token", &token(), school("claimed"), "no-privilege"),
        ("no grants", &none, GRANTED.to_owned(), "no-districtlea"),
        ("no grants, a school", &none, school("15030001"), "no-privilege"),
        ("no grants, neither", &none, "{}".to_owned(), "no-privilege"),
        ("all districts are none", &token().claim("districts", json!(["*"])), GRANTED.to_owned(), "no-districtlea"),
    ] {
        let response = send(token, &body);
        if response.status != 401 {
            student.expect_refused(&response, 403, code, what);
        }
        student.expect_silence(what);
    }
    student.expect_nothing_else_upstream();
    student.expect_passed(&send(&claimed, &school("claimed")), school("claimed"), "by the claim");
    student.expect_passed(&send(&claimed, &school("15030001")), school("15030001"), "by the configuration");
}

#[test]
fn neither_query_nor_method_gets_around_the_body() {
    let student = Student::start();
    let post = |query: &str| student.post(&format!("/v1/students?{query}"), GRANTED);
    for query in [
        "districtlea=9",
        "schoolleas=9",
        "a=b&%64istrictlea=9",
        "DistrictLea=9",
        "districtlea[]=9",
        "districtlea",
        "_method=GET",
    ] {
        student.expect_refused(&post(query), 400, "bad-request", query);
    }
    student.expect_nothing_else_upstream();
    student.expect_passed(&post("a=b&filter=districtlea"), GRANTED, "another query");

    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post"] {
        let request = student.client(false).request(method, "/v1/students");
        let request = request.header("x-api-key", crate::support::body_scope::ACME).bearer(token().sign());
        let response = request.header("content-type", "application/json").body(GRANTED).send();
        assert!([400, 405, 501].contains(&response.status), "{method}: {response:?}");
        student.expect_silence(method);
    }
    let request = student.request(false, "/v1/students").header("x-http-method-override", "GET").body(GRANTED);
    request.send().expect_status(200);
    assert_eq!(student.upstream.last().header("x-http-method-override"), None);
}
