//! All state that one worker keeps between requests: configuration, key sets, verified callers, counts.
//!
//! Owned by the shell's root context, changed only by the request machine and by documents that arrive. Nothing
//! here is shared with other workers; what is shared (limits, key documents) lives in shared data behind the shell.

use std::rc::Rc;
use std::time::Duration;

use crate::config::{Config, Issuer, Source};
use crate::credentials::cache::{BadSignatures, Entry, Fingerprint, Fingerprinter, TokenCache};
use crate::credentials::fetch::{Outlook, Record, Remote};
use crate::credentials::grant::DistrictSchools;
use crate::credentials::ids::Ids;
use crate::credentials::jwt::claims::Claims;
use crate::credentials::jwt::jose::{self, Payload, SelectError};
use crate::credentials::jwt::signature::Check;
use crate::credentials::opaque::bucket::IndexKeys;
use crate::credentials::opaque::lookup::Lookup;
use crate::credentials::reason::Reason;
use crate::filter::caller::{Caller, Granted};
use crate::filter::document::{Document, DocumentError, DocumentId, Documents};
use crate::filter::metrics::Metrics;
use crate::http::strip::StripSet;
use crate::limits::key::{LimitKeys, Secret};
use crate::limits::write_cache::WriteCache;
use crate::values::time::Timestamp;

mod authentication_failures;
mod headers;
mod keys;
mod opaque;
mod presented;
#[cfg(test)]
mod tests;
mod unknown_issuers;

use authentication_failures::AuthenticationFailures;
pub use keys::KeyResult;
pub use opaque::ListedToken;
pub use presented::PresentedCredential;
use unknown_issuers::UnknownIssuers;

/// Tokens with a bad signature that a worker remembers: enough for a client that retries, not a store for attackers.
const BAD_SIGNATURES_MAX: usize = 1_000;
/// And their bytes.
const BAD_SIGNATURES_BYTES_MAX: usize = 1024 * 1024;

/// What a token says while its signature is being checked.
#[derive(Debug)]
pub struct Untrusted {
    print: Fingerprint,
    issuer: usize,
    generation: u64,
    payload: Payload,
}

/// How far the validation of a presented token came.
#[derive(Debug)]
pub enum TokenResult {
    /// No valid token, and why.
    Refused(Reason),
    /// A token whose signature was found bad before.
    KnownBad,
    /// Check this signature first.
    Verify(Box<Check>, Box<Untrusted>),
    /// Look this token up first, in the list of the configuration.
    Listed(Box<ListedToken>),
    /// Look this token up first, in the index that all workers share.
    Lookup(Box<Lookup>),
    /// Keys, or lists, are needed; what to expect of them, and what a request would wait for.
    Keys(Outlook, Wait),
    /// A valid token.
    Caller(Rc<Caller>),
}

/// What a request waits for: a usable document other than that of this generation, if any was usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The document.
    pub document: DocumentId,
    generation: Option<u64>,
    /// When it stops waiting.
    pub deadline: Timestamp,
}

impl Wait {
    /// Whether there is a document already, so that another one is waited for: an unknown `kid`.
    pub const fn has_document(&self) -> bool {
        self.generation.is_some()
    }
}

/// State of one worker.
#[derive(Debug)]
pub struct Worker {
    /// The configuration.
    pub config: Config,
    /// Counts.
    pub metrics: Metrics,
    /// Headers that clients may not send.
    pub strip: StripSet,
    /// Requests that wait for keys.
    pub waiting: usize,
    /// Keys the hash that finds the slot of a limit key; the same for all workers of a process.
    pub secret: Secret,
    /// What it wrote to slots last.
    pub write_cache: WriteCache,
    documents: Documents,
    index: Option<Rc<IndexKeys>>,
    failures: AuthenticationFailures,
    unknown_issuers: UnknownIssuers,
    reader: jose::Reader,
    prints: Fingerprinter,
    cache: TokenCache<Caller>,
    bad: BadSignatures,
}

impl Worker {
    /// A fresh worker. `seed` keys the hash of the token cache and must not be guessable.
    #[inline(never)]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            metrics: Metrics::new(&config),
            strip: headers::strip_set(&config),
            waiting: 0,
            secret: Secret::default(),
            write_cache: WriteCache::default(),
            documents: Documents::new(&config),
            index: config
                .issuers
                .iter()
                .find_map(Issuer::tokens)
                .and_then(Source::remote)
                .map(|it| Rc::new(IndexKeys::new(it))),
            failures: AuthenticationFailures::default(),
            unknown_issuers: UnknownIssuers::default(),
            reader: jose::Reader::default(),
            prints: Fingerprinter::new(seed),
            cache: TokenCache::new(config.bounds.cached_tokens_max, config.bounds.cached_bytes_max),
            bad: BadSignatures::new(BAD_SIGNATURES_MAX, BAD_SIGNATURES_BYTES_MAX),
            config,
        }
    }

    /// Documents that come over the network, and where from.
    pub fn remotes(&self) -> impl Iterator<Item = (DocumentId, &Remote)> {
        DocumentId::remotes(&self.config)
    }

    /// Where the index of opaque tokens stands, if their list comes over the network.
    pub const fn index(&self) -> Option<&Rc<IndexKeys>> {
        self.index.as_ref()
    }

    /// The arrival of the latest request that needs this document fetched after it.
    pub fn wanted(&self, id: DocumentId) -> Option<Timestamp> {
        self.documents.state(id)?.wanted()
    }

    /// Since when the last good document is known.
    pub fn document_started(&self, id: DocumentId) -> Option<Timestamp> {
        self.documents.state(id)?.started()
    }

    /// The version of the document of this generation, if this worker has read it.
    pub fn version_of(&self, id: DocumentId, generation: u64) -> Option<u64> {
        self.documents.state(id)?.version_of(generation)
    }

    /// Notes the shared record; says whether its document is one that this worker does not have yet.
    pub fn on_record(&mut self, id: DocumentId, record: Record) -> bool {
        self.documents.on_record(id, record)
    }

    /// Has a document fetched that is newer than `since`, although none is due.
    pub fn want(&mut self, id: DocumentId, since: Timestamp, now: Timestamp) {
        if let Some(state) = self.documents.state_mut(id) {
            state.want(since, now);
        }
    }

    /// Takes over a document that came with `record`.
    ///
    /// # Errors
    /// It is no such document.
    pub fn on_document(&mut self, id: DocumentId, record: Record, body: &[u8]) -> Result<(), DocumentError> {
        let document = id.read(&self.config, body)?;
        self.documents.adopt(id, record, document);
        Ok(())
    }

    /// Takes over a document that was read before.
    pub fn adopt(&mut self, id: DocumentId, record: Record, document: Document) {
        self.documents.adopt(id, record, document);
    }

    /// Whether a request that arrived at `arrival` and waits for this should be looked at again.
    pub fn is_over(&self, wait: &Wait, arrival: Timestamp, now: Timestamp) -> bool {
        let state = self.documents.state(wait.document);
        state.is_none_or(|state| state.is_over(wait.generation, arrival, wait.deadline, now))
    }

    /// The caller behind a token that was verified before and still is.
    pub fn cached(&mut self, presented: PresentedCredential<'_>, now: Timestamp) -> Option<Rc<Caller>> {
        let documents = &self.documents;
        let caller =
            self.cache.get(presented.print, presented.token, now, |issuer| generation(documents, issuer, now))?;
        // What is revoked, or cannot be told from it, is validated like a token that was never seen.
        (self.is_revoked(&caller, now) == Some(false)).then_some(caller)
    }

    /// Whether the token behind `caller` is revoked; `None`: there is no list that tells.
    pub fn is_revoked(&self, caller: &Caller, now: Timestamp) -> Option<bool> {
        let Some(held) = self.documents.revocations(caller.issuer) else {
            return Some(false);
        };
        let list = held.usable(now)?;
        Some(list.is_revoked(caller.token_id.as_deref(), &caller.client, caller.issued_at))
    }

    /// Validates a presented token of one of `issuers`, up to its signature; `arrival` is that of its request.
    #[inline(never)]
    pub fn validate_token(
        &mut self,
        presented: PresentedCredential<'_>,
        issuers: &[usize],
        arrival: Timestamp,
        now: Timestamp,
    ) -> TokenResult {
        if self.is_known_bad(presented, issuers, now) {
            return TokenResult::KnownBad;
        }
        let parsed = match self.reader.read(presented.token, self.config.bounds.token_bytes_max) {
            Ok(parsed) if self.is_issuer(parsed.issuer()) => parsed,
            // No JWT of a configured issuer; one that is, is never anything else.
            Ok(parsed) => {
                self.unknown_issuers.note(&self.config, parsed.issuer(), now);
                return self.validate_opaque(presented.token, issuers, Reason::Issuer, arrival, now);
            }
            Err(error) => return self.validate_opaque(presented.token, issuers, error.reason(), arrival, now),
        };
        self.unknown_issuers.settle();
        let issuer = self.issuer_of(parsed.issuer(), issuers);
        let Some((index, keys)) = issuer.and_then(|(index, issuer)| Some((index, issuer.keys()?))) else {
            return TokenResult::Refused(Reason::Issuer);
        };
        let held = self.documents.keys(index);
        let Some((generation, set)) = held.and_then(|held| Some((held.generation(now)?, held.usable(now)?))) else {
            return self.await_keys(index, arrival, now);
        };
        match set.select(&parsed) {
            Ok(key) => {
                let (check, payload) = parsed.into_check(key);
                let untrusted = Untrusted { print: presented.print, issuer: index, generation, payload };
                TokenResult::Verify(Box::new(check), Box::new(untrusted))
            }
            // An inline set never gets another key.
            Err(SelectError::UnknownKid) if keys.remote().is_some() => self.await_keys(index, arrival, now),
            Err(error) => TokenResult::Refused(error.reason()),
        }
    }

    /// Has the keys fetched that a request is about to wait for. Where there are usable keys, only newer ones will do: they
    /// must be fetched after the request arrived. Where there are none, any will do, also those that another worker is fetching.
    pub fn want_other(&mut self, wait: &Wait, arrival: Timestamp, now: Timestamp) {
        if let (DocumentId::Keys(_), true) = (wait.document, wait.has_document()) {
            self.want(wait.document, arrival, now);
        }
    }

    /// Validates the claims of a token whose signature was checked.
    #[inline(never)]
    pub fn on_verified(
        &mut self,
        token: &[u8],
        untrusted: &Untrusted,
        valid: bool,
        arrival: Timestamp,
        now: Timestamp,
    ) -> TokenResult {
        if !valid {
            self.bad.insert(untrusted.print, token, untrusted.issuer, untrusted.generation);
            return TokenResult::Refused(Reason::Signature);
        }
        let Some(issuer) = self.config.issuers.get(untrusted.issuer) else {
            return TokenResult::Refused(Reason::Issuer);
        };
        let claims = match issuer.rules.validate(&untrusted.payload, now) {
            Ok(claims) => claims,
            Err(error) => return TokenResult::Refused(error.reason()),
        };
        let (not_before, not_after) = (claims.not_before, claims.not_after);
        let Some(caller) = self.caller(untrusted.issuer, issuer, claims) else {
            return TokenResult::Refused(Reason::Schools);
        };
        let caller = Rc::new(caller);
        let entry = Entry {
            value: Rc::clone(&caller),
            issuer: untrusted.issuer,
            generation: untrusted.generation,
            not_before,
            not_after,
        };
        self.cache.insert(untrusted.print, token, entry, caller.weight());
        match self.is_revoked(&caller, now) {
            Some(false) => TokenResult::Caller(caller),
            Some(true) => TokenResult::Refused(Reason::Revoked),
            None => {
                let (outlook, wait) = self.outlook(DocumentId::Revocations(untrusted.issuer), arrival, now);
                TokenResult::Keys(outlook, wait)
            }
        }
    }

    /// Whether limits and early scope of this tier only report.
    pub fn reports_only(&self, tier: Option<usize>) -> bool {
        let tier = tier.and_then(|tier| self.config.tiers.get(tier));
        self.config.dry_run || tier.is_some_and(|tier| tier.dry_run)
    }

    fn is_issuer(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.config.issuers.iter().any(|it| it.rules.issuer == name))
    }

    fn issuer_of(&self, name: Option<&str>, among: &[usize]) -> Option<(usize, &Issuer)> {
        let name = name?;
        let mut candidates = among.iter().filter_map(|index| Some((*index, self.config.issuers.get(*index)?)));
        candidates.find(|(_, issuer)| issuer.rules.issuer == name)
    }

    /// Whether the token was found bad under the keys that one of `issuers` still has: all there is to know about it.
    fn is_known_bad(&mut self, presented: PresentedCredential<'_>, issuers: &[usize], now: Timestamp) -> bool {
        let documents = &self.documents;
        let issuer = self.bad.issuer_of(presented.print, presented.token, |issuer| generation(documents, issuer, now));
        issuer.is_some_and(|issuer| issuers.contains(&issuer))
    }

    fn await_keys(&self, index: usize, arrival: Timestamp, now: Timestamp) -> TokenResult {
        let (outlook, wait) = self.outlook(DocumentId::Keys(index), arrival, now);
        TokenResult::Keys(outlook, wait)
    }

    /// What to expect of a document that cannot be used now, and what a request would wait for.
    #[inline(never)]
    fn outlook(&self, document: DocumentId, arrival: Timestamp, now: Timestamp) -> (Outlook, Wait) {
        let remote = self.remotes().find(|(id, _)| *id == document).map(|(_, remote)| remote.wait_max());
        let deadline = arrival.after(remote.unwrap_or_default());
        let state = self.documents.state(document);
        let failed = (Outlook::Fail { retry_after: Duration::ZERO }, None);
        let (outlook, generation) = state.map_or(failed, |state| state.outlook(arrival, deadline, now));
        (outlook, Wait { document, generation, deadline })
    }

    /// `None`: the token grants a school that its issuer may not grant.
    #[inline(never)]
    fn caller(&self, index: usize, issuer: &Issuer, claims: Claims) -> Option<Caller> {
        let tier = match &claims.tier {
            Some(name) => self.config.tiers.iter().position(|tier| tier.name == *name),
            None => issuer.default_tier,
        };
        let tier = tier.filter(|tier| issuer.tiers.contains(tier));
        if let (Some(bound), Some(granted)) = (&issuer.schools, &claims.schools)
            && granted.iter().any(|school| bound.position(school).is_none())
        {
            return None;
        }
        let limit_keys = LimitKeys::new(&issuer.rules.issuer, &claims.client, claims.districts.as_deref(), None);
        let list = |ids: Option<Vec<String>>| ids.map(|ids| Ids::new(&ids, self.config.forward.schools_format));
        let granted = Granted {
            schools: list(claims.schools),
            districts: list(claims.districts),
            permissions: list(claims.permissions),
        };
        Some(Caller {
            tier,
            district_schools: DistrictSchools::new(claims.district_schools),
            districts_open_schools: true,
            token_id: claims.id,
            certificate: claims.certificate,
            issued_at: claims.issued_at,
            not_after: claims.not_after,
            ..Caller::new(&self.config, index, claims.client, limit_keys, granted)
                .forwarding(&self.config, claims.forwarded)
        })
    }
}

/// The generation of an issuer's keys, or of its list of tokens, if they may be used now.
fn generation(documents: &Documents, issuer: usize, now: Timestamp) -> Option<u64> {
    match documents.keys(issuer) {
        Some(keys) => keys.generation(now),
        None => documents.tokens()?.generation(now),
    }
}
