//! The bytes of one slot: usage of the few keys whose tags lead to it.
//!
//! A version byte, then entries: the key's tag (16), a count (1), and that many records of 30 bytes (all numbers
//! little-endian): limit id (4), level (8), stamp (8), time of clearance in seconds (4), outflow (6). Level and stamp
//! take 52 bits; the 12 above each hold the low and the high half of what was given back.
//!
//! A key's entry makes room for another only when everything in it would answer as for a newcomer. When there is
//! no room, newcomers share the *overflow* entry, for which room is always kept. Who later gets an entry of his own
//! starts it with the overflow's usage, since part of that may be his: nothing resets a live limit.
//! Bytes that do not parse are an empty slot.

use super::{LIMITS_MAX, UNIT};
use crate::values::time::Timestamp;

pub use super::key::SlotId;

/// Longest value of a slot.
pub const SLOT_BYTES_MAX: usize = 2_048;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 17;
const RECORD_BYTES: usize = 30;
const ENTRY_BYTES_MAX: usize = HEAD_BYTES + LIMITS_MAX * RECORD_BYTES;
/// What keys may fill together, so that the overflow entry always has room.
const OWNED_BYTES_MAX: usize = SLOT_BYTES_MAX - 1 - ENTRY_BYTES_MAX;
const _: () = assert!(ENTRY_BYTES_MAX <= OWNED_BYTES_MAX, "a full entry fits a slot beside a full overflow entry");

/// The tag of the overflow entry. A hash that equals it is as likely as two keys with one tag.
const OVERFLOW: [u8; 16] = [0xff; 16];
const OUTFLOW_MASK: u64 = (1 << 48) - 1;
/// Sends moments that are close to numbers that are not: 2^64 by the golden ratio (Knuth, volume 3, 6.4).
const OUTFLOW_SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Levels are below 2^50, and times until 2112 below this.
const LOW_BITS: u32 = 52;
const LOW_MASK: u64 = (1 << LOW_BITS) - 1;
const HALF_BITS: u32 = u64::BITS - LOW_BITS;
const REFUNDED_MASK: u64 = (1 << (2 * HALF_BITS)) - 1;
/// How far ahead of now a stored time may be and still be believed, microseconds: workers race, and NTP slews.
pub(super) const SKEW_MICROS: u64 = 2_000_000;
/// What refunds are counted in, micro-units.
pub(super) const REFUND_STEP: u64 = UNIT / 64;

/// Usage of one limit by one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Micro-units in use.
    pub level: u64,
    /// When `level` was true (bucket), or the start of the period it counts for; microseconds since the epoch.
    pub stamp: u64,
    /// From when on the record is as good as none; microseconds since the epoch, whole seconds once stored.
    pub clear_at: u64,
    /// Micro-units that have left the bucket, by draining or refund, modulo 2^48: tells a refund what of its
    /// charge must be gone already. Begins anywhere.
    pub outflow: u64,
    /// Of the outflow the refunds, in steps of [`REFUND_STEP`], modulo 2^24: what else has left, has drained.
    pub refunded: u64,
}

impl Record {
    /// The record once `level` more micro-units have left; the level itself is not changed.
    #[must_use]
    pub(super) fn with_outflow(self, level: u64) -> Self {
        Self { outflow: self.outflow.wrapping_add(level) & OUTFLOW_MASK, ..self }
    }

    /// The same, where it is given back; parts of a step count as drained.
    #[must_use]
    pub(super) fn with_refund(self, level: u64) -> Self {
        let refunded = self.refunded.wrapping_add(level / REFUND_STEP) & REFUNDED_MASK;
        Self { refunded, ..self.with_outflow(level) }
    }

    /// What has drained since the two counts were these: at most that, and all that has left where they do not fit.
    pub(super) const fn drained_since(self, outflow: u64, refunded: u64) -> u64 {
        let left = self.outflow_since(outflow);
        let back = (self.refunded.wrapping_sub(refunded) & REFUNDED_MASK).saturating_mul(REFUND_STEP);
        if back <= left { left.saturating_sub(back) } else { left }
    }

    /// What has left since the outflow was `since`.
    pub(super) const fn outflow_since(self, since: u64) -> u64 {
        self.outflow.wrapping_sub(since) & OUTFLOW_MASK
    }

    /// The record with its times moved back so that the stamp is now, after the clock was set back.
    #[must_use]
    pub(super) fn moved_to(self, now: Timestamp) -> Self {
        let clear_at = now.micros().saturating_add(self.life());
        Self { stamp: now.micros(), clear_at, ..self }
    }

    /// From the stamp to the clearance.
    const fn life(self) -> u64 {
        self.clear_at.saturating_sub(self.stamp)
    }

    const fn is_live(self, now: Timestamp) -> bool {
        self.clear_at > now.micros()
    }

    fn encode(self, id: u32) -> [u8; RECORD_BYTES] {
        let clear_at = u32::try_from(self.clear_at.div_ceil(1_000_000)).unwrap_or(u32::MAX);
        let [i0, i1, i2, i3] = id.to_le_bytes();
        let level = self.level.min(LOW_MASK) | (self.refunded << LOW_BITS);
        let stamp = self.stamp.min(LOW_MASK) | ((self.refunded >> HALF_BITS) << LOW_BITS);
        let [l0, l1, l2, l3, l4, l5, l6, l7] = level.to_le_bytes();
        let [s0, s1, s2, s3, s4, s5, s6, s7] = stamp.to_le_bytes();
        let [c0, c1, c2, c3] = clear_at.to_le_bytes();
        let [o0, o1, o2, o3, o4, o5, ..] = self.outflow.to_le_bytes();
        [
            i0, i1, i2, i3, l0, l1, l2, l3, l4, l5, l6, l7, s0, s1, s2, s3, s4, s5, s6, s7, c0, c1, c2, c3, o0, o1, o2,
            o3, o4, o5,
        ]
    }
}

/// Where the usage of a limit by a key stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// In the key's entry; the offset of the record.
    Own(usize),
    /// In the overflow entry.
    Overflow(usize),
    /// Nowhere: a newcomer.
    Vacant,
    /// Nowhere, and not even the overflow entry has room before this time (microseconds).
    Full(u64),
}

/// A slot's value; always parses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    bytes: Vec<u8>,
}

/// An entry's place in the bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: usize,
    tag: [u8; 16],
    count: u8,
}

impl Slot {
    /// The slot with this value; empty if the value does not parse.
    pub fn parse(bytes: Vec<u8>) -> Self {
        let mut slot = Self { bytes };
        let end = slot.entries().last().map_or(1, Entry::end);
        let shared = slot.entry(&OVERFLOW);
        let fits = slot.owned_bytes() <= OWNED_BYTES_MAX && shared.is_none_or(|entry| entry.size() <= ENTRY_BYTES_MAX);
        if slot.bytes.first() != Some(&VERSION) || slot.bytes.len() != end || !fits {
            slot.bytes.clear();
            slot.bytes.push(VERSION);
        }
        slot
    }

    /// The value to store, at most [`SLOT_BYTES_MAX`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value to store.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where usage stands, changing nothing.
    pub(super) fn find(&self, tag: &[u8; 16], id: u32, now: Timestamp) -> Seat {
        if let Some(at) = self.record_at(tag, id) {
            return Seat::Own(at);
        }
        match self.record_at(&OVERFLOW, id) {
            Some(at) if self.get(at).is_live(now) => Seat::Overflow(at),
            _ => Seat::Vacant,
        }
    }

    /// Where usage stands or shall stand from now on; makes room for it. Never [`Seat::Vacant`].
    pub(super) fn claim(&mut self, tag: &[u8; 16], id: u32, now: Timestamp) -> Seat {
        match self.record_at(tag, id) {
            Some(at) => Seat::Own(at),
            None => self.claim_new(tag, id, now),
        }
    }

    #[cold]
    #[inline(never)]
    fn claim_new(&mut self, tag: &[u8; 16], id: u32, now: Timestamp) -> Seat {
        if !self.has_own_room(tag) {
            self.evict(tag, now);
        }
        let shared = self.record_at(&OVERFLOW, id).map(|at| self.get(at)).filter(|shared| shared.is_live(now));
        // Far from where an entry of another moment began, or a receipt of that might take this one for it.
        let outflow = now.micros().wrapping_mul(OUTFLOW_SPREAD) & OUTFLOW_MASK;
        let first = Record { outflow, ..shared.unwrap_or_default() };
        if self.has_own_room(tag) {
            return Seat::Own(self.insert(tag, id, first));
        }
        if let Some(at) = self.record_at(&OVERFLOW, id) {
            return Seat::Overflow(at);
        }
        match self.entry(&OVERFLOW) {
            Some(entry) if usize::from(entry.count) >= LIMITS_MAX => {
                let free_at = self.records(entry).map(|(at, _)| self.get(at).clear_at).min();
                Seat::Full(free_at.unwrap_or(u64::MAX))
            }
            _ => Seat::Overflow(self.insert(&OVERFLOW, id, first)),
        }
    }

    /// The record at an offset that a [`Seat`] names.
    pub(super) fn get(&self, at: usize) -> Record {
        let Some(bytes) = self.field::<RECORD_BYTES>(at) else {
            return Record::default();
        };
        let [_, _, _, _, l0, l1, l2, l3, l4, l5, l6, l7, s0, s1, s2, s3, s4, s5, s6, s7, rest @ ..] = bytes;
        let [c0, c1, c2, c3, o0, o1, o2, o3, o4, o5] = rest;
        let level = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        let stamp = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        Record {
            level: level & LOW_MASK,
            stamp: stamp & LOW_MASK,
            clear_at: u64::from(u32::from_le_bytes([c0, c1, c2, c3])).wrapping_mul(1_000_000), // below 2^52
            outflow: u64::from_le_bytes([o0, o1, o2, o3, o4, o5, 0, 0]),
            refunded: (level >> LOW_BITS) | ((stamp >> LOW_BITS) << HALF_BITS),
        }
    }

    /// Replaces the record at an offset that a [`Seat`] names.
    pub(super) fn put(&mut self, at: usize, record: Record) {
        let id = self.field(at).map_or(0, u32::from_le_bytes);
        if let Some(place) = self.bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
            *place = record.encode(id);
        }
    }

    /// The sum over all records of a limit.
    #[cfg(test)]
    pub(super) fn levels(&self, id: u32, level: impl Fn(Record) -> u64) -> u64 {
        let records = self.entries().flat_map(|entry| self.records(entry));
        records.filter(|(_, found)| *found == id).map(|(at, _)| level(self.get(at))).sum()
    }

    /// Drops what is as good as none: whole entries of other keys, and single records of this key and of the
    /// overflow. Times that only a clock set back explains are moved back first, or they would stay for good.
    fn evict(&mut self, tag: &[u8; 16], now: Timestamp) {
        let mut left = Vec::with_capacity(SLOT_BYTES_MAX);
        left.push(VERSION);
        for entry in self.entries().collect::<Vec<_>>() {
            let shared = entry.tag == OVERFLOW || entry.tag == *tag;
            let records: Vec<_> = self.records(entry).map(|(at, id)| (id, clamp(self.get(at), now))).collect();
            let live = records.iter().filter(|(_, record)| record.is_live(now)).count();
            if live == 0 {
                continue;
            }
            left.extend_from_slice(&entry.tag);
            left.push(if shared { u8::try_from(live).unwrap_or(u8::MAX) } else { entry.count });
            for (id, record) in records.into_iter().filter(|(_, record)| !shared || record.is_live(now)) {
                left.extend_from_slice(&record.encode(id));
            }
        }
        self.bytes = left;
    }

    /// Moves times back that only a clock set back explains, as [`Self::evict`] does.
    #[cold]
    pub(super) fn correct(&mut self, now: Timestamp) {
        let records = self.entries().flat_map(|entry| self.records(entry));
        let corrected: Vec<_> = records.map(|(at, _)| (at, clamp(self.get(at), now))).collect();
        for (at, record) in corrected {
            self.put(at, record);
        }
    }

    /// Whether the key's entry may grow by one record.
    fn has_own_room(&self, tag: &[u8; 16]) -> bool {
        let need = if self.entry(tag).is_some() { RECORD_BYTES } else { HEAD_BYTES + RECORD_BYTES };
        self.owned_bytes().saturating_add(need) <= OWNED_BYTES_MAX
    }

    /// What all entries but the overflow fill.
    fn owned_bytes(&self) -> usize {
        let overflow = self.entry(&OVERFLOW).map_or(0, Entry::size);
        self.bytes.len().saturating_sub(1).saturating_sub(overflow)
    }

    /// Adds a record, and the entry if there is none; returns the record's offset.
    fn insert(&mut self, tag: &[u8; 16], id: u32, record: Record) -> usize {
        let (at, count) = self.entry(tag).map_or_else(
            || {
                self.bytes.extend_from_slice(tag);
                self.bytes.push(0);
                (self.bytes.len(), 0)
            },
            |entry| (entry.end(), entry.count),
        );
        self.bytes.splice(at..at, record.encode(id));
        let head = at.saturating_sub(usize::from(count).saturating_mul(RECORD_BYTES));
        if let Some(place) = self.bytes.get_mut(head.saturating_sub(1)) {
            *place = count.saturating_add(1);
        }
        at
    }

    fn record_at(&self, tag: &[u8; 16], id: u32) -> Option<usize> {
        self.records(self.entry(tag)?).find(|(_, found)| *found == id).map(|(at, _)| at)
    }

    fn entry(&self, tag: &[u8; 16]) -> Option<Entry> {
        self.entries().find(|entry| is_same(&entry.tag, tag))
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        let mut at = 1;
        std::iter::from_fn(move || {
            let tag = self.field(at)?;
            let [count] = self.field(at.saturating_add(tag.len()))?;
            let entry = Entry { at, tag, count };
            at = entry.end();
            Some(entry)
        })
    }

    /// Offsets and limit ids of an entry's records.
    fn records(&self, entry: Entry) -> impl Iterator<Item = (usize, u32)> {
        let offsets = (entry.at.saturating_add(HEAD_BYTES)..entry.end()).step_by(RECORD_BYTES);
        offsets.map_while(|at| Some((at, u32::from_le_bytes(self.field(at)?))))
    }

    fn field<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk().copied()
    }
}

/// As numbers: `memcmp` goes byte by byte in wasm.
const fn is_same(a: &[u8; 16], b: &[u8; 16]) -> bool {
    u128::from_le_bytes(*a) == u128::from_le_bytes(*b)
}

impl Entry {
    fn size(self) -> usize {
        usize::from(self.count).saturating_mul(RECORD_BYTES).saturating_add(HEAD_BYTES)
    }

    fn end(self) -> usize {
        self.at.saturating_add(self.size())
    }
}

/// Without its limit at hand: what is further ahead than it lasts was written by a clock that has been set back.
fn clamp(record: Record, now: Timestamp) -> Record {
    let ahead = record.stamp.saturating_sub(now.micros());
    if ahead > record.life().max(SKEW_MICROS) { record.moved_to(now) } else { record }
}

#[cfg(test)]
mod tests;
