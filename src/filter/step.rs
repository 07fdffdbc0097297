//! What goes into the machine and what comes out: events and steps.

use std::net::IpAddr;
use std::rc::Rc;

use crate::caller::Caller;
use crate::denial::Denial;
use crate::limits::ledger::{Charge, Outcome, Receipt, StoreError};
use crate::token::signature::Job;

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The request's head is here.
    Head,
    /// The trusted address of the source, as asked for; `None`: Envoy knows none.
    Address(Option<IpAddr>),
    /// The host compared and swapped, as asked for.
    Charged(Result<Outcome, StoreError>),
    /// The refund that was asked for is done.
    Refunded,
    /// The signature was checked, as asked for.
    Verified(bool),
    /// The request is ready to be looked at again.
    Ready,
    /// The response's head is here, with the value of the settlement header.
    Reply(Option<&'a [u8]>),
    /// The stream is gone.
    Gone,
}

/// What the shell must do, and then (but for the last four) report as an event.
#[derive(Debug)]
pub enum Step<'h> {
    /// Tell the source address.
    NeedAddress,
    /// Charge these budgets, all or nothing.
    Charge(Vec<Charge>),
    /// Give back one request of this charge.
    Refund(Receipt),
    /// Check this signature.
    Verify(Box<Job<'h>>),
    /// Hold the request until [`Request::is_ready`].
    AwaitKeys,
    /// Let it pass. Final.
    Pass(Forward),
    /// Answer this. Final.
    Deny(Denial),
    /// Edit the response's head.
    Reply(ReplyEdits),
    /// Nothing.
    Nothing,
}

/// What the upstream is told.
#[derive(Debug)]
pub struct Forward {
    /// Who is calling; `None` on open routes.
    pub caller: Option<Rc<Caller>>,
    /// Set `connection` to `upgrade` alone (an allowed upgrade that lists more).
    pub rewrite_connection: bool,
}

/// What the response gets.
#[derive(Debug, Default)]
pub struct ReplyEdits {
    /// Fields to add.
    pub fields: Vec<(&'static str, String)>,
    /// The charge to settle, and the actual cost.
    pub settle: Option<(Receipt, u32)>,
}
