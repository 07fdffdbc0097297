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

use super::key::{LimitKey, SlotId, SlotKey};
use super::slots::Slots;
use crate::values::bytes::is_same;
use crate::values::direct_mapped::DirectMapped;
use crate::values::shared::{SharedData, StoreError, Swap, Version};
use crate::values::time::Timestamp;

/// How many slots are remembered.
const PLACES: u32 = 1_024;
/// For how long the worker counts on, after it looked. Far from 2^32 writes, however fast the others are.
const COUNT_LIFE: Duration = Duration::from_secs(10);
/// After so many writes with one count, looking for another was worth it.
const RUN_GOOD: u32 = 8;
/// Most writes that are let pass before the worker looks again, where others write as well.
const PAUSE_MAX: u32 = 255;

/// The slots that one worker wrote last, as it wrote them.
#[derive(Debug)]
pub struct WriteCache {
    slots: DirectMapped<SlotKey, Written>,
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

impl Default for WriteCache {
    fn default() -> Self {
        Self { slots: DirectMapped::new(PLACES, SlotKey::number), count: None, epoch: 0, pause: 0, patience: 0 }
    }
}

impl WriteCache {
    /// Takes out the slot as this worker wrote it, and the number that it then has if nobody wrote since. Ends a count that is
    /// too old.
    fn take(&mut self, key: SlotKey, now: Timestamp) -> Option<(Vec<u8>, u32)> {
        self.count.take_if(|count| !count.holds(now));
        self.count.as_ref()?;
        let written = self.slots.remove(&key)?;
        (written.epoch == self.epoch).then_some((written.bytes, written.number))
    }

    /// Remembers a write, if the worker counts. Otherwise returns whether it should look what number the write has.
    fn wrote(&mut self, key: SlotKey, bytes: &[u8]) -> bool {
        if let Some(count) = &mut self.count {
            let number = count.next;
            (count.next, count.writes) = (after(number), count.writes.saturating_add(1));
            self.put(key, number, bytes);
            return false;
        }
        let looks = self.pause == 0;
        self.pause = self.pause.saturating_sub(1);
        looks
    }

    /// Counts on from a write that was looked at: its bytes and its number.
    fn saw(&mut self, key: SlotKey, bytes: &[u8], number: u32, now: Timestamp) {
        self.count = Some(Count { next: after(number), since: now, writes: 0 });
        self.epoch = self.epoch.wrapping_add(1);
        self.put(key, number, bytes);
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

    fn put(&mut self, key: SlotKey, number: u32, bytes: &[u8]) {
        self.slots.insert(key, Written { epoch: self.epoch, number, bytes: bytes.to_vec() });
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

/// Slots, and what this worker wrote to them last.
#[derive(Debug)]
pub struct CachedSlots<'a, S> {
    /// What keeps the slots.
    pub slots: S,
    /// What this worker wrote.
    pub cache: &'a mut WriteCache,
    /// The time of the request.
    pub now: Timestamp,
}

impl<S: Slots> Slots for CachedSlots<'_, S> {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        self.slots.slot_of(key)
    }
}

impl<S: SharedData> SharedData for CachedSlots<'_, S> {
    fn recall(&mut self, key: &[u8]) -> Option<(Vec<u8>, Version)> {
        let (bytes, number) = self.cache.take(SlotKey::read(key)?, self.now)?;
        Some((bytes, Version::Cas(number)))
    }

    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        self.slots.read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        let swap = self.slots.swap(key, bytes, version)?;
        match (swap, SlotKey::read(key)) {
            (Swap::Lost, _) => self.cache.lost(),
            (Swap::Done, Some(slot)) if self.cache.wrote(slot, bytes) => self.look(slot, bytes),
            (Swap::Done, _) => {}
        }
        Ok(swap)
    }
}

impl<S: SharedData> CachedSlots<'_, S> {
    /// Reads what number a write has that was just made. It is made, whether this succeeds or not.
    #[cold]
    #[inline(never)]
    fn look(&mut self, key: SlotKey, written: &[u8]) {
        let mut bytes = Vec::new();
        match self.slots.read(key.as_ref(), &mut bytes) {
            Ok(Version::Cas(number)) if is_same(&bytes, written) => self.cache.saw(key, written, number, self.now),
            _ => self.cache.lost(),
        }
    }
}

#[cfg(test)]
mod tests;
