//! Host calls of the proxy-wasm ABI 0.2.1, in bytes.
//!
//! The SDK's own wrappers panic on a status they do not expect and on text that is not UTF-8, and a panic takes the worker
//! down. Here every status is a value. The SDK still exports the callbacks and the allocation function.
//!
//! This is the only module with unsafe code. Two facts carry it: a slice passes a pointer and a length that are valid for
//! the duration of the call, and the host writes results only into the places given to it.
#![allow(unsafe_code)]

mod types;

use std::ptr::{null_mut, slice_from_raw_parts_mut};

pub use self::types::{
    BufferType, CAS_CREATE, HttpCall, Level, LocalResponse, MapType, MetricId, MetricType, Shared, StreamType,
};
use crate::host::pairs;
pub use crate::host::status::Status;
use crate::values::time::Timestamp;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, message_len: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: u32, pairs: *mut *mut u8, pairs_len: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *mut *mut u8,
        value_len: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_len: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        bytes_max: usize,
        bytes: *mut *mut u8,
        bytes_len: *mut usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_get_property(path: *const u8, path_len: usize, value: *mut *mut u8, value_len: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_len: usize, value: *const u8, value_len: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        value: *mut *mut u8,
        value_len: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_len: usize, value: *const u8, value_len: usize, cas: u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period_ms: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_len: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_len: usize,
        arguments: *const u8,
        arguments_len: usize,
        result: *mut *mut u8,
        result_len: *mut usize,
    ) -> u32;
}

/// Writes a log line.
///
/// # Errors
/// Whatever the host answers; there is nowhere to report it.
pub fn log(level: Level, message: &[u8]) -> Result<(), Status> {
    // SAFETY: the message is a slice.
    Status::check(unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) })
}

/// The wall clock of the host.
///
/// # Errors
/// Whatever the host answers.
pub fn now() -> Result<Timestamp, Status> {
    let mut nanos = 0_u64;
    // SAFETY: the host writes one number into a local one.
    Status::check(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) })?;
    Ok(Timestamp::from_micros(nanos / 1_000))
}

/// A whole header map in the form that `crate::http::head` reads. Empty where the host holds more than 1,024 pairs or 1 MiB.
///
/// # Errors
/// `BadArgument` where this map is not readable in this callback.
pub fn header_pairs(map: MapType) -> Result<Vec<u8>, Status> {
    // SAFETY: the host writes one pointer and one length into the places that `returned` gives.
    returned(|data, len| unsafe { proxy_get_header_map_pairs(map as u32, data, len) })
}

/// The first value of the header `name`; others of the same name are not seen.
///
/// # Errors
/// `NotFound` where there is none; `BadArgument` where this map is not readable in this callback.
pub fn header(map: MapType, name: &[u8]) -> Result<Vec<u8>, Status> {
    // SAFETY: the name is a slice; the host writes into the places that `returned` gives.
    returned(|data, len| unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, len) })
}

/// Sets the header `name` to this one value. The value must be free of CR, LF and NUL: the host writes it raw.
///
/// # Errors
/// `BadArgument` where this map is not writable in this callback.
pub fn set_header(map: MapType, name: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: both are slices.
    Status::check(unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Adds a header, besides those of the same name. The value must be free of CR, LF and NUL: the host writes it raw.
///
/// # Errors
/// `BadArgument` where this map is not writable in this callback.
pub fn add_header(map: MapType, name: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: both are slices.
    Status::check(unsafe {
        proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes every header `name`; none is no error.
///
/// # Errors
/// `BadArgument` where this map is not writable in this callback.
pub fn remove_header(map: MapType, name: &[u8]) -> Result<(), Status> {
    // SAFETY: the name is a slice.
    Status::check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// At most `bytes_max` bytes of a buffer from `start` on; empty where there are none.
///
/// # Errors
/// `NotFound` or `BadArgument` where this buffer does not exist in this callback.
pub fn buffer(buffer: BufferType, start: usize, bytes_max: usize) -> Result<Vec<u8>, Status> {
    // SAFETY: the host writes one pointer and one length into the places that `returned` gives.
    returned(|data, len| unsafe { proxy_get_buffer_bytes(buffer as u32, start, bytes_max, data, len) })
}

/// Answers the request here. The host does so once the callback returns: send one at most, and never resume after it.
///
/// # Errors
/// Whatever the host answers; from a root context nothing is sent and that is `Ok`.
pub fn send_local_response(response: &LocalResponse<'_>) -> Result<(), Status> {
    let headers = pairs::encode(response.headers);
    let (details, body) = (response.details, response.body);
    // SAFETY: all are slices.
    Status::check(unsafe {
        proxy_send_local_response(
            response.status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            i32::from(response.grpc_status),
        )
    })
}

/// Lets a paused stream go on.
///
/// # Errors
/// Whatever the host answers.
pub fn continue_stream(stream: StreamType) -> Result<(), Status> {
    // SAFETY: a number.
    Status::check(unsafe { proxy_continue_stream(stream as u32) })
}

/// Resets a stream without an answer.
///
/// # Errors
/// Whatever the host answers.
pub fn close_stream(stream: StreamType) -> Result<(), Status> {
    // SAFETY: a number.
    Status::check(unsafe { proxy_close_stream(stream as u32) })
}

/// A property of the request or its route; the segments of `path` are joined by NUL, as in `b"source\0address"`.
///
/// # Errors
/// `NotFound` where there is none; `SerializationFailure` where it has no form in bytes.
pub fn property(path: &[u8]) -> Result<Vec<u8>, Status> {
    // SAFETY: the path is a slice; the host writes into the places that `returned` gives.
    returned(|data, len| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, len) })
}

/// Sets a property; `b"hallpass.tier"` reads as `%FILTER_STATE(wasm.hallpass.tier:PLAIN)%` in the access log.
///
/// # Errors
/// Whatever the host answers.
pub fn set_property(path: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: both are slices.
    Status::check(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// Reads a value that all workers share.
///
/// # Errors
/// `NotFound` where the key was never set.
pub fn shared_data(key: &[u8]) -> Result<Shared, Status> {
    let mut cas = 0_u32;
    let cas_place = &raw mut cas;
    // SAFETY: the key is a slice; the host writes into the places that `returned` gives and into the local number.
    let value = returned(|data, len| unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), data, len, cas_place) })?;
    Ok(Shared { value, cas })
}

/// Writes a value that all workers share. A `cas` of 0 writes whatever is there; [`CAS_CREATE`] creates only.
///
/// # Errors
/// `CasMismatch` where the value is not the one that was read.
pub fn set_shared_data(key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
    // SAFETY: both are slices.
    Status::check(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// Sends a call-out and returns its number. The answer goes to the context that is active now.
///
/// The one call that goes through the SDK: its dispatcher panics on the answer to a call-out that it has not sent itself. On
/// its side it panics on a status other than those below; Envoy returns no other here.
///
/// # Errors
/// `BadArgument` for a cluster that does not exist or a required header that is missing; `InternalFailure` else.
pub fn http_call(call: &HttpCall<'_>) -> Result<u32, Status> {
    let headers = call.headers.to_vec();
    let sent = proxy_wasm::hostcalls::dispatch_http_call(call.cluster, headers, None, Vec::new(), call.timeout);
    sent.map_err(|status| match status {
        proxy_wasm::types::Status::BadArgument => Status::BadArgument,
        _ => Status::InternalFailure,
    })
}

/// Sets how often the active root context ticks; 0 stops it.
///
/// # Errors
/// Whatever the host answers.
pub fn set_tick_period(period_ms: u32) -> Result<(), Status> {
    // SAFETY: a number.
    Status::check(unsafe { proxy_set_tick_period_milliseconds(period_ms) })
}

/// Makes another context the active one, for the calls that follow in this callback.
///
/// # Errors
/// `BadArgument` where that context is gone.
pub fn set_effective_context(context: u32) -> Result<(), Status> {
    // SAFETY: a number.
    Status::check(unsafe { proxy_set_effective_context(context) })
}

/// Defines a metric, or finds the one of this name.
///
/// # Errors
/// Whatever the host answers.
pub fn define_metric(kind: MetricType, name: &[u8]) -> Result<MetricId, Status> {
    let mut id = 0;
    // SAFETY: the name is a slice; the host writes one number into a local one.
    Status::check(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(MetricId(id))
}

/// Adds to a counter or a gauge.
///
/// # Errors
/// `NotFound` or `BadArgument` where the metric does not exist or is no such metric.
pub fn increment_metric(metric: MetricId, by: i64) -> Result<(), Status> {
    // SAFETY: numbers.
    Status::check(unsafe { proxy_increment_metric(metric.0, by) })
}

/// Sets a gauge or adds a value to a histogram.
///
/// # Errors
/// `NotFound` or `BadArgument` where the metric does not exist or is no such metric.
pub fn record_metric(metric: MetricId, value: u64) -> Result<(), Status> {
    // SAFETY: numbers.
    Status::check(unsafe { proxy_record_metric(metric.0, value) })
}

/// Calls a function that this host offers beyond the ABI.
///
/// # Errors
/// `NotFound` where the host has no such function; else whatever the function answers.
pub fn call_foreign_function(name: &[u8], arguments: &[u8]) -> Result<Vec<u8>, Status> {
    // SAFETY: both are slices; the host writes into the places that `returned` gives.
    returned(|data, len| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), arguments.as_ptr(), arguments.len(), data, len)
    })
}

/// Runs a call that hands bytes back, and owns them.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let mut data: *mut u8 = null_mut();
    let mut len = 0_usize;
    Status::check(call(&raw mut data, &raw mut len))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host got the memory from `proxy_on_memory_allocate` of the SDK, which hands out a boxed slice of exactly
    // `len` bytes from the global allocator and forgets it; the host filled all of it and keeps no copy of the pointer.
    Ok(unsafe { Box::from_raw(slice_from_raw_parts_mut(data, len)) }.into_vec())
}
