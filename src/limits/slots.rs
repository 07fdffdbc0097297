//! The table of slots in shared data.

use super::key::{LimitKey, Secret, SlotId};
use super::slot::Slot;
use crate::values::bytes::is_same;
use crate::values::shared::memory::Memory;
use crate::values::shared::{Edit, SharedData, StoreError, update};

/// Shared data that holds slots.
pub trait Slots: SharedData {
    /// The slot that holds the usage of a key. Where strangers choose keys, the way there needs a secret.
    fn slot_of(&self, key: &LimitKey) -> SlotId;
}

impl<S: Slots> Slots for &mut S {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        (**self).slot_of(key)
    }
}

/// Slots in memory: those who run them choose the keys themselves, so there is no secret.
impl Slots for Memory {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot(&Secret::default())
    }
}

/// Edits a slot. `edit` gets the slot and a copy of it as it was read, and may run several times; only the last run counts. A
/// slot that it leaves as it was is not written.
pub(super) fn edit(
    slots: &mut impl Slots,
    id: SlotId,
    mut edit: impl FnMut(&mut Slot, &Slot),
) -> Result<(), StoreError> {
    update(slots, id.key().as_ref(), &mut Vec::new(), |bytes| {
        let mut slot = Slot::parse(std::mem::take(bytes));
        let before = slot.clone();
        edit(&mut slot, &before);
        let is_kept = is_same(slot.as_bytes(), before.as_bytes());
        *bytes = slot.into_bytes();
        Ok(if is_kept { Edit::Kept } else { Edit::Changed })
    })
}
