//! Budget of retries, so that retries do not overload origins that fail already.

use std::time::Instant;

use super::settings::RetryBudget;

/// Seconds that the budget looks back.
const WINDOW: u64 = PLACES as u64;
const PLACES: usize = 10;

/// Requests and retries of one second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    requests: u64,
    retries: u64,
}

/// Requests and retries of the last 10 seconds. Retries may be as many as the share of the requests
/// and the least number for each of the seconds allow together.
#[derive(Clone, Debug)]
pub(super) struct Retries {
    start: Instant,
    seconds: [Second; PLACES],
}

impl Retries {
    pub(super) fn new(now: Instant) -> Self {
        Self { start: now, seconds: [Second::default(); PLACES] }
    }

    /// Counts a request that is no retry.
    pub(super) fn note_request(&mut self, now: Instant) {
        let second = self.second(now);
        second.requests = second.requests.saturating_add(1);
    }

    /// Counts a retry and returns true, if the budget allows one more.
    pub(super) fn may_retry(&mut self, budget: RetryBudget, now: Instant) -> bool {
        let newest = self.second(now).number;
        let recent = self.seconds.iter().filter(|second| newest - second.number < WINDOW);
        let (requests, retries) = recent.fold((0u64, 0u64), |(requests, retries), second| {
            (requests.saturating_add(second.requests), retries.saturating_add(second.retries))
        });
        let share = requests.saturating_mul(budget.percent.into()) / 100;
        let allowed = share.saturating_add(WINDOW * u64::from(budget.least_per_second));
        let may = retries < allowed;
        if may {
            self.second(now).retries += 1;
        }
        may
    }

    /// Returns the counts of the present second, or of the newest one if the clock is behind it.
    fn second(&mut self, now: Instant) -> &mut Second {
        let newest = self.seconds.iter().map(|second| second.number).max().unwrap_or(0);
        let number = now.saturating_duration_since(self.start).as_secs().max(newest);
        let place = usize::try_from(number % WINDOW).unwrap_or(0);
        let second = &mut self.seconds[place];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::reactor::{Clock, VirtualClock};

    const LOOKS_BACK: Duration = Duration::from_secs(WINDOW);

    fn allowed(retries: &mut Retries, budget: RetryBudget, now: Instant) -> usize {
        (0..10_000).take_while(|_| retries.may_retry(budget, now)).count()
    }

    #[test]
    fn retries_are_a_share_of_requests() {
        let now = VirtualClock::default().now().mono;
        let (mut retries, budget) =
            (Retries::new(now), RetryBudget { percent: 20, least_per_second: 0 });
        assert_eq!(allowed(&mut retries, budget, now), 0);
        (0..100).for_each(|_| retries.note_request(now));
        assert_eq!(allowed(&mut retries, budget, now), 20);
        let later = now + LOOKS_BACK - Duration::from_secs(1);
        assert_eq!(allowed(&mut retries, budget, later), 0);
        (0..10).for_each(|_| retries.note_request(later));
        assert_eq!(allowed(&mut retries, budget, later), 2);
        assert_eq!(allowed(&mut retries, budget, now + LOOKS_BACK), 0, "10 requests, 2 retries");
        assert_eq!(allowed(&mut retries, budget, now + 5 * LOOKS_BACK), 0);
    }

    #[test]
    fn least_number_is_always_allowed() {
        let now = VirtualClock::default().now().mono;
        let (mut retries, budget) = (Retries::new(now), RetryBudget::default());
        assert_eq!(allowed(&mut retries, budget, now), 100);
        assert_eq!(allowed(&mut retries, budget, now + LOOKS_BACK), 100);
        let off = RetryBudget { percent: 0, least_per_second: 0 };
        assert_eq!(allowed(&mut retries, off, now + 3 * LOOKS_BACK), 0);
    }
}
