//! Documents that are fetched over the network (key sets, lists): when to fetch, who fetches, and what a waiting request may
//! expect.
//!
//! One small record per document in shared data is the truth of the whole process: the last good document's times
//! and generation, and the claim of whoever fetches now. Every worker reads it on its ticks; whoever wins the swap
//! of a claim fetches. Pure: the shell reads and swaps the record, sends the request, and reports what came of it.

use std::time::Duration;

use crate::values::time::{Timestamp, micros};

pub use self::remote::Remote;

mod remote;

/// Added to the timeout of a fetch before its claim counts as abandoned (its worker may have been reloaded).
const ABANDONED_AFTER: Duration = Duration::from_secs(1);
/// `Cache-Control` never brings two regular fetches closer together than this.
const REFRESH_MIN: Duration = Duration::from_mins(1);
/// Longest pause after failures.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// How long a claim lives on after a sign of life of whoever builds an index.
const BUILD_ABANDONED_AFTER: Duration = Duration::from_secs(3);
/// How long the fetch of a long list that is due is left to others: to those who serve no requests, and among them to the one
/// that fetched last.
const PATIENCE: Duration = Duration::from_millis(750);
/// A recorded time further ahead than this is from before the clock was set back.
const CLOCK_STEP: Duration = Duration::from_secs(2);

/// The last good document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// When the request for it was sent.
    pub started: Timestamp,
    /// When to fetch the next one.
    pub refresh_at: Timestamp,
    /// When it stops serving.
    pub stale_at: Timestamp,
    /// Names its content: equal content has an equal generation.
    pub generation: u64,
    /// The version that it carries, which never goes back; 0 where documents carry none.
    pub version: u64,
    /// Which of its two places in shared data holds it.
    pub place: Place,
    /// The build that made its index; nothing to documents without one.
    pub build: u64,
}

/// One of the two places of a document in shared data: while one is read, the next document goes to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    /// The first.
    #[default]
    First,
    /// The second.
    Second,
}

/// A good document that a fetch brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Names its content.
    pub generation: u64,
    /// The version that it carries; 0 where documents carry none.
    pub version: u64,
    /// How long it may be kept, as its server says.
    pub max_age: Option<Duration>,
}

/// The shared record of one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When the latest fetch started.
    pub started: Timestamp,
    /// Until when the latest fetch is in flight; `None`: it ended.
    pub in_flight_until: Option<Timestamp>,
    /// Earliest time of the next fetch.
    pub next_at: Timestamp,
    /// Fetches that failed since the last good one.
    pub failures: u32,
    /// Names the latest fetch; every fetch has a greater one than those before it, so that an index that it builds can be told
    /// from what abandoned builders left.
    pub build: u64,
    /// The last good document.
    pub document: Option<Document>,
}

/// What a worker does on a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Idle,
    /// Swap in this record and, if the swap wins, fetch.
    Claim(Record),
}

/// What a request that needs a document not older than itself may expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// There is one: judge by it.
    Fresh,
    /// One may come in time.
    Wait,
    /// None will come in time.
    Fail {
        /// When to try again.
        retry_after: Duration,
    },
}

impl Record {
    /// Bytes of an encoded record.
    pub const LEN: usize = 87;
    const VERSION: u8 = 3;

    /// What to do now; `wanted` is the arrival of the latest request that needs a document fetched after it.
    #[inline(never)]
    pub fn on_tick(&self, remote: &Remote, wanted: Option<Timestamp>, now: Timestamp) -> Action {
        if !self.is_due(wanted, now) || !self.may_start(now) {
            return Action::Idle;
        }
        Action::Claim(Self {
            started: now,
            in_flight_until: Some(now.after(remote.timeout).after(ABANDONED_AFTER)),
            next_at: now.after(remote.cooldown),
            // The clock, so that the number grows also where the record was lost.
            build: self.build.saturating_add(1).max(now.micros()),
            ..*self
        })
    }

    /// Whether the fetch of a long list is left to others for now. Its bytes come in one piece, and copying them takes as long as
    /// it takes: Envoy's main thread, which ticks but serves no requests, holds up nobody by it. And whoever
    /// fetches again needs no more memory. `serves`: requests were seen here; `last`: the latest fetch was ours.
    pub fn is_left_to_others(
        &self,
        remote: &Remote,
        wanted: Option<Timestamp>,
        serves: bool,
        last: bool,
        now: Timestamp,
    ) -> bool {
        let patience = PATIENCE.saturating_mul(u32::from(serves).saturating_mul(2).saturating_add(u32::from(!last)));
        let earlier = Timestamp::from_micros(now.micros().saturating_sub(micros(patience)));
        self.document.is_some() && self.on_tick(remote, wanted, earlier) == Action::Idle
    }

    /// The record while the claim's answer is being worked on; `None` if the claim is no longer ours.
    pub fn on_progress(&self, started: Timestamp, now: Timestamp) -> Option<Self> {
        self.is_claim(started).then_some(Self { in_flight_until: Some(now.after(BUILD_ABANDONED_AFTER)), ..*self })
    }

    /// The record after the claim's fetch brought a good document; `None` if the claim is no longer ours. A document of
    /// an older version than the last one is a failed fetch.
    #[inline(never)]
    pub fn on_success(&self, remote: &Remote, started: Timestamp, fetched: Fetched, now: Timestamp) -> Option<Self> {
        if !self.is_claim(started) {
            return None;
        }
        if self.is_older(fetched) {
            return self.on_failure(remote, started, now);
        }
        let floor = REFRESH_MIN.min(remote.refresh);
        let interval = fetched.max_age.unwrap_or(remote.refresh).clamp(floor, remote.refresh);
        Some(Self {
            in_flight_until: None,
            next_at: started.after(remote.cooldown),
            failures: 0,
            document: Some(Document {
                started,
                refresh_at: now.after(interval),
                stale_at: now.after(remote.max_stale),
                generation: fetched.generation,
                version: fetched.version,
                place: self.place_for(fetched.generation),
                build: match self.document {
                    Some(document) if document.generation == fetched.generation => document.build,
                    _ => self.build,
                },
            }),
            ..*self
        })
    }

    /// Whether a document is of an older version than the last good one.
    pub fn is_older(&self, fetched: Fetched) -> bool {
        self.document.is_some_and(|document| fetched.version < document.version)
    }

    /// Where a document of this generation belongs: where it already is, or where the current one is not.
    pub fn place_for(&self, generation: u64) -> Place {
        match self.document {
            Some(document) if document.generation == generation => document.place,
            Some(Document { place: Place::First, .. }) => Place::Second,
            None | Some(Document { place: Place::Second, .. }) => Place::First,
        }
    }

    /// The record after the claim's fetch failed; `None` if the claim is no longer ours.
    #[inline(never)]
    pub fn on_failure(&self, remote: &Remote, started: Timestamp, now: Timestamp) -> Option<Self> {
        if !self.is_claim(started) {
            return None;
        }
        let failures = self.failures.saturating_add(1);
        let doublings = failures.saturating_sub(1).min(16);
        let pause = remote.cooldown.saturating_mul(2_u32.saturating_pow(doublings));
        let pause = pause.min(BACKOFF_MAX.max(remote.cooldown));
        Some(Self { in_flight_until: None, next_at: now.after(pause), failures, ..*self })
    }

    /// The record after the claim's fetch was given up, so that another worker may fetch; `None` if the claim is no longer
    /// ours.
    pub fn on_abandoned(&self, started: Timestamp) -> Option<Self> {
        self.is_claim(started).then_some(Self { in_flight_until: None, ..*self })
    }

    /// Whether the document may be used at `now`. Once a clock is set back nobody knows its age: one set back by more than
    /// the document's whole life must not let it serve until that time comes again.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        let is_of_now = |it: &Document| it.started.since(now) <= it.stale_at.since(it.started);
        self.document.is_some_and(|document| now < document.stale_at && is_of_now(&document))
    }

    /// What a request may expect that arrived at `arrival` and can wait until `deadline`.
    #[inline(never)]
    pub fn outlook(&self, arrival: Timestamp, deadline: Timestamp, now: Timestamp) -> Outlook {
        let is_fresh = |d: Document| d.started >= arrival && !is_ahead(d.started, now);
        if self.is_usable(now) && self.document.is_some_and(is_fresh) {
            return Outlook::Fresh;
        }
        let at_rest = self.in_flight_until.is_none() && !is_ahead(self.started, now);
        let failed_since = at_rest && self.failures > 0 && self.started >= arrival;
        let too_late = at_rest && self.next_at >= deadline;
        if failed_since || too_late || now >= deadline {
            return Outlook::Fail { retry_after: self.next_at.since(now) };
        }
        Outlook::Wait
    }

    fn is_due(&self, wanted: Option<Timestamp>, now: Timestamp) -> bool {
        let Some(document) = self.document else {
            return true;
        };
        now >= document.refresh_at
            || is_ahead(document.started, now)
            || wanted.is_some_and(|arrival| document.started < arrival && !is_ahead(arrival, now))
    }

    fn may_start(&self, now: Timestamp) -> bool {
        is_ahead(self.started, now) || (now >= self.next_at && self.in_flight_until.is_none_or(|until| now >= until))
    }

    fn is_claim(&self, started: Timestamp) -> bool {
        self.in_flight_until.is_some() && self.started == started
    }

    /// The bytes in shared data.
    #[inline(never)]
    pub fn encode(&self) -> Vec<u8> {
        let document = self.document.unwrap_or(Document {
            started: Timestamp::default(),
            refresh_at: Timestamp::default(),
            stale_at: Timestamp::default(),
            generation: 0,
            version: 0,
            place: Place::First,
            build: 0,
        });
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.push(Self::VERSION);
        bytes.push(u8::from(self.document.is_some()));
        bytes.extend_from_slice(&self.failures.to_le_bytes());
        for word in [
            self.started.micros(),
            self.in_flight_until.map_or(0, Timestamp::micros),
            self.next_at.micros(),
            document.started.micros(),
            document.refresh_at.micros(),
            document.stale_at.micros(),
            document.generation,
            document.version,
            self.build,
            document.build,
        ] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.push(u8::from(document.place == Place::Second));
        bytes
    }

    /// Reads what [`Self::encode`] wrote; anything else is as if nothing were recorded yet.
    pub fn decode(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    #[inline(never)]
    fn read(bytes: &[u8]) -> Option<Self> {
        let ([version, has_document, failures @ ..], words) = bytes.split_first_chunk::<6>()?;
        let (words, rest) = words.as_chunks::<8>();
        let [place] = rest else {
            return None;
        };
        let words: [[u8; 8]; 10] = words.try_into().ok()?;
        if *version != Self::VERSION {
            return None;
        }
        let [
            started,
            in_flight,
            next_at,
            document,
            refresh_at,
            stale_at,
            generation,
            document_version,
            build,
            document_build,
        ] = words.map(u64::from_le_bytes);
        Some(Self {
            started: Timestamp::from_micros(started),
            in_flight_until: (in_flight > 0).then(|| Timestamp::from_micros(in_flight)),
            next_at: Timestamp::from_micros(next_at),
            failures: u32::from_le_bytes(*failures),
            build,
            document: (*has_document == 1).then_some(Document {
                started: Timestamp::from_micros(document),
                refresh_at: Timestamp::from_micros(refresh_at),
                stale_at: Timestamp::from_micros(stale_at),
                generation,
                version: document_version,
                place: if *place == 1 { Place::Second } else { Place::First },
                build: document_build,
            }),
        })
    }
}

/// Whether a recorded time is from before the clock was set back.
fn is_ahead(recorded: Timestamp, now: Timestamp) -> bool {
    recorded > now.after(CLOCK_STEP)
}

/// `max-age` of a `Cache-Control` value (RFC 9111 section 5.2.2); zero for `no-store` and `no-cache`; `None`: nothing said.
#[inline(never)]
pub fn max_age(cache_control: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(cache_control).ok()?;
    let mut age = None;
    for directive in text.split(',').map(str::trim) {
        if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.trim().eq_ignore_ascii_case("max-age") {
            age = value.trim().trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    age
}

#[cfg(test)]
mod tests;
