//! Origins known to speak HTTP/1.0, which has neither chunks nor expectations.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::http::Version;

use super::pool::OriginKey;

/// Origins whose last response was in HTTP/1.0 (RFC 9112 §6.1), for a while.
#[derive(Debug)]
pub(super) struct OldOrigins {
    until: HashMap<OriginKey, Instant>,
    most: usize,
    keep: Duration,
}

impl OldOrigins {
    /// Remembers `most` origins for as long as `keep` after their last response.
    pub(super) fn new(most: usize, keep: Duration) -> Self {
        Self { until: HashMap::new(), most, keep }
    }

    /// Changes how many origins are remembered, and for how long, from now on.
    pub(super) const fn set_limits(&mut self, most: usize, keep: Duration) {
        (self.most, self.keep) = (most, keep);
    }

    /// Returns true if `origin` is known to speak HTTP/1.0.
    pub(super) fn contains(&self, origin: &OriginKey, now: Instant) -> bool {
        !self.until.is_empty() && self.until.get(origin).is_some_and(|&until| now < until)
    }

    /// Takes note of the version that `origin` has answered in. If there is no room for one more, the
    /// origin is not remembered.
    pub(super) fn note(&mut self, origin: &OriginKey, version: Version, now: Instant) {
        if version == Version::Http11 {
            if !self.until.is_empty() {
                self.until.remove(origin);
            }
            return;
        }
        if self.until.len() >= self.most && !self.until.contains_key(origin) {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() < self.most || self.until.contains_key(origin) {
            self.until.insert(origin.clone(), now + self.keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::reactor::{Clock, VirtualClock};

    use super::*;

    fn start() -> Instant {
        VirtualClock::default().now().mono
    }

    fn origin(authority: &str) -> OriginKey {
        OriginKey { authority: authority.into() }
    }

    #[test]
    fn an_origin_is_old_until_it_answers_in_1_1_or_time_has_passed() {
        let mut old = OldOrigins::new(2, Duration::from_secs(10));
        let (begin, a) = (start(), origin("a.example"));
        old.note(&a, Version::Http10, begin);
        assert!(old.contains(&a, begin) && !old.contains(&origin("b.example"), begin));
        assert!(!old.contains(&a, begin + Duration::from_secs(10)));
        old.note(&a, Version::Http11, begin);
        assert!(!old.contains(&a, begin));
    }

    #[test]
    fn no_more_origins_are_remembered_than_there_is_room_for() {
        let mut old = OldOrigins::new(2, Duration::from_secs(10));
        let begin = start();
        let later = begin + Duration::from_secs(5);
        for name in ["a.example", "b.example", "c.example"] {
            old.note(&origin(name), Version::Http10, begin);
        }
        assert!(old.contains(&origin("b.example"), begin));
        assert!(!old.contains(&origin("c.example"), begin));
        old.note(&origin("b.example"), Version::Http10, later);
        old.note(&origin("c.example"), Version::Http10, begin + Duration::from_secs(11));
        assert!(old.contains(&origin("c.example"), begin + Duration::from_secs(11)));
        assert!(old.contains(&origin("b.example"), begin + Duration::from_secs(11)));
    }
}
