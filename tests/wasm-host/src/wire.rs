//! How texts travel: header pairs, and the few protobuf fields that Envoy's `verify_signature` takes.

use crate::host::Pairs;

/// Whether Envoy can write it without a line of its own in the middle.
pub(crate) fn is_safe(name: &[u8], value: &[u8]) -> bool {
    !name.is_empty() && !name.iter().chain(value).any(|byte| b"\r\n\0".contains(byte))
}

/// Pairs as the ABI carries them: count, lengths, then texts, each with a NUL behind it.
pub(crate) fn write_pairs(pairs: &Pairs) -> Vec<u8> {
    let mut bytes = len(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend_from_slice(&len(name.len()));
        bytes.extend_from_slice(&len(value.len()));
    }
    for (name, value) in pairs {
        bytes.extend([name.as_slice(), b"\0", value, b"\0"].concat());
    }
    bytes
}

/// The other way; `None` where it does not add up.
pub(crate) fn read_pairs(bytes: &[u8]) -> Option<Pairs> {
    let number = |at: usize| {
        let word = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(word)).ok()
    };
    let count = number(0)?;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    let mut text = |len: usize| {
        let text = bytes.get(at..at.checked_add(len)?)?.to_vec();
        at += len + 1;
        Some(text)
    };
    (0..count).map(|nth| Some((text(number(4 + 8 * nth)?)?, text(number(8 + 8 * nth)?)?))).collect()
}

/// The bytes of a field of a protobuf message of nothing but such fields with short tags.
pub(crate) fn field(mut message: &[u8], number: u8) -> Option<&[u8]> {
    while let Some((tag, rest)) = message.split_first() {
        let (mut len, mut shift, mut at) = (0_usize, 0, 0);
        loop {
            let byte = *rest.get(at)?;
            at += 1;
            len |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let end = at.checked_add(len)?;
        let value = rest.get(at..end)?;
        if tag >> 3 == number {
            return Some(value);
        }
        message = rest.get(end..)?;
    }
    None
}

fn len(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}
