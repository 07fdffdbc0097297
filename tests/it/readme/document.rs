//! README.md as blocks, headings, tables and code spans.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::support::process::root;

/// The document, read once.
pub static README: LazyLock<Document> = LazyLock::new(|| {
    let text = std::fs::read_to_string(root().join("README.md")).expect("README.md can be read");
    Document::parse(&text)
});

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    pub info: String,
    pub text: String,
    /// Line of the opening fence.
    pub line: usize,
    /// The heading that it stands under.
    pub heading: String,
}

#[derive(Debug, Default)]
pub struct Document {
    pub blocks: Vec<Block>,
    /// Without the marks, in order.
    pub headings: Vec<String>,
    /// Rows of tables: the heading that they stand under, and their cells.
    pub rows: Vec<(String, Vec<String>)>,
    /// Everything outside of fenced blocks.
    pub prose: String,
}

impl Document {
    fn parse(text: &str) -> Self {
        let mut document = Self::default();
        let mut open: Option<Block> = None;
        for (number, line) in text.lines().enumerate() {
            let heading = document.headings.last().cloned().unwrap_or_default();
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some(_)) => document.blocks.extend(open.take()),
                (Some(block), None) => block.text.extend([line, "\n"]),
                (None, Some(info)) => {
                    open = Some(Block { info: info.to_owned(), text: String::new(), line: number + 1, heading });
                }
                (None, None) => document.line(line, heading),
            }
        }
        assert!(open.is_none(), "a fenced block of README.md has no end");
        document
    }

    fn line(&mut self, line: &str, heading: String) {
        if line.starts_with('#') {
            self.headings.push(line.trim_start_matches('#').trim().to_owned());
        } else if line.starts_with('|') && !line.starts_with("|--") {
            let cells = line.trim_matches('|').replace("\\|", "\u{0}");
            let cells = cells.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
            self.rows.push((heading, cells));
        }
        self.prose.extend([line, "\n"]);
    }

    /// Blocks with this info string; at least one.
    #[track_caller]
    pub fn blocks_of(&self, info: &str) -> Vec<&Block> {
        let found: Vec<_> = self.blocks.iter().filter(|block| block.info == info).collect();
        assert!(!found.is_empty(), "README.md has no block marked `{info}`");
        found
    }

    /// The rows below the head of the tables under a heading; at least one.
    #[track_caller]
    pub fn table(&self, heading: &str) -> Vec<&[String]> {
        let rows = self.rows.iter().filter(|(under, _)| under == heading).map(|(_, cells)| cells.as_slice());
        let rows: Vec<_> = rows.skip(1).collect();
        assert!(!rows.is_empty(), "README.md has no table under `{heading}`");
        rows
    }

    /// Code spans of the prose; they may reach over lines of a paragraph.
    pub fn spans(&self) -> BTreeSet<&str> {
        self.prose.split("\n\n").flat_map(spans).collect()
    }
}

/// The code spans of a paragraph or a cell.
pub fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn documents_are_read() {
    let document = Document::parse("# A\n| a | b |\n|---|---|\n| `x\\|y` | 1 |\n```sh curl\n# no heading\n```\n");
    assert_eq!(document.headings, ["A"]);
    assert_eq!(document.table("A"), [["`x|y`", "1"]]);
    let block = document.blocks_of("sh curl")[0];
    assert_eq!((block.text.as_str(), block.line, block.heading.as_str()), ("# no heading\n", 5, "A"));
    assert_eq!(document.spans().into_iter().collect::<Vec<_>>(), ["x\\|y"]);
}
