//! Tries mutants: the tests of the module first, then all, then those that take long. Most die at once.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::build::Built;
use crate::mutant::Mutant;
use crate::report::{Report, Verdict};

/// Against a mutant that never ends, in seconds of the processor: the quick tests take 1 to 3, the others 40.
const QUICK_SECONDS: u64 = 10;
const SLOW_SECONDS: u64 = 300;
/// Against one that sleeps for good; long, since the machine may be busy.
const WALL_TIMEOUT: Duration = Duration::from_mins(10);
/// How the kernel ends what has used up its time.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;
/// Of a test binary, against a mutant that never stops collecting.
const KILOBYTES_MAX: u64 = 4_000_000;

const SKIP: &str = "--skip";

/// Of a property, in the quick tests.
const CASES: &str = "32";

/// Tests that take more than half a second: only what all others let live meets them.
const SLOW: [&str; 24] = [
    "filter::admission::tests::no_mix",
    "signature::tests::forgery",
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
    "api_key::tests::each_of_ten_thousand",
    "token::json::tests::members_and_elements",
    "config::tests::properties",
    "token::keyset::tests::alg_must_fit",
    "query::tests::marks_are",
    "query::tests::any_query",
    "limits::slot::tests::any_bytes",
    "path::tests::accepted_paths",
    "cache::tests::bounds_hold",
];

/// Tries all with the quick tests until `end`, then the survivors with the others; two at a time.
pub fn run(built: &Built, chosen: &[&Mutant], end: Option<Instant>, report: &mut Report<'_>) -> Result<()> {
    let skips: Vec<&str> = SLOW.iter().flat_map(|it| [SKIP, it]).collect();
    let begin = Instant::now();
    if try_one(built, 0, &skips, QUICK_SECONDS)? != Verdict::Missed {
        bail!("the tests fail without a mutant");
    }
    eprintln!("the quick tests take {:.1} s", begin.elapsed().as_secs_f32());
    let left = Mutex::new(Vec::new());
    let report = Mutex::new(report);
    each(chosen, |mutant| {
        if end.is_some_and(|end| Instant::now() > end) {
            return Ok(());
        }
        let verdict = if built.unviable.contains(&mutant.id) {
            Verdict::Unviable
        } else if !built.woven.contains(&mutant.id) {
            Verdict::NotBuilt
        } else {
            quick(built, mutant, &skips)?
        };
        if verdict == Verdict::Missed {
            eprintln!("lives so far: {}", mutant.name);
            locked(&left).push(mutant);
        }
        // Also what the others may kill yet: a run that is stopped leaves it to `--again`.
        locked(&report).add(mutant, verdict)
    })?;
    let left = std::mem::take(&mut *locked(&left));
    each(&left, |mutant| {
        let verdict = slow(built, mutant)?;
        locked(&report).add(mutant, verdict)
    })
}

/// Does `work` for each, two at a time.
fn each<'a>(mutants: &[&'a Mutant], work: impl Fn(&'a Mutant) -> Result<()> + Sync) -> Result<()> {
    let queue = Mutex::new(mutants.iter());
    let worker = || {
        loop {
            let Some(mutant) = locked(&queue).next() else { return Ok(()) };
            work(mutant)?;
        }
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers.into_iter().try_for_each(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

fn quick(built: &Built, mutant: &Mutant, skips: &[&str]) -> Result<Verdict> {
    let module = mutant.module();
    let own = [&[module.as_str()], skips].concat();
    match try_one(built, mutant.id, &own, QUICK_SECONDS)? {
        Verdict::Missed => try_one(built, mutant.id, skips, QUICK_SECONDS),
        verdict => Ok(verdict),
    }
}

/// All tests of its module first.
fn slow(built: &Built, mutant: &Mutant) -> Result<Verdict> {
    match try_one(built, mutant.id, &[&mutant.module()], SLOW_SECONDS)? {
        Verdict::Missed => try_one(built, mutant.id, &SLOW, SLOW_SECONDS),
        verdict => Ok(verdict),
    }
}

/// Runs tests with a mutant on; 0 is none.
fn try_one(built: &Built, id: usize, arguments: &[&str], seconds: u64) -> Result<Verdict> {
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {KILOBYTES_MAX} && ulimit -t {seconds} && exec \"$0\" \"$@\"")])
        .arg(&built.binary)
        .args(["-Z", "unstable-options", "--fail-fast", "--test-threads", "1"])
        .args(arguments)
        // proptest writes what fails beside the sources: those of the copy.
        .current_dir(&built.tree)
        // For --fail-fast.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("HALLPASS_MUTANT", id.to_string())
        .env("PROPTEST_MAX_SHRINK_ITERS", "0")
        .env("PROPTEST_CASES", if arguments.contains(&SKIP) { CASES } else { "256" })
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(match status.signal() {
                Some(SIGXCPU | SIGKILL) => Verdict::TimedOut,
                _ if status.success() => Verdict::Missed,
                _ => Verdict::Killed,
            });
        }
        if begin.elapsed() > WALL_TIMEOUT {
            child.kill()?;
            child.wait()?;
            return Ok(Verdict::TimedOut);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
