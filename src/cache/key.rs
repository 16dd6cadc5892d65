//! Cache keys, under which responses are stored.

use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use crate::alloc_size::rounded_up;
use crate::cache::policy::presented::{Presented, RequestRules};
use crate::http::RequestHead;
use crate::work;

use super::key_rules::KeyRules;

/// Separator of the URI and the number of the space in a key. No URI has this character.
const SEPARATOR: char = '\x1f';

/// Part of the cache whose responses answer no requests of another part: 0 for forward proxies, another
/// number for each site of a reverse proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Space(pub u32);

/// The primary key: the target URI and the space, with their hash. The hash is keyed with a secret,
/// because clients choose URIs. It is computed once.
#[derive(Clone, PartialEq, Eq)]
pub struct CacheKey {
    hash: u64,
    /// The URI, and the space unless that is 0.
    text: Arc<str>,
}

impl CacheKey {
    /// Returns the target URI: scheme and host in lower case, without a default port, and with the
    /// part of the query that the key rules keep.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.text.split(SEPARATOR).next().unwrap_or_default()
    }

    /// Returns the URI and the space as one text, which begins with the URI.
    #[must_use]
    pub(super) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns the keyed hash of the text, which no client can predict.
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    /// Returns the bytes that the key takes on the heap.
    #[must_use]
    pub fn weight(&self) -> usize {
        rounded_up(self.text.len() + 2 * size_of::<usize>())
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Builder of keys and presented requests, one per process.
#[derive(Clone, Debug)]
pub struct KeyBuilder {
    hasher: SipHasher13,
    rules: KeyRules,
    /// Rules that apply to some requests in place of the others.
    special_rules: Vec<KeyRules>,
    request_rules: RequestRules,
}

impl KeyBuilder {
    /// Creates a builder. `secret` must be unpredictable for clients.
    #[must_use]
    pub fn new(secret: [u64; 2]) -> Self {
        let hasher = SipHasher13::new_with_keys(secret[0], secret[1]);
        Self {
            hasher,
            rules: KeyRules::default(),
            special_rules: Vec::new(),
            request_rules: RequestRules::default(),
        }
    }

    pub(super) fn set_rules(&mut self, rules: KeyRules, special_rules: Vec<KeyRules>) {
        self.rules = rules;
        self.special_rules = special_rules;
    }

    /// Replaces the rules by which requests are read and compared. Requests presented before keep
    /// the former rules.
    pub fn set_request_rules(&mut self, rules: RequestRules) {
        self.request_rules = rules;
    }

    /// Presents a request to the cache, under the current rules.
    #[must_use]
    pub fn present(&self, request: &Arc<RequestHead>) -> Presented {
        Presented::new(Arc::clone(request), self.request_rules, self.hasher)
    }

    /// Presents a request to the cache, under the current rules, but as one that accepts fresh responses
    /// without validation.
    #[must_use]
    pub fn present_without_demands(&self, request: &Arc<RequestHead>) -> Presented {
        let rules = RequestRules { ignore_no_cache: true, ..self.request_rules };
        Presented::new(Arc::clone(request), rules, self.hasher)
    }

    /// Returns two numbers derived from `text` and the secret, which no client can predict.
    #[must_use]
    pub fn keyed_pair(&self, text: &str) -> [u64; 2] {
        [0u8, 1].map(|which| {
            let mut hasher = self.hasher;
            hasher.write(&[which]);
            hasher.write(text.as_bytes());
            hasher.finish()
        })
    }

    /// Returns the key of a normalised target URI, in the space of forward proxies.
    #[must_use]
    pub fn key(&self, uri: &Arc<str>) -> CacheKey {
        self.key_in((Space(0), None), None, uri)
    }

    /// Returns the key of a normalised target URI in a space, by `rules` that take the place of the
    /// others. `host` is what the origin gets as `Host`, unless that is the host of the URI.
    #[must_use]
    pub fn key_in(
        &self,
        (space, host): (Space, Option<&str>),
        rules: Option<&KeyRules>,
        uri: &Arc<str>,
    ) -> CacheKey {
        let uri = rules.unwrap_or(&self.rules).apply(uri);
        let text = match (space, host) {
            (Space(0), None) => uri,
            (Space(number), host) => with_space(&uri, number, host.unwrap_or_default()),
        };
        work::count(work::LOOK_UP + text.len());
        let mut hasher = self.hasher;
        hasher.write(text.as_bytes());
        CacheKey { hash: hasher.finish(), text }
    }

    /// Returns the texts with which the keys of a URI begin in all spaces but 0, and the text of the key
    /// in space 0: a URI has several keys if some requests have rules of their own.
    pub(super) fn texts(&self, uri: &Arc<str>) -> (Vec<String>, String) {
        let plain = self.rules.apply(uri);
        let mut uris: Vec<Arc<str>> = vec![Arc::clone(&plain)];
        uris.extend(self.special_rules.iter().map(|rules| rules.apply(uri)));
        uris.sort_unstable();
        uris.dedup();
        let prefixes = uris.iter().map(|uri| format!("{uri}{SEPARATOR}"));
        (prefixes.collect(), plain.to_string())
    }
}

/// Returns the text of a key in a space, whose number is written in eight hexadecimal digits, and of a
/// `host` that the origin gets in place of that of the URI.
fn with_space(uri: &str, number: u32, host: &str) -> Arc<str> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |at: u32| char::from(DIGITS[(number >> (4 * at) & 0xf) as usize]);
    let mut text = String::with_capacity(uri.len() + 9 + host.len());
    text.push_str(uri);
    text.push(SEPARATOR);
    text.extend((0..8).map(digit));
    text.push_str(host);
    text.into()
}

/// Hasher for tables of keys, which carry their own hash.
pub(super) type BuildPrehashed = BuildHasherDefault<PrehashedHasher>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PrehashedHasher(u64);

impl Hasher for PrehashedHasher {
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

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn tables_use_the_hash_carried_by_the_key() {
        let keys = KeyBuilder::new([1, 2]);
        let [one, other] =
            ["http://h.example/a", "http://h.example/b"].map(|u| keys.key(&u.into()));
        assert_eq!(BuildPrehashed::default().hash_one(&one), one.hash());
        assert_ne!(one.hash(), other.hash());
        assert_ne!(one.hash(), KeyBuilder::new([1, 3]).key(one.text()).hash());
    }

    #[test]
    fn keys_of_one_uri_differ_by_space() {
        let (keys, uri) = (KeyBuilder::new([1, 2]), Arc::from("http://h.example/a"));
        let [plain, one, other] =
            [0, 1, 2].map(|space| keys.key_in((Space(space), None), None, &uri));
        assert!(plain != one && one != other && one.hash() != other.hash());
        assert_eq!([plain.uri(), one.uri()], [&*uri; 2]);
        let (prefixes, exact) = keys.texts(&uri);
        assert!(one.text().starts_with(&prefixes[0]) && **plain.text() == *exact);
    }

    #[test]
    fn keyed_pair_depends_on_text_and_secret() {
        let keys = KeyBuilder::new([1, 2]);
        let [one, other] = keys.keyed_pair("a");
        assert_ne!(one, other);
        assert_eq!(keys.keyed_pair("a"), [one, other]);
        assert_ne!(keys.keyed_pair("b"), [one, other]);
        assert_ne!(KeyBuilder::new([1, 3]).keyed_pair("a"), [one, other]);
    }
}
