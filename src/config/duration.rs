//! Durations as a user writes them: a whole number and a unit, `500ms`, `2s`, `10m`, `24h`, `7d`.

use std::time::Duration;

/// Units, longest first, with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration that a configuration may hold, so that arithmetic on it has room.
pub(super) const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Reads a duration; `None` for everything else, also for what overflows.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_millis(number.checked_mul(*unit_ms)?))
}

/// Writes a duration in the longest unit that holds it without a rest.
pub(super) fn display(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = UNITS.iter().find(|(_, unit_ms)| ms > 0 && ms.is_multiple_of(*unit_ms));
    let (unit, unit_ms) = fits.unwrap_or(&("ms", 1));
    format!("{}{unit}", ms.checked_div(*unit_ms).unwrap_or(ms))
}
