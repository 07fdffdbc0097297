//! What Envoy keeps for a module: contexts, streams, shared data, call-outs, a clock.
//!
//! The clock stands still unless it is moved, and randomness is that of a seed: nothing but what it was told decides
//! what a run does.

use std::collections::BTreeMap;

use crate::chaos::Chaos;
use crate::rng::Rng;

/// 2026-01-01T00:00:00Z in seconds.
pub const START: u64 = 1_767_225_600;

/// Most waiting streams that one callback may let go on or answer.
pub const RELEASES_MAX: usize = 32;

/// Names and values.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// All that a module can ask for.
pub struct Host {
    /// Nanoseconds since 1970.
    pub clock: u64,
    /// What `random_get` gives.
    pub randomness: Rng,
    /// `NAME=value` of the environment.
    pub environment: Vec<Vec<u8>>,
    /// Configuration of the plugin.
    pub configuration: Vec<u8>,
    /// Root contexts that live.
    pub roots: Vec<u32>,
    /// Streams that live, by their context.
    pub streams: BTreeMap<u32, Stream>,
    /// The callback that runs.
    pub callback: Callback,
    /// The context that calls are for.
    pub effective: u32,
    /// Values and their versions.
    pub shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    /// Numbers of metrics by name.
    pub metrics: BTreeMap<Vec<u8>, u32>,
    /// Call-outs that have no answer yet.
    pub call_outs: Vec<CallOut>,
    /// The answer to a call-out that is told now.
    pub answer: Option<Answer>,
    /// Signatures that are good, and the text of each.
    pub signed: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What was written to standard error: what a panic says.
    pub stderr: String,
    /// Calls and bytes of each import.
    pub counts: BTreeMap<String, Count>,
    /// What goes wrong.
    pub chaos: Chaos,
    /// Whether calls that the SDK makes on its own go well, see
    /// [`Breach::LostContext`](crate::breach::Breach::LostContext).
    pub spares_sdk: bool,
    /// What the module did that it must not.
    pub violations: Vec<String>,
    pub(crate) versions: u32,
    pub(crate) tokens: u32,
}

/// The callback that runs.
#[derive(Clone, Debug, Default)]
pub struct Callback {
    /// Its name.
    pub name: &'static str,
    /// The context that it is for.
    pub context: u32,
    /// The imports that were called in it so far.
    pub calls: usize,
    /// Streams of other contexts that it let go on or answered.
    pub released: usize,
}

/// How often an import was called, and the bytes that it moved between the module and the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls.
    pub calls: u64,
    /// Bytes, both ways.
    pub bytes: u64,
}

/// A call-out under way.
#[derive(Clone, Debug)]
pub struct CallOut {
    /// Its number.
    pub token: u32,
    /// The context that sent it.
    pub context: u32,
    /// `:path`.
    pub path: String,
}

/// The answer to a call-out.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Headers; none: no answer in time.
    pub headers: Pairs,
    /// Body.
    pub body: Vec<u8>,
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Which policy of the corpus its root context has.
    pub policy: usize,
    /// The head as the upstream would see it.
    pub request: Pairs,
    /// The body as far as it is buffered.
    pub body: Vec<u8>,
    /// Trailers.
    pub trailers: Pairs,
    /// The head of the response.
    pub response: Pairs,
    /// Trailers of the response.
    pub response_trailers: Pairs,
    /// The head as it was handed to the module, and whether that is the whole truth.
    pub handed: Option<(Pairs, bool)>,
    /// Every value of the property `hallpass.decision`.
    pub decisions: Vec<Vec<u8>>,
    /// The other properties of `hallpass.` that were set, in their order.
    pub facts: Vec<String>,
    /// Local replies that were accepted.
    pub replies: usize,
    /// Whether it went on to the upstream.
    pub passed: bool,
    /// Whether the module closed it.
    pub closed: bool,
    /// The earliest clock that the module saw while the stream lived, nanoseconds.
    pub earliest: Option<u64>,
}

/// What an import does to the module's memory, and says.
#[derive(Debug, Default)]
pub struct Effect {
    /// The status.
    pub status: u32,
    /// Bytes to write.
    pub writes: Vec<(usize, Vec<u8>)>,
    /// Bytes to allocate and to point to.
    pub gives: Option<Given>,
    /// The module ends itself.
    pub exit: Option<u32>,
}

/// Bytes to allocate in the module's memory and to point to.
#[derive(Debug)]
pub struct Given {
    /// The bytes; `None`: a null pointer.
    pub bytes: Option<Vec<u8>>,
    /// The length that is told.
    pub len: u32,
    /// Where the pointer goes.
    pub data_at: usize,
    /// Where the length goes.
    pub len_at: usize,
}

impl Host {
    /// A host with this configuration at [`START`] that does everything right.
    pub fn new(configuration: Vec<u8>) -> Self {
        Self {
            clock: START * 1_000_000_000,
            randomness: Rng::new(1),
            environment: Vec::new(),
            configuration,
            roots: Vec::new(),
            streams: BTreeMap::new(),
            callback: Callback::default(),
            effective: 0,
            shared: BTreeMap::new(),
            metrics: BTreeMap::new(),
            call_outs: Vec::new(),
            answer: None,
            signed: BTreeMap::new(),
            stderr: String::new(),
            counts: BTreeMap::new(),
            chaos: Chaos::none(),
            spares_sdk: true,
            violations: Vec::new(),
            versions: 0,
            tokens: 0,
        }
    }

    /// Notes that a callback of this context begins.
    pub fn begin(&mut self, name: &'static str, context: u32) {
        self.callback = Callback { name, context, ..Callback::default() };
        self.effective = context;
    }

    /// Notes that a callback lets the effective stream go on, or answers it. Those of other contexts nest in Envoy: each is
    /// carried out inside the one before it, until the stack overflows.
    pub(crate) fn release(&mut self) {
        self.callback.released += usize::from(self.effective != self.callback.context);
        if self.callback.released > RELEASES_MAX {
            let (name, released) = (self.callback.name, self.callback.released);
            self.violations.push(format!("{name} releases {released} streams at once"));
        }
    }

    /// Notes that a stream goes on to the upstream, and whether it may.
    pub fn pass(&mut self, context: u32, how: &str) {
        let Some(stream) = self.streams.get_mut(&context) else {
            self.violations.push(format!("{how}: no stream {context}"));
            return;
        };
        let first = !stream.passed;
        stream.passed = true;
        let mut wrong = Vec::new();
        if stream.decisions.last().is_none_or(|decision| decision != b"allow") {
            wrong.push(format!("passes with the decisions {:?}", texts(&stream.decisions)));
        }
        if stream.replies > 0 {
            wrong.push("goes on after a reply".to_owned());
        }
        if first {
            wrong.extend(crate::oracle::judge(stream));
        }
        self.violations.extend(wrong.into_iter().map(|it| format!("{how}: stream {context} {it}")));
    }
}

/// Bytes to read.
pub fn texts(values: &[Vec<u8>]) -> Vec<String> {
    values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// A head of these pairs.
pub fn pairs(of: &[(&str, &str)]) -> Pairs {
    of.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}
