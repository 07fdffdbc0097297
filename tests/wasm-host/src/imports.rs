//! The imports, as Envoy carries them out, and where [`Chaos`](crate::chaos::Chaos) gets in between.

use crate::chaos::Lie;
use crate::host::{CallOut, Effect, Given, Host, Pairs};
use crate::wire::{field, is_safe, read_pairs, write_pairs};

/// Statuses of the ABI.
pub mod status {
    /// Done.
    pub const OK: u32 = 0;
    /// There is no such thing.
    pub const NOT_FOUND: u32 = 1;
    /// An argument is wrong, or the call is not allowed now.
    pub const BAD_ARGUMENT: u32 = 2;
    /// A pointer lies outside.
    pub const INVALID_MEMORY: u32 = 6;
    /// Somebody else wrote first.
    pub const CAS_MISMATCH: u32 = 8;
    /// The host failed.
    pub const INTERNAL: u32 = 10;
    /// The host does not know this call.
    pub const UNIMPLEMENTED: u32 = 12;
}
mod wasi;

use status::{BAD_ARGUMENT, CAS_MISMATCH, INTERNAL, INVALID_MEMORY, NOT_FOUND, OK};

/// The arguments of a call, and the memory that they point into.
struct Args<'a> {
    args: &'a [u64],
    memory: &'a [u8],
}

impl Args<'_> {
    fn word(&self, at: usize) -> u32 {
        u32::try_from(self.args[at]).unwrap_or(u32::MAX)
    }

    fn place(&self, at: usize) -> usize {
        usize::try_from(self.args[at]).unwrap_or(usize::MAX)
    }

    /// The bytes of the pointer at `at` and the length after it.
    fn bytes(&self, at: usize) -> Option<&[u8]> {
        let (start, len) = (self.place(at), self.place(at + 1));
        self.memory.get(start..start.checked_add(len)?)
    }
}

impl Host {
    /// Carries out an import.
    pub fn import(&mut self, name: &str, args: &[u64], memory: &[u8]) -> Effect {
        let first = self.callback.calls == 0;
        self.callback.calls += 1;
        let args = Args { args, memory };
        self.note_fact(name, &args);
        // Before an answer to a call-out reaches our code, the SDK makes its context the active one and unwraps the
        // status.
        let of_sdk = first && name == "proxy_set_effective_context" && self.spares_sdk;
        let failure = if of_sdk { None } else { self.chaos.failure(name) };
        let mut effect = match failure {
            Some(status) => Effect { status, ..Effect::default() },
            None => self.carry_out(name, &args).unwrap_or_else(|| {
                self.violations.push(format!("{name} with a pointer outside of the memory"));
                status(INVALID_MEMORY)
            }),
        };
        if let Some(given) = &mut effect.gives {
            self.lie(name, given);
        }
        self.count(name, &args, &effect);
        effect
    }

    /// Also where the property then cannot be set: the guard behind the filter refuses what lacks it.
    fn note_fact(&mut self, name: &str, args: &Args<'_>) {
        if name == "proxy_set_property"
            && let (Some(fact), Some(value)) = (args.bytes(0), args.bytes(2))
            && let Some(stream) = self.streams.get_mut(&self.effective)
        {
            match fact {
                b"hallpass.decision" => stream.decisions.push(value.to_vec()),
                fact => stream.facts.push(String::from_utf8_lossy(fact).into_owned()),
            }
        }
    }

    fn count(&mut self, name: &str, args: &Args<'_>, effect: &Effect) {
        let taken: usize = lengths(name).iter().map(|at| args.place(*at)).sum();
        let given = effect.gives.as_ref().and_then(|given| given.bytes.as_ref()).map_or(0, Vec::len);
        let written: usize = effect.writes.iter().map(|(_, bytes)| bytes.len()).sum();
        if !self.counts.contains_key(name) {
            self.counts.insert(name.to_owned(), crate::host::Count::default());
        }
        if let Some(count) = self.counts.get_mut(name) {
            count.calls += 1;
            count.bytes += u64::try_from(taken + given + written).unwrap_or(0);
        }
    }

    fn lie(&mut self, name: &str, given: &mut Given) {
        let Some(lie) = self.chaos.lie(name, given.bytes.as_deref().unwrap_or_default()) else {
            return;
        };
        if name == "proxy_get_header_map_pairs"
            && let Some((_, whole)) = self.streams.get_mut(&self.effective).and_then(|stream| stream.handed.as_mut())
        {
            *whole = false;
        }
        match lie {
            Lie::Bytes(bytes) => {
                given.len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                if name == "proxy_get_header_map_pairs"
                    && let Some(stream) = self.streams.get_mut(&self.effective)
                {
                    stream.handed = Some((read_pairs(&bytes).unwrap_or_default(), false));
                }
                given.bytes = Some(bytes);
            }
            Lie::Null(len) => (given.bytes, given.len) = (None, len),
        }
    }

    /// `None`: a pointer lies outside of the memory.
    fn carry_out(&mut self, name: &str, args: &Args<'_>) -> Option<Effect> {
        Some(match name {
            "proxy_log" => {
                args.bytes(1)?;
                status(OK)
            }
            "proxy_get_log_level" => write(args.place(0), &2_u32.to_le_bytes()),
            "proxy_get_current_time_nanoseconds" => {
                let now = self.chaos.time(&mut self.clock);
                for stream in self.streams.values_mut() {
                    stream.earliest = Some(stream.earliest.map_or(now, |earliest| earliest.min(now)));
                }
                write(args.place(0), &now.to_le_bytes())
            }
            "proxy_set_effective_context" => self.set_effective(args.word(0)),
            "proxy_get_header_map_pairs" => self.header_pairs(args),
            "proxy_get_header_map_value" => self.header(args)?,
            "proxy_add_header_map_value" | "proxy_replace_header_map_value" | "proxy_remove_header_map_value" => {
                self.edit_header(name, args)?
            }
            "proxy_get_buffer_bytes" => self.buffer(args),
            "proxy_get_shared_data" => self.shared_data(args)?,
            "proxy_set_shared_data" => self.set_shared_data(args)?,
            "proxy_get_property" => match args.bytes(0)? {
                b"source\0address" => give(b"192.0.2.7:40000".to_vec(), args.place(2), args.place(3)),
                _ => status(NOT_FOUND),
            },
            "proxy_set_property" => {
                args.bytes(0).and(args.bytes(2))?;
                status(OK)
            }
            "proxy_define_metric" => {
                let next = u32::try_from(self.metrics.len()).unwrap_or(0);
                let id = *self.metrics.entry(args.bytes(1)?.to_vec()).or_insert(next);
                write(args.place(3), &id.to_le_bytes())
            }
            "proxy_set_tick_period_milliseconds" | "proxy_increment_metric" | "proxy_record_metric" => status(OK),
            "proxy_call_foreign_function" => self.foreign_function(args)?,
            "proxy_send_local_response" => self.local_reply(args)?,
            "proxy_continue_stream" => self.continue_stream(args.word(0)),
            "proxy_close_stream" => self.close_stream(),
            "proxy_http_call" => self.http_call(args)?,
            _ => return self.wasi(name, args),
        })
    }

    fn set_effective(&mut self, context: u32) -> Effect {
        if !self.roots.contains(&context) && !self.streams.contains_key(&context) {
            return status(BAD_ARGUMENT);
        }
        self.effective = context;
        status(OK)
    }

    /// The map of this number, where it can be read now.
    fn map(&mut self, map: u32) -> Option<&mut Pairs> {
        let callback = self.callback.name;
        if let 6 | 7 = map {
            return self.answer.as_mut().map(|answer| &mut answer.headers);
        }
        let stream = self.streams.get_mut(&self.effective)?;
        match map {
            0 if !stream.passed => Some(&mut stream.request),
            1 if callback == "proxy_on_request_trailers" => Some(&mut stream.trailers),
            2 if callback == "proxy_on_response_headers" => Some(&mut stream.response),
            3 if callback == "proxy_on_response_trailers" => Some(&mut stream.response_trailers),
            _ => None,
        }
    }

    fn header_pairs(&mut self, args: &Args<'_>) -> Effect {
        let map = args.word(0);
        let Some(pairs) = self.map(map).cloned() else {
            return status(BAD_ARGUMENT);
        };
        let bytes = write_pairs(&pairs);
        // What is longer is handed over as an empty map.
        let bytes = if pairs.len() > 1024 || bytes.len() > 1 << 20 { 0_u32.to_le_bytes().to_vec() } else { bytes };
        if map == 0
            && let Some(stream) = self.streams.get_mut(&self.effective)
        {
            stream.handed = Some((pairs, true));
        }
        give(bytes, args.place(1), args.place(2))
    }

    fn header(&mut self, args: &Args<'_>) -> Option<Effect> {
        let name = args.bytes(1)?.to_vec();
        let Some(pairs) = self.map(args.word(0)) else {
            return Some(status(BAD_ARGUMENT));
        };
        let value = pairs.iter().find(|(it, _)| it.eq_ignore_ascii_case(&name)).map(|(_, value)| value.clone());
        Some(value.map_or_else(|| status(NOT_FOUND), |value| give(value, args.place(3), args.place(4))))
    }

    fn edit_header(&mut self, call: &str, args: &Args<'_>) -> Option<Effect> {
        let name = args.bytes(1)?.to_vec();
        let value = if call == "proxy_remove_header_map_value" { Vec::new() } else { args.bytes(3)?.to_vec() };
        if call != "proxy_remove_header_map_value" && !is_safe(&name, &value) {
            self.violations.push(format!("{call} with {}: {}", name.escape_ascii(), value.escape_ascii()));
        }
        let Some(pairs) = self.map(args.word(0)) else {
            return Some(status(BAD_ARGUMENT));
        };
        if call != "proxy_add_header_map_value" {
            pairs.retain(|(it, _)| !it.eq_ignore_ascii_case(&name));
        }
        if call != "proxy_remove_header_map_value" {
            pairs.push((name, value));
        }
        Some(status(OK))
    }

    fn buffer(&self, args: &Args<'_>) -> Effect {
        let bytes = match args.word(0) {
            0 => self.streams.get(&self.effective).map(|stream| &stream.body),
            4 => self.answer.as_ref().map(|answer| &answer.body),
            7 => Some(&self.configuration),
            _ => None,
        };
        let Some(bytes) = bytes else {
            return status(NOT_FOUND);
        };
        let (start, len) = (args.word(1), args.word(2));
        let Some(end) = start.checked_add(len).or(Some(u32::MAX).filter(|_| start == 0)) else {
            return status(BAD_ARGUMENT);
        };
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
        let part = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..end).unwrap_or_default();
        // Nothing is written where there is nothing.
        if part.is_empty() { status(OK) } else { give(part.to_vec(), args.place(3), args.place(4)) }
    }

    fn shared_data(&self, args: &Args<'_>) -> Option<Effect> {
        let Some((value, version)) = self.shared.get(args.bytes(0)?) else {
            return Some(status(NOT_FOUND));
        };
        let mut effect = give(value.clone(), args.place(2), args.place(3));
        effect.writes.push((args.place(4), version.to_le_bytes().to_vec()));
        Some(effect)
    }

    fn set_shared_data(&mut self, args: &Args<'_>) -> Option<Effect> {
        let (key, value, cas) = (args.bytes(0)?, args.bytes(2)?, args.word(4));
        let version = self.shared.get(key).map(|(_, version)| *version);
        if cas != 0 && version.unwrap_or(u32::MAX) != cas {
            return Some(status(CAS_MISMATCH));
        }
        self.versions += 1;
        self.shared.insert(key.to_vec(), (value.to_vec(), self.versions));
        Some(status(OK))
    }

    /// `verify_signature`, for signatures that were noted as good.
    fn foreign_function(&self, args: &Args<'_>) -> Option<Effect> {
        let (name, arguments) = (args.bytes(0)?, args.bytes(2)?);
        if name != b"verify_signature" {
            return Some(status(NOT_FOUND));
        }
        let good = self.signed.iter().any(|(signature, text)| {
            field(arguments, 3).is_some_and(|it| it == signature) && field(arguments, 4).is_some_and(|it| it == text)
        });
        let answer = if good { b"\x08\x01".to_vec() } else { b"\x12\x03bad".to_vec() };
        Some(give(answer, args.place(4), args.place(5)))
    }

    fn local_reply(&mut self, args: &Args<'_>) -> Option<Effect> {
        let (code, headers) = (args.word(0), args.bytes(5)?);
        args.bytes(1)?;
        args.bytes(3)?;
        let mut wrong = Vec::new();
        match read_pairs(headers) {
            Some(pairs) => {
                let unsafe_ones = pairs.iter().filter(|(name, value)| !is_safe(name, value));
                wrong
                    .extend(unsafe_ones.map(|(name, value)| {
                        format!("replies with {}: {}", name.escape_ascii(), value.escape_ascii())
                    }));
            }
            None => wrong.push("replies with headers that do not add up".to_owned()),
        }
        if !(400..600).contains(&code) {
            wrong.push(format!("replies {code}"));
        }
        match self.streams.get_mut(&self.effective) {
            Some(stream) => {
                stream.replies += 1;
                if stream.replies > 1 {
                    wrong.push("replies twice".to_owned());
                }
                if stream.passed {
                    wrong.push("replies after it went on".to_owned());
                }
            }
            None => wrong.push("replies from a root context".to_owned()),
        }
        self.release();
        let (callback, context) = (self.callback.name, self.effective);
        self.violations.extend(wrong.into_iter().map(|it| format!("{callback}: context {context} {it}")));
        Some(status(OK))
    }

    fn continue_stream(&mut self, direction: u32) -> Effect {
        if direction == 0 {
            self.release();
            self.pass(self.effective, "proxy_continue_stream");
        } else {
            self.violations.push(format!("continues direction {direction}"));
        }
        status(OK)
    }

    fn close_stream(&mut self) -> Effect {
        if let Some(stream) = self.streams.get_mut(&self.effective) {
            stream.closed = true;
        }
        status(OK)
    }

    fn http_call(&mut self, args: &Args<'_>) -> Option<Effect> {
        let (cluster, headers) = (args.bytes(0)?, read_pairs(args.bytes(2)?)?);
        let header = |name: &[u8]| headers.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone());
        let (Some(path), Some(_), Some(_)) = (header(b":path"), header(b":method"), header(b":authority")) else {
            return Some(status(BAD_ARGUMENT));
        };
        if cluster != b"auth" {
            return Some(status(BAD_ARGUMENT));
        }
        if self.call_outs.len() > 100 {
            return Some(status(INTERNAL));
        }
        self.tokens += 1;
        let path = String::from_utf8_lossy(&path).into_owned();
        self.call_outs.push(CallOut { token: self.tokens, context: self.effective, path });
        Some(write(args.place(9), &self.tokens.to_le_bytes()))
    }
}

/// Which arguments of a call are lengths of what the module hands over.
fn lengths(name: &str) -> &'static [usize] {
    match name {
        "proxy_get_header_map_value" | "proxy_remove_header_map_value" | "proxy_log" | "proxy_define_metric" => &[2],
        "proxy_replace_header_map_value" | "proxy_add_header_map_value" => &[2, 4],
        "proxy_send_local_response" => &[2, 4, 6],
        "proxy_get_property" | "proxy_get_shared_data" => &[1],
        "proxy_set_property" | "proxy_set_shared_data" | "proxy_call_foreign_function" => &[1, 3],
        "proxy_http_call" => &[1, 3, 5, 7],
        _ => &[],
    }
}

fn status(status: u32) -> Effect {
    Effect { status, ..Effect::default() }
}

fn write(at: usize, bytes: &[u8]) -> Effect {
    Effect { writes: vec![(at, bytes.to_vec())], ..Effect::default() }
}

fn give(bytes: Vec<u8>, data_at: usize, len_at: usize) -> Effect {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    Effect { gives: Some(Given { bytes: Some(bytes), len, data_at, len_at }), ..Effect::default() }
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}
