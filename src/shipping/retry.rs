//! Times between attempts to send a batch.

use std::time::Duration;

/// Bound of the time after the first failure. It doubles with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// Longest time between two attempts, unless the server asks for a longer one.
const LONGEST: Duration = Duration::from_secs(60);

/// Exponential back-off with jitter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retry {
    failures: u32,
}

impl Retry {
    /// Returns the time to wait after another failure. `fraction` is a random number from 0 to less than 1:
    /// the time is between half of its bound and the bound, so that processes do not send at the same time.
    pub fn pause(&mut self, fraction: f64) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(0.5 + fraction / 2.0)
    }

    /// Returns true if the last attempt failed.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Begins again after a success.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}
