//! What a route asks of its callers apart from the scope: credentials, issuers, permissions, and bodies that can be read.

use super::ApiKeys;
use super::issuers::{self, Issuers};
use super::reader::Object;
use super::schema::routes::{BODY, BODY_BYTES, NAMES_MAX};
use super::tiers::Tiers;
use crate::credentials::retirement::Schedule;
use crate::http::body;
use crate::http::strip::StripSet;
use crate::policy::cost::Factor;
use crate::policy::route::{Credential, Quorum, Route};
use crate::policy::scope::{Location, ScopeRule};
use crate::values::text::is_school;

const BODY_FIELDS: &[&str] = &BODY.names::<{ BODY.count() }>();
/// Longest body where none is configured, bytes: a list of ids, and some filters beside it.
const BODY_BYTES_DEFAULT: u32 = 64 * 1024;
/// Methods whose bodies mean nothing (RFC 9110 section 9.3): upstreams do not read them.
const BODILESS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// What the other sections say, for the readers of a route.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouteContext<'r, 'a> {
    /// The issuers.
    pub(super) issuers: &'r Issuers<'a>,
    /// The tiers.
    pub(super) tiers: &'r Tiers<'a>,
    /// `api_keys`; `None`: not given, or not readable.
    pub(super) api_keys: Option<&'r ApiKeys>,
    /// Whether `api_keys` is given.
    pub(super) has_api_keys: bool,
    /// Headers that the filter strips, and an API key's.
    pub(super) stripped: &'r StripSet,
}

/// Credentials that a route asks for.
#[derive(Debug)]
pub(super) struct Required {
    /// Which.
    pub(super) list: Vec<Credential>,
    /// How many of them.
    pub(super) quorum: Quorum,
}

/// `require` or `require_any`: distinct credentials.
#[inline(never)]
pub(super) fn require(fields: &Object<'_>, context: &RouteContext<'_, '_>) -> Option<Required> {
    let either = fields.get("require_any").is_some();
    if either && fields.get("require").is_some() {
        fields.problem("require_any", "expected none beside `require`");
        return None;
    }
    let name = if either { "require_any" } else { "require" };
    let words = [("bearer", Credential::Bearer), ("api_key", Credential::ApiKey)];
    let list = fields.field(name, vec![Credential::Bearer], |list| list.list(2, |item| item.word(&words)))?;
    if list.len() == 2 && list.first() == list.last() {
        fields.problem(name, "expected distinct credentials, got one a second time");
        return None;
    }
    if either && list.len() < 2 {
        fields.problem(name, "expected both `bearer` and `api_key`; one alone is what `require` is for");
        return None;
    }
    if list.contains(&Credential::ApiKey) && !context.has_api_keys {
        fields.problem(name, "expected `api_keys` at the top level, where the keys are");
        return None;
    }
    Some(Required { list, quorum: if either { Quorum::One } else { Quorum::All } })
}

/// Issuers by index; a route without tokens has none.
#[inline(never)]
pub(super) fn accepted(
    fields: &Object<'_>,
    context: &RouteContext<'_, '_>,
    require: Option<&Required>,
) -> Option<Vec<usize>> {
    let issuers = context.issuers;
    let is_open = require.is_some_and(|it| !it.list.contains(&Credential::Bearer));
    let with_key = require.is_some_and(|it| it.quorum == Quorum::All && it.list.contains(&Credential::ApiKey));
    let bound = context.api_keys.filter(|_| with_key && !is_open).and_then(|keys| keys.issuer);
    let Some(reader) = fields.get("issuers") else {
        if let Some(issuer) = bound {
            return Some(vec![issuer]);
        }
        let all = if is_open { 0 } else { issuers.names.len() };
        if all == 0 && !is_open && !issuers.unreadable {
            fields.problem("require", "expected `issuers` at the top level, got none; an open route has `require: []`");
            return None;
        }
        let accepted = (0..all).collect();
        return bindable(fields, context, with_key && !is_open, accepted);
    };
    let accepted = reader.distinct(NAMES_MAX, "issuers", |item| issuers::by_name(item, issuers))?;
    if is_open || accepted.is_empty() {
        let what = match require {
            Some(it) if it.list.is_empty() => "no issuers on an open route",
            _ if is_open => "none where `require` has no `bearer`",
            _ => "at least one issuer, got none",
        };
        reader.problem(format_args!("expected {what}"));
        return None;
    }
    bindable(fields, context, with_key, accepted)
}

/// A token is bound to a key by the issuer of the clients that keys name.
#[inline(never)]
fn bindable(
    fields: &Object<'_>,
    context: &RouteContext<'_, '_>,
    with_key: bool,
    accepted: Vec<usize>,
) -> Option<Vec<usize>> {
    let Some(keys) = context.api_keys.filter(|_| with_key) else {
        return Some(accepted);
    };
    if keys.issuer.is_none_or(|issuer| accepted != [issuer]) {
        fields.problem("issuers", "expected only `api_keys.issuer`, to whose clients the keys belong");
        return None;
    }
    Some(accepted)
}

/// `permissions`: all of them are required.
pub(super) fn permissions(fields: &Object<'_>) -> Option<Vec<String>> {
    fields.field("permissions", Vec::new(), |list| list.strings(NAMES_MAX, "a permission", &is_school))
}

/// How the body is read, if the scope or the cost looks into it.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether it could be read, the inner one whether it is needed"
)]
#[inline(never)]
pub(super) fn body(
    fields: &Object<'_>,
    rules: [Option<&ScopeRule>; 2],
    factor: Option<&Factor>,
) -> Option<Option<body::Rule>> {
    let is_needed =
        rules.into_iter().flatten().any(ScopeRule::is_in_body) || matches!(factor, Some(Factor::Body { .. }));
    let bytes_max = fields.field("body", BODY_BYTES_DEFAULT, |reader| {
        let fields = reader.object(BODY_FIELDS)?;
        fields.field("max_bytes", BODY_BYTES_DEFAULT, |max| max.integer(BODY_BYTES))
    })?;
    if !is_needed && fields.get("body").is_some() {
        fields.problem("body", "expected only where `scope` or `cost` looks into the body");
        return None;
    }
    Some(is_needed.then_some(body::Rule { bytes_max }))
}

/// Rules that need a token, or a key.
#[inline(never)]
pub(super) fn check(fields: &Object<'_>, route: &Route) {
    let (key, token) = (route.requires(Credential::ApiKey), route.requires(Credential::Bearer));
    if route.is_either() && !route.permissions.is_empty() {
        fields.problem("permissions", "expected none with `require_any`, since a key alone carries none");
    } else if !token && !route.permissions.is_empty() {
        fields.problem("permissions", "expected `bearer` in `require`, since a token carries them");
    }
    if !token && key && fields.get("scope").is_some() {
        fields.problem("scope", "expected `bearer` in `require`, since a token carries the grants");
    }
    if !key && !route.failure_limits.is_empty() {
        fields.problem("failure_limits", "expected `api_key` in `require`, since they count per key");
    }
    if route.body.is_some() {
        check_bodies(fields, route);
    }
}

/// What a body says must be what the upstream goes by, and it must end before anything passes.
#[inline(never)]
fn check_bodies(fields: &Object<'_>, route: &Route) {
    if route.methods.is_empty() || route.methods.iter().any(|method| BODILESS.contains(&method.as_str())) {
        let what = "expected only methods whose bodies upstreams read, such as `POST`, where the body is judged";
        fields.problem("match.methods", what);
    }
    if route.upgrades {
        fields.problem("upgrades", "expected none where the body is judged, since an upgraded stream has no end");
    }
}

/// Claims that a route's rules read must be configured at each of its issuers.
#[inline(never)]
pub(super) fn check_claims(fields: &Object<'_>, route: &Route, issuers: &Issuers<'_>) {
    if let Some(ScopeRule { place: Location::Path(variable), .. }) = &route.districts
        && !route.path.has_variable(variable)
    {
        fields.problem("scope.districts.path", "expected a variable of `match.path`");
    }
    for index in &route.issuers {
        let Some(issuer) = issuers.list.get(*index).and_then(Option::as_ref) else {
            continue;
        };
        let (grants, name) = (&issuer.rules.names.grants, issuer.rules.issuer.escape_default());
        if route.districts.is_some() && grants.districts.is_none() {
            fields.problem("scope.districts", format_args!("expected `claims.districts` at the issuer `{name}`"));
        }
        let throttled = issuer.retirement.as_ref().and_then(Schedule::throttled_tier);
        if throttled.is_some() && route.requires(Credential::ApiKey) {
            let what = "expected no `retirement.throttled_tier` at the issuer";
            fields.problem("require", format_args!("{what} `{name}` beside `api_key`, where the tier is the key's"));
        }
        if !route.permissions.is_empty() && grants.permissions.is_none() {
            fields.problem("permissions", format_args!("expected `claims.permissions` at the issuer `{name}`"));
        }
    }
}
