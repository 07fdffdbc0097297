//! The shell: the only code that talks to the proxy. What needs no host call is compiled and tested everywhere.

#[cfg(target_arch = "wasm32")]
pub mod abi;
pub mod pairs;
pub mod status;
pub mod verify;
