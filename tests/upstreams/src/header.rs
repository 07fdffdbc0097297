//! Header names: which headers a server hands to its application under one name.

#[cfg(test)]
mod tests;

/// How one family of servers names a header.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// Who names so.
    pub name: &'static str,
    /// What an application finds the header under.
    pub key: fn(header: &[u8]) -> Vec<u8>,
}

/// All of them.
pub const ALL: [Reader; 5] = [
    Reader { name: "RFC 9110", key: lower },
    Reader { name: "CGI, WSGI, Rack, nginx variables", key: cgi },
    Reader { name: "Apache before 2.4", key: apache },
    Reader { name: "PHP", key: php },
    Reader { name: "names up to NUL or space", key: cut },
];

impl Reader {
    /// The values that an application finds under `name`.
    pub fn values<'a>(&self, headers: &[(&'a [u8], &'a [u8])], name: &str) -> Vec<&'a [u8]> {
        let wanted = (self.key)(name.as_bytes());
        headers.iter().filter(|(it, _)| (self.key)(it) == wanted).map(|(_, value)| *value).collect()
    }
}

fn lower(header: &[u8]) -> Vec<u8> {
    header.to_ascii_lowercase()
}

/// RFC 3875 section 4.1.18: `HTTP_`, upper case, `-` becomes `_`.
fn cgi(header: &[u8]) -> Vec<u8> {
    header.iter().map(|byte| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }).collect()
}

/// `http2env` of `server/util_script.c`: whatever is not alphanumeric becomes `_`.
fn apache(header: &[u8]) -> Vec<u8> {
    header.iter().map(|byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_uppercase() } else { b'_' }).collect()
}

/// CGI, and then `php_register_variable_ex`: `.`, space and `[` become `_` as well.
fn php(header: &[u8]) -> Vec<u8> {
    let mangled = |byte: &u8| if b"-. [".contains(byte) { b'_' } else { byte.to_ascii_uppercase() };
    header.iter().map(mangled).collect()
}

/// Readers that end a name early.
fn cut(header: &[u8]) -> Vec<u8> {
    let end = header.iter().position(|byte| matches!(byte, 0 | b' ' | b'\t')).unwrap_or(header.len());
    header[..end].to_ascii_lowercase()
}
