//! What leaves the filter: the headers of requests and responses, as edits, and whole answers.
//!
//! The shell carries this out as it is and decides nothing.

use crate::answer::denial::Denial;
use crate::answer::problem::{self, Answer};
use crate::config::Config;
use crate::credentials::api_key::ApiKey;
use crate::credentials::retirement::Notice;
use crate::filter::caller::Caller;
use crate::filter::request::{Forward, ReplyEdits, Request};
use crate::http::head::Head;

/// One edit of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit<B> {
    /// Removes every header of this name; none is no error.
    Remove(B),
    /// Sets the header of this name to this one value.
    Set(B, B),
    /// Adds a header of this name and value, besides others of the name.
    Add(B, B),
}

impl<'a> Edit<&'a [u8]> {
    fn set(name: &'a str, value: &'a [u8]) -> Self {
        Self::Set(name.as_bytes(), value)
    }

    /// The same, with bytes of its own.
    pub fn into_owned(self) -> Edit<Vec<u8>> {
        match self {
            Self::Remove(name) => Edit::Remove(name.to_vec()),
            Self::Set(name, value) => Edit::Set(name.to_vec(), value.to_vec()),
            Self::Add(name, value) => Edit::Add(name.to_vec(), value.to_vec()),
        }
    }
}

impl Forward {
    /// The id of the client that calls. Where a request shows key and token, both name the same one.
    pub fn client(&self) -> Option<&str> {
        client(self.key.as_deref(), self.caller.as_deref())
    }

    /// Tells the upstream who is calling: hands `apply` one edit after the other. Every value was checked when the token was,
    /// or the list of keys.
    ///
    /// # Errors
    /// The first of `apply`.
    pub fn edits<'a, E>(
        &'a self,
        config: &'a Config,
        mut apply: impl FnMut(Edit<&'a [u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let names = &config.forward;
        if let Some(caller) = &self.caller {
            let lists = [
                (&names.schools, &caller.schools),
                (&names.districts, &caller.districts),
                (&names.permissions, &caller.permissions),
            ];
            for (name, list) in lists {
                if let Some(list) = list {
                    apply(Edit::set(name, list.header()))?;
                }
            }
            for ((name, _), value) in names.claims.iter().zip(&caller.forwarded) {
                if let Some(value) = value {
                    apply(Edit::set(name, value))?;
                }
            }
            // A key in it goes by its own rule, and was removed before unless that lets it pass.
            if !names.authorization && !self.key_alone {
                apply(Edit::Remove(b"authorization"))?;
            }
        }
        if let Some(client) = self.client() {
            apply(Edit::set(&names.client, client.as_bytes()))?;
        }
        if let Some(tier) = self.tier.and_then(|tier| config.tiers.get(tier)) {
            apply(Edit::set(&names.tier, tier.name.as_bytes()))?;
        }
        if self.rewrite_connection {
            apply(Edit::set("connection", b"upgrade"))?;
        }
        Ok(())
    }
}

/// The client that the key names, else the one that the token names.
pub(super) fn client<'a>(key: Option<&'a ApiKey>, caller: Option<&'a Caller>) -> Option<&'a str> {
    key.map(|key| key.client.as_str()).or_else(|| Some(caller?.client.as_str()))
}

impl ReplyEdits {
    /// Hands `apply` what is done to the response's head, one edit after the other.
    ///
    /// # Errors
    /// The first of `apply`.
    pub fn edits<'a, E>(&'a self, mut apply: impl FnMut(Edit<&'a [u8]>) -> Result<(), E>) -> Result<(), E> {
        for (name, value) in &self.fields {
            apply(Edit::set(name, value.as_bytes()))?;
        }
        match &self.link {
            Some(link) => apply(Edit::Add(b"link", link.as_bytes())),
            None => Ok(()),
        }
    }
}

impl Request {
    /// The whole answer to a request of this `head` that is denied; `id` must be safe in a header.
    pub fn answer<'a>(&'a self, denial: &'a Denial, head: &Head, config: &'a Config, id: &'a str) -> Answer<'a> {
        let mut answer = problem::answer(denial, config, id);
        if head.is_grpc() {
            answer = answer.into_grpc(denial);
        }
        if let Some(announced) = self.retirement().and_then(Notice::headers) {
            answer.headers.extend(announced.map(|(name, value)| (name, value.into())));
        }
        answer
    }
}
