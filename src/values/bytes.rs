//! Bytes of text, as they are looked at for every request.

/// A set of ASCII bytes.
#[derive(Debug)]
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// Letters, digits and `others`.
    #[expect(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "runs when compiled; stays in bounds")]
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        while byte < u8::MAX {
            table[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            assert!(others[at].is_ascii(), "the set holds ASCII");
            table[others[at] as usize] = true;
            at += 1;
        }
        Self(table)
    }

    /// Whether every byte of `text` is in the set.
    pub(crate) fn holds_all(&self, text: &[u8]) -> bool {
        // Without a way out in between, which would cost more than it saves.
        text.iter().fold(true, |all, byte| all & self.holds(*byte))
    }

    fn holds(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).copied().unwrap_or(false)
    }
}

/// Whether the two are the same, compared in blocks of sixteen bytes: `memcmp` takes twenty instructions for each byte in
/// wasm.
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks(), b.as_chunks());
    let block = |bytes: &[u8; 16]| u128::from_le_bytes(*bytes);
    let blocks = || a_blocks.iter().zip(b_blocks).fold(0, |differs, (a, b)| differs | (block(a) ^ block(b)));
    let ((a_words, a_rest), (b_words, b_rest)) = (a_rest.as_chunks(), b_rest.as_chunks());
    let word = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let words = || a_words.iter().zip(b_words).fold(0, |differs, (a, b)| differs | (word(a) ^ word(b)));
    let rest = || a_rest.iter().zip(b_rest).fold(0, |differs, (a, b)| differs | (a ^ b));
    a.len() == b.len() && blocks() == 0 && words() == 0 && rest() == 0
}

/// Whether the two are the same in any case; fast where both are spelled alike, as they nearly always are.
pub(crate) fn is_same_in_any_case(a: &[u8], b: &[u8]) -> bool {
    is_same(a, b) || a.eq_ignore_ascii_case(b)
}

/// What stands before and after the first such byte, an ASCII one. Byte by byte: the searchers of the standard library cost
/// several times as much on short texts.
pub(crate) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == separator)?;
    Some((text.get(..at)?, text.get(at.saturating_add(1)..)?))
}

/// In lower case; full-width forms as their ASCII twins.
pub(crate) fn in_one_case(character: char) -> impl Iterator<Item = char> {
    // Upper case first: `ſ` has no lower case, but its upper case is `S`.
    half_width(character).to_uppercase().flat_map(char::to_lowercase)
}

fn half_width(character: char) -> char {
    match u32::from(character) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code.saturating_sub(0xFEE0)).unwrap_or(character),
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a test may panic")]

    use super::{ByteSet, is_same, is_same_in_any_case};

    #[test]
    fn set_holds_letters_digits_and_what_is_listed() {
        static SET: ByteSet = ByteSet::alphanumeric_and(b"-.");
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            assert_eq!(SET.holds_all(&[b'a', byte, b'a']), expected, "{byte}");
        }
        assert!(SET.holds_all(b""));
    }

    #[test]
    fn texts_are_the_same_if_every_byte_is() {
        let text: Vec<u8> = (b'a'..=b'z').chain(b'a'..=b'z').collect();
        for len in 0..text.len() {
            let own = &text[..len];
            assert!(is_same(own, own) && is_same_in_any_case(own, own));
            assert!(is_same_in_any_case(own, &own.to_ascii_uppercase()));
            assert!(!is_same(own, &text[..=len]) && !is_same(&text[..=len], own));
            for at in 0..len {
                let mut other = own.to_vec();
                other[at] = b'!';
                assert!(!is_same(own, &other) && !is_same_in_any_case(own, &other), "{len} {at}");
                other[at] = own[at].to_ascii_uppercase();
                assert!(!is_same(own, &other) && is_same_in_any_case(own, &other), "{len} {at}");
            }
        }
    }

    #[test]
    fn two_differences_do_not_make_up_for_each_other() {
        // two blocks, a word and three bytes
        let text = [b'a'; 43];
        // in a block, in two, in the word and behind it, in the rest
        for (one, other) in [(0, 8), (0, 16), (15, 31), (32, 40), (40, 41), (41, 42)] {
            let mut changed = text;
            changed[one] ^= 1;
            changed[other] ^= 1;
            assert!(!is_same(&text, &changed), "{one} {other}");
        }
    }
}
