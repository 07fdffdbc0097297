//! `scope` of a route: where the ids of schools and districts stand in its requests.

use super::name;
use super::reader::{Object, Reader};
use super::schema::routes::{SCOPE, SCOPE_RULE};
use crate::http::body::Pointer;
use crate::http::strip::StripSet;
use crate::policy::scope::{Location, Missing, ScopeRule};

const FIELDS: &[&str] = &SCOPE.names::<{ SCOPE.count() }>();
const PLACE_FIELDS: &[&str] = &SCOPE_RULE.names::<{ SCOPE_RULE.count() }>();
/// Characters that lists are written with, and that mean nothing else in a decoded value.
const SEPARATORS: [char; 5] = [',', ';', '|', ':', ' '];

/// The scope of a route.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Where the school ids stand.
    pub(super) schools: Option<ScopeRule>,
    /// Where the district ids stand.
    pub(super) districts: Option<ScopeRule>,
    /// Whether a request that names neither is refused.
    pub(super) one_required: bool,
}

/// Reads a scope.
#[inline(never)]
pub(super) fn read(reader: &Reader<'_>, stripped: &StripSet) -> Option<Scope> {
    let fields = reader.object(FIELDS)?;
    if fields.get("districts").is_none() {
        fields.required("schools")?;
    }
    let schools = fields.maybe("schools", |schools| rule(schools, stripped));
    let districts = fields.maybe("districts", |districts| rule(districts, stripped));
    let required = fields.maybe("require_one", Reader::boolean);
    let (schools, districts, required) = (schools?, districts?, required?);
    let both = schools.is_some() && districts.is_some();
    if required.is_some() && !both {
        fields.problem("require_one", "expected `schools` and `districts` beside it; else `missing` says it");
        return None;
    }
    Some(Scope { schools, districts, one_required: both && required.unwrap_or(true) })
}

#[inline(never)]
fn rule(reader: &Reader<'_>, stripped: &StripSet) -> Option<ScopeRule> {
    let fields = reader.object(PLACE_FIELDS)?;
    let place =
        fields.one_of(&["query", "path", "header", "body"]).and_then(|(form, name)| place(form, &name, stripped));
    let words = [("refuse", Missing::Refuse), ("allow", Missing::Allow)];
    let missing = fields.field("missing", Missing::Refuse, |missing| missing.word(&words));
    let separator = fields.maybe("separator", |separator| {
        let what = "one of `,`, `;`, `|`, `:` and a space";
        let text = separator.string(what, |text| text.chars().count() == 1 && text.contains(SEPARATORS))?;
        text.chars().next()
    });
    let (place, missing, separator) = (place?, missing?, separator?);
    contradictions(&fields, &place, missing, separator)?;
    Some(ScopeRule { place, missing, separator })
}

#[inline(never)]
fn contradictions(fields: &Object<'_>, place: &Location, missing: Missing, separator: Option<char>) -> Option<()> {
    if matches!(place, Location::Path(_)) && missing == Missing::Allow {
        fields.problem("missing", "expected `refuse`, since a path always names a school");
        return None;
    }
    if matches!(place, Location::Path(_)) && separator == Some(';') {
        fields.problem("separator", "expected another with `path`, where `;` is refused");
        return None;
    }
    if matches!(place, Location::Body(_)) && separator.is_some() {
        fields.problem("separator", "expected none with `body`, where several ids are an array");
        return None;
    }
    Some(())
}

#[inline(never)]
fn place(form: &str, reader: &Reader<'_>, stripped: &StripSet) -> Option<Location> {
    match form {
        "query" => parameter(reader).map(Location::Query),
        "path" => reader.string("the name of a variable", name::is_text).map(|name| Location::Path(name.to_owned())),
        "body" => pointer(reader).map(Location::Body),
        _ => header(reader, stripped).map(Location::Header),
    }
}

/// The name of a query parameter, as it stands in a query.
pub(super) fn parameter(reader: &Reader<'_>) -> Option<String> {
    let what = "a query parameter's name, of visible ASCII without `%`, `&`, `=`, `+`, `;` and `#`";
    let is_part = |byte: u8| byte.is_ascii_graphic() && !b"%&=+;#".contains(&byte);
    reader.string(what, |name| !name.is_empty() && name.bytes().all(is_part)).map(str::to_owned)
}

/// A JSON Pointer to a member of the body.
pub(super) fn pointer(reader: &Reader<'_>) -> Option<Pointer> {
    let what = "a JSON Pointer such as `/district`";
    let text = reader.string(what, |text| Pointer::parse(text).is_some())?;
    name::warn_of_look_alikes(reader, text);
    Pointer::parse(text)
}

/// A header that the filter strips cannot tell it anything.
#[inline(never)]
fn header(reader: &Reader<'_>, stripped: &StripSet) -> Option<String> {
    let name = name::header(reader)?;
    if stripped.contains(name.as_bytes()) {
        reader.problem("expected another name, since the filter strips this header from requests");
        return None;
    }
    Some(name)
}
