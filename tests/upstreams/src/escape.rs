//! Percent-encoding as servers decode it.

use percent_encoding::percent_decode_str;

/// Decodes once; bad escapes stay, other bytes become the replacement character.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The same, with `+` for a space.
pub(crate) fn plus_decode(text: &str) -> String {
    decode(&text.replace('+', " "))
}

/// Decodes once; `None` where an escape is bad, as Go, Tomcat and Express have it.
pub(crate) fn decode_strictly(text: &str) -> Option<String> {
    let is_escape = |rest: &str| rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit);
    text.split('%').skip(1).all(is_escape).then(|| decode(text))
}

/// As .NET Framework and Perl's `CGI.pm` do: `%uXXXX` too.
pub(crate) fn decode_with_u(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find("%u") {
        let code = rest.get(at + 2..at + 6).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        plain.push_str(&rest[..at]);
        if let Some(character) = code.and_then(char::from_u32) {
            plain.push(character);
            rest = &rest[at + 6..];
        } else {
            plain.push_str("%u");
            rest = &rest[at + 2..];
        }
    }
    plain.push_str(rest);
    plus_decode(&plain)
}

/// As classic ASP does: a `%` that begins no escape is dropped.
pub(crate) fn decode_dropping(text: &str) -> String {
    let mut kept = String::new();
    for (at, character) in text.char_indices() {
        let digits = text.as_bytes().get(at + 1..at + 3);
        if character != '%' || digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit)) {
            kept.push(character);
        }
    }
    plus_decode(&kept)
}

/// As old C programs do: two-byte forms of ASCII count too (`%c0%ae` is a dot).
pub(crate) fn decode_overlong(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    let mut plain = Vec::new();
    let mut rest = bytes.as_slice();
    while let [first, tail @ ..] = rest {
        if let (0xc0 | 0xc1, [second, after @ ..]) = (first, tail) {
            plain.push((first & 3) << 6 | (second & 0x3f));
            rest = after;
        } else {
            plain.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// As `decodeURIComponent` in a `try`: what it cannot decode stays as it is.
pub(crate) fn decode_or_keep(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let decoded = decode_strictly(&spaced).filter(|it| !it.contains('\u{fffd}'));
    decoded.unwrap_or(spaced)
}
