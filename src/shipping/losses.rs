//! Lost lines, and reports about them.

use std::time::{Duration, Instant};

/// Shortest time between two reports.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counter of lost lines.
#[derive(Debug, Default)]
pub(super) struct Losses {
    total: u64,
    /// Lines that are not reported yet, and the last reason.
    unreported: u64,
    reason: String,
    /// Time of the last report.
    reported: Option<Instant>,
}

impl Losses {
    pub(super) fn add(&mut self, lines: u64, reason: &str) {
        self.total += lines;
        self.note(lines, reason);
    }

    /// Has lines reported that are counted elsewhere.
    pub(super) fn note(&mut self, lines: u64, reason: &str) {
        if lines > 0 {
            self.unreported += lines;
            reason.clone_into(&mut self.reason);
        }
    }

    pub(super) const fn total(&self) -> u64 {
        self.total
    }

    /// Returns the time of the next report.
    pub(super) fn due(&self) -> Option<Instant> {
        let last = self.reported.filter(|_| self.unreported > 0)?;
        Some(last + INTERVAL)
    }

    /// Returns a report of the lines that were lost since the last one, if that was long enough ago or this
    /// `is_last`.
    pub(super) fn report(&mut self, now: Instant, is_last: bool) -> Option<String> {
        let is_early = self.reported.is_some_and(|last| now < last + INTERVAL);
        if self.unreported == 0 || (is_early && !is_last) {
            return None;
        }
        self.reported = Some(now);
        let lines = std::mem::take(&mut self.unreported);
        let were = if lines == 1 { "line was" } else { "lines were" };
        Some(format!("{lines} {were} lost: {}", self.reason))
    }
}
