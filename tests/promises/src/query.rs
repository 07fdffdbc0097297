//! Query scope: what passes is in scope for every server.

use std::num::NonZeroU32;

use hallpass::http::head::Head;
use hallpass::http::path::{Pattern, RawPath};
use hallpass::http::query::overrides_method;
use hallpass::policy::cost::{self, Factor};
use hallpass::policy::scope::{self, Location, Missing, ScopeCheck, ScopeRule};
use upstreams::query::{self, LOOKUPS};

use crate::{GRANTED, line};

const NAMES: [&str; 5] = ["school_id", "filter[school]", "ids[]", "schoolId", "id"];

/// Where servers read the method of a POST, see `hallpass::http::query`.
const METHOD_OVERRIDES: [&str; 4] = ["_method", "X-HTTP-Method-Override", "X-HTTP-Method", "x-tunneled-method"];

/// The first line names the protected parameter, the second is the query.
pub fn query(data: &[u8]) {
    let (first, rest) = line(data);
    let name = NAMES[usize::from(first.first().copied().unwrap_or_default()) % NAMES.len()];
    let target = [b"/s/x/?", line(rest).0].concat();
    let Ok(path) = RawPath::parse(&target) else { return };
    let query = path.query.unwrap_or_default();
    check_ids(name, &path, query, first.get(1) == Some(&b','));
    judge_cost(name, query);
}

fn check_ids(name: &str, path: &RawPath<'_>, query: &str, with_commas: bool) {
    let Some(ids) = passing(name, path, with_commas) else { return };
    for reader in query::all() {
        for value in (reader.read)(query, name) {
            let parts: Vec<&str> = if with_commas { value.split(',').collect() } else { vec![&value] };
            let is_judged = parts.iter().all(|part| GRANTED.contains(part) && ids.iter().any(|id| id == part));
            assert!(is_judged, "{} reads {value:?} of {name} in {query:?}", reader.name);
        }
    }
    for (reader, name) in LOOKUPS.iter().flat_map(|it| METHOD_OVERRIDES.map(|name| (it, name))) {
        let is_read = (reader.read)(query, name).iter().any(|method| !method.is_empty());
        assert!(!is_read, "{} reads another method ({name}) in {query:?}", reader.name);
    }
}

/// The ids of a query that passes; `None`: it is refused.
pub(crate) fn passing(name: &str, path: &RawPath<'_>, with_commas: bool) -> Option<Vec<String>> {
    let separator = with_commas.then_some(',');
    let rule = ScopeRule { place: Location::Query(name.to_owned()), missing: Missing::Allow, separator };
    let head = Head::from_pairs(&[(":method", "POST")]).ending(true);
    // As of every request, before its route is known.
    if path.query.is_some_and(overrides_method) {
        return None;
    }
    let ids = scope::requested(&rule, &head, path, &Pattern::parse("/").ok()?).ok()?;
    let is_granted = scope::check(&rule, &ids, |id| GRANTED.contains(&id)) == ScopeCheck::Granted;
    is_granted.then(|| ids.iter().map(ToString::to_string).collect())
}

/// What a server takes for the number of things to return, the cost covers.
fn judge_cost(name: &str, query: &str) {
    let default = NonZeroU32::MIN;
    let rule = cost::CostRule { weight: NonZeroU32::MIN, factor: Factor::Query { name: name.to_owned(), default } };
    let Ok(charged) = cost::of(&rule, Some(query), 0) else { return };
    for reader in query::all() {
        for value in (reader.read)(query, name) {
            let asked = value.parse::<f64>().unwrap_or(f64::INFINITY);
            let covered = asked <= f64::from(charged) || charged == u32::MAX;
            assert!(covered, "{} reads {value:?} of {name} in {query:?}, charged {charged}", reader.name);
        }
    }
}
