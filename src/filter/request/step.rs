//! What goes into the machine and what comes out: events and steps.

use std::net::IpAddr;
use std::rc::Rc;

use smallvec::SmallVec;

use crate::answer::denial::Denial;
use crate::credentials::api_key::ApiKey;
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::jwt::signature::Job;
use crate::credentials::opaque::lookup::{Found, Lookup};
use crate::filter::caller::Caller;
use crate::limits::ledger::{Charge, Outcome, Receipt, StoreError};

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The request's head is here.
    Head,
    /// The trusted address of the source, as asked for; `None`: Envoy knows none.
    Address(Option<IpAddr>),
    /// SHA-256 of the certificate that the client showed on this connection, as asked for; `None`: it showed none.
    Certificate(Option<CertificateDigest>),
    /// The host compared and swapped, as asked for.
    Charged(Result<Outcome, StoreError>),
    /// What charging would come to, as asked for; nothing was charged.
    Peeked(Result<Outcome, StoreError>),
    /// The refund that was asked for is done.
    Refunded,
    /// The signature was checked, as asked for.
    Verified(bool),
    /// The token was looked up, as asked for.
    Found(Result<Found, StoreError>),
    /// The request is ready to be looked at again.
    Ready,
    /// The whole body is here, as asked for; empty if the request ended without one.
    Body(&'a [u8]),
    /// The body is longer than what was asked for.
    TooBig,
    /// The response's head is here.
    Reply(ReplyHead<'a>),
    /// The stream is gone.
    Gone,
}

/// What the request machine needs of a response's head.
#[derive(Clone, Copy, Debug)]
pub struct ReplyHead<'a> {
    /// Status code; 0: not readable.
    pub status: u16,
    /// Value of the settlement header.
    pub settlement: Option<&'a [u8]>,
}

/// What the shell must do, and then (but for the last four) report as an event.
#[derive(Debug)]
pub enum Step<'h> {
    /// Tell the source address.
    NeedAddress,
    /// Tell the digest of the client's certificate.
    NeedCertificate,
    /// Charge these budgets, all or nothing.
    Charge(SmallVec<[Charge; 1]>),
    /// Tell what charging this would come to, and charge nothing.
    Peek(Charge),
    /// Give this charge back.
    Refund(Receipt),
    /// Check this signature.
    Verify(Box<Job<'h>>),
    /// Look this token up.
    Lookup(Box<Lookup>),
    /// Hold the request until [`Request::is_ready`](super::Request::is_ready).
    AwaitKeys,
    /// Hold the request until its body has ended, in whichever way, or is longer than `max` bytes.
    AwaitBody {
        /// Longest body.
        max: usize,
    },
    /// Let it pass. Final.
    Pass(Forward),
    /// Answer this. Final.
    Deny(Denial),
    /// Edit the response's head.
    Reply(ReplyEdits),
    /// Nothing.
    Nothing,
}

/// What the upstream is told; [`Forward::edits`] is how.
#[derive(Debug)]
pub struct Forward {
    /// Who is calling; `None` on routes without tokens.
    pub caller: Option<Rc<Caller>>,
    /// The API key; `None` on routes without keys.
    pub key: Option<Rc<ApiKey>>,
    /// Whether the request shows a key instead of a token, so that the caller is the key's client.
    pub key_alone: bool,
    /// The tier, by index: that of the key's client, else that of the token.
    pub tier: Option<usize>,
    /// Set `connection` to `upgrade` alone (an allowed upgrade that lists more).
    pub rewrite_connection: bool,
}

/// What the response gets; [`ReplyEdits::edits`] is what its head does.
#[derive(Debug, Default)]
pub struct ReplyEdits {
    /// Fields to set, in place of the upstream's.
    pub fields: Vec<(&'static str, String)>,
    /// A `Link` to add beside the upstream's.
    pub link: Option<String>,
    /// Charges to settle, each with the part of the actual cost that falls to it.
    pub settle: Vec<(Receipt, u32)>,
    /// The charge of a failure that did not happen: to give back.
    pub refund: Option<Receipt>,
}
