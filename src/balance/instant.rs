//! Sums of instants and durations that cannot overflow.

use std::time::{Duration, Instant};

/// Longest time that is waited for: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Returns the instant `time` after `now`, at most a year.
pub(super) fn after(now: Instant, time: Duration) -> Instant {
    now + time.min(LONGEST)
}
