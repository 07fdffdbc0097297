//! API keys: which account a key names, from a list of hashes.
//!
//! The list holds SHA-256 of each key, never a key. A presented key is hashed and looked up in a table, which costs the
//! same for ten keys and for ten thousand; what is found there is compared in constant time. Keys of one account
//! share its budgets, so that rotation doubles nothing.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::basic::{self, Basic};
use crate::config::ListFormat;
use crate::head::Head;
use crate::limits::owner::Owners;
use crate::list::{self, Entry, ListError, Origin};
use crate::strip;
use crate::time::Now;
use crate::token::claims::{SCHOOLS_MAX, is_plain, is_school};
use crate::token::ids::Ids;

/// Longest key that is hashed, bytes: what is longer is no key, and hashing it would be work for a guesser.
pub const KEY_BYTES_MAX: usize = basic::USER_BYTES_MAX;
/// Most keys of a list.
pub const KEYS_MAX: usize = 100_000;

const LIST_FIELDS: &[&str] = &["version", "keys"];
const KEY_FIELDS: &[&str] = &["id", "account", "sha256", "tier", "districts", "schools", "not_before", "not_after"];

/// One API key, without the key.
pub struct ApiKey {
    /// Its id: in the access log; safe in a header.
    pub id: String,
    /// The account that it belongs to; safe in a header.
    pub account: String,
    /// The account's tier, by index; `None`: it is not configured.
    pub tier: Option<usize>,
    /// Whose budgets its requests draw on: the account's, unless a limit counts each key.
    pub owners: Owners,
    /// What it opens alone, without a token; `None`: nothing.
    pub grants: Option<Grants>,
    hash: [u8; 32],
    not_before: Option<Now>,
    not_after: Option<Now>,
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
    pub fn is_valid(&self, now: Now) -> bool {
        self.not_before.is_none_or(|from| from <= now) && self.not_after.is_none_or(|end| now < end)
    }

    /// The key is valid up to, but not at, this moment; `None`: without end.
    pub const fn not_after(&self) -> Option<Now> {
        self.not_after
    }
}

/// What a list is read by.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The issuer whose clients the accounts are; accounts without one have a namespace of their own.
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
    /// By the first half of the hash: nobody finds two keys that share it, and the whole hash is compared after.
    keys: HashMap<u128, Rc<ApiKey>, BuildHasherDefault<Hashed>>,
}

/// For what is a hash already. Only lists fill the table, so that nobody can crowd a place of it.
#[derive(Clone, Copy, Debug, Default)]
struct Hashed(u64);

impl KeyList {
    /// Reads a list from the network.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn from_bytes(bytes: &[u8], context: &Context<'_>) -> Result<Self, ListError> {
        Self::from_value(&list::parse(bytes)?, context)
    }

    /// Reads a parsed list.
    ///
    /// # Errors
    /// The first thing wrong with it: an unknown member, a bad entry, an id or a hash that stands twice.
    pub fn from_value(value: &Value, context: &Context<'_>) -> Result<Self, ListError> {
        let root = Entry::root(value, LIST_FIELDS)?;
        let version = root.version(context.origin)?;
        if root.get("keys").is_none() {
            return Err(root.wrong("keys", "an array"));
        }
        let entries = root.entries("keys", KEY_FIELDS)?;
        if entries.len() > KEYS_MAX {
            return Err(root.wrong("keys", "at most 100000 keys"));
        }
        let mut keys = HashMap::with_capacity_and_hasher(entries.len(), BuildHasherDefault::default());
        let mut ids = HashSet::with_capacity(entries.len());
        for entry in &entries {
            let hash = hash(entry.text("sha256", "64 hexadecimal digits", |text| hash(text).is_some())?);
            let hash = hash.unwrap_or_default();
            let key = key(entry, hash, context)?;
            if !ids.insert(key.id.clone()) {
                return Err(entry.wrong("id", "an id that no other key has"));
            }
            if keys.insert(half(&hash), Rc::new(key)).is_some() {
                return Err(entry.wrong("sha256", "a hash that no other key has"));
            }
        }
        Ok(Self { version, keys })
    }

    /// The key behind a presented one, whether it is valid now or not.
    pub fn find(&self, presented: &[u8]) -> Option<&Rc<ApiKey>> {
        if presented.is_empty() || presented.len() > KEY_BYTES_MAX {
            return None;
        }
        self.find_by(&Sha256::digest(presented).into())
    }

    /// What this list has for a key that was found before, in this list or in an earlier one.
    pub fn find_again(&self, found: &ApiKey) -> Option<&Rc<ApiKey>> {
        self.find_by(&found.hash)
    }

    fn find_by(&self, digest: &[u8; 32]) -> Option<&Rc<ApiKey>> {
        let key = self.keys.get(&half(digest))?;
        is_same(&key.hash, digest).then_some(key)
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
        self.keys.is_empty()
    }
}

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |head| u64::from_le_bytes(*head));
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("account", &self.account).finish_non_exhaustive()
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
        if it.len() != name.len() || !it.iter().zip(name.bytes()).all(|(a, b)| strip::fold(*a) == strip::fold(b)) {
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

fn key(entry: &Entry<'_>, hash: [u8; 32], context: &Context<'_>) -> Result<ApiKey, ListError> {
    let plain = "visible ASCII without comma, quote and backslash, at most 256 bytes";
    let id = entry.text("id", plain, is_plain)?;
    let account = entry.text("account", plain, is_plain)?;
    let tier = entry.text("tier", "a tier's name", |_| true)?;
    let tier = context.tiers.iter().position(|name| *name == tier);
    if tier.is_none() && context.origin == Origin::Inline {
        return Err(entry.wrong("tier", "one of `tiers`"));
    }
    let (not_before, not_after) = (entry.moment("not_before")?, entry.moment("not_after")?);
    if not_before.zip(not_after).is_some_and(|(from, end)| end <= from) {
        return Err(entry.wrong("not_after", "a date after `not_before`"));
    }
    let (districts, schools) = (ids(entry, "districts")?, ids(entry, "schools")?);
    Ok(ApiKey {
        id: id.to_owned(),
        account: account.to_owned(),
        tier,
        // No issuer has an empty name.
        owners: Owners::new(context.issuer.unwrap_or_default(), account, districts.as_deref(), Some(&hash)),
        grants: grants(districts, schools, context),
        hash,
        not_before,
        not_after,
    })
}

/// One list brings the other, empty: the upstream then sees both, and none that is absent.
fn grants(districts: Option<Vec<String>>, schools: Option<Vec<String>>, context: &Context<'_>) -> Option<Grants> {
    if districts.is_none() && schools.is_none() {
        return None;
    }
    let ids = |list: Option<Vec<String>>| Ids::new(list.unwrap_or_default(), context.format);
    Some(Grants { districts: ids(districts), schools: ids(schools) })
}

/// A list of distinct ids, if it is given.
fn ids(entry: &Entry<'_>, name: &str) -> Result<Option<Vec<String>>, ListError> {
    if entry.get(name).is_none() {
        return Ok(None);
    }
    let what = "distinct ids, at most 10000: visible ASCII without comma, quote, backslash and `*`";
    let elements = entry.elements(name)?;
    if elements.len() > SCHOOLS_MAX {
        return Err(entry.wrong(name, what));
    }
    let mut seen = HashSet::with_capacity(elements.len());
    let id = |(_, value): (String, &Value)| {
        let id = value.as_str().filter(|id| is_school(id) && seen.insert((*id).to_owned()));
        id.map(str::to_owned).ok_or_else(|| entry.wrong(name, what))
    };
    elements.into_iter().map(id).collect::<Result<_, _>>().map(Some)
}

fn half(hash: &[u8; 32]) -> u128 {
    hash.first_chunk().map_or(0, |half| u128::from_le_bytes(*half))
}

/// Takes the same time wherever the two differ. In words of eight bytes, each of which takes as long as a byte.
fn is_same(hash: &[u8; 32], other: &[u8; 32]) -> bool {
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let words = hash.as_chunks().0.iter().zip(other.as_chunks().0);
    words.fold(Choice::from(1), |same, (a, b)| same & word(a).ct_eq(&word(b))).into()
}

/// Reads 64 hexadecimal digits.
pub(crate) fn hash(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok().filter(|_| rest.is_empty())?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut hash = [0; 32];
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests;
