//! The data of the districts, as it stands behind the gateway.
//!
//! `X-Claim-Districts` and `X-Claim-Schools` say what the caller may see, whatever kind of credential it showed; a
//! request without exactly one of each sees nothing.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path, Query, State, rejection::QueryRejection},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Districts;
use crate::{claim_list::ClaimList, problem::Problem};

/// The routes of the data API.
pub(crate) fn router(districts: Arc<Districts>) -> Router {
    Router::new()
        .route("/districts/v1/schools", get(schools))
        .route("/districts/v1/students", get(students_of_school))
        .route("/districts/v1/{district_id}/students", get(students_of_district))
        .with_state(districts)
}

/// What the gateway vouches for.
struct Scope {
    districts: ClaimList,
    schools: ClaimList,
}

impl Scope {
    fn opens(&self, district: &str, school: &str) -> bool {
        self.districts.contains(district) && self.schools.contains(school)
    }
}

impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let list = |header| ClaimList::read(&parts.headers, header).ok_or(refused());
        Ok(Self { districts: list("x-claim-districts")?, schools: list("x-claim-schools")? })
    }
}

fn refused() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "not within what the districts share")
}

/// `GET /districts/v1/schools`: the schools that are shared; with a link of the API's own.
async fn schools(State(districts): State<Arc<Districts>>, scope: Scope) -> Response {
    let schools = districts.students.schools();
    let shared = schools.filter(|(district, school)| scope.opens(district, school));
    let schools: Vec<Value> = shared.map(|(district, school)| json!({"id": school, "district": district})).collect();
    ([(header::LINK, "</districts/v1/students>; rel=\"related\"")], Json(json!({"schools": schools}))).into_response()
}

/// The query of a school's students. A doubled `school_id` is refused while parsing.
#[derive(Deserialize)]
struct OfSchool {
    school_id: String,
}

/// `GET /districts/v1/students?school_id=`
async fn students_of_school(
    State(districts): State<Arc<Districts>>,
    scope: Scope,
    query: Result<Query<OfSchool>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = query?;
    let district = districts.students.district_of(&asked.school_id).ok_or(refused())?;
    if !scope.opens(district, &asked.school_id) {
        return Err(refused());
    }
    Ok(students(&districts, &scope, |_, school| school == asked.school_id))
}

/// `GET /districts/v1/{district_id}/students`: those of the schools that the district shares.
async fn students_of_district(
    State(districts): State<Arc<Districts>>,
    scope: Scope,
    Path(district_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    if !scope.districts.contains(&district_id) {
        return Err(refused());
    }
    Ok(students(&districts, &scope, |district, _| district == district_id))
}

fn students(districts: &Districts, scope: &Scope, asked: impl Fn(&str, &str) -> bool) -> Json<Value> {
    let rows = districts.students.rows();
    let shared = rows.filter(|row| scope.opens(row.district, row.school) && asked(row.district, row.school));
    Json(json!({"students": shared.map(|row| row.to_json()).collect::<Vec<_>>()}))
}
