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

/// Durations counted in classes, with their sum and maximum.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: [u64; Self::BOUNDS.len()],
    all: u64,
    total: Duration,
    longest: Duration,
}

impl Histogram {
    /// Upper bounds of the classes. A duration counts for the first bound that is not exceeded; one
    /// of more than a minute counts in the total only.
    pub const BOUNDS: [Duration; 18] = [
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(60),
    ];

    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        let class = Self::BOUNDS.partition_point(|&bound| bound < duration);
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1;
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
        for micros in [50, 100, 101, 61_000_000] {
            spread.record(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = spread.up_to().map(|(_, count)| count).collect();
        assert_eq!(counts[..3], [2, 3, 3]);
        assert_eq!(counts.last(), Some(&3));
        assert_eq!((spread.count(), spread.longest()), (4, Duration::from_secs(61)));
        assert_eq!(spread.total(), Duration::from_micros(61_000_251));
    }
}
