//! `routes`: what requests match, what callers must show, what requests cost, and contradictions between routes.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::issuers::Issuers;
use super::limit::{self, Placed};
use super::name;
use super::reader::{Object, Reader};
use super::{Forward, scope};
use crate::cost::{self, Factor};
use crate::path::Pattern;
use crate::route::{self, Credential, HostMatch, Route};
use crate::scope::Place;

const FIELDS: &[&str] =
    &["match", "require", "issuers", "scope", "cost", "address_limits", "cors_preflight", "upgrades", "open_subtree"];
const MATCH_FIELDS: &[&str] = &["host", "path", "methods"];
const COST_FIELDS: &[&str] = &["weight", "times"];
const TIMES_FIELDS: &[&str] = &["query", "default"];
/// Most routes: every request looks at them in turn.
const ROUTES_MAX: usize = 1_000;
/// Most methods, credentials and issuers of one route.
const NAMES_MAX: usize = 64;
/// Largest weight, and largest assumed factor.
const COST_MAX: u32 = 1_000_000;

/// Reads `routes`, at least one.
pub(super) fn read<'a>(fields: &Object<'a>, issuers: &Issuers<'a>, forward: Option<&Forward>) -> Option<Vec<Route>> {
    let reader = fields.required("routes")?;
    let items = reader.items(ROUTES_MAX)?;
    if items.is_empty() {
        reader.problem("expected at least one route, got none");
    }
    // The budgets of an address are kept by path template, so only limits within one share any.
    let mut address_limits: BTreeMap<String, Vec<Placed<'a>>> = BTreeMap::new();
    let routes: Vec<_> = items.iter().map(|item| route(item, issuers, forward, &mut address_limits)).collect();
    for limits in address_limits.values() {
        limit::agree(limits);
    }
    let routes: Vec<Route> = routes.into_iter().collect::<Option<_>>()?;
    for (index, by) in route::unreachable(&routes) {
        if let Some(item) = items.get(index) {
            item.problem(format_args!("never reached, since routes[{by}] matches all of its requests first"));
        }
    }
    warn_unused(&routes, issuers);
    Some(routes)
}

fn warn_unused(routes: &[Route], issuers: &Issuers<'_>) {
    for (index, reader) in issuers.readers.iter().enumerate() {
        if !routes.iter().any(|route| route.issuers.contains(&index)) {
            reader.warn("no route accepts tokens of this issuer");
        }
    }
}

fn route<'a>(
    reader: &Reader<'a>,
    issuers: &Issuers<'a>,
    forward: Option<&Forward>,
    address_limits: &mut BTreeMap<String, Vec<Placed<'a>>>,
) -> Option<Route> {
    let fields = reader.object(FIELDS)?;
    let matched = fields.required("match").and_then(|reader| matching(&reader));
    let require = fields.field("require", vec![Credential::Bearer], |list| {
        list.list(1, |item| item.word(&[("bearer", Credential::Bearer)]))
    });
    let accepted = accepted(&fields, issuers, require.as_deref());
    let scope = fields.maybe("scope", |scope| scope::read(scope, forward));
    let cost = cost(&fields);
    let limits = fields.field("address_limits", Vec::new(), limit::of_address);
    let flags = (fields.flag("cors_preflight"), fields.flag("upgrades"), fields.flag("open_subtree"));
    let (matched, open_subtree) = (matched?, flags.2?);
    let placed = address_limits.entry(matched.path.template.clone()).or_default();
    placed.extend(limits.iter().flatten().cloned());
    let route = Route {
        host: matched.host,
        path: matched.path,
        methods: matched.methods,
        require: require?,
        issuers: accepted?,
        scope: scope?,
        cost: cost?,
        address_limits: limits?.into_iter().map(|placed| placed.limit).collect(),
        cors_preflight: flags.0?,
        upgrades: flags.1?,
    };
    if route.require.is_empty() {
        judge_open(&fields, &route, open_subtree);
    } else {
        judge_guarded(&fields, &route, open_subtree, issuers);
    }
    Some(route)
}

struct Matching {
    host: HostMatch,
    path: Pattern,
    methods: Vec<String>,
}

fn matching(reader: &Reader<'_>) -> Option<Matching> {
    let fields = reader.object(MATCH_FIELDS)?;
    let host = fields.field("host", HostMatch::Any, host);
    let path = fields.required("path").and_then(|path| {
        let text = path.string("a path", |_| true)?;
        Pattern::parse(text).map_err(|error| path.problem(error)).ok()
    });
    let methods = fields.field("methods", Vec::new(), |list| {
        list.strings(NAMES_MAX, "a method in upper case, other than CONNECT", is_method)
    });
    if fields.get("methods").is_some() && methods.as_ref().is_some_and(Vec::is_empty) {
        fields.problem("methods", "expected at least one method, got none; leave it out for all");
    }
    Some(Matching { host: host?, path: path?, methods: methods? })
}

fn is_method(method: &str) -> bool {
    name::is_token(method) && !method.bytes().any(|b| b.is_ascii_lowercase()) && method != "CONNECT"
}

/// `example.com`, `*.example.com`, or `*`.
fn host(reader: &Reader<'_>) -> Option<HostMatch> {
    let what = "a host such as `api.example.com` or `*.example.com`, without port";
    let text = reader.string(what, |text| text == "*" || is_host(text.strip_prefix("*.").unwrap_or(text)))?;
    let lower = text.to_ascii_lowercase();
    Some(match lower.strip_prefix('*') {
        Some("") => HostMatch::Any,
        Some(suffix) => HostMatch::Suffix(suffix.to_owned()),
        None => HostMatch::Exact(lower),
    })
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    host.len() <= 253 && host.split('.').all(label)
}

/// Issuers by index; an open route has none.
fn accepted(fields: &Object<'_>, issuers: &Issuers<'_>, require: Option<&[Credential]>) -> Option<Vec<usize>> {
    let is_open = require.is_some_and(<[_]>::is_empty);
    let Some(reader) = fields.get("issuers") else {
        let all = if is_open { 0 } else { issuers.names.len() };
        if all == 0 && !is_open && !issuers.unreadable {
            fields.problem("require", "expected `issuers` at the top level, got none; an open route has `require: []`");
            return None;
        }
        return Some((0..all).collect());
    };
    let accepted = reader.list(NAMES_MAX, |item| {
        let name = item.string("an issuer's name", name::is_text)?;
        let found = issuers.names.iter().position(|issuer| *issuer == Some(name));
        // A misspelt name may belong to an issuer whose own name has a problem.
        if found.is_none() && !issuers.unreadable && !issuers.names.contains(&None) {
            item.problem(format_args!("expected the name of one of `issuers`, got `{}`", name.escape_default()));
        }
        found
    })?;
    if is_open || accepted.is_empty() {
        let what = if is_open { "no issuers on an open route" } else { "at least one issuer, got none" };
        reader.problem(format_args!("expected {what}"));
        return None;
    }
    Some(accepted)
}

/// A weight, or a weight times a number of the request.
fn cost(fields: &Object<'_>) -> Option<cost::Rule> {
    let weight = |reader: &Reader<'_>| reader.integer(1..=COST_MAX).and_then(NonZeroU32::new);
    let Some(reader) = fields.get("cost") else {
        return Some(cost::Rule { weight: NonZeroU32::MIN, factor: Factor::One });
    };
    if reader.value().is_number() {
        return Some(cost::Rule { weight: weight(&reader)?, factor: Factor::One });
    }
    if !reader.value().is_object() {
        reader.expected("a whole number or an object");
        return None;
    }
    let fields = reader.object(COST_FIELDS)?;
    let weight = fields.field("weight", NonZeroU32::MIN, weight);
    let factor = fields.field("times", Factor::One, factor);
    Some(cost::Rule { weight: weight?, factor: factor? })
}

fn factor(reader: &Reader<'_>) -> Option<Factor> {
    if !reader.value().is_object() {
        reader.word(&[("schools", ())])?;
        return Some(Factor::Schools);
    }
    let fields = reader.object(TIMES_FIELDS)?;
    let name = fields.required("query").and_then(|name| name.string("a query parameter's name", name::is_text));
    let default =
        fields.required("default").and_then(|default| default.integer(1..=COST_MAX).and_then(NonZeroU32::new));
    Some(Factor::Query { name: name?.to_owned(), default: default? })
}

/// An open route has no caller: nothing to scope, to charge or to choose issuers for.
fn judge_open(fields: &Object<'_>, route: &Route, open_subtree: bool) {
    if fields.get("scope").is_some() {
        fields.problem("scope", "expected none on an open route, which has no caller");
    }
    if fields.get("cost").is_some() {
        fields.problem("cost", "expected none on an open route, which charges nobody");
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

fn judge_guarded(fields: &Object<'_>, route: &Route, open_subtree: bool, issuers: &Issuers<'_>) {
    if open_subtree {
        fields.problem("open_subtree", "expected only on an open route");
    }
    let Some(scope) = &route.scope else {
        if route.cost.factor == Factor::Schools {
            fields.problem("cost.times", "expected `scope` as well, without which no school is read");
        }
        return;
    };
    if let Place::Path(variable) = &scope.place
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
