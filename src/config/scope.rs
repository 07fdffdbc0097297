//! `scope` of a route: where the school ids of its requests stand.

use super::Forward;
use super::name;
use super::reader::Reader;
use crate::scope::{Missing, Place, Rule};
use crate::strip::StripSet;

const FIELDS: &[&str] = &["schools"];
const SCHOOLS_FIELDS: &[&str] = &["query", "path", "header", "missing", "separator"];
/// Characters that lists are written with, and that mean nothing else in a decoded value.
const SEPARATORS: [char; 5] = [',', ';', '|', ':', ' '];

/// Reads a scope rule.
pub(super) fn read(reader: &Reader<'_>, forward: Option<&Forward>) -> Option<Rule> {
    let fields = reader.object(FIELDS)?.required("schools")?.object(SCHOOLS_FIELDS)?;
    let place = fields.one_of(&["query", "path", "header"]).and_then(|(form, name)| place(form, &name, forward));
    let words = [("refuse", Missing::Refuse), ("allow", Missing::Allow)];
    let missing = fields.field("missing", Missing::Refuse, |missing| missing.word(&words));
    let separator = fields.maybe("separator", |separator| {
        let what = "one of `,`, `;`, `|`, `:` and a space";
        let text = separator.string(what, |text| text.chars().count() == 1 && text.contains(SEPARATORS))?;
        text.chars().next()
    });
    let (place, missing) = (place?, missing?);
    if matches!(place, Place::Path(_)) && missing == Missing::Allow {
        fields.problem("missing", "expected `refuse`, since a path always names a school");
        return None;
    }
    Some(Rule { place, missing, separator: separator? })
}

fn place(form: &str, reader: &Reader<'_>, forward: Option<&Forward>) -> Option<Place> {
    match form {
        "query" => reader.string("a query parameter's name", name::is_text).map(|name| Place::Query(name.to_owned())),
        "path" => reader.string("the name of a variable", name::is_text).map(|name| Place::Path(name.to_owned())),
        _ => header(reader, forward).map(Place::Header),
    }
}

/// A header that the filter strips cannot tell it anything.
fn header(reader: &Reader<'_>, forward: Option<&Forward>) -> Option<String> {
    let name = name::header(reader)?;
    let set = forward.into_iter().flat_map(|f| [f.schools.as_str(), &f.tier, &f.client]);
    if StripSet::new(set).contains(name.as_bytes()) {
        reader.problem("expected another name, since the filter strips this header from requests");
        return None;
    }
    Some(name)
}
