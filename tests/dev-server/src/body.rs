//! JSON bodies; a refusal says which field is wrong, and shows a body that would be accepted.

use std::error::Error;

use axum::{
    Json,
    extract::{FromRequest, MatchedPath, Request, rejection::JsonRejection},
};
use serde::de::DeserializeOwned;

use crate::{endpoints::accepted_body, problem::Problem};

/// The body of a request.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let route: Option<&MatchedPath> = request.extensions().get();
        let accepted = route.and_then(|route| accepted_body(request.method(), route.as_str()));
        let body = Json::from_request(request, state).await;
        body.map(|Json(value)| Self(value))
            .map_err(|rejection| Problem::new(rejection.status(), detail(&rejection)).with_example(accepted))
    }
}

/// The path of the field, and what is wrong with it.
fn detail(rejection: &JsonRejection) -> String {
    let JsonRejection::JsonDataError(error) = rejection else {
        return rejection.body_text();
    };
    let sources = std::iter::successors(error.source(), |&source| source.source());
    let mut located = sources.filter_map(<dyn Error>::downcast_ref::<serde_path_to_error::Error<serde_json::Error>>);
    match located.next() {
        // A `.` is the whole body.
        Some(error) if error.path().iter().next().is_none() => format!("{}", error.inner()),
        Some(error) => format!("`{}`: {}", error.path(), error.inner()),
        None => rejection.body_text(),
    }
}
