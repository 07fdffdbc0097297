//! The Rust of the documents compiles, runs, and is what stands below.

use hallpass::decide::SetupError;

use super::document::DOCUMENTS;

fn as_documented(config: &[u8]) -> Result<(), SetupError> {
    use hallpass::credentials::jwt::signature::NoHost;
    use hallpass::decide::{Call, Verdict, decide};
    use hallpass::filter::request::Edit;
    use hallpass::values::time::Timestamp;

    let path = "/stats/v1/attendance/summary?school_id=oakwood-primary";
    let head: [(&[u8], &[u8]); 3] =
        [(b":method", b"GET"), (b":path", path.as_bytes()), (b":authority", b"api.example.com")];
    let call = Call { head: &head, ..Call::default() };
    match decide(config, &[], &call, &NoHost, Timestamp::from_secs(1_780_228_800))? {
        Verdict::Pass(passed) => {
            for edit in passed.head {
                match edit {
                    Edit::Remove(name) => println!("without {}", name.escape_ascii()),
                    Edit::Set(name, value) | Edit::Add(name, value) => {
                        println!("{}: {}", name.escape_ascii(), value.escape_ascii());
                    }
                }
            }
        }
        Verdict::Deny(denied) => println!("{} {}", denied.answer.status, denied.answer.body),
        Verdict::Waits => println!("held until its keys are there"),
    }
    Ok(())
}

#[test]
fn library_is_used_as_documented() {
    let [block] = DOCUMENTS.blocks_of("rust")[..] else { panic!("one block of Rust") };
    let source = include_str!("library.rs").replace("\n    ", "\n");
    assert!(source.contains(&block.text), "{}: differs from tests/it/readme/library.rs", block.place);
    let config = DOCUMENTS.blocks_of("json hallpass")[0].text.as_bytes();
    as_documented(config).expect("the configuration loads");
}
