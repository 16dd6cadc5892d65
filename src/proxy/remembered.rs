//! Keys remembered for a limited time.

use std::hash::{Hash, RandomState};
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::work::{LOOK_UP, count};

/// A bounded set of keys, each of which expires. No operation takes longer for a large set than for
/// a small one.
#[derive(Debug)]
pub(super) struct Remembered<K: Eq + Hash> {
    /// Expiry of each key, in order of insertion.
    until: LruCache<K, Instant, RandomState>,
    bound: usize,
}

impl<K: Clone + Eq + Hash> Remembered<K> {
    /// Creates an empty set of at most `bound` keys.
    pub(super) fn new(bound: usize) -> Self {
        Self { until: LruCache::unbounded_with_hasher(RandomState::new()), bound }
    }

    /// Inserts `key`, which expires after `time`. Removes expired keys and, if the set is full, the
    /// key inserted longest ago: at most two keys, so that a set whose bound was lowered shrinks.
    pub(super) fn insert(&mut self, key: &K, time: Duration, now: Instant) {
        count(2 * LOOK_UP);
        self.until.put(key.clone(), now + time);
        for _ in 0..2 {
            let first = self.until.peek_lru().map(|(_, until)| *until);
            if first.is_some_and(|first| first <= now || self.until.len() > self.bound) {
                self.until.pop_lru();
            }
        }
    }

    /// Changes the bound, for further insertions.
    pub(super) const fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Removes `key`.
    pub(super) fn remove(&mut self, key: &K) {
        if !self.until.is_empty() {
            self.until.pop(key);
        }
    }

    /// Returns true if `key` was inserted and has not expired.
    pub(super) fn contains(&self, key: &K, now: Instant) -> bool {
        !self.until.is_empty() && self.until.peek(key).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, SystemClock};

    #[test]
    fn key_expires_and_the_set_stays_bounded() {
        let (start, second) = (SystemClock.now().mono, Duration::from_secs(1));
        let mut set = Remembered::new(2);
        set.insert(&"a", 5 * second, start);
        set.insert(&"b", 9 * second, start);
        assert!(set.contains(&"a", start + 4 * second) && !set.contains(&"c", start));
        assert!(!set.contains(&"a", start + 5 * second));
        set.insert(&"c", 9 * second, start); // "a" was inserted longest ago
        assert!(!set.contains(&"a", start) && set.contains(&"b", start));
        set.insert(&"d", second, start + 9 * second); // the others have expired
        assert_eq!(set.until.len(), 1);
        set.remove(&"d");
        assert!(!set.contains(&"d", start + 9 * second));
    }

    #[test]
    fn key_inserted_again_removes_no_other() {
        let (start, second) = (SystemClock.now().mono, Duration::from_secs(1));
        let mut set = Remembered::new(2);
        ["a", "b", "b"].iter().for_each(|key| set.insert(key, second, start));
        assert!(set.contains(&"a", start) && set.contains(&"b", start));
    }

    #[test]
    fn lowered_bound_is_reached_gradually() {
        let (start, second) = (SystemClock.now().mono, Duration::from_secs(1));
        let mut set = Remembered::new(100);
        (0..100).for_each(|key| set.insert(&key, second, start));
        set.set_bound(10);
        (100..200).for_each(|key| set.insert(&key, second, start));
        assert_eq!(set.until.len(), 10);
        assert!((190..200).all(|key| set.contains(&key, start)));
    }
}
