//! Documents as a whole: forms, sizes, nesting, duplicates, and reports of several problems.

use prost::Message as _;

use super::*;

/// Reads bytes that are refused, and compares the report.
#[track_caller]
fn refused_bytes(bytes: &[u8], report: &str) {
    assert_eq!(Config::from_bytes(bytes).unwrap_err().to_string(), report);
}

#[test]
fn sample_loads_without_warning() {
    let config = accepted(&[]);
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.realm, "education-data");
    let names: Vec<_> = config.tiers.iter().map(|tier| tier.name.as_str()).collect();
    assert_eq!(names, ["free", "premium", "standard"]);
    // The issuer lists free, standard, premium: by index into the tiers above.
    assert_eq!(config.issuers[0].tiers, [0, 2, 1]);
    assert_eq!(config.routes[0].issuers, [0]);
    assert_eq!(config.authentication_failures.len(), 1);
}

#[test]
fn struct_of_the_sample_is_the_same_configuration() {
    let from_struct = Config::from_bytes(&protobuf(&sample())).unwrap();
    assert_eq!(format!("{from_struct:?}"), format!("{:?}", accepted(&[])));
}

#[test]
fn json_with_whitespace_around_it_loads() {
    // A Struct begins with a line feed too.
    let text = format!("\n {:#}\n", sample());
    assert!(Config::from_bytes(text.as_bytes()).is_ok());
}

#[test]
fn what_is_no_document_is_refused() {
    let neither = "configuration: expected JSON or a google.protobuf.Struct, got neither: it ";
    // Nothing at all.
    refused_bytes(b"", "configuration: expected JSON or a google.protobuf.Struct, got nothing");
    // Text that is cut off.
    refused_bytes(b"{\"realm\"", &format!("{neither}is not JSON at line 1 column 8"));
    // YAML.
    refused_bytes(b"realm: api\n", &format!("{neither}is not JSON at line 1 column 1"));
    // Two documents.
    refused_bytes(b"{}{}", &format!("{neither}has data after its end"));
    // A byte order mark.
    refused_bytes(b"\xef\xbb\xbf{}", &format!("{neither}begins with a byte order mark"));
    // A Struct that is cut off.
    let bytes = protobuf(&sample());
    let report = Config::from_bytes(&bytes[..bytes.len() - 1]).unwrap_err().to_string();
    assert!(report.starts_with(neither), "{report}");
    // Protobuf of unknown fields only.
    refused_bytes(b"\x28\x01", &format!("{neither}is not JSON at line 1 column 1"));
    // Another JSON value.
    refused_bytes(b"[]", "configuration: expected an object, got an array");
}

#[test]
fn ten_megabytes_are_refused() {
    let bytes = vec![b' '; 10_000_000];
    refused_bytes(&bytes, "configuration: expected at most 1048576 bytes, got 10000000");
    let mut bytes = sample().to_string().into_bytes();
    bytes.resize(1 << 20, b' ');
    assert!(Config::from_bytes(&bytes).is_ok());
    bytes.push(b' ');
    refused_bytes(&bytes, "configuration: expected at most 1048576 bytes, got 1048577");
}

#[test]
fn deep_json_is_refused() {
    let text = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let report = Config::from_bytes(text.as_bytes()).unwrap_err().to_string();
    assert!(report.ends_with("it is nested too deeply"), "{report}");
}

#[test]
fn deep_struct_is_refused() {
    /// A message field of this number.
    fn wrap(tag: u8, inner: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag << 3 | 2];
        prost::encode_length_delimiter(inner.len(), &mut bytes).unwrap();
        bytes.extend_from_slice(inner);
        bytes
    }
    // Lists in lists, each a `Value.list_value` in a `ListValue.values`; written by hand, since prost recurses.
    let mut value = Vec::new();
    for _ in 0..5_000 {
        value = wrap(6, &wrap(1, &value));
    }
    let bytes = wrap(1, &[wrap(1, b"realm"), wrap(2, &value)].concat());
    let report = Config::from_bytes(&bytes).unwrap_err().to_string();
    assert!(report.contains("got neither"), "{report}");
}

#[test]
fn duplicates_are_refused_at_any_depth() {
    let text = sample().to_string();
    // The outermost object.
    let outer = text.replacen("\"realm\":", "\"realm\":\"api\",\"realm\":", 1);
    // An escaped name, four levels down.
    let inner = text.replacen("\"cluster\":", "\"clust\\u0065r\":\"other\",\"cluster\":", 1);
    for bytes in [outer, inner] {
        let report = Config::from_bytes(bytes.as_bytes()).unwrap_err().to_string();
        assert!(report.ends_with("it names a member twice"), "{report}");
    }
}

#[test]
fn duplicates_in_a_struct_are_refused() {
    let mut document = fields(&sample());
    document.fields.push(MapEntry { key: "realm".to_owned(), value: Some(proto_value(&json!("api"))) });
    let report = "configuration: expected distinct member names, got a duplicate in a google.protobuf.Struct";
    refused_bytes(&document.encode_to_vec(), report);
}

#[test]
fn struct_with_numbers_that_are_not_finite_is_refused() {
    for number in [f64::NAN, f64::INFINITY] {
        let value = ProtoValue { kind: Some(Kind::Number(number)) };
        let document = Struct { fields: vec![MapEntry { key: "realm".to_owned(), value: Some(value) }] };
        refused_bytes(&document.encode_to_vec(), "configuration: expected finite numbers, got one that is not");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let changes = [
        ("/relam", json!("typing error")),
        ("/errors", json!(7)),
        ("/issuers/0/jwks/remote/timeout", json!(5)),
        ("/tiers/free/limits/0/per", json!("1 minute")),
        ("/tiers/free/max_cost", json!(0)),
        ("/routes/0/match/path", json!(null)),
        ("/bounds", json!({"max_waiters": "many"})),
    ];
    let report = load(&changed(&changes)).unwrap_err();
    let expected = [
        "relam: unknown field; did you mean `realm`?",
        "errors: expected `problem-json` or `plain` or `student-data-api` or `oneroster` or `oauth`, got a number",
        "tiers.free.limits[0].per: expected a duration such as `1m`, or `hour`, `day` or `month`, got another string",
        "tiers.free.max_cost: expected a whole number from 1 to 4294967295, got another number",
        "issuers[0].jwks.remote.timeout: expected a duration such as `2s`, got a number",
        "routes[0].match.path: missing",
        "bounds.max_waiters: expected a whole number from 1 to 100000, got a string",
    ];
    assert_eq!(report.problems(), expected);
}

#[test]
fn flood_of_problems_is_counted_only() {
    let members: Vec<String> = (0..1_000).map(|n| format!("\"unknown{n}\":0")).collect();
    let errors = Config::from_bytes(format!("{{{}}}", members.join(",")).as_bytes()).unwrap_err();
    assert_eq!(errors.problems().len(), 64);
    // Of the 1,000 unknown fields and the missing `routes`.
    assert!(errors.to_string().ends_with("\nand 937 more"), "{errors}");
}

#[test]
fn member_names_are_shown_escaped_and_cut() {
    refused(&[("/a b\n", json!(1))], "[\"a b\\n\"]: unknown field");
    let long = format!("/{}", "x".repeat(1_000));
    refused(&[(&long, json!(1))], &format!("[\"{}\"]: unknown field", "x".repeat(40)));
}
