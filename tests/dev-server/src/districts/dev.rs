//! What districts and the platform would do, for tests. Development only: nothing here asks who is calling.

use std::{collections::btree_map::Entry, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    Application, Districts,
    shared::{Listed, ShareError},
};
use crate::{
    auth::secret::{SecretHash, generate},
    body::Body,
    name::Name,
    problem::Problem,
};

const APPLICATIONS_MAX: usize = 10_000;

/// An application and its tier.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApplication {
    application: Name,
    tier: Name,
}

/// `POST /dev/district-applications`: 201 with the secret, which is shown only here.
pub(super) async fn add_application(
    State(districts): State<Arc<Districts>>,
    Body(new): Body<NewApplication>,
) -> Result<Response, Problem> {
    let mut state = districts.state.lock().await;
    if state.applications.len() >= APPLICATIONS_MAX {
        return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "too many applications"));
    }
    let Entry::Vacant(free) = state.applications.entry(new.application.as_str().to_owned()) else {
        return Err(Problem::new(StatusCode::CONFLICT, "there is an application of this name"));
    };
    let secret = generate();
    free.insert(Application { tier: new.tier.clone(), secret: SecretHash::of(&secret) });
    let answer = json!({"application": new.application, "tier": new.tier, "secret": secret});
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// What a district shares with an application.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    application: Name,
    district: Name,
    /// Default: all schools of the district.
    schools: Option<Vec<Name>>,
    /// Default: the application's.
    tier: Option<Name>,
    #[serde(default, with = "rfc3339::option")]
    not_after: Option<OffsetDateTime>,
}

/// `POST /dev/districts/share`: a district signs up. 201 without the token, which appears in the application's own list.
pub(super) async fn share(
    State(districts): State<Arc<Districts>>,
    Body(share): Body<Share>,
) -> Result<Response, Problem> {
    let mut state = districts.state.lock().await;
    let application = state.applications.get(share.application.as_str());
    let application = application.ok_or(Problem::new(StatusCode::NOT_FOUND, "no such application"))?;
    let terms = Listed {
        sha256: String::new(),
        tier: share.tier.unwrap_or_else(|| application.tier.clone()),
        schools: share.schools.unwrap_or_else(|| districts.students.schools_of(share.district.as_str())),
        application: share.application,
        district: share.district,
        not_after: share.not_after,
    };
    let answer = json!({"application": terms.application, "district": terms.district, "schools": terms.schools});
    state.shared.add(terms).map_err(|error| match error {
        ShareError::Twice => Problem::new(StatusCode::CONFLICT, "the district shares with this application already"),
        ShareError::Full => Problem::new(StatusCode::INSUFFICIENT_STORAGE, "too many tokens"),
    })?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// A district and an application.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdraw {
    application: Name,
    district: Name,
}

/// `POST /dev/districts/withdraw`: the district shares no more, and its token leaves both lists.
pub(super) async fn withdraw(
    State(districts): State<Arc<Districts>>,
    Body(Withdraw { application, district }): Body<Withdraw>,
) -> Result<StatusCode, Problem> {
    let removed = districts.state.lock().await.shared.remove(&application, &district);
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::new(StatusCode::NOT_FOUND, "nothing is shared")) }
}
