use serde_json::json;

use super::*;

const KEYS: DocumentId = DocumentId::Keys(3);
const REVOCATIONS: DocumentId = DocumentId::Revocations(3);

#[test]
fn documents_are_named_as_the_configuration_has_them() {
    for (id, path) in [
        (KEYS, "issuers[3]"),
        (DocumentId::ApiKeys, "api_keys"),
        (REVOCATIONS, "issuers[3].revocations"),
        (DocumentId::Tokens, "tokens"),
    ] {
        assert_eq!(id.path(), path);
    }
}

#[test]
fn documents_are_as_long_as_their_kind_may_be() {
    for (id, bytes) in [
        (KEYS, KEY_SET_BYTES_MAX),
        (DocumentId::ApiKeys, LIST_BYTES_MAX),
        (REVOCATIONS, LIST_BYTES_MAX),
        (DocumentId::Tokens, TOKENS_BYTES_MAX),
    ] {
        assert_eq!(id.bytes_max(), bytes, "{id:?}");
    }
}

#[test]
fn document_is_read_by_its_kind_and_knows_its_version() {
    let config = json!({"routes": [{"match": {"path": "/open"}, "require": []}]});
    let config = Config::from_bytes(config.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
    for (id, text, version) in [
        (DocumentId::ApiKeys, r#"{"version": 7, "keys": []}"#, Some(7)),
        (REVOCATIONS, r#"{"version": 8, "tokens": []}"#, Some(8)),
        (KEYS, r#"{"keys": []}"#, None),
        // one kind in place of another
        (DocumentId::ApiKeys, r#"{"version": 8, "tokens": []}"#, None),
        (REVOCATIONS, r#"{"version": 7, "keys": []}"#, None),
        // read elsewhere, piece by piece
        (DocumentId::Tokens, r#"{"version": 9, "tokens": []}"#, None),
    ] {
        let read = id.read(&config, text.as_bytes());
        assert_eq!(read.as_ref().ok().map(Document::version), version, "{id:?} {read:?}");
        assert!(read.is_ok() || !read.unwrap_err().to_string().is_empty(), "{id:?}");
    }
}
