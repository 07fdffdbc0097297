//! Tries mutants: the tests of the module first, then all, then those that take long. Most die at once.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::build::Built;
use crate::mutant::Mutant;
use crate::report::{Report, Verdict};

/// Against a mutant that never ends: of the tests of its module, of all quick ones, of the others. On a busy machine they take
/// a tenth of it.
const TIMEOUTS: [Duration; 3] = [Duration::from_secs(30), Duration::from_mins(2), Duration::from_mins(10)];
/// Of a test binary, against a mutant that never stops collecting.
const KILOBYTES_MAX: u64 = 4_000_000;

/// Tests that take more than half a second: only what all others let live meets them.
const SLOW: [&str; 22] = [
    "signature::tests::every_flipped_bit",
    "signature::tests::made_up",
    "filter::tests::interleavings",
    "opaque::tests::build::two_builders",
    "opaque::tests::build::each_piece",
    "opaque::tests::reader::too_many",
    "opaque::tests::reader::any_list",
    "opaque::tests::bucket::keys_are_as_many",
    "limits::ledger::tests::model",
    "limits::ledger::tests::race",
    "scope::tests::no_server_reads",
    "filter::body::tests::scope_is_membership",
    "filter::body::tests::no_order",
    "api_key::tests::ten_thousand",
    "token::json::tests::members_and_elements",
    "config::tests::properties",
    "token::keyset::tests::alg_must_fit",
    "query::tests::marks_are",
    "query::tests::any_query",
    "limits::slot::tests::any_bytes",
    "path::tests::accepted_paths",
    "cache::tests::bounds_hold",
];

/// Tries all with the quick tests until `end`, then the survivors with the others.
pub fn run(built: &Built, chosen: &[&Mutant], end: Option<Instant>, report: &mut Report) -> Result<()> {
    let skips: Vec<&str> = SLOW.iter().flat_map(|it| ["--skip", it]).collect();
    let begin = Instant::now();
    if try_one(built, 0, &skips, TIMEOUTS[1])? != Verdict::Missed {
        bail!("the tests fail without a mutant");
    }
    eprintln!("the quick tests take {:.1} s", begin.elapsed().as_secs_f32());
    let mut left = Vec::new();
    for mutant in chosen {
        if end.is_some_and(|end| Instant::now() > end) {
            break;
        }
        if built.unviable.contains(&mutant.id) {
            report.add(mutant, Verdict::Unviable)?;
        } else if !built.woven.contains(&mutant.id) {
            report.add(mutant, Verdict::NotBuilt)?;
        } else {
            match quick(built, mutant, &skips)? {
                Verdict::Missed => {
                    eprintln!("lives so far: {}", mutant.name);
                    left.push(*mutant);
                }
                verdict => report.add(mutant, verdict)?,
            }
        }
    }
    for mutant in left {
        report.add(mutant, twice(built, mutant, &SLOW, TIMEOUTS[2])?)?;
    }
    Ok(())
}

fn quick(built: &Built, mutant: &Mutant, skips: &[&str]) -> Result<Verdict> {
    let module = mutant.module();
    let own = [&[module.as_str()], skips].concat();
    match twice(built, mutant, &own, TIMEOUTS[0])? {
        Verdict::Missed => twice(built, mutant, skips, TIMEOUTS[1]),
        verdict => Ok(verdict),
    }
}

/// Tries again what did not end: the machine may have stood still.
fn twice(built: &Built, mutant: &Mutant, arguments: &[&str], timeout: Duration) -> Result<Verdict> {
    match try_one(built, mutant.id, arguments, timeout)? {
        Verdict::TimedOut => try_one(built, mutant.id, arguments, timeout),
        verdict => Ok(verdict),
    }
}

/// Runs tests with a mutant on; 0 is none.
fn try_one(built: &Built, id: usize, arguments: &[&str], timeout: Duration) -> Result<Verdict> {
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {KILOBYTES_MAX}; exec \"$0\" \"$@\"")])
        .arg(&built.binary)
        .args(["-Z", "unstable-options", "--fail-fast", "--test-threads", "2"])
        .args(arguments)
        // proptest writes what fails beside the sources: those of the copy.
        .current_dir(&built.tree)
        // For --fail-fast.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("HALLPASS_MUTANT", id.to_string())
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { Verdict::Missed } else { Verdict::Killed });
        }
        if begin.elapsed() > timeout {
            child.kill()?;
            child.wait()?;
            return Ok(Verdict::TimedOut);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
