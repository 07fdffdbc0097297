//! Retirement: where a credential stands by its class's schedule, once it is known to be good otherwise.

use super::Request;
use crate::answer::denial::{Denial, Retired};
use crate::credentials::retirement::{Class, Phase};
use crate::filter::metrics::Count;
use crate::filter::worker::Worker;

impl Request {
    /// Notes where a credential stands, and counts it; a denial if that is its end and the end is enforced.
    ///
    /// What counts is the arrival: a request that waits for keys or for its body crosses no boundary.
    pub(super) fn retire(&mut self, worker: &mut Worker, class: Class, client: &str) -> Option<Denial> {
        let notice = worker.config.retirement(class)?.notice(client, self.arrival);
        worker.metrics.count(Count::Retirement(class, notice.phase));
        self.throttled = self.throttled.or(notice.throttled_tier);
        let (is_over, replacement) = (notice.phase == Phase::Refused, notice.replacement.clone());
        self.retirement = Some(match self.retirement.take() {
            Some(other) => other.or_sooner(notice),
            None => notice,
        });
        if !is_over {
            return None;
        }
        let denial = Denial::CredentialRetired(Retired { replacement, is_token: class != Class::ApiKeys });
        let dry_run = worker.reports_only(self.tier());
        (!self.only_report(worker, dry_run, &denial)).then_some(denial)
    }
}
