//! Requests of each client, counted against a limit.

use std::time::{Duration, Instant};

use super::client::ClientKey;
use super::rate_limit::RateLimit;
use super::recent::Recent;

/// Requests by client, limited by the generic cell rate algorithm (ITU-T I.371): each request moves
/// the client's theoretical arrival time by the interval between two requests, and a request is
/// allowed while that time is at most a burst ahead.
///
/// A client may send `burst` requests at once. Further requests are allowed at the interval, which
/// is rounded up to a nanosecond. Refused requests cost nothing.
///
/// The client seen least recently is forgotten if there are too many, and may then send a burst
/// again.
#[derive(Debug)]
pub struct RateLimiter {
    limit: RateLimit,
    /// Theoretical arrival time of each client's next request.
    arrivals: Recent<ClientKey, Instant>,
}

impl RateLimiter {
    /// Returns a limiter that remembers `bound` clients.
    #[must_use]
    pub fn new(limit: RateLimit, bound: usize) -> Self {
        Self { limit, arrivals: Recent::new(bound) }
    }

    /// Returns the limit.
    #[must_use]
    pub const fn limit(&self) -> &RateLimit {
        &self.limit
    }

    /// Changes the limit. Clients keep what they have used of a burst, unless clients are counted
    /// by another unit from now on: no client waits longer than the new limit makes it wait.
    pub fn set_limit(&mut self, limit: RateLimit) {
        if limit.by != self.limit.by {
            self.arrivals.clear();
        }
        self.limit = limit;
    }

    /// Counts a request at `now`.
    ///
    /// # Errors
    /// The time until the next request is allowed, if this one is not.
    pub fn take(&mut self, key: &ClientKey, now: Instant) -> Result<(), Duration> {
        let (interval, ahead) = (self.interval(), self.ahead());
        let arrival = self.arrivals.touch(key, || now);
        let most = ahead.saturating_add(interval); // more is left of a former limit
        let used = arrival.saturating_duration_since(now).min(most);
        let cost = if used > ahead { Duration::ZERO } else { interval };
        *arrival = now.checked_add(used.saturating_add(cost)).unwrap_or(*arrival);
        if used > ahead { Err(used - ahead) } else { Ok(()) }
    }

    /// Returns the time between two requests.
    fn interval(&self) -> Duration {
        let nanos = self.limit.per.as_nanos().div_ceil(u128::from(self.limit.requests.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Returns how far the theoretical arrival time may be ahead when a request arrives.
    fn ahead(&self) -> Duration {
        self.interval().saturating_mul(self.limit.burst.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::throttle::ClientUnit;
    use crate::throttle::tests::{address, millis, start};
    use crate::work::{LOOK_UP, Mark};

    fn limiter(limit: &str) -> RateLimiter {
        RateLimiter::new(limit.parse().unwrap(), 1000)
    }

    const NANO: Duration = Duration::from_nanos(1);

    #[test]
    fn burst_is_allowed_and_then_the_rate() {
        let (mut limiter, now, key) = (limiter("10/s burst=3"), start(), address(1));
        for _ in 0..3 {
            assert_eq!(limiter.take(&key, now), Ok(()));
        }
        for _ in 0..5 {
            assert_eq!(limiter.take(&key, now), Err(millis(100)), "a refusal costs nothing");
        }
        assert_eq!(limiter.take(&key, now + millis(100) - NANO), Err(NANO));
        assert_eq!(limiter.take(&key, now + millis(100)), Ok(()));
        assert_eq!(limiter.take(&key, now + millis(100)), Err(millis(100)));
        let later = now + millis(250); // one request is allowed since 200 ms, the next at 300 ms
        assert_eq!(limiter.take(&key, later), Ok(()));
        assert_eq!(limiter.take(&key, later), Err(millis(50)));
        assert_eq!(limiter.take(&address(2), later), Ok(()), "another client is not concerned");
    }

    #[test]
    fn burst_is_allowed_again_after_a_pause() {
        let (mut limiter, now, key) = (limiter("5/s"), start(), address(1));
        let allowed = |limiter: &mut RateLimiter, at: Instant| {
            (0..100).take_while(|_| limiter.take(&key, at).is_ok()).count()
        };
        assert_eq!(allowed(&mut limiter, now), 5);
        assert_eq!(allowed(&mut limiter, now + millis(400)), 2);
        assert_eq!(allowed(&mut limiter, now + millis(400) + millis(999)), 4);
        assert_eq!(allowed(&mut limiter, now + millis(1_000_000)), 5, "the burst does not grow");
    }

    #[test]
    fn client_that_retries_as_told_gets_the_rate() {
        for (limit, seconds, allowed) in [
            ("600/m burst=1", 60, 601),
            ("7/s burst=1", 10, 70),
            ("100/s", 10, 1100),
            ("1/h", 3600, 2),
        ] {
            let (mut limiter, start, key) = (limiter(limit), start(), address(1));
            let (mut now, mut count) = (start, 0);
            while now <= start + Duration::from_secs(seconds) {
                match limiter.take(&key, now) {
                    Ok(()) => count += 1,
                    Err(wait) => now += wait,
                }
            }
            assert_eq!(count, allowed, "{limit}");
        }
    }

    #[test]
    fn changed_limit_counts_at_once() {
        let (mut limiter, now, key) = (limiter("1/h"), start(), address(1));
        assert_eq!(limiter.take(&key, now), Ok(()));
        assert_eq!(limiter.take(&key, now), Err(millis(3_600_000)));
        limiter.set_limit("10/s".parse().unwrap());
        assert_eq!(limiter.limit().to_string(), "10/s");
        assert_eq!(limiter.take(&key, now), Err(millis(100)));
        assert_eq!(limiter.take(&key, now + millis(100)), Ok(()));
        limiter.set_limit("10/s by=network".parse().unwrap());
        assert_eq!(limiter.take(&key, now + millis(100)), Ok(()), "networks are other clients");
    }

    #[test]
    fn users_have_limits_of_their_own() {
        let (mut limiter, now) = (limiter("1/s by=user"), start());
        let key = |user: Option<&str>| {
            let user = user.map(Arc::from);
            ClientKey::of(limiter.limit().by, [192, 0, 2, 1].into(), user.as_ref())
        };
        let [ann, bob, none] = [key(Some("ann")), key(Some("bob")), key(None)];
        for key in [&ann, &bob, &none] {
            assert_eq!(limiter.take(key, now), Ok(()));
            assert_eq!(limiter.take(key, now), Err(millis(1000)));
        }
    }

    #[test]
    fn largest_values_do_not_overflow() {
        let by = ClientUnit::Address;
        let mut limiter =
            RateLimiter::new(RateLimit { requests: 1, per: Duration::MAX, burst: u32::MAX, by }, 1);
        assert_eq!(limiter.take(&address(1), start()), Ok(()));
        limiter.set_limit(RateLimit { requests: 0, per: Duration::ZERO, burst: 0, by });
        assert_eq!(limiter.take(&address(1), start()), Ok(()));
    }

    #[test]
    fn million_clients_take_bounded_memory_and_steps() {
        let (mut limiter, now) = (limiter("1/h"), start());
        let before = Mark::now();
        for bits in 0..1_000_000 {
            assert_eq!(limiter.take(&address(bits), now), Ok(()));
        }
        assert_eq!(limiter.arrivals.len(), 1000);
        assert!(before.steps() <= 1_000_000 * 2 * LOOK_UP as u64, "{} steps", before.steps());
        assert!(limiter.take(&address(999_000), now).is_err(), "the last thousand are known");
        assert!(limiter.take(&address(998_999), now).is_ok(), "the one before is forgotten");
    }
}
