//! Growth of a series: the median of the slopes of all pairs of samples, and its range.

use std::time::Duration;

use super::outlook::{HORIZON, Outlook};
use super::series::Series;

/// Standard deviations of the range: nine in ten (Sen 1968).
const DEVIATIONS: f64 = 1.645;
/// Least share of the median slope by which the highest use has to rise, too.
const LEAST_RISE: f64 = 0.25;

/// Growth in units per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    low: f64,
    likely: f64,
    high: f64,
}

impl Growth {
    const NONE: Self = Self { low: 0.0, likely: 0.0, high: 0.0 };

    /// Returns the growth of a series of `least` samples or more. It is none unless both the median slope and
    /// the highest use rise: within the teeth of a saw, most pairs rise although nothing grows.
    pub(super) fn of(series: &Series, least: usize) -> Option<Self> {
        let points = series.points();
        if points.len() < least.max(3) {
            return None;
        }
        let slopes = slopes(&points);
        let middle = slopes.get(slopes.len() / 2)?;
        let [low, high] = range(points.len(), slopes.len()).map(|at| slopes.get(at));
        let (low, likely, high) = (*low?, *middle, *high?);
        let rise = rise(&points);
        if low <= 0.0 || rise < likely * LEAST_RISE {
            return Some(Self::NONE);
        }
        let is_saw = rise * 2.0 < low;
        Some(Self { low: low.min(rise), likely: if is_saw { rise } else { likely }, high })
    }

    /// Returns true if even the least growth is faster than the fastest of `other`.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        self.low > other.high
    }

    /// Returns the outlook of a disk with this growth and `free` units left.
    #[expect(clippy::cast_precision_loss, reason = "a forecast needs no more digits")]
    pub(super) fn outlook(&self, free: u64) -> Outlook {
        let until = |rate: f64| {
            let seconds = free as f64 / rate;
            Duration::try_from_secs_f64(seconds).map_or(HORIZON, |time| time.min(HORIZON))
        };
        let likely = until(self.likely);
        if self.likely <= 0.0 || likely >= HORIZON {
            return Outlook::Steady;
        }
        Outlook::Fills { soonest: until(self.high), likely, latest: until(self.low) }
    }
}

/// Returns the slopes of all pairs, sorted.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let pairs = points.iter().enumerate().flat_map(|(at, from)| {
        points[at + 1..].iter().map(move |to| (to.1 - from.1) / (to.0 - from.0))
    });
    let mut slopes: Vec<f64> = pairs.filter(|slope| slope.is_finite()).collect();
    slopes.sort_by(f64::total_cmp);
    slopes
}

/// Returns the places of the ends of the range among `count` sorted slopes of a number of points.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there are at most 1830 slopes, and the places are clamped"
)]
fn range(points: usize, count: usize) -> [usize; 2] {
    let (n, all) = (points as f64, count as f64);
    let spread = DEVIATIONS * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let last = count.saturating_sub(1);
    let [low, high] = [((all - spread) / 2.0).floor(), ((all + spread) / 2.0).ceil()];
    [low, high].map(|place| (place.max(0.0) as usize).min(last))
}

/// Returns the rise per second of the highest use, from one half of the time to the other.
fn rise(points: &[(f64, f64)]) -> f64 {
    let (earlier, later) = points.split_at(points.len() / 2);
    let most = |points: &[(f64, f64)]| points.iter().map(|point| point.1).fold(0.0, f64::max);
    let end = |points: &[(f64, f64)]| points.last().map_or(0.0, |point| point.0);
    let time = end(later) - end(earlier);
    if time > 0.0 { (most(later) - most(earlier)) / time } else { 0.0 }
}
