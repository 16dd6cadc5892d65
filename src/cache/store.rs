//! Stored responses within a number of bytes, the least recently used going first.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use lru::LruCache;

use super::index::{Index, URI_WEIGHT};
use super::key::{BuildCarried, CacheKey};
use super::object::Object;
use super::tags::Tag;

/// How many responses one URI may have, selected by different requests.
const MAX_VARIANTS: usize = 32;
/// What an entry takes beside its key and objects: node, table slot, their allocations.
const ENTRY_WEIGHT: usize = 160 + URI_WEIGHT;

/// Objects by key, in the order of their last use.
#[derive(Debug)]
pub(super) struct Store {
    entries: LruCache<CacheKey, Entry, BuildCarried>,
    index: Index,
    /// Bytes of all entries.
    stored: usize,
    /// Evicted objects that somebody is still being sent, and their bytes.
    detached: Vec<(Weak<Object>, usize)>,
    detached_bytes: usize,
    /// How many of them could have been looked at since they were.
    unswept: usize,
    evicted: u64,
}

#[derive(Debug, Default)]
struct Entry {
    /// The newest first.
    variants: Vec<Variant>,
    weight: usize,
}

/// A response, one of several that are stored for its URI.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) object: Arc<Object>,
    /// Whether it was purged softly: it is validated before it is used.
    pub(super) outdated: bool,
}

impl Entry {
    /// What it takes with its key, counted anew.
    fn weigh(&mut self, key: &CacheKey) -> usize {
        let objects = self.variants.iter().map(|v| v.object.weight() + size_of::<Variant>());
        self.weight = ENTRY_WEIGHT + key.weight() + objects.sum::<usize>();
        self.weight
    }
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            entries: LruCache::unbounded_with_hasher(BuildCarried::default()),
            index: Index::default(),
            stored: 0,
            detached: Vec::new(),
            detached_bytes: 0,
            unswept: 0,
            evicted: 0,
        }
    }

    /// The variants stored under `key`, which counts as used.
    pub(super) fn get(&mut self, key: &CacheKey) -> &[Variant] {
        self.entries.get(key).map_or(&[], |entry| &entry.variants)
    }

    /// Stores `object`, in place of the one that answers the same requests.
    pub(super) fn insert(&mut self, key: CacheKey, object: Arc<Object>) {
        let old = self.take(&key).unwrap_or_default();
        let others = |old: &Variant| old.object.selection != object.selection;
        let (mut variants, mut leaving): (Vec<_>, Vec<_>) =
            old.variants.into_iter().partition(others);
        variants.insert(0, Variant { object, outdated: false });
        leaving.extend(variants.drain(MAX_VARIANTS.min(variants.len())..));
        let mut entry = Entry { variants, weight: 0 };
        self.stored += entry.weigh(&key);
        self.index.add(key.shared_uri(), entry.variants.iter().map(|v| &v.object.tags));
        self.entries.put(key, entry);
        self.detach(&leaving);
    }

    /// Removes what is stored under `key`; whether there was something.
    pub(super) fn remove(&mut self, key: &CacheKey) -> bool {
        let Some(entry) = self.take(key) else { return false };
        self.detach(&entry.variants);
        true
    }

    fn take(&mut self, key: &CacheKey) -> Option<Entry> {
        let entry = self.entries.pop(key)?;
        self.forget(key, &entry);
        Some(entry)
    }

    /// Takes an entry that has left out of the books.
    fn forget(&mut self, key: &CacheKey, entry: &Entry) {
        self.stored -= entry.weight;
        self.index.remove(key.shared_uri(), entry.variants.iter().map(|v| &v.object.tags));
    }

    /// Up to `count` URIs in their order, after `last`; see [`Index::after`].
    pub(super) fn after(
        &self,
        tag: Option<&Tag>,
        prefix: &str,
        last: Option<&Arc<str>>,
        count: usize,
    ) -> Vec<Arc<str>> {
        self.index.after(tag, prefix, last, count)
    }

    /// Removes what is stored under `key`, all of it or what has `tag`; or says of it that it has to
    /// be validated. How many responses that were. It does not count as a use.
    pub(super) fn purge(&mut self, key: &CacheKey, tag: Option<&Tag>, soft: bool) -> usize {
        let meant = |variant: &Variant| tag.is_none_or(|tag| variant.object.tags.has(tag));
        let Some(entry) = self.entries.peek_mut(key) else { return 0 };
        if soft {
            let found = entry.variants.iter_mut().filter(|variant| meant(variant));
            return found.map(|variant| variant.outdated = true).count();
        }
        if entry.variants.iter().all(meant) {
            let count = entry.variants.len();
            self.remove(key);
            return count;
        }
        let (leaving, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut entry.variants).into_iter().partition(meant);
        entry.variants = left;
        self.stored = self.stored - entry.weight + entry.weigh(key);
        self.index.remove(key.shared_uri(), leaving.iter().map(|v| &v.object.tags));
        self.index.add(key.shared_uri(), entry.variants.iter().map(|v| &v.object.tags));
        self.detach(&leaving);
        leaving.len()
    }

    /// Drops the least recently used entries until at most `limit` bytes are held.
    pub(super) fn shrink_to(&mut self, limit: usize) {
        if self.bytes() > limit {
            self.sweep_detached();
        }
        while self.bytes() > limit
            && let Some((key, entry)) = self.entries.pop_lru()
        {
            self.forget(&key, &entry);
            self.evicted += 1;
            self.detach(&entry.variants);
        }
    }

    /// Drops all entries.
    pub(super) fn clear(&mut self) {
        while let Some((_, entry)) = self.entries.pop_lru() {
            self.detach(&entry.variants);
        }
        self.stored = 0;
        self.index.clear();
    }

    /// Objects in use outlive their entry, and count until they are dropped.
    fn detach(&mut self, leaving: &[Variant]) {
        let in_use = leaving.iter().map(|variant| &variant.object);
        for object in in_use.filter(|object| Arc::strong_count(object) > 1) {
            let weight = object.weight();
            self.detached.push((Arc::downgrade(object), weight));
            self.detached_bytes += weight;
        }
    }

    /// Forgets the detached that were dropped since. Each is looked at; with many of them, that is
    /// not done every time that room is short.
    pub(super) fn sweep_detached(&mut self) {
        const LOOKED_AT: usize = 32;
        self.unswept += LOOKED_AT;
        if self.unswept < self.detached.len() {
            return;
        }
        self.unswept = 0;
        let mut bytes = 0;
        self.detached.retain(|(object, weight)| {
            let alive = object.strong_count() > 0;
            bytes += if alive { *weight } else { 0 };
            alive
        });
        self.detached_bytes = bytes;
    }

    /// Bytes evicted and not yet let go of.
    pub(super) const fn detached_bytes(&self) -> usize {
        self.detached_bytes
    }

    /// Bytes held: stored, or evicted and not yet let go of.
    pub(super) const fn bytes(&self) -> usize {
        self.stored + self.detached_bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Panics if its books do not agree.
    pub(super) fn check(&self) {
        let weights = self.entries.iter().map(|(_, entry)| entry.weight).sum::<usize>();
        assert_eq!(weights, self.stored, "stored bytes are counted");
        assert!(self.entries.iter().all(|(_, entry)| !entry.variants.is_empty()));
        let detached = self.detached.iter().map(|(_, weight)| weight).sum::<usize>();
        assert_eq!(detached, self.detached_bytes, "detached bytes are counted");
        let entries = self.entries.iter().flat_map(|(_, entry)| &entry.variants);
        let stored: HashSet<_> = entries.map(|variant| Arc::as_ptr(&variant.object)).collect();
        let twice = self.detached.iter().any(|(object, _)| stored.contains(&object.as_ptr()));
        assert!(!twice, "what is stored is not detached");
        self.index.check(self.entries.iter().flat_map(|(key, entry)| {
            entry.variants.iter().map(|variant| (key.shared_uri(), &variant.object.tags))
        }));
    }
}
