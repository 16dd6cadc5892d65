//! Offences of each client, counted in sliding windows.

use std::time::{Duration, Instant};

use crate::access::Cidr;
use crate::throttle::recent::Recent;

/// Offences by rule and network. The one counted least recently is forgotten if there are too many.
///
/// A window is cut into eight slices, the first of which begins with the first offence. The current
/// slice and the seven before it count, so that an offence as old as the window never counts, and
/// one younger than seven eighths of it always does. All of a window's offences count until as much
/// time has passed since the first one.
#[derive(Debug)]
pub(super) struct Counters {
    windows: Recent<(RuleId, Cidr), Window>,
}

/// Number of a rule, which no other rule ever gets.
pub(super) type RuleId = u64;

const SLICES: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Window {
    /// Offences by slice. The slice with number `n` is at `n` modulo [`SLICES`].
    counts: [u32; SLICES],
    /// Start of slice 0.
    start: Instant,
    /// Number of the current slice.
    slice: u128,
}

impl Counters {
    /// Returns counters for `bound` pairs of a rule and a network.
    pub(super) fn new(bound: usize) -> Self {
        Self { windows: Recent::new(bound) }
    }

    /// Counts an offence of `network` under a rule with the window `within`, and returns the number
    /// of offences in the window, this one included.
    pub(super) fn add(
        &mut self,
        rule: RuleId,
        network: Cidr,
        within: Duration,
        now: Instant,
    ) -> u32 {
        let new = Window { counts: [0; SLICES], start: now, slice: 0 };
        let window = self.windows.touch(&(rule, network), || new);
        if !window.advance(within, now) {
            *window = new;
        }
        window.add()
    }

    /// Forgets the offences of `network` under a rule.
    pub(super) fn forget(&mut self, rule: RuleId, network: Cidr) {
        self.windows.remove(&(rule, network));
    }

    /// Forgets the offences of all networks inside `outer`, under all rules.
    pub(super) fn forget_inside(&mut self, outer: &Cidr) {
        self.windows.retain(|(_, network)| !outer.covers(network));
    }

    /// Returns the number of counters.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }
}

impl Window {
    /// Makes the slice of `now` the current one. Returns false if no offence counts any more.
    fn advance(&mut self, within: Duration, now: Instant) -> bool {
        let length = (within.as_nanos() / SLICES as u128).max(1);
        let slice = now.saturating_duration_since(self.start).as_nanos() / length;
        let passed = slice.saturating_sub(self.slice);
        if passed >= SLICES as u128 {
            return false;
        }
        for number in (self.slice + 1)..=slice {
            self.counts[place(number)] = 0;
        }
        self.slice = self.slice.max(slice);
        true
    }

    /// Counts an offence in the current slice, and returns the number of all that count.
    fn add(&mut self) -> u32 {
        let current = &mut self.counts[place(self.slice)];
        *current = current.saturating_add(1);
        self.counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }
}

fn place(slice: u128) -> usize {
    usize::try_from(slice % SLICES as u128).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::throttle::tests::{millis, start};

    const WITHIN: Duration = Duration::from_secs(8);
    const NANO: Duration = Duration::from_nanos(1);

    fn network() -> Cidr {
        "192.0.2.1".parse().unwrap()
    }

    /// Adds offences at these times, and returns the last count.
    fn count(times: &[Duration]) -> u32 {
        let (mut counters, start) = (Counters::new(10), start());
        times.iter().fold(0, |_, &time| counters.add(1, network(), WITHIN, start + time))
    }

    #[test]
    fn offence_counts_until_it_is_as_old_as_the_window() {
        let zero = Duration::ZERO;
        assert_eq!(count(&[zero]), 1);
        assert_eq!(count(&[zero, zero, zero]), 3);
        assert_eq!(count(&[zero, WITHIN - NANO]), 2);
        assert_eq!(count(&[zero, WITHIN]), 1);
        assert_eq!(count(&[zero, 100 * WITHIN]), 1);
    }

    #[test]
    fn window_slides_by_an_eighth() {
        let times = [0, 900, 1000, 7999].map(millis);
        assert_eq!(count(&times), 4);
        let slid = |last: u64| count(&[&times[..], &[millis(last)]].concat());
        assert_eq!(slid(8000), 3, "the first slice, with two offences, has left");
        assert_eq!(slid(8999), 3);
        assert_eq!(slid(9000), 2, "the second slice has left");
        assert_eq!(slid(14_999), 2);
        assert_eq!(slid(15_000), 1, "all have left");
    }

    #[test]
    fn rules_and_networks_are_counted_apart() {
        let (mut counters, now, other) =
            (Counters::new(10), start(), "192.0.2.0/24".parse().unwrap());
        for _ in 0..3 {
            counters.add(1, network(), WITHIN, now);
        }
        assert_eq!(counters.add(2, network(), WITHIN, now), 1);
        assert_eq!(counters.add(1, other, WITHIN, now), 1);
        counters.forget(1, network());
        assert_eq!(counters.add(1, network(), WITHIN, now), 1);
        assert_eq!(counters.add(2, network(), WITHIN, now), 2);
        counters.forget_inside(&network());
        assert_eq!(counters.len(), 1, "the wider network keeps its count");
        assert_eq!(counters.add(1, other, WITHIN, now), 2);
    }

    #[test]
    fn clock_behind_the_first_offence_is_harmless() {
        let (mut counters, now) = (Counters::new(10), start() + WITHIN);
        counters.add(1, network(), WITHIN, now);
        counters.add(1, network(), WITHIN, now + millis(3000));
        assert_eq!(counters.add(1, network(), WITHIN, now - millis(3000)), 3);
    }

    proptest! {
        /// The count is at most that of an exact window, and at least that of one of seven eighths.
        #[test]
        fn count_is_near_that_of_an_exact_window(pauses in vec(0u64..3000, 1..60)) {
            let (mut counters, start, mut now) = (Counters::new(10), start(), 0);
            let mut times = Vec::new();
            for pause in pauses {
                now += pause;
                times.push(now);
                let count = counters.add(1, network(), WITHIN, start + millis(now));
                let younger = |age: u64| times.iter().filter(|&&time| now - time < age).count();
                prop_assert!(count as usize <= younger(8000));
                prop_assert!(count as usize >= younger(7000));
            }
        }
    }
}
