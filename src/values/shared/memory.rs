//! Shared data in memory, of one process and one thread: what Envoy keeps for its workers, for those who run without it.

use std::collections::HashMap;

use super::{SharedData, StoreError, Swap, Version};

/// Values by key, each with the number of the write that made it. As in Envoy, all writes are counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub(crate) values: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    pub(crate) writes: u32,
}

impl Memory {
    /// Writes `bytes`, whatever is there.
    pub fn write(&mut self, key: &[u8], bytes: &[u8]) {
        self.writes = self.writes.wrapping_add(1).max(1);
        self.values.insert(key.to_vec(), (bytes.to_vec(), self.writes));
    }

    fn version(&self, key: &[u8]) -> Version {
        self.values.get(key).map_or(Version::Absent, |(_, cas)| Version::Cas(*cas))
    }
}

impl SharedData for Memory {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        into.clear();
        if let Some((bytes, _)) = self.values.get(key) {
            into.extend_from_slice(bytes);
        }
        Ok(self.version(key))
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        if self.version(key) != version {
            return Ok(Swap::Lost);
        }
        self.write(key, bytes);
        Ok(Swap::Done)
    }
}
