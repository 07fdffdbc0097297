//! Shared data in memory, of one process and one thread: what Envoy keeps for its workers, for who runs without it.

use std::collections::HashMap;
use std::hash::Hash;

use super::key::{LimitKey, Secret, SlotId};
use super::store::{Slots, StoreError, Swap, Version};

/// Values by key, each with the number of the write that made it. As in Envoy, all writes are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory<Id: Eq + Hash> {
    pub(crate) values: HashMap<Id, (Vec<u8>, u32)>,
    pub(crate) writes: u32,
}

impl<Id: Eq + Hash> Memory<Id> {
    /// Replaces the contents of `into` with the value, empty if there is none.
    pub fn read(&self, id: &Id, into: &mut Vec<u8>) -> Version {
        into.clear();
        if let Some((bytes, _)) = self.values.get(id) {
            into.extend_from_slice(bytes);
        }
        self.version(id)
    }

    /// Writes `bytes` if the value is still the one that `version` names.
    pub fn swap(&mut self, id: Id, bytes: &[u8], version: Version) -> Swap {
        let current = self.version(&id);
        if current != version {
            return Swap::Lost;
        }
        self.writes = self.writes.wrapping_add(1).max(1);
        self.values.insert(id, (bytes.to_vec(), self.writes));
        Swap::Done
    }

    fn version(&self, id: &Id) -> Version {
        self.values.get(id).map_or(Version::Absent, |(_, cas)| Version::Cas(*cas))
    }
}

impl<Id: Eq + Hash> Default for Memory<Id> {
    fn default() -> Self {
        Self { values: HashMap::new(), writes: 0 }
    }
}

impl Slots for Memory<SlotId> {
    /// Nobody but who runs it chooses the owners.
    fn slot_of(&self, owner: &LimitKey) -> SlotId {
        owner.slot(&Secret::default())
    }

    fn read(&mut self, id: SlotId, into: &mut Vec<u8>) -> Result<Version, StoreError> {
        Ok(Memory::read(self, &id, into))
    }

    fn swap(&mut self, id: SlotId, bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        Ok(Memory::swap(self, id, bytes, version))
    }
}
