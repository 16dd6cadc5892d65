//! A bounded series of samples, spaced evenly.

use std::collections::VecDeque;
use std::time::Duration;

/// Most samples of a series: an hour of minutes, or a day of 24 minutes.
pub(super) const MOST: u32 = 61;

/// The last samples, at least the spacing apart.
#[derive(Clone, Debug)]
pub(super) struct Series {
    spacing: Duration,
    /// Times and used units, oldest first.
    points: VecDeque<(Duration, u64)>,
}

impl Series {
    pub(super) const fn new(spacing: Duration) -> Self {
        Self { spacing, points: VecDeque::new() }
    }

    /// Adds a sample, unless the last one is too close to it.
    pub(super) fn add(&mut self, at: Duration, used: u64) {
        let due = self.points.back().map(|(last, _)| last.saturating_add(self.spacing));
        if due.is_some_and(|due| at < due) {
            return;
        }
        self.points.push_back((at, used));
        let since = at.saturating_sub(self.span());
        let is_old = |point: &(Duration, u64)| point.0 < since;
        while self.points.len() > MOST as usize || self.points.front().is_some_and(is_old) {
            self.points.pop_front();
        }
    }

    /// Returns the time that the series covers at most.
    pub(super) fn span(&self) -> Duration {
        self.spacing.saturating_mul(MOST - 1)
    }

    /// Returns the largest use that is older than `age`, seen from the last sample.
    pub(super) fn before(&self, age: Duration) -> Option<u64> {
        let until = self.points.back()?.0.saturating_sub(age);
        self.points.iter().filter(|(at, _)| *at < until).map(|(_, used)| *used).max()
    }

    /// Returns the seconds since the first sample, and the use in units, of each sample.
    #[expect(clippy::cast_precision_loss, reason = "a slope needs no more digits")]
    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        let first = self.points.front().map_or(Duration::ZERO, |point| point.0);
        let point = |&(at, used): &(Duration, u64)| ((at - first).as_secs_f64(), used as f64);
        self.points.iter().map(point).collect()
    }
}
