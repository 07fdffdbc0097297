use std::collections::BTreeSet;

use super::*;

include!("examples.rs");

#[test]
fn rows_are_in_the_order_of_the_index() {
    let examples = examples();
    assert_eq!(examples.len(), ROWS.len());
    for (nth, denial) in examples.iter().enumerate() {
        assert_eq!(denial.index(), nth, "{denial:?}");
        assert_eq!(denial.code(), ROWS[nth].code, "{denial:?}");
    }
}

#[test]
fn codes_are_distinct_and_fit_metrics_and_fragments() {
    assert_eq!(Denial::codes().collect::<BTreeSet<_>>().len(), ROWS.len());
    for code in Denial::codes() {
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
    }
}
