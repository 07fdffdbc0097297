//! The header map as Envoy hands it over: any bytes are a map or none.

use hallpass::http::head::{Bearer, Doubled, Head, Known};
use hallpass::http::strip;
use hallpass::policy::route;

use crate::is_header_safe;

const KNOWN: [(Known, &str); 4] = [
    (Known::Authorization, "authorization"),
    (Known::ContentType, "content-type"),
    (Known::Path, ":path"),
    (Known::Connection, "connection"),
];

/// The buffer; also read as a value of `Cache-Control`.
pub fn head(data: &[u8]) {
    let _ = hallpass::credentials::fetch::max_age(data);
    let Some(head) = Head::parse(data.to_vec()) else { return };
    let pairs: Vec<_> = head.pairs().collect();
    let again = Head::from_pairs(&pairs);
    assert_eq!(again.pairs().collect::<Vec<_>>(), pairs);
    for (known, name) in KNOWN {
        assert_eq!(head.known(known), single(&head, name), "{name}");
        assert_eq!(again.known(known), head.known(known), "{name}");
    }
    if let Bearer::Token(token) = head.bearer() {
        assert!(is_header_safe(token));
    }
    assert!(hallpass::http::request_id::accepted(&head).is_none_or(|id| is_header_safe(id.as_bytes())));
    let _ = (strip::connection(&head), route::is_preflight(&head), head.is_sound());
}

/// The one value of a header, by looking at all of them.
fn single<'a>(head: &'a Head, name: &'a str) -> Result<Option<&'a [u8]>, Doubled> {
    let mut values = head.values(name);
    let first = values.next();
    values.next().map_or(Ok(first), |_| Err(Doubled))
}
