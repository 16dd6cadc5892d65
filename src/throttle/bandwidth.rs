//! Bytes of each client, counted against a limit.

use std::time::{Duration, Instant};

use super::bandwidth_limit::BandwidthLimit;
use super::client::ClientKey;
use super::recent::Recent;

/// Bytes by client, limited by token buckets. A bucket holds `burst` bytes at most, is full at
/// first, and is filled with `bytes` a second. Connections of one client that must wait are granted
/// bytes one after the other.
///
/// The client seen least recently is forgotten if there are too many, and has a full bucket again.
#[derive(Debug)]
pub struct Bandwidth {
    limit: BandwidthLimit,
    buckets: Recent<ClientKey, Bucket>,
}

/// Bytes that a client may send or receive now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Bytes granted, which may be 0.
    pub bytes: u64,
    /// Time until more bytes are granted; `None` if all wanted bytes are granted now. If no bytes are
    /// granted, the caller's turn is after this time.
    pub wait: Option<Duration>,
}

/// Bytes of a client, in billionths: in this unit, a nanosecond adds the bytes of a second.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: u128,
    at: Instant,
    /// The latest turn of those that wait.
    last_turn: Instant,
}

/// Units of a bucket in a byte.
const UNITS: u128 = 1_000_000_000;

/// Parts of a second in which a client gets bytes: a grant has at least the bytes of one part, if
/// so many are wanted. Otherwise a connection would wake for each byte.
const PARTS: u64 = 20;
/// Shortest wait: with many that want little, shorter ones would only wake the caller more often.
const SHORTEST: Duration = Duration::from_millis(1);

impl Bandwidth {
    /// Returns full buckets, and remembers `bound` clients.
    #[must_use]
    pub fn new(limit: BandwidthLimit, bound: usize) -> Self {
        Self { limit, buckets: Recent::new(bound) }
    }

    /// Returns the limit.
    #[must_use]
    pub const fn limit(&self) -> &BandwidthLimit {
        &self.limit
    }

    /// Changes the limit. Clients keep what is left in their buckets, up to the new burst, unless
    /// clients are counted by another unit from now on.
    pub fn set_limit(&mut self, limit: BandwidthLimit) {
        if limit.by != self.limit.by {
            self.buckets.clear();
        }
        self.limit = limit;
    }

    /// Takes up to `wanted` bytes at `now`. A grant of fewer bytes has at least those of a
    /// twentieth of a second, or none. `is_due` is true if the caller was refused before, and has
    /// waited for its turn: it gets bytes although others wait. Bytes beyond those that others wait for
    /// are granted to all.
    pub fn take(&mut self, key: &ClientKey, wanted: u64, is_due: bool, now: Instant) -> Grant {
        let (rate, most) = (u128::from(self.limit.bytes.max(1)), self.most());
        let bucket = self.buckets.touch(key, || Bucket { level: most, at: now, last_turn: now });
        let elapsed = now.saturating_duration_since(bucket.at).as_nanos();
        bucket.level = bucket.level.saturating_add(elapsed.saturating_mul(rate)).min(most);
        bucket.at = bucket.at.max(now);

        let least = |wanted: u64| {
            u128::from(wanted.min((self.limit.bytes / PARTS).max(1))).min(most / UNITS)
        };
        let time_for = |units: u128| {
            Duration::from_nanos(u64::try_from(units.div_ceil(rate)).unwrap_or(u64::MAX))
        };
        // Those that wait get what fills the bucket until the last turn.
        let reserved = bucket.last_turn.saturating_duration_since(now).as_nanos() * rate;
        let free = (bucket.level.saturating_sub(reserved) / UNITS).min(u128::from(wanted));
        let granted = match is_due {
            true if bucket.level / UNITS < least(wanted) => 0,
            true => free.max(least(wanted)),
            false if free < least(wanted) => 0,
            false => free,
        };
        bucket.level -= granted * UNITS;
        let bytes = u64::try_from(granted).unwrap_or(wanted);
        let rest = wanted - bytes;
        if rest == 0 {
            return Grant { bytes, wait: None };
        }
        let mut wait = time_for((least(rest) * UNITS).saturating_sub(bucket.level));
        if bytes == 0 {
            let others = bucket.last_turn.saturating_duration_since(now);
            if !others.is_zero() {
                wait = wait.max(others + time_for(least(rest) * UNITS));
            }
            bucket.last_turn = now + wait;
        }
        Grant { bytes, wait: Some(wait.max(SHORTEST)) }
    }

    /// Returns bytes that were granted and not used. Bytes of a client that was forgotten are
    /// dropped: its bucket is full.
    pub fn give_back(&mut self, key: &ClientKey, bytes: u64) {
        let most = self.most();
        if let Some(bucket) = self.buckets.peek_mut(key) {
            bucket.level = bucket.level.saturating_add(u128::from(bytes) * UNITS).min(most);
        }
    }

    /// Returns the units in a full bucket.
    fn most(&self) -> u128 {
        u128::from(self.limit.burst.max(1)) * UNITS
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::throttle::ClientUnit;
    use crate::throttle::tests::{address, millis, start};
    use crate::work::{LOOK_UP, Mark};

    fn bandwidth(limit: &str) -> Bandwidth {
        Bandwidth::new(limit.parse().unwrap(), 1000)
    }

    const fn all(bytes: u64) -> Grant {
        Grant { bytes, wait: None }
    }

    const fn part(bytes: u64, wait: u64) -> Grant {
        Grant { bytes, wait: Some(millis(wait)) }
    }

    #[test]
    fn burst_is_granted_and_then_the_rate() {
        let (mut bandwidth, now, key) = (bandwidth("1000B/s burst=3000"), start(), address(1));
        assert_eq!(bandwidth.take(&key, 0, false, now), all(0));
        assert_eq!(bandwidth.take(&key, 2500, false, now), all(2500));
        assert_eq!(bandwidth.take(&key, 2500, false, now), part(500, 50));
        let mut take =
            |wanted, is_due, after| bandwidth.take(&key, wanted, is_due, now + millis(after));
        assert_eq!(take(2500, false, 49), part(0, 1), "not byte by byte");
        assert_eq!(take(2500, false, 49), part(0, 51), "another connection waits behind it");
        assert_eq!(take(2500, true, 50), part(50, 50));
        assert_eq!(take(2500, false, 50), part(0, 100), "the rest waits behind the other one");
        assert_eq!(take(10, true, 100), all(10), "few are wanted");
        assert_eq!(bandwidth.take(&key, 5000, false, now + millis(1_000_000)), part(3000, 50));
        assert_eq!(bandwidth.take(&address(2), 3000, false, now), all(3000), "another client");
    }

    #[test]
    fn bytes_given_back_are_granted_again() {
        let (mut bandwidth, now, key) = (bandwidth("1000B/s"), start(), address(1));
        assert_eq!(bandwidth.take(&key, 1000, false, now), all(1000));
        bandwidth.give_back(&key, 600);
        assert_eq!(bandwidth.take(&key, 600, false, now), all(600));
        bandwidth.give_back(&key, u64::MAX);
        assert_eq!(bandwidth.take(&key, 2000, false, now), part(1000, 50), "no more than a burst");
        bandwidth.give_back(&address(2), 5);
        assert_eq!(bandwidth.buckets.len(), 1, "an unknown client stays unknown");
    }

    #[test]
    fn slow_rates_grant_single_bytes() {
        let (mut bandwidth, now, key) = (bandwidth("3B/s burst=1"), start(), address(1));
        assert_eq!(bandwidth.take(&key, 10, false, now).bytes, 1);
        let wait = bandwidth.take(&key, 10, false, now).wait.unwrap();
        assert_eq!(wait, Duration::from_nanos(333_333_334), "it is rounded up");
        assert_eq!(bandwidth.take(&key, 10, true, now + wait).bytes, 1);
    }

    #[test]
    fn connections_of_a_client_get_the_same() {
        let (mut bandwidth, start, key) = (bandwidth("100KiB/s burst=1MiB"), start(), address(1));
        // One wants little at a time, and the first two are always asked first.
        let wanted = [1 << 20, 1 << 10, 1 << 20, 1 << 20];
        let (mut turns, mut got) = ([None; 4], [0; 4]);
        let mut now = start;
        while now < start + millis(60_000) {
            for at in 0..4 {
                while turns[at].is_none_or(|turn| turn <= now) {
                    let grant = bandwidth.take(&key, wanted[at], turns[at].is_some(), now);
                    got[at] += grant.bytes;
                    turns[at] = grant.wait.filter(|_| grant.bytes == 0).map(|wait| now + wait);
                }
            }
            now = turns.into_iter().flatten().min().unwrap();
        }
        let large = [got[0] - (1 << 20), got[2], got[3]];
        let (most, least) = (large.into_iter().max().unwrap(), large.into_iter().min().unwrap());
        assert!(most - least <= 10 * 1024, "{got:?}");
        let all: u64 = got.iter().sum();
        assert!(all + 20 * 1024 >= (1 << 20) + 60 * 100 * 1024, "no byte is lost: {got:?}");
    }

    #[test]
    fn changed_limit_counts_at_once() {
        let (mut bandwidth, now, key) = (bandwidth("1MiB/s"), start(), address(1));
        bandwidth.take(&key, 1, false, now);
        bandwidth.set_limit("1000B/s".parse().unwrap());
        assert_eq!(bandwidth.limit().to_string(), "1000B/s");
        assert_eq!(bandwidth.take(&key, 5000, false, now), part(1000, 50));
        bandwidth.set_limit("1000B/s by=network".parse().unwrap());
        assert_eq!(bandwidth.take(&key, 1000, false, now), all(1000), "networks are other clients");
    }

    #[test]
    fn largest_values_do_not_overflow() {
        let limit = BandwidthLimit { bytes: u64::MAX, burst: u64::MAX, by: ClientUnit::Address };
        let (mut bandwidth, now, key) = (Bandwidth::new(limit, 1), start(), address(1));
        assert_eq!(bandwidth.take(&key, u64::MAX, false, now), all(u64::MAX));
        let later = now + Duration::from_secs(1 << 40);
        assert_eq!(bandwidth.take(&key, u64::MAX, false, later), all(u64::MAX));
        bandwidth.set_limit(BandwidthLimit { bytes: 0, burst: 0, by: ClientUnit::Address });
        assert_eq!(bandwidth.take(&key, 2, false, later + millis(1000)), part(1, 1000));
    }

    #[test]
    fn million_clients_take_bounded_memory_and_steps() {
        let (mut bandwidth, now) = (bandwidth("1KiB/s"), start());
        let before = Mark::now();
        for bits in 0..1_000_000 {
            assert_eq!(bandwidth.take(&address(bits), 1024, false, now), all(1024));
        }
        assert_eq!(bandwidth.buckets.len(), 1000);
        assert!(before.steps() <= 1_000_000 * 2 * LOOK_UP as u64, "{} steps", before.steps());
    }

    proptest! {
        /// No sequence of requests gets more than a burst and the bytes of the time that has
        /// passed; a client that waits as told is granted bytes.
        #[test]
        fn grants_stay_within_the_limit(
            bytes in 1u64..5000,
            burst in 1u64..5000,
            steps in vec((0u64..10_000, 0u64..2000), 1..100),
        ) {
            let limit = BandwidthLimit { bytes, burst, by: ClientUnit::Address };
            let (mut bandwidth, start, key) = (Bandwidth::new(limit, 1), start(), address(1));
            let (mut now, mut total) = (start, 0);
            for (wanted, pause) in steps {
                now += millis(pause);
                let grant = bandwidth.take(&key, wanted, false, now);
                prop_assert_eq!(grant.bytes == wanted, grant.wait.is_none());
                total += grant.bytes;
                if let Some(wait) = grant.wait {
                    now += wait;
                    let next = bandwidth.take(&key, wanted - grant.bytes, grant.bytes == 0, now);
                    prop_assert!(next.bytes > 0);
                    total += next.bytes;
                }
                let passed = (now - start).as_nanos() * u128::from(bytes) / UNITS;
                prop_assert!(u128::from(total) <= u128::from(burst) + passed);
            }
        }
    }
}
