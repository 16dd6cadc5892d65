//! Nonces that authenticate themselves, so that only used ones have to be remembered.

use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lru::LruCache;

use super::window::Window;
use crate::auth::secret::{Keyed, Secret, same};

/// Most used nonces remembered; every active client uses one.
const MOST_USED: NonZeroUsize = NonZeroUsize::new(16_384).expect("it is not zero");

/// Time and number of a nonce, which identify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Stamp {
    millis: u64,
    number: u64,
}

/// Makes and recognizes nonces.
#[derive(Debug)]
pub(super) struct Nonces {
    secret: Secret,
    lifetime: Duration,
    made: u64,
    used: LruCache<Stamp, Window, Keyed>,
    /// Newest nonce whose uses were forgotten. For nonces up to it, uses are not known.
    forgotten: Option<Stamp>,
}

const STAMP_LENGTH: usize = 16;
const MAC_LENGTH: usize = 16;

impl Nonces {
    pub(super) fn new(secret: Secret, lifetime: Duration) -> Self {
        let used = LruCache::with_hasher(MOST_USED, secret.hasher());
        Self { secret, lifetime, made: 0, used, forgotten: None }
    }

    /// Returns a new nonce, of which nothing is remembered.
    pub(super) fn make(&mut self, now: SystemTime) -> String {
        self.made += 1;
        let stamp = Stamp { millis: millis(now), number: self.made };
        let bytes = [stamp.bytes().as_flattened(), &self.mac(stamp)].concat();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns the stamp of a nonce that was made here and has not expired.
    pub(super) fn fresh(&self, nonce: &str, now: SystemTime) -> Option<Stamp> {
        let stamp = self.stamp(nonce)?;
        let young = self.age(stamp, now)? < self.lifetime;
        let forgotten = !self.used.contains(&stamp) && self.forgotten >= Some(stamp);
        (young && !forgotten).then_some(stamp)
    }

    /// Returns true if a nonce was made here, at any time.
    pub(super) fn is_known(&self, nonce: &str) -> bool {
        self.stamp(nonce).is_some()
    }

    fn stamp(&self, nonce: &str) -> Option<Stamp> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (stamp, mac) = bytes.split_first_chunk::<STAMP_LENGTH>()?;
        let stamp = Stamp::from_bytes(*stamp);
        same(mac, &self.mac(stamp)).then_some(stamp)
    }

    /// Uses a nonce with this count. Returns true if the count was not used before.
    pub(super) fn take(&mut self, stamp: Stamp, count: u32) -> bool {
        if let Some(window) = self.used.get_mut(&stamp) {
            return window.take(count);
        }
        let mut window = Window::default();
        let is_new = window.take(count);
        if let Some((evicted, _)) = self.used.push(stamp, window) {
            self.forgotten = self.forgotten.max(Some(evicted));
        }
        is_new
    }

    /// Returns true if the last quarter of a nonce's lifetime has begun.
    pub(super) fn is_ending(&self, stamp: Stamp, now: SystemTime) -> bool {
        self.age(stamp, now).is_none_or(|age| age >= self.lifetime / 4 * 3)
    }

    /// Returns the age, or `None` for a nonce from the future: the clock was set back.
    fn age(&self, stamp: Stamp, now: SystemTime) -> Option<Duration> {
        millis(now).checked_sub(stamp.millis).map(Duration::from_millis)
    }

    fn mac(&self, stamp: Stamp) -> [u8; MAC_LENGTH] {
        let mac = self.secret.mac("nonce", &[stamp.bytes().as_flattened()]);
        *mac.first_chunk().expect("it is shorter")
    }
}

impl Stamp {
    const fn bytes(self) -> [[u8; STAMP_LENGTH / 2]; 2] {
        [self.millis.to_be_bytes(), self.number.to_be_bytes()]
    }

    fn from_bytes(bytes: [u8; STAMP_LENGTH]) -> Self {
        let [a, b, c, d, e, f, g, h, number @ ..] = bytes;
        let millis = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self { millis, number: u64::from_be_bytes(number) }
    }
}

fn millis(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(300);

    fn nonces(key: u8) -> Nonces {
        Nonces::new(Secret::new([key; 32]), LIFETIME)
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn nonce_is_fresh_for_its_lifetime() {
        let mut nonces = nonces(1);
        let nonce = nonces.make(at(0));
        assert!(nonces.fresh(&nonce, at(0)).is_some());
        assert!(nonces.fresh(&nonce, at(299)).is_some());
        assert_eq!(nonces.fresh(&nonce, at(300)), None);
        assert!(nonces.is_known(&nonce));
        assert_eq!(nonces.fresh(&nonce, at(0) - Duration::from_secs(1)), None);
        let stamp = nonces.fresh(&nonce, at(0)).unwrap();
        assert!(!nonces.is_ending(stamp, at(224)) && nonces.is_ending(stamp, at(225)));
        assert_ne!(nonces.make(at(0)), nonce);
    }

    #[test]
    fn nonces_made_elsewhere_are_not_fresh() {
        let nonce = nonces(1).make(at(0));
        assert_eq!(nonces(2).fresh(&nonce, at(0)), None);
        assert!(!nonces(2).is_known(&nonce));
        for (i, byte) in nonce.bytes().enumerate() {
            let other = if byte == b'A' { "B" } else { "A" };
            let altered = [&nonce[..i], other, &nonce[i + 1..]].concat();
            assert_eq!(nonces(1).fresh(&altered, at(0)), None, "{altered}");
        }
        for text in ["", "AAAA", "a nonce", &nonce[1..], &format!("{nonce}A")] {
            assert_eq!(nonces(1).fresh(text, at(0)), None);
        }
    }

    #[test]
    fn forgotten_nonces_are_not_fresh() {
        let mut nonces = nonces(1);
        nonces.used.resize(NonZeroUsize::new(2).unwrap());
        let made: Vec<String> = (0..4).map(|_| nonces.make(at(0))).collect();
        for nonce in [&made[1], &made[2], &made[3]] {
            let stamp = nonces.fresh(nonce, at(0)).unwrap();
            assert!(nonces.take(stamp, 1) && !nonces.take(stamp, 1) && nonces.take(stamp, 2));
        }
        let fresh: Vec<bool> =
            made.iter().map(|nonce| nonces.fresh(nonce, at(0)).is_some()).collect();
        assert_eq!(fresh, [false, false, true, true], "the second was evicted, the first is older");
    }
}
