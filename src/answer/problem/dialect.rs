//! Dialects: error bodies as other APIs know them.

use super::{BODY_BYTES, push_text};
use crate::answer::denial::Row;

/// A body of the Student Data API.
#[inline(never)]
pub(super) fn student_data_api(row: &Row, message: &str) -> String {
    let mut json = String::with_capacity(BODY_BYTES);
    json.push_str(r#"{"actionOk":false,"error":["#);
    push_text(&mut json, &[row.student]);
    json.push_str(r#"],"message":"#);
    push_text(&mut json, &[message]);
    json.push('}');
    json
}

/// `imsx_StatusInfo` (1EdTech `OneRoster` 1.2, REST binding).
#[inline(never)]
pub(super) fn oneroster(row: &Row, description: &str) -> String {
    let mut json = String::with_capacity(BODY_BYTES);
    json.push_str(r#"{"imsx_CodeMinor":{"imsx_codeMinorField":[{"imsx_codeMinorFieldName":"TargetEndSystem","#);
    json.push_str(r#""imsx_codeMinorFieldValue":"#);
    push_text(&mut json, &[row.oneroster]);
    json.push_str(r#"}]},"imsx_codeMajor":"failure","imsx_description":"#);
    push_text(&mut json, &[description]);
    json.push_str(r#","imsx_severity":"error"}"#);
    json
}

/// An error of RFC 6749 section 5.2.
#[inline(never)]
pub(super) fn oauth(row: &Row, description: &str) -> String {
    let mut json = String::with_capacity(BODY_BYTES);
    json.push_str(r#"{"error":"#);
    push_text(&mut json, &[row.oauth]);
    json.push_str(r#","error_description":"#);
    push_text(&mut json, &[description]);
    json.push('}');
    json
}

#[cfg(test)]
mod tests;
