use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Part, TOKEN_BYTES_MAX, TokenError, parse};
use crate::credentials::jwt::testing::b64;
use crate::values::json::JsonError;
use crate::values::json::tape::Node;

const HEADER: &str = r#"{"alg":"RS256","kid":"k"}"#;
const PAYLOAD: &str = r#"{"iss":"https://auth.example.com/"}"#;

fn token(header: &str, payload: &str) -> String {
    format!("{}.{}.{}", b64(header), b64(payload), b64("signature"))
}

#[track_caller]
fn refused(token: impl AsRef<[u8]>, expected: TokenError) {
    let token = token.as_ref();
    assert_eq!(parse(token, TOKEN_BYTES_MAX).unwrap_err(), expected, "{}", String::from_utf8_lossy(token));
}

#[track_caller]
fn header_refused(header: &str, expected: TokenError) {
    refused(token(header, PAYLOAD), expected);
}

#[track_caller]
fn header_accepted(header: &str) {
    let token = token(header, PAYLOAD);
    assert_eq!(parse(token.as_bytes(), TOKEN_BYTES_MAX).map(|_| ()), Ok(()), "{header}");
}

#[test]
fn every_error_has_a_text_of_its_own() {
    use TokenError as E;
    let parts = [Part::Header, Part::Payload, Part::Signature];
    let errors: Vec<E> = [
        E::TooLong,
        E::Segments,
        E::AlgMissing,
        E::AlgUnsupported,
        E::Typ,
        E::Kid,
        E::Critical,
        E::Header,
        E::Date("exp"),
        E::Signature,
    ]
    .into_iter()
    .chain(parts.map(E::Base64))
    .chain(parts.map(E::NotObject))
    .chain(parts.map(|part| E::Json(part, JsonError::TooDeep)))
    .collect();
    let texts: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() == errors.len() && !texts.contains(""), "{texts:?}");
}

#[test]
fn good_token_is_read() {
    let text = token(HEADER, PAYLOAD);
    let token = parse(text.as_bytes(), TOKEN_BYTES_MAX).unwrap();
    assert_eq!(token.text(), text);
    assert_eq!(token.alg().name(), "RS256");
    assert_eq!(token.kid(), Some("k"));
    assert_eq!(token.issuer(), Some("https://auth.example.com/"));
    assert_eq!(token.payload().get("iss").and_then(Node::text), Some("https://auth.example.com/"));
}

#[test]
fn size_is_capped_before_anything_else() {
    let text = token(HEADER, PAYLOAD);
    assert!(parse(text.as_bytes(), text.len()).is_ok());
    assert_eq!(parse(text.as_bytes(), text.len() - 1).unwrap_err(), TokenError::TooLong);
    // 60 KiB of something that is no token.
    refused(vec![b' '; 60 * 1024], TokenError::TooLong);
}

#[test]
fn other_than_three_segments_are_refused() {
    let good = token(HEADER, PAYLOAD);
    let segments: Vec<&str> = good.split('.').collect();
    let (h, p, s) = (segments[0], segments[1], segments[2]);
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        h.to_owned(),
        format!("{h}.{p}"),
        format!("{h}.{p}."),
        format!("{h}..{s}"),
        format!(".{p}.{s}"),
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.{s}"),
        // An encrypted token (RFC 7516) has five.
        format!("{good}.{s}.{s}"),
    ] {
        refused(text, TokenError::Segments);
    }
    refused(b"\xff.\xff.\xff", TokenError::Segments);
}

#[test]
fn base64url_must_be_canonical() {
    let good = token(HEADER, PAYLOAD);
    let [h, p, s] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    for (part, text) in [
        // Padding.
        (Part::Header, format!("{h}=.{p}.{s}")),
        (Part::Payload, format!("{h}.{p}==.{s}")),
        (Part::Signature, format!("{h}.{p}.{s}=")),
        // The other alphabet, spaces, quotes, percent encoding, a comma.
        (Part::Header, format!("+{h}.{p}.{s}")),
        (Part::Payload, format!("{h}.{p}/.{s}")),
        (Part::Header, format!(" {h}.{p}.{s}")),
        (Part::Signature, format!("{h}.{p}.{s} ")),
        (Part::Signature, format!("{h}.{p}.{s}\n")),
        (Part::Header, format!("\"{h}.{p}.{s}\"")),
        (Part::Signature, format!("{h}.{p}.{s}%3D")),
        (Part::Signature, format!("{h}.{p}.{s},x")),
        (Part::Signature, format!("{h}.{p}.{s}\0")),
        // A length that base64 never has, and trailing bits that are not zero.
        (Part::Signature, format!("{h}.{p}.AAAAA")),
        (Part::Signature, format!("{h}.{p}.AB")),
        (Part::Signature, format!("{h}.{p}.AAB")),
    ] {
        refused(text, TokenError::Base64(part));
    }
    assert!(parse(format!("{h}.{p}.AA").as_bytes(), TOKEN_BYTES_MAX).is_ok());
    assert!(parse(format!("{h}.{p}.AAA").as_bytes(), TOKEN_BYTES_MAX).is_ok());
}

#[test]
fn alg_is_one_of_the_known_names() {
    for alg in
        ["none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "RS1", "HS1", "ES512", "ES256K", "RSA-OAEP", "dir"]
    {
        header_refused(&format!(r#"{{"alg":"{alg}"}}"#), TokenError::AlgUnsupported);
    }
    for header in
        [r"{}", r#"{"alg":null}"#, r#"{"alg":256}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":{}}"#, r#"{"ALG":"RS256"}"#]
    {
        header_refused(header, TokenError::AlgMissing);
    }
    for alg in crate::credentials::jwt::testing::ALGS {
        header_accepted(&format!(r#"{{"alg":"{}"}}"#, alg.name()));
    }
}

#[test]
fn typ_is_that_of_a_jwt() {
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"] {
        header_accepted(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#));
    }
    for typ in [r#""""#, r#""JWE""#, r#""dpop+jwt""#, r#""application/jwt2""#, "null", "1", r#"["JWT"]"#] {
        header_refused(&format!(r#"{{"alg":"RS256","typ":{typ}}}"#), TokenError::Typ);
    }
}

#[test]
fn kid_is_a_bounded_string() {
    let longest = "k".repeat(256);
    for kid in ["", "a", "../../dev/null", "' OR 1=1 --", "schlüssel", longest.as_str()] {
        header_accepted(&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#));
    }
    let (over, huge) = (format!("\"{longest}k\""), format!("\"{}\"", "k".repeat(10 * 1024)));
    for kid in [r#""a\u0000""#, r#""\r\n""#, r#""\u007f""#, r#""\u0085""#, "1", "null", "{}", "[]", &over, &huge] {
        header_refused(&format!(r#"{{"alg":"RS256","kid":{kid}}}"#), TokenError::Kid);
    }
}

#[test]
fn extensions_are_refused_and_embedded_keys_ignored() {
    for member in [r#""crit":["exp"]"#, r#""crit":[]"#, r#""crit":null"#, r#""b64":false"#, r#""b64":true"#] {
        header_refused(&format!(r#"{{"alg":"RS256",{member}}}"#), TokenError::Critical);
    }
    for member in [
        r#""jwk":{"kty":"oct","k":"AA"}"#,
        r#""jku":"https://evil.test/""#,
        r#""x5u":"u""#,
        r#""x5c":["MII"]"#,
        r#""x":{}"#,
    ] {
        header_accepted(&format!(r#"{{"alg":"RS256",{member}}}"#));
    }
    // A nested token, CBOR, and types that no reader expects.
    for member in [r#""cty":"JWT""#, r#""cty":"cbor""#, r#""jku":1"#, r#""x5t":{}"#] {
        header_refused(&format!(r#"{{"alg":"RS256",{member}}}"#), TokenError::Header);
    }
}

#[test]
fn header_is_accepted_only_if_jwt_compact_reads_it() {
    let (sha1, sha256) = (b64([7; 20]), b64([7; 32]));
    let values = [
        "null".to_owned(),
        "1".to_owned(),
        "{}".to_owned(),
        r#""""#.to_owned(),
        r#""JSON""#.to_owned(),
        r#""\u006ason""#.to_owned(),
        r#""cbor""#.to_owned(),
        format!("\"{sha1}\""),
        // Padding, too much of it, a stray bit, one byte less, one more, more that is no text.
        format!("\"{sha1}=\""),
        format!("\"{sha1}==\""),
        format!("\"{sha1}===\""),
        format!("\"{}d\"", sha1.get(..26).unwrap()),
        format!("\"{}\"", b64([7; 19])),
        format!("\"{}\"", b64([7; 21])),
        format!("\"{}\"", b64([0xff; 21])),
        format!("\"{sha256}\""),
        format!("\"{}\"", b64([0xff; 33])),
        r#""thümb""#.to_owned(),
    ];
    for name in ["cty", "jku", "x5u", "x5t", "x5t#S256", "x5c", "jwk", "other"] {
        for value in &values {
            let header = format!(r#"{{"alg":"RS256","{name}":{value}}}"#);
            let text = token(&header, PAYLOAD);
            let expected = jwt_compact::UntrustedToken::new(&text).map(|_| ()).map_err(|_| TokenError::Header);
            assert_eq!(parse(text.as_bytes(), TOKEN_BYTES_MAX).map(|_| ()), expected, "{header}");
        }
    }
}

#[test]
fn header_and_payload_are_strict_json_objects() {
    let deep = format!(r#"{{"alg":"RS256","a":{}}}"#, "[".repeat(10_000));
    header_refused(&deep, TokenError::Json(Part::Header, JsonError::TooDeep));
    let twice = r#"{"alg":"RS256","\u0061lg":"none"}"#;
    header_refused(twice, TokenError::Json(Part::Header, JsonError::DuplicateMember));
    header_refused("\u{feff}{}", TokenError::Json(Part::Header, JsonError::ByteOrderMark));
    header_refused(r#"["RS256"]"#, TokenError::NotObject(Part::Header));
    let payloads: [(&str, TokenError); 6] = [
        (r#"{"exp":1,"exp":2}"#, TokenError::Json(Part::Payload, JsonError::DuplicateMember)),
        (r#"{"a":{"b":1,"b":2}}"#, TokenError::Json(Part::Payload, JsonError::DuplicateMember)),
        ("{}{}", TokenError::Json(Part::Payload, JsonError::TrailingData)),
        ("\u{feff}{}", TokenError::Json(Part::Payload, JsonError::ByteOrderMark)),
        ("[]", TokenError::NotObject(Part::Payload)),
        ("\"x\"", TokenError::NotObject(Part::Payload)),
    ];
    for (payload, expected) in payloads {
        refused(token(HEADER, payload), expected);
    }
    let not_utf8 = format!("{}.{}.AA", b64(HEADER), b64(b"{\"a\":\"\xff\"}"));
    refused(not_utf8, TokenError::Json(Part::Payload, JsonError::Utf8));
    assert!(parse(token(HEADER, "{}").as_bytes(), TOKEN_BYTES_MAX).is_ok());
}

#[test]
fn dates_that_are_no_dates_are_refused() {
    for name in ["exp", "nbf", "iat"] {
        for value in ["null", "\"1\"", "true", "-1", "-9223372036854775808", "1e300", "253402300800", "[]", "{}"] {
            refused(token(HEADER, &format!(r#"{{"{name}":{value}}}"#)), TokenError::Date(name));
        }
        for value in ["0", "0.9", "1.5e9", "253402300799", "253402300799.9"] {
            let text = token(HEADER, &format!(r#"{{"{name}":{value}}}"#));
            assert!(parse(text.as_bytes(), TOKEN_BYTES_MAX).is_ok(), "{name} {value}");
        }
    }
}

#[test]
fn errors_do_not_quote_the_token() {
    let token = token(r#"{"alg":"canary-7781","kid":"canary-7781"}"#, "{}");
    let error = parse(token.as_bytes(), TOKEN_BYTES_MAX).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, TOKEN_BYTES_MAX);
    }

    #[test]
    fn any_segments_are_answered(header in ".{0,40}", payload in ".{0,40}", signature in any::<Vec<u8>>()) {
        let text = format!("{}.{}.{}", b64(header), b64(payload), b64(signature));
        let _ = parse(text.as_bytes(), TOKEN_BYTES_MAX);
    }

    #[test]
    fn any_date_is_answered(value in any::<f64>(), whole in any::<i64>()) {
        for payload in [format!(r#"{{"nbf":{value:e}}}"#), format!(r#"{{"nbf":{whole}}}"#)] {
            let _ = parse(token(HEADER, &payload).as_bytes(), TOKEN_BYTES_MAX);
        }
    }
}
