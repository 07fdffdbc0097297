//! Stages of a request: what it waits for.

use std::rc::Rc;

use crate::answer::denial::Denial;
use crate::credentials::cache::Fingerprint;
use crate::credentials::opaque::lookup::Lookup;
use crate::filter::caller::Caller;
use crate::filter::worker::{TokenResult, Untrusted, Wait};
use crate::limits::ledger::{Charge, Receipt};

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
    /// The budget for failed credentials is being charged, before more is done about the token.
    Guard(Box<TokenResult>),
    /// It is being asked whether it has room for this charge, before the token's signature is checked.
    Peeking(Charge, Box<TokenResult>),
    /// It is being charged for a credential that has failed.
    Failed(Denial),
    /// The same for a request whose API key is refused.
    RefusedKey,
    /// The limits of the API key's client are being charged.
    Admission,
    /// The limits of failures are being charged.
    Failures,
    /// The signature is being checked.
    Verifying(Box<Untrusted>),
    /// The token is being looked up.
    LookingUp(Box<Lookup>),
    /// The same once more, since its list may have changed while the body was on its way.
    LookingUpAgain(Box<Lookup>),
    /// The charge of the guard is being given back.
    Refunding(After),
    /// The digest of the client's certificate was asked for.
    Certificate(Rc<Caller>),
    /// Keys or lists are being waited for.
    Waiting(Wait),
    /// The caller's limits are being charged.
    Planned,
    /// The body is being waited for.
    Body,
    /// The rest of the cost is being charged.
    Rest,
    /// The request went to the upstream.
    Passed,
    /// The upstream's response has begun; the request's body may still be on its way.
    Replied,
    /// It was refused, or its stream is gone.
    Closed,
}

/// What the address is needed for.
#[derive(Debug)]
pub(super) enum AddressFor {
    /// Limits that the route asks for.
    Limits,
    /// The budget for failed credentials, before the token of this fingerprint is read.
    Token(Fingerprint),
    /// The same, before more is done about the token than reading it.
    Guard(Box<TokenResult>),
    /// The same, for a request whose API key is refused.
    RefusedKey,
    /// Limits of failures that the route asks for.
    Failures,
}

/// How the request stands with the budget for failed credentials.
#[derive(Debug, Default)]
pub(super) enum Guard {
    /// Nothing is charged, nor will be.
    #[default]
    Off,
    /// It had room: to be charged if the credential fails. The request keeps nobody out while its signature is checked.
    Due(Charge),
    /// It was charged: to be given back unless the credential fails.
    Charged(Receipt),
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
