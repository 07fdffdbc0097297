//! Slots of shared data: any bytes in them neither trap nor let more through than a limit allows.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use hallpass::limits::key::{LimitKey, Secret, SlotId};
use hallpass::limits::ledger::{self, Charge, Slots};
use hallpass::limits::slot::{SLOT_BYTES_MAX, Slot};
use hallpass::limits::{Limit, Period, Unit, Window};
use hallpass::values::shared::{SharedData, StoreError, Swap, Version};
use hallpass::values::time::Timestamp;

use crate::NOW;

const BURST: u32 = 5;
const PER_SECOND: u32 = 2;
const COST: u32 = 20;
const QUOTA: u32 = 9;

/// The first byte says how many steps follow, a byte each; then come the bytes of every slot.
pub fn slots(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else { return };
    let (steps, bytes) = rest.split_at(usize::from(count % 64).min(rest.len()));
    let slot = Slot::parse(bytes.to_vec());
    assert!(slot.as_bytes().len() <= SLOT_BYTES_MAX);
    assert_eq!(Slot::parse(slot.as_bytes().to_vec()), slot);
    let mut shelf = Shelf { first: bytes.to_vec(), ..Shelf::default() };
    let mut run = Run::new();
    for instruction in steps {
        run.step(&mut shelf, *instruction);
    }
}

/// Shared data whose slots hold the same bytes before they are written.
#[derive(Default)]
struct Shelf {
    first: Vec<u8>,
    written: HashMap<Vec<u8>, Vec<u8>>,
}

impl Slots for Shelf {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot(&Secret::default())
    }
}

impl SharedData for Shelf {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        into.clear();
        into.extend_from_slice(self.written.get(key).unwrap_or(&self.first));
        Ok(Version::Cas(1))
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], _: Version) -> Result<Swap, StoreError> {
        assert!(bytes.len() <= SLOT_BYTES_MAX);
        self.written.insert(key.to_vec(), bytes.to_vec());
        Ok(Swap::Done)
    }
}

struct Run {
    limits: Rc<[Limit]>,
    now: Timestamp,
    /// Admitted so far, per key: requests and cost.
    admitted: [(u64, u64); 2],
    /// Whether something was given back, or a clock set back: then the sums say nothing.
    is_mixed: bool,
}

impl Run {
    fn new() -> Self {
        let some = |number| NonZeroU32::new(number).unwrap();
        let bucket =
            |amount, burst| Window::Bucket { amount: some(amount), per: Duration::from_secs(1), burst: some(burst) };
        let day = Window::Calendar { quota: some(QUOTA), period: Period::Day };
        let limits = vec![
            Limit::new("rate", Unit::Requests, bucket(PER_SECOND, BURST)),
            Limit::new("cost", Unit::Cost, bucket(1, COST)),
            Limit::new("day", Unit::Requests, day),
        ];
        Self { limits: limits.into(), now: NOW, admitted: [(0, 0); 2], is_mixed: false }
    }

    /// Bit 0: which of two keys. Bits 1 and 2: what happens. The rest: how much.
    fn step(&mut self, slots: &mut Shelf, instruction: u8) {
        let (nth, amount) = (usize::from(instruction & 1), u32::from(instruction >> 3));
        match instruction >> 1 & 3 {
            0 => self.charge(slots, nth, 1),
            1 => self.charge(slots, nth, amount),
            2 => self.now = self.now.after(Duration::from_millis(u64::from(amount) * 50)),
            _ if amount < 24 => self.give_back(slots, nth, amount),
            _ => {
                self.is_mixed = true;
                self.now = Timestamp::from_micros(self.now.micros() - u64::from(amount) * 1_000_000);
            }
        }
    }

    fn of(&self, nth: usize, cost: u32) -> Charge {
        let key = LimitKey::client("i", if nth == 0 { "a" } else { "b" });
        Charge { key, limits: Rc::clone(&self.limits), requests: 1, cost }
    }

    fn charge(&mut self, slots: &mut Shelf, nth: usize, cost: u32) {
        let outcome = ledger::reserve(slots, &[self.of(nth, cost)], self.now).unwrap();
        assert_eq!(outcome.never, cost > COST);
        assert_eq!(outcome.statuses.len(), self.limits.len());
        if !outcome.admitted {
            return;
        }
        let (requests, spent) = &mut self.admitted[nth];
        (*requests, *spent) = (*requests + 1, *spent + u64::from(cost));
        let elapsed = self.now.micros().saturating_sub(NOW.micros());
        let drained = |per_second: u32| u64::from(per_second) * elapsed / 1_000_000;
        if !self.is_mixed {
            assert!(*requests <= u64::from(BURST) + drained(PER_SECOND), "{requests} requests in {elapsed} us");
            assert!(*spent <= u64::from(COST) + drained(1), "{spent} of cost in {elapsed} us");
            assert!(*requests <= u64::from(QUOTA), "{requests} requests in a day");
        }
    }

    /// Charges, and gives the charge back or settles it.
    fn give_back(&mut self, slots: &mut Shelf, nth: usize, actual: u32) {
        let outcome = ledger::reserve(slots, &[self.of(nth, COST / 2)], self.now).unwrap();
        let Some(receipt) = outcome.receipt else { return };
        if actual == 0 {
            // As if it had never been.
            ledger::cancel(slots, receipt, self.now).unwrap();
        } else {
            self.is_mixed = true;
            ledger::settle(slots, receipt, actual, self.now).unwrap();
        }
    }
}
