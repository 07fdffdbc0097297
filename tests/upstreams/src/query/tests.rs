use super::all;
use crate::taken;

/// The models of a parser; together they read at least what it does.
fn models(parser: &str) -> &[&str] {
    match parser {
        "php" => &["PHP", "PHP before 8"],
        "rack" => &["Rack, Rails"],
        "qs" => &["qs, Express"],
        "qs with dots" => &["qs with allowDots, Grails, Spring"],
        "go" => &["Go"],
        "whatwg" | "querystring" | "python" => &["WHATWG, Django, node:querystring, OpenResty"],
        other => panic!("no model of {other}"),
    }
}

/// Bytes that are not UTF-8 are shown in many ways.
fn plain(text: &str) -> String {
    text.replace(['\u{fffd}', '?'], "")
}

#[test]
fn models_read_all_that_real_parsers_read() {
    let taken = taken::queries();
    assert!(taken.len() > 400, "{}", taken.len());
    for row in taken {
        for (parser, real) in row.readings {
            let known = |it: &super::Reader| models(&parser).contains(&it.name);
            let read: Vec<String> = all().filter(known).flat_map(|it| (it.read)(&row.query, "school_id")).collect();
            for value in real {
                let is_read = read.iter().any(|it| plain(it) == plain(&value));
                assert!(is_read, "{parser} reads {value:?} in {}, the models {read:?}", row.query);
            }
        }
    }
}

#[track_caller]
fn check(reader: &str, query: &str, expected: &[&str]) {
    let it = all().find(|it| it.name == reader).unwrap_or_else(|| panic!("no {reader}"));
    assert_eq!((it.read)(query, "school_id"), expected, "{reader}: {query}");
}

#[test]
fn servers_that_were_not_run_read_as_their_sources_say() {
    check("ASP.NET", "School_ID=a&%u0073chool_id=b", &["a", "b"]);
    check("classic ASP", "sch%ool_id=a", &["a"]);
    check("CGI.pm", "x;school_id=a", &["a"]);
    check("Spring's data binder", "!school_id=a&_school_id=b", &["a", "b"]);
    check("Tomcat, Jetty", "school_id=a&school_id=%zz", &["a"]);
    check("nginx", "SCHOOL_ID=a&school_id=b", &["a", "b"]);
    check("a C library", "school_id%00x=a%00b", &["a"]);
    check("a server behind a proxy that decodes", "%2573chool_id=%2561", &["a"]);
    check("hand-written code", "school_id=a=b", &["a"]);
}
