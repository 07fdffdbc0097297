//! Conflicts between the rules of one route: a request that names what one rule looks for is refused by the other.

use super::name;
use super::reader::Object;
use crate::http::body::{self, Pointer};
use crate::http::query;
use crate::policy::cost::Factor;
use crate::policy::route::Route;
use crate::policy::scope::{Location, ScopeRule};

/// What a rule looks for in a request.
#[derive(Clone, Copy)]
enum Sought<'a> {
    /// A query parameter.
    Parameter(&'a str),
    /// A header.
    Header(&'a str),
    /// A member of the body: ids, or a number.
    Member(&'a Pointer, bool),
}

/// Refuses rules of which no request can satisfy both.
#[inline(never)]
pub(super) fn check(fields: &Object<'_>, route: &Route) {
    let schools = route.scope.as_ref().and_then(of_scope).map(|it| ("scope.schools", it));
    let districts = route.districts.as_ref().and_then(of_scope).map(|it| ("scope.districts", it));
    let cost = of_cost(&route.cost.factor).map(|it| ("cost.times", it));
    let all: Vec<_> = [schools, districts, cost].into_iter().flatten().collect();
    for (nth, (field, one)) in all.iter().enumerate() {
        let mut before = all.iter().take(nth);
        if let Some((first, _)) = before.find(|(_, other)| one.refuses(*other) || other.refuses(*one)) {
            let why = "a request that names both is refused, since servers may take one for the other";
            fields.problem(field, format_args!("expected another name than that of `{first}`; {why}"));
        }
    }
}

fn of_scope(rule: &ScopeRule) -> Option<Sought<'_>> {
    match &rule.place {
        Location::Query(name) => Some(Sought::Parameter(name)),
        Location::Header(name) => Some(Sought::Header(name)),
        Location::Body(pointer) => Some(Sought::Member(pointer, false)),
        // Its name is in no request.
        Location::Path(_) => None,
    }
}

const fn of_cost(factor: &Factor) -> Option<Sought<'_>> {
    match factor {
        Factor::Query { name, .. } => Some(Sought::Parameter(name.as_str())),
        Factor::Body { pointer, .. } => Some(Sought::Member(pointer, true)),
        Factor::One | Factor::Schools => None,
    }
}

impl Sought<'_> {
    /// Whether the rule that looks for this refuses a request that has the other.
    fn refuses(self, other: Sought<'_>) -> bool {
        match (self, other) {
            (Self::Parameter(own), Sought::Parameter(name)) => query::values(&query_of(name), own).is_err(),
            (Self::Member(own, _), Sought::Parameter(name)) => body::is_overridden(&query_of(name), own),
            (Self::Header(own), Sought::Header(name)) => own != name && name::fold(own) == name::fold(name),
            (Self::Member(own, is_number), Sought::Member(other, is_other_number)) => {
                own.clashes(other) || (own == other && is_number != is_other_number)
            }
            _ => false,
        }
    }
}

fn query_of(name: &str) -> String {
    [name, "=1"].concat()
}
