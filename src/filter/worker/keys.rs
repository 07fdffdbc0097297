//! API keys at a worker: which one a request presents, and who calls with it.

use std::rc::Rc;

use super::{Wait, Worker};
use crate::answer::denial::Denial;
use crate::credentials::api_key::{self, ApiKey, KeyList, Presented};
use crate::credentials::fetch::Outlook;
use crate::credentials::grant::DistrictSchools;
use crate::filter::caller::Caller;
use crate::filter::document::DocumentId;
use crate::http::head::Head;
use crate::values::time::Timestamp;

/// What became of a presented API key.
#[derive(Debug)]
pub enum KeyJudged {
    /// None, two, an unknown one, or one that is not valid now.
    Refused,
    /// The list is needed; what to expect of it, and what a request would wait for.
    List(Outlook, Wait),
    /// A valid key.
    Key(Rc<ApiKey>),
}

impl Worker {
    /// The API key that a request presents.
    pub fn api_key(&self, head: &Head, arrival: Timestamp, now: Timestamp) -> KeyJudged {
        // Whatever the list says, nothing finds a key that is missing, doubled or malformed.
        let Presented::Key(key) = self.presented_key(head) else {
            return KeyJudged::Refused;
        };
        self.judge_key(arrival, now, |list| list.find(&key))
    }

    /// The same for a request whose key was found before: `found` is what its head presents, so nothing is read or hashed twice.
    pub fn api_key_again(&self, found: &ApiKey, arrival: Timestamp, now: Timestamp) -> KeyJudged {
        self.judge_key(arrival, now, |list| list.find_again(found))
    }

    fn judge_key(
        &self,
        arrival: Timestamp,
        now: Timestamp,
        find: impl FnOnce(&KeyList) -> Option<&Rc<ApiKey>>,
    ) -> KeyJudged {
        let Some(list) = self.documents.api_keys() else {
            return KeyJudged::Refused;
        };
        let Some(list) = list.usable(now) else {
            let (outlook, wait) = self.outlook(DocumentId::ApiKeys, arrival, now);
            return KeyJudged::List(outlook, wait);
        };
        let key = find(list).filter(|key| key.is_valid(now));
        key.map_or(KeyJudged::Refused, |key| KeyJudged::Key(Rc::clone(key)))
    }

    /// What a request presents as an API key.
    pub fn presented_key<'h>(&self, head: &'h Head) -> Presented<'h> {
        self.config
            .api_keys
            .as_ref()
            .map_or(Presented::Absent, |rule| api_key::presented(head, &rule.header, rule.basic))
    }

    /// The caller behind a key that is shown without a token; `None`: it opens nothing alone.
    pub fn key_caller(&self, key: &ApiKey) -> Option<Caller> {
        let grants = key.grants.as_ref()?;
        let longest = grants.schools.header().len().max(grants.districts.header().len());
        Some(Caller {
            // No issuer's, where clients have a namespace of their own.
            issuer: self.config.api_keys.as_ref()?.issuer.unwrap_or(usize::MAX),
            client: key.client.clone(),
            tier: key.tier,
            schools: Some(grants.schools.clone()),
            districts: Some(grants.districts.clone()),
            permissions: None,
            district_schools: DistrictSchools::default(),
            districts_open_schools: false,
            token_id: None,
            issued_at: None,
            not_after: key.not_after(),
            owners: key.owners,
            refused: (longest > self.config.forward.schools_bytes_max).then_some(Denial::SchoolsTooLong),
        })
    }
}
