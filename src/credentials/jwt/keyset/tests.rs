use std::collections::BTreeSet;

use super::{KEY_SET_BYTES_MAX, KEYS_MAX, KeySet, KeySetError, Origin, Secret, SkipReason};
use crate::credentials::jwt::jose::{self, Alg, SelectError, TOKEN_BYTES_MAX};
use crate::credentials::jwt::testing::{ALGS, OCT_K, RSA_N, b64, jwk_members, unb64};
use crate::values::json::JsonError;

mod numbers;

fn set(keys: &[&str], origin: Origin) -> Result<KeySet, KeySetError> {
    KeySet::from_jwks(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes(), origin)
}

fn rsa(members: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{RSA_N}","e":"AQAB"{members}}}"#)
}

/// The algorithm of a set of one key, wherever the set comes from.
#[track_caller]
fn alg_of(jwk: &str, expected: Alg) {
    for origin in [Origin::Inline, Origin::Remote] {
        let set = set(&[jwk], origin).unwrap();
        assert_eq!(set.keys().iter().map(|key| key.alg()).collect::<Vec<_>>(), [expected], "{jwk}");
        assert_eq!(set.skipped(), []);
    }
}

/// The key is skipped in a remote set, whose other key still works.
#[track_caller]
fn skipped(jwk: &str, expected: SkipReason) {
    let other = rsa(r#","kid":"other""#);
    let remote = set(&[&other, jwk], Origin::Remote).unwrap();
    assert_eq!(remote.keys().len(), 1, "{jwk}");
    assert_eq!(
        remote.skipped().iter().map(|key| (key.index, key.reason)).collect::<Vec<_>>(),
        [(1, expected)],
        "{jwk}"
    );
    match set(&[&other, jwk], Origin::Inline) {
        Err(KeySetError::BadKeys(bad)) => {
            assert!(expected.is_fault() && bad == remote.skipped(), "{jwk}");
        }
        other => assert!(other.is_ok() && (!expected.is_fault() || expected == SkipReason::SecretInRemoteSet), "{jwk}"),
    }
}

#[test]
fn key_without_alg_has_the_one_that_practice_means() {
    for alg in [Alg::Rs256, Alg::Es256, Alg::Es384, Alg::EdDsa] {
        alg_of(&format!("{{{}}}", jwk_members(alg)), alg);
    }
    let secret = set(&[&format!("{{{}}}", jwk_members(Alg::Hs256))], Origin::Inline).unwrap();
    assert_eq!(secret.keys()[0].alg(), Alg::Hs256);
}

#[test]
fn alg_must_fit_the_type_and_the_curve() {
    for alg in ALGS {
        let names = ALGS.iter().filter(|named| named.name() != alg.name());
        let jwk = |named: Alg| format!(r#"{{"alg":"{}",{}}}"#, named.name(), jwk_members(alg));
        assert_eq!(set(&[&jwk(alg)], Origin::Inline).unwrap().keys()[0].alg(), alg);
        for other in names.filter(|other| jwk_members(**other) != jwk_members(alg)) {
            let error = set(&[&jwk(*other)], Origin::Inline).unwrap_err();
            assert!(
                matches!(&error, KeySetError::BadKeys(bad) if bad[0].reason == SkipReason::AlgOfOtherType),
                "{error}"
            );
        }
    }
    skipped(&rsa(r#","alg":"RSA-OAEP""#), SkipReason::Unsupported);
    skipped(&rsa(r#","alg":"none""#), SkipReason::Unsupported);
    skipped(&rsa(r#","alg":null"#), SkipReason::Malformed("alg"));
}

#[test]
fn key_for_another_purpose_is_not_used() {
    for members in
        [r#","use":"enc""#, r#","use":"""#, r#","key_ops":["encrypt"]"#, r#","key_ops":["sign"]"#, r#","key_ops":[]"#]
    {
        skipped(&rsa(members), SkipReason::Purpose);
    }
    skipped(&rsa(r#","use":1"#), SkipReason::Malformed("use"));
    skipped(&rsa(r#","key_ops":"verify""#), SkipReason::Malformed("key_ops"));
    for members in [r#","use":"sig""#, r#","key_ops":["verify"]"#, r#","key_ops":["sign","verify"],"use":"sig""#] {
        alg_of(&rsa(members), Alg::Rs256);
    }
}

#[test]
fn secrets_are_long_enough_and_never_come_from_the_network() {
    skipped(&format!("{{{}}}", jwk_members(Alg::Hs256)), SkipReason::SecretInRemoteSet);
    for (alg, bytes_min) in [(Alg::Hs256, 32), (Alg::Hs384, 48), (Alg::Hs512, 64)] {
        let secret = vec![7; bytes_min];
        let set = |bytes| KeySet::from_secrets(&[Secret { kid: None, alg, bytes }]);
        assert_eq!(set(&secret).unwrap().keys()[0].alg(), alg);
        let Err(KeySetError::BadKeys(bad)) = set(&secret[1..]) else { panic!("short secret accepted") };
        assert_eq!(bad[0].reason, SkipReason::SecretTooShort { bytes: bytes_min - 1, bytes_min });
        let jwk = |bytes: &[u8]| format!(r#"{{"keys":[{{"kty":"oct","alg":"{}","k":"{}"}}]}}"#, alg.name(), b64(bytes));
        assert!(KeySet::from_jwks(jwk(&secret).as_bytes(), Origin::Inline).is_ok());
        assert!(KeySet::from_jwks(jwk(&secret[1..]).as_bytes(), Origin::Inline).is_err());
    }
    assert!(KeySet::from_secrets(&[Secret { kid: None, alg: Alg::Rs256, bytes: &[7; 64] }]).is_err());
    assert!(KeySet::from_secrets(&[]).is_err());
    let secret = |kid| Secret { kid, alg: Alg::Hs256, bytes: &[7; 32] };
    for (count, expected) in [
        (KEYS_MAX, None),
        (KEYS_MAX + 1, Some(KeySetError::TooManyKeys)),
        (KEYS_MAX + 2, Some(KeySetError::TooManyKeys)),
    ] {
        let secrets: Vec<_> = (0..count).map(|_| secret(None)).collect();
        assert_eq!(KeySet::from_secrets(&secrets).err(), expected, "{count}");
    }
    let long = "k".repeat(257);
    assert!(KeySet::from_secrets(&[secret(Some(long.get(1..).unwrap()))]).is_ok());
    assert!(KeySet::from_secrets(&[secret(Some(&long))]).is_err());
}

#[test]
fn broken_keys_are_skipped() {
    let bytes_of = |n: &str| format!(r#"{{"kty":"RSA","n":{n},"e":"AQAB"}}"#);
    skipped("1", SkipReason::Malformed("keys"));
    skipped("{}", SkipReason::Malformed("kty"));
    skipped(r#"{"kty":"RSA","e":"AQAB"}"#, SkipReason::Malformed("n"));
    skipped(&bytes_of("1"), SkipReason::Malformed("n"));
    skipped(&bytes_of(r#""AA==""#), SkipReason::Malformed("n"));
    skipped(&bytes_of(r#""A+A/""#), SkipReason::Malformed("n"));
    skipped(&bytes_of(r#""AB""#), SkipReason::Malformed("n"));
    skipped(r#"{"kty":"rsa"}"#, SkipReason::Unsupported);
    skipped(r#"{"kty":"AKP"}"#, SkipReason::Unsupported);
    skipped(&rsa(r#","kid":1"#), SkipReason::Malformed("kid"));
    skipped(&rsa(&format!(r#","kid":"{}""#, "k".repeat(257))), SkipReason::Malformed("kid"));
}

#[test]
fn private_key_has_no_place_in_a_configuration() {
    for alg in [Alg::Rs256, Alg::Es256, Alg::Es384, Alg::EdDsa] {
        let private = format!(r#"{{"d":"AQAB",{}}}"#, jwk_members(alg));
        let Err(KeySetError::BadKeys(bad)) = set(&[&private], Origin::Inline) else { panic!("{private} accepted") };
        assert_eq!(bad.iter().map(|key| key.reason).collect::<Vec<_>>(), [SkipReason::Private("d")]);
        assert!(!KeySetError::BadKeys(bad).to_string().contains("AQAB"));
        // Whoever serves it has told it already; its public part still verifies.
        assert!(set(&[&private], Origin::Remote).unwrap().skipped().is_empty());
    }
    for name in ["p", "q", "dp", "dq", "qi", "oth", "priv"] {
        let private = rsa(&format!(r#","{name}":"AQAB""#));
        assert!(set(&[&private], Origin::Inline).unwrap_err().to_string().contains(&format!("by its `{name}`")));
    }
    // Also where the key is for something else, or of an unknown kind: what is wrong is that it stands there.
    for other in [rsa(r#","use":"enc","d":"AQAB""#), r#"{"kty":"AKP","priv":"AQAB"}"#.to_owned()] {
        assert!(
            matches!(set(&[&rsa(""), &other], Origin::Inline), Err(KeySetError::BadKeys(bad)) if bad[0].index == 1)
        );
    }
    // A shared secret has to be there; public members of any name may be.
    let secret = format!("{{{}}}", jwk_members(Alg::Hs256));
    assert!(set(&[&secret, &rsa(r#","x5c":[],"dx":"AQAB""#)], Origin::Inline).is_ok());
}

#[test]
fn duplicate_kid_is_excluded() {
    let other_n = format!("{}{}", "z".repeat(341), "w");
    let other = |members: &str| rsa(members).replace(RSA_N, &other_n);
    let (a, b) = (rsa(r#","kid":"a""#), rsa(r#","kid":"b""#));
    let again = other(r#","kid":"a""#);
    let remote = set(&[&a, &b, &again], Origin::Remote).unwrap();
    assert_eq!(remote.keys().iter().map(|key| key.kid()).collect::<Vec<_>>(), [Some("b")]);
    let skipped: Vec<_> = remote.skipped().iter().map(|key| (key.index, key.reason)).collect();
    assert_eq!(skipped, [(0, SkipReason::DuplicateKid), (2, SkipReason::DuplicateKid)]);
    selects(&remote, r#"{"alg":"RS256","kid":"a"}"#, Err(SelectError::SkippedKid));
    assert!(matches!(set(&[&a, &b, &again], Origin::Inline), Err(KeySetError::BadKeys(bad)) if bad.len() == 2));
    assert!(set(&[&a, &b], Origin::Inline).is_ok());
}

/// As identity providers publish their keys.
#[test]
fn one_kid_names_a_key_for_each_of_its_algorithms() {
    let alg = |alg: &str| rsa(&format!(r#","kid":"k","alg":"{alg}""#));
    let (first, second, third) = (alg("RS256"), alg("RS384"), alg("RS512"));
    let encrypts = rsa(r#","kid":"k","use":"enc","alg":"RSA-OAEP""#);
    let es = format!(r#"{{"kid":"k",{}}}"#, jwk_members(Alg::Es256));
    for origin in [Origin::Inline, Origin::Remote] {
        // In any order, listed twice, beside one that encrypts or is of another type.
        for keys in [
            vec![&first, &second, &third, &es],
            vec![&third, &first, &es, &second, &first],
            vec![&encrypts, &first, &second, &encrypts, &third, &third, &es],
        ] {
            let keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
            let set = set(&keys, origin).unwrap();
            assert_eq!(set.keys().len(), 4);
            assert!(set.skipped().iter().all(|key| key.reason == SkipReason::Purpose));
            for name in ["RS256", "RS384", "RS512", "ES256"] {
                let header = format!(r#"{{"alg":"{name}","kid":"k"}}"#);
                selects(&set, &header, Ok(Some("k")));
            }
            selects(&set, r#"{"alg":"PS256","kid":"k"}"#, Err(SelectError::AlgMismatch));
            selects(&set, r#"{"alg":"RS256","kid":"K"}"#, Err(SelectError::UnknownKid));
        }
    }
    let secret = |alg| Secret { kid: Some("k"), alg, bytes: &[7; 64] };
    let secrets = [Alg::Hs256, Alg::Hs512, Alg::Hs256].map(secret);
    assert_eq!(KeySet::from_secrets(&secrets).unwrap().keys().len(), 2);
    let other = Secret { bytes: &[8; 64], ..secret(Alg::Hs256) };
    assert!(KeySet::from_secrets(&[secret(Alg::Hs256), other]).is_err());
}

#[test]
fn kid_of_a_skipped_key_is_told_from_an_unknown_one() {
    let es512 = r#"{"kid":"p521","kty":"EC","crv":"P-521","x":"AA","y":"AA","alg":"ES512"}"#;
    let broken = r#"{"kid":"broken","kty":"RSA","n":"A=","e":"AQAB"}"#;
    let set = set(&[&rsa(r#","kid":"a""#), es512, broken, &rsa(r#","kid":"a","use":"enc""#)], Origin::Remote).unwrap();
    let reasons: Vec<_> = set.skipped().iter().map(|key| (key.index, key.reason)).collect();
    let expected = [(1, SkipReason::Unsupported), (2, SkipReason::Malformed("n")), (3, SkipReason::Purpose)];
    assert_eq!(reasons, expected);
    for (kid, expected) in [
        ("a", Ok(Some("a"))),
        ("p521", Err(SelectError::SkippedKid)),
        ("broken", Err(SelectError::SkippedKid)),
        ("", Err(SelectError::UnknownKid)),
        ("new", Err(SelectError::UnknownKid)),
    ] {
        selects(&set, &format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), expected);
    }
}

#[test]
fn documents_that_are_no_key_set_are_refused() {
    for (text, expected) in [
        ("", KeySetError::Json(JsonError::Syntax { line: 1, column: 0 })),
        ("<html>", KeySetError::Json(JsonError::Syntax { line: 1, column: 1 })),
        ("{\"keys\":[", KeySetError::Json(JsonError::Syntax { line: 1, column: 9 })),
        ("{}", KeySetError::NotAKeySet),
        ("[]", KeySetError::NotAKeySet),
        (r#"{"keys":{}}"#, KeySetError::NotAKeySet),
        (r#"{"keys":[]}"#, KeySetError::NoUsableKey(vec![])),
        (r#"{"keys":[],"keys":[]}"#, KeySetError::Json(JsonError::DuplicateMember)),
    ] {
        assert_eq!(KeySet::from_jwks(text.as_bytes(), Origin::Remote).unwrap_err(), expected, "{text}");
    }
    let long = format!(r#"{{"keys":[]}}{}"#, " ".repeat(KEY_SET_BYTES_MAX));
    assert_eq!(KeySet::from_jwks(long.as_bytes(), Origin::Remote).unwrap_err(), KeySetError::TooLong);
    let key = format!("{{{}}}", jwk_members(Alg::EdDsa));
    let full = format!(r#"{{"keys":[{key}]}}"#);
    let full = format!("{full}{}", " ".repeat(KEY_SET_BYTES_MAX - full.len()));
    assert!(KeySet::from_jwks(full.as_bytes(), Origin::Remote).is_ok());
    assert!(set(&vec![key.as_str(); KEYS_MAX], Origin::Remote).is_ok());
    assert_eq!(set(&vec![key.as_str(); KEYS_MAX + 1], Origin::Remote).unwrap_err(), KeySetError::TooManyKeys);
    // Unknown members of the set are ignored (RFC 7517 section 5).
    assert!(KeySet::from_jwks(format!(r#"{{"x":1,"keys":[{key}]}}"#).as_bytes(), Origin::Remote).is_ok());
}

#[test]
fn every_error_has_a_text_of_its_own() {
    use SelectError::{AlgMismatch, NoKey, SkippedKid, UnknownKid};
    let texts: BTreeSet<String> =
        [UnknownKid, NoKey, SkippedKid, AlgMismatch].iter().map(ToString::to_string).collect();
    assert!(texts.len() == 4 && !texts.contains(""), "{texts:?}");
}

#[track_caller]
fn selects(set: &KeySet, header: &str, expected: Result<Option<&str>, SelectError>) {
    let text = format!("{}.{}.AA", b64(header), b64("{}"));
    let token = jose::parse(text.as_bytes(), TOKEN_BYTES_MAX).unwrap();
    let key = set.select(&token);
    assert_eq!(key.as_ref().map(|key| key.kid()), expected.as_ref().map(|kid| *kid), "{header}");
}

#[test]
fn key_is_selected_by_kid_and_alg() {
    let es = format!(r#"{{"kid":"e",{}}}"#, jwk_members(Alg::Es256));
    let set = set(&[&rsa(r#","kid":"a""#), &rsa(r#","kid":"b""#), &es], Origin::Remote).unwrap();
    for (header, expected) in [
        (r#"{"alg":"RS256","kid":"b"}"#, Ok(Some("b"))),
        (r#"{"alg":"ES256","kid":"e"}"#, Ok(Some("e"))),
        (r#"{"alg":"RS256","kid":"c"}"#, Err(SelectError::UnknownKid)),
        (r#"{"alg":"RS256","kid":"A"}"#, Err(SelectError::UnknownKid)),
        (r#"{"alg":"RS256","kid":""}"#, Err(SelectError::UnknownKid)),
        // The token never chooses the algorithm.
        (r#"{"alg":"RS384","kid":"a"}"#, Err(SelectError::AlgMismatch)),
        (r#"{"alg":"PS256","kid":"a"}"#, Err(SelectError::AlgMismatch)),
        (r#"{"alg":"HS256","kid":"a"}"#, Err(SelectError::AlgMismatch)),
        (r#"{"alg":"ES256","kid":"a"}"#, Err(SelectError::AlgMismatch)),
        // Without a name: only where there is no choice.
        (r#"{"alg":"ES256"}"#, Ok(Some("e"))),
        (r#"{"alg":"RS256"}"#, Err(SelectError::NoKey)),
        (r#"{"alg":"HS256"}"#, Err(SelectError::NoKey)),
    ] {
        selects(&set, header, expected);
    }
}

#[test]
fn secrets_do_not_show() {
    let secret = unb64(OCT_K);
    let set = KeySet::from_secrets(&[Secret { kid: Some("k"), alg: Alg::Hs256, bytes: &secret }]).unwrap();
    assert!(format!("{set:?}").contains("Hs256"));
    let shown = format!("{set:?}");
    assert!(!shown.contains(OCT_K) && !shown.contains(&format!("{}, {}", secret[0], secret[1])));
}
