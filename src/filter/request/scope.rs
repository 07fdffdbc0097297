//! Scope: which schools and districts the caller may see, of those that the head of the request names.

use super::plan::{raw_path, scope_denial};
use super::{Request, Step};
use crate::answer::denial::Denial;
use crate::filter::worker::Worker;
use crate::http::head::Head;
use crate::http::path::RawPath;
use crate::policy::route::Route;
use crate::policy::scope::{self, ScopeCheck, ScopeRule};

/// What ids stand for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dimension {
    /// Schools.
    Schools,
    /// Districts.
    Districts,
}

impl Dimension {
    pub(super) const ALL: [Self; 2] = [Self::Schools, Self::Districts];

    pub(super) const fn rule(self, route: &Route) -> Option<&ScopeRule> {
        match self {
            Self::Schools => route.scope.as_ref(),
            Self::Districts => route.districts.as_ref(),
        }
    }

    const fn denial(self, verdict: ScopeCheck) -> Option<Denial> {
        match (self, verdict) {
            (_, ScopeCheck::Granted) => None,
            (Self::Schools, ScopeCheck::OutOfScope) => Some(Denial::SchoolOutOfScope),
            (Self::Districts, ScopeCheck::OutOfScope) => Some(Denial::DistrictOutOfScope),
            (Self::Schools, ScopeCheck::Missing) => Some(Denial::SchoolMissing),
            (Self::Districts, ScopeCheck::Missing) => Some(Denial::ScopeMissing),
        }
    }
}

impl Request {
    /// Checks what the head names; then the body, if there is a rule for it.
    #[inline(never)]
    pub(super) fn scope<'h>(&mut self, worker: &mut Worker, head: &'h Head) -> Step<'h> {
        let Some(path) = raw_path(head) else {
            return self.deny(worker, Denial::Unavailable);
        };
        for dimension in Dimension::ALL {
            let denial = match self.check_head_scope(worker, head, &path, dimension) {
                Ok(None) => continue,
                Ok(Some(denial)) if self.reports_scope(worker, &denial) => continue,
                Ok(Some(denial)) | Err(denial) => denial,
            };
            return self.deny(worker, denial);
        }
        if self.route_of(worker).is_some_and(|route| route.body.is_some()) {
            return self.await_body(worker, head, &path);
        }
        match self.check_scope_named(worker) {
            Err(denial) => self.deny(worker, denial),
            Ok(()) => self.pass(worker),
        }
    }

    /// `Ok`: what the ids of one dimension call for; `Err`: what cannot be told must be refused, also in a dry run.
    #[inline(never)]
    fn check_head_scope(
        &mut self,
        worker: &Worker,
        head: &Head,
        path: &RawPath<'_>,
        dimension: Dimension,
    ) -> Result<Option<Denial>, Denial> {
        let Some(route) = self.route_of(worker) else {
            return Err(Denial::Unavailable);
        };
        let Some(rule) = dimension.rule(route) else {
            return Ok(None);
        };
        let requested = scope::requested(rule, head, path, &route.path).map_err(scope_denial)?;
        if rule.is_in_body() {
            return Ok(None);
        }
        self.check_ids(worker, dimension, rule, &requested)
    }

    /// What the ids of one dimension call for.
    pub(super) fn check_ids<I: AsRef<str>>(
        &mut self,
        worker: &Worker,
        dimension: Dimension,
        rule: &ScopeRule,
        requested: &[I],
    ) -> Result<Option<Denial>, Denial> {
        let Some(caller) = &self.caller else {
            return Err(Denial::Unavailable);
        };
        let districts = &worker.config.district_schools;
        let verdict = scope::check(rule, requested, |id| match dimension {
            Dimension::Schools => caller.may_see(id, districts),
            Dimension::Districts => caller.may_see_district(id),
        });
        self.names_scope |= !requested.is_empty();
        Ok(dimension.denial(verdict))
    }

    /// Whether the request names as much as the route wants in all.
    pub(super) fn check_scope_named(&mut self, worker: &mut Worker) -> Result<(), Denial> {
        let wants_one = self.route_of(worker).is_some_and(|route| route.one_required);
        if wants_one && !self.names_scope && !self.reports_scope(worker, &Denial::ScopeMissing) {
            return Err(Denial::ScopeMissing);
        }
        Ok(())
    }

    /// Counts a denial of scope that is only reported; says whether it is.
    pub(super) fn reports_scope(&mut self, worker: &mut Worker, denial: &Denial) -> bool {
        let dry_run = worker.reports_only(self.tier());
        self.only_report(worker, dry_run, denial)
    }
}
