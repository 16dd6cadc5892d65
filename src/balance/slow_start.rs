//! Slow start: the weight of an endpoint that came up again rises in steps.

use std::time::{Duration, Instant};

use super::instant::after;

/// Thousandths of the weight at the beginning.
const FIRST: u64 = 100;
/// Steps of equal height from there to the whole weight.
const STEPS: u64 = 18;
const HEIGHT: u64 = (WHOLE - FIRST) / STEPS;
/// Thousandths of a whole weight.
pub(super) const WHOLE: u64 = 1000;

/// Slow start that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlowStart {
    since: Instant,
    /// Steps taken, fewer than [`STEPS`].
    step: u64,
    /// Time of the next step.
    pub(super) next: Instant,
}

impl SlowStart {
    /// Begins a slow start of length `time`; `None` if that is zero.
    pub(super) fn begin(time: Duration, now: Instant) -> Option<Self> {
        Self { since: now, step: 0, next: now }.advance(time, now)
    }

    /// Returns the state at `now`; `None` if the weight is whole.
    pub(super) fn advance(self, time: Duration, now: Instant) -> Option<Self> {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= time {
            return None;
        }
        let step = elapsed.as_nanos() * u128::from(STEPS) / time.as_nanos();
        let step = u64::try_from(step).unwrap_or(STEPS).min(STEPS - 1);
        let until = (time.as_nanos() * u128::from(step + 1)).div_ceil(u128::from(STEPS));
        let until = Duration::from_nanos(u64::try_from(until).unwrap_or(u64::MAX));
        Some(Self { step, next: after(self.since, until), ..self })
    }

    /// Returns the thousandths of the weight that are in force.
    pub(super) const fn thousandths(&self) -> u64 {
        FIRST + self.step * HEIGHT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, VirtualClock};

    #[test]
    fn weight_rises_from_a_tenth_to_the_whole() {
        for time in [Duration::from_secs(30), Duration::from_nanos(7), Duration::from_secs(1)] {
            let start = VirtualClock::default().now().mono;
            let (mut slow, mut now) = (SlowStart::begin(time, start), start);
            let mut last = 0;
            while let Some(state) = slow {
                assert!(state.thousandths() > last && state.thousandths() < WHOLE);
                assert!(last > 0 || state.thousandths() == FIRST);
                last = state.thousandths();
                assert!(state.next > now && state.next <= start + time, "{time:?}");
                now = state.next;
                slow = state.advance(time, now);
            }
            assert_eq!(now, start + time);
        }
    }

    #[test]
    fn weight_is_half_after_less_than_half_of_the_time() {
        let (start, time) = (VirtualClock::default().now().mono, Duration::from_secs(18));
        let slow = SlowStart::begin(time, start).unwrap();
        let at = |seconds| slow.advance(time, start + Duration::from_secs(seconds));
        assert_eq!(at(8).map(|slow| slow.thousandths()), Some(500));
        assert_eq!(at(17).map(|slow| slow.thousandths()), Some(950));
        assert_eq!(at(18), None);
        assert_eq!(SlowStart::begin(Duration::ZERO, start), None);
    }
}
