//! All documents (`*.md`) as blocks, headings, tables, code spans and links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::support::process::root;

/// The documents, read once: the README first, the others by their paths.
pub static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| {
    let mut paths = vec![root().join("README.md")];
    for top in ["envoy", "scripts", "tests"] {
        find(&root().join(top), &mut paths);
    }
    let mut documents = Documents::default();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a document can be read");
        let path = path.strip_prefix(root()).expect("a path below the root");
        documents.add(&path.to_string_lossy(), &text);
    }
    documents
});

/// Adds the documents below `dir`.
fn find(dir: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && !path.ends_with("target") {
            find(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    pub info: String,
    pub text: String,
    /// `FILE:LINE` of the opening fence.
    pub place: String,
    /// The heading that it stands under.
    pub heading: String,
}

/// A row of a table.
#[derive(Debug)]
struct Row {
    file: String,
    heading: String,
    cells: Vec<String>,
}

/// One file.
#[derive(Debug, Default)]
pub struct File {
    /// Below the root of the repository.
    pub path: String,
    pub lines: usize,
    /// Without the marks, in order.
    pub headings: Vec<String>,
    /// Everything outside of fenced blocks.
    pub prose: String,
}

impl File {
    /// What a link may name behind `#`: headings as GitHub writes them, and explicit anchors.
    pub fn anchors(&self) -> Vec<String> {
        let explicit = self.prose.split("<a id=\"").skip(1);
        let explicit = explicit.map(|rest| rest.split('"').next().expect("a part").to_owned());
        self.headings.iter().map(|heading| slug(heading)).chain(explicit).collect()
    }

    /// Targets of links.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.prose.split("](").skip(1).map(|rest| rest.split(')').next().expect("a part"))
    }

    /// What stands below a heading, up to the next one.
    fn section(&self, heading: &str) -> Option<&str> {
        let begin = self.prose.find(&format!("# {heading}\n"))?;
        let rest = &self.prose[begin + 2..];
        Some(&rest[..rest.find("\n#").unwrap_or(rest.len())])
    }
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[derive(Debug, Default)]
pub struct Documents {
    pub files: Vec<File>,
    pub blocks: Vec<Block>,
    rows: Vec<Row>,
}

impl Documents {
    fn add(&mut self, path: &str, text: &str) {
        let mut file = File { path: path.to_owned(), lines: text.lines().count(), ..File::default() };
        let mut open: Option<Block> = None;
        for (number, line) in text.lines().enumerate() {
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (Some(_), Some(_)) => self.blocks.extend(open.take()),
                (Some(block), None) => block.text.extend([line, "\n"]),
                (None, Some(info)) => {
                    let heading = file.headings.last().cloned().unwrap_or_default();
                    let place = format!("{path}:{}", number + 1);
                    open = Some(Block { info: info.to_owned(), text: String::new(), place, heading });
                }
                (None, None) => self.line(&mut file, line),
            }
        }
        assert!(open.is_none(), "a fenced block of {path} has no end");
        self.files.push(file);
    }

    fn line(&mut self, file: &mut File, line: &str) {
        if line.starts_with('#') {
            file.headings.push(line.trim_start_matches('#').trim().to_owned());
        } else if line.starts_with('|') && !line.starts_with("|--") {
            let cells = line.trim_matches('|').replace("\\|", "\u{0}");
            let cells = cells.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
            let heading = file.headings.last().cloned().unwrap_or_default();
            self.rows.push(Row { file: file.path.clone(), heading, cells });
        }
        file.prose.extend([line, "\n"]);
    }

    /// Blocks with this info string; at least one.
    #[track_caller]
    pub fn blocks_of(&self, info: &str) -> Vec<&Block> {
        let found: Vec<_> = self.blocks.iter().filter(|block| block.info == info).collect();
        assert!(!found.is_empty(), "no document has a block marked `{info}`");
        found
    }

    /// The rows below the head of the tables under a heading; at least one, and all in one file.
    #[track_caller]
    pub fn table(&self, heading: &str) -> Vec<&[String]> {
        let rows: Vec<_> = self.rows.iter().filter(|row| row.heading == heading).collect();
        assert!(rows.len() > 1, "no document has a table under `{heading}`");
        assert!(rows.iter().all(|row| row.file == rows[0].file), "two documents have a table under `{heading}`");
        rows.iter().skip(1).map(|row| row.cells.as_slice()).collect()
    }

    /// What stands below a heading, up to the next one.
    #[track_caller]
    pub fn section(&self, heading: &str) -> &str {
        let mut found = self.files.iter().filter_map(|file| file.section(heading));
        let (Some(text), None) = (found.next(), found.next()) else { panic!("not one heading `{heading}`") };
        text
    }

    /// Code spans of the prose; they may reach over lines of a paragraph.
    pub fn spans(&self) -> BTreeSet<&str> {
        self.files.iter().flat_map(|file| file.prose.split("\n\n")).flat_map(spans).collect()
    }

    /// Everything that is written anywhere.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.iter().map(|block| block.text.as_str());
        blocks.chain(self.files.iter().map(|file| file.prose.as_str()))
    }
}

/// The code spans of a paragraph or a cell.
pub fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn documents_are_read() {
    let mut documents = Documents::default();
    let text =
        "# A b\n[l](x.md#y)\n| a | b |\n|---|---|\n| `x\\|y` | <a id=\"c\"></a> |\n```sh curl\n# no heading\n```\n";
    documents.add("a.md", text);
    documents.add("b.md", "# B\n\n## A\nunder it\n# C\n");
    let file = &documents.files[0];
    assert_eq!((file.lines, file.headings.as_slice()), (8, ["A b".to_owned()].as_slice()));
    assert_eq!(file.anchors(), ["a-b", "c"]);
    assert_eq!(file.links().collect::<Vec<_>>(), ["x.md#y"]);
    assert_eq!(documents.table("A b"), [["`x|y`", "<a id=\"c\"></a>"]]);
    assert_eq!(documents.section("A"), "A\nunder it");
    let block = documents.blocks_of("sh curl")[0];
    assert_eq!(
        (block.text.as_str(), block.place.as_str(), block.heading.as_str()),
        ("# no heading\n", "a.md:6", "A b")
    );
    assert_eq!(documents.spans().into_iter().collect::<Vec<_>>(), ["x\\|y"]);
}
