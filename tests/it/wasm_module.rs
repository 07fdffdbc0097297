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

/// Envoy would keep names in memory. Where a backtrace is to tell functions, the same code with names is loaded instead.
#[test]
fn module_has_no_names_and_one_of_the_same_code_has_them() {
    let shipped = std::fs::read(process::wasm()).unwrap();
    let debug = std::fs::read(process::wasm().with_extension("debug.wasm")).unwrap();
    assert_eq!(function_names(&shipped), Vec::<String>::new());
    let names = function_names(&debug);
    for name in ["hallpass::filter::", "hallpass::limits::", "proxy_on_request_headers"] {
        assert!(names.iter().any(|it| it.starts_with(name)), "{name} is missing");
    }
    assert!(code(&shipped) == code(&debug), "the two have other code");
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

/// All sections but those of names and the like.
fn code(module: &[u8]) -> Vec<(u8, &[u8])> {
    let sections = Parser::new(0).parse_all(module).filter_map(|payload| payload.unwrap().as_section());
    sections.filter(|(id, _)| *id != 0).map(|(id, range)| (id, &module[range])).collect()
}

fn exports(module: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(exports) = payload.unwrap() {
            names.extend(exports.into_iter().map(|it| it.unwrap().name.to_owned()));
        }
    }
    names
}
