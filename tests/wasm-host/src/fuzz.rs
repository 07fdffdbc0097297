//! Hostile hosts: what happens next, and what was wrong with it.

use crate::breach::Breach;
use crate::chaos::Chaos;
use crate::corpus::{Policy, SECRET, signature};
use crate::drive::{Drive, good_answer};
use crate::host::{Answer, Host, pairs};
use crate::rng::Rng;
use crate::vm::Code;

/// Largest memory of an instance, bytes.
const MEMORY_MAX: usize = 256 << 20;

/// What cases came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cases.
    pub cases: u64,
    /// Callbacks and other events.
    pub events: u64,
    /// Requests that went on.
    pub passes: u64,
    /// Requests that were answered here.
    pub replies: u64,
    /// Call-outs.
    pub call_outs: u64,
    /// Largest memory of an instance, bytes.
    pub memory: usize,
}

/// How the host orders callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As Envoy does: nothing after an answer but the response.
    Polite,
    /// Any callback for any context that lives.
    Wild,
}

/// Plays the case of this seed.
///
/// # Errors
/// What the module did that it must not.
pub fn run(code: &Code, seed: u64, tally: &mut Tally) -> Result<(), String> {
    let mut case = match Case::new(code, seed) {
        Ok(case) => case,
        Err(trap) => return Err(format!("seed {seed}: {trap}")),
    };
    tally.cases += 1;
    let events = 20 + case.drive.rng.below(120);
    for _ in 0..events {
        let ended = case.event();
        tally.events += 1;
        let host = case.drive.vm.host();
        let order = case.order;
        if let Err(trap) = ended {
            return Err(format!("seed {seed}, {order:?}: {trap}"));
        }
        if !host.violations.is_empty() {
            return Err(format!("seed {seed}, {order:?}: {}", host.violations.join("; ")));
        }
    }
    case.count(tally);
    let memory = case.drive.vm.memory_bytes();
    tally.memory = tally.memory.max(memory);
    if memory > MEMORY_MAX {
        return Err(format!("seed {seed}: the instance has {memory} bytes"));
    }
    Ok(())
}

mod streams;

struct Case<'c> {
    drive: Drive<'c>,
    order: Order,
    passes: u64,
    replies: u64,
}

impl<'c> Case<'c> {
    fn new(code: &'c Code, seed: u64) -> Result<Self, String> {
        let mut rng = Rng::new(seed);
        let order = if rng.chance(500) { Order::Polite } else { Order::Wild };
        let policy = rng.below(Policy::all().len());
        let mut config = Policy::of(policy).config.clone();
        if rng.chance(50) {
            config = rng.mutated(config);
        }
        let mut host = Host::new(config);
        host.environment = vec![format!("PJWT_SECRET={SECRET}").into_bytes(), b"PATH=\xff\xfe".to_vec()];
        host.signed = Policy::of(policy).tokens.iter().filter(|it| it.good).map(signature).collect();
        host.randomness = Rng::new(rng.number());
        // Most begin well: who never gets keys does not come far.
        let begins_well = rng.chance(600);
        let chaos = Chaos::of(rng.number());
        if !begins_well {
            host.chaos = chaos.clone();
        }
        let mut drive = Drive::start(code, host, rng)?;
        let root = drive.root(policy)?;
        if begins_well {
            drive.fetch_all(root)?;
            drive.vm.host_mut().chaos = chaos;
        }
        Ok(Self { drive, order, passes: 0, replies: 0 })
    }

    fn event(&mut self) -> Result<(), String> {
        match self.drive.rng.below(100) {
            0..=24 => self.open(),
            25..=59 => self.advance(),
            60..=67 => self.any_root().map_or(Ok(()), |root| self.drive.callback("proxy_on_tick", &[root])),
            68..=79 => self.answer(),
            80..=84 => {
                let by = self.drive.rng.number() % *self.drive.rng.pick(&[1_000_000, 3_000_000_000, 90_000_000_000]);
                let host = self.drive.vm.host_mut();
                host.clock = host.clock.saturating_add(by);
                Ok(())
            }
            85..=88 => {
                self.tamper();
                Ok(())
            }
            89..=94 => self.end(),
            95 | 96 => self.reconfigure(),
            97 => self.oddity(),
            98 => self.roots(),
            _ => self.breach(),
        }
    }

    fn any_root(&mut self) -> Option<u32> {
        let at = self.drive.rng.below(self.drive.roots.len());
        self.drive.roots.get(at).copied()
    }

    fn any_stream(&mut self) -> Option<u32> {
        let count = self.drive.vm.host().streams.len();
        let at = self.drive.rng.below(count);
        self.drive.vm.host().streams.keys().nth(at).copied()
    }

    /// An answer to a call-out, of a server that may be anything.
    fn answer(&mut self) -> Result<(), String> {
        let count = self.drive.vm.host().call_outs.len();
        if count == 0 {
            return Ok(());
        }
        let at = self.drive.rng.below(count);
        let good = good_answer(&self.drive.vm.host().call_outs[at].path);
        let rng = &mut self.drive.rng;
        let answer = match rng.below(8) {
            0 => Answer::default(),
            1 => Answer { headers: pairs(&[(":status", "503")]), body: b"<html>".to_vec() },
            2 => Answer { body: rng.mutated(good.body), ..good },
            3 => Answer {
                headers: pairs(&[(":status", "200"), ("cache-control", "\u{fffd}max-age=99999999999999999999")]),
                ..good
            },
            4 => Answer { body: vec![b'['; 200_000], ..good },
            _ => good,
        };
        self.drive.answer(at, answer)
    }

    /// Another worker, or a stranger with the same `vm_id`, writes to the shared data.
    fn tamper(&mut self) {
        let host = self.drive.vm.host_mut();
        let count = host.shared.len();
        let at = self.drive.rng.below(count);
        if let Some((value, version)) = host.shared.values_mut().nth(at) {
            *value = match self.drive.rng.below(4) {
                0 => Vec::new(),
                1 => self.drive.rng.bytes(4096),
                _ => self.drive.rng.mutated(std::mem::take(value)),
            };
            *version = version.wrapping_add(1_000_000).clamp(1, u32::MAX - 1);
        }
    }

    /// The same configuration again, another one, or none.
    fn reconfigure(&mut self) -> Result<(), String> {
        let Some(root) = self.any_root() else {
            return Ok(());
        };
        let good = self.drive.vm.host().configuration.clone();
        let (mutated, rng) = (good.clone(), &mut self.drive.rng);
        let other = match rng.below(6) {
            0 => rng.mutated(mutated),
            1 => Vec::new(),
            2 => rng.bytes(2000),
            3 => b"{\"routes\":".repeat(3000),
            _ => mutated,
        };
        self.drive.vm.host_mut().configuration = other;
        let ended = self.drive.configure(root);
        self.drive.vm.host_mut().configuration = good;
        ended
    }

    /// Callbacks that hallpass has no use for.
    fn oddity(&mut self) -> Result<(), String> {
        let context = if self.drive.rng.chance(500) { self.any_root() } else { self.any_stream() };
        let (Some(context), Some(root)) = (context, self.any_root()) else {
            return Ok(());
        };
        let number = u32::try_from(self.drive.rng.number() >> 40).unwrap_or(0);
        match self.drive.rng.below(7) {
            0 => self.drive.callback("proxy_on_queue_ready", &[root, number]),
            1 => self.drive.callback("proxy_on_foreign_function", &[context, number, 5]),
            2 => self.drive.callback("proxy_on_grpc_receive", &[context, number, 5]),
            3 => self.drive.callback("proxy_on_grpc_close", &[context, number, 2]),
            4 => self.drive.callback("proxy_on_grpc_receive_initial_metadata", &[context, number, 1]),
            5 => self.drive.callback("proxy_on_foreign_function", &[number + 1_000_000, number, 5]),
            _ => self.drive.callback("proxy_on_vm_start", &[root, number]),
        }
    }

    /// A root context more, or one less.
    fn roots(&mut self) -> Result<(), String> {
        if self.drive.rng.chance(500) || self.drive.roots.len() < 2 {
            let policy = self.drive.policies.first().map_or(0, |(_, policy)| *policy);
            return self.drive.root(policy).map(drop);
        }
        let Some(root) = self.any_root() else {
            return Ok(());
        };
        self.drive.callback("proxy_on_done", &[root])?;
        self.drive.delete(root)
    }

    /// A breach of the contract that is not excepted.
    fn breach(&mut self) -> Result<(), String> {
        let all = [
            Breach::UnknownContext,
            Breach::DeletedContext,
            Breach::DeletedTwice,
            Breach::DuplicateContext,
            Breach::UnknownRoot,
            Breach::Connection,
            Breach::UnknownToken,
            Breach::AnsweredTwice,
        ];
        let breach = *self.drive.rng.pick(&all);
        if self.drive.roots.is_empty() || breach.is_excepted() {
            return Ok(());
        }
        breach.commit(&mut self.drive)
    }

    fn count(&self, tally: &mut Tally) {
        tally.passes += self.passes;
        tally.replies += self.replies;
        tally.call_outs += u64::from(self.drive.vm.host().tokens);
    }
}

/// A seed that nobody knows before.
pub fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()) << 32 | since.as_secs() & 0xffff_ffff)
}
