//! The corpus on stable Rust, without libFuzzer: every file of `corpus/TARGET/` through its target.

use std::fs;
use std::path::{Path, PathBuf};

/// A target and what it runs.
struct Target(&'static str, fn(&[u8]));

const TARGETS: [Target; 12] = [
    Target("token", crate::token),
    Target("signed", crate::signed),
    Target("key_set", crate::key_set),
    Target("config", crate::config),
    Target("lists", crate::lists),
    Target("slots", crate::slots),
    Target("head", crate::head),
    Target("query", crate::query),
    Target("path", crate::path),
    Target("headers", crate::headers),
    Target("body", crate::body),
    Target("decision", crate::decision),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut names: Vec<String> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every input of the corpus, and every prefix of the short ones.
#[test]
fn corpus_breaks_no_promise() {
    for Target(target, run) in TARGETS {
        let dir = root().join("corpus").join(target);
        let files = names(&dir);
        assert!(files.len() >= 2, "{target} has too few inputs");
        for file in files {
            let input = fs::read(dir.join(&file)).unwrap();
            eprintln!("{target}/{file}");
            run(&input);
            if input.len() <= 256 {
                (0..input.len()).for_each(|end| run(&input[..end]));
            }
        }
    }
}

#[test]
fn every_target_is_replayed() {
    let binaries: Vec<String> =
        names(&root().join("fuzz_targets")).iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    for name in &binaries {
        let text = fs::read_to_string(root().join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        let call = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| promises::{name}(data));");
        assert_eq!(text.trim_end(), format!("#![no_main]\n\n{call}"), "{name}");
    }
    let mut replayed: Vec<&str> = TARGETS.iter().map(|Target(name, _)| *name).collect();
    replayed.sort_unstable();
    assert_eq!(binaries, replayed);
}

#[test]
fn corpus_stays_small() {
    for target in names(&root().join("corpus")) {
        for file in names(&root().join("corpus").join(&target)) {
            let size = fs::metadata(root().join("corpus").join(&target).join(&file)).unwrap().len();
            assert!(size <= 16_384, "{target}/{file} has {size} bytes");
        }
    }
}
