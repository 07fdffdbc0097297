//! The rooms at the top of `src/lib.rs` are those of the code: each knows only those that stand below it. And no file needs itself
//! through others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::process::root;

/// Most rooms at the top of `src`.
const ROOMS_MAX: usize = 10;

/// Modules of the crate, each with those that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn lib() -> String {
    fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs")
}

fn modules() -> BTreeSet<String> {
    let name = |line: &str| Some(line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    lib().lines().filter_map(name).collect()
}

/// The rooms in the order of the diagram, from the top; each line of it says what its room is for.
fn layers(modules: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let text = lib();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_start);
    let diagram = lines.skip_while(|line| *line != "```text").skip(1).take_while(|line| *line != "```");
    let mut layers = BTreeMap::new();
    for (at, line) in diagram.enumerate() {
        let (name, purpose) = line.split_once("  ").expect("a room and its purpose");
        assert!(modules.contains(name), "`{name}` is no room");
        assert!(purpose.split_whitespace().count() > 3, "`{name}` has a purpose");
        assert!(layers.insert(name.to_owned(), at).is_none(), "`{name}` stands twice");
    }
    layers
}

/// What the modules use of each other outside of tests and comments.
fn uses(modules: &BTreeSet<String>) -> Uses {
    let src = root().join("src");
    let of = |name: &String| {
        let mut used = BTreeSet::new();
        read(&src.join(format!("{name}.rs")), &mut used);
        read(&src.join(name), &mut used);
        used.retain(|it| it != name && modules.contains(it));
        (name.clone(), used)
    };
    modules.iter().map(of).collect()
}

fn read(path: &Path, used: &mut BTreeSet<String>) {
    let name = path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
    if name == "tests" || name == "testing" || !path.exists() {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            read(&entry.expect("an entry").path(), used);
        }
        return;
    }
    let text = fs::read_to_string(path).expect("a source");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    for line in code.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        for rest in line.split("crate::").skip(1) {
            let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).unwrap_or(rest.len());
            assert!(end > 0, "{}: one `use` for each module", path.display());
            used.insert(rest[..end].to_owned());
        }
    }
}

#[test]
fn every_room_stands_in_the_diagram() {
    let modules = modules();
    assert!((2..=ROOMS_MAX).contains(&modules.len()), "{modules:?}");
    assert_eq!(layers(&modules).into_keys().collect::<BTreeSet<_>>(), modules);
}

#[test]
fn rooms_know_nothing_above_them() {
    let modules = modules();
    let layers = layers(&modules);
    for (name, used) in uses(&modules) {
        let above: Vec<_> = used.iter().filter(|it| layers[*it] < layers[&name]).collect();
        assert!(above.is_empty(), "`{name}` uses {above:?}, which stand above it in src/lib.rs");
    }
}

#[test]
fn no_room_needs_itself_through_others() {
    let mut left = uses(&modules());
    assert!(left["filter"].contains("limits"), "uses are found");
    while let Some(leaf) = left.iter().find(|(_, used)| used.is_empty()).map(|(name, _)| name.clone()) {
        left.remove(&leaf);
        for used in left.values_mut() {
            used.remove(&leaf);
        }
    }
    assert!(left.is_empty(), "in circles: {left:?}");
}

/// A file as the module that it is: `limits/slot.rs` is `["limits", "slot"]`.
type Module = Vec<String>;

/// All files of the code without tests, with their code.
fn files(at: &Path, module: &Module, found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(at).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
        if ["tests", "testing", "lib"].contains(&name) {
            continue;
        }
        let module: Module = module.iter().map(String::as_str).chain([name]).map(str::to_owned).collect();
        if path.is_dir() {
            files(&path, &module, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
            found.insert(module, lines.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// The paths of other modules that the code of `module` names, such as `crate::a::b` and `super::{c, d::e}`.
fn paths(module: &Module, code: &str) -> Vec<Module> {
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut paths = Vec::new();
    for (at, word) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        if code[..at].ends_with(is_word) || code[..at].ends_with("super::") {
            continue;
        }
        let (mut base, mut rest) = (if word == "crate::" { Vec::new() } else { module.clone() }, &code[at..]);
        while let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        }
        rest = rest.strip_prefix("crate::").unwrap_or(rest);
        loop {
            let (word, after) = rest.split_at(rest.find(|it| !is_word(it)).unwrap_or(rest.len()));
            let Some(next) = after.strip_prefix("::").filter(|_| !word.is_empty()) else {
                let list = rest.strip_prefix('{').map_or(word, |it| it.split('}').next().unwrap_or_default());
                for name in list.split(',') {
                    let first = name.trim().split(|it| !is_word(it)).next().unwrap_or_default();
                    paths.push(base.iter().cloned().chain([first.to_owned()]).collect());
                }
                break;
            };
            base.push(word.to_owned());
            rest = next;
        }
    }
    paths
}

#[test]
fn no_file_needs_itself_through_others() {
    let mut files_found = BTreeMap::new();
    files(&root().join("src"), &Vec::new(), &mut files_found);
    let resolve = |mut path: Module| {
        while !path.is_empty() && !files_found.contains_key(&path) {
            path.pop();
        }
        path
    };
    let mut left: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, code) in &files_found {
        let used = paths(module, code).into_iter().map(resolve);
        // A parent and its own children belong together.
        let others = used.filter(|it| !module.starts_with(it) && !it.starts_with(module));
        left.insert(module, others.collect());
    }
    let slot = ["limits", "slot"].map(str::to_owned).to_vec();
    assert!(left.values().any(|used| used.contains(&slot)), "uses are found");
    while let Some(leaf) = left.iter().find(|(_, used)| used.is_empty()).map(|(module, _)| (*module).clone()) {
        left.remove(&leaf);
        for used in left.values_mut() {
            used.remove(&leaf);
        }
    }
    // What nobody in a circle uses is no part of one.
    while let Some(top) = left.keys().find(|it| !left.values().any(|used| used.contains(**it))).copied() {
        left.remove(top);
    }
    assert!(left.is_empty(), "in circles: {left:#?}");
}
