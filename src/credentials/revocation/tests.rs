use serde_json::{Value, json};

use super::RevocationList;
use crate::credentials::list::Origin;
use crate::values::time::Timestamp;

const UNTIL: u64 = 1_767_225_600;

fn list() -> RevocationList {
    let document = json!({
        "version": 4,
        "tokens": ["t1"],
        "clients": [
            {"client": "acme", "issued_until": "2026-01-01T00:00:00Z"},
            {"client": "epoch", "issued_until": UNTIL},
            {"client": "twice", "issued_until": UNTIL},
            {"client": "twice", "issued_until": 946_684_800}
        ]
    });
    RevocationList::from_bytes(document.to_string().as_bytes()).unwrap()
}

#[track_caller]
fn check(token_id: Option<&str>, client: &str, issued_at: Option<u64>, revoked: bool) {
    let issued_at = issued_at.map(Timestamp::from_micros);
    assert_eq!(list().is_revoked(token_id, client, issued_at), revoked, "{token_id:?} {client} {issued_at:?}");
}

#[test]
fn single_token_is_void() {
    check(Some("t1"), "other", Some(0), true);
    check(Some("t2"), "other", Some(0), false);
    // a token without id
    check(None, "other", Some(0), false);
}

#[test]
fn tokens_of_a_client_are_void_up_to_the_moment() {
    let until = UNTIL * 1_000_000;
    for client in ["acme", "epoch", "twice"] {
        check(None, client, Some(until - 1), true);
        // in that very moment: no tolerance
        check(None, client, Some(until), true);
        check(None, client, Some(until + 1), false);
        // nobody knows when
        check(None, client, None, true);
    }
    check(None, "other", None, false);
}

#[test]
fn bad_lists_are_refused_whole() {
    #[track_caller]
    fn refused(document: &Value, problem: &str) {
        let error = RevocationList::from_bytes(document.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), problem, "{document}");
    }
    let client = |entry: Value| json!({"version": 1, "clients": [entry]});
    let date = "`clients[0].issued_until`: expected a date such as `2026-01-01T00:00:00Z`";
    refused(&json!({"tokens": []}), "`version`: expected a whole number from 0");
    refused(&json!({"version": -1}), "`version`: expected a whole number from 0");
    refused(&json!({"version": 1, "token": []}), "`token`: unknown member; did you mean `tokens`?");
    refused(&json!({"version": 1, "tokens": "t"}), "`tokens`: expected an array");
    refused(&json!({"version": 1, "tokens": [7]}), "`tokens[0]`: expected a `jti`, a string of 1 to 256 bytes");
    refused(&client(json!({"client": "a"})), date);
    refused(&client(json!({"client": "a", "issued_until": "soon"})), date);
    refused(&client(json!({"client": "a", "issued_until": -1})), date);
    // A year, a date without its dashes, the last second before the year 2000: they would void nothing.
    for secs in [2026, 20_260_101, 946_684_799] {
        refused(
            &client(json!({"client": "a", "issued_until": secs})),
            &format!("{date}, and none before the year 2000"),
        );
    }
    RevocationList::from_bytes(client(json!({"client": "a", "issued_until": 946_684_800})).to_string().as_bytes())
        .unwrap();
    // No token names such a client.
    for name in ["", "Acme Corp", "acme,globex", "acmé", "\"acme\"", "acme\n"] {
        refused(
            &client(json!({"client": name, "issued_until": UNTIL})),
            "`clients[0].client`: expected a client's id, 1 to 256 of visible ASCII without comma, quote and backslash",
        );
    }
    RevocationList::from_bytes(br#"{"version":0}"#).unwrap();
    RevocationList::from_value(&json!({"tokens": ["a"]}), Origin::Inline).unwrap();
}
