//! Wall-clock time as the core sees it: a value that the shell reads from the host, never a call.

use std::time::Duration;

use serde_json::Value;

use crate::values::json::tape::Node;

/// First second after the year 9999, the last that RFC 3339 and HTTP dates can name.
pub const SECS_END: u64 = 253_402_300_800;

/// A moment: microseconds since the Unix epoch, UTC, leap seconds not counted (POSIX time).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch; saturates at the end of time.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The moment `by` later; saturates.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A duration in whole microseconds, saturating.
pub const fn micros(duration: Duration) -> u64 {
    // Not by `as_micros`: 128 bits are slow in wasm.
    let secs = duration.as_secs();
    if secs > u64::MAX / 1_000_000 {
        return u64::MAX;
    }
    secs.wrapping_mul(1_000_000).saturating_add(duration.subsec_micros() as u64)
}

/// Whole seconds, rounded up.
pub(crate) fn seconds_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

/// Reads a date and time of RFC 3339, such as `2026-01-01T00:00:00Z`; `None` for everything else, also before 1970.
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(moment.timestamp_micros()).ok().map(Timestamp::from_micros)
}

/// The same, of a whole second that every clock can name, with a known offset from UTC: no fraction, no leap second, no
/// `-00:00` (RFC 3339 section 4.3), nothing after the year 9999.
pub fn whole_second(text: &str) -> Option<Timestamp> {
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    // chrono counts a leap second as more than a second's nanoseconds.
    let is_whole = moment.timestamp_subsec_nanos() == 0;
    let is_strict = text.is_ascii() && !text.contains(' ') && !text.ends_with("-00:00");
    let secs = u64::try_from(moment.timestamp()).ok().filter(|secs| *secs < SECS_END)?;
    (is_whole && is_strict).then(|| Timestamp::from_secs(secs))
}

/// RFC 7519 section 2, `NumericDate`: `None` unless it is a number from 1970 to the end of 9999.
pub fn numeric_date(value: &Value) -> Option<Timestamp> {
    match value.as_u64() {
        Some(secs) => whole_date(secs),
        None => fractional_date(value.as_f64()?),
    }
}

/// The same of a value of a tape.
pub(crate) fn date_of(value: Node<'_>) -> Option<Timestamp> {
    match value.unsigned() {
        Some(secs) => whole_date(secs),
        None => fractional_date(value.float()?),
    }
}

fn whole_date(secs: u64) -> Option<Timestamp> {
    (secs < SECS_END).then(|| Timestamp::from_secs(secs))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked, rounding down is meant"
)]
#[expect(clippy::cast_precision_loss, reason = "the bound has fewer than 53 bits")]
fn fractional_date(secs: f64) -> Option<Timestamp> {
    (0.0..SECS_END as f64).contains(&secs).then(|| Timestamp::from_micros((secs * 1e6) as u64))
}

#[cfg(test)]
mod tests;
