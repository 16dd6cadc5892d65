//! Delays between the death of a worker and the start of the next one.

use std::time::Duration;

/// Delay after a second death in a row; each further one doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// Longest delay.
const LONGEST: Duration = Duration::from_secs(30);
/// Time for which a worker has to serve until its death counts as the first one again.
const HEALTHY: Duration = Duration::from_secs(60);
/// Deaths in a row, before any worker was ready, after which the supervisor stops.
pub(super) const MOST_AT_START: u32 = 5;

/// Deaths of workers in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Restarts {
    deaths: u32,
}

impl Restarts {
    /// Counts the death of a worker that was ready for the time `served`. Returns the delay until the next
    /// start: none for the first death in a row, then 100 ms, and twice as long each time up to 30 s.
    pub(super) fn count(&mut self, served: Duration) -> Duration {
        if served >= HEALTHY {
            self.deaths = 0;
        }
        self.deaths = self.deaths.saturating_add(1);
        match self.deaths {
            1 => Duration::ZERO,
            more => FIRST.saturating_mul(1 << (more - 2).min(16)).min(LONGEST),
        }
    }

    /// Returns the number of deaths in a row.
    pub(super) const fn deaths(&self) -> u32 {
        self.deaths
    }
}
