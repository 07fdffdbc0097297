//! What a vendor portal would do, for tests. Development only: nothing here asks who is calling.

use std::{collections::hash_map::Entry, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use time::{OffsetDateTime, serde::rfc3339};

use super::{
    PasswordHash, User, Vendor, Vendors,
    api_keys::{IssuedKey, TooManyKeys, Validity},
    vendor::AccessScope,
};
use crate::{body::Body, name::Name, problem::Problem};

const VENDORS_MAX: usize = 10_000;

/// A vendor with its users.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewVendor {
    vendor: Name,
    tier: Name,
    districts: Vec<Name>,
    schools: Vec<Name>,
    permissions: Vec<Name>,
    users: Vec<NewUser>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    email: String,
    password: String,
}

/// `POST /dev/vendors`
pub(super) async fn add_vendor(
    State(vendors): State<Arc<Vendors>>,
    Body(new): Body<NewVendor>,
) -> Result<Response, Problem> {
    let hashed = tokio::task::spawn_blocking(move || hash_passwords(new.users)).await;
    let users = hashed.ok().flatten().ok_or(problem(StatusCode::BAD_REQUEST, "a password cannot be hashed"))?;
    let scope = AccessScope { districts: new.districts, schools: new.schools, permissions: new.permissions };
    let answer = json!({"vendor": new.vendor, "tier": new.tier, "scope": scope});

    let mut state = vendors.state.lock().await;
    if state.vendors.len() >= VENDORS_MAX {
        return Err(problem(StatusCode::INSUFFICIENT_STORAGE, "too many vendors"));
    }
    match state.vendors.entry(new.vendor.as_str().to_owned()) {
        Entry::Occupied(_) => Err(problem(StatusCode::CONFLICT, "there is a vendor of this name")),
        Entry::Vacant(free) => {
            free.insert(Vendor { id: new.vendor, tier: new.tier, scope, users });
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
    }
}

fn hash_passwords(users: Vec<NewUser>) -> Option<Vec<User>> {
    let hash = |user: NewUser| {
        PasswordHash::of(&user.password).ok().map(|password_hash| User { email: user.email, password_hash })
    };
    users.into_iter().map(hash).collect()
}

/// A key for a client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    client: Name,
    /// Default: the plan of the client.
    tier: Option<Name>,
    #[serde(default, with = "rfc3339::option")]
    not_before: Option<OffsetDateTime>,
    #[serde(default, with = "rfc3339::option")]
    not_after: Option<OffsetDateTime>,
}

/// `POST /dev/keys`
pub(super) async fn issue_key(
    State(vendors): State<Arc<Vendors>>,
    Body(new): Body<NewKey>,
) -> Result<Response, Problem> {
    if new.not_before.zip(new.not_after).is_some_and(|(from, until)| from > until) {
        return Err(problem(StatusCode::BAD_REQUEST, "`not_after` (expected a time from `not_before` on)"));
    }
    let mut state = vendors.state.lock().await;
    let vendor = state.vendors.get(new.client.as_str()).ok_or(problem(StatusCode::NOT_FOUND, "no such client"))?;
    let tier = new.tier.unwrap_or_else(|| vendor.tier.clone());
    let validity = Validity { not_before: new.not_before, not_after: new.not_after };
    let issued = state.keys.issue(new.client, tier, validity)?;
    Ok(shown_once(&issued))
}

/// Which key is replaced, and when it ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateKey {
    id: String,
    /// Default: now.
    #[serde(default, with = "rfc3339::option")]
    at: Option<OffsetDateTime>,
}

/// `POST /dev/keys/rotate`: a new key works from now on, the old one up to the given time.
pub(super) async fn rotate_key(
    State(vendors): State<Arc<Vendors>>,
    Body(rotation): Body<RotateKey>,
) -> Result<Response, Problem> {
    let mut state = vendors.state.lock().await;
    let old = state.keys.find(&rotation.id).ok_or(problem(StatusCode::NOT_FOUND, "no such key"))?;
    let (client, tier) = (old.client.clone(), old.tier.clone());
    let issued = state.keys.issue(client, tier, Validity::default())?;
    state.keys.deactivate(&rotation.id, rotation.at.unwrap_or_else(now));
    Ok(shown_once(&issued))
}

/// What changes in an access scope; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeChange {
    vendor: Name,
    districts: Option<Vec<Name>>,
    schools: Option<Vec<Name>>,
    permissions: Option<Vec<Name>>,
}

/// `POST /dev/scope`: from now on tokens say something else, and those issued up to now are void.
pub(super) async fn change_scope(
    State(vendors): State<Arc<Vendors>>,
    Body(change): Body<ScopeChange>,
) -> Result<Response, Problem> {
    let mut state = vendors.state.lock().await;
    let vendor =
        state.vendors.get_mut(change.vendor.as_str()).ok_or(problem(StatusCode::NOT_FOUND, "no such vendor"))?;
    let old = vendor.scope.clone();
    vendor.scope = AccessScope {
        districts: change.districts.unwrap_or(old.districts),
        schools: change.schools.unwrap_or(old.schools),
        permissions: change.permissions.unwrap_or(old.permissions),
    };
    let answer = json!({"vendor": change.vendor, "scope": vendor.scope});
    state.revocations.void_tokens(&change.vendor, now());
    Ok(Json(answer).into_response())
}

/// A token by its id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    jti: String,
}

/// `POST /dev/revoke`
pub(super) async fn revoke(
    State(vendors): State<Arc<Vendors>>,
    Body(request): Body<Revoke>,
) -> Result<StatusCode, Problem> {
    let revoked = vendors.state.lock().await.revocations.revoke(request.jti);
    revoked.map_err(|_| problem(StatusCode::INSUFFICIENT_STORAGE, "too many revoked tokens"))?;
    Ok(StatusCode::NO_CONTENT)
}

/// The claims of a token, byte for byte.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MintPermissionToken {
    claims: Box<RawValue>,
}

/// `POST /dev/permission-tokens`: signs any claims as the login would.
pub(super) async fn mint_token(
    State(vendors): State<Arc<Vendors>>,
    Body(request): Body<MintPermissionToken>,
) -> Result<Response, Problem> {
    let unsigned = problem(StatusCode::INTERNAL_SERVER_ERROR, "the token could not be signed");
    let token = vendors.mint_token(&request.claims).map_err(|_| unsigned)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({"token": token}))).into_response())
}

fn shown_once(issued: &IssuedKey) -> Response {
    (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(issued)).into_response()
}

/// This second: what ends or is void now must not last until the next.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

fn problem(status: StatusCode, detail: &'static str) -> Problem {
    Problem::new(status, detail)
}

impl From<TooManyKeys> for Problem {
    fn from(_: TooManyKeys) -> Self {
        problem(StatusCode::INSUFFICIENT_STORAGE, "too many keys")
    }
}
