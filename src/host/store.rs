//! Slots of limits in Envoy's shared data: read, and swap if nobody else did.

use crate::host::abi;
use crate::host::status::Status;
use crate::limits::ledger::{Slots, StoreError, Swap, Version};
use crate::limits::slot::SlotId;

/// The shared data of this `vm_id`.
#[derive(Debug)]
pub struct SharedSlots;

impl Slots for SharedSlots {
    fn read(&mut self, id: SlotId, into: &mut Vec<u8>) -> Result<Version, StoreError> {
        into.clear();
        match abi::shared_data(id.key().as_ref()) {
            Ok(shared) => {
                *into = shared.value;
                Ok(Version::Cas(shared.cas))
            }
            Err(Status::NotFound) => Ok(Version::Absent),
            Err(_) => Err(StoreError::Host),
        }
    }

    fn swap(&mut self, id: SlotId, bytes: &[u8], version: Version) -> Result<Swap, StoreError> {
        let cas = match version {
            Version::Absent => abi::CAS_CREATE,
            Version::Cas(cas) => cas,
        };
        match abi::set_shared_data(id.key().as_ref(), bytes, cas) {
            Ok(()) => Ok(Swap::Done),
            Err(Status::CasMismatch) => Ok(Swap::Lost),
            Err(_) => Err(StoreError::Host),
        }
    }
}
