//! One entry of a list: read from JSON, written to and read from the bytes of a bucket.
//!
//! Values obey the rules of claims: what goes into a header is visible ASCII without comma, quote and backslash, and no `*`
//! may be read as "all" by someone. In bytes, all numbers are little-endian and every text has its length in front.

use serde_json::Value;

use super::{Grant, TokenHash};
use crate::credentials::jwt::claims::SCHOOLS_MAX;
use crate::credentials::list::{self, Entry, ListError};
use crate::values::text::{is_plain, is_school};
use crate::values::time::Timestamp;

/// What is expected of a hash that stands twice.
pub(super) const DISTINCT: &str = "a hash that no other token has";
/// Longest entry as JSON, bytes: thousands of schools, and about a millisecond of work.
pub const ENTRY_BYTES_MAX: usize = 64 << 10;
/// Longest name of a tier, as the configuration bounds it.
const TIER_BYTES_MAX: usize = 64;

/// Reads an entry.
///
/// # Errors
/// The first thing wrong with it.
#[inline(never)]
pub(super) fn read(entry: &Entry<'_>) -> Result<(TokenHash, Grant), ListError> {
    let hash = entry.sha256()?;
    let plain = "visible ASCII without comma, quote and backslash, at most 256 bytes";
    let client = entry.text("client", plain, is_plain)?;
    let district = entry.text("district", "the same without `*`, a district's id", is_school)?;
    let tier = entry.text("tier", "a tier's name", |tier| (1..=TIER_BYTES_MAX).contains(&tier.len()))?;
    let (not_before, not_after) = entry.validity()?;
    let grant = Grant {
        client: client.to_owned(),
        district: district.to_owned(),
        schools: schools(entry)?,
        tier: tier.to_owned(),
        not_before,
        not_after,
    };
    Ok((TokenHash::new(hash), grant))
}

#[inline(never)]
fn schools(entry: &Entry<'_>) -> Result<Vec<String>, ListError> {
    let list = entry.get("schools").and_then(Value::as_array).filter(|list| list.len() <= SCHOOLS_MAX);
    let list = list.ok_or_else(|| entry.wrong("schools", "an array of at most 10000 school ids"))?;
    let what = "distinct school ids, visible ASCII without comma and `*`";
    list::distinct_ids(list).ok_or_else(|| entry.wrong("schools", what))
}

/// Appends the bytes of a grant.
#[inline(never)]
pub(super) fn encode(grant: &Grant, into: &mut Vec<u8>) {
    into.extend_from_slice(&grant.not_before.micros().to_le_bytes());
    into.extend_from_slice(&grant.not_after.micros().to_le_bytes());
    for text in [&grant.client, &grant.district, &grant.tier].into_iter().chain(&grant.schools) {
        // Every text is checked to have at most 256 bytes.
        let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
        into.extend_from_slice(&len.to_le_bytes());
        into.extend_from_slice(text.as_bytes());
    }
}

/// Reads what [`encode`] wrote; `None` for anything else.
#[inline(never)]
pub(super) fn decode(bytes: &[u8]) -> Option<Grant> {
    let (not_before, bytes) = bytes.split_first_chunk()?;
    let (not_after, mut bytes) = bytes.split_first_chunk()?;
    let mut next = || text(&mut bytes);
    let (client, district, tier) = (next()?, next()?, next()?);
    if !is_plain(&client) || !is_school(&district) {
        return None;
    }
    let mut schools = Vec::new();
    while !bytes.is_empty() {
        schools.push(text(&mut bytes).filter(|school| is_school(school))?);
    }
    let moment = |bytes: &[u8; 8]| Timestamp::from_micros(u64::from_le_bytes(*bytes));
    Some(Grant { client, district, schools, tier, not_before: moment(not_before), not_after: moment(not_after) })
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let (len, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    *bytes = rest;
    std::str::from_utf8(text).ok().map(str::to_owned)
}
