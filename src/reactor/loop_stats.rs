//! How busy a reactor is: how long its turns take, and how late deadlines are noticed.

use std::time::Duration;

/// The load since the reactor was made.
#[derive(Clone, Debug, Default)]
pub struct LoopStats {
    /// How long turns took that had something to do, from the end of the poll to the next.
    pub turns: Histogram,
    /// By how much deadlines had passed when they were noticed.
    pub lag: Histogram,
}

/// How durations are spread.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: [u64; Self::BOUNDS.len()],
    all: u64,
    total: Duration,
    longest: Duration,
}

impl Histogram {
    /// Durations are counted by the first of these that they do not exceed.
    pub const BOUNDS: [Duration; 5] = [
        Duration::from_micros(100),
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_secs(1),
    ];

    pub(super) fn record(&mut self, duration: Duration) {
        if let Some(at) = Self::BOUNDS.iter().position(|&bound| duration <= bound) {
            self.counts[at] += 1;
        }
        self.all += 1;
        self.total += duration;
        self.longest = self.longest.max(duration);
    }

    /// Each bound, and how many durations did not exceed it.
    pub fn up_to(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Self::BOUNDS.into_iter().zip(counts)
    }

    /// How many durations there were.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.all
    }

    /// Their sum.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.total
    }

    /// The longest of them.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_what_they_do_not_exceed() {
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
