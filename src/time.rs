//! One reading of both clocks, which is all the rest of the crate knows of time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the clocks said, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock: for deadlines and ages.
    pub mono: Instant,
    /// The wall clock, which may jump: for dates in messages and logs.
    pub wall: SystemTime,
}

impl Now {
    /// Whole seconds of the wall clock since 1970, or 0 before.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.since_epoch().as_secs()
    }

    /// The wall clock's time since 1970, or zero before.
    #[must_use]
    pub fn since_epoch(&self) -> Duration {
        self.wall.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}
