//! JSON bodies: what passes is in scope for every server, and costs what it asks for.

use hallpass::http::body::{Body, Pointer, Rule};
use upstreams::body::{ALL, documents};

use crate::GRANTED;

/// The body.
pub fn body(data: &[u8]) {
    let Ok(body) = Body::parse(Rule { bytes_max: 65_536 }, data) else { return };
    let documents = documents(data);
    assert_eq!(documents.len(), 1, "two documents");
    for path in [&["school_id"][..], &["filter", "schools"]] {
        let Some(pointer) = Pointer::parse(&format!("/{}", path.join("/"))) else { return };
        let Ok(ids) = body.ids(&pointer) else { continue };
        let is_granted = ids.iter().all(|id| GRANTED.contains(id));
        for reader in ALL {
            let read = reader.read(&documents[0], path);
            assert!(read.iter().all(|id| ids.contains(&id.as_str())), "{} reads {read:?}, judged {ids:?}", reader.name);
            assert!(!is_granted || read.iter().all(|id| GRANTED.contains(&id.as_str())));
        }
    }
    let Some(pointer) = Pointer::parse("/limit") else { return };
    let Ok(number) = body.number(&pointer) else { return };
    for reader in ALL {
        for value in reader.read(&documents[0], &["limit"]) {
            let asked = value.parse::<f64>().unwrap_or(f64::INFINITY);
            let covered = number.is_some_and(|it| asked <= f64::from(it) || it == u32::MAX);
            assert!(covered, "{} reads {value}, charged {number:?}", reader.name);
        }
    }
}
