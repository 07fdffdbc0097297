//! Carries out what leaves the filter: edits of heads, filter state for the access log, answers for the client.

use std::net::{IpAddr, SocketAddr};

use crate::answer::denial::Denial;
use crate::config::FilterStateField;
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::list;
use crate::credentials::retirement::Notice;
use crate::filter::request::{Edit, Forward, Request};
use crate::filter::worker::Worker;
use crate::host::abi::{self, Level, LocalResponse, MapType};
use crate::host::status::Status;
use crate::http::head::Head;

/// Tells the upstream who is calling.
///
/// # Errors
/// Whatever the host answers.
#[inline(never)]
pub fn forward_to_upstream(forward: &Forward, worker: &Worker) -> Result<(), Status> {
    forward.edits(&worker.config, |it| edit(MapType::RequestHeaders, it))
}

/// Edits a head.
///
/// # Errors
/// Whatever the host answers.
#[inline]
pub fn edit(map: MapType, edit: Edit<&[u8]>) -> Result<(), Status> {
    match edit {
        Edit::Remove(name) => abi::remove_header(map, name),
        Edit::Set(name, value) => abi::set_header(map, name, value),
        Edit::Add(name, value) => abi::add_header(map, name, value),
    }
}

/// Which fields the filter state has already, by their places in the configuration.
#[derive(Debug, Default)]
pub struct PublishedFields(u32);

impl PublishedFields {
    const fn bit(at: usize) -> u32 {
        // There are fewer fields than bits, and the configuration names each once.
        1 << (at & 31)
    }

    const fn has(&self, at: usize) -> bool {
        self.0 & Self::bit(at) != 0
    }

    const fn note(&mut self, at: usize) {
        self.0 |= Self::bit(at);
    }
}

/// Writes what is known into the filter state, where the guard and the access log read it: each field once, with the verdict, and
/// before it where a request is held, since it may have been charged and its client may leave. A log that misses it is no
/// reason to refuse.
#[inline(never)]
pub fn publish(request: &Request, worker: &Worker, published: &mut PublishedFields) {
    let key = request.api_key();
    let mut cost = itoa::Buffer::new();
    for (at, field) in worker.config.filter_state.iter().enumerate() {
        if published.has(at) {
            continue;
        }
        let value = match field {
            FilterStateField::Decision => request.decision(),
            FilterStateField::Tier => {
                request.tier().and_then(|tier| worker.config.tiers.get(tier)).map(|tier| tier.name.as_str())
            }
            FilterStateField::Route => request.template(worker),
            FilterStateField::Client => request.client(),
            FilterStateField::Key => key.map(|key| key.id.as_str()),
            FilterStateField::Cost if key.is_some() && !request.awaits_cost(worker) => {
                Some(cost.format(request.cost()))
            }
            FilterStateField::Cost => None,
            // Of two credentials the one that ends first counts.
            FilterStateField::Retirement if request.decision().is_none() && request.caller().is_none() => None,
            FilterStateField::Retirement => request.retirement().map(|notice| notice.phase.name()),
            FilterStateField::Reason => request.reason(),
            FilterStateField::Limit => request.limit(),
            FilterStateField::WouldDeny => request.would_deny(),
        };
        if let Some(value) = value {
            published.note(at);
            let _ = abi::set_property(field.key().as_bytes(), value.as_bytes());
        }
    }
}

/// Answers the request here.
///
/// # Errors
/// Whatever the host answers.
#[inline(never)]
pub fn answer(denial: &Denial, request: &Request, head: &Head, worker: &Worker, id: &str) -> Result<(), Status> {
    if let Some(reason) = request.reason() {
        let _ = abi::log(Level::Debug, ["hallpass: ", denial.code(), ": ", reason].concat().as_bytes());
    }
    let answer = request.answer(denial, head, &worker.config, id);
    let headers: Vec<(&[u8], &[u8])> =
        answer.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    abi::send_local_response(&LocalResponse {
        status: u32::from(answer.status),
        details: denial.code(),
        headers: &headers,
        body: answer.body.as_bytes(),
        grpc_status: denial.grpc_status(),
    })
}

/// The answer when there is no configuration or the host failed.
///
/// # Errors
/// Whatever the host answers.
#[inline(never)]
pub fn answer_broken(id: &str, retirement: Option<&Notice>) -> Result<(), Status> {
    let _ = abi::set_property(b"hallpass.decision", b"unavailable");
    let headers: [(&[u8], &[u8]); 4] = [
        (b"x-request-id", id.as_bytes()),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"1"),
        (b"content-type", b"text/plain; charset=utf-8"),
    ];
    let announced = retirement.and_then(Notice::headers).into_iter().flatten();
    let announced = announced.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let headers: Vec<(&[u8], &[u8])> = headers.into_iter().chain(announced).collect();
    abi::send_local_response(&LocalResponse {
        status: 503,
        details: "unavailable",
        headers: &headers,
        body: b"unavailable\n",
        // UNAVAILABLE
        grpc_status: 14,
    })
}

/// The address that Envoy trusts (after `xff_num_trusted_hops`), never a raw header.
pub fn source_address() -> Option<IpAddr> {
    let bytes = abi::property(b"source\0address").ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
}

/// SHA-256 of the certificate that the client showed on this connection; it has proved that it has the key.
pub fn client_certificate() -> Option<CertificateDigest> {
    let digest = abi::property(b"connection\0sha256_peer_certificate_digest").ok()?;
    list::digest_of_hex(std::str::from_utf8(&digest).ok()?)
}
