//! Forecast for one resource of a disk, by the last hour and the last day.

use std::time::Duration;

use super::level::Level;
use super::outlook::Outlook;
use super::series::Series;
use super::slope::Growth;

/// Time between two samples of the last hour.
const SPACING_OF_HOUR: Duration = Duration::from_secs(60);
/// Time between two samples of the last day.
const SPACING_OF_DAY: Duration = Duration::from_secs(24 * 60);
/// Samples of the last hour without which nothing is said.
const LEAST_OF_HOUR: usize = 10;
/// Samples of the last day without which only the last hour counts: about four hours.
const LEAST_OF_DAY: usize = 10;

/// Forecast for the bytes or the inodes of a disk. It holds at most 122 samples.
#[derive(Clone, Debug)]
pub struct Forecast {
    pub(super) hour: Series,
    pub(super) day: Series,
    last: Option<Level>,
}

impl Default for Forecast {
    fn default() -> Self {
        let [hour, day] = [SPACING_OF_HOUR, SPACING_OF_DAY].map(Series::new);
        Self { hour, day, last: None }
    }
}

impl Forecast {
    /// Adds the `level` at a time `at`, counted from any fixed moment. Samples may be closer to each other than
    /// the forecast needs; the growth ignores those, and samples whose time runs backwards.
    pub fn add(&mut self, at: Duration, level: Level) {
        self.last = Some(level);
        self.hour.add(at, level.used);
        self.day.add(at, level.used);
    }

    /// Returns the outlook at the time of the last sample.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        let Some(last) = self.last else { return Outlook::Unknown };
        if last.free() == 0 {
            return if last.capacity == 0 { Outlook::Unknown } else { Outlook::Full };
        }
        match self.growth(last) {
            None => Outlook::Unknown,
            Some(growth) => growth.outlook(last.free()),
        }
    }

    /// Returns the growth that the samples show; `None` if they are too few.
    fn growth(&self, last: Level) -> Option<Growth> {
        let hour = Growth::of(&self.hour, LEAST_OF_HOUR);
        let Some(day) = Growth::of(&self.day, LEAST_OF_DAY) else { return hour };
        // A log that is rotated rises for hours and falls again: a faster hour counts only once the disk is
        // fuller than it was before.
        let is_record = self.day.before(self.hour.span()).is_none_or(|most| last.used > most);
        Some(hour.filter(|hour| is_record && hour.exceeds(&day)).unwrap_or(day))
    }
}
