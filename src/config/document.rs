//! The document as a whole: settings of the top level, and the order in which sections build on each other.

use std::time::Duration;

use serde_json::Value;

use super::access::RouteContext;
use super::api_keys;
use super::consistency;
use super::diagnostics::{ConfigErrors, Diagnostics};
use super::filter_state;
use super::forward;
use super::issuers;
use super::limit;
use super::lists;
use super::reader::{Object, Reader};
use super::routes;
use super::schema::{self, BOUNDS, CONFIGURATION, RATE_LIMIT_HEADERS};
use super::tiers;
use super::{Bounds, Config, Dialect, Environment, Issuer, PROBLEM_BASE_DEFAULT, RateLimitHeaders};
use crate::http::strip::StripSet;

const FIELDS: &[&str] = &CONFIGURATION.names::<{ CONFIGURATION.count() }>();
const DIALECTS: [(&str, Dialect); 5] = [
    ("problem-json", Dialect::ProblemJson),
    ("plain", Dialect::Plain),
    ("student-data-api", Dialect::StudentDataApi),
    ("oneroster", Dialect::OneRoster),
    ("oauth", Dialect::OAuth),
];
const RATE_LIMIT_FIELDS: &[&str] = &RATE_LIMIT_HEADERS.names::<{ RATE_LIMIT_HEADERS.count() }>();
const BOUND_FIELDS: &[&str] = &BOUNDS.names::<{ BOUNDS.count() }>();
const REALM_DEFAULT: &str = "api";
/// Longest realm and problem base.
const TEXT_BYTES_MAX: usize = 256;
const TOKEN_BYTES_DEFAULT: u32 = 16 * 1024;
const CACHED_TOKENS_DEFAULT: u32 = 10_000;
const CACHED_BYTES_DEFAULT: u32 = 16 << 20;
const WAITERS_DEFAULT: u32 = 1_000;
const RETRY_AFTER_DEFAULT: Duration = Duration::from_hours(1);

/// Reads the document; every problem is reported.
pub(super) fn read(document: &Value, environment: &Environment) -> Result<Config, ConfigErrors> {
    let diagnostics = Diagnostics::default();
    let config = config(&Reader::root(document, &diagnostics), environment);
    let warnings = diagnostics.finish()?;
    // A reader that gives up has noted why.
    let config = config.ok_or_else(|| ConfigErrors::document("not understood"))?;
    Ok(Config { warnings, ..config })
}

#[inline(never)]
fn config(root: &Reader<'_>, environment: &Environment) -> Option<Config> {
    let fields = root.object(FIELDS)?;
    let realm = fields.field("realm", REALM_DEFAULT.to_owned(), realm);
    let errors = fields.field("errors", Dialect::ProblemJson, |dialect| dialect.word(&DIALECTS));
    let problem_base = fields.field("problem_base", PROBLEM_BASE_DEFAULT.to_owned(), problem_base);
    let dry_run = fields.flag("dry_run");
    let tiers = tiers::read(&fields);
    let forward = forward::read(&fields);
    let issuers = issuers::read(&fields, &tiers, forward.as_ref(), environment);
    let api_keys = api_keys::read(&fields, &issuers, &tiers, forward.as_ref());
    let settlement_header = forward::settlement(&fields, forward.as_ref(), api_keys.as_ref().and_then(Option::as_ref));
    let districts = lists::districts(&fields);
    let stripped = forward
        .iter()
        .flat_map(|it| it.names().into_iter().map(|(_, name)| name))
        .chain(settlement_header.iter().flatten().map(String::as_str))
        .chain(api_keys.iter().flatten().map(|it| it.header.as_str()));
    let context = RouteContext {
        issuers: &issuers,
        tiers: &tiers,
        api_keys: api_keys.as_ref().and_then(Option::as_ref),
        has_api_keys: fields.get("api_keys").is_some(),
        stripped: &if names_hosts(&fields) { StripSet::with_hosts(stripped) } else { StripSet::new(stripped) },
    };
    let (routes, route_limits) = routes::read(&fields, &context);
    if context.has_api_keys {
        consistency::check_tiers(&issuers, routes.as_deref());
        routes::warn_of_keys(&fields, context.api_keys, &issuers, routes.as_deref().unwrap_or_default());
    }
    consistency::warn_of_shared_secrets(&issuers);
    let limits: Vec<_> = tiers.placed.iter().chain(&route_limits).collect();
    consistency::warn_of_unknown_keys(&limits, &issuers, context.api_keys);
    let opens = |issuer: &Issuer| issuer.keys().is_some() && issuer.rules.names.grants.districts.is_some();
    if fields.get("districts").is_some() && !issuers.list.iter().flatten().any(opens) {
        fields.warn("districts", "opens nothing, since no issuer has `claims.districts`");
    }
    let rate_limit_headers = rate_limit_headers(&fields);
    let authentication_failures = limit::authentication_failures(&fields);
    let filter_state = filter_state::read(&fields);
    let bounds = bounds(&fields);
    if dry_run == Some(true) {
        fields.warn("dry_run", "limits, cost, early scope and the end of retired credentials are not enforced");
    }
    Some(Config {
        realm: realm?,
        errors: errors?,
        problem_base: problem_base?,
        dry_run: dry_run?,
        issuers: issuers.list.into_iter().collect::<Option<_>>()?,
        api_keys: api_keys?,
        district_schools: districts?,
        tiers: tiers.list?,
        routes: routes?,
        forward: forward?,
        rate_limit_headers: rate_limit_headers?.0,
        rate_limit_headers_when_refused: rate_limit_headers?.1,
        authentication_failures: authentication_failures?.into(),
        settlement_header: settlement_header?,
        filter_state: filter_state?,
        bounds: bounds?,
        warnings: Vec::new(),
    })
}

/// Whether any route is one of certain hosts: then the headers go by which servers take another host.
fn names_hosts(fields: &Object<'_>) -> bool {
    let routes = fields.get("routes").and_then(|routes| routes.value().as_array());
    let host = |route: &Value| route.pointer("/match/host").is_some_and(|host| host != "*");
    routes.is_some_and(|routes| routes.iter().any(host))
}

/// It stands in a quoted string of `WWW-Authenticate`.
fn realm(reader: &Reader<'_>) -> Option<String> {
    let plain = |text: &str| {
        (1..=TEXT_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && b != b'"' && b != b'\\')
    };
    reader.string("1 to 256 of printable ASCII without quotes and backslashes", plain).map(str::to_owned)
}

/// It stands in JSON and is not escaped there.
fn problem_base(reader: &Reader<'_>) -> Option<String> {
    let plain = |text: &str| {
        text.len() <= TEXT_BYTES_MAX
            && (text.starts_with("https://") || text.starts_with("http://"))
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    };
    reader.string("the beginning of an http or https URL, at most 256 bytes", plain).map(str::to_owned)
}

/// Which fields, and whether refusals alone carry them.
#[inline(never)]
fn rate_limit_headers(fields: &Object<'_>) -> Option<(RateLimitHeaders, bool)> {
    let Some(reader) = fields.get("rate_limit_headers") else {
        return Some((RateLimitHeaders::Draft11, false));
    };
    if !reader.value().is_object() {
        return Some((rate_limit_fields(&reader)?, false));
    }
    let fields = reader.object(RATE_LIMIT_FIELDS)?;
    let which = fields.field("fields", RateLimitHeaders::Draft11, rate_limit_fields);
    let when_refused = fields.field("when", false, |when| when.word(&[("always", false), ("refused", true)]));
    if which == Some(RateLimitHeaders::Off) && fields.get("when").is_some() {
        fields.problem("when", "expected none beside `fields: off`");
    }
    Some((which?, when_refused?))
}

fn rate_limit_fields(reader: &Reader<'_>) -> Option<RateLimitHeaders> {
    let words = [
        ("draft-11", RateLimitHeaders::Draft11),
        ("x-ratelimit", RateLimitHeaders::XRateLimit),
        ("off", RateLimitHeaders::Off),
    ];
    if reader.is_off() { Some(RateLimitHeaders::Off) } else { reader.word(&words) }
}

#[inline(never)]
fn bounds(fields: &Object<'_>) -> Option<Bounds> {
    let Some(reader) = fields.get("bounds") else {
        return Some(Bounds {
            token_bytes_max: TOKEN_BYTES_DEFAULT as usize,
            cached_tokens_max: CACHED_TOKENS_DEFAULT as usize,
            cached_bytes_max: CACHED_BYTES_DEFAULT as usize,
            waiters_max: WAITERS_DEFAULT as usize,
            retry_after_max: RETRY_AFTER_DEFAULT,
        });
    };
    let fields = reader.object(BOUND_FIELDS)?;
    let number = |name: &str, default, range| {
        fields.field(name, default, |field| field.integer(range)).map(|number| number as usize)
    };
    let token_bytes_max = number("max_token_bytes", TOKEN_BYTES_DEFAULT, schema::TOKEN_BYTES);
    let cached_tokens_max = number("max_cached_tokens", CACHED_TOKENS_DEFAULT, schema::CACHED_TOKENS);
    let cached_bytes_max = number("max_cached_bytes", CACHED_BYTES_DEFAULT, schema::CACHED_BYTES);
    let waiters_max = number("max_waiters", WAITERS_DEFAULT, schema::WAITERS);
    let retry_after_max =
        fields.field("max_retry_after", RETRY_AFTER_DEFAULT, |longest| longest.duration(schema::RETRY_AFTER));
    Some(Bounds {
        token_bytes_max: token_bytes_max?,
        cached_tokens_max: cached_tokens_max?,
        cached_bytes_max: cached_bytes_max?,
        waiters_max: waiters_max?,
        retry_after_max: retry_after_max?,
    })
}
