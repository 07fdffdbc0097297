//! Envoy's shared data: read, and swap if nobody else did; and the slots of limits in it.

use crate::filter::worker::Worker;
use crate::host::status::Status;
use crate::host::{abi, output};
use crate::limits::key::{LimitKey, Secret};
use crate::limits::ledger::{Slots, StoreError, Swap, Version};
use crate::limits::recent::Recalling;
use crate::limits::slot::SlotId;
use crate::values::time::Timestamp;

/// The key of the secret in shared data.
const SECRET: &[u8] = b"hallpass1/secret";

/// What keys the slots of budgets: made by whoever comes first, and the same for all workers of this `vm_id`. Where a stranger of
/// the same `vm_id` has spoilt it, it is none, for all alike: slots that can be told are better than budgets of each worker.
pub fn secret() -> Secret {
    // Whoever loses the race has that of the winner.
    let _ = abi::set_shared_data(SECRET, &output::random_bytes(), abi::CAS_CREATE);
    let shared = abi::shared_data(SECRET).map(|shared| shared.value).unwrap_or_default();
    Secret(shared.first_chunk().copied().unwrap_or_default())
}

/// The slots of a worker's budgets.
pub fn slots(worker: &mut Worker, now: Timestamp) -> impl Slots {
    Recalling { slots: SharedSlots(worker.secret), recent: &mut worker.recent, now }
}

/// The shared data of this `vm_id`.
#[derive(Debug)]
struct SharedSlots(Secret);

impl Slots for SharedSlots {
    fn slot_of(&self, owner: &LimitKey) -> SlotId {
        owner.slot(&self.0)
    }

    fn read(&mut self, id: SlotId, into: &mut Vec<u8>) -> Result<Version, StoreError> {
        read(id.key().as_ref(), into)
    }

    fn swap(&mut self, id: SlotId, bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        swap(id.key().as_ref(), bytes, version)
    }
}

/// Replaces the contents of `into` with the value of `key`, empty if it has none.
///
/// # Errors
/// [`StoreError::Host`] if the host refuses.
pub fn read(key: &[u8], into: &mut Vec<u8>) -> Result<Version, StoreError> {
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

/// Writes `bytes` if the value of `key` is still the one that `version` names.
///
/// # Errors
/// [`StoreError::Host`] if the host refuses for any other reason than a lost race.
pub fn swap(key: &[u8], bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
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
