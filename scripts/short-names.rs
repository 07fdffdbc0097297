//! Shortens the names of functions in a module: `short-names IN.wasm OUT.wasm`. `scripts/build` compiles and runs it.
//!
//! Why: Envoy keeps the names for its backtraces, about ten bytes of memory for each of theirs, and linkers write them with
//! escapes, hashes and the parameters of generics. What is left says which function it is:
//! `_$LT$alloc..vec..Vec$LT$T$C$A$GT$$u20$as$u20$core..ops..drop..Drop$GT$::drop::h0123456789abcdef` is
//! `<alloc::vec::Vec as Drop>::drop`. All else stays as it is, byte for byte.

use std::env;
use std::fs;
use std::process::ExitCode;

/// Longest name, characters.
const NAME_MAX: usize = 80;
/// The section's number of custom sections, and the subsection's of names of functions.
const CUSTOM: u8 = 0;
const FUNCTIONS: u8 = 1;
const ESCAPES: [(&str, &str); 15] = [
    ("$LT$", "<"),
    ("$GT$", ">"),
    ("$RF$", "&"),
    ("$BP$", "*"),
    ("$LP$", "("),
    ("$RP$", ")"),
    ("$C$", ","),
    ("$u20$", " "),
    ("$u27$", "'"),
    ("$u3b$", ";"),
    ("$u5b$", "["),
    ("$u5d$", "]"),
    ("$u7b$", "{"),
    ("$u7d$", "}"),
    ("..", "::"),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: short-names IN.wasm OUT.wasm");
        return ExitCode::from(2);
    };
    let written = fs::read(from)
        .map_err(|error| error.to_string())
        .and_then(|module| rewrite(&module).ok_or_else(|| "is no module".to_owned()))
        .and_then(|module| fs::write(to, module).map_err(|error| error.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("short-names: {from}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The module with short names.
fn rewrite(module: &[u8]) -> Option<Vec<u8>> {
    let (magic, mut rest) = module.split_at_checked(8)?;
    let mut out = magic.to_vec();
    while !rest.is_empty() {
        let (id, mut content) = section(&mut rest)?;
        let whole = content;
        if id == CUSTOM && text(&mut content)? == "name" {
            let mut names = Vec::new();
            put_bytes(&mut names, b"name");
            while !content.is_empty() {
                let (id, content) = section(&mut content)?;
                names.push(id);
                put_bytes(&mut names, &if id == FUNCTIONS { functions(content)? } else { content.to_vec() });
            }
            out.push(id);
            put_bytes(&mut out, &names);
        } else {
            out.push(id);
            put_bytes(&mut out, whole);
        }
    }
    Some(out)
}

fn functions(mut content: &[u8]) -> Option<Vec<u8>> {
    let count = number(&mut content)?;
    let mut out = Vec::new();
    put_number(&mut out, count);
    for _ in 0..count {
        put_number(&mut out, number(&mut content)?);
        put_bytes(&mut out, short(text(&mut content)?).as_bytes());
    }
    Some(out)
}

fn short(name: &str) -> String {
    let is_hash =
        |tail: &str| tail.len() == 17 && tail.starts_with('h') && tail.chars().skip(1).all(|c| c.is_ascii_hexdigit());
    let mut name = match name.rsplit_once("::") {
        Some((head, tail)) if is_hash(tail) => head.to_owned(),
        _ => name.to_owned(),
    };
    for (escape, meaning) in ESCAPES {
        name = name.replace(escape, meaning);
    }
    let name = without_generics(name.strip_prefix('_').filter(|name| name.starts_with('<')).unwrap_or(&name));
    let name = match name.split_once(" as ").and_then(|(of, rest)| Some((of, rest.split_once('>')?))) {
        Some((of, (what, method))) => format!("{of} as {}>{method}", what.rsplit("::").next().unwrap_or(what)),
        None => name,
    };
    name.chars().take(NAME_MAX).collect()
}

/// Leaves out `<...>` after a name; a `<T as Trait>` at the beginning stays.
fn without_generics(name: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut last) = (0_u32, ' ');
    for c in name.chars() {
        let is_arrow = last == '-';
        match c {
            '<' if depth > 0 => depth += 1,
            '<' if out.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '_' | ':')) => {
                depth = 1;
                out.truncate(out.trim_end_matches(':').len());
            }
            '>' if depth > 0 && !is_arrow => depth -= 1,
            _ if depth > 0 => {}
            _ => out.push(c),
        }
        last = c;
    }
    out
}

fn section<'b>(bytes: &mut &'b [u8]) -> Option<(u8, &'b [u8])> {
    let (id, rest) = bytes.split_first()?;
    *bytes = rest;
    Some((*id, take(bytes)?))
}

fn text<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    std::str::from_utf8(take(bytes)?).ok()
}

/// Bytes with their length before them.
fn take<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let len = usize::try_from(number(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

/// LEB128.
fn number(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for place in 0..5 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_number(out: &mut Vec<u8>, mut number: u32) {
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}
