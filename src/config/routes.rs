//! `routes`: what requests match, what callers must show, what requests cost, and contradictions between routes.

use std::net::Ipv4Addr;

use super::ApiKeys;
use super::access::{self, RouteContext};
use super::conflicts;
use super::issuers::Issuers;
use super::limit::{self, SpannedLimit};
use super::reader::{Object, Reader};
use super::route_tiers::{self, RouteTiers};
use super::schema::ROUTES_MAX;
use super::schema::routes::{MATCH, NAMES_MAX, ROUTE};
use super::scope::Scope;
use super::{cost, scope};
use crate::http::path::Pattern;
use crate::policy::cost::Factor;
use crate::policy::route::{self, Credential, HostMatch, Route, Shadow};
use crate::policy::scope::Location;
use crate::values::names::Names;

const FIELDS: &[&str] = &ROUTE.names::<{ ROUTE.count() }>();
const MATCH_FIELDS: &[&str] = &MATCH.names::<{ MATCH.count() }>();

/// Limits of addresses, of failures and of tiers on routes, by path template. Budgets are kept per template, so only limits of one template can
/// share a budget.
#[derive(Default)]
struct ByTemplate<'a> {
    templates: Names,
    /// By the position of the template.
    placed: Vec<[Vec<SpannedLimit<'a>>; 3]>,
}

impl<'a> ByTemplate<'a> {
    #[inline(never)]
    fn add(&mut self, template: &str, limits: [&[SpannedLimit<'a>]; 3]) {
        if self.templates.add(template).is_none() {
            self.placed.push([Vec::new(), Vec::new(), Vec::new()]);
        }
        let placed = self.templates.position(template).and_then(|at| self.placed.get_mut(at));
        for (placed, limits) in placed.into_iter().flatten().zip(limits) {
            placed.extend_from_slice(limits);
        }
    }
}

/// Reads `routes`, at least one; with them the limits that they add to those of tiers.
#[inline(never)]
pub(super) fn read<'a>(
    fields: &Object<'a>,
    context: &RouteContext<'_, 'a>,
) -> (Option<Vec<Route>>, Vec<SpannedLimit<'a>>) {
    let mut by_template = ByTemplate::default();
    let routes = fields.required("routes").and_then(|reader| list(&reader, context, &mut by_template));
    let of_tiers = by_template.placed.into_iter().flat_map(|[_, _, of_tiers]| of_tiers);
    (routes, of_tiers.collect())
}

#[inline(never)]
fn list<'a>(
    reader: &Reader<'a>,
    context: &RouteContext<'_, 'a>,
    by_template: &mut ByTemplate<'a>,
) -> Option<Vec<Route>> {
    let items = reader.items(ROUTES_MAX)?;
    if items.is_empty() {
        reader.problem("expected at least one route, got none");
    }
    let routes: Vec<_> = items.iter().map(|item| route(item, context, by_template)).collect();
    for limits in by_template.placed.iter().flatten() {
        limit::check_agreement(limits);
    }
    let routes: Vec<Route> = routes.into_iter().collect::<Option<_>>()?;
    check_shadowing(&items, &routes);
    warn_of_host_bypasses(&items, &routes);
    warn_of_bodies(&items, &routes);
    warn_unused(&routes, context.issuers);
    Some(routes)
}

/// A route whose requests an earlier one takes checks nothing.
#[inline(never)]
fn check_shadowing(items: &[Reader<'_>], routes: &[Route]) {
    let unreachable = route::unreachable(routes);
    for (index, by) in &unreachable {
        if let Some(item) = items.get(*index) {
            item.problem(format_args!("never reached, since routes[{by}] matches all of its requests first"));
        }
    }
    let is_reached = |later: usize| unreachable.iter().all(|(index, _)| *index != later);
    for Shadow { later, earlier, methods } in route::shadows(routes).into_iter().filter(|it| is_reached(it.later)) {
        let names = methods.join("`, `");
        match (items.get(later), routes.get(later).is_some_and(|route| route.methods.is_empty())) {
            (Some(item), true) => {
                item.warn_at(
                    "match",
                    format_args!("requests with `{names}` go to routes[{earlier}], which matches first"),
                );
            }
            (Some(item), false) => {
                let what = format_args!("`{names}` is never reached, since routes[{earlier}] matches it first");
                item.problem_at("match.methods", what);
            }
            (None, _) => {}
        }
    }
}

/// Clients choose the host, and so may avoid a route.
#[inline(never)]
fn warn_of_host_bypasses(items: &[Reader<'_>], routes: &[Route]) {
    for (later, earlier) in route::host_bypasses(routes) {
        if let Some(item) = items.get(later) {
            let what = format_args!("with another host, requests of routes[{earlier}] come here, which asks for less");
            item.warn_at("match.host", what);
        }
    }
}

/// Once, or many routes would drown all other warnings.
#[inline(never)]
fn warn_of_bodies(items: &[Reader<'_>], routes: &[Route]) {
    let judging = routes.iter().zip(items).filter(|(route, _)| route.body.is_some());
    if let Some((_, first)) = judging.into_iter().next() {
        let setting = "`allow_on_headers_stop_iteration: true` in Envoy's PluginConfig";
        first.warn_at("body", format_args!("the body is judged, which needs {setting}; without it requests hang"));
    }
}

/// Warns of settings of keys that have no effect.
#[inline(never)]
pub(super) fn warn_of_keys(fields: &Object<'_>, keys: Option<&ApiKeys>, issuers: &Issuers<'_>, routes: &[Route]) {
    if !routes.iter().any(|route| route.accepts(Credential::ApiKey)) {
        fields.warn("api_keys", "no route requires an API key");
    }
    let is_alone = routes.iter().any(Route::is_either);
    let Some(keys) = keys else {
        return;
    };
    let list = keys.source.inline();
    if !is_alone && list.is_some_and(|list| list.keys().any(|key| key.grants.is_some())) {
        let why = "no route has `require_any`, and beside a token they bound nothing";
        fields.warn("api_keys.inline", format_args!("`districts` and `schools` of keys do not count: {why}"));
    }
    if is_alone && keys.issuer.is_none() && issuers.names.len() > 1 {
        fields.warn("api_keys.issuer", "missing; a key and the tokens of its client have budgets of their own each");
    }
}

fn warn_unused(routes: &[Route], issuers: &Issuers<'_>) {
    for (index, reader) in issuers.readers.iter().enumerate() {
        if !routes.iter().any(|route| route.issuers.contains(&index)) {
            reader.warn("no route accepts tokens of this issuer");
        }
    }
}

#[inline(never)]
fn route<'a>(reader: &Reader<'a>, context: &RouteContext<'_, 'a>, by_template: &mut ByTemplate<'a>) -> Option<Route> {
    let fields = reader.object(FIELDS)?;
    let matched = fields.required("match").and_then(|reader| matching(&reader));
    let require = access::require(&fields, context);
    let accepted = access::accepted(&fields, context, require.as_ref());
    let scope = fields.field("scope", Scope::default(), |scope| scope::read(scope, context.stripped));
    let cost = cost::read(&fields);
    let permissions = access::permissions(&fields);
    let failure_limits = fields.field("failure_limits", Vec::new(), limit::of_address);
    let rules = scope.as_ref().map_or([None, None], |scope| [scope.schools.as_ref(), scope.districts.as_ref()]);
    let body = access::body(&fields, rules, cost.as_ref().map(|cost| &cost.factor));
    let of_tiers = route_tiers::read(&fields, context.tiers);
    let limits = fields.field("address_limits", Vec::new(), limit::of_address);
    let flags = (fields.flag("cors_preflight"), fields.flag("upgrades"), fields.flag("open_subtree"));
    let (matched, open_subtree) = (matched?, flags.2?);
    let tier_limits = of_tiers.as_ref().map(RouteTiers::limits);
    let placed = [&limits, &failure_limits, &tier_limits].map(|limits| limits.as_deref().unwrap_or_default());
    by_template.add(&matched.path.template, placed);
    let (scope, of_tiers) = (scope?, of_tiers?);
    let route = Route {
        host: matched.host,
        path: matched.path,
        methods: matched.methods,
        quorum: require.as_ref()?.quorum,
        require: require?.list,
        issuers: accepted?,
        tiers: of_tiers.allowed.clone(),
        tier_budgets: of_tiers.budgets(context.tiers.names.len()),
        scope: scope.schools,
        districts: scope.districts,
        one_required: scope.one_required,
        permissions: permissions?,
        body: body?,
        cost: cost?,
        address_limits: limits?.into_iter().map(|placed| placed.limit).collect(),
        failure_limits: failure_limits?.into_iter().map(|placed| placed.limit).collect(),
        cors_preflight: flags.0?,
        upgrades: flags.1?,
    };
    if route.require.is_empty() {
        check_open(&fields, &route, open_subtree);
    } else {
        check_guarded(&fields, &route, open_subtree, context.issuers);
    }
    access::check(&fields, &route);
    conflicts::check(&fields, &route);
    Some(route)
}

struct Matching {
    host: HostMatch,
    path: Pattern,
    methods: Vec<String>,
}

#[inline(never)]
fn matching(reader: &Reader<'_>) -> Option<Matching> {
    let fields = reader.object(MATCH_FIELDS)?;
    let host = fields.field("host", HostMatch::Any, host);
    let path = fields.required("path").and_then(|path| {
        let text = path.string("a path", |_| true)?;
        Pattern::parse(text).map_err(|error| path.problem(error)).ok()
    });
    let methods = fields.field("methods", Vec::new(), methods);
    if fields.get("methods").is_some() && methods.as_ref().is_some_and(Vec::is_empty) {
        fields.problem("methods", "expected at least one method, got none; leave it out for all");
    }
    Some(Matching { host: host?, path: path?, methods: methods? })
}

#[inline(never)]
fn methods(reader: &Reader<'_>) -> Option<Vec<String>> {
    let items = reader.items(NAMES_MAX)?;
    if let Some(item) = items.iter().find(|item| item.value().as_str() == Some("*")) {
        item.problem("expected a method by its name, got `*`; leave `methods` out for all");
        return None;
    }
    reader.strings(NAMES_MAX, "a method in upper case, other than CONNECT", &is_method)
}

/// Other characters of tokens are none of methods, but of patterns (`GET|POST`), which would match nothing.
fn is_method(method: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    !method.is_empty() && method.bytes().all(is_part) && method != "CONNECT"
}

/// `example.com`, `*.example.com`, or `*`.
#[inline(never)]
fn host(reader: &Reader<'_>) -> Option<HostMatch> {
    let what = "a host such as `api.example.com` or `*.example.com`, without port";
    let text = reader.string(what, |text| match text.strip_prefix("*.") {
        Some(domain) => is_domain(domain),
        None => text == "*" || is_host(text),
    })?;
    let lower = text.to_ascii_lowercase();
    Some(match lower.strip_prefix('*') {
        Some("") => HostMatch::Any,
        Some(suffix) => HostMatch::Suffix(suffix.to_owned()),
        None => HostMatch::Exact(lower),
    })
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    host.len() <= 253 && (route::is_name(host.as_bytes()) || route::is_ipv6(host.as_bytes()))
}

/// What may have names below it: nothing stands before an address.
fn is_domain(host: &str) -> bool {
    is_host(host) && !host.starts_with('[') && host.parse::<Ipv4Addr>().is_err()
}

/// An open route has no caller: nothing to scope, to charge or to choose issuers for.
#[inline(never)]
fn check_open(fields: &Object<'_>, route: &Route, open_subtree: bool) {
    if fields.get("scope").is_some() {
        fields.problem("scope", "expected none on an open route, which has no caller");
    }
    if fields.get("cost").is_some() {
        fields.problem("cost", "expected none on an open route, which charges nobody");
    }
    for name in ["tiers", "limits"].into_iter().filter(|name| fields.get(name).is_some()) {
        fields.problem(name, "expected none on an open route, which has no caller");
    }
    match (route.path.subtree, open_subtree) {
        (true, true) => fields.warn("open_subtree", "everything below this path is open"),
        (true, false) => fields.problem(
            "match.path",
            "expected an exact path on an open route, got one that ends in `/`; `open_subtree: true` allows it",
        ),
        (false, true) => fields.problem("open_subtree", "expected only with a path that ends in `/`"),
        (false, false) => {}
    }
}

#[inline(never)]
fn check_guarded(fields: &Object<'_>, route: &Route, open_subtree: bool, issuers: &Issuers<'_>) {
    if open_subtree {
        fields.problem("open_subtree", "expected only on an open route");
    }
    access::check_claims(fields, route, issuers);
    let Some(scope) = &route.scope else {
        if route.cost.factor == Factor::Schools {
            fields.problem("cost.times", "expected `scope` as well, without which no school is read");
        }
        return;
    };
    if let Location::Path(variable) = &scope.place
        && !route.path.has_variable(variable)
    {
        fields.problem("scope.schools.path", "expected a variable of `match.path`");
    }
    for index in &route.issuers {
        let issuer = issuers.list.get(*index).and_then(Option::as_ref);
        if let Some(issuer) = issuer.filter(|issuer| issuer.rules.names.schools.is_none()) {
            let name = issuer.rules.issuer.escape_default();
            fields.problem("scope.schools", format_args!("expected `claims.schools` at the issuer `{name}`"));
        }
    }
}
