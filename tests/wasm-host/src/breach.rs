//! Breaches of the ABI's contract that the SDK answers with a panic, and why hallpass cannot help it.
//!
//! Each is tested to trap ([`Breach::commit`] in `tests/wasm.rs`); all else is generated. Once one no longer traps,
//! take its row out of [`EXCEPTIONS`]: the fuzzer then commits it as well.
//!
//! Beyond any list: a host that writes outside of what it allocated, or calls back while a host call runs.

use crate::drive::Drive;

/// A breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A callback for a context that was never created.
    UnknownContext,
    /// A callback for a context that was deleted.
    DeletedContext,
    /// `proxy_on_delete` twice.
    DeletedTwice,
    /// A context is created twice.
    DuplicateContext,
    /// A stream of a root context that does not exist.
    UnknownRoot,
    /// An event of a connection, as for a network filter.
    Connection,
    /// The answer to a call-out that was never sent.
    UnknownToken,
    /// A second answer to a call-out.
    AnsweredTwice,
    /// `proxy_http_call` answers another status than Ok, `BadArgument` and `InternalFailure`.
    CallOutStatus,
    /// `proxy_http_call` gives a number that is in use.
    TokenInUse,
    /// `proxy_set_effective_context` fails for the context whose call-out is answered.
    LostContext,
    /// `proxy_on_memory_allocate` of more than there is.
    NoMemory,
    /// `random_get` of WASI fails.
    NoRandomness,
    /// `environ_sizes_get` of WASI fails.
    NoEnvironment,
}

/// The breaches that end in a panic, and why no host that keeps the contract commits them.
pub const EXCEPTIONS: &[(Breach, &str)] = &[
    (Breach::UnknownContext, "the SDK's dispatcher panics; proxy-wasm-cpp-host creates each context before its events"),
    (Breach::DeletedContext, "the SDK's dispatcher panics; Envoy deletes a context last"),
    (Breach::DeletedTwice, "the SDK's dispatcher panics; proxy-wasm-cpp-host deletes a context once"),
    (Breach::DuplicateContext, "the SDK's dispatcher panics; ids are counted up"),
    (Breach::UnknownRoot, "the SDK's dispatcher panics; a stream holds its root context"),
    (Breach::Connection, "the SDK's dispatcher panics; only a network filter has them: the connection is then closed"),
    (Breach::UnknownToken, "the SDK's dispatcher panics; Envoy answers only what was sent"),
    (Breach::AnsweredTwice, "the SDK's dispatcher panics; Envoy forgets a call-out with its answer"),
    (
        Breach::CallOutStatus,
        "the SDK's `dispatch_http_call` panics; Envoy answers with these three, a restricted call too",
    ),
    (Breach::TokenInUse, "the SDK's `dispatch_http_call` panics; Envoy skips numbers in use"),
    (Breach::LostContext, "the SDK's dispatcher unwraps; Envoy forgets call-outs with their context"),
    (Breach::NoMemory, "the SDK's allocator panics; Envoy hands over buffers and maps of bounded size"),
    (
        Breach::NoRandomness,
        "std panics where hash keys cannot be had; Envoy fails only for pointers outside of the memory",
    ),
    (Breach::NoEnvironment, "the libc exits; Envoy fails only for pointers outside of the memory"),
];

impl Breach {
    /// Whether it is excepted.
    pub fn is_excepted(self) -> bool {
        EXCEPTIONS.iter().any(|(it, _)| *it == self)
    }

    /// Commits it on a worker that is configured and has one stream.
    ///
    /// # Errors
    /// The trap.
    pub fn commit(self, drive: &mut Drive<'_>) -> Result<(), String> {
        let (unknown, root) = (7_000_000, drive.roots[0]);
        match self {
            Self::UnknownContext => drive.callback("proxy_on_request_headers", &[unknown, 1, 1]),
            Self::DeletedContext => {
                let stream = drive.open(root)?;
                drive.delete(stream)?;
                drive.callback("proxy_on_request_headers", &[stream, 1, 1])
            }
            Self::DeletedTwice => {
                let stream = drive.open(root)?;
                drive.delete(stream)?;
                drive.callback("proxy_on_delete", &[stream])
            }
            Self::DuplicateContext => {
                let stream = drive.open(root)?;
                drive.callback("proxy_on_context_create", &[stream, root])
            }
            Self::UnknownRoot => drive.callback("proxy_on_context_create", &[unknown, unknown + 1]),
            Self::Connection => {
                let stream = drive.open(root)?;
                drive.callback("proxy_on_new_connection", &[stream])
            }
            Self::UnknownToken => drive.callback("proxy_on_http_call_response", &[root, unknown, 1, 1, 0]),
            Self::AnsweredTwice => {
                drive.callback("proxy_on_tick", &[root])?;
                let Some(call) = drive.vm.host_mut().call_outs.pop() else {
                    return Ok(());
                };
                drive.callback("proxy_on_http_call_response", &[call.context, call.token, 0, 0, 0])?;
                drive.callback("proxy_on_http_call_response", &[call.context, call.token, 0, 0, 0])
            }
            Self::CallOutStatus => {
                drive.vm.host_mut().chaos.force("proxy_http_call", 99);
                drive.callback("proxy_on_tick", &[root])
            }
            Self::TokenInUse => {
                drive.callback("proxy_on_tick", &[root])?;
                let host = drive.vm.host_mut();
                host.tokens = 0;
                host.clock += 60_000_000_000;
                drive.callback("proxy_on_tick", &[root])
            }
            Self::LostContext => {
                drive.callback("proxy_on_tick", &[root])?;
                let host = drive.vm.host_mut();
                host.spares_sdk = false;
                host.chaos.force("proxy_set_effective_context", 2);
                drive.answer(0, crate::host::Answer::default())
            }
            Self::NoMemory => drive.vm.call("proxy_on_memory_allocate", &[u32::MAX]).map(drop),
            Self::NoRandomness => Self::begin_without(drive, "random_get"),
            Self::NoEnvironment => Self::begin_without(drive, "environ_sizes_get"),
        }
    }

    /// Starts another instance, on a host where this call fails.
    fn begin_without(drive: &mut Drive<'_>, import: &str) -> Result<(), String> {
        let mut host = crate::host::Host::new(drive.vm.host().configuration.clone());
        host.chaos.force(import, 52);
        let mut other = Drive::start(drive.code, host, crate::rng::Rng::new(0))?;
        other.root(0)?;
        Ok(())
    }
}
