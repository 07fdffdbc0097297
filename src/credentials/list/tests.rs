#![allow(clippy::arithmetic_side_effects)]

use super::*;

#[test]
fn list_may_be_as_long_as_its_limit_and_no_longer() {
    let of = |len: usize| {
        let mut bytes = vec![b' '; len];
        bytes[..2].copy_from_slice(b"{}");
        parse(&bytes)
    };
    assert!(of(LIST_BYTES_MAX).is_ok());
    let too_long = ListError::TooLong { bytes_max: LIST_BYTES_MAX };
    assert_eq!(of(LIST_BYTES_MAX + 1), Err(too_long.clone()));
    assert_eq!(of(LIST_BYTES_MAX + 2), Err(too_long));
}
