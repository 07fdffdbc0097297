#![allow(clippy::arithmetic_side_effects)]

use proptest::prelude::*;

use super::super::ledger::{cancel, reserve, settle};
use super::super::outcome::Receipt;
use super::super::tests::{Memory, bucket, charge, costly, quota};
use super::super::{Limit, Period};
use super::*;

const NOON: Timestamp = Timestamp::from_secs(1_700_049_600);

fn client(number: u8) -> LimitKey {
    LimitKey::client("https://issuer", &format!("client-{number}"))
}

fn limits() -> [Limit; 3] {
    [bucket("minute", 60, 60, 12), quota("day", 40, Period::Day), costly(bucket("cost", 600, 60, 100))]
}

/// Workers of one process, and a time.
struct Process {
    slots: Memory,
    workers: Vec<WriteCache>,
    now: Timestamp,
}

impl Process {
    fn new(workers: usize) -> Self {
        let workers = (0..workers).map(|_| WriteCache::default()).collect();
        Self { slots: Memory::default(), workers, now: NOON }
    }

    fn worker(&mut self, number: usize) -> CachedSlots<'_, &mut Memory> {
        CachedSlots { slots: &mut self.slots, cache: &mut self.workers[number], now: self.now }
    }

    /// Charges one request; returns what was left of the first limit, and the reads and swaps that it took.
    #[track_caller]
    fn charge(&mut self, worker: usize, key: LimitKey) -> (u64, usize, usize) {
        (self.slots.reads, self.slots.swaps) = (0, 0);
        let now = self.now;
        let outcome = reserve(&mut self.worker(worker), &[charge(key, &limits(), 1)], now).unwrap();
        (outcome.statuses[0].remaining, self.slots.reads, self.slots.swaps)
    }
}

#[test]
fn who_is_alone_reads_a_slot_once() {
    let mut process = Process::new(1);
    let (a, b) = (client(1), client(2));
    for (nth, (key, expected)) in [
        (a, (11, 2, 1)), // and looks what number the write has
        (a, (10, 0, 1)),
        (b, (11, 1, 1)),
        (b, (10, 0, 1)),
        (a, (9, 0, 1)),
        (b, (9, 0, 1)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(process.charge(0, key), expected, "{nth}");
    }
}

#[test]
fn another_worker_s_write_is_seen() {
    let mut process = Process::new(2);
    let key = client(1);
    for (nth, (worker, expected)) in [
        (0, (11, 2, 1)),
        (0, (10, 0, 1)),
        (1, (9, 2, 1)),
        // Swaps in vain, reads, and does not look at once.
        (0, (8, 1, 2)),
        (0, (7, 2, 1)),
        (0, (6, 0, 1)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(process.charge(worker, key), expected, "{nth}");
    }
}

#[test]
fn a_long_run_is_worth_another_look_at_once() {
    for (run, expected) in [(7, (1, 2)), (8, (2, 2))] {
        let mut process = Process::new(1);
        for nth in 0..run {
            process.now = NOON.after(Duration::from_secs(nth));
            process.charge(0, client(1));
        }
        process.slots.slots.writes += 1;
        process.charge(0, client(1));
        let (_, reads, swaps) = process.charge(0, client(1));
        assert_eq!((reads, swaps), expected, "{run} writes");
    }
}

/// Slots that share a place push each other out, but few of a hundred do.
#[test]
fn many_slots_are_remembered() {
    let mut process = Process::new(1);
    let mut reads = [0, 0];
    for round in &mut reads {
        *round = (0..100).map(|number| process.charge(0, client(number)).1).sum();
    }
    assert_eq!(reads[0], 101);
    assert!(reads[1] < 20, "{reads:?}");
}

/// The write stands in another slot, of another plugin even: only the count tells.
#[test]
fn a_write_elsewhere_ends_the_count() {
    let mut process = Process::new(1);
    let key = client(1);
    process.charge(0, key);
    process.slots.slots.writes += 1;
    assert_eq!(process.charge(0, key), (10, 0, 1), "the number of the first write is known");
    assert_eq!(process.charge(0, key), (9, 1, 2));
}

#[test]
fn refusals_are_never_taken_from_memory() {
    let mut process = Process::new(2);
    let key = client(1);
    for _ in 0..12 {
        process.charge(0, key);
    }
    let now = process.now;
    let asked = [charge(key, &limits(), 1)];
    // What this worker remembers is full; the other one gives back.
    let full = quota("day", 40, Period::Day);
    let receipt = reserve(&mut process.worker(1), &[charge(key, &[full], 1)], now).unwrap().receipt.unwrap();
    cancel(&mut process.worker(1), receipt, now).unwrap();
    (process.slots.reads, process.slots.swaps) = (0, 0);
    let refused = reserve(&mut process.worker(0), &asked, now).unwrap();
    assert!(!refused.admitted);
    assert_eq!((process.slots.reads, process.slots.swaps), (1, 0));
}

#[test]
fn the_less_it_helps_the_less_it_is_tried() {
    let mut process = Process::new(1);
    let (mut reads, mut swaps) = (0, 0);
    for nth in 0..4_000_u64 {
        process.now = NOON.after(Duration::from_secs(10 * nth));
        process.slots.slots.writes += 1; // somebody else, each time
        let (_, more, tries) = process.charge(0, client(1));
        (reads, swaps) = (reads + more, swaps + tries);
        if nth % 2 == 1 {
            process.now = NOON;
        }
    }
    assert!(reads + swaps < 2 * 4_000 + 80, "{reads} reads, {swaps} swaps");
}

#[test]
fn a_count_lasts_for_ten_seconds_of_a_clock_that_goes_forward() {
    for (millis, reads) in [(0, 0), (9_999, 0), (10_000, 2), (-1, 2)] {
        let mut process = Process::new(1);
        process.charge(0, client(1));
        process.now = Timestamp::from_micros(NOON.micros().saturating_add_signed(millis * 1_000));
        assert_eq!(process.charge(0, client(1)).1, reads, "{millis} ms");
    }
}

#[test]
fn the_count_begins_anew_after_the_last_number() {
    let mut process = Process::new(1);
    process.slots.slots.writes = u32::MAX - 2;
    process.charge(0, client(1));
    for nth in 0..5 {
        assert_eq!(process.charge(0, client(1)), (10 - nth, 0, 1), "{nth}");
    }
}

/// A write that fails, or whose number cannot be looked at, is not built on.
#[test]
fn what_the_host_refuses_is_not_remembered() {
    struct Blind(Memory);
    impl Slots for Blind {
        fn slot_of(&self, key: &LimitKey) -> SlotId {
            key.slot_in_tests()
        }
    }
    impl SharedData for Blind {
        fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
            if self.0.swaps > 0 { Err(StoreError::Host) } else { self.0.read(key, into) }
        }

        fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
            self.0.swap(key, bytes, version)
        }
    }
    let mut recent = WriteCache::default();
    let mut slots = CachedSlots { slots: Blind(Memory::default()), cache: &mut recent, now: NOON };
    assert!(reserve(&mut slots, &[charge(client(1), &limits(), 1)], NOON).unwrap().admitted);
    assert!(recent.count.is_none());
}

/// One thing that a worker does: who, with whose budget, what, and how much later.
type Move = (usize, u8, Act, u32);

#[derive(Clone, Debug)]
enum Act {
    Charge(u32),
    Cancel,
    Settle(u32),
    /// Writes elsewhere in shared data.
    Write,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let act = prop_oneof![
        6 => (1..9_u32).prop_map(Act::Charge),
        1 => Just(Act::Cancel),
        1 => (0..12_u32).prop_map(Act::Settle),
        1 => Just(Act::Write),
    ];
    // Mostly one worker, so that counts last; mostly at once, so that budgets run out.
    let worker = prop_oneof![6 => Just(0_usize), 1 => 0..3_usize];
    let micros = prop_oneof![4 => Just(0), 4 => 0..2_000_000_u32, 1 => 0..20_000_000_u32];
    prop::collection::vec((worker, 0..3_u8, act, micros), 1..120)
}

proptest! {
    /// Whatever workers do one after the other, they do as without memory: every answer and every byte.
    #[test]
    fn memory_changes_nothing_but_the_calls(moves in moves(), first in prop_oneof![0..9_u32, u32::MAX - 60..=u32::MAX]) {
        let (mut process, mut plain) = (Process::new(3), Memory::default());
        (process.slots.slots.writes, plain.slots.writes) = (first, first);
        let mut receipts: Vec<(Receipt, Receipt)> = Vec::new();
        let mut tried = 0;
        for (who, number, act, micros) in moves {
            let now = process.now.after(Duration::from_micros(micros.into()));
            process.now = now;
            match act {
                Act::Charge(amount) => {
                    let asked = [charge(client(number), &limits(), amount)];
                    let reads = process.slots.reads;
                    let outcome = reserve(&mut process.worker(who), &asked, now).unwrap();
                    tried += usize::from(outcome.admitted && process.slots.reads == reads);
                    let expected = reserve(&mut plain, &asked, now).unwrap();
                    prop_assert_eq!(format!("{outcome:?}"), format!("{expected:?}"));
                    receipts.extend(outcome.receipt.zip(expected.receipt));
                }
                Act::Cancel => if let Some((ours, theirs)) = receipts.pop() {
                    cancel(&mut process.worker(who), ours, now).unwrap();
                    cancel(&mut plain, theirs, now).unwrap();
                },
                Act::Settle(cost) => if let Some((ours, theirs)) = receipts.pop() {
                    settle(&mut process.worker(who), ours, cost, now).unwrap();
                    settle(&mut plain, theirs, cost, now).unwrap();
                },
                Act::Write => {
                    process.slots.slots.writes = after(process.slots.slots.writes);
                    plain.slots.writes = after(plain.slots.writes);
                }
            }
            prop_assert_eq!(&process.slots.slots, &plain.slots);
        }
        prop_assert!(tried <= process.slots.swaps);
    }
}
