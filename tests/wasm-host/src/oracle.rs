//! Whether a request that goes on to the upstream may: judged from what the module was handed, apart from its own code.

use crate::corpus::{Policy, SPOOF};
use crate::host::{Pairs, Stream};

/// What is wrong with letting this request go on.
pub(crate) fn judge(stream: &Stream) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some((head, whole)) = &stream.handed else {
        return vec!["goes on although nobody read its head".to_owned()];
    };
    let policy = Policy::of(stream.policy);
    let path = value(head, b":path").unwrap_or_default();
    if !(policy.is_open)(&String::from_utf8_lossy(path)) {
        wrong.extend(judge_credentials(stream, policy, head, path));
    }
    let spoofed = stream.request.iter().find(|(name, value)| value == SPOOF.as_bytes() && is_claim(name));
    if let (true, Some((name, _))) = (whole, spoofed) {
        wrong.push(format!("goes on with the client's {}", name.escape_ascii()));
    }
    wrong
}

fn judge_credentials(stream: &Stream, policy: &Policy, head: &Pairs, path: &[u8]) -> Option<String> {
    let path = String::from_utf8_lossy(path);
    if (policy.needs_key)(&path)
        && !value(head, b"x-api-key").is_some_and(|it| policy.keys.iter().any(|key| key.as_bytes() == it))
    {
        return Some(format!("goes on to {path} without a good key"));
    }
    if !(policy.needs_token)(&path) {
        return None;
    }
    let credential = value(head, b"authorization").unwrap_or_default();
    let token = credential.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    let good = token.and_then(|(_, token)| policy.tokens.iter().find(|it| it.good && it.text.as_bytes() == token));
    let Some(good) = good else {
        return Some(format!("goes on to {path} without a good token"));
    };
    let earliest = stream.earliest.unwrap_or(u64::MAX) / 1_000_000_000;
    (earliest >= good.expires + policy.skew).then(|| format!("goes on to {path} with an expired token"))
}

fn value<'a>(head: &'a Pairs, name: &[u8]) -> Option<&'a [u8]> {
    head.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

/// Whether an upstream that folds names reads this one as a header that the filter sets.
fn is_claim(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [
        b"x-claim-schools",
        b"x-claim-tier",
        b"x-claim-client-id",
        b"x-claim-districts",
        b"x-claim-permissions",
        b"x-claim-client-id",
    ];
    let fold = |byte: &u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' };
    let folded: Vec<u8> = name.iter().map(fold).collect();
    NAMES.contains(&folded.as_slice())
}
