//! `forward`, `settlement_header`: headers that the filter sets or removes, and that no two settings share.

use super::name;
use super::reader::{Object, Reader};
use super::schema::{FORWARD, FORWARDED_CLAIMS_MAX, FORWARDED_LIST_BYTES};
use super::{ApiKeys, Forward};
use crate::credentials::ids::ListFormat;
use crate::credentials::jwt::claims::ClaimPath;

const FIELDS: &[&str] = &FORWARD.names::<{ FORWARD.count() }>();
const SCHOOLS_DEFAULT: &str = "x-claim-schools";
const TIER_DEFAULT: &str = "x-claim-tier";
const CLIENT_DEFAULT: &str = "x-claim-client-id";
const DISTRICTS_DEFAULT: &str = "x-claim-districts";
const PERMISSIONS_DEFAULT: &str = "x-claim-permissions";
const SCHOOLS_BYTES_DEFAULT: u32 = 8192;

/// Reads `forward`; absent: the defaults.
#[inline(never)]
pub(super) fn read(fields: &Object<'_>) -> Option<Forward> {
    let Some(reader) = fields.get("forward") else {
        return Some(Forward {
            schools: SCHOOLS_DEFAULT.to_owned(),
            tier: TIER_DEFAULT.to_owned(),
            client: CLIENT_DEFAULT.to_owned(),
            districts: DISTRICTS_DEFAULT.to_owned(),
            permissions: PERMISSIONS_DEFAULT.to_owned(),
            schools_format: ListFormat::Comma,
            schools_bytes_max: SCHOOLS_BYTES_DEFAULT as usize,
            claims: Vec::new(),
            authorization: true,
        });
    };
    let fields = reader.object(FIELDS)?;
    let header = |name: &str, default: &str| fields.field(name, default.to_owned(), name::header);
    let schools = header("schools", SCHOOLS_DEFAULT);
    let tier = header("tier", TIER_DEFAULT);
    let client = header("client", CLIENT_DEFAULT);
    let districts = header("districts", DISTRICTS_DEFAULT);
    let permissions = header("permissions", PERMISSIONS_DEFAULT);
    let formats = [("comma", ListFormat::Comma), ("json", ListFormat::Json)];
    let format = fields.field("schools_format", ListFormat::Comma, |format| format.word(&formats));
    let bytes_max = fields.field("max_schools_bytes", SCHOOLS_BYTES_DEFAULT, |max| max.integer(FORWARDED_LIST_BYTES));
    let claims = fields.field("claims", Vec::new(), claims);
    let authorization = fields.field("authorization", true, Reader::boolean);
    let forward = Forward {
        schools: schools?,
        tier: tier?,
        client: client?,
        districts: districts?,
        permissions: permissions?,
        schools_format: format?,
        schools_bytes_max: bytes_max? as usize,
        claims: claims?,
        authorization: authorization?,
    };
    distinct(&fields, &forward).then_some(forward)
}

/// `claims`: the header of each further claim.
#[inline(never)]
fn claims(reader: &Reader<'_>) -> Option<Vec<(String, ClaimPath)>> {
    let entries = reader.entries()?;
    if entries.len() > FORWARDED_CLAIMS_MAX {
        reader.problem(format_args!("expected at most {FORWARDED_CLAIMS_MAX} claims, got {}", entries.len()));
        return None;
    }
    let claim = |(header, claim): &(&str, Reader<'_>)| Some((name::header_named(claim, header)?, name::claim(claim)?));
    let claims: Vec<Option<_>> = entries.iter().map(claim).collect();
    claims.into_iter().collect()
}

/// `settlement_header`: a response header, which no forwarded header and no API key's may be mixed up with.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether it could be read, the inner one whether it is given"
)]
#[inline(never)]
pub(super) fn settlement(
    fields: &Object<'_>,
    forward: Option<&Forward>,
    api_keys: Option<&ApiKeys>,
) -> Option<Option<String>> {
    let name = fields.maybe("settlement_header", name::header)?;
    let taken = name.as_ref().and_then(|name| setting_of(forward?, name));
    if let Some(setting) = taken {
        fields.problem("settlement_header", format_args!("expected another name than that of `forward.{setting}`"));
        return None;
    }
    let of_key = |name: &String| api_keys.is_some_and(|keys| name::fold(&keys.header) == name::fold(name));
    if name.as_ref().is_some_and(of_key) {
        fields.problem("settlement_header", "expected another name than that of `api_keys.header`");
        return None;
    }
    Some(name)
}

/// The setting whose header an upstream may take for this name.
pub(super) fn setting_of(forward: &Forward, name: &str) -> Option<&'static str> {
    let folded = name::fold(name);
    forward.names().into_iter().find(|(_, header)| name::fold(header) == folded).map(|(setting, _)| setting)
}

#[inline(never)]
fn distinct(fields: &Object<'_>, forward: &Forward) -> bool {
    let names = forward.names();
    let mut ok = true;
    for (nth, (setting, header)) in names.iter().enumerate() {
        let mut before = names.iter().take(nth);
        if let Some((first, _)) = before.find(|(_, other)| name::fold(other) == name::fold(header)) {
            let why = "upstreams may fold every character but letters and digits";
            fields.problem(setting, format_args!("expected another name than that of `{first}`; {why}"));
            ok = false;
        }
    }
    ok
}
