//! Documents that decide about credentials: key sets, lists of API keys, revocations and tokens; as one worker has them.
//!
//! Inline documents are there for good. A remote one comes with the shared record of its fetches ([`crate::credentials::fetch`]),
//! and serves until it is stale; what a request does without one (wait, or be refused) is the same for all.

use std::fmt;
use std::rc::Rc;

use crate::config::{Config, Issuer, Source};
use crate::credentials::api_key::{Context, KeyList};
use crate::credentials::fetch::{self, Outlook, Record, Remote};
use crate::credentials::jwt::keyset::{self, KEY_SET_BYTES_MAX, KeySet, KeySetError};
use crate::credentials::list::{LIST_BYTES_MAX, ListError, Origin};
use crate::credentials::opaque::build::BuildError;
use crate::credentials::opaque::{TOKENS_BYTES_MAX, TokenList};
use crate::credentials::revocation::RevocationList;
use crate::limits::ledger::StoreError;
use crate::values::time::Timestamp;

/// Names a document of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentId {
    /// The key set of the issuer of this index.
    Keys(usize),
    /// The list of API keys.
    ApiKeys,
    /// The revocations of the issuer of this index.
    Revocations(usize),
    /// The list of opaque tokens, of the one issuer that has such a list.
    Tokens,
}

/// A document that was read.
#[derive(Debug)]
pub enum Document {
    /// A key set.
    Keys(KeySet),
    /// A list of API keys.
    ApiKeys(KeyList),
    /// A list of revocations.
    Revocations(RevocationList),
}

/// The list of opaque tokens, as a worker has it.
#[derive(Debug)]
pub enum Tokens {
    /// The list itself, from the configuration.
    Here(Rc<TokenList>),
    /// The index that all workers share, made from the list of this record.
    Shared(fetch::Document),
}

/// Why bytes are no such document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// Of a key set.
    Keys(KeySetError),
    /// Of a list.
    List(ListError),
    /// Of a list of opaque tokens.
    Tokens(BuildError),
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(error) => error.fmt(f),
            Self::List(error) => error.fmt(f),
            Self::Tokens(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DocumentError {}

impl DocumentId {
    /// Documents of the configuration that come over the network, and where from.
    #[inline(never)]
    pub fn remotes(config: &Config) -> impl Iterator<Item = (Self, &Remote)> {
        let issuers = config.issuers.iter().enumerate();
        let keys = issuers.clone().filter_map(|(at, issuer)| Some((Self::Keys(at), issuer.keys()?.remote()?)));
        let api_keys = config.api_keys.iter().filter_map(|keys| Some((Self::ApiKeys, keys.source.remote()?)));
        let revocations =
            issuers.filter_map(|(at, issuer)| Some((Self::Revocations(at), issuer.revocations.as_ref()?.remote()?)));
        let tokens = config.issuers.iter().filter_map(|issuer| Some((Self::Tokens, issuer.tokens()?.remote()?)));
        keys.chain(api_keys).chain(revocations).chain(tokens)
    }

    /// What logs call it, by where the configuration gives its source: `issuers[0]`, `issuers[0].revocations`.
    pub fn path(self) -> String {
        match self {
            Self::Keys(issuer) => format!("issuers[{issuer}]"),
            Self::ApiKeys => "api_keys".to_owned(),
            Self::Revocations(issuer) => format!("issuers[{issuer}].revocations"),
            Self::Tokens => "tokens".to_owned(),
        }
    }

    /// Longest document, bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Keys(_) => KEY_SET_BYTES_MAX,
            Self::ApiKeys | Self::Revocations(_) => LIST_BYTES_MAX,
            Self::Tokens => TOKENS_BYTES_MAX,
        }
    }

    /// Reads a document that came over the network.
    ///
    /// # Errors
    /// It is no such document.
    #[inline(never)]
    pub fn read(self, config: &Config, bytes: &[u8]) -> Result<Document, DocumentError> {
        match self {
            Self::Keys(_) => {
                let set = KeySet::from_jwks(bytes, keyset::Origin::Remote).map_err(DocumentError::Keys)?;
                Ok(Document::Keys(set))
            }
            Self::ApiKeys => {
                let tiers: Vec<&str> = config.tiers.iter().map(|tier| tier.name.as_str()).collect();
                let issuer = config.api_keys.as_ref().and_then(|keys| config.issuers.get(keys.issuer?));
                let issuer = issuer.map(|issuer| issuer.rules.issuer.as_str());
                let format = config.forward.schools_format;
                let context = Context { issuer, tiers: &tiers, format, origin: Origin::Remote };
                KeyList::from_bytes(bytes, &context).map(Document::ApiKeys).map_err(DocumentError::List)
            }
            Self::Revocations(_) => {
                RevocationList::from_bytes(bytes).map(Document::Revocations).map_err(DocumentError::List)
            }
            // It is read into shared data, piece by piece; there is none here.
            Self::Tokens => Err(DocumentError::Tokens(BuildError::Store(StoreError::Host))),
        }
    }
}

impl Document {
    /// The version that it carries, 0 where it carries none.
    pub const fn version(&self) -> u64 {
        match self {
            Self::Keys(_) => 0,
            Self::ApiKeys(list) => list.version(),
            Self::Revocations(list) => list.version(),
        }
    }
}

/// One document as this worker has it.
#[derive(Debug)]
pub struct Held<T> {
    content: Option<Rc<T>>,
    generation: u64,
    version: u64,
    /// The shared record, as last seen; `None`: the document is inline.
    record: Option<Record>,
    wanted: Option<Timestamp>,
}

impl<T> Held<T> {
    const fn inline(content: Rc<T>) -> Self {
        Self { content: Some(content), generation: 0, version: 0, record: None, wanted: None }
    }

    fn remote() -> Self {
        Self { content: None, generation: 0, version: 0, record: Some(Record::default()), wanted: None }
    }

    fn of(source: &Source<T>) -> Self {
        match source {
            Source::Inline(list) => Self::inline(Rc::clone(list)),
            Source::Remote(_) => Self::remote(),
        }
    }

    /// The document, if it may be used now.
    pub fn usable(&self, now: Timestamp) -> Option<&Rc<T>> {
        let content = self.content.as_ref()?;
        self.record.is_none_or(|record| record.is_usable(now)).then_some(content)
    }

    /// Which document it is, if it may be used now.
    pub fn generation(&self, now: Timestamp) -> Option<u64> {
        self.usable(now).map(|_| self.generation)
    }

    /// Whether it is the document of this generation, usable or not.
    const fn is(&self, generation: u64) -> bool {
        self.content.is_some() && self.generation == generation
    }

    fn adopt(&mut self, record: Record, content: T, version: u64) {
        if let Some(document) = record.document {
            self.content = Some(Rc::new(content));
            self.generation = document.generation;
            self.version = version;
            self.record = Some(record);
        }
    }
}

/// What does not depend on what a document holds.
pub trait State {
    /// Notes the shared record; says whether its document is one that this worker does not have yet.
    fn on_record(&mut self, record: Record) -> bool;
    /// What a request that arrived at `arrival` may expect, and which document it would wait to see replaced.
    fn outlook(&self, arrival: Timestamp, deadline: Timestamp, now: Timestamp) -> (Outlook, Option<u64>);
    /// Whether a request that waits for another document than `generation` should be looked at again.
    fn is_over(&self, generation: Option<u64>, arrival: Timestamp, deadline: Timestamp, now: Timestamp) -> bool;
    /// The arrival of the latest request that needs a document fetched after it.
    fn wanted(&self) -> Option<Timestamp>;
    /// Has the document fetched anew although it is not due.
    fn want(&mut self, since: Timestamp, now: Timestamp);
    /// When the fetch of the last good document started.
    fn started(&self) -> Option<Timestamp>;
    /// The version of the document of this generation, if it is at hand.
    fn version_of(&self, generation: u64) -> Option<u64>;
}

impl<T> State for Held<T> {
    fn on_record(&mut self, record: Record) -> bool {
        let is_known = record.document.is_none_or(|document| self.is(document.generation));
        // Until its document is here, the record must not vouch for the older one.
        let document = if is_known { record.document } else { self.record.and_then(|record| record.document) };
        self.record = Some(Record { document, ..record });
        !is_known
    }

    fn outlook(&self, arrival: Timestamp, deadline: Timestamp, now: Timestamp) -> (Outlook, Option<u64>) {
        (self.record.unwrap_or_default().outlook(arrival, deadline, now), self.generation(now))
    }

    fn is_over(&self, generation: Option<u64>, arrival: Timestamp, deadline: Timestamp, now: Timestamp) -> bool {
        let record = self.record.unwrap_or_default();
        self.generation(now) != generation || record.outlook(arrival, deadline, now) != Outlook::Wait
    }

    fn wanted(&self) -> Option<Timestamp> {
        self.wanted
    }

    fn want(&mut self, since: Timestamp, now: Timestamp) {
        // A later one is from before the clock was set back.
        self.wanted = self.wanted.filter(|wanted| *wanted <= now).max(Some(since));
    }

    fn started(&self) -> Option<Timestamp> {
        self.record?.document.map(|document| document.started)
    }

    fn version_of(&self, generation: u64) -> Option<u64> {
        self.is(generation).then_some(self.version)
    }
}

/// All documents of a configuration.
#[derive(Debug)]
pub struct Documents {
    keys: Vec<Option<Held<KeySet>>>,
    api_keys: Option<Held<KeyList>>,
    revocations: Vec<Option<Held<RevocationList>>>,
    tokens: Option<Held<Tokens>>,
}

impl Documents {
    /// Inline documents, and the places of remote ones.
    #[inline(never)]
    pub fn new(config: &Config) -> Self {
        let issuers = || config.issuers.iter();
        Self {
            keys: issuers().map(|issuer| issuer.keys().map(Held::of)).collect(),
            api_keys: config.api_keys.as_ref().map(|keys| Held::of(&keys.source)),
            revocations: issuers().map(|issuer| issuer.revocations.as_ref().map(Held::of)).collect(),
            tokens: issuers().find_map(Issuer::tokens).map(|source| match source {
                Source::Inline(list) => Held::inline(Rc::new(Tokens::Here(Rc::clone(list)))),
                Source::Remote(_) => Held::remote(),
            }),
        }
    }

    /// The key set of an issuer.
    pub fn keys(&self, issuer: usize) -> Option<&Held<KeySet>> {
        self.keys.get(issuer)?.as_ref()
    }

    /// The list of API keys.
    pub const fn api_keys(&self) -> Option<&Held<KeyList>> {
        self.api_keys.as_ref()
    }

    /// The revocations of an issuer, if it has any configured.
    pub fn revocations(&self, issuer: usize) -> Option<&Held<RevocationList>> {
        self.revocations.get(issuer)?.as_ref()
    }

    /// The state of a document.
    pub fn state(&self, id: DocumentId) -> Option<&dyn State> {
        match id {
            DocumentId::Keys(issuer) => self.keys(issuer).map(|held| held as &dyn State),
            DocumentId::ApiKeys => self.api_keys.as_ref().map(|held| held as &dyn State),
            DocumentId::Revocations(issuer) => self.revocations(issuer).map(|held| held as &dyn State),
            DocumentId::Tokens => self.tokens.as_ref().map(|held| held as &dyn State),
        }
    }

    /// The state of a document, to change it.
    #[inline(never)]
    pub fn state_mut(&mut self, id: DocumentId) -> Option<&mut dyn State> {
        match id {
            DocumentId::Keys(issuer) => self.keys.get_mut(issuer)?.as_mut().map(|held| held as &mut dyn State),
            DocumentId::ApiKeys => self.api_keys.as_mut().map(|held| held as &mut dyn State),
            DocumentId::Revocations(issuer) => {
                self.revocations.get_mut(issuer)?.as_mut().map(|held| held as &mut dyn State)
            }
            DocumentId::Tokens => self.tokens.as_mut().map(|held| held as &mut dyn State),
        }
    }

    /// The list of opaque tokens, if an issuer has one.
    pub const fn tokens(&self) -> Option<&Held<Tokens>> {
        self.tokens.as_ref()
    }

    /// Notes the shared record; says whether its document is one that this worker does not have yet.
    #[inline(never)]
    pub fn on_record(&mut self, id: DocumentId, record: Record) -> bool {
        let is_new = self.state_mut(id).is_some_and(|state| state.on_record(record));
        if let (DocumentId::Tokens, Some(held), Some(document)) = (id, &mut self.tokens, record.document) {
            // The record is all there is to have: it says where the index stands.
            held.adopt(record, Tokens::Shared(document), document.version);
            return false;
        }
        is_new
    }

    /// Takes over a document that came with `record`.
    #[inline(never)]
    pub fn adopt(&mut self, id: DocumentId, record: Record, document: Document) {
        let version = document.version();
        match (id, document) {
            (DocumentId::Keys(issuer), Document::Keys(set)) => {
                if let Some(Some(held)) = self.keys.get_mut(issuer) {
                    held.adopt(record, set, version);
                }
            }
            (DocumentId::ApiKeys, Document::ApiKeys(list)) => {
                if let Some(held) = &mut self.api_keys {
                    held.adopt(record, list, version);
                }
            }
            (DocumentId::Revocations(issuer), Document::Revocations(list)) => {
                if let Some(Some(held)) = self.revocations.get_mut(issuer) {
                    held.adopt(record, list, version);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
