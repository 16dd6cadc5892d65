//! Clocks of a reactor. No other file reads the clock of the system.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use crate::time::Now;

/// A source of time for a reactor: the system's clocks, or a virtual one in tests.
pub trait Clock: std::fmt::Debug {
    /// Returns the current time of both clocks, monotonic and wall.
    fn now(&self) -> Now;
}

/// The system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clocks")]
    fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: SystemTime::now() }
    }
}

/// A clock that stands still until it is advanced. Clones share the time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Mutex<Now>>);

impl VirtualClock {
    /// Creates a clock that shows `wall` as the time of day.
    #[must_use]
    pub fn at(wall: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Now { mono: SystemClock.now().mono, wall })))
    }

    /// Advances both clocks by `time`.
    pub fn advance(&self, time: Duration) {
        self.change(|now| {
            now.mono += time;
            now.wall += time;
        });
    }

    /// Advances both clocks until the monotonic one shows `at`; does nothing if `at` has passed.
    pub fn advance_to(&self, at: Instant) {
        self.advance(at.saturating_duration_since(self.now().mono));
    }

    /// Sets the time of day, as an administrator or NTP does. The monotonic clock stays as it is.
    pub fn set_wall(&self, wall: SystemTime) {
        self.change(|now| now.wall = wall);
    }

    fn change(&self, by: impl FnOnce(&mut Now)) {
        by(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Shows the first second of 2026, so that dates in tests look like dates.
impl Default for VirtualClock {
    fn default() -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
