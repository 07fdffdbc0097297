//! `claims`, `required_claims`, `types` and `bound_tokens` of an issuer: where claims stand, in which form, what they must be.

use super::name;
use super::reader::{Object, Reader};
use super::schema::credentials::{CLAIMS, LIST_CLAIM, NAMES_MAX, REQUIRED_CLAIM, VALUE_CLAIM};
use crate::credentials::jwt::claims::{
    BoundTokens, ClaimNames, ClaimPath, ClaimSource, GrantNames, ListForm, RequiredClaim,
};
use crate::credentials::jwt::jose::TokenType;

const CLAIM_FIELDS: &[&str] = &CLAIMS.names::<{ CLAIMS.count() }>();
const REQUIRED_FIELDS: &[&str] = &REQUIRED_CLAIM.names::<{ REQUIRED_CLAIM.count() }>();
const VALUE_CLAIM_FIELDS: &[&str] = &VALUE_CLAIM.names::<{ VALUE_CLAIM.count() }>();
const LIST_CLAIM_FIELDS: &[&str] = &LIST_CLAIM.names::<{ LIST_CLAIM.count() }>();

/// The claims that describe the caller.
#[inline(never)]
pub(super) fn names(fields: &Object<'_>) -> Option<ClaimNames> {
    let client = || ClaimSource::new("client_id");
    // Only where it may matter: elsewhere it may be anything.
    let jti = fields.get("revocations").map(|_| ClaimPath("jti".to_owned()));
    let Some(claims) = fields.get("claims") else {
        let grants = GrantNames { id: jti, ..GrantNames::default() };
        return Some(ClaimNames { client: client(), tier: None, schools: None, grants });
    };
    let claims = claims.object(CLAIM_FIELDS)?;
    let client = claims.field("client", client(), value_claim);
    let tier = claims.maybe("tier", value_claim);
    let schools = claims.maybe("schools", |it| list_claim(it, ListForm::Array));
    let districts = claims.maybe("districts", |it| list_claim(it, ListForm::Array));
    let permissions = claims.maybe("permissions", |it| list_claim(it, ListForm::ArrayOrScope));
    let district_schools = claims.maybe("district_schools", |it| list_claim(it, ListForm::Array));
    let id = claims.maybe("id", name::claim);
    warn_of_same_lists(&claims, [&schools, &districts, &permissions].map(|list| list.as_ref()?.as_ref()));
    let grants = GrantNames {
        districts: districts?,
        permissions: permissions?,
        district_schools: district_schools?,
        id: id?.or(jti),
    };
    Some(ClaimNames { client: client?, tier: tier?, schools: schools?, grants })
}

/// A claim that is read as two lists grants its values twice, each time as something else.
#[inline(never)]
fn warn_of_same_lists(claims: &Object<'_>, [schools, districts, permissions]: [Option<&ClaimSource>; 3]) {
    let is_same = |one: Option<&ClaimSource>, other: Option<&ClaimSource>| {
        one.zip(other).is_some_and(|(a, b)| a.path.is_same(&b.path))
    };
    if is_same(schools, districts) {
        claims.warn("districts", "the same claim as `schools`");
    }
    if is_same(schools, permissions) || is_same(districts, permissions) {
        claims.warn("permissions", "the same claim as `schools` or `districts`");
    }
}

/// Claims that must be there; one by its name alone, or with its values.
#[inline(never)]
pub(super) fn required(list: &Reader<'_>) -> Option<Vec<RequiredClaim>> {
    let read = |item: &Reader<'_>| {
        if !item.value().is_object() {
            return Some(RequiredClaim { path: name::claim(item)?, values: Vec::new() });
        }
        let fields = item.object(REQUIRED_FIELDS)?;
        let path = fields.required("claim").and_then(|path| name::claim(&path));
        let values = fields.required("values").and_then(|values| {
            let texts = values.strings(NAMES_MAX, "a value", &name::is_text)?;
            if texts.is_empty() {
                values.problem("expected at least one value, got none");
                return None;
            }
            Some(texts)
        });
        Some(RequiredClaim { path: path?, values: values? })
    };
    let items = list.items(NAMES_MAX)?;
    let found: Vec<_> = items.iter().map(read).collect();
    let found = found.into_iter().collect::<Option<Vec<_>>>()?;
    let is_again = |nth: usize| {
        found.iter().take(nth).any(|before| found.get(nth).is_some_and(|it| before.path.is_same(&it.path)))
    };
    if let Some((_, item)) = items.iter().enumerate().find(|(nth, _)| is_again(*nth)) {
        item.problem("expected distinct claims, got one a second time");
        return None;
    }
    Some(found)
}

pub(super) fn types(list: &Reader<'_>) -> Option<Vec<TokenType>> {
    let words = [("at+jwt", TokenType::AccessToken), ("JWT", TokenType::Jwt)];
    let types = list.distinct(words.len(), "types", |item| item.word(&words))?;
    if types.is_empty() {
        list.problem("expected at least one type, got none; leave it out to accept every type");
        return None;
    }
    Some(types)
}

pub(super) fn bound_tokens(reader: &Reader<'_>) -> Option<BoundTokens> {
    let found = reader.word(&[
        ("refuse", BoundTokens::Refuse),
        ("ignore", BoundTokens::Ignore),
        ("mtls", BoundTokens::Mtls),
    ])?;
    if found == BoundTokens::Ignore {
        reader.warn("whoever steals a token that is bound to a key can use it");
    }
    Some(found)
}

/// A claim of one value: by its name alone, or with its form.
#[inline(never)]
fn value_claim(reader: &Reader<'_>) -> Option<ClaimSource> {
    if !reader.value().is_object() {
        return Some(ClaimSource { path: name::claim(reader)?, form: ListForm::Array, numbers: false });
    }
    let fields = reader.object(VALUE_CLAIM_FIELDS)?;
    let path = fields.required("claim").and_then(|path| name::claim(&path));
    let numbers = fields.flag("numbers");
    Some(ClaimSource { path: path?, form: ListForm::Array, numbers: numbers? })
}

/// A claim that is a list: by its name alone, or with its form.
#[inline(never)]
fn list_claim(reader: &Reader<'_>, default: ListForm) -> Option<ClaimSource> {
    if !reader.value().is_object() {
        return Some(ClaimSource { path: name::claim(reader)?, form: default, numbers: false });
    }
    let fields = reader.object(LIST_CLAIM_FIELDS)?;
    let path = fields.required("claim").and_then(|path| name::claim(&path));
    let numbers = fields.flag("numbers");
    let separator = fields.maybe("separator", separator);
    let forms = [("array", ListForm::Array), ("string", ListForm::One), ("separated", ListForm::Separated(','))];
    let form = fields.field("form", default, |form| form.word(&forms));
    let form = match (form?, separator?) {
        (ListForm::Separated(_), Some(separator)) => ListForm::Separated(separator),
        (form, None) => form,
        _ => {
            fields.problem("separator", "expected none without `form: separated`");
            return None;
        }
    };
    Some(ClaimSource { path: path?, form, numbers: numbers? })
}

/// What may not stand in an id, or seldom does.
fn separator(reader: &Reader<'_>) -> Option<char> {
    let is_separator = |text: &str| matches!(text, "," | " " | ";" | "|");
    reader.string("one of `,`, a space, `;` and `|`", is_separator)?.chars().next()
}
