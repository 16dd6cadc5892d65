//! Bans of clients that fail to authenticate repeatedly.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::time::{Duration, Instant};

use lru::LruCache;

use super::secret::{Keyed, Secret};
use crate::time::{read_duration, write_duration};

/// Failures allowed to one client within a time: `20/1m`, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureLimit {
    /// Any number of failures.
    Off,
    /// So many failures within a time. A client that reaches the number is refused for the same
    /// time.
    Of(NonZeroU32, Duration),
}

impl FromStr for FailureLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let limit = text.split_once('/').and_then(|(count, period)| {
            let plain = count.bytes().all(|byte| byte.is_ascii_digit());
            let count = count.parse().ok().filter(|_| plain)?;
            let period = read_duration(period).filter(|period| !period.is_zero())?;
            Some(Self::Of(count, period))
        });
        limit.ok_or_else(|| format!("'{text}' is neither a limit such as 20/1m nor 'off'"))
    }
}

impl fmt::Display for FailureLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Of(count, period) => write!(f, "{count}/{}", write_duration(*period)),
        }
    }
}

/// Consequence of one failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Number of the client's recent failures, this one included.
    pub count: u32,
    /// Time to hold back the answer. A client that guesses is slowed down long before it is
    /// refused; one that has mistyped is not.
    pub hold: Duration,
    /// True if the client is refused from now on.
    pub is_last: bool,
}

/// Number of failures that are answered at once.
const FREE: u32 = 3;
/// Time to hold back the next failure. It doubles with each further one, up to the longest.
const FIRST_HOLD: Duration = Duration::from_millis(250);
const LONGEST_HOLD: Duration = Duration::from_secs(2);

/// Failures by client. A client is an IPv4 address, or the /64 of an IPv6 address, which belongs to
/// one customer.
///
/// A success does not reset the count; otherwise one valid account would allow unlimited guesses at
/// others. If there are too many clients, the one seen least recently is forgotten.
#[derive(Debug)]
pub struct Failures {
    limit: FailureLimit,
    clients: LruCache<IpAddr, Record, Keyed>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    count: u32,
    /// Time of the first failure counted; for a refused client, the time since which it is refused.
    since: Instant,
}

/// Most clients that are remembered.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).expect("it is not zero");

impl Failures {
    /// Returns a record without failures.
    #[must_use]
    pub fn new(limit: FailureLimit, secret: &Secret) -> Self {
        Self { limit, clients: LruCache::with_hasher(MOST, secret.hasher()) }
    }

    /// Returns the time for which `client` is still refused; `None` if it is not.
    #[must_use]
    pub fn refused(&mut self, client: IpAddr, now: Instant) -> Option<Duration> {
        let FailureLimit::Of(most, period) = self.limit else { return None };
        let record = self.clients.get(&client_network(client))?;
        let left = period.saturating_sub(now.saturating_duration_since(record.since));
        (record.count >= most.get() && !left.is_zero()).then_some(left)
    }

    /// Counts a failure of `client` and returns its consequence; `None` if there is no limit.
    pub fn add(&mut self, client: IpAddr, now: Instant) -> Option<Failure> {
        let FailureLimit::Of(most, period) = self.limit else { return None };
        let new = Record { count: 0, since: now };
        let record = self.clients.get_or_insert_mut(client_network(client), || new);
        if now.saturating_duration_since(record.since) >= period {
            *record = new;
        }
        record.count = record.count.saturating_add(1);
        let is_last = record.count == most.get();
        if is_last {
            record.since = now;
        }
        Some(Failure { count: record.count, hold: hold(record.count), is_last })
    }
}

fn hold(count: u32) -> Duration {
    let Some(doublings) = count.checked_sub(FREE + 1) else { return Duration::ZERO };
    FIRST_HOLD.saturating_mul(1 << doublings.min(10)).min(LONGEST_HOLD)
}

/// Returns the addresses that one client is likely to control, by the first of them: the IPv4
/// address, or the /64 of an IPv6 address.
#[must_use]
pub fn client_network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, SystemClock};

    fn failures(limit: &str) -> Failures {
        Failures::new(limit.parse().unwrap(), &Secret::new([1; 32]))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn limits_round_trip() {
        for text in ["off", "1/1s", "20/1m", "4294967295/250ms"] {
            assert_eq!(text.parse::<FailureLimit>().unwrap().to_string(), text);
        }
        for text in ["", "20", "0/1m", "20/", "20/0s", "/1m", "+1/1m", "20/1m/1m", "20/1", "on"] {
            assert!(text.parse::<FailureLimit>().is_err(), "{text}");
        }
    }

    #[test]
    fn client_is_refused_after_too_many_failures() {
        let (mut failures, now, client) = (failures("3/1m"), start(), ip("192.0.2.1"));
        for at in [0, 10, 50] {
            assert_eq!(failures.refused(client, now + seconds(at)), None);
            failures.add(client, now + seconds(at));
        }
        assert_eq!(failures.refused(client, now + seconds(51)), Some(seconds(59)));
        assert_eq!(failures.refused(ip("192.0.2.2"), now + seconds(51)), None);
        assert_eq!(failures.refused(ip("::ffff:192.0.2.1"), now + seconds(109)), Some(seconds(1)));
        assert_eq!(failures.refused(client, now + seconds(110)), None);
        failures.add(client, now + seconds(110));
        assert_eq!(failures.refused(client, now + seconds(110)), None, "the count starts again");
    }

    #[test]
    fn repeated_failures_are_held_back_longer() {
        let (mut failures, now) = (failures("8/1m"), start());
        let mut add = || failures.add(ip("192.0.2.1"), now).unwrap();
        let all: Vec<Failure> = (0..9).map(|_| add()).collect();
        let holds: Vec<u128> = all.iter().map(|failure| failure.hold.as_millis()).collect();
        assert_eq!(holds, [0, 0, 0, 250, 500, 1000, 2000, 2000, 2000]);
        assert!(all.iter().map(|failure| failure.count).eq(1..=9));
        assert!(all.iter().all(|failure| failure.is_last == (failure.count == 8)));
        assert_eq!(hold(u32::MAX), LONGEST_HOLD);
    }

    #[test]
    fn old_failures_do_not_count() {
        let (mut failures, now, client) = (failures("2/1m"), start(), ip("192.0.2.1"));
        for at in [0, 60, 120] {
            failures.add(client, now + seconds(at));
            assert_eq!(failures.refused(client, now + seconds(at)), None);
        }
    }

    #[test]
    fn addresses_of_one_64_are_one_client() {
        let (mut failures, now) = (failures("1/1m"), start());
        failures.add(ip("2001:db8::1"), now);
        assert!(failures.refused(ip("2001:db8::ffff:0:0:1"), now).is_some());
        assert!(failures.refused(ip("2001:db8:0:1::1"), now).is_none());
    }

    #[test]
    fn number_of_clients_is_bounded() {
        let (mut failures, now) = (failures("1/1m"), start());
        let first = u32::from_be_bytes([10, 0, 0, 0]);
        for address in (first..).take(MOST.get() + 10) {
            failures.add(IpAddr::V4(address.into()), now);
        }
        assert_eq!(failures.clients.len(), MOST.get());
        assert!(failures.refused(ip("10.0.0.1"), now).is_none());
        assert!(failures.refused(ip("10.0.0.99"), now).is_some());
    }

    #[test]
    fn no_client_is_refused_without_a_limit() {
        let (mut failures, now) = (failures("off"), start());
        assert!((0..100).all(|_| failures.add(ip("192.0.2.1"), now).is_none()));
        assert_eq!(failures.refused(ip("192.0.2.1"), now), None);
        assert!(failures.clients.is_empty());
    }

    fn start() -> Instant {
        SystemClock.now().mono
    }
}
