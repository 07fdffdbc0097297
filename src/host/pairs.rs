//! Header pairs as the ABI carries them: `u32` count, then per pair the two `u32` lengths, then per pair the name, NUL,
//! the value, NUL; all numbers little endian. Reading is `crate::http::head`; this is the writing side.

/// Writes `pairs` in the form of the ABI. Envoy takes more than 1,024 pairs for none at all.
pub fn encode<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Vec<u8> {
    let text: usize = pairs.iter().map(|(name, value)| pair_bytes(name, value)).sum();
    let mut bytes = Vec::with_capacity(text.saturating_add(pairs.len().saturating_mul(8)).saturating_add(4));
    bytes.extend_from_slice(&length(pairs.len()));
    for (name, value) in pairs {
        bytes.extend_from_slice(&length(name.as_ref().len()));
        bytes.extend_from_slice(&length(value.as_ref().len()));
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name.as_ref());
        bytes.push(0);
        bytes.extend_from_slice(value.as_ref());
        bytes.push(0);
    }
    bytes
}

fn pair_bytes(name: &impl AsRef<[u8]>, value: &impl AsRef<[u8]>) -> usize {
    name.as_ref().len().saturating_add(value.as_ref().len()).saturating_add(2)
}

/// A length as the ABI writes it. The address space of the VM has 32 bits, so nothing is lost there.
fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: &[u8]) {
        assert_eq!(encode(pairs), expected);
    }

    #[test]
    fn no_pairs_are_a_count_of_zero() {
        check(&[], b"\0\0\0\0");
    }

    #[test]
    fn lengths_stand_before_the_text() {
        check(&[("a", "bc")], b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0");
        // an empty value and a second pair
        check(&[("a", ""), ("bc", "d")], b"\x02\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x01\0\0\0a\0\0bc\0d\0");
    }

    #[test]
    fn values_that_are_not_utf8_are_kept() {
        let bytes = encode(&[(b"a".as_slice(), b"\xff".as_slice())]);
        assert_eq!(bytes, b"\x01\0\0\0\x01\0\0\0\x01\0\0\0a\0\xff\0");
    }
}
