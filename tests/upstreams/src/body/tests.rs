use super::{ALL, documents};

#[track_caller]
fn check(reader: &str, body: &str, expected: &[&str]) {
    let it = ALL.iter().find(|it| it.name.starts_with(reader)).unwrap_or_else(|| panic!("no {reader}"));
    let read: Vec<String> = documents(body.as_bytes()).iter().flat_map(|document| it.read(document, &["a"])).collect();
    assert_eq!(read, expected, "{reader}: {body}");
}

#[test]
fn servers_choose_among_members_as_their_sources_say() {
    let doubled = r#"{"a":"1","a":"2","A":"3"}"#;
    check("first member wins", doubled, &["1"]);
    check("last member wins", doubled, &["2"]);
    check("Go's", doubled, &["3"]);
    check("Newtonsoft", doubled, &["3"]);
    check("merging", doubled, &["1", "2", "3"]);
    check("names up to NUL", r#"{"a\u0000b":"1"}"#, &["1"]);
    check("names without marks", r#"{"_a-":["1",2,{"b":"3"}]}"#, &["1", "2", "3"]);
}

#[test]
fn lenient_readers_find_every_document() {
    check("last member wins", "\u{feff}{\"a\":\"1\"}{\"a\":\"2\"}", &["1", "2"]);
    check("last member wins", "{\"a\":\"1\"}\0{\"a\":\"2\"}", &["1"]);
    assert!(documents(b"\xff").is_empty() && documents(b"{").is_empty());
}
