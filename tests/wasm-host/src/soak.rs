//! A long life of one instance: what strangers send must not add up in its memory.

use crate::chaos::Chaos;
use crate::corpus::{ACME, Policy, SECRET};
use crate::drive::Drive;
use crate::host::{Host, START, pairs};
use crate::rng::Rng;
use crate::vm::Code;

/// Many requests to one instance, with clients, tokens, and ids that never come again: its memory after each tenth.
///
/// # Errors
/// It traps, or does what it must not.
pub fn run(code: &Code, requests: usize, seed: u64) -> Result<Vec<usize>, String> {
    let policy = Policy::of(1);
    let mut host = Host::new(policy.config.clone());
    host.environment = vec![format!("PJWT_SECRET={SECRET}").into_bytes()];
    let mut drive = Drive::start(code, host, Rng::new(seed))?;
    let root = drive.root(1)?;
    drive.fetch_all(root)?;
    drive.vm.host_mut().chaos = Chaos::of(4);
    let mut sizes = Vec::new();
    for nth in 0..requests {
        let path = format!("/v1/students?n={nth}");
        let key = if nth % 2 == 0 { ACME.to_owned() } else { format!("unknown-{nth}") };
        let head = pairs(&[
            (":method", "POST"),
            (":path", &path),
            (":authority", "api"),
            ("x-api-key", &key),
            ("content-type", "application/json"),
            ("authorization", &format!("Bearer {}x{nth}", policy.tokens[0].text)),
        ]);
        drive.request(root, head, br#"{"districtlea":"1503000"}"#)?;
        if nth % 20 == 0 {
            drive.vm.host_mut().clock += 500_000_000;
            // What keeps the keys fresh.
            drive.vm.host_mut().clock = drive.vm.host().clock.min((START + 3000) * 1_000_000_000);
            drive.fetch_all(root)?;
        }
        let host = drive.vm.host_mut();
        if !host.violations.is_empty() {
            return Err(host.violations.join("; "));
        }
        host.counts.clear();
        if nth % (requests / 10).max(1) == 0 {
            sizes.push(drive.vm.memory_bytes());
        }
    }
    Ok(sizes)
}
