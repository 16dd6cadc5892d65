//! Reasons for which responses were not stored, remembered by URL.

use std::hash::RandomState;
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::cache::{CacheKey, NotStored};

/// Most URLs that are remembered.
const MOST: usize = 1024;
/// Longest URL that is remembered, in bytes.
const LONGEST: usize = 4096;

/// The last reason for each of the URLs asked for last, 1024 at most.
#[derive(Debug)]
pub(crate) struct NotStoredUrls(LruCache<CacheKey, (NotStored, Instant), RandomState>);

impl Default for NotStoredUrls {
    fn default() -> Self {
        Self(LruCache::unbounded_with_hasher(RandomState::new()))
    }
}

impl NotStoredUrls {
    /// Remembers why the response for a key was not stored; `None` if it was.
    pub(crate) fn note(&mut self, key: &CacheKey, reason: Option<NotStored>, now: Instant) {
        let Some(reason) = reason else {
            if !self.0.is_empty() {
                self.0.pop(key);
            }
            return;
        };
        if key.uri().len() <= LONGEST {
            self.0.put(key.clone(), (reason, now));
        }
        if self.0.len() > MOST {
            self.0.pop_lru();
        }
    }

    /// Returns why the last response for a key was not stored, and how long ago.
    pub(crate) fn get(&self, key: &CacheKey, now: Instant) -> Option<(NotStored, Duration)> {
        let (reason, at) = self.0.peek(key)?;
        Some((*reason, now.saturating_duration_since(*at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::KeyBuilder;
    use crate::reactor::{Clock, SystemClock};

    #[test]
    fn last_reason_is_remembered_until_the_response_is_stored() {
        let (keys, now) = (KeyBuilder::new([1, 2]), SystemClock.now().mono);
        let key = |n: usize| keys.key(&format!("http://h.test/{n}").into());
        let mut urls = NotStoredUrls::default();
        urls.note(&key(0), Some(NotStored::Cookie), now);
        urls.note(&key(0), Some(NotStored::Private), now);
        let later = now + Duration::from_secs(3);
        assert_eq!(urls.get(&key(0), later), Some((NotStored::Private, Duration::from_secs(3))));
        urls.note(&key(0), None, now);
        assert_eq!(urls.get(&key(0), now), None);
        (0..=MOST).for_each(|n| urls.note(&key(n), Some(NotStored::Useless), now));
        assert_eq!((urls.get(&key(0), now), urls.0.len()), (None, MOST));
        let long = keys.key(&"x".repeat(LONGEST + 1).into());
        urls.note(&long, Some(NotStored::Useless), now);
        assert_eq!(urls.get(&long, now), None);
    }
}
