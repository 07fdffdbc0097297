//! The types of the host calls, as far as they are used. The numbers are those of the ABI.

use std::time::Duration;

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// For developers.
    Debug = 1,
    /// What an operator should look at.
    Warn = 3,
    /// What an operator must look at.
    Error = 4,
}

/// Which header map a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MapType {
    /// Headers of the request, pseudo headers included.
    RequestHeaders = 0,
    /// Trailers of the request.
    RequestTrailers = 1,
    /// Headers of the response.
    ResponseHeaders = 2,
    /// Trailers of the response.
    ResponseTrailers = 3,
    /// Headers of the answer to a call-out.
    CallResponseHeaders = 6,
}

/// Which buffer a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum BufferType {
    /// Body of the request, as far as it is buffered.
    RequestBody = 0,
    /// Body of the answer to a call-out.
    CallResponseBody = 4,
    /// Configuration of the VM.
    VmConfiguration = 6,
    /// Configuration of the plugin.
    PluginConfiguration = 7,
}

/// Which direction of a stream a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum StreamType {
    /// From the client to the upstream.
    Request = 0,
}

/// Kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MetricType {
    /// Only grows.
    Counter = 0,
    /// Is set.
    Gauge = 1,
}

/// A value of the shared data, with the number to give to [`super::set_shared_data`] so that no write in between is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The bytes; empty too where a key was set to nothing.
    pub value: Vec<u8>,
    /// Version of the value.
    pub cas: u32,
}

/// The `cas` that creates a key and is `CasMismatch` where it exists.
pub const CAS_CREATE: u32 = u32::MAX;

/// Number of a metric, from [`super::define_metric`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricId(pub(super) u32);

/// A local reply, see [`super::send_local_response`].
#[derive(Clone, Copy, Debug)]
pub struct LocalResponse<'a> {
    /// Status code.
    pub status: u32,
    /// What `%RESPONSE_CODE_DETAILS%` shows in the access log; no spaces.
    pub details: &'a str,
    /// Headers besides `:status`. The host writes them raw: they must be free of CR, LF and NUL.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// Body.
    pub body: &'a [u8],
    /// What a gRPC client is told in place of the status (`google.rpc.Code`).
    pub grpc_status: u8,
}

/// A call-out, see [`super::http_call`].
#[derive(Clone, Copy, Debug)]
pub struct HttpCall<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// Headers; `:method`, `:path` and `:authority` are required.
    pub headers: &'a [(&'a str, &'a str)],
    /// Time until the host gives up; at least a millisecond, since less would mean never.
    pub timeout: Duration,
}
