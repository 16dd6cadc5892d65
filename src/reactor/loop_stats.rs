//! Statistics of a reactor's load: durations of turns, and lag of deadlines.

use std::time::Duration;

/// Durations and lags since the reactor was created.
#[derive(Clone, Debug, Default)]
pub struct LoopStats {
    /// Durations of turns that had something to do, from the end of one poll to the beginning of
    /// the next.
    pub turns: Histogram,
    /// Time between the earliest due deadline and the turn that handled it, once per turn.
    pub lag: Histogram,
}

/// Durations counted in five classes, with their sum and maximum.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: [u64; Self::BOUNDS.len()],
    all: u64,
    total: Duration,
    longest: Duration,
}

impl Histogram {
    /// Upper bounds of the classes. A duration counts for the first bound that is not exceeded; one
    /// of more than a second counts in the total only.
    pub const BOUNDS: [Duration; 5] = [
        Duration::from_micros(100),
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_secs(1),
    ];

    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        if let Some(at) = Self::BOUNDS.iter().position(|&bound| duration <= bound) {
            self.counts[at] += 1;
        }
        self.all += 1;
        self.total += duration;
        self.longest = self.longest.max(duration);
    }

    /// Returns each bound with the number of durations that did not exceed it: a cumulative count,
    /// as in Prometheus.
    pub fn up_to(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Self::BOUNDS.into_iter().zip(counts)
    }

    /// Returns the number of all durations.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.all
    }

    /// Returns the sum of all durations.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.total
    }

    /// Returns the longest duration.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_bounds_they_do_not_exceed() {
        let mut spread = Histogram::default();
        for micros in [50, 100, 101, 2_000_000] {
            spread.record(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = spread.up_to().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3]);
        assert_eq!((spread.count(), spread.longest()), (4, Duration::from_secs(2)));
        assert_eq!(spread.total(), Duration::from_micros(2_000_251));
    }
}
