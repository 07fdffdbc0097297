//! Opaque tokens at a worker: the list in the configuration, or the index that all workers share.

use std::rc::Rc;

use super::{TokenResult, Worker};
use crate::config::Issuer;
use crate::credentials::cache::Entry;
use crate::credentials::ids::Ids;
use crate::credentials::opaque::lookup::{Found, Lookup};
use crate::credentials::opaque::{Grant, TokenHash};
use crate::credentials::reason::Reason;
use crate::filter::caller::{Caller, Granted};
use crate::filter::document::{DocumentId, Tokens};
use crate::limits::key::LimitKeys;
use crate::values::time::Timestamp;

/// A token to look up in the list of the configuration.
#[derive(Debug)]
pub struct ListedToken {
    hash: TokenHash,
    issuer: usize,
}

impl Worker {
    /// Validates a presented token that is no JWT of a known issuer; `no_jwt` says why, where there is no list of tokens.
    #[inline(never)]
    pub(super) fn validate_opaque(
        &self,
        token: &[u8],
        issuers: &[usize],
        no_jwt: Reason,
        arrival: Timestamp,
        now: Timestamp,
    ) -> TokenResult {
        let is_listed = |index: &usize| self.config.issuers.get(*index).is_some_and(|it| it.tokens().is_some());
        let issuer = issuers.iter().copied().find(is_listed);
        let (Some(issuer), Some(held)) = (issuer, self.documents.tokens()) else {
            return TokenResult::Refused(no_jwt);
        };
        if token.len() > self.config.bounds.token_bytes_max {
            return TokenResult::Refused(Reason::TooLong);
        }
        let Some(tokens) = held.usable(now) else {
            let (outlook, wait) = self.outlook(DocumentId::Tokens, arrival, now);
            return TokenResult::Keys(outlook, wait);
        };
        let hash = TokenHash::of(token);
        match tokens.as_ref() {
            Tokens::Here(_) => TokenResult::Listed(Box::new(ListedToken { hash, issuer })),
            Tokens::Shared(document) => TokenResult::Lookup(Box::new(Lookup { hash, issuer, document: *document })),
        }
    }

    /// Looks a token up in the list of the configuration.
    pub fn on_listed(&mut self, token: &[u8], listed: &ListedToken, now: Timestamp) -> TokenResult {
        let Some(Tokens::Here(list)) = self.documents.tokens().and_then(|held| held.usable(now)).map(AsRef::as_ref)
        else {
            return TokenResult::Refused(Reason::Unlisted);
        };
        let list = Rc::clone(list);
        self.validate_grant(token, listed.issuer, &listed.hash, list.find(&listed.hash), 0, now)
    }

    /// Validates a token that was looked up.
    pub fn on_found(
        &mut self,
        token: &[u8],
        lookup: &Lookup,
        found: &Found,
        arrival: Timestamp,
        now: Timestamp,
    ) -> TokenResult {
        if let Some(record) = found.record {
            self.documents.on_record(DocumentId::Tokens, record);
        }
        if self.documents.tokens().is_none_or(|held| held.usable(now).is_none()) {
            let (outlook, wait) = self.outlook(DocumentId::Tokens, arrival, now);
            return TokenResult::Keys(outlook, wait);
        }
        let document = found.record.and_then(|record| record.document).unwrap_or(lookup.document);
        self.validate_grant(token, lookup.issuer, &lookup.hash, found.grant.as_ref(), document.generation, now)
    }

    /// Validates what a list says about a token.
    #[inline(never)]
    fn validate_grant(
        &mut self,
        token: &[u8],
        index: usize,
        hash: &TokenHash,
        grant: Option<&Grant>,
        generation: u64,
        now: Timestamp,
    ) -> TokenResult {
        let (Some(grant), Some(issuer)) = (grant, self.config.issuers.get(index)) else {
            return TokenResult::Refused(Reason::Unlisted);
        };
        if now >= grant.not_after {
            return TokenResult::Refused(Reason::Expired);
        }
        if now < grant.not_before {
            return TokenResult::Refused(Reason::NotBefore);
        }
        let (not_before, not_after) = (grant.not_before, grant.not_after);
        let caller = Rc::new(self.caller_of_grant(index, issuer, hash, grant));
        let entry = Entry { value: Rc::clone(&caller), issuer: index, generation, not_before, not_after };
        self.cache.insert(self.prints.of(token), token, entry, caller.weight());
        TokenResult::Caller(caller)
    }

    /// The caller behind a listed token.
    fn caller_of_grant(&self, index: usize, issuer: &Issuer, hash: &TokenHash, grant: &Grant) -> Caller {
        let tier = self.config.tiers.iter().position(|tier| tier.name == grant.tier);
        let list = |ids: &[String]| Some(Ids::new(ids, self.config.forward.schools_format));
        let own = [grant.district.clone()];
        let granted = Granted { schools: list(&grant.schools), districts: list(&own), permissions: None };
        let limit_keys = LimitKeys::new(&issuer.rules.issuer, &grant.client, Some(&own), Some(hash.bytes()));
        let caller = Caller::new(&self.config, index, grant.client.clone(), limit_keys, granted);
        Caller { tier: tier.filter(|tier| issuer.tiers.contains(tier)), not_after: grant.not_after, ..caller }
    }
}
