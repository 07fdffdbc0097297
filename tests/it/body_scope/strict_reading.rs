//! Bodies in a real Envoy: read strictly, or refused with 400, 413 or 415 before anything reaches the upstream.

use bytes::Bytes;
use hyper::body::Frame;
use serde_json::json;

use crate::support::body_scope::{ACME, GRANTED, Student, config, token};
use crate::support::{RUNTIME, raw, wait_until};

#[test]
fn body_that_servers_may_read_in_two_ways_is_refused() {
    let student = Student::start();
    check_syntax(&student);
    check_types_of_ids(&student);
    check_types_and_codings(&student);
    student.expect_no_trap();
}

#[track_caller]
fn check_syntax(student: &Student) {
    let deep = |depth: usize| format!(r#"{{"districtlea":"1503000","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    for (what, body) in [
        ("nothing", b"".to_vec()),
        ("a space", b" ".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1503000".to_vec()),
        ("a string", b"\"1503000\"".to_vec()),
        ("an array", b"[]".to_vec()),
        ("an array around", format!("[{GRANTED}]").into_bytes()),
        ("cut off", GRANTED.as_bytes()[..GRANTED.len() - 1].to_vec()),
        ("two documents", format!("{GRANTED}{GRANTED}").into_bytes()),
        ("two documents on two lines", format!("{GRANTED}\n{GRANTED}\n").into_bytes()),
        ("a letter behind", format!("{GRANTED}x").into_bytes()),
        ("a comma behind", format!("{GRANTED},").into_bytes()),
        ("a NUL behind", format!("{GRANTED}\0").into_bytes()),
        ("a form behind", format!("{GRANTED}&districtlea=9").into_bytes()),
        ("a record separator before", format!("\x1e{GRANTED}").into_bytes()),
        ("a byte order mark", format!("\u{feff}{GRANTED}").into_bytes()),
        ("UTF-16", GRANTED.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16 with its mark", format!("\u{feff}{GRANTED}").encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("no UTF-8", b"{\"districtlea\":\"1503000\",\"x\":\"\xe4\"}".to_vec()),
        ("overlong UTF-8", b"{\"districtlea\":\"1503000\",\"x\":\"\xc0\xaf\"}".to_vec()),
        ("a member twice", br#"{"districtlea":"9","districtlea":"1503000"}"#.to_vec()),
        ("a member twice, the good one first", br#"{"districtlea":"1503000","districtlea":"9"}"#.to_vec()),
        ("a member twice alike", br#"{"districtlea":"1503000","districtlea":"1503000"}"#.to_vec()),
        ("a member twice, escaped", br#"{"districtlea":"1503000","\u0064istrictlea":"9"}"#.to_vec()),
        ("a member twice, escaped all over", br#"{"district\u006Cea":"9","districtle\u0061":"1503000"}"#.to_vec()),
        ("a member twice, null", br#"{"districtlea":"1503000","districtlea":null}"#.to_vec()),
        ("another member twice", br#"{"districtlea":"1503000","x":1,"x":1}"#.to_vec()),
        ("a member twice below", br#"{"districtlea":"1503000","x":[{"a":1,"a":2}]}"#.to_vec()),
        ("another case", br#"{"districtlea":"1503000","DistrictLEA":"9"}"#.to_vec()),
        ("another case alone", br#"{"DistrictLea":"1503000"}"#.to_vec()),
        ("a pointer as a name", br#"{"/districtlea":"1503000"}"#.to_vec()),
        ("an underscore", br#"{"district_lea":"1503000"}"#.to_vec()),
        ("a comment", br#"{"districtlea":"1503000"/*"9"*/}"#.to_vec()),
        ("single quotes", b"{'districtlea':'1503000'}".to_vec()),
        ("no quotes", br"{districtlea:1503000}".to_vec()),
        ("a comma at the end", br#"{"districtlea":"1503000",}"#.to_vec()),
        ("NaN", br#"{"districtlea":"1503000","x":NaN}"#.to_vec()),
        ("half a surrogate pair", br#"{"districtlea":"1503000","x":"\ud800"}"#.to_vec()),
        ("a raw line break in a string", b"{\"districtlea\":\"1503000\",\"x\":\"\n\"}".to_vec()),
        ("a form", b"districtlea=1503000".to_vec()),
        ("too deep", deep(32).into_bytes()),
        ("far too deep", deep(30_000).into_bytes()),
        ("too many values", format!(r#"{{"districtlea":"1503000","x":[{}0]}}"#, "0,".repeat(17_000)).into_bytes()),
    ] {
        let response = student.post("/v1/students", body);
        student.expect_refused(&response, 400, "bad-request", what);
    }
    student.expect_nothing_else_upstream();

    for (what, body) in [
        ("plain", GRANTED.as_bytes().to_vec()),
        ("spaces and line breaks around", format!(" \r\n\t{GRANTED}\n\n ").into_bytes()),
        (
            "odd spacing, numbers and escapes",
            br#"{ "x":[1.50e1,-0,"\/\u00e4"],"districtlea" :"\u0031503000"}"#.to_vec(),
        ),
        ("an escaped name", br#"{"\u0064istrictlea":"1503000"}"#.to_vec()),
        ("UTF-8", "{\"districtlea\":\"1503000\",\"x\":\"ä\u{1f600}\"}".as_bytes().to_vec()),
        ("one member in two objects", br#"{"districtlea":"1503000","a":{"x":1},"b":{"x":1}}"#.to_vec()),
        ("deep", deep(31).into_bytes()),
    ] {
        let response = student.post("/v1/students", body.clone());
        student.expect_passed(&response, body, what);
    }
}

#[track_caller]
fn check_types_of_ids(student: &Student) {
    let many = |count: usize| json!(vec!["1503000"; count]).to_string();
    for value in [
        "1503000",
        "null",
        "true",
        "1.5",
        "{}",
        r#"{"id":"1503000"}"#,
        "[1503000]",
        r#"["1503000",1503000]"#,
        r#"["1503000",null]"#,
        r#"[["1503000"]]"#,
        r#"[{"id":"1503000"}]"#,
        r#""""#,
        r#"["1503000",""]"#,
        r#""1503000\u0000""#,
        r#""1503000\n""#,
        &many(1_001),
    ] {
        for member in ["districtlea", "schoolleas"] {
            let response = student.post("/v1/students", format!(r#"{{"{member}":{value}}}"#));
            student.expect_refused(&response, 400, "bad-request", &format!("{member}: {value}"));
        }
        // the wrong one is not made good by the right one
        let response = student.post("/v1/students", format!(r#"{{"districtlea":"1503000","schoolleas":{value}}}"#));
        student.expect_refused(&response, 400, "bad-request", value);
    }
    // what stands above is no object
    for body in [r#"{"filter":"1503000"}"#, r#"{"filter":[{"districtlea":"1503000"}]}"#, r#"{"filter":null}"#] {
        student.expect_refused(&student.post("/nested", body), 400, "bad-request", body);
    }
    student.expect_nothing_else_upstream();

    let body = format!(r#"{{"districtlea":{}}}"#, many(1_000));
    student.expect_passed(&student.post("/v1/students", body.clone()), body, "a thousand");
    let body = r#"{"filter":{"districtlea":["1503000"]}}"#;
    student.expect_passed(&student.post("/nested", body), body, "nested");
}

#[track_caller]
fn check_types_and_codings(student: &Student) {
    // gzip of GRANTED, stored, and of nothing that is granted: never inflated, whoever sends it
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01\x19\x00\xe6\xff";
    let zipped = [&gzip[..], GRANTED.as_bytes(), &[0; 8]].concat();
    for types in [
        &[][..],
        &[""],
        &["text/plain"],
        &["text/json"],
        &["application/x-www-form-urlencoded"],
        &["multipart/form-data; boundary=x"],
        &["application/jsonp"],
        &["application/json5"],
        &["application/json-seq"],
        &["application/vnd.api+json"],
        &["application/octet-stream"],
        &["application/json; charset=utf-16"],
        &["application/json; charset=iso-8859-1"],
        &["application/json; charset=utf-8; charset=utf-7"],
        &["application/json; charset=utf-8; x=1"],
        &["application/json; x=1"],
        &["application/json, text/plain"],
        &["application/json, application/json"],
        &["application/json", "application/json"],
        &["application/json", "text/plain"],
        &["application/json\t/"],
        &["*/*"],
    ] {
        let mut request = student.bare(false, "/v1/students").body(GRANTED);
        for media in types {
            request = request.header("content-type", media);
        }
        student.expect_refused(&request.send(), 415, "bad-request", &format!("{types:?}"));
    }
    for (codings, body) in [
        (&["gzip"][..], zipped.clone()),
        (&["gzip"], GRANTED.into()),
        (&["GZIP"], zipped.clone()),
        (&["x-gzip"], zipped.clone()),
        (&["deflate"], GRANTED.into()),
        (&["br"], GRANTED.into()),
        (&["zstd"], GRANTED.into()),
        (&["identity, gzip"], zipped.clone()),
        (&["identity", "gzip"], zipped.clone()),
        (&["identity", "identity"], GRANTED.into()),
        (&[""], GRANTED.into()),
        (&["none"], GRANTED.into()),
    ] {
        let mut request = student.request(false, "/v1/students").body(body);
        for coding in codings {
            request = request.header("content-encoding", coding);
        }
        student.expect_refused(&request.send(), 415, "bad-request", &format!("{codings:?}"));
    }
    // compressed and not said so: no JSON
    student.expect_refused(&student.post("/v1/students", zipped), 400, "bad-request", "gzip that is not declared");
    student.expect_nothing_else_upstream();

    for media in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
    ] {
        let request = student.bare(false, "/v1/students").header("content-type", media);
        student.expect_passed(&request.body(GRANTED).send(), GRANTED, media);
    }
    let request = student.request(false, "/v1/students").header("content-encoding", "identity");
    student.expect_passed(&request.body(GRANTED).send(), GRANTED, "identity");
    // a route without a rule for its body takes what it gets
    let request = student.bare(false, "/flat").header("content-encoding", "gzip").body("x");
    student.expect_passed(&request.send(), "x", "no rule");
}

/// A granted body of exactly so many bytes.
fn padded(len: usize) -> String {
    let rest = r#"{"districtlea":"1503000","x":""}"#.len();
    format!(r#"{{"districtlea":"1503000","x":"{}"}}"#, "a".repeat(len - rest))
}

fn bytes_of(body: &str, each: usize) -> Vec<Bytes> {
    body.as_bytes().chunks(each).map(Bytes::copy_from_slice).collect()
}

#[test]
fn body_over_the_cap_is_refused_as_soon_as_it_is_known() {
    let student = Student::start();
    for http2 in [false, true] {
        // by its length, and by what came; 64 is the cap
        for len in [65, 66, 100, 60_000] {
            let what = format!("{len} bytes, http2: {http2}");
            let body = padded(len);
            let response = student.request(http2, "/small").body(body.clone()).send();
            student.expect_refused(&response, 413, "bad-request", &what);
            let response = student.request(http2, "/small").pieces(bytes_of(&body, 30), &[]).send();
            student.expect_refused(&response, 413, "bad-request", &what);
            let response = student.request(http2, "/small").pieces(bytes_of(&body, 30), &[("x-end", "1")]).send();
            student.expect_refused(&response, 413, "bad-request", &what);
        }
        // spaces count too
        let response = student.post("/small", format!("{GRANTED}{}", " ".repeat(64)));
        student.expect_refused(&response, 413, "bad-request", "spaces");

        // the client has not ended, and need not
        let (request, sender) = student.request(http2, "/small").streaming();
        let answer = request.spawn();
        RUNTIME.block_on(sender.send(Frame::data(Bytes::from(padded(65))))).unwrap();
        let response = RUNTIME.block_on(answer).unwrap().expect("an answer before the end of the body");
        student.expect_refused(&response, 413, "bad-request", "a body that goes on");
        drop(sender);
    }
    // a length alone, and not a byte of the body
    for (length, status) in
        [("65", 413), ("70000000", 413), ("18446744073709551615", 413), ("99999999999999999999", 400)]
    {
        let head = format!(
            "POST /small HTTP/1.1\r\nhost: a\r\nx-api-key: {ACME}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n",
            token().sign()
        );
        let (answered, text) = raw::request(student.gateway.address(), head.as_bytes());
        assert_eq!(answered, Some(status), "{length}: {text}");
    }
    student.expect_nothing_else_upstream();

    for http2 in [false, true] {
        let body = padded(64);
        let response = student.request(http2, "/small").body(body.clone()).send();
        student.expect_passed(&response, &body, "the cap, at once");
        for each in [1, 30, 63] {
            let response = student.request(http2, "/small").pieces(bytes_of(&body, each), &[]).send();
            student.expect_passed(&response, &body, "the cap, in pieces");
        }
    }
    // the default cap
    let response = student.post("/v1/students", padded(65_537));
    student.expect_refused(&response, 413, "bad-request", "one over the default");
    let body = padded(65_536);
    student.expect_passed(&student.post("/v1/students", body.clone()), body, "the default cap");
    student.expect_no_trap();
}

#[test]
fn dry_run_reads_bodies_as_strictly() {
    let mut config = config();
    config["dry_run"] = json!(true);
    let student = Student::with(config);
    for (what, path, body, status) in [
        ("malformed", "/v1/students", "[]".to_owned(), 400),
        ("empty", "/v1/students", String::new(), 400),
        ("a member twice", "/v1/students", r#"{"districtlea":"1503000","districtlea":"1"}"#.to_owned(), 400),
        ("a wrong type", "/v1/students", r#"{"districtlea":1503000}"#.to_owned(), 400),
        ("over the cap", "/small", padded(65), 413),
    ] {
        student.expect_refused(&student.post(path, body), status, "bad-request", what);
    }
    let request = student.bare(false, "/v1/students").header("content-type", "text/plain").body(GRANTED);
    student.expect_refused(&request.send(), 415, "bad-request", "another type");
    student.expect_refused(
        &student.request(false, "/v1/students?districtlea=9").body(GRANTED).send(),
        400,
        "bad-request",
        "query",
    );
    let refused = |token: &str, key: &str| {
        let request = student.client(false).request("POST", "/v1/students").bearer(token).header("x-api-key", key);
        request.header("content-type", "application/json").body(GRANTED).send()
    };
    student.expect_refused(&refused(&token().sign(), "wrong"), 403, "Forbidden", "a wrong key");
    student.expect_refused(&refused("x", ACME), 401, "invalid-token", "a wrong token");
    let other = token().claim("vendor", "other").sign();
    student.expect_refused(&refused(&other, ACME), 403, "no-privilege", "another vendor's token");
    let less = token().claim("permissions", json!([])).sign();
    student.expect_refused(&refused(&less, ACME), 403, "no-privilege", "no permission");
    student.expect_nothing_else_upstream();

    // what a dry run is for
    for body in [r#"{"districtlea":"9"}"#, r#"{"schoolleas":["9"]}"#, "{}"] {
        student.expect_passed(&student.post("/v1/students", body), body, body);
    }
    let reported = |code: &str| student.gateway.metric("hallpass_dry_run_denials_total", &[("decision", code)]) > 0.5;
    wait_until("the report", || reported("district-out-of-scope") && reported("scope-missing"));
}
