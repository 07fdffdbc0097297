//! Documents over the network and in shared data: lists of keys, revocations, records of fetches.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hallpass::credentials::api_key::{Context, KeyList};
use hallpass::credentials::fetch::{Action, Fetched, Record, Remote};
use hallpass::credentials::ids::ListFormat;
use hallpass::credentials::list::{self, Origin};
use hallpass::credentials::opaque::bucket::IndexKeys;
use hallpass::credentials::opaque::build::{Builder, Progress};
use hallpass::credentials::revocation::RevocationList;
use hallpass::limits::key::LimitKey;
use hallpass::values::shared::memory::Memory;
use hallpass::values::time::rfc3339;

use crate::{NOW, is_header_safe};

/// Any bytes as each of them.
pub fn lists(data: &[u8]) {
    let tiers = ["free", "starter"];
    for issuer in [None, Some("i")] {
        let context = Context { issuer, tiers: &tiers, origin: Origin::Remote, format: ListFormat::Comma };
        let list = KeyList::from_bytes(data, &context);
        // Read entry by entry it is the same list as read at once.
        let whole = list::parse(data).and_then(|value| KeyList::from_value(&value, &context));
        let told = |list: &KeyList| (list.version(), list.len());
        assert_eq!(list.as_ref().ok().map(told), whole.as_ref().ok().map(told));
        if let Ok(list) = list {
            // The hash of a key is no key.
            assert!(list.find(data).is_none() && list.find(b"").is_none());
        }
    }
    if let Ok(list) = RevocationList::from_bytes(data) {
        let _ = list.is_revoked(Some("void"), "acme", None);
        // Whoever was voided up to a moment and does not say when its token was issued stays voided.
        if list.is_revoked(None, "acme", Some(NOW)) {
            assert!(list.is_revoked(None, "acme", None));
        }
    }
    tokens(data);
    record(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = rfc3339(text);
        let _ = text.parse::<IpAddr>().map(|address| LimitKey::address("p", address));
    }
    let _ = LimitKey::address("p", IpAddr::V4(Ipv4Addr::UNSPECIFIED));
}

/// As a list of tokens, which is read a little at a time: it ends, and it is the same list as read at once.
fn tokens(data: &[u8]) {
    let (mut memory, keys) = (Memory::default(), IndexKeys::new(&remote()));
    let Ok(mut builder) = Builder::new(data.to_vec(), &Record { build: 1, ..Record::default() }) else { return };
    for _ in 0..data.len() + 10 {
        match builder.advance(&mut memory, &keys) {
            Ok(Progress::Working) => {}
            Ok(Progress::Done(built)) => {
                let value: serde_json::Value = serde_json::from_slice(data).unwrap_or_default();
                assert_eq!(value["tokens"].as_array().map(Vec::len), Some(built.tokens));
                return assert_eq!(value["version"].as_u64(), Some(built.version));
            }
            Err(_) => return,
        }
    }
    panic!("no end");
}

/// A record in shared data that nobody wrote: the machine goes on and never fetches twice within a cooldown.
fn record(data: &[u8]) {
    let record = Record::decode(data);
    assert_eq!(Record::decode(&record.encode()), record);
    let remote = remote();
    let deadline = NOW.after(remote.wait_max());
    let _ = (record.outlook(NOW, deadline, NOW), record.is_usable(NOW));
    let Action::Claim(claim) = record.on_tick(&remote, Some(NOW), NOW) else { return };
    assert_eq!(claim.on_tick(&remote, Some(NOW), NOW.after(Duration::from_secs(1))), Action::Idle, "{record:?}");
    let fetched = Fetched { generation: 7, version: record.failures.into(), max_age: Some(Duration::ZERO) };
    let failed = claim.on_failure(&remote, NOW, NOW);
    let good = claim.on_success(&remote, NOW, fetched, NOW);
    for after in [failed, good].into_iter().flatten() {
        assert!(after.in_flight_until.is_none());
        assert_eq!(after.on_tick(&remote, None, NOW), Action::Idle, "{after:?}");
    }
    assert!(failed.is_some() && good.is_some());
    assert!(is_header_safe(remote.authority.as_bytes()));
}

fn remote() -> Remote {
    Remote {
        cluster: "c".to_owned(),
        authority: "a".to_owned(),
        path: "/".to_owned(),
        scheme: "https".to_owned(),
        timeout: Duration::from_secs(2),
        refresh: Duration::from_mins(10),
        max_stale: Duration::from_hours(24),
        cooldown: Duration::from_secs(2),
    }
}
