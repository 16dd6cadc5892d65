//! Outlooks, and their text.

use std::fmt::{self, Display};
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Time beyond which a disk counts as not filling.
pub(super) const HORIZON: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Expected future of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The samples are too few.
    Unknown,
    /// The disk is not filling, or not within a year.
    Steady,
    /// The disk is full after these times, each at most a year.
    Fills {
        /// Time by the fastest growth that the samples support.
        soonest: Duration,
        /// Time by the median growth.
        likely: Duration,
        /// Time by the slowest growth that the samples support.
        latest: Duration,
    },
    /// Nothing is free.
    Full,
}

impl Outlook {
    /// Returns the likely time until the disk is full; `None` if it is not filling.
    #[must_use]
    pub const fn full_in(self) -> Option<Duration> {
        match self {
            Self::Unknown | Self::Steady => None,
            Self::Fills { likely, .. } => Some(likely),
            Self::Full => Some(Duration::ZERO),
        }
    }
}

/// The text after the name of the disk, such as `is full in 6d 4h (5d to 8d)`.
impl Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("was not watched long enough for a forecast"),
            Self::Steady => f.write_str("is not filling"),
            Self::Full => f.write_str("is full"),
            Self::Fills { soonest, likely, latest } => {
                let [from, to] = [rough(*soonest), rough(*latest)];
                write!(f, "is full in {} ({from} to {to})", span(*likely))
            }
        }
    }
}

/// Formats a time in its two largest units: `6d 4h`, `3h 10m`, `12m`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / DAY, seconds / HOUR % 24, seconds / MINUTE % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, hours) => format!("{hours}h {minutes}m"),
        (days, hours) => format!("{days}d {hours}h"),
    }
}

/// Formats a time in its largest unit.
fn rough(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m")];
    let unit = units.into_iter().find(|(unit, _)| seconds >= 2 * unit);
    let (unit, name) = unit.unwrap_or((MINUTE, "m"));
    format!("{}{name}", (seconds + unit / 2) / unit)
}
