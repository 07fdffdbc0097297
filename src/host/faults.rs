//! Faults on demand, for tests of what Envoy does when a module fails. Only in builds with the feature `test-faults`.
//!
//! The configuration of the VM (`vm_config.configuration`) names a fault of [`on_configure`] on workers; a request with the
//! header `x-test-trap` traps. A request may also have signatures checked, see [`verify`].

use super::abi::{self, BufferType, MapType};

pub mod verify;

/// How often Envoy configures a module on its main thread, before any worker runs.
const ON_MAIN_THREAD: usize = 2;

/// What `on_configure` answers for this VM, unless it traps: yes on the main thread, no on workers.
pub fn on_configure() -> bool {
    let fault = abi::buffer(BufferType::VmConfiguration, 0, usize::MAX).unwrap_or_default();
    if fault.is_empty() || is_on_main_thread() {
        return true;
    }
    if fault == b"trap-on-worker" {
        trap();
    }
    fault != b"fail-on-worker"
}

/// Traps where the request asks for it; says whether the request was answered.
pub fn on_request() -> bool {
    if abi::header(MapType::RequestHeaders, b"x-test-trap").is_ok() {
        trap();
    }
    verify::on_request()
}

/// Counts the VMs of the process in shared data: the first ones are those of the main thread.
fn is_on_main_thread() -> bool {
    const KEY: &[u8] = b"hallpass-test-faults/vms";
    let (count, cas) = abi::shared_data(KEY).map_or((0, abi::CAS_CREATE), |shared| (shared.value.len(), shared.cas));
    let one_more = vec![b'1'; count.saturating_add(1)];
    if abi::set_shared_data(KEY, &one_more, cas).is_err() {
        return is_on_main_thread();
    }
    count < ON_MAIN_THREAD
}

fn trap() -> ! {
    core::arch::wasm32::unreachable()
}
