//! What a worker keeps of key sets; what requests see of it is tested with the filter.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::credentials::fetch::{Document, Place};
use crate::credentials::jwt::jose::Alg;
use crate::credentials::jwt::testing::{jwk_members, token};

const REMOTE: &str = "https://remote.example/";
const NOW: Timestamp = Timestamp::from_secs(1_000_000);

/// The first issuer has keys over the network, the second inline.
fn worker() -> Worker {
    let claims = json!({"client": "client_id", "tier": "tier"});
    let document = json!({
        "issuers": [
            {"issuer": REMOTE, "claims": claims,
             "jwks": {"remote": {"uri": "https://remote.example/jwks", "cluster": "remote"}}},
            {"issuer": "https://inline.example/", "claims": claims, "jwks": {"inline": keys()}}
        ],
        "tiers": {"free": {"limits": []}},
        "routes": [{"match": {"path": "/plain"}}]
    });
    let config = Config::from_bytes(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    Worker::new(config, 1)
}

fn keys() -> Value {
    let jwk = format!(r#"{{"kid":"EdDSA","alg":"EdDSA",{}}}"#, jwk_members(Alg::EdDsa));
    json!({"keys": [serde_json::from_str::<Value>(&jwk).unwrap()]})
}

fn after(secs: u64) -> Timestamp {
    NOW.after(Duration::from_secs(secs))
}

/// A fetch that began at `started` brought a document that serves for a minute.
fn record(started: Timestamp, generation: u64) -> Record {
    let minute = Duration::from_mins(1);
    let document = Document {
        started,
        refresh_at: started.after(minute),
        stale_at: started.after(minute),
        generation,
        version: 0,
        place: Place::First,
        build: 1,
    };
    Record { started, document: Some(document), ..Record::default() }
}

/// What becomes of a token of the remote issuer.
fn judged(worker: &mut Worker, arrival: Timestamp, now: Timestamp) -> &'static str {
    let payload = format!(r#"{{"iss":"{REMOTE}","client_id":"app","tier":"free","exp":2000000}}"#);
    let token = token(Alg::EdDsa, &payload);
    let presented = worker.presented(token.as_bytes());
    match worker.validate_token(presented, &[0, 1], arrival, now) {
        TokenResult::KnownBad => "known bad",
        TokenResult::Refused(reason) => reason.name(),
        TokenResult::Verify(..) => "verify",
        TokenResult::Listed(_) | TokenResult::Lookup(_) => "lookup",
        TokenResult::Keys(Outlook::Wait, wait) => {
            worker.want_other(&wait, arrival, now);
            "wait"
        }
        TokenResult::Keys(Outlook::Fail { .. }, _) => "fail",
        TokenResult::Keys(Outlook::Fresh, _) => "fresh",
        TokenResult::Caller(_) => "caller",
    }
}

#[test]
fn only_remote_issuers_are_fetched_for() {
    let worker = worker();
    assert_eq!(worker.remotes().map(|(id, _)| id).collect::<Vec<_>>(), [DocumentId::Keys(0)]);
    assert_eq!(
        (
            worker.document_started(DocumentId::Keys(0)),
            worker.document_started(DocumentId::Keys(1)),
            worker.document_started(DocumentId::Keys(9))
        ),
        (None, None, None)
    );
}

#[test]
fn index_of_tokens_stands_where_their_list_comes_from() {
    assert!(worker().index().is_none(), "no list of tokens");
    let remote = json!({"remote": {"uri": "https://remote.example/tokens", "cluster": "remote"}});
    let document = json!({
        "issuers": [{"issuer": "district-tokens", "tokens": remote}],
        "tiers": {"free": {"limits": []}},
        "routes": [{"match": {"path": "/plain"}}]
    });
    let config = Config::from_bytes(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    let worker = Worker::new(config, 1);
    let (_, remote) = worker.remotes().next().unwrap();
    assert_eq!(worker.index().map(AsRef::as_ref), Some(&IndexKeys::new(remote)));
}

#[test]
fn document_is_asked_for_once() {
    let mut worker = worker();
    assert!(!worker.on_record(DocumentId::Keys(0), Record::default()), "no document yet");
    assert!(worker.on_record(DocumentId::Keys(0), record(NOW, 7)));
    assert!(worker.on_record(DocumentId::Keys(0), record(NOW, 7)), "it did not come");
    worker.on_document(DocumentId::Keys(0), record(NOW, 7), keys().to_string().as_bytes()).unwrap();
    assert!(!worker.on_record(DocumentId::Keys(0), record(NOW, 7)));
    assert!(!worker.on_record(DocumentId::Keys(0), record(after(10), 7)), "the same content");
    assert_eq!(worker.document_started(DocumentId::Keys(0)), Some(after(10)));
    assert!(worker.on_record(DocumentId::Keys(0), record(after(20), 8)), "another content");
}

#[test]
fn version_is_known_of_the_document_that_was_read() {
    let mut worker = worker();
    let id = DocumentId::Keys(0);
    assert_eq!(worker.version_of(id, 7), None);
    assert!(worker.on_record(id, record(NOW, 7)));
    assert_eq!(worker.version_of(id, 7), None, "it did not come");
    worker.on_document(id, record(NOW, 7), keys().to_string().as_bytes()).unwrap();
    assert_eq!((worker.version_of(id, 7), worker.version_of(id, 8)), (Some(0), None));
    // Another content, which is not here yet, leaves the one that is.
    assert!(worker.on_record(id, record(NOW, 8)));
    assert_eq!((worker.version_of(id, 7), worker.version_of(id, 8)), (Some(0), None));
    assert_eq!((worker.version_of(DocumentId::Keys(1), 7), worker.version_of(DocumentId::Keys(9), 7)), (None, None));
}

#[test]
fn record_without_its_document_vouches_for_nothing() {
    let mut worker = worker();
    assert!(worker.on_record(DocumentId::Keys(0), record(NOW, 7)));
    assert_eq!(worker.document_started(DocumentId::Keys(0)), None);
    assert_eq!(judged(&mut worker, NOW, NOW), "wait");
    worker.on_document(DocumentId::Keys(0), record(NOW, 7), keys().to_string().as_bytes()).unwrap();
    assert_eq!(judged(&mut worker, NOW, NOW), "verify");
    // Content that is not here yet does not make the old one live longer.
    assert!(worker.on_record(DocumentId::Keys(0), record(after(50), 8)));
    assert_eq!(judged(&mut worker, after(59), after(59)), "verify");
    assert_eq!(judged(&mut worker, after(60), after(60)), "wait");
}

#[test]
fn latest_request_that_needs_keys_is_noted() {
    let mut worker = worker();
    // Without keys every document will do.
    assert_eq!(judged(&mut worker, NOW, NOW), "wait");
    assert_eq!(worker.wanted(DocumentId::Keys(0)), None);
    // These keys are there, but are not those of the token.
    let other = format!(r#"{{"keys":[{{"kid":"other","alg":"EdDSA",{}}}]}}"#, jwk_members(Alg::EdDsa));
    let begun = Timestamp::from_secs(NOW.secs() - 1);
    worker.on_document(DocumentId::Keys(0), record(begun, 7), other.as_bytes()).unwrap();
    assert_eq!(judged(&mut worker, after(5), after(5)), "wait");
    assert_eq!(judged(&mut worker, after(3), after(5)), "wait");
    assert_eq!(worker.wanted(DocumentId::Keys(0)), Some(after(5)));
    // What was noted before the clock was set back is forgotten.
    assert_eq!(judged(&mut worker, after(1), after(1)), "wait");
    assert_eq!(worker.wanted(DocumentId::Keys(0)), Some(after(1)));
    assert_eq!(worker.wanted(DocumentId::Keys(1)), None);
}

#[test]
fn indices_that_are_no_issuer_do_nothing() {
    let mut worker = worker();
    assert!(!worker.on_record(DocumentId::Keys(9), record(NOW, 1)));
    assert!(worker.on_document(DocumentId::Keys(9), record(NOW, 1), keys().to_string().as_bytes()).is_ok());
    assert_eq!(worker.wanted(DocumentId::Keys(9)), None);
    assert!(matches!(
        worker.validate_token(worker.presented(b"x"), &[9], NOW, NOW),
        TokenResult::Refused(Reason::Syntax)
    ));
}

/// What becomes of a token of this issuer, an hour into a worker's life.
fn of_issuer(worker: &mut Worker, name: &str, now: Timestamp) {
    let token = token(Alg::EdDsa, &format!(r#"{{"iss":"{name}","client_id":"app","tier":"free","exp":2000000}}"#));
    let presented = worker.presented(token.as_bytes());
    let _ = worker.validate_token(presented, &[0, 1], now, now);
}

#[test]
fn nothing_but_unknown_issuers_for_a_minute_is_warned_of_once() {
    let slashless = REMOTE.strip_suffix('/').expect("a last slash");
    for (name, words) in [(slashless, "by the last slash"), ("https://other.example/", "(2 refused)")] {
        let mut worker = worker();
        assert_eq!(worker.issuer_warning(after(600)), None, "nothing was seen");
        of_issuer(&mut worker, name, NOW);
        of_issuer(&mut worker, name, after(1));
        assert_eq!(worker.issuer_warning(after(59)), None);
        let warning = worker.issuer_warning(after(60)).expect("a warning");
        assert!(warning.contains(words) && warning.contains("2 refused"), "{warning}");
        assert!(name == slashless || !warning.contains("other.example"), "{warning}");
        of_issuer(&mut worker, name, after(61));
        assert_eq!(worker.issuer_warning(after(200)), None, "once");
    }
}

#[test]
fn one_token_of_a_configured_issuer_means_no_warning() {
    let mut worker = worker();
    of_issuer(&mut worker, "https://other.example/", NOW);
    of_issuer(&mut worker, REMOTE, after(1));
    of_issuer(&mut worker, "https://other.example/", after(2));
    assert_eq!(worker.issuer_warning(after(600)), None);
}
