//! Which headers clients may not send, by the configuration.

use crate::config::Config;
use crate::route::{HostMatch, Route};
use crate::scope::{Place, Rule};
use crate::strip::StripSet;

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
        Rule { place: Place::Header(name), .. } => Some(name.as_str()),
        _ => None,
    })
}
