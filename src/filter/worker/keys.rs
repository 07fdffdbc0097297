//! API keys at a worker: which one a request presents, and who calls with it.

use std::rc::Rc;

use super::{Wait, Worker};
use crate::credentials::api_key::{self, ApiKey, KeyList, Presented};
use crate::credentials::fetch::Outlook;
use crate::filter::caller::{Caller, Granted};
use crate::filter::document::DocumentId;
use crate::http::head::Head;
use crate::values::time::Timestamp;

/// How the validation of a presented API key ended.
#[derive(Debug)]
pub enum KeyResult {
    /// None, two, an unknown one, or one that is not valid now.
    Refused,
    /// The list is needed; what to expect of it, and what a request would wait for.
    List(Outlook, Wait),
    /// A valid key.
    Key(Rc<ApiKey>),
}

impl Worker {
    /// The API key that a request presents.
    pub fn api_key(&self, head: &Head, arrival: Timestamp, now: Timestamp) -> KeyResult {
        // Whatever the list says, nothing finds a key that is missing, doubled or malformed.
        let Presented::Key(key) = self.presented_key(head) else {
            return KeyResult::Refused;
        };
        self.validate_key(arrival, now, |list| list.find(&key))
    }

    /// The same for a request whose key was `found` before, so that nothing is read or hashed twice.
    pub fn api_key_again(&self, found: &ApiKey, arrival: Timestamp, now: Timestamp) -> KeyResult {
        self.validate_key(arrival, now, |list| list.find_again(found))
    }

    fn validate_key(
        &self,
        arrival: Timestamp,
        now: Timestamp,
        find: impl FnOnce(&KeyList) -> Option<&Rc<ApiKey>>,
    ) -> KeyResult {
        let Some(list) = self.documents.api_keys() else {
            return KeyResult::Refused;
        };
        let Some(list) = list.usable(now) else {
            let (outlook, wait) = self.outlook(DocumentId::ApiKeys, arrival, now);
            return KeyResult::List(outlook, wait);
        };
        let key = find(list).filter(|key| key.is_valid(now));
        key.map_or(KeyResult::Refused, |key| KeyResult::Key(Rc::clone(key)))
    }

    /// What a request presents as an API key.
    pub fn presented_key<'h>(&self, head: &'h Head) -> Presented<'h> {
        self.config
            .api_keys
            .as_ref()
            .map_or(Presented::Absent, |rule| api_key::presented(head, &rule.header, rule.basic))
    }

    /// The caller behind a key without a token; `None`: the key opens nothing alone.
    pub fn key_caller(&self, key: &ApiKey) -> Option<Caller> {
        let grants = key.grants.as_ref()?;
        // No issuer's, where clients have a namespace of their own.
        let issuer = self.config.api_keys.as_ref()?.issuer.unwrap_or(usize::MAX);
        let granted = Granted {
            schools: Some(grants.schools.clone()),
            districts: Some(grants.districts.clone()),
            permissions: None,
        };
        let caller = Caller::new(&self.config, issuer, key.client.clone(), key.limit_keys, granted);
        Some(Caller { tier: key.tier, not_after: key.not_after(), ..caller })
    }
}
