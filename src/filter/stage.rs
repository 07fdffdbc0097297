//! Stages of a request: what it waits for.

use std::rc::Rc;

use crate::caller::Caller;
use crate::denial::Denial;
use crate::worker::{Untrusted, Wait};

/// Where a request stands.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// Nothing is known.
    #[default]
    New,
    /// The source address was asked for.
    Address(AddressFor),
    /// The route's limits of the address are being charged.
    AddressLimits,
    /// The budget for failed credentials is being charged.
    Guard,
    /// The signature is being checked.
    Verifying(Box<Untrusted>),
    /// The charge of the guard is being given back.
    Refunding(After),
    /// Keys are being waited for.
    Waiting(Wait),
    /// The caller's limits are being charged.
    Planned,
    /// The request went to the upstream.
    Passed,
    /// The upstream's response has begun; the request's body may still be on its way.
    Replied,
    /// It was refused, or its stream is gone.
    Closed,
}

/// What the address is needed for.
#[derive(Clone, Copy, Debug)]
pub(super) enum AddressFor {
    /// Limits that the route asks for.
    Limits,
    /// The budget for failed credentials.
    Guard,
}

/// What follows a refund.
#[derive(Debug)]
pub(super) enum After {
    /// The caller is known.
    Bind(Rc<Caller>),
    /// The request waits for keys.
    Wait(Wait),
    /// The request is refused for no fault of the credential.
    Deny(Denial),
}
