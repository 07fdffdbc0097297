//! What became of the mutants, and whether every survivor is explained in `tests/mutants/explained.json`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::mutant::Mutant;

const EXPLAINED: &str = "tests/mutants/explained.json";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A test failed.
    Killed,
    /// The tests did not end.
    TimedOut,
    /// Does not compile.
    Unviable,
    /// Cannot be built into the binary; cargo-mutants itself can try it.
    NotBuilt,
    /// All tests passed.
    Missed,
}

/// What became of the mutants, now and in earlier runs; in `outcomes.txt` as it comes, for the next run.
pub struct Report<'a> {
    all: &'a [Mutant],
    path: PathBuf,
    file: File,
    outcomes: BTreeMap<usize, Verdict>,
    /// How many survivors are expected, by what they are.
    explained: BTreeMap<String, u64>,
}

/// The outcomes of earlier runs, by name; what the code does not hold any more is no part of them.
pub fn earlier(dir: &Path, all: &[Mutant]) -> BTreeMap<usize, Verdict> {
    let text = fs::read_to_string(dir.join("outcomes.txt")).unwrap_or_default();
    let ids: BTreeMap<&str, usize> = all.iter().map(|it| (it.name.as_str(), it.id)).collect();
    let read = |line: &str| {
        let (verdict, name) = line.split_once(' ')?;
        Some((*ids.get(name)?, Verdict::read(verdict)?))
    };
    text.lines().filter_map(read).collect()
}

/// What cargo-mutants itself found out.
pub fn learned(dir: &Path, all: &[Mutant]) -> Result<BTreeMap<usize, Verdict>> {
    let files = [
        ("caught.txt", Verdict::Killed),
        ("timeout.txt", Verdict::TimedOut),
        ("unviable.txt", Verdict::Unviable),
        ("missed.txt", Verdict::Missed),
    ];
    let mut learned = BTreeMap::new();
    for (name, verdict) in files {
        let path = dir.join("mutants.out").join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        learned.extend(all.iter().filter(|it| text.lines().any(|line| line == it.name)).map(|it| (it.id, verdict)));
    }
    Ok(learned)
}

impl Verdict {
    const ALL: [Self; 5] = [Self::Killed, Self::TimedOut, Self::Unviable, Self::NotBuilt, Self::Missed];

    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| format!("{it:?}") == text)
    }
}

impl<'a> Report<'a> {
    /// A report that begins with `outcomes`.
    pub fn new(dir: &Path, all: &'a [Mutant], outcomes: BTreeMap<usize, Verdict>) -> Result<Self> {
        let text = fs::read_to_string(EXPLAINED).context(EXPLAINED)?;
        let list: Vec<Value> = serde_json::from_str(&text).context(EXPLAINED)?;
        let mut explained = BTreeMap::new();
        for it in &list {
            let mutant = it["mutant"].as_str().context("an entry without `mutant`")?;
            it["why"].as_str().filter(|why| !why.is_empty()).with_context(|| format!("no `why`: {mutant}"))?;
            explained.insert(mutant.to_owned(), it["times"].as_u64().unwrap_or(1));
        }
        let path = dir.join("outcomes.txt");
        let mut report = Self { all, file: File::create(&path)?, path, outcomes, explained };
        report.write()?;
        Ok(report)
    }

    pub fn add(&mut self, mutant: &Mutant, verdict: Verdict) -> Result<()> {
        self.outcomes.insert(mutant.id, verdict);
        writeln!(self.file, "{verdict:?} {}", mutant.name)?;
        Ok(())
    }

    /// All of them, in the order of the list.
    fn write(&mut self) -> Result<()> {
        let line = |it: &Mutant| Some(format!("{:?} {}\n", self.outcomes.get(&it.id)?, it.name));
        let text: String = self.all.iter().filter_map(line).collect();
        self.file = File::create(&self.path)?;
        Ok(self.file.write_all(text.as_bytes())?)
    }

    /// Prints the figures; fails where a survivor is not explained.
    pub fn finish(mut self) -> Result<ExitCode> {
        self.write()?;
        let (mut excused, mut open) = (0, 0);
        let survivors = self.all.iter().filter(|it| self.outcomes.get(&it.id) == Some(&Verdict::Missed));
        for mutant in survivors {
            let key = mutant.key();
            // A final `*` stands for any replacement.
            let is_it = |known: &str| known.strip_suffix('*').map_or(known == key, |begin| key.starts_with(begin));
            if let Some((_, left)) = self.explained.iter_mut().find(|(known, left)| **left > 0 && is_it(known)) {
                *left -= 1;
                excused += 1;
            } else {
                println!("survived: {}", mutant.name);
                open += 1;
            }
        }
        let count = |verdict| self.outcomes.values().filter(|it| **it == verdict).count();
        let (tried, all) = (self.outcomes.len(), self.all.len());
        println!(
            "{tried} of {all} mutants: {} killed, {} timed out, {} do not compile, {} not built, {excused} explained, \
             {open} survived",
            count(Verdict::Killed),
            count(Verdict::TimedOut),
            count(Verdict::Unviable),
            count(Verdict::NotBuilt),
        );
        if tried == all {
            for (mutant, left) in self.explained.iter().filter(|it| *it.1 > 0) {
                println!("explained, and {left} of it did not survive: {mutant}");
            }
        }
        Ok(if open == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
