//! Tries the mutants that cargo-mutants lists, all built into one test binary: compiling once for each would take days.
//!
//! `scripts/mutants` calls it; how it goes stands there. Where a mutant cannot be built into the binary (a function that
//! runs at compile time, a chain of `let`) it is named for cargo-mutants itself.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    reason = "a tool for tests, which looks at the clock; what it reads it trusts"
)]

mod build;
mod mutant;
mod report;
mod run;
mod weave;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use mutant::Mutant;
use report::Verdict;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| {
        let mut after = arguments.iter().skip_while(|it| *it != flag).skip(1);
        after.next().cloned()
    };
    let dir = PathBuf::from(value("--dir").context("--dir is missing")?);
    let all = Mutant::list(&dir.join("list.json"))?;
    let files: Vec<&String> = arguments.iter().filter(|it| it.starts_with("src/")).collect();
    // With files, in their order: what matters most goes first where the time is short.
    let mut chosen: Vec<&Mutant> = if files.is_empty() { all.iter().collect() } else { Vec::new() };
    for file in files {
        chosen.extend(all.iter().filter(|it| it.file == *file));
    }
    let mut outcomes = report::earlier(&dir, &all);
    let has = |flag: &str| arguments.iter().any(|it| it == flag);
    if has("--learn") {
        outcomes.extend(report::learned(&dir, &all)?);
        return report::Report::new(&dir, &all, outcomes)?.finish();
    }
    if has("--again") {
        chosen.retain(|it| outcomes.get(&it.id) == Some(&Verdict::Missed));
    }
    if has("--rest") {
        chosen.retain(|it| !outcomes.contains_key(&it.id));
    }
    if let Some(part) = value("--match") {
        chosen.retain(|it| it.name.contains(&part));
    }
    let built = build::build(&dir, &all)?;
    let end = match value("--seconds") {
        Some(text) => Some(Instant::now() + Duration::from_secs(text.parse()?)),
        None => None,
    };
    for mutant in &chosen {
        outcomes.remove(&mutant.id);
    }
    let mut report = report::Report::new(&dir, &all, outcomes)?;
    run::run(&built, &chosen, end, &mut report)?;
    report.finish()
}
