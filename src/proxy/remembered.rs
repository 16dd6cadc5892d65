//! Keys that are remembered for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// A bounded set of keys, each of which is forgotten after a time.
#[derive(Debug)]
pub(super) struct Remembered<K> {
    until: HashMap<K, Instant>,
    bound: usize,
}

impl<K: Clone + Eq + Hash> Remembered<K> {
    /// An empty set of at most `bound` keys.
    pub(super) fn new(bound: usize) -> Self {
        Self { until: HashMap::new(), bound }
    }

    /// Remembers `key` for `time` from `now` on. If the set is full, the key goes that would be
    /// forgotten first.
    pub(super) fn insert(&mut self, key: &K, time: Duration, now: Instant) {
        if self.until.len() >= self.bound {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() >= self.bound {
            let first = self.until.iter().min_by_key(|(_, until)| **until);
            let first = first.map(|(key, _)| key.clone());
            first.and_then(|key| self.until.remove(&key));
        }
        self.until.insert(key.clone(), now + time);
    }

    /// Changes how many keys are remembered, from now on.
    pub(super) const fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
    }

    /// Forgets `key`.
    pub(super) fn remove(&mut self, key: &K) {
        if !self.until.is_empty() {
            self.until.remove(key);
        }
    }

    /// Returns true if `key` is remembered.
    pub(super) fn contains(&self, key: &K, now: Instant) -> bool {
        !self.until.is_empty() && self.until.get(key).is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::{Clock, SystemClock};

    #[test]
    fn key_is_forgotten_after_its_time_and_the_set_stays_bounded() {
        let (start, second) = (SystemClock.now().mono, Duration::from_secs(1));
        let mut set = Remembered::new(2);
        set.insert(&"a", 5 * second, start);
        set.insert(&"b", 9 * second, start);
        assert!(set.contains(&"a", start + 4 * second) && !set.contains(&"c", start));
        assert!(!set.contains(&"a", start + 5 * second));
        set.insert(&"c", 9 * second, start); // "a" would be forgotten first
        assert!(!set.contains(&"a", start) && set.contains(&"b", start));
        set.insert(&"d", second, start + 9 * second); // the others are over
        assert_eq!(set.until.len(), 1);
        set.remove(&"d");
        assert!(!set.contains(&"d", start + 9 * second));
    }
}
