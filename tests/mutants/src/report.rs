//! What became of the mutants, and whether every survivor is explained in `tests/mutants/explained.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
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

pub struct Report {
    outcomes: File,
    all: usize,
    counts: BTreeMap<Verdict, usize>,
    /// Survivors that may still come, by what they are.
    explained: BTreeMap<String, u64>,
    excused: usize,
    missed: Vec<String>,
}

/// The names of those that survived when this was run last.
pub fn missed(dir: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(dir.join("outcomes.txt")).context("there was no run before")?;
    Ok(text.lines().filter_map(|line| Some(line.strip_prefix("Missed ")?.to_owned())).collect())
}

impl Report {
    pub fn new(dir: &Path, all: usize) -> Result<Self> {
        let text = fs::read_to_string(EXPLAINED).context(EXPLAINED)?;
        let list: Vec<Value> = serde_json::from_str(&text).context(EXPLAINED)?;
        let mut explained = BTreeMap::new();
        for it in &list {
            let mutant = it["mutant"].as_str().context("an entry without `mutant`")?;
            it["why"].as_str().filter(|why| !why.is_empty()).with_context(|| format!("no `why`: {mutant}"))?;
            explained.insert(mutant.to_owned(), it["times"].as_u64().unwrap_or(1));
        }
        let outcomes = File::create(dir.join("outcomes.txt"))?;
        Ok(Self { outcomes, all, counts: BTreeMap::new(), explained, excused: 0, missed: Vec::new() })
    }

    pub fn add(&mut self, mutant: &Mutant, verdict: Verdict) -> Result<()> {
        *self.counts.entry(verdict).or_default() += 1;
        writeln!(self.outcomes, "{verdict:?} {}", mutant.name)?;
        if verdict != Verdict::Missed {
            return Ok(());
        }
        let key = mutant.key();
        // A final `*` stands for any replacement.
        let is_it = |known: &str| known.strip_suffix('*').map_or(known == key, |begin| key.starts_with(begin));
        if let Some((_, left)) = self.explained.iter_mut().find(|(known, left)| **left > 0 && is_it(known)) {
            *left -= 1;
            self.excused += 1;
        } else {
            println!("survived: {}", mutant.name);
            self.missed.push(mutant.name.clone());
        }
        Ok(())
    }

    /// Prints the figures; fails where a survivor is not explained.
    pub fn finish(&self) -> ExitCode {
        let count = |verdict| self.counts.get(&verdict).copied().unwrap_or(0);
        let tried: usize = self.counts.values().sum();
        println!(
            "{tried} of {} mutants: {} killed, {} timed out, {} do not compile, {} not built, {} explained, {} survived",
            self.all,
            count(Verdict::Killed),
            count(Verdict::TimedOut),
            count(Verdict::Unviable),
            count(Verdict::NotBuilt),
            self.excused,
            self.missed.len()
        );
        if tried == self.all {
            for (mutant, left) in self.explained.iter().filter(|it| *it.1 > 0) {
                println!("explained, and {left} of it did not survive: {mutant}");
            }
        }
        if self.missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
