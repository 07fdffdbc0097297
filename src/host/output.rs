//! What leaves the filter: headers for the upstream, facts for the access log, answers for the client.

use std::net::{IpAddr, SocketAddr};

use crate::config::Fact;
use crate::denial::Denial;
use crate::filter::{Forward, Request};
use crate::host::abi::{self, LocalResponse, MapType};
use crate::host::status::Status;
use crate::problem;
use crate::retirement::Notice;
use crate::token::ids::Ids;
use crate::worker::Worker;

/// Tells the upstream who is calling. Every value was checked when the token was, or the list of keys.
///
/// # Errors
/// Whatever the host answers.
#[inline(never)]
pub fn forward_to_upstream(forward: &Forward, worker: &Worker) -> Result<(), Status> {
    let set = |name: &str, value: &[u8]| abi::set_header(MapType::RequestHeaders, name.as_bytes(), value);
    let names = &worker.config.forward;
    if let Some(caller) = &forward.caller {
        let lists = [
            (&names.schools, &caller.schools),
            (&names.districts, &caller.districts),
            (&names.permissions, &caller.permissions),
        ];
        for (name, list) in lists {
            if let Some(header) = list.as_ref().map(Ids::header) {
                set(name, header)?;
            }
        }
        set(&names.client, caller.client.as_bytes())?;
        // A key in it goes by its own rule, and was removed before unless that lets it pass.
        if !names.authorization && !forward.key_alone {
            abi::remove_header(MapType::RequestHeaders, b"authorization")?;
        }
    }
    if let Some(key) = &forward.key {
        set(&names.account, key.account.as_bytes())?;
    }
    if let Some(tier) = forward.tier.and_then(|tier| worker.config.tiers.get(tier)) {
        set(&names.tier, tier.name.as_bytes())?;
    }
    if forward.rewrite_connection {
        set("connection", b"upgrade")?;
    }
    Ok(())
}

/// Which facts the guard and the access log were told, by their places in the configuration.
#[derive(Debug, Default)]
pub struct Told(u32);

impl Told {
    const fn bit(at: usize) -> u32 {
        // There are eight facts, each of which stands once.
        1 << (at & 31)
    }

    const fn has(&self, at: usize) -> bool {
        self.0 & Self::bit(at) != 0
    }

    const fn note(&mut self, at: usize) {
        self.0 |= Self::bit(at);
    }
}

/// Tells the guard and the access log what is known, as far as they are to know it, and each fact once: with the verdict, and
/// before it where a request is held, since it may have been charged and its client may leave. A log that misses it is no
/// reason to refuse.
#[inline(never)]
pub fn publish(request: &Request, worker: &Worker, told: &mut Told) {
    let key = request.api_key();
    let mut cost = itoa::Buffer::new();
    for (at, fact) in worker.config.filter_state.iter().enumerate() {
        if told.has(at) {
            continue;
        }
        let value = match fact {
            Fact::Decision => request.decision(),
            Fact::Tier => request.tier().and_then(|tier| worker.config.tiers.get(tier)).map(|tier| tier.name.as_str()),
            Fact::Client => request.caller().map(|caller| caller.client.as_str()),
            Fact::Route => request.template(worker),
            Fact::Account => key.map(|key| key.account.as_str()),
            Fact::Key => key.map(|key| key.id.as_str()),
            Fact::Cost if key.is_some() && !request.awaits_cost(worker) => Some(cost.format(request.cost())),
            Fact::Cost => None,
            // Of two credentials the one that ends first counts.
            Fact::Retirement if request.decision().is_none() && request.caller().is_none() => None,
            Fact::Retirement => request.retirement().map(|notice| notice.phase.name()),
        };
        if let Some(value) = value {
            told.note(at);
            let _ = abi::set_property(fact.key().as_bytes(), value.as_bytes());
        }
    }
}

/// Answers the request here.
///
/// # Errors
/// Whatever the host answers.
#[inline(never)]
pub fn answer(denial: &Denial, request: &Request, worker: &Worker, id: &str) -> Result<(), Status> {
    let answer = problem::answer(denial, &worker.config, id);
    let own = answer.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let mut headers: Vec<(&[u8], &[u8])> = Vec::with_capacity(answer.headers.capacity());
    headers.extend(own);
    headers.extend(announcement(request.retirement()));
    abi::send_local_response(&LocalResponse {
        status: u32::from(answer.status),
        details: denial.code(),
        headers: &headers,
        body: answer.body.as_bytes(),
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
    let headers: Vec<(&[u8], &[u8])> = headers.into_iter().chain(announcement(retirement)).collect();
    abi::send_local_response(&LocalResponse {
        status: 503,
        details: "unavailable",
        headers: &headers,
        body: b"unavailable\n",
    })
}

/// What answers to a credential carry whose retirement is announced.
fn announcement(notice: Option<&Notice>) -> impl Iterator<Item = (&[u8], &[u8])> {
    let fields = notice.and_then(Notice::fields);
    fields.into_iter().flat_map(|it| {
        let fields: [(&[u8], &str); 3] =
            [(b"deprecation", &it.deprecation), (b"sunset", &it.sunset), (b"link", &it.link)];
        fields.map(|(name, value)| (name, value.as_bytes()))
    })
}

/// The address that Envoy trusts (after `xff_num_trusted_hops`), never a raw header.
pub fn source_address() -> Option<IpAddr> {
    let bytes = abi::property(b"source\0address").ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
}

/// 16 bytes that nobody can guess.
pub fn random_bytes() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let word = || RandomState::new().hash_one(0_u8).to_le_bytes();
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&word());
    high.copy_from_slice(&word());
    bytes
}
