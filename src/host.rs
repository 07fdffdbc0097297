//! The shell: the only code that talks to the proxy. What needs no host call is compiled and tested everywhere.

#[cfg(target_arch = "wasm32")]
pub mod abi;
#[cfg(target_arch = "wasm32")]
pub mod body;
pub mod call_failure;
#[cfg(all(target_arch = "wasm32", feature = "test-faults"))]
pub mod faults;
#[cfg(target_arch = "wasm32")]
pub mod fetch;
#[cfg(target_arch = "wasm32")]
pub mod http;
#[cfg(target_arch = "wasm32")]
pub mod index_build;
#[cfg(target_arch = "wasm32")]
pub mod output;
pub mod pairs;
#[cfg(target_arch = "wasm32")]
pub mod random;
#[cfg(target_arch = "wasm32")]
pub mod root;
#[cfg(target_arch = "wasm32")]
pub mod shared_data;
pub mod status;
#[cfg(target_arch = "wasm32")]
pub mod stream;
pub mod verify;
#[cfg(target_arch = "wasm32")]
pub mod worker_context;

/// Where Envoy begins: the module's start function.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, missing_docs, reason = "what the macro of the SDK writes")]
mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|context| Box::new(super::root::Root::new(context)));
    }}
}
