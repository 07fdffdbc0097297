//! Weaves the mutants into a copy of the sources and compiles it. What does not compile is taken out, and it is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::mutant::Mutant;
use crate::weave::{Woven, weave};

/// Added to `lib.rs` of the copy.
const QUESTION: &str = "
#[doc(hidden)]
pub mod mutation {
    pub fn on(id: u32) -> bool {
        static ID: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
        *ID.get_or_init(|| std::env::var(\"HALLPASS_MUTANT\").ok().and_then(|it| it.parse().ok()).unwrap_or(0)) == id
    }

    #[derive(Clone)]
    pub enum Either<L, R> {
        Left(L),
        Right(R),
    }

    impl<T, L: Iterator<Item = T>, R: Iterator<Item = T>> Iterator for Either<L, R> {
        type Item = T;

        fn next(&mut self) -> Option<T> {
            match self {
                Self::Left(it) => it.next(),
                Self::Right(it) => it.next(),
            }
        }
    }
}
";

/// As often as it is compiled at most: types first, then borrows, then what lints refuse.
const ROUNDS: u32 = 12;

pub struct Built {
    /// The copy.
    pub tree: PathBuf,
    pub binary: PathBuf,
    /// Mutants that are in the binary.
    pub woven: BTreeSet<usize>,
    /// Mutants that do not compile.
    pub unviable: BTreeSet<usize>,
}

/// What the compiler refuses.
#[derive(Default, Clone, PartialEq)]
struct LeftOut {
    unviable: BTreeSet<usize>,
    /// Arms that others would have to stand in for: the compiler does not count one with a guard.
    needed: BTreeSet<usize>,
    /// Functions that must stay `const`: they are called at compile time.
    constant: BTreeSet<String>,
}

pub fn build(dir: &Path, all: &[Mutant]) -> Result<Built> {
    let tree = dir.join("tree");
    lay_out(&tree)?;
    let mut left_out = LeftOut::load(dir, all);
    for round in 0..ROUNDS {
        let files = write(&tree, all, &left_out)?;
        eprintln!("compiling, round {round}: {} do not compile", left_out.unviable.len());
        let (binary, errors) = compile(&tree)?;
        if let Some(binary) = binary {
            let woven = files.values().flat_map(|it| &it.alternatives).map(|(_, id)| *id).collect();
            left_out.keep(dir)?;
            let mut unviable = left_out.unviable;
            unviable.extend(files.values().flat_map(|it| &it.impossible));
            return Ok(Built { tree, binary, woven, unviable });
        }
        let before = left_out.clone();
        for error in &errors {
            left_out.blame(error, &files);
        }
        if before == left_out {
            let texts: Vec<&str> = errors.iter().filter_map(|it| it.get("rendered")?.as_str()).collect();
            bail!("errors that are no mutant's:\n{}", texts.join("\n"));
        }
    }
    bail!("still does not compile")
}

/// Links what is not changed, copies the sources.
fn lay_out(tree: &Path) -> Result<()> {
    fs::create_dir_all(tree)?;
    for name in ["Cargo.toml", "Cargo.lock", "tests", "README.md", "envoy", "scripts"] {
        let (link, what) = (tree.join(name), std::env::current_dir()?.join(name));
        // A target directory may have served another checkout.
        if fs::read_link(&link).ok().as_ref() != Some(&what) {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(what, link)?;
        }
    }
    Ok(())
}

fn write(tree: &Path, all: &[Mutant], left_out: &LeftOut) -> Result<BTreeMap<String, Woven>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![PathBuf::from("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let name = path.display().to_string();
            let bytes = fs::read(&path)?;
            let mut mutants: Vec<&Mutant> = all.iter().filter(|it| it.file == name && left_out.leaves(it.id)).collect();
            let new = if mutants.is_empty() {
                bytes
            } else {
                let source = String::from_utf8(bytes)?;
                let source = free_constants(&source, &mut mutants, &left_out.constant);
                let woven = weave(&source, mutants).with_context(|| name.clone())?;
                let text = woven.text.clone();
                files.insert(name.clone(), woven);
                text.into_bytes()
            };
            let new = if name == "src/lib.rs" { [new, QUESTION.into()].concat() } else { new };
            let target = tree.join(&path);
            if fs::read(&target).ok().as_ref() != Some(&new) {
                fs::create_dir_all(target.parent().context("no directory")?)?;
                fs::write(&target, new)?;
            }
        }
    }
    Ok(files)
}

/// Makes `const fn` with mutants plain functions, with places unmoved; those of functions that must stay are left out.
fn free_constants(source: &str, mutants: &mut Vec<&Mutant>, constant: &BTreeSet<String>) -> String {
    let mut lines: Vec<String> = source.split('\n').map(str::to_owned).collect();
    mutants.retain(|it| {
        let Some(at) = it.function_at else { return false };
        // Attributes belong to the span.
        let Some(line) = lines[at.line - 1..].iter_mut().find(|line| line.contains("fn ")) else { return true };
        let name = line.split("fn ").nth(1).and_then(|it| it.split(['(', '<']).next()).unwrap_or_default();
        if constant.contains(name) {
            return false;
        }
        *line = line.replacen("const fn ", "      fn ", 1);
        true
    });
    lines.join("\n")
}

/// Compiles the tests of the library; gives the binary, or what the compiler says.
fn compile(tree: &Path) -> Result<(Option<PathBuf>, Vec<Value>)> {
    let output = Command::new("cargo")
        // Half the time of each test for a compilation that takes twice as long.
        .args(["--config", "profile.dev.package.hallpass.opt-level=1"])
        .args(["--config", "profile.dev.package.hallpass.debug=false"])
        .args(["test", "--locked", "--lib", "--no-run", "--message-format", "json"])
        // One that is shared would take the copy for the original.
        .env("CARGO_TARGET_DIR", tree.with_file_name("target"))
        .current_dir(tree)
        .stderr(Stdio::inherit())
        .output()?;
    let mut binary = None;
    let mut errors = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let mut it: Value = serde_json::from_str(line)?;
        if it.pointer("/target/name").and_then(Value::as_str) == Some("hallpass") {
            binary = it.get("executable").and_then(Value::as_str).map(PathBuf::from).or(binary);
        }
        if it.pointer("/message/level").and_then(Value::as_str) == Some("error") {
            errors.push(it["message"].take());
        }
    }
    Ok((binary.filter(|_| output.status.success()), errors))
}

impl LeftOut {
    /// What an earlier build left out of the files whose mutants are the same.
    fn load(dir: &Path, all: &[Mutant]) -> Self {
        let before = Mutant::list(&dir.join("left-out.list")).unwrap_or_default();
        let text = fs::read_to_string(dir.join("left-out.json")).unwrap_or_default();
        let it: Value = serde_json::from_str(&text).unwrap_or_default();
        let names = |of: &[Mutant], file: &str| -> Vec<String> {
            of.iter().filter(|it| it.file == file).map(|it| it.name.clone()).collect()
        };
        let files: BTreeSet<&str> = all.iter().map(|it| it.file.as_str()).collect();
        let same: BTreeSet<&str> = files.into_iter().filter(|it| names(all, it) == names(&before, it)).collect();
        let id_now = |id: usize| {
            let it = before.get(id.checked_sub(1)?)?;
            same.contains(it.file.as_str()).then(|| all.iter().find(|now| now.name == it.name))?.map(|it| it.id)
        };
        let ids = |name: &str| {
            let list = it[name].as_array().into_iter().flatten();
            list.filter_map(|it| id_now(usize::try_from(it.as_u64()?).ok()?)).collect()
        };
        let names = it["constant"].as_array().into_iter().flatten();
        let constant = names.filter_map(|it| Some(it.as_str()?.to_owned())).collect();
        Self { unviable: ids("unviable"), needed: ids("needed"), constant }
    }

    fn keep(&self, dir: &Path) -> Result<()> {
        let it = json!({ "unviable": self.unviable, "needed": self.needed, "constant": self.constant });
        fs::write(dir.join("left-out.json"), it.to_string())?;
        fs::copy(dir.join("list.json"), dir.join("left-out.list"))?;
        Ok(())
    }

    fn leaves(&self, id: usize) -> bool {
        !self.unviable.contains(&id) && !self.needed.contains(&id)
    }

    /// Finds whose an error is: a mutant in whose code it lies, an arm of a match that is not whole without it, or a
    /// function that is called at compile time.
    fn blame(&mut self, error: &Value, files: &BTreeMap<String, Woven>) {
        let code = error.pointer("/code/code").and_then(Value::as_str);
        if code == Some("E0015") {
            let message = error["message"].as_str().unwrap_or_default();
            let name = message.split('`').nth(1).unwrap_or_default();
            self.constant.insert(name.rsplit("::").next().unwrap_or_default().to_owned());
            return;
        }
        for span in error["spans"].as_array().into_iter().flatten() {
            let number = |name: &str| usize::try_from(span[name].as_u64()?).ok();
            let (Some(name), Some(from), Some(to)) =
                (span["file_name"].as_str(), number("byte_start"), number("byte_end"))
            else {
                continue;
            };
            let Some(woven) = files.get(name) else { continue };
            if code == Some("E0004") {
                self.needed.extend(woven.matched.iter().filter(|it| it.0 == from).map(|it| it.1));
            }
            let touched = woven.alternatives.iter().filter(|(range, _)| range.start <= from && to <= range.end);
            self.unviable.extend(touched.map(|it| it.1));
        }
    }
}
