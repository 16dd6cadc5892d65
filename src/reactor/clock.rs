//! The one place that reads clocks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use crate::time::Now;

/// Where a reactor has its time from.
pub trait Clock: std::fmt::Debug {
    /// Both clocks, now.
    fn now(&self) -> Now;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock the others are told to use")]
    fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: SystemTime::now() }
    }
}

/// A clock that stands still until it is moved. Its clones show the same time.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Mutex<Now>>);

impl VirtualClock {
    /// A clock that shows `wall` as the time of day.
    #[must_use]
    pub fn at(wall: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Now { mono: SystemClock.now().mono, wall })))
    }

    /// Lets `time` pass on both clocks.
    pub fn advance(&self, time: Duration) {
        self.change(|now| {
            now.mono += time;
            now.wall += time;
        });
    }

    /// Lets time pass until `at`, if that is still ahead.
    pub fn advance_to(&self, at: Instant) {
        self.advance(at.saturating_duration_since(self.now().mono));
    }

    /// Sets the time of day, as an administrator or NTP would; the monotonic clock does not notice.
    pub fn set_wall(&self, wall: SystemTime) {
        self.change(|now| now.wall = wall);
    }

    fn change(&self, by: impl FnOnce(&mut Now)) {
        by(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The first second of 2026, so that a test's dates look like dates.
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
