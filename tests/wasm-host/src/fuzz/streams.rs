//! The life of a stream: head, body, trailers, response and end, in Envoy's order or in any.

use super::{Case, Order};
use crate::corpus::{Policy, SPOOF};
use crate::drive::Drive;
use crate::host::{Pairs, pairs};
use crate::rng::Rng;

impl<'c> Case<'c> {
    pub(super) fn open(&mut self) -> Result<(), String> {
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
    pub(super) fn advance(&mut self) -> Result<(), String> {
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
                match *self.drive.rng.pick(&names) {
                    "proxy_on_response_trailers" => self.drive.end_response(context),
                    name => self.drive.callback(name, &[context]),
                }
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
            self.drive.callback("proxy_on_response_body", &[context, 5, 0])?;
            self.drive.end_response(context)?;
        }
        Ok(())
    }

    /// The end of a stream; in any order where the host is wild.
    pub(super) fn end(&mut self) -> Result<(), String> {
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
