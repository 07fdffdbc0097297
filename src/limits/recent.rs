//! What one worker wrote last, so that its next charge swaps at once instead of reading first. Where one worker serves a
//! client, that is half of what shared data costs a request.
//!
//! A swap needs the number that the host gave to the write before, and the host does not tell it. But Envoy counts the writes
//! of the whole process, all slots together (proxy-wasm-cpp-host, `SharedData::nextCas`), so a worker that is alone with its
//! writes can count along: one look after one of its writes, then one more for each write.
//!
//! This never undoes what another worker wrote. The number that is counted is at most the one that the host gave, since
//! others only bring the host ahead; whatever comes later has a greater one. So a slot that has the counted number has it from
//! this worker's write, and nobody wrote since. (The host's count begins anew after 2^32 writes: no count is used for longer
//! than [`COUNT_LIFE`].) Any other worker's write makes the next swap fail, which costs a call and is found out at once.

use std::time::Duration;

use super::key::{LimitKey, SlotId};
use super::store::{Slots, StoreError, Swap, Version};
use crate::values::bytes::is_same;
use crate::values::time::Timestamp;

/// How many slots are remembered; a power of two.
const PLACES: u32 = 1_024;
/// For how long the worker counts on, after it looked. Far from 2^32 writes, however fast the others are.
const COUNT_LIFE: Duration = Duration::from_secs(10);
/// After so many writes with one count, looking for another was worth it.
const RUN_GOOD: u32 = 8;
/// Most writes that are let pass before the worker looks again, where others write as well.
const PAUSE_MAX: u32 = 255;

/// The slots that one worker wrote last, as it wrote them.
#[derive(Debug)]
pub struct Recent {
    places: Vec<Option<Written>>,
    count: Option<Count>,
    /// Tells what was written with this count from what was written before.
    epoch: u32,
    /// Writes until the worker looks again.
    pause: u32,
    /// What `pause` was last.
    patience: u32,
}

/// A slot as this worker left it.
#[derive(Debug)]
struct Written {
    id: SlotId,
    epoch: u32,
    number: u32,
    bytes: Vec<u8>,
}

/// The host's count of writes, as far as this worker knows.
#[derive(Debug)]
struct Count {
    /// At most the number of the next write.
    next: u32,
    since: Timestamp,
    writes: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| None).collect(), count: None, epoch: 0, pause: 0, patience: 0 }
    }
}

impl Recent {
    /// Takes out the slot as this worker wrote it, and the number that it then has if nobody wrote since. Ends a count that is
    /// too old.
    fn take(&mut self, id: SlotId, now: Timestamp) -> Option<(Vec<u8>, u32)> {
        self.count.take_if(|count| !count.holds(now));
        self.count.as_ref()?;
        let place = self.places.get_mut(place_of(id))?;
        let written = place.take_if(|written| written.id == id)?;
        (written.epoch == self.epoch).then_some((written.bytes, written.number))
    }

    /// Remembers a write, if the worker counts. Otherwise returns whether it should look what number the write has.
    fn wrote(&mut self, id: SlotId, bytes: &[u8]) -> bool {
        if let Some(count) = &mut self.count {
            let number = count.next;
            (count.next, count.writes) = (after(number), count.writes.saturating_add(1));
            self.put(id, number, bytes);
            return false;
        }
        let looks = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        looks
    }

    /// Counts on from a write that was looked at: its bytes and its number.
    fn saw(&mut self, id: SlotId, bytes: &[u8], number: u32, now: Timestamp) {
        self.count = Some(Count { next: after(number), since: now, writes: 0 });
        self.epoch = self.epoch.wrapping_add(1);
        self.put(id, number, bytes);
    }

    /// Stops counting: another worker wrote. The more often that happens, the longer it is until the next look.
    fn lost(&mut self) {
        let writes = self.count.take().map_or(0, |count| count.writes);
        self.patience = match writes {
            RUN_GOOD.. => 0,
            _ => self.patience.saturating_mul(2).saturating_add(1).min(PAUSE_MAX),
        };
        self.pause = self.patience;
    }

    fn put(&mut self, id: SlotId, number: u32, bytes: &[u8]) {
        let epoch = self.epoch;
        if let Some(place) = self.places.get_mut(place_of(id)) {
            *place = Some(Written { id, epoch, number, bytes: bytes.to_vec() });
        }
    }
}

impl Count {
    /// A clock that was set back says nothing about how long ago the look was.
    fn holds(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.since.after(COUNT_LIFE)
    }
}

/// The number after this one; there is no 0.
const fn after(number: u32) -> u32 {
    match number.wrapping_add(1) {
        0 => 1,
        next => next,
    }
}

fn place_of(id: SlotId) -> usize {
    (id.number() % PLACES) as usize
}

/// Slots, and what this worker wrote to them last.
#[derive(Debug)]
pub struct Recalling<'a, S> {
    /// What keeps the slots.
    pub slots: S,
    /// What this worker wrote.
    pub recent: &'a mut Recent,
    /// The time of the request.
    pub now: Timestamp,
}

impl<S: Slots> Slots for Recalling<'_, S> {
    fn slot_of(&self, owner: &LimitKey) -> SlotId {
        self.slots.slot_of(owner)
    }

    fn recall(&mut self, id: SlotId) -> Option<(Vec<u8>, Version)> {
        let (bytes, number) = self.recent.take(id, self.now)?;
        Some((bytes, Version::Cas(number)))
    }

    fn read(&mut self, id: SlotId, into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.slots.read(id, into)
    }

    fn swap(&mut self, id: SlotId, bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        let swap = self.slots.swap(id, bytes, version)?;
        match swap {
            Swap::Lost => self.recent.lost(),
            Swap::Done if self.recent.wrote(id, bytes) => self.look(id, bytes),
            Swap::Done => {}
        }
        Ok(swap)
    }
}

impl<S: Slots> Recalling<'_, S> {
    /// Looks what number a write has that was just made. It is made, whether this succeeds or not.
    #[cold]
    #[inline(never)]
    fn look(&mut self, id: SlotId, written: &[u8]) {
        let mut bytes = Vec::new();
        match self.slots.read(id, &mut bytes) {
            Ok(Version::Cas(number)) if is_same(&bytes, written) => self.recent.saw(id, written, number, self.now),
            _ => self.recent.lost(),
        }
    }
}

#[cfg(test)]
mod tests;
