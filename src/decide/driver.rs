//! Carries out the steps of a request, one by one, with what its platform supplies: Envoy, or a test.

use std::net::IpAddr;
use std::rc::Rc;

use crate::answer::denial::Denial;
use crate::credentials::jwt::claims::CertificateDigest;
use crate::credentials::jwt::signature::HostCrypto;
use crate::credentials::opaque::lookup;
use crate::filter::request::{Event, Forward, Request, Step};
use crate::filter::worker::Worker;
use crate::http::head::Head;
use crate::limits::ledger::{self, Slots};
use crate::values::shared::{SharedData, StoreError};
use crate::values::time::Timestamp;

/// What a request needs from outside of its worker.
pub trait Platform {
    /// Shared data: what is used up of limits.
    fn slots<'a>(&'a mut self, worker: &'a mut Worker, now: Timestamp) -> impl Slots + 'a;

    /// Shared data: the index of opaque tokens.
    fn index(&mut self) -> impl SharedData;

    /// Checks signatures, as far as the host can.
    fn crypto(&self) -> &dyn HostCrypto;

    /// The trusted address of the source.
    fn address(&self) -> Option<IpAddr>;

    /// SHA-256 of the certificate that the client showed.
    fn certificate(&self) -> Option<CertificateDigest>;

    /// Sees every step before it is carried out.
    fn on_step(&mut self, _step: &Step<'_>) {}
}

/// How far a request came.
#[derive(Debug)]
pub enum End {
    /// It goes to the upstream.
    Pass(Forward),
    /// It is answered here.
    Deny(Denial),
    /// It waits for keys: tell it [`Event::Ready`] once [`Request::is_ready`].
    Waits,
    /// It waits for a body of at most so many bytes: tell it [`Event::Body`] or [`Event::TooBig`].
    Body(usize),
    /// The event changed nothing that anyone must act upon.
    Nothing,
}

/// Tells the request an event and carries out its steps until it needs something that comes later.
#[inline(never)]
pub fn run(
    platform: &mut impl Platform,
    worker: &mut Worker,
    request: &mut Request,
    head: &Head,
    event: Event<'_>,
    now: Timestamp,
) -> End {
    let mut step = request.step(worker, head, now, event);
    loop {
        platform.on_step(&step);
        let event = match step {
            Step::NeedAddress => Event::Address(platform.address()),
            Step::NeedCertificate => Event::Certificate(platform.certificate()),
            Step::Charge(charges) => Event::Charged(ledger::reserve(&mut platform.slots(worker, now), &charges, now)),
            Step::Peek(charge) => Event::Peeked(ledger::peek(&mut platform.slots(worker, now), charge, now)),
            Step::Refund(receipt) => {
                // A refund that fails leaves the charge in place: stricter, never looser.
                let _ = ledger::cancel(&mut platform.slots(worker, now), receipt, now);
                Event::Refunded
            }
            Step::Verify(job) => Event::Verified(job.run(platform.crypto())),
            Step::Lookup(token) => Event::Found(match worker.index().map(Rc::clone) {
                Some(keys) => lookup::find(&mut platform.index(), &keys, &token),
                None => Err(StoreError::Host),
            }),
            Step::AwaitKeys => return End::Waits,
            Step::AwaitBody { max } => return End::Body(max),
            Step::Pass(forward) => return End::Pass(forward),
            Step::Deny(denial) => return End::Deny(denial),
            Step::Reply(_) | Step::Nothing => return End::Nothing,
        };
        step = request.step(worker, head, now, event);
    }
}
