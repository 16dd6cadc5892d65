//! The name under which responses are stored.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use siphasher::sip::SipHasher13;

/// The primary key: the target URI, hashed once with a secret, since clients choose it.
#[derive(Clone, PartialEq, Eq)]
pub struct CacheKey {
    hash: u64,
    uri: Arc<str>,
}

impl CacheKey {
    /// The target URI, with scheme and host in lower case and without a default port.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// What it takes of memory on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.uri.len() + 2 * size_of::<usize>() + 16
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri)
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Makes keys; one a process.
#[derive(Clone, Copy, Debug)]
pub struct KeyMaker {
    hasher: SipHasher13,
}

impl KeyMaker {
    /// With a secret that nobody outside can know.
    #[must_use]
    pub fn new(secret: [u64; 2]) -> Self {
        Self { hasher: SipHasher13::new_with_keys(secret[0], secret[1]) }
    }

    /// The key of a target URI, which is normalised already.
    #[must_use]
    pub fn key(&self, uri: &Arc<str>) -> CacheKey {
        let mut hasher = self.hasher;
        hasher.write(uri.as_bytes());
        CacheKey { hash: hasher.finish(), uri: Arc::clone(uri) }
    }
}

/// For tables of keys, which carry their hash.
pub(super) type BuildCarried = BuildHasherDefault<Carried>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried(u64);

impl Hasher for Carried {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a key writes its hash only");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
