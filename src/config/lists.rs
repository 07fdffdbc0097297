//! Lists of keys and of revocations, inline or remote, and which schools belong to a district.

use std::rc::Rc;

use serde_json::Value;

use super::Source;
use super::keys;
use super::reader::{Object, Reader};
use super::schema::DISTRICTS_MAX;
use super::schema::credentials::REVOCATIONS;
use crate::credentials::fetch::Remote;
use crate::credentials::grant::DistrictSchools;
use crate::credentials::jwt::claims::SCHOOLS_MAX;
use crate::credentials::list::{ListError, Origin};
use crate::credentials::revocation::RevocationList;
use crate::values::text::is_school;

const SOURCE_FIELDS: &[&str] = &REVOCATIONS.names::<{ REVOCATIONS.count() }>();

/// Reads `inline` or `remote` of an object that has other fields as well.
pub(super) fn source<T>(fields: &Object<'_>, inline: impl FnOnce(&Value) -> Result<T, ListError>) -> Option<Source<T>> {
    let (form, reader) = fields.one_of(SOURCE_FIELDS)?;
    if form == "remote" {
        return remote(&reader).map(Source::Remote);
    }
    match inline(reader.value()) {
        Ok(list) => Some(Source::Inline(Rc::new(list))),
        Err(error) => {
            reader.problem(error);
            None
        }
    }
}

/// Where a list is fetched from: as for keys, but sooner stale, since an old list has not heard of what was revoked since.
fn remote(reader: &Reader<'_>) -> Option<Remote> {
    keys::remote(reader, &keys::LIST_DEFAULTS)
}

/// `revocations` of an issuer.
pub(super) fn revocations(reader: &Reader<'_>) -> Option<Source<RevocationList>> {
    source(&reader.object(SOURCE_FIELDS)?, |value| RevocationList::from_value(value, Origin::Inline))
}

/// `districts`: an object of arrays of school ids.
#[inline(never)]
pub(super) fn districts(fields: &Object<'_>) -> Option<DistrictSchools> {
    let Some(reader) = fields.get("districts") else {
        return Some(DistrictSchools::default());
    };
    let entries = reader.entries()?;
    if entries.len() > DISTRICTS_MAX {
        reader.problem(format_args!("expected at most {DISTRICTS_MAX} districts, got {}", entries.len()));
        return None;
    }
    let district = |(name, reader): (&str, Reader<'_>)| {
        if !is_school(name) {
            reader.problem("expected a district's id, in visible ASCII without comma, quote, backslash and `*`");
            return None;
        }
        Some((name.to_owned(), reader.strings(SCHOOLS_MAX, "a school id", &is_school)?))
    };
    let lists: Vec<Option<_>> = entries.into_iter().map(district).collect();
    lists.into_iter().collect::<Option<Vec<_>>>().map(DistrictSchools::new)
}
