//! API keys: which client a key names, from a list of hashes.
//!
//! The list holds SHA-256 of each key, never a key. A presented key is hashed and looked up in a table, which costs the
//! same for ten keys and for ten thousand; what is found there is compared in constant time. Keys of one client
//! share its budgets, so that rotation doubles nothing.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use self::table::{ById, KeyHash, Table};
use crate::credentials::ids::{Ids, ListFormat};
use crate::credentials::jwt::claims::SCHOOLS_MAX;
use crate::credentials::list::{self, Entry, ListError, Origin};
pub use crate::credentials::schema::KEYS_MAX;
use crate::credentials::schema::{KEY, KEY_LIST};
use crate::http::basic::{self, Basic};
use crate::http::head::{Head, folds_alike};
use crate::limits::key::LimitKeys;
use crate::values::text::is_plain;
use crate::values::time::Timestamp;

mod table;
#[cfg(test)]
mod tests;

/// Longest key that is hashed, bytes: what is longer is no key, and hashing it would be work for a guesser.
pub const KEY_BYTES_MAX: usize = basic::USER_BYTES_MAX;

const KEYS: &str = "keys";
const LIST_FIELDS: &[&str] = &KEY_LIST.names::<{ KEY_LIST.count() }>();
const KEY_FIELDS: &[&str] = &KEY.names::<{ KEY.count() }>();

/// One API key, without the key.
pub struct ApiKey {
    /// Its id: in the access log; safe in a header.
    pub id: String,
    /// The client that it belongs to; safe in a header.
    pub client: String,
    /// The client's tier, by index; `None`: it is not configured.
    pub tier: Option<usize>,
    /// Whose budgets its requests draw on: the client's, unless a limit counts each key.
    pub limit_keys: LimitKeys,
    /// What it opens alone, without a token; `None`: nothing.
    pub grants: Option<Box<Grants>>,
    hash: KeyHash,
    /// Valid from this moment
    not_before: Timestamp,
    /// up to, but not at, this one.
    not_after: Timestamp,
}

/// What a key opens without a token: exactly what is listed, nothing beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Districts.
    pub districts: Ids,
    /// Schools.
    pub schools: Ids,
}

impl ApiKey {
    /// Whether the key is valid at `now`: from `not_before`, and up to, but not at, `not_after`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// The key is valid up to, but not at, this moment; the end of time for one without end.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

/// What a list is read by.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The issuer of the clients that keys name; clients without one have a namespace of their own.
    pub issuer: Option<&'a str>,
    /// Names of the tiers, by index.
    pub tiers: &'a [&'a str],
    /// How lists of ids are written for the upstream.
    pub format: ListFormat,
    /// Where the list comes from.
    pub origin: Origin,
}

/// The list of keys.
pub struct KeyList {
    version: u64,
    keys: Table,
}

/// A list while it is read.
struct Loading<'c> {
    context: &'c Context<'c>,
    keys: Table,
    ids: HashSet<ById>,
}

impl KeyList {
    /// Reads a list from the network, entry by entry: as a whole it would take many times the memory of its keys.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn from_bytes(bytes: &[u8], context: &Context<'_>) -> Result<Self, ListError> {
        let mut loading = Loading::new(context);
        let root = list::parse_each(bytes, KEYS, |entry| loading.take(entry))?;
        let version = version(&root, context)?;
        Ok(Self { version, keys: loading.keys })
    }

    /// Reads a parsed list.
    ///
    /// # Errors
    /// The first thing wrong with it: an unknown member, a bad entry, an id or a hash that stands twice.
    pub fn from_value(value: &Value, context: &Context<'_>) -> Result<Self, ListError> {
        let version = version(value, context)?;
        let mut loading = Loading::new(context);
        for entry in value.get(KEYS).and_then(Value::as_array).into_iter().flatten() {
            loading.take(entry)?;
        }
        Ok(Self { version, keys: loading.keys })
    }

    /// The key behind a presented one, whether it is valid now or not.
    pub fn find(&self, presented: &[u8]) -> Option<&Rc<ApiKey>> {
        if presented.is_empty() || presented.len() > KEY_BYTES_MAX {
            return None;
        }
        self.find_by(&KeyHash(Sha256::digest(presented).into()))
    }

    /// What this list has for a key that was found before, in this list or in an earlier one.
    pub fn find_again(&self, found: &ApiKey) -> Option<&Rc<ApiKey>> {
        self.find_by(&found.hash)
    }

    fn find_by(&self, hash: &KeyHash) -> Option<&Rc<ApiKey>> {
        self.keys.get(hash)
    }

    /// The version that the list carries.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &ApiKey> {
        self.keys.all()
    }
}

impl<'c> Loading<'c> {
    fn new(context: &'c Context<'c>) -> Self {
        Self { context, keys: Table::default(), ids: HashSet::default() }
    }

    /// Reads the next entry.
    fn take(&mut self, value: &Value) -> Result<(), ListError> {
        if self.keys.len() >= KEYS_MAX {
            return Err(ListError::Expected { path: KEYS.to_owned(), what: "at most 100000 keys" });
        }
        let entry = Entry::new(format!("{KEYS}[{}]", self.keys.len()), value, KEY_FIELDS)?;
        let key = Rc::new(key(&entry, self.context)?);
        if !self.ids.insert(ById(Rc::clone(&key))) {
            return Err(entry.wrong("id", "an id that no other key has"));
        }
        if !self.keys.insert(key) {
            return Err(entry.wrong("sha256", "a hash that no other key has"));
        }
        Ok(())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("client", &self.client).finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyList").field("version", &self.version).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// What a request presents as a key.
#[derive(PartialEq, Eq)]
pub enum Presented<'h> {
    /// Nothing.
    Absent,
    /// Two of them, or what a proxy may have joined of two.
    Doubled,
    /// What is no key, whatever the list holds: another spelling of the header, or Basic credentials of another form.
    Malformed,
    /// One key.
    Key(Cow<'h, [u8]>),
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Doubled => "Doubled",
            Self::Malformed => "Malformed",
            Self::Key(_) => "Key(..)",
        })
    }
}

/// The key that a request presents in the header `name`, once and in no other spelling that a server may fold to it; or,
/// where `basic` says so, as the user of `Authorization: Basic`.
pub fn presented<'h>(head: &'h Head, name: &str, basic: bool) -> Presented<'h> {
    let mut found = Presented::Absent;
    for (it, value) in head.pairs() {
        if !folds_alike(it, name.as_bytes()) {
            continue;
        }
        found = match found {
            Presented::Absent if value.contains(&b',') => Presented::Doubled,
            Presented::Absent if !it.eq_ignore_ascii_case(name.as_bytes()) => Presented::Malformed,
            Presented::Absent => Presented::Key(Cow::Borrowed(value)),
            _ => Presented::Doubled,
        };
    }
    match (found, if basic { basic::user(head) } else { Basic::Absent }) {
        (found, Basic::Absent) => found,
        (Presented::Absent, Basic::User(user)) => Presented::Key(Cow::Owned(user)),
        (Presented::Absent, Basic::Malformed) => Presented::Malformed,
        _ => Presented::Doubled,
    }
}

/// What a list says of itself.
fn version(root: &Value, context: &Context<'_>) -> Result<u64, ListError> {
    let root = Entry::root(root, LIST_FIELDS)?;
    let version = root.version(context.origin)?;
    match root.get(KEYS) {
        Some(Value::Array(_)) => Ok(version),
        _ => Err(root.wrong(KEYS, "an array")),
    }
}

fn key(entry: &Entry<'_>, context: &Context<'_>) -> Result<ApiKey, ListError> {
    let hash = entry.sha256()?;
    let plain = "visible ASCII without comma, quote and backslash, at most 256 bytes";
    let id = entry.text("id", plain, is_plain)?;
    let client = entry.text("client", plain, is_plain)?;
    let tier = entry.text("tier", "a tier's name", |_| true)?;
    let tier = context.tiers.iter().position(|name| *name == tier);
    if tier.is_none() && context.origin == Origin::Inline {
        return Err(entry.wrong("tier", "one of `tiers`"));
    }
    let (not_before, not_after) = entry.validity()?;
    let (districts, schools) = (ids(entry, "districts")?, ids(entry, "schools")?);
    Ok(ApiKey {
        id: id.to_owned(),
        client: client.to_owned(),
        tier,
        // No issuer has an empty name.
        limit_keys: LimitKeys::new(context.issuer.unwrap_or_default(), client, districts.as_deref(), Some(&hash)),
        grants: grants(districts, schools, context).map(Box::new),
        hash: KeyHash(hash),
        not_before,
        not_after,
    })
}

/// One list brings the other, empty: the upstream then sees both, and none that is absent.
fn grants(districts: Option<Vec<String>>, schools: Option<Vec<String>>, context: &Context<'_>) -> Option<Grants> {
    if districts.is_none() && schools.is_none() {
        return None;
    }
    let ids = |list: Option<Vec<String>>| Ids::new(&list.unwrap_or_default(), context.format);
    Some(Grants { districts: ids(districts), schools: ids(schools) })
}

/// A list of distinct ids, if it is given.
fn ids(entry: &Entry<'_>, name: &str) -> Result<Option<Vec<String>>, ListError> {
    let Some(value) = entry.get(name) else {
        return Ok(None);
    };
    let list = value.as_array().ok_or_else(|| entry.wrong(name, "an array"))?;
    let ids = Some(list).filter(|list| list.len() <= SCHOOLS_MAX).and_then(|list| list::distinct_ids(list));
    let what = "distinct ids, at most 10000: visible ASCII without comma, quote, backslash and `*`";
    ids.map(Some).ok_or_else(|| entry.wrong(name, what))
}
