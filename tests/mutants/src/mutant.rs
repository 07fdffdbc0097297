//! The mutants as `cargo mutants --list --json` gives them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// One change of one place.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// From 1, in the order of the list; what the woven code compares with the environment.
    pub id: usize,
    /// As in `src/path.rs`.
    pub file: String,
    /// Where it begins.
    pub at: Place,
    /// What of the code is changed.
    pub genre: String,
    /// What the place becomes; nothing: it is taken away.
    pub replacement: String,
    /// What it is and where, as cargo-mutants says it.
    pub name: String,
    /// Its function returns `impl Trait`, which is one type.
    pub opaque: bool,
    /// Where its function begins.
    pub function_at: Option<Place>,
}

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Mutant {
    /// Reads the list.
    pub fn list(path: &Path) -> Result<Vec<Self>> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let list: Vec<Value> = serde_json::from_str(&text)?;
        list.iter()
            .enumerate()
            .map(|(index, it)| Self::read(index + 1, it).context("an entry of another shape"))
            .collect()
    }

    fn read(id: usize, it: &Value) -> Option<Self> {
        let text = |name: &str| it.get(name)?.as_str().map(str::to_owned);
        Some(Self {
            id,
            file: text("file")?,
            at: Place::read(it.pointer("/span/start")?)?,
            genre: text("genre")?,
            replacement: text("replacement")?,
            name: text("name")?,
            opaque: it.pointer("/function/return_type").is_some_and(|it| it.to_string().contains("impl ")),
            function_at: it.pointer("/function/span/start").and_then(Place::read),
        })
    }

    /// What it is without the line: what the list of explained survivors says.
    pub fn key(&self) -> String {
        let what = self.name.splitn(4, ':').nth(3).unwrap_or_default();
        format!("{}:{what}", self.file)
    }

    /// The tests of its own module, as a filter of libtest: `limits::slot` for `src/limits/slot.rs`.
    pub fn module(&self) -> String {
        self.file.trim_start_matches("src/").trim_end_matches(".rs").replace('/', "::")
    }
}

impl Place {
    fn read(it: &Value) -> Option<Self> {
        let number = |name: &str| usize::try_from(it.get(name)?.as_u64()?).ok();
        Some(Self { line: number("line")?, column: number("column")? })
    }
}
