//! The statistics API, the echo and the record.

use serde_json::json;

use super::Stack;

#[tokio::test]
async fn statistics_answer_within_the_approved_schools_only() {
    let stack = Stack::start().await;
    let approved = [("x-claim-schools", "oakwood-primary,ravenscroft-high")];
    let doubled = [approved[0], approved[0]];
    let summary = "/stats/v1/attendance/summary";
    let one = "/stats/v1/attendance/summary?school_id=oakwood-primary";
    let check = async |path: &str, headers: &[(&str, &str)], status: u16| {
        let answer = stack.api.send("GET", path, headers, vec![]).await;
        assert_eq!(answer.status, status, "{path} {headers:?}");
        let problem = answer.header("content-type") == Some("application/problem+json");
        assert_eq!(problem, status != 200, "{path}");
    };
    check(one, &approved, 200).await;
    check("/stats/v1/schools/ravenscroft-high/attendance", &approved, 200).await;
    // Schools that exist but are not on the list, and one that does not exist.
    check(&format!("{summary}?school_id=millbrook-academy"), &approved, 403).await;
    check("/stats/v1/schools/millbrook-academy/attendance", &approved, 403).await;
    check(&format!("{summary}?school_id=nowhere"), &approved, 403).await;
    // The days of a school by query: approved, not approved, none named.
    let daily = "/stats/v1/attendance/daily";
    check(&format!("{daily}?school_id=oakwood-primary"), &approved, 200).await;
    check(&format!("{daily}?school_id=millbrook-academy"), &approved, 403).await;
    check(daily, &approved, 400).await;
    // Two schools in one query.
    check(&format!("{one}&school_id=millbrook-academy"), &approved, 400).await;
    // No header, two headers.
    check(one, &[], 403).await;
    check(one, &doubled, 403).await;
    let all = stack.api.send("GET", summary, &approved, vec![]).await.json();
    assert_eq!(all["schools"].as_array().unwrap().len(), 2);
    let schools = stack.api.send("GET", "/stats/v1/schools", &approved, vec![]).await.json();
    assert_eq!(schools["schools"][1]["id"], "ravenscroft-high");
}

#[tokio::test]
async fn records_say_what_they_cost() {
    let stack = Stack::start().await;
    // Query, rows: the school has ten days, the default is 25.
    for (query, list, cost) in [
        ("?limit=3", "oakwood-primary", "3"),
        ("?limit=25", "oakwood-primary", "10"),
        ("", "oakwood-primary,ravenscroft-high,millbrook-academy", "25"),
        ("", "", "0"),
    ] {
        let path = format!("/stats/v1/attendance/records{query}");
        let answer = stack.api.send("GET", &path, &[("x-claim-schools", list)], vec![]).await;
        assert_eq!(answer.header("x-actual-cost"), Some(cost));
    }
    assert_eq!(stack.api.get("/stats/v1/broken").await.status, 500);
}

#[tokio::test]
async fn echo_and_record_show_what_arrived() {
    let stack = Stack::start().await;
    let headers = [("x-claim-tier", "premium"), ("x-claim-tier", "free"), ("x-request-id", "r-1")];
    let answer = stack.api.send("PUT", "/echo/a?b=c", &headers, b"abc".to_vec()).await;
    assert_eq!(answer.header("x-request-id"), None);
    let echo = answer.json();
    assert_eq!((&echo["method"], &echo["path"]), (&json!("PUT"), &json!("/echo/a?b=c")));
    assert_eq!(echo["body_length"], 3);
    assert!(echo["body_sha256"].as_str().unwrap().starts_with("ba7816bf"));
    let pairs = echo["headers"].as_array().unwrap();
    assert!(pairs.contains(&json!(["x-claim-tier", "premium"])));
    assert!(pairs.contains(&json!(["x-claim-tier", "free"])));

    // Health checks do not count, other paths do, known or not.
    assert_eq!(stack.api.get("/healthz").await.status, 200);
    assert_eq!(stack.api.get("/nowhere").await.status, 404);
    let seen = stack.auth.get("/dev/requests").await.json();
    assert_eq!(seen["count"], 2);
    assert_eq!(seen["requests"][1]["path"], "/nowhere");
    stack.auth.send("DELETE", "/dev/requests", &[], vec![]).await;
    assert_eq!(stack.auth.get("/dev/stats").await.json()["upstream_requests"], 0);
}

#[tokio::test]
async fn http2_with_prior_knowledge_shows_trailers_and_long_heads() {
    let stack = Stack::start().await;
    let long = "x".repeat(50_000);
    let echo = stack.api.echo_http2(&[("x-long", &long)], ("x-claim-schools", "b")).await;
    assert_eq!(echo["http_version"], "HTTP/2.0");
    assert_eq!(echo["trailers"], json!([["x-claim-schools", "b"]]));
    assert!(echo["headers"].as_array().unwrap().contains(&json!(["x-long", long])));
}
