//! Paths and routes: whatever route hallpass judges by, no server routes to another that asks for more.

use std::rc::Rc;

use hallpass::http::path::{Pattern, RawPath};
use hallpass::policy::cost::{self, Factor};
use hallpass::policy::route::{self, Found, HostMatch, Route};
use upstreams::path::ALL;

use crate::{GRANTED, line};

/// What the routes are to the upstream. First match wins, here as there.
const TEMPLATES: [(&str, Class); 8] = [
    ("/admin/", Class::Guarded),
    ("/a/secret", Class::Guarded),
    ("/s/{id}/pupils", Class::School),
    ("/s/{id}", Class::School),
    ("/a/b", Class::Open),
    ("/a/", Class::Plain),
    ("/s/", Class::Plain),
    ("/", Class::Plain),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Asks for a token.
    Guarded,
    /// Asks for a school.
    School,
    /// Open.
    Open,
    /// Everything else.
    Plain,
}

/// The first line is the path.
pub fn path(data: &[u8]) {
    let (raw, _) = line(data);
    let Ok(path) = RawPath::parse(raw) else { return };
    let routes = routes();
    let Found::Route(index) = route::find(&routes, b"a", &path, b"GET", false) else { return };
    let class = TEMPLATES[index].1;
    let id = match routes[index].path.variable(&path, "id") {
        None => None,
        Some(Ok(id)) if GRANTED.contains(&id.as_ref()) => Some(id),
        Some(_) => return,
    };
    for reader in ALL {
        let Some(segments) = (reader.read)(path.path) else { continue };
        let (read, read_id) = classify(&segments, reader.ignores_case);
        let is_weaker = match class {
            Class::Guarded => false,
            Class::School => read == Class::Guarded || (read == Class::School && read_id != id.as_deref()),
            Class::Open | Class::Plain => matches!(read, Class::Guarded | Class::School),
        };
        assert!(!is_weaker, "{} reads {raw:?} as {segments:?}, judged as {class:?}", reader.name, raw = path.path);
    }
}

fn routes() -> Vec<Route> {
    let route = |(template, class): &(&str, Class)| Route {
        host: HostMatch::Any,
        path: Pattern::parse(template).unwrap_or_else(|error| panic!("{template}: {error}")),
        methods: Vec::new(),
        require: if *class == Class::Open { Vec::new() } else { vec![route::Credential::Bearer] },
        quorum: route::Quorum::All,
        issuers: Vec::new(),
        scope: None,
        districts: None,
        one_required: false,
        permissions: Vec::new(),
        body: None,
        cost: cost::CostRule { weight: std::num::NonZeroU32::MIN, factor: Factor::One },
        address_limits: Rc::new([]),
        failure_limits: Rc::new([]),
        tiers: Vec::new(),
        tier_budgets: Vec::new(),
        cors_preflight: false,
        upgrades: false,
    };
    TEMPLATES.iter().map(route).collect()
}

/// The upstream's own routes, by the segments that it has read.
fn classify(segments: &[String], ignores_case: bool) -> (Class, Option<&str>) {
    let is = |segment: &str, literal: &str| {
        if ignores_case { segment.eq_ignore_ascii_case(literal) } else { segment == literal }
    };
    match segments {
        [first, _, ..] if is(first, "admin") => (Class::Guarded, None),
        [first, second] if is(first, "a") && is(second, "secret") => (Class::Guarded, None),
        [first, id, third] if is(first, "s") && is(third, "pupils") && !id.is_empty() => (Class::School, Some(id)),
        [first, id] if is(first, "s") && !id.is_empty() => (Class::School, Some(id)),
        [first, second] if is(first, "a") && is(second, "b") => (Class::Open, None),
        _ => (Class::Plain, None),
    }
}
