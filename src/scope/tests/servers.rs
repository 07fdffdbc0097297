//! How servers read `school_id` from a query, written without the filter's own parser.

use percent_encoding::percent_decode_str;

pub(super) type Read = fn(&str) -> Vec<String>;

pub(super) const ALL: [(&str, Read); 7] = [
    ("urlencoded", urlencoded),
    ("semicolons", semicolons),
    ("ignoring case", ignoring_case),
    ("PHP", php),
    ("qs", qs),
    ("twice decoding", twice),
    ("every equals sign", every_equals_sign),
];

/// The WHATWG parser; which of several values a server takes does not matter: it gets all.
fn urlencoded(query: &str) -> Vec<String> {
    form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "school_id")
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// HTML 4, old Python, Perl, Ruby: `;` is `&`.
fn semicolons(query: &str) -> Vec<String> {
    urlencoded(&query.replace(';', "&"))
}

/// ASP.NET.
fn ignoring_case(query: &str) -> Vec<String> {
    form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name.to_lowercase() == "school_id")
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// PHP: leading spaces go, the name ends at NUL, `.` and space become `_`, brackets make arrays.
fn php(query: &str) -> Vec<String> {
    let mut values = Vec::new();
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = plus_decode(name);
        let name = name.trim_start_matches(' ').split('\0').next().unwrap();
        let base = match name.split_once('[') {
            Some((base, keys)) if !base.is_empty() && keys.contains(']') => base,
            _ => name,
        };
        if base.replace(['.', ' ', '['], "_") == "school_id" {
            values.push(plus_decode(value));
        }
    }
    values
}

/// Express with `qs`: `a[b]`, `a[]`, `[a]`.
fn qs(query: &str) -> Vec<String> {
    let mut values = Vec::new();
    for parameter in query.trim_start_matches('?').split('&') {
        let decoded = parameter.replace("%5B", "[").replace("%5D", "]");
        let (name, value) = decoded.split_once("]=").or_else(|| decoded.split_once('=')).unwrap_or((&decoded, ""));
        let name = plus_decode(name);
        let parent = name.strip_prefix('[').unwrap_or(&name);
        let parent = parent.split(['[', ']']).next().unwrap();
        if parent == "school_id" {
            values.push(plus_decode(value));
        }
    }
    values
}

/// A server behind a proxy that decodes.
fn twice(query: &str) -> Vec<String> {
    query
        .split('&')
        .map(|it| it.split_once('=').unwrap_or((it, "")))
        .filter(|(name, _)| plus_decode(&plus_decode(name)) == "school_id")
        .map(|(_, value)| plus_decode(&plus_decode(value)))
        .collect()
}

/// Hand-written parsers: split at every `=`, take the second part.
fn every_equals_sign(query: &str) -> Vec<String> {
    query
        .split('&')
        .map(|it| it.split('=').collect::<Vec<_>>())
        .filter(|parts| plus_decode(parts[0]) == "school_id")
        .map(|parts| plus_decode(parts.get(1).unwrap_or(&"")))
        .collect()
}

fn plus_decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
