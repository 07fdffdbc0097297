//! Buckets and quotas of several keys against a slow model: a queue of charges with what of each is in use, in exact
//! arithmetic, and the calendar of `chrono`. What is told (waits, what is left, until when) is tried out.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::limits::outcome::Receipt;
use crate::limits::slot::Seat;
use crate::limits::{UNIT, Window};

/// Parts of a micro-unit: every `per` of these tests divides it.
const PARTS: i128 = 3_600_000_000;
const SECOND: Duration = Duration::from_secs(1);

/// What one key used of one limit.
#[derive(Clone, Default)]
struct Usage {
    /// Charges, oldest first: their numbers, and what of them is in use, in parts.
    queue: Vec<(usize, i128)>,
    stamp: u64,
    /// What was rounded against the client, in parts.
    slack: i128,
    refunds: usize,
}

struct Taken {
    number: usize,
    key: u8,
    charge: Charge,
    /// How many refunds each budget had seen.
    refunds: Vec<usize>,
    receipt: Receipt,
}

struct World {
    slots: Memory,
    limits: Vec<Limit>,
    budgets: HashMap<(u8, usize), Usage>,
    taken: Vec<Taken>,
    now: Timestamp,
    rng: StdRng,
    asked: usize,
}

fn parts(units: u64) -> i128 {
    i128::from(units) * i128::from(UNIT) * PARTS
}

/// When the period of a moment began.
fn period(period: Period, micros: u64) -> u64 {
    let at = DateTime::from_timestamp_micros(micros.try_into().unwrap()).unwrap();
    let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).unwrap().and_utc();
    let day = at.date_naive();
    let start = match period {
        Period::Hour => midnight(day) + TimeDelta::hours(i64::from(chrono::Timelike::hour(&at))),
        Period::Day => midnight(day),
        Period::Month => midnight(day.with_day(1).unwrap()),
    };
    assert!(start <= at && at < start.checked_add_months(Months::new(1)).unwrap());
    start.timestamp_micros().try_into().unwrap()
}

impl Usage {
    fn level(&self) -> i128 {
        self.queue.iter().map(|(_, left)| left).sum()
    }

    fn seen(&self, limit: &Limit, now: Timestamp) -> Self {
        let mut seen = self.clone();
        match limit.window {
            Window::Bucket { amount, per, .. } => {
                let pace =
                    i128::from(amount.get()) * i128::from(UNIT) * (PARTS / i128::try_from(per.as_micros()).unwrap());
                let mut drained = i128::from(now.micros() - self.stamp) * pace;
                for (_, left) in &mut seen.queue {
                    let part = drained.min(*left);
                    (*left, drained) = (*left - part, drained - part);
                }
                seen.stamp = now.micros();
                seen.slack += PARTS;
            }
            Window::Calendar { period: kind, .. } => {
                let start = period(kind, now.micros());
                if start != self.stamp {
                    seen.queue.clear();
                }
                seen.stamp = start;
            }
        }
        seen
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (amount, burst) = (rng.gen_range(1..40), rng.gen_range(1..12));
        let per = [1, 3, 60, 3_600][rng.gen_range(0..4)];
        let kind = [Period::Hour, Period::Day, Period::Month][rng.gen_range(0..3)];
        let all = [
            bucket("b", amount, per, burst),
            costly(bucket("c", amount * 2, per, burst * 3)),
            quota("q", burst * 3, kind),
            costly(quota("d", burst * 9, kind)),
        ];
        let which = rng.gen_range(1..16);
        let limits =
            all.into_iter().enumerate().filter(|(nth, _)| which >> nth & 1 == 1).map(|(_, limit)| limit).collect();
        // Seconds before the 29th of February 2024 ends, and the year; an hour in between.
        let start = [1_709_251_195, 1_735_689_595, 1_718_452_800][rng.gen_range(0..3)];
        let (budgets, taken, slots) = (HashMap::new(), Vec::new(), Memory::default());
        Self { slots, limits, budgets, taken, now: Timestamp::from_secs(start), rng, asked: 0 }
    }

    fn usage(&self, key: u8, nth: usize) -> Usage {
        self.budgets.get(&(key, nth)).cloned().unwrap_or_default()
    }

    /// What stands in the slot.
    fn level(&self, key: u8, nth: usize) -> u64 {
        let key = LimitKey::in_first_slot(key);
        let slot = Slot::parse(self.slots.slots.values[key.slot_in_tests().key().as_ref()].0.clone());
        match slot.find(key.tag(), self.limits[nth].id(), self.now) {
            Seat::Own(at) => slot.get(at).level,
            seat => panic!("{seat:?}"),
        }
    }

    fn wait(&mut self) {
        let most = [1, 50_000, 3_000_000, 60_000_000, 4_000_000_000, 3_000_000_000_000][self.rng.gen_range(0..6)];
        self.now = match self.rng.gen_range(0..5) {
            // The first or the last moment of an hour.
            0 => Timestamp::from_micros(
                (self.now.micros() / 3_600_000_000 + 1) * 3_600_000_000 - self.rng.gen_range(0..2),
            ),
            _ => self.now.after(Duration::from_micros(self.rng.gen_range(0..=most))),
        };
    }

    /// Whether a charge is admitted later, if nothing else comes.
    fn later(&self, charge: &Charge, wait: Duration) -> bool {
        reserve(&mut self.slots.clone(), std::slice::from_ref(charge), self.now.after(wait)).unwrap().admitted
    }

    fn ask(&mut self) {
        let most = [1, 5, 40][self.rng.gen_range(0..3)];
        let (key, requests, cost) =
            (self.rng.gen_range(0..3), self.rng.gen_range(0..=most.min(5)), self.rng.gen_range(0..=most));
        let limits = self.limits.clone();
        let charge = Charge { key: LimitKey::in_first_slot(key), limits: limits.clone().into(), requests, cost };
        let foreseen = peek(&mut self.slots, charge.clone(), self.now).unwrap();
        let outcome = reserve(&mut self.slots, std::slice::from_ref(&charge), self.now).unwrap();
        assert_eq!((foreseen.admitted, foreseen.retry_after), (outcome.admitted, outcome.retry_after));
        let (mut fits, mut fits_surely) = (true, true);
        let mut after = Vec::new();
        for (nth, limit) in limits.iter().enumerate() {
            let amount = limit.amount(requests, cost);
            let mut seen = self.usage(key, nth).seen(limit, self.now);
            let (before, max) = (seen.level(), parts(limit.capacity()));
            if amount > 0 {
                seen.queue.push((self.asked, parts(amount.into())));
                fits &= seen.level() <= max;
                fits_surely &= seen.level() + seen.slack <= max;
            }
            let level = if outcome.admitted { seen.level() } else { before };
            let left = |level: i128| u64::try_from((max - level).max(0) / parts(1)).unwrap();
            let told = outcome.statuses[nth].remaining;
            assert!((left(level + seen.slack)..=left(level)).contains(&told), "{told} left of {limit:?}");
            after.push(seen);
        }
        assert!(if outcome.admitted { fits } else { !fits_surely }, "{charge:?} {:?}", outcome.admitted);
        if let Some(receipt) = outcome.receipt {
            let refunds = after.iter().map(|usage| usage.refunds).collect();
            let charged = after.into_iter().enumerate().filter(|(nth, _)| limits[*nth].amount(requests, cost) > 0);
            self.budgets.extend(charged.map(|(nth, usage)| ((key, nth), usage)));
            self.taken.push(Taken { number: self.asked, key, charge, refunds, receipt });
        } else if !outcome.never {
            let told = Duration::from_secs(crate::values::time::seconds_up(outcome.retry_after));
            assert!(self.later(&charge, outcome.retry_after) && self.later(&charge, told), "{charge:?} after {told:?}");
            // Nobody knows of a micro-unit or two.
            let grain =
                limits.iter().map(|it| it.time_to_drain(Record::default(), 3, Timestamp::default())).max().unwrap();
            let early = told.saturating_sub(SECOND);
            let is_early = early + Duration::from_micros(grain) < outcome.retry_after;
            assert!(!is_early || !self.later(&charge, early), "{charge:?} after {early:?}");
        }
        for (limit, status) in limits.into_iter().zip(&outcome.statuses) {
            let of = |amount: u64| {
                super::charge(LimitKey::in_first_slot(key), std::slice::from_ref(&limit), amount.try_into().unwrap())
            };
            assert!(self.later(&of(status.remaining), Duration::ZERO), "{status:?}");
            assert!(!self.later(&of(status.remaining + 1), Duration::ZERO), "{status:?}");
            assert!(self.later(&of(status.capacity), status.reset_after), "{status:?}");
            let early = status.reset_after.checked_sub(SECOND).filter(|early| !early.is_zero());
            assert!(early.is_none_or(|early| !self.later(&of(status.capacity), early)), "{status:?}");
        }
        self.asked += 1;
    }

    /// Settles a charge; no more is given back than what of it is in use, and all of that where no other refund was.
    fn settle(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let Taken { number, key, charge, refunds, receipt } =
            self.taken.remove(self.rng.gen_range(0..self.taken.len()));
        let actual = [0, 1, self.rng.gen_range(0..12), u32::MAX][self.rng.gen_range(0..4)];
        let cancels = self.rng.gen_ratio(1, 3);
        let charged = |nth: usize| charge.amount(&charge.limits[nth]);
        let places: Vec<usize> = (0..self.limits.len()).filter(|nth| charged(*nth) > 0).collect();
        let before: Vec<u64> = places.iter().map(|nth| self.level(key, *nth)).collect();
        if cancels {
            cancel(&mut self.slots, receipt, self.now).unwrap();
        } else {
            settle(&mut self.slots, receipt, actual, self.now).unwrap();
        }
        for (nth, before) in places.into_iter().zip(before) {
            let limit = self.limits[nth].clone();
            let wanted = if cancels { 0 } else { limit.amount(charged(nth), actual) };
            let (mut usage, after) = (self.usage(key, nth), self.level(key, nth));
            if wanted > charged(nth) {
                usage = usage.seen(&limit, self.now);
                let more = parts((wanted - charged(nth)).into()).min(parts(limit.capacity()) - usage.level());
                let short = usage.level() + more - i128::from(after) * PARTS;
                assert!((-usage.slack..=usage.slack).contains(&short) || short < more && short <= parts(1), "{short}");
                usage.queue.push((usize::MAX, more - short.max(0)));
            } else {
                let given = i128::from(before - after) * PARTS;
                // A quota begins anew with the next charge; what is given back to the last period is of no use.
                let is_bucket = matches!(limit.window, Window::Bucket { .. });
                let seen = if is_bucket { usage.seen(&limit, self.now) } else { usage.clone() };
                let left = seen.queue.iter().find(|(it, _)| *it == number).map_or(0, |(_, left)| *left);
                let wish = left.min(parts((charged(nth) - wanted).into()));
                assert!(given <= wish + seen.slack, "{given} of {wish}");
                let least = wish - seen.slack - parts(1) / 64;
                assert!(usage.refunds > refunds[nth] || given >= least, "{given} of {wish}");
                if let Some((_, left)) = usage.queue.iter_mut().find(|(it, _)| *it == number) {
                    usage.slack += (given - *left).max(0);
                    *left = (*left - given).max(0);
                }
                usage.refunds += usize::from(given > 0);
            }
            self.budgets.insert((key, nth), usage);
        }
    }
}

#[test]
fn all_that_is_done_and_told_is_what_a_queue_of_charges_says() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        for _ in 0..80 {
            match world.rng.gen_range(0..10) {
                0..=2 => world.wait(),
                3..=5 => world.settle(),
                _ => world.ask(),
            }
        }
    }
}
