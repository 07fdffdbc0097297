use std::collections::BTreeSet;

use super::*;

include!("every.rs");

#[test]
fn codes_are_in_the_order_of_the_index() {
    let every = every();
    assert_eq!(every.len(), Denial::CODES.len());
    for (nth, denial) in every.iter().enumerate() {
        assert_eq!(denial.index(), nth, "{denial:?}");
        assert_eq!(denial.code(), Denial::CODES[nth], "{denial:?}");
    }
}

#[test]
fn codes_are_distinct_and_fit_metrics_and_fragments() {
    assert_eq!(BTreeSet::from(Denial::CODES).len(), Denial::CODES.len());
    for code in Denial::CODES {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
    }
}
