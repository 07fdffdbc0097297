//! Texts that may name a client, a tier, a school or a token, wherever they come from.

/// Longest client id, tier or school id, bytes: they become keys of tables and parts of headers.
pub const VALUE_BYTES_MAX: usize = 256;

/// Whether a value can stand in a header and in a list of any format without changing what is around it.
pub fn is_plain(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'"' | b'\\');
    !value.is_empty() && value.len() <= VALUE_BYTES_MAX && value.bytes().all(is_plain)
}

/// Whether a value can name one school: a `*` might be read as "all" by someone.
pub fn is_school(value: &str) -> bool {
    is_plain(value) && !value.contains('*')
}
