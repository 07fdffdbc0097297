//! The statistics API of the Education Data Platform, as it stands behind the gateway.
//!
//! It enforces the approved schools itself: `X-Claim-Schools` says which rows exist for the caller, and
//! a request without exactly one such header gets none.

mod approved;
mod dataset;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::dataset::Dataset;
use self::{approved::ApprovedSchools, dataset::School};
use crate::problem::Problem;

/// Records of an answer, unless the request says `limit`.
const LIMIT_DEFAULT: usize = 25;

/// The routes of the statistics API.
pub(crate) fn router(dataset: Dataset) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/stats/v1/schools", get(schools))
        .route("/stats/v1/schools/{school_id}/attendance", get(school_attendance))
        .route("/stats/v1/attendance/summary", get(summary))
        .route("/stats/v1/attendance/daily", get(daily))
        .route("/stats/v1/attendance/records", get(records))
        .route("/stats/v1/broken", get(broken))
        .with_state(Arc::new(dataset))
}

/// The query of a summary. A doubled `school_id` is refused while parsing.
#[derive(Deserialize)]
struct SummaryQuery {
    school_id: Option<String>,
}

/// The query of a school's days.
#[derive(Deserialize)]
struct DailyQuery {
    school_id: String,
}

/// The query of the records.
#[derive(Deserialize)]
struct RecordsQuery {
    limit: Option<usize>,
}

async fn schools(State(data): State<Arc<Dataset>>, approved: ApprovedSchools) -> Json<Value> {
    let schools: Vec<Value> = data
        .schools
        .iter()
        .filter(|school| approved.contains(school.id.as_str()))
        .map(|school| json!({"id": school.id, "name": school.name}))
        .collect();
    Json(json!({"schools": schools}))
}

async fn school_attendance(
    State(data): State<Arc<Dataset>>,
    approved: ApprovedSchools,
    Path(school_id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let school = approved_school(&data, &approved, &school_id)?;
    Ok(Json(json!({"school_id": school.id, "days": school.days})))
}

async fn summary(
    State(data): State<Arc<Dataset>>,
    approved: ApprovedSchools,
    query: Result<Query<SummaryQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let rows: Vec<Value> = match query.school_id {
        Some(id) => vec![approved_school(&data, &approved, &id)?.summary()],
        None => {
            data.schools.iter().filter(|school| approved.contains(school.id.as_str())).map(School::summary).collect()
        }
    };
    Ok(Json(json!({"schools": rows})))
}

/// The same as the attendance of a school by path. The gateway's configuration knows no school here, so that
/// this answer shows what the upstream enforces by itself.
async fn daily(
    State(data): State<Arc<Dataset>>,
    approved: ApprovedSchools,
    query: Result<Query<DailyQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let school = approved_school(&data, &approved, &query.school_id)?;
    Ok(Json(json!({"school_id": school.id, "days": school.days})))
}

/// Answers at most `limit` records and says in `X-Actual-Cost` how many they were: one each.
async fn records(
    State(data): State<Arc<Dataset>>,
    approved: ApprovedSchools,
    query: Result<Query<RecordsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let rows: Vec<Value> = data
        .schools
        .iter()
        .filter(|school| approved.contains(school.id.as_str()))
        .flat_map(School::records)
        .take(query.limit.unwrap_or(LIMIT_DEFAULT))
        .collect();
    let mut headers = HeaderMap::new();
    headers.insert("x-actual-cost", HeaderValue::from(rows.len()));
    Ok((headers, Json(json!({"records": rows}))).into_response())
}

async fn broken() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this route always fails")
}

/// The school, if the caller may see it. Whether a school exists is known only within the scope.
fn approved_school<'a>(data: &'a Dataset, approved: &ApprovedSchools, school_id: &str) -> Result<&'a School, Problem> {
    if !approved.contains(school_id) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "the school is not on the approved list"));
    }
    let school = data.schools.iter().find(|school| school.id.as_str() == school_id);
    school.ok_or(Problem::new(StatusCode::NOT_FOUND, "no data for this school"))
}
