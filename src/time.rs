//! Reading of both clocks, which is all that the rest of the crate knows of time; and durations as
//! text.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic clock, for deadlines and ages.
    pub mono: Instant,
    /// Wall clock, which may jump; for dates in messages and logs.
    pub wall: SystemTime,
}

impl Now {
    /// Returns whole seconds of the wall clock since 1970, or 0 before.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    /// Returns the time since 1970 by the wall clock, or zero before.
    #[must_use]
    pub fn since_epoch(&self) -> Duration {
        self.wall.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Parses a duration: `250ms`, `6s`, `5m` or `1h`.
#[must_use]
pub fn read_duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let factor = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    digits.parse::<u64>().ok()?.checked_mul(factor).map(Duration::from_millis)
}

/// Formats whole seconds in hours, minutes and seconds: `12m48s`.
#[must_use]
pub fn write_span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "m"), (rest, "s")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let text: String = parts.map(|(number, unit)| format!("{number}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Formats whole milliseconds in the largest unit that divides them.
#[must_use]
pub fn write_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |&&(_, factor): &&(&str, u64)| millis % factor == 0 && millis >= factor;
    let (name, factor) = UNITS.iter().find(fits).unwrap_or(&("s", 1000));
    format!("{}{name}", millis / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_in_hours_minutes_and_seconds() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (768, "12m48s"),
            (3605, "1h5s"),
            (90_061, "25h1m1s"),
        ] {
            assert_eq!(write_span(Duration::from_secs(seconds)), text);
        }
    }
}
