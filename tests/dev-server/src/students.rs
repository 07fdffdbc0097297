//! The Student Data API, as it stands behind the gateway: the login and the students.
//!
//! It enforces the scope itself: `X-Claim-Districts`, `X-Claim-Schools` and `X-Claim-Permissions` say what the
//! caller may see, and a request without exactly one of each sees nothing.

mod dataset;
mod login;
mod refusal;
mod scope;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::dataset::Students;
use self::{refusal::Refusal, scope::ForwardedScope};
use crate::{name::Name, vendors::Vendors};

/// Students of an answer, unless the request says `limit`.
const LIMIT_DEFAULT: usize = 25;
/// The permission flag that opens the students.
const READ: &str = "students.read";

/// The routes of the Student Data API.
pub(crate) fn router(students: Students, vendors: Arc<Vendors>) -> Router {
    Router::new()
        .route("/v1/students", post(list))
        .with_state(Arc::new(students))
        .merge(Router::new().route("/v1/login", post(login::log_in)).with_state(vendors))
}

/// What is asked for. Other members are ignored, wherever they stand; a doubled one is refused while parsing.
#[derive(Deserialize)]
struct Asked {
    limit: Option<usize>,
    districtlea: Option<Name>,
    schoolleas: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Name),
    Many(Vec<Name>),
}

impl Asked {
    /// The schools named; none differs from an empty list.
    fn schools(&self) -> Option<&[Name]> {
        match self.schoolleas.as_ref()? {
            OneOrMany::One(school) => Some(std::slice::from_ref(school)),
            OneOrMany::Many(schools) => Some(schools),
        }
    }
}

/// `POST /v1/students`: the students of the district and schools named, or all within the scope.
async fn list(
    State(students): State<Arc<Students>>,
    scope: ForwardedScope,
    body: Result<Json<Asked>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(asked) = body?;
    check(&students, &scope, &asked)?;
    let named = |school: &str| asked.schools().is_none_or(|schools| schools.iter().any(|name| name.as_str() == school));
    let rows: Vec<Value> = students
        .rows()
        .filter(|row| scope.opens(row.school, Some(row.district)) && named(row.school))
        .filter(|row| asked.districtlea.as_ref().is_none_or(|district| district.as_str() == row.district))
        .map(|row| row.to_json())
        .take(asked.limit.unwrap_or(LIMIT_DEFAULT))
        .collect();
    Ok(Json(json!({"actionOk": true, "students": rows})))
}

/// Whether the caller may read students, and all that it names. What exists is known only within the scope.
fn check(students: &Students, scope: &ForwardedScope, asked: &Asked) -> Result<(), Refusal> {
    if !scope.permits(READ) {
        return Err(Refusal::NoPrivilege);
    }
    if asked.districtlea.as_ref().is_some_and(|district| !scope.grants_district(district.as_str())) {
        return Err(Refusal::NoDistrict);
    }
    let opened = |school: &Name| scope.opens(school.as_str(), students.district_of(school.as_str()));
    if !asked.schools().unwrap_or_default().iter().all(opened) {
        return Err(Refusal::NoPrivilege);
    }
    Ok(())
}
