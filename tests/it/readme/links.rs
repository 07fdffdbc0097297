//! Links and paths of the documents lead somewhere, and the README stays one that is read.

use std::collections::BTreeSet;

use super::document::{DOCUMENTS, File};
use crate::support::process::root;

const README_LINES_MAX: usize = 250;

/// The document at `path`, seen from the directory of `from`.
fn linked<'a>(from: &File, path: &str) -> Option<&'a File> {
    let dir = root().join(&from.path);
    let target = dir.parent()?.join(path).canonicalize().ok()?;
    DOCUMENTS.files.iter().find(|file| root().join(&file.path).canonicalize().is_ok_and(|it| it == target))
}

#[test]
fn links_lead_to_documents_and_headings() {
    let mut count = 0;
    for file in &DOCUMENTS.files {
        for link in file.links().filter(|link| !link.starts_with("https://")) {
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { Some(file) } else { linked(file, path) };
            let target = target.unwrap_or_else(|| panic!("{}: there is no document {path}", file.path));
            if let Some(anchor) = anchor {
                let anchors = target.anchors();
                assert!(anchors.iter().any(|it| it == anchor), "{}: {link} leads to no heading", file.path);
            }
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn anchors_differ_within_a_document() {
    for file in &DOCUMENTS.files {
        let mut seen = BTreeSet::new();
        for anchor in file.anchors() {
            assert!(seen.insert(anchor.clone()), "{}: two of #{anchor}", file.path);
        }
    }
}

#[test]
fn the_readme_is_short_and_maps_every_document() {
    let readme = &DOCUMENTS.files[0];
    assert!(readme.lines <= README_LINES_MAX, "README.md has {} lines", readme.lines);
    for file in &DOCUMENTS.files[1..] {
        assert!(readme.links().any(|link| link == file.path), "README.md does not link {}", file.path);
    }
}

#[test]
fn paths_exist() {
    let shell = DOCUMENTS
        .blocks
        .iter()
        .filter(|block| block.info.starts_with("sh"))
        .flat_map(|block| block.text.split_whitespace());
    let spans = DOCUMENTS.spans();
    let mentioned = spans.iter().flat_map(|span| span.split_whitespace()).chain(shell);
    let mut count = 0;
    for path in mentioned.map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '.')) {
        if ["src/", "tests/", "scripts/", "envoy/"].iter().any(|top| path.starts_with(top)) {
            assert!(root().join(path).exists(), "there is no `{path}`");
            count += 1;
        }
    }
    assert!(count > 20);
}
