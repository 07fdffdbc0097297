//! Which headers clients may not send, by the configuration.

use crate::config::Config;
use crate::http::strip::StripSet;
use crate::policy::route::{HostMatch, Route};
use crate::policy::scope::{Location, ScopeRule};

/// The names that are removed from requests and from their trailers.
#[inline(never)]
pub(super) fn strip_set(config: &Config) -> StripSet {
    let mut names: Vec<&str> = config.forward.names().into_iter().map(|(_, name)| name).collect();
    names.extend(config.settlement_header.as_deref());
    names.extend(config.api_keys.iter().filter(|keys| !keys.forward).map(|keys| keys.header.as_str()));
    let judges_hosts = config.routes.iter().any(|route| route.host != HostMatch::Any);
    let set = if judges_hosts { StripSet::with_hosts(names) } else { StripSet::new(names) };
    let key = config.api_keys.iter().map(|keys| keys.header.as_str());
    let set = set.judging(key.chain(config.routes.iter().flat_map(scopes)));
    let is_basic_kept = config.api_keys.as_ref().is_none_or(|keys| keys.forward || !keys.basic);
    if is_basic_kept { set } else { set.and_basic() }
}

/// The headers that tell the scope of a request.
fn scopes(route: &Route) -> impl Iterator<Item = &str> {
    route.scope.iter().chain(&route.districts).filter_map(|rule| match rule {
        ScopeRule { place: Location::Header(name), .. } => Some(name.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::head::Head;

    /// A configuration with one route, on which only tokens open something.
    fn document() -> Value {
        let claims = json!({"client": "client_id", "tier": "tier", "schools": "schools"});
        json!({
            "issuers": [{"issuer": "https://a/", "claims": claims, "secrets": [{"alg": "HS256", "text": "k".repeat(32)}]}],
            "tiers": {"free": {"limits": []}},
            "routes": [{"match": {"path": "/a"}}]
        })
    }

    fn set(edits: &[(&str, Value)]) -> StripSet {
        let mut document = document();
        for (pointer, value) in edits {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            document.pointer_mut(parent).unwrap()[name] = value.clone();
        }
        let config = Config::from_bytes(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
        strip_set(&config)
    }

    /// Whether a header is removed from requests, and whether it is from trailers.
    #[track_caller]
    fn check(edits: &[(&str, Value)], name: &str, expected: (bool, bool)) {
        let set = set(edits);
        let trailers = Head::from_pairs(&[(name.as_bytes(), b"a")]);
        let is_in_trailers = set.trailers_to_remove(&trailers).next().is_some();
        assert_eq!((set.contains(name.as_bytes()), is_in_trailers), expected, "{name} of {edits:?}");
    }

    #[test]
    fn headers_that_are_set_are_removed_from_requests_and_trailers() {
        check(&[], "x-schools", (false, false));
        check(&[("/forward", json!({"schools": "x-schools"}))], "x-schools", (true, true));
        check(&[], "x-cost", (false, false));
        check(&[("/settlement_header", json!("x-cost"))], "x-cost", (true, true));
    }

    #[test]
    fn headers_of_the_host_are_removed_where_a_route_names_one() {
        check(&[], "x-forwarded-host", (false, false));
        check(&[("/routes/0/match/host", json!("*"))], "x-forwarded-host", (false, false));
        check(&[("/routes/0/match/host", json!("a.example"))], "x-forwarded-host", (true, true));
    }

    #[test]
    fn what_a_head_is_judged_by_is_removed_from_trailers() {
        check(&[], "authorization", (false, true));
        let scope = json!({"header": "x-id"});
        check(&[], "x-id", (false, false));
        check(&[("/routes/0/scope", json!({"schools": scope}))], "x-id", (false, true));
        check(&[("/routes/0/scope", json!({"schools": {"query": "x-id"}}))], "x-id", (false, false));
        let districts = ("/issuers/0/claims/districts", json!("districts"));
        check(&[districts, ("/routes/0/scope", json!({"districts": scope}))], "x-id", (false, true));
    }

    #[test]
    fn api_keys_are_removed_unless_they_are_forwarded() {
        let keys = |forward: bool, basic: bool| {
            let keys =
                json!({"header": "x-key", "forward": forward, "basic": basic, "inline": {"version": 1, "keys": []}});
            [("/api_keys", keys), ("/routes/0/require", json!(["api_key", "bearer"]))]
        };
        check(&keys(false, false), "x-key", (true, true));
        check(&keys(true, false), "x-key", (false, true));
        let basic = Head::from_pairs(&[(b"authorization", b"Basic YTpi")]);
        for (forward, accepted, expected) in [(false, false, 0), (false, true, 1), (true, true, 0)] {
            let set = set(&keys(forward, accepted));
            assert_eq!(set.names_to_remove(&basic).count(), expected, "{forward} {accepted}");
        }
    }
}
