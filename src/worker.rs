//! All state that one worker keeps between requests: configuration, key sets, verified callers, counts.
//!
//! Owned by the shell's root context, changed only by the request machine and by documents that arrive. Nothing
//! here is shared with other workers; what is shared (limits, key documents) lives in shared data behind the shell.

use std::rc::Rc;

use crate::caller::Caller;
use crate::config::{Config, Issuer, KeySource, Remote};
use crate::denial::Denial;
use crate::fetch::{Outlook, Record};
use crate::limits::owner::Owner;
use crate::metrics::{CacheResult, Count, Metrics};
use crate::strip::StripSet;
use crate::time::Now;
use crate::token::cache::{BadSignatures, Entry, TokenCache};
use crate::token::claims::{ClaimError, Claims};
use crate::token::jose;
use crate::token::keyset::{KeySet, KeySetError, Origin, SelectError};
use crate::token::schools::Schools;
use crate::token::signature::Job;

/// Tokens with a bad signature that a worker remembers: enough for a client that retries, not a store for attackers.
const BAD_SIGNATURES_MAX: usize = 1_000;
/// And their bytes.
const BAD_SIGNATURES_BYTES_MAX: usize = 1024 * 1024;

/// What a token says while its signature is being checked.
#[derive(Debug)]
pub struct Untrusted {
    issuer: usize,
    generation: u64,
    payload: serde_json::Value,
}

/// What became of a presented token.
#[derive(Debug)]
pub enum Judged<'a> {
    /// No valid token.
    Invalid,
    /// Valid once.
    Expired,
    /// Check this signature first.
    Verify(Box<Job<'a>>, Box<Untrusted>),
    /// Keys are needed; what to expect of them, and what a request would wait for.
    Keys(Outlook, Wait),
    /// A valid token.
    Caller(Rc<Caller>),
}

/// What a request waits for: usable keys of this issuer other than those of this generation, if any were usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    issuer: usize,
    generation: Option<u64>,
    /// When it stops waiting.
    pub deadline: Now,
}

/// The keys of one issuer, as this worker has them.
#[derive(Debug, Default)]
struct IssuerKeys {
    set: Option<Rc<KeySet>>,
    /// The shared record, as last seen. Default for inline keys.
    record: Record,
    /// The arrival of the latest request that needs keys fetched after it.
    wanted: Option<Now>,
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
    keys: Vec<IssuerKeys>,
    cache: TokenCache<Caller>,
    bad: BadSignatures,
}

impl Worker {
    /// A fresh worker. `seed` keys the hash of the token cache and must not be guessable.
    pub fn new(config: Config, seed: u64) -> Self {
        let keys = config.issuers.iter().map(|issuer| match &issuer.keys {
            KeySource::Inline(set) => IssuerKeys { set: Some(Rc::clone(set)), ..IssuerKeys::default() },
            KeySource::Remote(_) => IssuerKeys::default(),
        });
        let mut names =
            vec![config.forward.schools.clone(), config.forward.tier.clone(), config.forward.client.clone()];
        names.extend(config.settlement_header.clone());
        Self {
            metrics: Metrics::new(&config),
            strip: StripSet::new(names.iter().map(String::as_str)),
            waiting: 0,
            keys: keys.collect(),
            cache: TokenCache::new(seed, config.bounds.cached_tokens_max, config.bounds.cached_bytes_max),
            bad: BadSignatures::new(seed, BAD_SIGNATURES_MAX, BAD_SIGNATURES_BYTES_MAX),
            config,
        }
    }

    /// Issuers whose keys come over the network: index and where from.
    pub fn remotes(&self) -> impl Iterator<Item = (usize, &Remote)> {
        self.config.issuers.iter().enumerate().filter_map(|(index, issuer)| match &issuer.keys {
            KeySource::Remote(remote) => Some((index, remote)),
            KeySource::Inline(_) => None,
        })
    }

    /// The arrival of the latest request that needs keys of this issuer fetched after it.
    pub fn wanted(&self, issuer: usize) -> Option<Now> {
        self.keys.get(issuer).and_then(|keys| keys.wanted)
    }

    /// Whether the keys of this issuer may be used now, and since when they are known.
    pub fn key_set_started(&self, issuer: usize) -> Option<Now> {
        self.keys.get(issuer)?.record.document.map(|document| document.started)
    }

    /// Notes the shared record; says whether its document is one that this worker does not have yet.
    pub fn on_record(&mut self, issuer: usize, record: Record) -> bool {
        let Some(keys) = self.keys.get_mut(issuer) else {
            return false;
        };
        let Some(document) = record.document else {
            keys.record = record;
            return false;
        };
        let known = keys.set.as_ref().is_some_and(|set| set.generation() == document.generation);
        if known {
            keys.record = record;
        } else {
            // Until its document is here, the record must not vouch for the older keys.
            keys.record = Record { document: keys.record.document, ..record };
        }
        !known
    }

    /// Takes over a document of this issuer that came with `record`.
    ///
    /// # Errors
    /// The document is no key set, or has no usable key; what was there stays.
    pub fn on_document(&mut self, issuer: usize, record: Record, body: &[u8]) -> Result<(), KeySetError> {
        let set = KeySet::from_jwks(body, Origin::Remote)?;
        if let (Some(keys), Some(document)) = (self.keys.get_mut(issuer), record.document) {
            keys.set = Some(Rc::new(set.with_generation(document.generation)));
            keys.record = record;
        }
        Ok(())
    }

    /// Whether a request that arrived at `arrival` and waits for this should be looked at again.
    pub fn is_over(&self, wait: &Wait, arrival: Now, now: Now) -> bool {
        let (Some(keys), Some(issuer)) = (self.keys.get(wait.issuer), self.config.issuers.get(wait.issuer)) else {
            return true;
        };
        usable(keys, issuer, now) != wait.generation
            || keys.record.outlook(arrival, wait.deadline, now) != Outlook::Wait
    }

    /// The caller behind a token that was verified before and still is.
    pub fn cached(&mut self, token: &[u8], now: Now) -> Option<Rc<Caller>> {
        let (keys, issuers) = (&self.keys, &self.config.issuers);
        self.cache.get(token, now, |issuer| usable(keys.get(issuer)?, issuers.get(issuer)?, now))
    }

    /// Reads a presented token of one of `issuers`; `arrival` is that of its request.
    pub fn judge<'a>(&mut self, token: &'a [u8], issuers: &[usize], arrival: Now, now: Now) -> Judged<'a> {
        let Ok(parsed) = jose::parse(token, self.config.bounds.token_bytes_max) else {
            return Judged::Invalid;
        };
        let Some((index, issuer)) = self.issuer_of(parsed.issuer(), issuers) else {
            return Judged::Invalid;
        };
        let Some(keys) = self.keys.get(index) else {
            return Judged::Invalid;
        };
        let Some(generation) = usable(keys, issuer, now) else {
            return self.await_keys(index, arrival, now);
        };
        if self.bad.contains(token, |of| (of == index).then_some(generation)) {
            self.metrics.count(Count::Cache(CacheResult::Bad));
            return Judged::Invalid;
        }
        match keys.set.as_ref().map(|set| set.select(&parsed)) {
            Some(Ok(key)) => {
                let (job, payload) = parsed.into_job(key);
                Judged::Verify(Box::new(job), Box::new(Untrusted { issuer: index, generation, payload }))
            }
            Some(Err(SelectError::UnknownKid)) => {
                let judged = self.await_keys(index, arrival, now);
                if matches!(judged, Judged::Keys(Outlook::Wait, _)) {
                    self.want_newer(index, arrival, now);
                }
                judged
            }
            _ => Judged::Invalid,
        }
    }

    /// Judges the claims of a token whose signature was checked.
    pub fn on_verified(&mut self, token: &[u8], untrusted: &Untrusted, valid: bool, now: Now) -> Judged<'static> {
        if !valid {
            self.bad.insert(token, untrusted.issuer, untrusted.generation);
            return Judged::Invalid;
        }
        let Some(issuer) = self.config.issuers.get(untrusted.issuer) else {
            return Judged::Invalid;
        };
        let claims = match issuer.rules.judge(&untrusted.payload, now) {
            Ok(claims) => claims,
            Err(ClaimError::Expired) => return Judged::Expired,
            Err(_) => return Judged::Invalid,
        };
        let (not_before, not_after) = (claims.not_before, claims.not_after);
        let Some(caller) = self.caller(untrusted.issuer, issuer, claims) else {
            return Judged::Invalid;
        };
        let caller = Rc::new(caller);
        let entry = Entry {
            value: Rc::clone(&caller),
            issuer: untrusted.issuer,
            generation: untrusted.generation,
            not_before,
            not_after,
        };
        self.cache.insert(token, entry, caller.weight());
        Judged::Caller(caller)
    }

    /// Whether limits and early scope of this tier only report.
    pub fn reports_only(&self, tier: Option<usize>) -> bool {
        let tier = tier.and_then(|tier| self.config.tiers.get(tier));
        self.config.dry_run || tier.is_some_and(|tier| tier.dry_run)
    }

    fn issuer_of(&self, name: Option<&str>, among: &[usize]) -> Option<(usize, &Issuer)> {
        let name = name?;
        let candidates = among.iter().filter_map(|index| Some((*index, self.config.issuers.get(*index)?)));
        candidates.into_iter().find(|(_, issuer)| issuer.rules.issuer == name)
    }

    fn await_keys(&self, index: usize, arrival: Now, now: Now) -> Judged<'static> {
        let (Some(keys), Some(issuer)) = (self.keys.get(index), self.config.issuers.get(index)) else {
            return Judged::Invalid;
        };
        let KeySource::Remote(remote) = &issuer.keys else {
            // An inline set never gets another key.
            return Judged::Invalid;
        };
        let deadline = arrival.after(remote.wait_max());
        let outlook = keys.record.outlook(arrival, deadline, now);
        Judged::Keys(outlook, Wait { issuer: index, generation: usable(keys, issuer, now), deadline })
    }

    /// Notes that only keys fetched after `arrival` will do. Without any keys, or with stale ones, every document will, also
    /// one that another worker is fetching already.
    fn want_newer(&mut self, index: usize, arrival: Now, now: Now) {
        if let Some(keys) = self.keys.get_mut(index) {
            // A later one is from before the clock was set back.
            keys.wanted = keys.wanted.filter(|wanted| *wanted <= now).max(Some(arrival));
        }
    }

    /// `None`: the token grants what its issuer may not grant.
    fn caller(&self, index: usize, issuer: &Issuer, claims: Claims) -> Option<Caller> {
        let tier = match &claims.tier {
            Some(name) => self.config.tiers.iter().position(|tier| tier.name == *name),
            None => issuer.default_tier,
        };
        let tier = tier.filter(|tier| issuer.tiers.contains(tier));
        if let (Some(bound), Some(granted)) = (&issuer.schools, &claims.schools)
            && granted.iter().any(|school| !bound.contains(school))
        {
            return None;
        }
        let forward = &self.config.forward;
        let schools = claims.schools.map(|list| Schools::new(list, forward.schools_format));
        let too_long = schools.as_ref().is_some_and(|s| s.header().len() > forward.schools_bytes_max);
        let refused = match tier {
            None => Some(Denial::TierUnknown),
            Some(_) if too_long => Some(Denial::SchoolsTooLong),
            Some(_) => None,
        };
        Some(Caller {
            issuer: index,
            owner: Owner::client(&issuer.rules.issuer, &claims.client),
            client: claims.client,
            tier: tier.unwrap_or_default(),
            schools,
            refused,
        })
    }
}

/// The generation of the keys if they may be used now.
fn usable(keys: &IssuerKeys, issuer: &Issuer, now: Now) -> Option<u64> {
    let generation = keys.set.as_ref()?.generation();
    match issuer.keys {
        KeySource::Inline(_) => Some(generation),
        KeySource::Remote(_) => keys.record.is_usable(now).then_some(generation),
    }
}

#[cfg(test)]
mod tests;
