//! The module exports what Envoy must call, and nothing that it would call for nothing (`scripts/link-filter`).

use std::collections::BTreeSet;

use wasmparser::{KnownCustom, Name, Parser, Payload};

use crate::support::process;

/// Without one of these Envoy would pass requests unjudged, or never free them.
const CALLBACKS: [&str; 12] = [
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    // Traps, as it should where the module is loaded as a network filter.
    "proxy_on_new_connection",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

#[test]
fn module_exports_the_callbacks_that_it_needs_and_no_others() {
    let module = std::fs::read(process::wasm()).unwrap();
    let exported = exports(&module);
    let callbacks = exported.iter().filter(|name| name.starts_with("proxy_on_") && *name != "proxy_on_memory_allocate");
    let expected: BTreeSet<String> = CALLBACKS.into_iter().map(str::to_owned).collect();
    assert_eq!(callbacks.cloned().collect::<BTreeSet<_>>(), expected);
    for name in ["_initialize", "memory", "proxy_abi_version_0_2_1", "proxy_on_memory_allocate"] {
        assert!(exported.contains(name), "{name}");
    }
}

/// Envoy keeps them for its backtraces (`scripts/short-names.rs`).
#[test]
fn functions_have_short_names_that_still_tell_them() {
    let names = function_names(&std::fs::read(process::wasm()).unwrap());
    for name in ["hallpass::filter::request::Request::step", "proxy_on_request_headers"] {
        assert!(names.iter().any(|it| it == name), "{name} is missing");
    }
    for name in names {
        let tail = name.rsplit("::").next().unwrap_or_default();
        let is_hash = tail.len() == 17 && tail.starts_with('h') && tail[1..].chars().all(|it| it.is_ascii_hexdigit());
        assert!(name.chars().count() <= 80 && !name.contains('$') && !is_hash, "{name}");
    }
}

/// Nobody learns where it was built, and no path makes builds of one commit differ (`scripts/build`).
#[test]
fn module_holds_no_path_of_the_machine_that_built_it() {
    let module = std::fs::read(process::wasm()).unwrap();
    let home = std::env::var("HOME").unwrap_or_default();
    let cargo_home = std::env::var("CARGO_HOME").unwrap_or_default();
    let own = [&home, &cargo_home, env!("CARGO_MANIFEST_DIR")].into_iter().filter(|path| path.len() > 1);
    for path in own.chain([".cargo/", "registry/src", ".rustup", "/tmp/", "/usr/"]) {
        let at = module.windows(path.len()).position(|bytes| bytes == path.as_bytes());
        let around = at.map(|at| String::from_utf8_lossy(&module[at..module.len().min(at + 100)]).into_owned());
        assert_eq!(around, None, "{path}");
    }
    // Where something panicked is told all the same.
    for source in ["/src/hostcalls.rs", "library/core/src/"] {
        assert!(module.windows(source.len()).any(|bytes| bytes == source.as_bytes()), "{source}");
    }
}

fn function_names(module: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CustomSection(section) = payload.unwrap() else { continue };
        let KnownCustom::Name(parts) = section.as_known() else { continue };
        for part in parts {
            if let Name::Function(functions) = part.unwrap() {
                names.extend(functions.into_iter().map(|it| it.unwrap().name.to_owned()));
            }
        }
    }
    names
}

/// Names of the export section (WebAssembly core specification, 5.5.10).
fn exports(module: &[u8]) -> BTreeSet<String> {
    const EXPORTS: u8 = 7;
    assert_eq!(module[..8], *b"\0asm\x01\0\0\0", "no WebAssembly module");
    let mut rest = &module[8..];
    while let Some((&id, tail)) = rest.split_first() {
        rest = tail;
        let len = number(&mut rest);
        let (mut section, tail) = rest.split_at(len);
        rest = tail;
        if id == EXPORTS {
            let count = number(&mut section);
            return (0..count).map(|_| export(&mut section)).collect();
        }
    }
    BTreeSet::new()
}

fn export(section: &mut &[u8]) -> String {
    let len = number(section);
    let (name, rest) = section.split_at(len);
    *section = &rest[1..];
    number(section);
    String::from_utf8(name.to_vec()).unwrap()
}

/// An unsigned LEB128 number.
fn number(bytes: &mut &[u8]) -> usize {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        number |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}
