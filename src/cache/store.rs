//! Stored responses within a number of bytes. Which of them goes first is for an order to say.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Instant;

use slab::Slab;

use crate::heap::taken;

use super::evict::{Eviction, Order};
use super::index::{Index, URI_WEIGHT};
use super::key::{BuildCarried, CacheKey};
use super::object::Object;
use super::tags::Tag;

/// How many responses one URI may have, selected by different requests.
const MAX_VARIANTS: usize = 32;
/// How many entries in use are spared at a time, since to evict them frees nothing yet.
const SPARED: usize = 32;

/// Objects by key, in some order.
#[derive(Debug)]
pub(super) struct Store {
    eviction: Eviction,
    order: Box<dyn Order>,
    /// The slot of each entry.
    slots: HashMap<CacheKey, usize, BuildCarried>,
    entries: Slab<Entry>,
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

#[derive(Debug)]
struct Entry {
    key: CacheKey,
    /// The newest first.
    variants: Vec<Arc<Object>>,
    weight: usize,
}

impl Entry {
    /// Whether somebody is being sent one of its objects.
    fn is_in_use(&self) -> bool {
        self.variants.iter().any(|object| Arc::strong_count(object) > 1)
    }

    /// Counts anew what it takes with its key.
    fn weigh(&mut self) {
        let objects = self.variants.iter().map(|object| object.weight()).sum::<usize>();
        let list = taken(self.variants.capacity() * size_of::<Arc<Object>>());
        self.weight = URI_WEIGHT + self.key.weight() + list + objects;
    }

    /// Adds `object`, in place of the one that answers the same requests. Those that leave.
    fn put(&mut self, object: Arc<Object>) -> Vec<Arc<Object>> {
        let others = |old: &Arc<Object>| old.selection != object.selection;
        let (others, mut leaving): (Vec<_>, Vec<_>) = self.variants.drain(..).partition(others);
        self.variants.push(object);
        self.variants.extend(others);
        leaving.extend(self.variants.drain(MAX_VARIANTS.min(self.variants.len())..));
        leaving
    }
}

impl Store {
    pub(super) fn new(eviction: Eviction) -> Self {
        Self {
            eviction,
            order: eviction.order(),
            slots: HashMap::default(),
            entries: Slab::new(),
            index: Index::default(),
            stored: 0,
            detached: Vec::new(),
            detached_bytes: 0,
            unswept: 0,
            evicted: 0,
        }
    }

    /// Goes on with another order, if it is another. Uses until now are forgotten.
    pub(super) fn set_eviction(&mut self, eviction: Eviction) {
        if self.eviction != eviction {
            self.eviction = eviction;
            self.order = eviction.order();
            for (slot, entry) in &self.entries {
                self.order.insert(slot, entry.key.hash(), entry.weight);
            }
        }
    }

    /// The variants stored under `key`.
    pub(super) fn peek(&self, key: &CacheKey) -> &[Arc<Object>] {
        self.slots.get(key).map_or(&[], |&slot| &self.entries[slot].variants)
    }

    /// The variants stored under `key`, which counts as used.
    pub(super) fn get(&mut self, key: &CacheKey) -> &[Arc<Object>] {
        let Some(&slot) = self.slots.get(key) else { return &[] };
        let entry = &self.entries[slot];
        self.order.hit(slot, entry.weight);
        &entry.variants
    }

    /// Stores `object`, in place of the one that answers the same requests.
    pub(super) fn insert(&mut self, key: &CacheKey, object: Arc<Object>) {
        if let Some(&slot) = self.slots.get(key) {
            self.change(slot, |entry| entry.put(object));
            self.order.hit(slot, self.entries[slot].weight);
            return;
        }
        let slot = self.entries.insert(Entry { key: key.clone(), variants: Vec::new(), weight: 0 });
        self.slots.insert(key.clone(), slot);
        self.change(slot, |entry| entry.put(object));
        self.order.insert(slot, key.hash(), self.entries[slot].weight);
    }

    /// Changes the variants of an entry, which hands out those that leave.
    fn change(&mut self, slot: usize, change: impl FnOnce(&mut Entry) -> Vec<Arc<Object>>) {
        let entry = &mut self.entries[slot];
        unlist(&mut self.index, entry);
        self.stored -= entry.weight;
        let leaving = change(entry);
        entry.weigh();
        self.stored += entry.weight;
        list(&mut self.index, entry);
        self.detach(&leaving);
    }

    /// Removes what is stored under `key`; whether there was something.
    pub(super) fn remove(&mut self, key: &CacheKey) -> bool {
        let Some(&slot) = self.slots.get(key) else { return false };
        self.order.remove(slot);
        self.take(slot);
        true
    }

    /// URIs and tags of what is stored, in their order.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Removes what is stored under `key`, all of it or what has `tag`; or, softly, says of it that it
    /// is stale from now on. How many responses that were. It does not count as a use.
    pub(super) fn purge(
        &mut self,
        key: &CacheKey,
        tag: Option<&Tag>,
        soft: Option<Instant>,
    ) -> usize {
        let meant = |object: &Arc<Object>| tag.is_none_or(|tag| object.tags.has(tag));
        let Some(&slot) = self.slots.get(key) else { return 0 };
        let entry = &mut self.entries[slot];
        if let Some(now) = soft {
            let found = entry.variants.iter().filter(|object| meant(object));
            return found.map(|object| object.outdate(now)).count();
        }
        if entry.variants.iter().all(meant) {
            let count = entry.variants.len();
            self.remove(key);
            return count;
        }
        let before = entry.variants.len();
        self.change(slot, |entry| {
            let (leaving, left) = entry.variants.drain(..).partition(meant);
            entry.variants = left;
            leaving
        });
        before - self.entries[slot].variants.len()
    }

    /// Drops entries until at most `limit` bytes are held. Of those that come first, some that are
    /// in use are passed over.
    pub(super) fn shrink_to(&mut self, limit: usize) {
        if self.bytes() > limit {
            self.sweep_detached();
        }
        let mut spared = 0;
        while self.bytes() > limit
            && let Some(slot) = self.order.first()
        {
            if spared < SPARED && self.entries[slot].is_in_use() {
                spared += 1;
                self.order.defer(slot);
                continue;
            }
            self.order.evict(slot);
            self.take(slot);
            self.evicted += 1;
        }
    }

    /// Drops all entries.
    pub(super) fn clear(&mut self) {
        self.order = self.eviction.order();
        let slots: Vec<_> = self.entries.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.take(slot);
        }
    }

    /// Takes an entry out, which the order knows no more. With the last one, the tables go.
    fn take(&mut self, slot: usize) {
        let entry = self.entries.remove(slot);
        unlist(&mut self.index, &entry);
        self.slots.remove(&entry.key);
        self.stored -= entry.weight;
        self.detach(&entry.variants);
        if self.entries.is_empty() {
            (self.entries, self.slots) = (Slab::new(), HashMap::default());
        }
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

    /// Bytes held: stored, with index and order, or evicted and not yet let go of.
    pub(super) fn bytes(&self) -> usize {
        self.stored + self.detached_bytes + self.tables()
    }

    /// Bytes that index, entries and order take, beside what the entries hold.
    fn tables(&self) -> usize {
        // Of eight places in a table, seven are used at most; each has a byte of its own.
        let places = self.slots.capacity() / 7 * 8;
        taken(places * (size_of::<(CacheKey, usize)>() + 1))
            + taken(self.entries.capacity() * (size_of::<Entry>() + size_of::<usize>()))
            + taken(self.detached.capacity() * size_of::<(Weak<Object>, usize)>())
            + self.order.weight()
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
        assert_eq!(self.slots.len(), self.entries.len(), "every entry has its key");
        assert_eq!(self.order.len(), self.entries.len(), "every entry has its place in the order");
        let found = |(slot, entry): (usize, &Entry)| self.slots.get(&entry.key) == Some(&slot);
        assert!(self.entries.iter().all(found), "keys lead to their entries");
        let objects = self.entries.iter().flat_map(|(_, entry)| &entry.variants);
        let stored: HashSet<_> = objects.map(Arc::as_ptr).collect();
        let twice = self.detached.iter().any(|(object, _)| stored.contains(&object.as_ptr()));
        assert!(!twice, "what is stored is not detached");
        self.index.check(self.entries.iter().flat_map(|(_, entry)| {
            entry.variants.iter().map(|object| (entry.key.shared_uri(), &object.tags))
        }));
    }
}

/// Has an entry found by its URI and tags.
fn list(index: &mut Index, entry: &Entry) {
    index.add(entry.key.shared_uri(), entry.variants.iter().map(|object| &object.tags));
}

/// Has it found no more.
fn unlist(index: &mut Index, entry: &Entry) {
    index.remove(entry.key.shared_uri(), entry.variants.iter().map(|object| &object.tags));
}
