//! Opaque tokens at a worker: the list in the configuration, or the index that all workers share.

use std::rc::Rc;

use super::{Judged, Worker};
use crate::answer::denial::Denial;
use crate::config::Issuer;
use crate::credentials::cache::Entry;
use crate::credentials::grant::DistrictSchools;
use crate::credentials::ids::Ids;
use crate::credentials::opaque::lookup::{Found, Lookup};
use crate::credentials::opaque::{Grant, TokenHash};
use crate::filter::caller::Caller;
use crate::filter::document::{DocumentId, Tokens};
use crate::limits::key::LimitKeys;
use crate::values::time::Timestamp;

/// A token to look up in the list of the configuration.
#[derive(Debug)]
pub struct Listed {
    hash: TokenHash,
    issuer: usize,
}

impl Worker {
    /// Reads a presented token that is no JWT of a known issuer.
    #[inline(never)]
    pub(super) fn judge_opaque(&self, token: &[u8], issuers: &[usize], arrival: Timestamp, now: Timestamp) -> Judged {
        let is_listed = |index: &usize| self.config.issuers.get(*index).is_some_and(|it| it.tokens().is_some());
        let issuer = issuers.iter().copied().find(is_listed);
        let (Some(issuer), Some(held)) = (issuer, self.documents.tokens()) else {
            return Judged::Invalid;
        };
        if token.len() > self.config.bounds.token_bytes_max {
            return Judged::Invalid;
        }
        let Some(tokens) = held.usable(now) else {
            let (outlook, wait) = self.outlook(DocumentId::Tokens, arrival, now);
            return Judged::Keys(outlook, wait);
        };
        let hash = TokenHash::of(token);
        match tokens.as_ref() {
            Tokens::Here(_) => Judged::Listed(Box::new(Listed { hash, issuer })),
            Tokens::Shared(document) => Judged::Lookup(Box::new(Lookup { hash, issuer, document: *document })),
        }
    }

    /// Looks a token up in the list of the configuration.
    pub fn on_listed(&mut self, token: &[u8], listed: &Listed, now: Timestamp) -> Judged {
        let Some(Tokens::Here(list)) = self.documents.tokens().and_then(|held| held.usable(now)).map(AsRef::as_ref)
        else {
            return Judged::Invalid;
        };
        let list = Rc::clone(list);
        self.admit(token, listed.issuer, &listed.hash, list.find(&listed.hash), 0, now)
    }

    /// Judges a token that was looked up.
    pub fn on_found(
        &mut self,
        token: &[u8],
        lookup: &Lookup,
        found: &Found,
        arrival: Timestamp,
        now: Timestamp,
    ) -> Judged {
        if let Some(record) = found.record {
            self.documents.on_record(DocumentId::Tokens, record);
        }
        if self.documents.tokens().is_none_or(|held| held.usable(now).is_none()) {
            let (outlook, wait) = self.outlook(DocumentId::Tokens, arrival, now);
            return Judged::Keys(outlook, wait);
        }
        let document = found.record.and_then(|record| record.document).unwrap_or(lookup.document);
        self.admit(token, lookup.issuer, &lookup.hash, found.grant.as_ref(), document.generation, now)
    }

    /// Judges what a list says about a token.
    #[inline(never)]
    fn admit(
        &mut self,
        token: &[u8],
        index: usize,
        hash: &TokenHash,
        grant: Option<&Grant>,
        generation: u64,
        now: Timestamp,
    ) -> Judged {
        let (Some(grant), Some(issuer)) = (grant, self.config.issuers.get(index)) else {
            return Judged::Invalid;
        };
        if now >= grant.not_after {
            return Judged::Expired;
        }
        if now < grant.not_before {
            return Judged::Invalid;
        }
        let (not_before, not_after) = (grant.not_before, grant.not_after);
        let caller = Rc::new(self.holder(index, issuer, hash, grant));
        let entry = Entry { value: Rc::clone(&caller), issuer: index, generation, not_before, not_after };
        self.cache.insert(self.prints.of(token), token, entry, caller.weight());
        Judged::Caller(caller)
    }

    /// The caller behind a listed token.
    fn holder(&self, index: usize, issuer: &Issuer, hash: &TokenHash, grant: &Grant) -> Caller {
        let tier = self.config.tiers.iter().position(|tier| tier.name == grant.tier);
        let forward = &self.config.forward;
        let schools = Ids::new(&grant.schools, forward.schools_format);
        let own = [grant.district.clone()];
        let districts = Ids::new(&own, forward.schools_format);
        let too_long = [&schools, &districts].iter().any(|list| list.header().len() > forward.schools_bytes_max);
        let owners = LimitKeys::new(&issuer.rules.issuer, &grant.client, Some(&own), Some(hash.bytes()));
        Caller {
            issuer: index,
            owners,
            client: grant.client.clone(),
            tier: tier.filter(|tier| issuer.tiers.contains(tier)),
            schools: Some(schools),
            districts: Some(districts),
            permissions: None,
            district_schools: DistrictSchools::default(),
            districts_open_schools: false,
            token_id: None,
            issued_at: None,
            not_after: grant.not_after,
            refused: too_long.then_some(Denial::SchoolsTooLong),
        }
    }
}
