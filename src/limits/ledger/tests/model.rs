//! Properties against a log of what was admitted, in exact arithmetic.

use proptest::prelude::*;

use super::*;
use crate::limits::UNIT;
use crate::limits::Window;
use crate::limits::outcome::Receipt;

/// What was admitted: how much time had gone by (the forward moves of the clock, microseconds), and micro-units.
type Log = Vec<(u64, u64)>;

#[derive(Clone, Debug)]
enum Op {
    /// The clock moves on by so many microseconds.
    Forward(u64),
    /// The clock is set back.
    Back(u64),
    /// A key asks for an amount, in a tier.
    Ask { key: u8, tier: usize, amount: u32 },
    /// A receipt is settled at a cost.
    Settle { receipt: usize, cost: u32 },
}

fn ops(backwards: bool, keys: u8) -> impl Strategy<Value = Vec<Op>> {
    let forward = prop_oneof![0..3_000_000_u64, 0..100_000_u64, Just(1), 0..40_000_000_u64].prop_map(Op::Forward);
    let ask = (0..keys, 0..2_usize, prop_oneof![Just(1), 1..6_u32]).prop_map(|(key, tier, amount)| Op::Ask {
        key,
        tier,
        amount,
    });
    let settle = (0..8_usize, 0..8_u32).prop_map(|(receipt, cost)| Op::Settle { receipt, cost });
    let back = prop_oneof![0..2_000_000_u64, 0..9_000_000_u64, Just(3_600_000_000)].prop_map(Op::Back);
    let weight = u32::from(backwards);
    prop::collection::vec(prop_oneof![2 => forward, 6 => ask, 3 => settle, weight => back], 1..80)
}

/// One run: slots, the clock, and the log of every key's one limit.
struct Run {
    slots: Memory,
    tiers: [Limit; 2],
    now: Timestamp,
    elapsed: u64,
    logs: Vec<Log>,
    receipts: Vec<Taken>,
}

/// An admission that may be settled: its place in a key's log, and under which tier.
struct Taken {
    key: usize,
    entry: usize,
    tier: usize,
    level: u64,
    receipt: Receipt,
}

impl Run {
    fn new(tiers: [Limit; 2], keys: u8) -> Self {
        let logs = vec![Log::new(); usize::from(keys)];
        Self { slots: Memory::default(), tiers, now: NOON, elapsed: 0, logs, receipts: Vec::new() }
    }

    fn steps(&mut self, ops: &[Op]) {
        for op in ops {
            self.step(op);
        }
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Forward(micros) => {
                self.now = self.now.after(Duration::from_micros(micros));
                self.elapsed += micros;
            }
            Op::Back(micros) => self.now = Timestamp::from_micros(self.now.micros() - micros),
            Op::Ask { key, tier, amount } => {
                self.ask(key, tier, amount);
            }
            Op::Settle { receipt, cost } => self.settle(receipt, cost),
        }
    }

    fn ask(&mut self, key: u8, tier: usize, amount: u32) -> bool {
        let charge = charge(LimitKey::in_first_slot(key), &self.tiers[tier..=tier], amount);
        let outcome = reserve(&mut self.slots, &[charge], self.now).unwrap();
        let Some(receipt) = outcome.receipt else {
            return false;
        };
        let log = &mut self.logs[usize::from(key)];
        let level = u64::from(amount) * UNIT;
        self.receipts.push(Taken { key: key.into(), entry: log.len(), tier, level, receipt });
        log.push((self.elapsed, level));
        true
    }

    /// Settles a recent receipt, and corrects the log by what the slot's levels show.
    fn settle(&mut self, receipt: usize, cost: u32) {
        if self.receipts.is_empty() {
            return;
        }
        let nth = self.receipts.len() - 1 - receipt % self.receipts.len();
        let Taken { key, entry, tier, level: charged, receipt } = self.receipts.remove(nth);
        let before = self.level(tier);
        settle(&mut self.slots, receipt, cost, self.now).unwrap();
        let after = self.level(tier);
        let back = before.saturating_sub(after);
        assert!(back <= charged.saturating_sub(u64::from(cost) * UNIT), "more was given back than asked for");
        self.logs[key][entry].1 -= back;
        if after > before {
            self.logs[key].push((self.elapsed, after - before));
        }
    }

    /// All levels in the slot, drained up to now at the rate of a tier.
    fn level(&self, tier: usize) -> u64 {
        let Some((bytes, _)) = self.slots.slots.values.values().next() else {
            return 0;
        };
        let slot = Slot::parse(bytes.clone());
        let tier = &self.tiers[tier];
        slot.levels(tier.id(), |record| tier.evaluate(record, self.now).current.level)
    }

    /// No window of time admitted more than its share, by the limit that allows the most.
    fn check(&self) {
        let rows = self.tiers.each_ref().map(|limit| match limit.window {
            Window::Bucket { amount, per, burst } => {
                (u128::from(amount.get()), per.as_micros(), u128::from(burst.get()))
            }
            Window::Calendar { .. } => panic!("the model is of buckets"),
        });
        let [(amount, per, burst), (other, per_other, burst_other)] = rows;
        assert_eq!(per, per_other);
        let (amount, burst) = (amount.max(other), burst.max(burst_other));
        for log in &self.logs {
            for from in 0..log.len() {
                let mut sum = 0_u128;
                for (time, level) in &log[from..] {
                    sum += u128::from(*level);
                    let share = amount * u128::from(UNIT) * u128::from(time - log[from].0) / per;
                    assert!(sum <= burst * u128::from(UNIT) + share, "{sum} in {} us: {log:?}", time - log[from].0);
                }
            }
        }
    }
}

/// Two limits of one name, counting cost.
fn tiers(amount: [u32; 2], per: u64, burst: [u32; 2]) -> [Limit; 2] {
    [0, 1].map(|tier| costly(bucket("b", amount[tier], per, burst[tier])))
}

proptest! {
    #[test]
    fn no_window_admits_more_than_its_share(ops in ops(false, 1), amount in 1..50_u32, per in 1..60_u64, burst in 1..12_u32) {
        let mut run = Run::new(tiers([amount; 2], per, [burst; 2]), 1);
        run.steps(&ops);
        run.check();
    }

    #[test]
    fn clocks_set_back_drain_nothing_twice(ops in ops(true, 1), amount in 1..50_u32, per in 1..60_u64, burst in 1..12_u32) {
        let mut run = Run::new(tiers([amount; 2], per, [burst; 2]), 1);
        run.steps(&ops);
        run.check();
    }

    #[test]
    fn two_tiers_never_admit_more_than_the_larger(
        ops in ops(false, 1), amount in (1..50_u32, 1..50_u32), per in 1..60_u64, burst in (1..12_u32, 1..12_u32),
    ) {
        let mut run = Run::new(tiers([amount.0, amount.1], per, [burst.0, burst.1]), 1);
        run.steps(&ops);
        run.check();
    }

    #[test]
    fn a_crowd_in_one_slot_resets_nobody(ops in ops(false, 60), amount in 1..50_u32, per in 1..60_u64, burst in 1..4_u32) {
        let mut run = Run::new(tiers([amount; 2], per, [burst; 2]), 60);
        // A full slot first, so that everyone's way leads through eviction and the overflow.
        for key in 0..60 {
            run.ask(key, 0, 1);
        }
        run.steps(&ops);
        run.check();
    }

    #[test]
    fn a_bucket_admits_exactly_what_the_exact_meter_does(
        asks in prop::collection::vec((0..5_000_000_u64, 1..4_u32), 1..100), amount in 1..50_u32, per in 1..60_u64, burst in 1..12_u32,
    ) {
        let mut run = Run::new(tiers([amount; 2], per, [burst; 2]), 1);
        let per = u128::from(per) * 1_000_000;
        let unit = per * u128::from(UNIT);
        let mut meter = 0_u128; // in parts of 1 / per micro-units
        for (nth, (wait, ask)) in asks.into_iter().enumerate() {
            run.step(&Op::Forward(wait));
            meter = meter.saturating_sub(u128::from(wait) * u128::from(amount) * u128::from(UNIT));
            let level = meter + unit * u128::from(ask);
            let admitted = run.ask(0, 0, ask);
            // Every admission may have rounded one micro-unit against the client.
            let slack = per * nth as u128;
            if admitted {
                prop_assert!(level <= unit * u128::from(burst));
                meter = level;
            } else {
                prop_assert!(level + slack > unit * u128::from(burst));
            }
        }
    }

    #[test]
    fn a_quota_admits_exactly_its_number_per_period(
        asks in prop::collection::vec((0..50_000_u64, 1..9_u32, any::<bool>()), 1..200), most in 1..40_u32, kind in 0..3_usize,
    ) {
        let period = [Period::Hour, Period::Day, Period::Month][kind];
        let limits = [quota("q", most, period)];
        let (mut slots, mut now, mut used, mut start) = (Memory::default(), NOON, 0, 0);
        for (wait, ask_for, back) in asks {
            now = now.after(Duration::from_secs(wait << (4 * kind)));
            let this = crate::limits::calendar::span(period, now.micros()).start;
            if start != this {
                (start, used) = (this, 0);
            }
            let outcome = ask(&mut slots, &limits, ask_for, now);
            prop_assert_eq!(outcome.admitted, used + ask_for <= most);
            match outcome.receipt {
                Some(receipt) if back => cancel(&mut slots, receipt, now).unwrap(),
                Some(_) => used += ask_for,
                None => {}
            }
            prop_assert_eq!(ask(&mut slots, &limits, 0, now).statuses[0].remaining, u64::from(most - used));
        }
    }

    #[test]
    fn garbage_in_a_slot_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..1_100), at in 0..60_usize, byte: u8, time: u64) {
        let limits = [bucket("b", 3, 7, 5), quota("d", 5, Period::Day), quota("m", 5, Period::Month), costly(bucket("c", u32::MAX, 1, u32::MAX))];
        let charges = [charge(client(), &limits, 1)];
        let mut slots = Memory::default();
        let _ = reserve(&mut slots, &charges, NOON).unwrap();
        let home = slots.slot_of(&client());
        let (value, _) = slots.slots.values.get_mut(home.key().as_ref()).unwrap();
        value[at] = byte;
        // Whatever the times and levels are.
        let records = value.iter_mut().skip(22);
        records.zip(bytes.iter().filter(|_| byte % 2 == 0)).for_each(|(old, new)| *old = *new);
        for now in [Timestamp::from_micros(time), NOON, Timestamp::default(), Timestamp::from_micros(u64::MAX)] {
            if let Some(receipt) = reserve(&mut slots, &charges, now).unwrap().receipt {
                settle(&mut slots, receipt, u32::from(byte), now).unwrap();
            }
        }
        slots.slots.values.insert(home.key().as_ref().to_vec(), (bytes, 9));
        let _ = reserve(&mut slots, &charges, NOON).unwrap();
    }
}
