//! Hit-for-miss marks: keys whose recent responses could not be stored. Requests for a marked key
//! are not collapsed.

use std::time::Instant;

use lru::LruCache;

use crate::cache::key::{BuildPrehashed, CacheKey};
use crate::work;

/// Maximum number of marks. A further mark replaces the first to expire.
const MAX_MARKS: usize = 8192;
/// Bytes that a mark takes: a node of the list, and places in a table that is half full.
const WEIGHT: usize = 48 + 2 * (2 * size_of::<usize>() + 1);

/// Marks, by the keyed hash of their key. Two keys with the same hash share a mark, which costs one
/// fetch more at most.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Expiry of each mark, in order of expiry.
    until: LruCache<u64, Instant, BuildPrehashed>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { until: LruCache::unbounded_with_hasher(BuildPrehashed::default()) }
    }
}

impl Marks {
    /// Marks a key until `until`, which must be no earlier than the expiry of any other mark. Drops
    /// a few expired marks.
    pub(super) fn put(&mut self, key: &CacheKey, until: Instant, now: Instant) {
        const DROPPED: usize = 2;
        work::count(DROPPED * work::LOOK_UP);
        for _ in 0..DROPPED {
            let first = self.until.peek_lru().map(|(_, until)| *until);
            if first.is_some_and(|first| first <= now || self.until.len() >= MAX_MARKS) {
                self.until.pop_lru();
            }
        }
        self.until.put(key.hash(), until);
    }

    /// Removes the mark of a key.
    pub(crate) fn remove(&mut self, key: &CacheKey) {
        work::count(work::LOOK_UP);
        self.until.pop(&key.hash());
    }

    /// Returns true if the key is marked at `now`.
    pub(crate) fn has(&self, key: &CacheKey, now: Instant) -> bool {
        work::count(work::LOOK_UP);
        self.until.peek(&key.hash()).is_some_and(|until| now < *until)
    }

    pub(crate) fn clear(&mut self) {
        self.until.clear();
    }

    /// Returns the bytes that the marks take on the heap.
    pub(super) fn weight(&self) -> usize {
        WEIGHT * self.until.len()
    }

    /// Panics if there are too many marks.
    pub(super) fn check(&self) {
        assert!(self.until.len() <= MAX_MARKS, "marks are bounded");
        assert!(self.weight() <= MAX_MARKS * WEIGHT, "a mark takes the same for every key");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::KeyBuilder;
    use crate::reactor::{Clock, VirtualClock};

    #[test]
    fn marks_expire_and_are_bounded() {
        let (keys, now) = (KeyBuilder::new([1, 2]), VirtualClock::default().now().mono);
        let key = |n: usize| keys.key(&format!("http://h.test/{n}").into());
        let mut marks = Marks::default();
        let second = Duration::from_secs(1);
        for n in 0..MAX_MARKS + 10 {
            marks.put(&key(n), now + second, now);
            marks.check();
        }
        assert!(!marks.has(&key(0), now) && marks.has(&key(10), now));
        assert!(!marks.has(&key(10), now + second), "it has expired");
        let full = marks.weight();
        for n in 0..100 {
            marks.put(&key(n), now + 2 * second, now + second);
        }
        assert!(marks.weight() <= full - 98 * WEIGHT, "expired marks are dropped");
        marks.remove(&key(99));
        assert!(!marks.has(&key(99), now + second) && marks.has(&key(98), now + second));
    }
}
