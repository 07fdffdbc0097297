//! Headers: what is left after stripping is nothing that a server could take for what the filter says.

use hallpass::credentials::api_key;
use hallpass::credentials::api_key::Presented;
use hallpass::http::body;
use hallpass::http::head::{Bearer, Head, Known};
use hallpass::http::path::{Pattern, RawPath};
use hallpass::http::strip::{self, StripSet};
use hallpass::policy::scope::{self, Location, Missing, ScopeCheck, ScopeRule};
use upstreams::header::ALL;

use crate::{GRANTED, fields, paragraph};

/// Lines `name: value`.
pub fn headers(data: &[u8]) {
    let (lines, _) = paragraph(data);
    let pairs: Vec<(&[u8], &[u8])> = fields(&lines).into_iter().filter(|(name, _)| is_name(name)).collect();
    let head = Head::from_pairs(&pairs);
    let set = StripSet::new(["x-claim-schools", "x-lea", "x-api-key"]);
    let removed: Vec<Vec<u8>> = set.names_to_remove(&head).map(<[u8]>::to_ascii_lowercase).collect();
    let left: Vec<(&[u8], &[u8])> =
        pairs.iter().filter(|(name, _)| !removed.contains(&name.to_ascii_lowercase())).copied().collect();
    for reader in ALL {
        for name in
            ["x-claim-schools", "x-claim-tier", "x-lea", "x-http-method-override", "x-original-url", "script-name"]
        {
            let values = reader.values(&left, name);
            assert!(values.is_empty(), "{} reads {name} in {left:?}", reader.name);
        }
        for name in ["content-type", "content-length", "transfer-encoding"] {
            let own: Vec<&[u8]> = head.values(name).collect();
            assert_eq!(reader.values(&left, name), own, "{} reads {name} in {left:?}", reader.name);
        }
    }
    judge_scope(&head, &left);
    validate_key(&head, &pairs);
    judge_bearer(&head);
    let _ = strip::connection(&head);
    let _ = body::judge_head(body::Rule { bytes_max: 1000 }, &head);
}

/// `token` of RFC 9110, or a pseudo-header: Envoy lets nothing else through.
fn is_name(name: &[u8]) -> bool {
    let name = name.strip_prefix(b":").unwrap_or(name);
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn judge_scope(head: &Head, left: &[(&[u8], &[u8])]) {
    let name = "x-school-id";
    for separator in [None, Some(',')] {
        let rule = ScopeRule { place: Location::Header(name.to_owned()), missing: Missing::Allow, separator };
        let (Ok(path), Ok(pattern)) = (RawPath::parse(b"/"), Pattern::parse("/")) else { return };
        let Ok(ids) = scope::requested(&rule, head, &path, &pattern) else { continue };
        if scope::check(&rule, &ids, |id| GRANTED.contains(&id)) != ScopeCheck::Granted {
            continue;
        }
        for reader in ALL {
            for value in reader.values(left, name) {
                let text = String::from_utf8_lossy(value);
                let is_judged = |id: &str| GRANTED.contains(&id.trim());
                let granted = if separator.is_some() { text.split(',').all(is_judged) } else { is_judged(&text) };
                assert!(granted, "{} reads {text:?} as {name}", reader.name);
            }
        }
    }
}

/// Where a key is found, no server finds another.
fn validate_key(head: &Head, pairs: &[(&[u8], &[u8])]) {
    if let Presented::Key(key) = api_key::presented(head, "x-api-key", false) {
        for reader in ALL {
            assert_eq!(reader.values(pairs, "x-api-key"), [key.as_ref()], "{}", reader.name);
        }
    }
    // A key beside Basic credentials is one too many, whatever they are.
    let both = head.has(Known::Authorization) && pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"x-api-key"));
    if let (true, Presented::Key(_)) = (both, api_key::presented(head, "x-api-key", true)) {
        assert!(!head.values("authorization").any(|value| value.to_ascii_lowercase().starts_with(b"basic ")));
    }
}

fn judge_bearer(head: &Head) {
    if let Bearer::Token(token) = head.bearer() {
        assert_eq!(head.values("authorization").count(), 1);
        assert!(!token.is_empty() && !token.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b','));
        assert!(head.has(Known::Authorization));
    }
}
