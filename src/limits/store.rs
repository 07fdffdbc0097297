//! What keeps the slots: the seam between the ledger and Envoy's shared data, or a test's map.

use std::fmt;

use super::key::{LimitKey, SlotId};
use super::slot::Slot;
use crate::values::bytes::is_same;

/// How often a swap is tried. Every lost race is another worker's success, so this is never reached in practice.
const TRIES_MAX: u32 = 1_000;

/// Which state of a slot was read; a swap succeeds only on that state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The slot was never written: the swap must create it.
    Absent,
    /// The host's compare-and-swap number.
    Cas(u32),
}

/// How a swap ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Written.
    Done,
    /// Another worker was faster; nothing was written.
    Lost,
}

/// A table of slots that all workers share.
pub trait Slots {
    /// The slot that holds the owner's entry. Where strangers choose owners, the way there is keyed.
    fn slot_of(&self, owner: &LimitKey) -> SlotId;

    /// The slot as it was left last by who asks, if that is worth a try: a swap tells whether it still is so. Once for each
    /// write.
    fn recall(&mut self, _: SlotId) -> Option<(Vec<u8>, Version)> {
        None
    }

    /// Replaces the contents of `into` with the slot's value, empty if it has none.
    ///
    /// # Errors
    /// [`StoreError::Host`] if the host refuses.
    fn read(&mut self, id: SlotId, into: &mut Vec<u8>) -> Result<Version, StoreError>;

    /// Writes `bytes` if the slot is still in the state that `version` names.
    ///
    /// # Errors
    /// [`StoreError::Host`] if the host refuses for any other reason than a lost race.
    fn swap(&mut self, id: SlotId, bytes: &[u8], version: Version) -> Result<Swap, StoreError>;
}

/// Why limits could not be judged. The caller fails closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The host refused a read or a write.
    Host,
    /// Other workers were faster, time and again.
    Contended,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("the host refused access to shared data"),
            Self::Contended => f.write_str("shared data stayed contended"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Edits a slot by compare-and-swap. `edit` gets the slot and a copy of it as it was read, and may run several
/// times; only the last run counts. A slot that it leaves as it was is not written; that it is so is not taken from memory.
pub(super) fn edit(
    slots: &mut impl Slots,
    id: SlotId,
    mut edit: impl FnMut(&mut Slot, &Slot),
) -> Result<(), StoreError> {
    let mut bytes = Vec::new();
    let mut recalled = slots.recall(id);
    for _ in 0..TRIES_MAX {
        let is_recalled = recalled.is_some();
        let version = if let Some((written, version)) = recalled.take() {
            bytes = written;
            version
        } else {
            bytes.clear();
            slots.read(id, &mut bytes)?
        };
        let mut slot = Slot::parse(bytes);
        let before = slot.clone();
        edit(&mut slot, &before);
        let is_done = if is_same(slot.as_bytes(), before.as_bytes()) {
            !is_recalled
        } else {
            slots.swap(id, slot.as_bytes(), version)? == Swap::Done
        };
        if is_done {
            return Ok(());
        }
        bytes = slot.into_bytes();
    }
    Err(StoreError::Contended)
}
