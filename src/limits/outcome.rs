//! What came of a charge: for the answer's `RateLimit` fields, for the refusal, and for settling later.

use std::rc::Rc;
use std::time::Duration;

use smallvec::SmallVec;

use super::charge::Charge;
use super::key::SlotId;
use super::policy_template::PolicyTemplate;
use super::slots::Slots;
use super::{Limit, UNIT, Unit};
use crate::values::time::{Timestamp, micros};

/// How one charge stands. The evaluations are in the order of the charge's limits.
#[derive(Clone, Debug)]
pub(super) struct Reservation {
    pub(super) charge: Charge,
    /// Where the key's entry is.
    pub(super) slot: SlotId,
    pub(super) evaluations: Vec<Evaluation>,
}

/// How one limit of a charge stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evaluation {
    /// Micro-units in use as the request leaves them.
    pub(super) level: u64,
    /// Microseconds until nothing is in use.
    pub(super) reset: u64,
    pub(super) wait: Wait,
    /// Whether it was judged by the overflow entry.
    pub(super) overflow: bool,
    pub(super) posted: Option<Posted>,
}

/// What a refund must know of an admission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posted {
    /// Micro-units in use right after.
    pub(super) level: u64,
    pub(super) stamp: u64,
    pub(super) outflow: u64,
    pub(super) refunded: u64,
}

/// Whether a request must wait for a limit; ordered by how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wait {
    /// No.
    #[default]
    None,
    /// So many microseconds: then it is admitted, if nothing else is charged meanwhile.
    Micros(u64),
    /// The request asks for more than the limit ever holds.
    Never,
}

/// What came of a call of [`super::ledger::reserve`].
#[derive(Debug)]
#[must_use = "a denied charge has taken nothing"]
pub struct Outcome {
    /// Whether everything was charged; else nothing was.
    pub admitted: bool,
    /// The request asks for more than one of the limits ever holds: waiting never helps.
    pub never: bool,
    /// Until the limit that binds longest admits the request; zero if it was admitted or `never` is set.
    pub retry_after: Duration,
    /// Whether any limit was judged by a budget that the newcomers of a full slot share.
    pub overflow: bool,
    /// How every limit of every charge stands, in the caller's order.
    pub statuses: Vec<LimitStatus>,
    /// Proof of the charge, if everything was charged.
    pub receipt: Option<Receipt>,
}

/// Proof of a charge that was taken. It is used up by what settles it, so nothing is given back twice.
#[derive(Debug)]
pub struct Receipt {
    /// Nearly always one.
    pub(super) reservations: SmallVec<[Reservation; 1]>,
}

/// One limit as the caller may be told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitStatus {
    /// Which charge, in the caller's order.
    pub charge: usize,
    /// Units that the limit holds when nothing is used.
    pub capacity: u64,
    /// Whole units that are left after this request, rounded down.
    pub remaining: u64,
    /// Until everything is left again.
    pub reset_after: Duration,
    /// The advertised window, the time from empty to full, where it is not the same at all times: a month.
    pub window: Option<Duration>,
    wait: Wait,
    limit: usize,
    limits: Rc<[Limit]>,
}

impl LimitStatus {
    /// The limit's name.
    pub fn name(&self) -> &str {
        self.limits.get(self.limit).map_or("", |limit| &limit.name)
    }

    /// How the limit is told to clients.
    pub(crate) fn policy_template(&self) -> Option<&PolicyTemplate> {
        self.limits.get(self.limit).map(|limit| &limit.policy_template)
    }

    /// What the limit counts.
    pub fn unit(&self) -> Unit {
        self.limits.get(self.limit).map_or(Unit::Requests, |limit| limit.unit)
    }

    /// How it stands `elapsed` later, if it refused and nothing but time has happened.
    pub(super) fn let_pass(&mut self, elapsed: Duration) {
        self.reset_after = self.reset_after.saturating_sub(elapsed);
        if let Wait::Micros(wait) = &mut self.wait {
            *wait = wait.saturating_sub(micros(elapsed)).max(1);
        }
    }

    /// Until this limit admits the request, if it refused and ever does.
    pub const fn wait(&self) -> Duration {
        match self.wait {
            Wait::Micros(micros) => Duration::from_micros(micros),
            Wait::None | Wait::Never => Duration::ZERO,
        }
    }

    /// Whether this limit refused.
    pub const fn refuses(&self) -> bool {
        !matches!(self.wait, Wait::None)
    }
}

impl Outcome {
    pub(super) fn new(reservations: SmallVec<[Reservation; 1]>, admitted: bool, now: Timestamp) -> Self {
        let evaluations = || reservations.iter().flat_map(|reservation| &reservation.evaluations);
        let wait = evaluations().map(|evaluation| evaluation.wait).max().unwrap_or_default();
        let retry_after = match wait {
            Wait::Micros(micros) => Duration::from_micros(micros),
            Wait::None | Wait::Never => Duration::ZERO,
        };
        let mut statuses = Vec::with_capacity(evaluations().count());
        for (charge, reservation) in reservations.iter().enumerate() {
            statuses.extend(reservation.statuses(charge, now));
        }
        Self {
            admitted,
            never: wait == Wait::Never,
            retry_after,
            overflow: evaluations().any(|evaluation| evaluation.overflow),
            statuses,
            receipt: admitted.then_some(Receipt { reservations }),
        }
    }

    /// There is room; nothing was charged, so nothing is told of how it stands.
    pub(super) const fn room() -> Self {
        Self {
            admitted: true,
            never: false,
            retry_after: Duration::ZERO,
            overflow: false,
            statuses: Vec::new(),
            receipt: None,
        }
    }

    /// The limits that refused, the one that binds longest first.
    pub fn refusing(&self) -> Vec<&LimitStatus> {
        let mut refusing: Vec<&LimitStatus> = Vec::new();
        for status in self.statuses.iter().filter(|status| status.refuses()) {
            let place = refusing.partition_point(|before| before.wait >= status.wait);
            refusing.insert(place, status);
        }
        refusing
    }

    /// Their names.
    pub fn violated(&self) -> impl Iterator<Item = &str> {
        self.refusing().into_iter().map(LimitStatus::name)
    }
}

impl Reservation {
    /// A charge that was not judged yet.
    pub(super) fn new(slots: &impl Slots, charge: Charge) -> Self {
        Self { slot: slots.slot_of(&charge.key), evaluations: vec![Evaluation::default(); charge.limits.len()], charge }
    }

    fn statuses(&self, charge: usize, now: Timestamp) -> impl Iterator<Item = LimitStatus> {
        let limits = self.charge.limits.iter().zip(&self.evaluations).enumerate();
        limits.map(move |(nth, (limit, evaluation))| LimitStatus {
            charge,
            capacity: limit.capacity(),
            remaining: limit.level_max().saturating_sub(evaluation.level) / UNIT,
            reset_after: Duration::from_micros(evaluation.reset),
            window: (!limit.window.has_one_length()).then(|| limit.window.refill_time(now)),
            wait: evaluation.wait,
            limit: nth,
            limits: Rc::clone(&self.charge.limits),
        })
    }
}
