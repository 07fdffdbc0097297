//! Envoy's shared data, and the slots of limits in it.

use crate::filter::worker::Worker;
use crate::host::abi;
use crate::host::random::random_bytes;
use crate::host::status::Status;
use crate::limits::key::{LimitKey, Secret};
use crate::limits::ledger::Slots;
use crate::limits::slot::SlotId;
use crate::limits::write_cache::CachedSlots;
use crate::values::shared::{SharedData, StoreError, Swap, Version};
use crate::values::time::Timestamp;

/// The key of the secret in shared data.
const SECRET: &[u8] = b"hallpass1/secret";

/// The secret that leads from limit keys to slots. The first worker of this `vm_id` makes it, and all others have the same. Where
/// a stranger of the same `vm_id` has spoilt it, all workers go without: slots that can be guessed are better than budgets of
/// each worker.
pub fn secret() -> Secret {
    // Whoever loses the race has that of the winner.
    let _ = abi::set_shared_data(SECRET, &random_bytes(), abi::CAS_CREATE);
    let shared = abi::shared_data(SECRET).map(|shared| shared.value).unwrap_or_default();
    Secret(shared.first_chunk().copied().unwrap_or_default())
}

/// The slots of limits, as a worker reaches them.
pub fn slots(worker: &mut Worker, now: Timestamp) -> impl Slots {
    CachedSlots { slots: SharedSlots(worker.secret), cache: &mut worker.write_cache, now }
}

/// The shared data of this `vm_id`.
#[derive(Clone, Copy, Debug)]
pub struct Shared;

impl SharedData for Shared {
    #[inline(never)]
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        into.clear();
        match abi::shared_data(key) {
            Ok(shared) => {
                *into = shared.value;
                Ok(Version::Cas(shared.cas))
            }
            Err(Status::NotFound) => Ok(Version::Absent),
            Err(_) => Err(StoreError::Host),
        }
    }

    #[inline(never)]
    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        let cas = match version {
            Version::Absent => abi::CAS_CREATE,
            Version::Cas(cas) => cas,
        };
        match abi::set_shared_data(key, bytes, cas) {
            Ok(()) => Ok(Swap::Done),
            Err(Status::CasMismatch) => Ok(Swap::Lost),
            Err(_) => Err(StoreError::Host),
        }
    }
}

/// Shared data with the secret that leads to its slots.
#[derive(Debug)]
struct SharedSlots(Secret);

impl Slots for SharedSlots {
    fn slot_of(&self, key: &LimitKey) -> SlotId {
        key.slot(&self.0)
    }
}

impl SharedData for SharedSlots {
    fn read(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
        Shared.read(key, into)
    }

    fn swap(&mut self, key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        Shared.swap(key, bytes, version)
    }
}
