//! Hostile hosts: what happens next, and what was wrong with it.

use crate::breach::EXCEPTIONS;
use crate::chaos::Chaos;
use crate::corpus::{ACME, Policy, SECRET, SPOOF, signature};
use crate::drive::{Drive, good_answer};
use crate::host::{Answer, Host, Pairs, START, pairs};
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
        if let Err(trap) = ended {
            return Err(format!("seed {seed}: {trap}"));
        }
        if !host.violations.is_empty() {
            return Err(format!("seed {seed}: {}", host.violations.join("; ")));
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
        host.signed =
            Policy::of(policy).tokens.iter().filter(|it| it.good).map(signature).collect();
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

    fn open(&mut self) -> Result<(), String> {
        let Some(root) = self.any_root() else {
            return Ok(());
        };
        let stream = self.drive.open(root)?;
        if self.order == Order::Polite || self.drive.rng.chance(700) { self.head(stream) } else { Ok(()) }
    }

    fn head(&mut self, stream: u32) -> Result<(), String> {
        let policy = Policy::of(self.drive.stream(stream).policy);
        let rng = &mut self.drive.rng;
        let (method, path, has_body) = *rng.pick(&policy.targets);
        let mut head = pairs(&[(":method", method), (":path", path), (":authority", "api"), (":scheme", "https")]);
        let mut add = |name: &str, value: &str| head.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        if rng.chance(900) {
            // Mostly one of the first, which are good.
            let at = if rng.chance(600) { rng.below(2) } else { rng.below(policy.tokens.len()) };
            add("authorization", &format!("Bearer {}", policy.tokens[at].text));
        }
        if let (Some(key), true) = (policy.keys.first(), rng.chance(900)) {
            let key = if rng.chance(700) { key } else { *rng.pick(&[policy.keys[1], "wrong", "", "\u{e9}"]) };
            add("x-api-key", key);
        }
        if has_body {
            add("content-type", "application/json");
        }
        if rng.chance(300) {
            add(rng.text(&["x-claim-schools", "X_Claim_Tier", "x-claim-client-id", "x.claim.schools"]), SPOOF);
        }
        if rng.chance(300) {
            add("x-request-id", rng.text(&["6c1f1a5e-0000-4000-8000-000000000000", "a\r\nb: c", "", "x"]));
        }
        if rng.chance(100) {
            add("connection", rng.text(&["upgrade", "Upgrade, x-claim-schools", "x-claim-schools", "close"]));
            add("upgrade", rng.text(&["websocket", "h2c"]));
        }
        add("x-school", rng.text(&["a", "b", "a,b"]));
        if rng.chance(100) {
            disturb(rng, &mut head);
        }
        let ends = if self.order == Order::Polite { !has_body } else { rng.chance(500) };
        self.step(stream, |drive| drive.head(stream, head, ends))
    }

    /// Runs a step of a stream, and counts how it ends.
    fn step(&mut self, stream: u32, step: impl FnOnce(&mut Drive<'c>) -> Result<(), String>) -> Result<(), String> {
        step(&mut self.drive)?;
        if let Some(stream) = self.drive.vm.host().streams.get(&stream) {
            self.passes += u64::from(stream.passed);
            self.replies += u64::from(stream.replies > 0);
        }
        Ok(())
    }

    /// Something more of a stream.
    fn advance(&mut self) -> Result<(), String> {
        let Some(context) = self.any_stream() else {
            return Ok(());
        };
        let stream = self.drive.stream(context);
        let (is_answered, is_begun, is_passed) =
            (stream.replies > 0 || stream.closed, !stream.request.is_empty(), stream.passed);
        if self.order == Order::Polite {
            return match (is_answered, is_begun, is_passed) {
                (_, false, _) => self.head(context),
                (true, ..) => self.respond(context),
                (false, _, true) if self.drive.rng.chance(500) => self.respond(context),
                _ => self.piece(context),
            };
        }
        match self.drive.rng.below(6) {
            0 => self.head(context),
            1 | 2 => self.piece(context),
            3 => self.respond(context),
            4 => {
                let (len, ends) = (self.drive.rng.number() >> 32, self.drive.rng.below(2));
                let args = [context, u32::try_from(len).unwrap_or(0), u32::from(ends == 1)];
                self.step(context, |drive| drive.callback("proxy_on_request_body", &args))
            }
            _ => {
                let names = ["proxy_on_done", "proxy_on_log", "proxy_on_response_trailers"];
                let name = *self.drive.rng.pick(&names);
                let args = if name.ends_with("trailers") { vec![context, 1] } else { vec![context] };
                self.drive.callback(name, &args)
            }
        }
    }

    /// A piece of the body, or trailers.
    fn piece(&mut self, context: u32) -> Result<(), String> {
        let rng = &mut self.drive.rng;
        if rng.chance(250) {
            let trailers = match rng.below(3) {
                0 => pairs(&[("x-claim-schools", SPOOF), ("a", "b")]),
                1 => Pairs::new(),
                _ => pairs(&[("grpc-status", "0")]),
            };
            let count = if rng.chance(100) { 2000 } else { u32::try_from(trailers.len()).unwrap_or(0) };
            return self.step(context, |drive| {
                drive.stream_mut(context).trailers = trailers;
                drive.callback("proxy_on_request_trailers", &[context, count])
            });
        }
        let bodies: [&[u8]; 10] = [
            br#"{"limit":25,"districtlea":"1503000"}"#,
            br#"{"limit":25,"districtlea":"1503000"}"#,
            br#"{"schoolleas":["15030001"]}"#,
            br#"{"limit":25,"districtlea":"1504000"}"#,
            br#"{"limit":25,"#,
            br#""districtlea":"1503000"}"#,
            b"",
            b"[",
            b"\xff\xfe",
            b"{\"districtlea\":\"1503000\",\"districtlea\":\"1504000\"}",
        ];
        let body = if rng.chance(20) { vec![b' '; 70_000] } else { rng.pick(&bodies).to_vec() };
        let ends = rng.chance(600);
        self.step(context, |drive| drive.body(context, &body, ends))
    }

    fn respond(&mut self, context: u32) -> Result<(), String> {
        let status = *self.drive.rng.pick(&["200", "200", "401", "500", "", "abc", "99999999999"]);
        self.drive.respond(context, status)?;
        if self.drive.rng.chance(300) {
            self.drive.callback("proxy_on_response_body", &[context, 5, 1])?;
        }
        Ok(())
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

    /// The end of a stream; in any order where the host is wild.
    fn end(&mut self) -> Result<(), String> {
        let Some(context) = self.any_stream() else {
            return Ok(());
        };
        if self.order == Order::Polite || self.drive.rng.chance(500) {
            self.drive.callback("proxy_on_done", &[context])?;
            self.drive.callback("proxy_on_log", &[context])?;
        }
        if self.order == Order::Wild && self.drive.rng.chance(300) {
            self.drive.callback("proxy_on_done", &[context])?;
        }
        self.drive.delete(context)
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
            crate::breach::Breach::UnknownContext,
            crate::breach::Breach::DeletedContext,
            crate::breach::Breach::DeletedTwice,
            crate::breach::Breach::DuplicateContext,
            crate::breach::Breach::UnknownRoot,
            crate::breach::Breach::Connection,
            crate::breach::Breach::UnknownToken,
            crate::breach::Breach::AnsweredTwice,
        ];
        let breach = *self.drive.rng.pick(&all);
        if self.drive.roots.is_empty() || EXCEPTIONS.iter().any(|(it, _)| *it == breach) {
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

/// Changes a head as no codec would.
fn disturb(rng: &mut Rng, head: &mut Pairs) {
    for _ in 0..=rng.below(3) {
        let at = rng.below(head.len());
        match rng.below(4) {
            0 => drop(head.swap_remove(at)),
            1 => head.push(head[at].clone()),
            2 => head[at].1 = rng.mutated(std::mem::take(&mut head[at].1)),
            _ => head[at].0 = rng.mutated(std::mem::take(&mut head[at].0)),
        }
        if head.is_empty() {
            return;
        }
    }
}

/// Many requests to one instance, with clients, tokens, and ids that never come again: its memory after each tenth.
///
/// # Errors
/// It traps, or does what it must not.
pub fn soak(code: &Code, requests: usize, seed: u64) -> Result<Vec<usize>, String> {
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

/// A seed that nobody knows before.
pub fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()) << 32 | since.as_secs() & 0xffff_ffff)
}
