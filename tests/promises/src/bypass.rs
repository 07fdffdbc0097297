//! The bypass corpus of `upstreams`, generated combinations included, through the same promises as the fuzzer's inputs.

use hallpass::http::path::RawPath;
use upstreams::{corpus, taken};

use crate::GRANTED;

#[test]
fn no_query_is_read_otherwise_by_a_server() {
    let mut count = 0;
    for query in corpus::queries() {
        for first in ["a", "a,"] {
            crate::query(format!("{first}\n{query}").as_bytes());
        }
        count += 1;
    }
    assert!(count > 10_000, "{count}");
}

/// No model in between: these are readings of PHP, Rack, qs, Go, Python and Node themselves.
#[test]
fn no_query_is_read_otherwise_by_a_real_parser() {
    let mut passed = 0;
    for row in taken::queries() {
        let target = format!("/s/x/?{}", row.query);
        let Ok(path) = RawPath::parse(target.as_bytes()) else { continue };
        let Some(ids) = crate::query::passing("school_id", &path, false) else { continue };
        passed += 1;
        for (parser, read) in row.readings {
            let is_judged = read.iter().all(|it| GRANTED.contains(&it.as_str()) && ids.contains(it));
            assert!(is_judged, "{parser} reads {read:?} in {}, judged {ids:?}", row.query);
        }
    }
    assert!(passed > 10, "{passed}");
}

#[test]
fn no_path_is_read_otherwise_by_a_server() {
    for path in corpus::paths() {
        crate::path(path.as_bytes());
        // The same below each other path, and with what servers drop behind it.
        for tail in ["/", ";x", ".json", "%20", ".", "::$DATA", "?x"] {
            crate::path(format!("{path}{tail}").as_bytes());
        }
    }
}

#[test]
fn no_header_is_read_otherwise_by_a_server() {
    let lines: Vec<String> = corpus::headers().collect();
    for line in &lines {
        crate::headers(line.as_bytes());
        let name = line.split(':').next().unwrap_or_default();
        for folded in ["x-school-id", "x-api-key"] {
            let twin = name.replace("claim-schools", "school-id").replace("claim_schools", "school_id");
            crate::headers(format!("{folded}: in\n{twin}: out\n{line}").as_bytes());
        }
    }
    crate::headers(lines.join("\n").as_bytes());
}

#[test]
fn no_body_is_read_otherwise_by_a_server() {
    for body in corpus::bodies() {
        crate::body(body.replace("school", "school_id").as_bytes());
        crate::body(format!(r#"{{"filter":{}}}"#, body.replace("school", "schools")).as_bytes());
        crate::body(body.replace("school", "limit").replace("\"in\"", "10").replace("\"out\"", "9999").as_bytes());
    }
}
