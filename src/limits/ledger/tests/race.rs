//! Workers that race: a seeded scheduler decides before every read and every swap who goes on, and some workers
//! die there.

use std::sync::{Arc, Condvar, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::super::write_cache::{CachedSlots, WriteCache};
use super::*;

/// What the workers share: the slots, and whose turn it is.
struct Table {
    state: Mutex<State>,
    turn: Condvar,
}

struct State {
    slots: Memory,
    rng: StdRng,
    alive: Vec<usize>,
    turn: usize,
    /// One step in so many kills a worker; 0: none.
    deadly: u32,
}

/// One worker: what it remembers, and its way to the table.
struct Worker {
    number: usize,
    cache: WriteCache,
    way: Way,
}

/// Waits for its turn at every call.
#[derive(Clone)]
struct Way {
    number: usize,
    table: Arc<Table>,
}

impl Way {
    /// Lets the scheduler choose who goes on, waits for the turn, and does `step` unless the worker dies before it
    /// or after it.
    fn step<T>(&self, step: impl FnOnce(&mut Memory) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut state = self.table.state.lock().unwrap();
        let alive = state.alive.len();
        let next = state.rng.gen_range(0..alive);
        state.turn = state.alive[next];
        self.table.turn.notify_all();
        state = self.table.turn.wait_while(state, |state| state.turn != self.number).unwrap();
        let fate = match state.deadly {
            0 => 2,
            deadly => state.rng.gen_range(0..deadly),
        };
        if fate == 0 {
            return Err(StoreError::Host);
        }
        let done = step(&mut state.slots)?;
        if fate == 1 { Err(StoreError::Host) } else { Ok(done) }
    }

    /// Leaves the race.
    fn leave(&self) {
        let mut state = self.table.state.lock().unwrap();
        state.alive.retain(|number| *number != self.number);
        if let Some(first) = state.alive.first() {
            state.turn = *first;
        }
        self.table.turn.notify_all();
    }
}

impl Worker {
    fn cached(&mut self) -> CachedSlots<'_, Way> {
        CachedSlots { slots: self.way.clone(), cache: &mut self.cache, now: NOON }
    }
}

impl Slots for Worker {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot_in_tests()
    }
}

impl SharedData for Worker {
    fn recall(&mut self, key: &[u8]) -> Option<(Vec<u8>, Version)> {
        self.cached().recall(key)
    }

    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.cached().read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        self.cached().swap(key, bytes, version)
    }
}

impl Slots for Way {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot_in_tests()
    }
}

impl SharedData for Way {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.step(|slots| slots.read(key, into))
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        self.step(|slots| slots.swap(key, bytes, version))
    }
}

const WORKERS: usize = 4;

/// Races four workers, each of which does `work` until it says false or dies; returns how many requests were
/// admitted for good, and the slots.
fn race(
    seed: u64,
    deadly: u32,
    slots: Memory,
    work: impl Fn(&mut Worker, usize) -> Result<Option<bool>, StoreError> + Send + Sync + Copy,
) -> (usize, Memory) {
    let alive = (0..WORKERS).collect();
    let state = State { slots, rng: StdRng::seed_from_u64(seed), alive, turn: 0, deadly };
    let table = Arc::new(Table { state: Mutex::new(state), turn: Condvar::new() });
    let admitted = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let way = Way { number, table: Arc::clone(&table) };
                let mut worker = Worker { number, cache: WriteCache::default(), way };
                scope.spawn(move || {
                    let mut admitted = 0;
                    for nth in 0.. {
                        match work(&mut worker, nth) {
                            Ok(Some(done)) => admitted += usize::from(done),
                            Ok(None) | Err(_) => break,
                        }
                    }
                    worker.way.leave();
                    admitted
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let slots = std::mem::take(&mut table.state.lock().unwrap().slots);
    (admitted, slots)
}

const MOST: usize = 12;
const TRIES: usize = 10 * MOST / WORKERS;

fn limits() -> [Limit; 3] {
    [bucket("hour", 1, 3_600, 12), quota("day", 40, Period::Day), costly(bucket("cost", 1, 60, 1_000))]
}

/// A clock that differs from worker to worker by up to two seconds.
fn clock(worker: &Worker, nth: usize) -> Timestamp {
    NOON.after(Duration::from_millis((worker.number * 617 + nth * 13) as u64 % 2_000))
}

fn one(worker: &mut Worker, nth: usize) -> Result<Option<bool>, StoreError> {
    if nth == TRIES {
        return Ok(None);
    }
    let now = clock(worker, nth);
    Ok(Some(reserve(worker, &[charge(client(), &limits(), 1)], now)?.admitted))
}

#[test]
fn of_ten_times_the_limit_exactly_the_limit_is_admitted() {
    for seed in 0..40 {
        let (admitted, slots) = race(seed, 0, Memory::default(), one);
        assert_eq!(admitted, MOST, "cold, seed {seed}");
        // Warm: some hours later all of it has drained.
        let hours = |worker: &mut Worker, nth| {
            let now = NOON.after(Duration::from_secs(5 * 3_600 + 10));
            let charges = [charge(client(), &limits(), 1)];
            if nth == TRIES { Ok(None) } else { Ok(Some(reserve(worker, &charges, now)?.admitted)) }
        };
        assert_eq!(race(seed, 0, slots, hours).0, 5, "warm, seed {seed}");
    }
}

#[test]
fn dying_workers_never_widen_a_limit() {
    for seed in 0..60 {
        let (first, slots) = race(seed, 40, Memory::default(), one);
        let (second, slots) = race(seed, 0, slots, one);
        assert!(first + second <= MOST, "seed {seed}: {first} and {second}");
        let (third, _) = race(seed, 0, slots, one);
        assert_eq!(third, 0, "seed {seed}: used up");
    }
}

#[test]
fn what_is_rolled_back_or_given_back_is_admitted_to_others_and_to_no_one_else() {
    let work = |worker: &mut Worker, nth: usize| {
        if nth == TRIES {
            return Ok(None);
        }
        let now = clock(worker, nth);
        let narrow = LimitKey::client("https://issuer", "narrow");
        let mut charges = vec![charge(client(), &limits(), 1)];
        if nth.is_multiple_of(2) {
            charges.push(charge(narrow, &[quota("narrow", 2, Period::Day)], 1));
        }
        let outcome = reserve(worker, &charges, now)?;
        match outcome.receipt {
            Some(receipt) if nth.is_multiple_of(3) => cancel(worker, receipt, now).map(|()| Some(false)),
            receipt => Ok(Some(receipt.is_some())),
        }
    };
    for seed in 0..40 {
        let (first, slots) = race(seed, 0, Memory::default(), work);
        let (second, mut slots) = race(seed, 0, slots, one);
        assert!(first + second <= MOST, "seed {seed}");
        assert_eq!(ask(&mut slots, &limits(), 0, NOON).statuses[0].remaining, 0, "seed {seed}");
        assert!(first + second >= MOST - WORKERS, "seed {seed}: {first} and {second}: little is lost to caution");
    }
}

#[test]
fn a_reload_or_a_new_tier_in_mid_race_keeps_usage() {
    let work = |worker: &mut Worker, nth: usize| {
        if nth == 3 * TRIES {
            return Ok(None);
        }
        let burst = if (nth / 5 + worker.number).is_multiple_of(2) { 12 } else { 20 };
        let charges = [charge(client(), &[bucket("hour", 1, 3_600, burst), quota("day", burst, Period::Day)], 1)];
        Ok(Some(reserve(worker, &charges, clock(worker, nth))?.admitted))
    };
    for seed in 0..20 {
        assert_eq!(race(seed, 0, Memory::default(), work).0, 20, "the larger limit, seed {seed}");
    }
}

#[test]
fn workers_on_both_sides_of_midnight_count_once() {
    let work = |worker: &mut Worker, nth: usize| {
        if nth == TRIES {
            return Ok(None);
        }
        let late = (worker.number % 2) as u64 * 1_000_000;
        let now = Timestamp::from_micros(at(43_200).micros() - 500_000 + late);
        Ok(Some(reserve(worker, &[charge(client(), &[quota("day", 12, Period::Day)], 1)], now)?.admitted))
    };
    for seed in 0..20 {
        let (admitted, mut slots) = race(seed, 0, Memory::default(), work);
        assert!((MOST..=2 * MOST).contains(&admitted), "one day or two, seed {seed}: {admitted}");
        let next = ask(&mut slots, &[quota("day", 12, Period::Day)], 1, at(43_201));
        assert!(!next.admitted, "the new day is used up, seed {seed}");
    }
}

#[test]
fn a_clock_that_jumps_in_mid_race_drains_no_more_than_it_moved() {
    let work = |worker: &mut Worker, nth: usize| {
        if nth == TRIES {
            return Ok(None);
        }
        // An hour ahead once, and back: an hour's worth, one unit, drains at each worker's jump at most.
        let now = if nth == TRIES / 2 { at(3_600) } else { clock(worker, nth) };
        Ok(Some(reserve(worker, &[charge(client(), &[bucket("hour", 1, 3_600, 12)], 1)], now)?.admitted))
    };
    for seed in 0..20 {
        let (admitted, _) = race(seed, 0, Memory::default(), work);
        assert!((MOST..=MOST + WORKERS).contains(&admitted), "seed {seed}: {admitted}");
    }
}
