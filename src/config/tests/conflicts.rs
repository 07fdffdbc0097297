//! Rules of one route of which no request could satisfy both.

use super::*;

/// A route with these rules, which take the body of a POST.
fn route(scope: &Value, cost: &Value) -> Value {
    json!({"match": {"path": "/clash", "methods": ["POST"]}, "scope": scope, "cost": {"times": cost}})
}

/// The sample, whose tokens carry districts as well.
fn with_districts() -> Value {
    changed(&[("/issuers/0/claims/districts", json!("districts"))])
}

#[track_caller]
fn clash(schools: &Value, districts: &Value, field: &str) {
    let cost = json!({"query": "limit", "default": 1});
    let scope = json!({"schools": schools, "districts": districts});
    let why = "a request that names both is refused, since servers may take one for the other";
    let problem = format!("routes[1].{field}: expected another name than that of `scope.schools`; {why}");
    refused_from(with_districts(), &[("/routes/-", route(&scope, &cost))], &problem);
}

#[test]
fn names_that_servers_fold_together_are_refused() {
    let rows = [
        // In another case, with another hyphen or none.
        (json!({"query": "leaId"}), json!({"query": "lea_id"})),
        (json!({"query": "id"}), json!({"query": "ID"})),
        // One below the other, in either order.
        (json!({"query": "lea"}), json!({"query": "lea[id]"})),
        (json!({"query": "lea.id"}), json!({"query": "lea"})),
        (json!({"header": "x-lea"}), json!({"header": "x_lea"})),
        (json!({"body": "/schoolLeas"}), json!({"body": "/school_leas"})),
        (json!({"body": "/filter/school"}), json!({"body": "/Filter/district"})),
        (json!({"body": "/lea"}), json!({"body": "/lea/id"})),
        (json!({"body": "/lea/id"}), json!({"body": "/lea"})),
        // Merged into the body by some.
        (json!({"body": "/lea"}), json!({"query": "lea"})),
        (json!({"query": "Lea"}), json!({"body": "/filter/lea"})),
    ];
    for (schools, districts) in rows {
        clash(&schools, &districts, "scope.districts");
    }
}

#[test]
fn cost_is_named_apart_from_the_scope() {
    let scope = |schools: Value| json!({"schools": schools});
    let why = "a request that names both is refused, since servers may take one for the other";
    let problem = format!("routes[1].cost.times: expected another name than that of `scope.schools`; {why}");
    let by_query = json!({"query": "limit", "default": 1});
    let by_body = json!({"body": "/limit", "default": 1});
    for (schools, cost) in [
        (json!({"query": "LIMIT"}), &by_query),
        (json!({"body": "/limit"}), &by_query),
        (json!({"query": "limit"}), &by_body),
        // An id or a number, never both.
        (json!({"body": "/limit"}), &by_body),
        (json!({"body": "/limit/school"}), &by_body),
    ] {
        refused(&[("/routes/-", route(&scope(schools), cost))], &problem);
    }
}

#[test]
fn names_that_are_apart_are_accepted() {
    for (schools, districts) in [
        (json!({"query": "school"}), json!({"query": "schools"})),
        (json!({"query": "lea[school]"}), json!({"query": "lea[district]"})),
        (json!({"header": "x-school"}), json!({"header": "x-district"})),
        (json!({"body": "/filter/school"}), json!({"body": "/filter/district"})),
        (json!({"body": "/a/id"}), json!({"body": "/b/id"})),
        // One name in several places; an id that must be granted as both.
        (json!({"query": "lea"}), json!({"header": "lea"})),
        (json!({"header": "lea"}), json!({"body": "/lea"})),
        (json!({"query": "lea"}), json!({"query": "lea"})),
        (json!({"body": "/lea"}), json!({"body": "/lea"})),
    ] {
        let scope = json!({"schools": schools, "districts": districts});
        for cost in [json!({"query": "limit", "default": 1}), json!({"body": "/limit", "default": 1})] {
            accepted_from(with_districts(), &[("/routes/-", route(&scope, &cost))]);
        }
    }
}
