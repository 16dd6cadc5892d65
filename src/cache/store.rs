//! Stored responses within a number of bytes, the least recently used going first.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use lru::LruCache;

use super::key::{BuildCarried, CacheKey};
use super::object::Object;

/// How many responses one URI may have, selected by different requests.
const MAX_VARIANTS: usize = 32;
/// What an entry takes beside its key and objects: node, table slot, their allocations.
const ENTRY_WEIGHT: usize = 160;

/// Objects by key, in the order of their last use.
#[derive(Debug)]
pub(super) struct Store {
    entries: LruCache<CacheKey, Entry, BuildCarried>,
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
    variants: Vec<Arc<Object>>,
    weight: usize,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            entries: LruCache::unbounded_with_hasher(BuildCarried::default()),
            stored: 0,
            detached: Vec::new(),
            detached_bytes: 0,
            unswept: 0,
            evicted: 0,
        }
    }

    /// The variants stored under `key`, which counts as used.
    pub(super) fn get(&mut self, key: &CacheKey) -> &[Arc<Object>] {
        self.entries.get(key).map_or(&[], |entry| &entry.variants)
    }

    /// Stores `object`, in place of the one that answers the same requests.
    pub(super) fn insert(&mut self, key: CacheKey, object: Arc<Object>) {
        let old = self.entries.pop(&key).unwrap_or_default();
        self.stored -= old.weight;
        let others = |old: &Arc<Object>| old.selection != object.selection;
        let (mut variants, mut leaving): (Vec<_>, Vec<_>) =
            old.variants.into_iter().partition(others);
        variants.insert(0, object);
        leaving.extend(variants.drain(MAX_VARIANTS.min(variants.len())..));
        let objects = variants.iter().map(|variant| variant.weight() + 8).sum::<usize>();
        let weight = ENTRY_WEIGHT + key.weight() + objects;
        self.stored += weight;
        self.entries.put(key, Entry { variants, weight });
        self.detach(&leaving);
    }

    /// Removes what is stored under `key`; whether there was something.
    pub(super) fn remove(&mut self, key: &CacheKey) -> bool {
        let Some(entry) = self.entries.pop(key) else { return false };
        self.stored -= entry.weight;
        self.detach(&entry.variants);
        true
    }

    /// Drops the least recently used entries until at most `limit` bytes are held.
    pub(super) fn shrink_to(&mut self, limit: usize) {
        if self.bytes() > limit {
            self.sweep_detached();
        }
        while self.bytes() > limit
            && let Some((_, entry)) = self.entries.pop_lru()
        {
            self.stored -= entry.weight;
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
    }

    /// Objects in use outlive their entry, and count until they are dropped.
    fn detach(&mut self, leaving: &[Arc<Object>]) {
        for object in leaving.iter().filter(|object| Arc::strong_count(object) > 1) {
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
        let stored: HashSet<_> = entries.map(Arc::as_ptr).collect();
        let twice = self.detached.iter().any(|(object, _)| stored.contains(&object.as_ptr()));
        assert!(!twice, "what is stored is not detached");
    }
}
