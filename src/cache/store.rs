//! Stored responses within a number of bytes. Which of them goes first is for an order to say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;

use crate::heap::taken;
use crate::work;

use super::detached::Detached;
use super::evict::{Eviction, Order};
use super::index::{Index, URI_WEIGHT};
use super::key::{BuildCarried, CacheKey};
use super::object::Object;
use super::presented::Presented;
use super::tags::Tag;
use super::variants::{Variant, Variants};
use super::vary::{Selection, VaryNames};

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
    /// Bytes of content that are counted there more than once.
    shared: usize,
    detached: Detached,
    evicted: u64,
    /// Responses that one URI may have.
    most_variants: usize,
    /// Responses stored so far.
    number: u64,
}

/// Responses stored under one key.
#[derive(Debug)]
struct Entry {
    key: CacheKey,
    variants: Variants,
    weight: usize,
}

impl Entry {
    /// Bytes that the entry takes, with its key.
    fn weigh(&self) -> usize {
        URI_WEIGHT + self.key.weight() + self.variants.weight()
    }
}

/// What a look at the store has found for a request.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The response that the request selects.
    pub(super) selected: Option<Arc<Object>>,
    /// Names in the `Vary` of the response stored last; `None` if nothing is stored.
    pub(super) names: Option<VaryNames>,
}

impl Store {
    pub(super) fn new(eviction: Eviction, most_variants: usize) -> Self {
        Self {
            eviction,
            order: eviction.order(),
            slots: HashMap::default(),
            entries: Slab::new(),
            index: Index::default(),
            stored: 0,
            shared: 0,
            detached: Detached::default(),
            evicted: 0,
            most_variants,
            number: 0,
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

    /// Bounds how many responses one URI may have from now on.
    pub(super) const fn set_most_variants(&mut self, most: usize) {
        self.most_variants = most;
    }

    fn slot(&self, key: &CacheKey) -> Option<usize> {
        work::count(work::LOOK_UP);
        self.slots.get(key).copied()
    }

    /// Names in the `Vary` of the response stored last under `key`, if there is one.
    pub(super) fn names(&self, key: &CacheKey) -> Option<VaryNames> {
        Some(self.entries[self.slot(key)?].variants.names())
    }

    /// Looks for a response to `request`, without a trace.
    pub(super) fn peek(&self, key: &CacheKey, request: &mut Presented) -> Found {
        let Some(slot) = self.slot(key) else { return Found::default() };
        let variants = &self.entries[slot].variants;
        let selected = variants.find(request).map(|variant| Arc::clone(&variant.object));
        Found { selected, names: Some(variants.names()) }
    }

    /// Looks for a response to `request`. The entry, and the response that is found, count as used.
    pub(super) fn find(&mut self, key: &CacheKey, request: &mut Presented) -> Found {
        let found = self.peek(key, request);
        if found.names.is_some()
            && let Some(slot) = self.slot(key)
        {
            let entry = &mut self.entries[slot];
            found.selected.iter().for_each(|object| entry.variants.used(object));
            self.order.hit(slot, entry.weight);
        }
        found
    }

    /// Responses stored under `key`, those used last first.
    pub(super) fn variants(&self, key: &CacheKey) -> impl Iterator<Item = &Arc<Object>> {
        let variants = self.slot(key).map(|slot| self.entries[slot].variants.iter());
        variants.into_iter().flatten().map(|variant| &variant.object)
    }

    /// Responses stored under `key` that the origin can be asked about together.
    pub(super) fn told_apart(&self, key: &CacheKey) -> Vec<Arc<Object>> {
        let slot = self.slot(key);
        slot.map(|slot| self.entries[slot].variants.told_apart()).unwrap_or_default()
    }

    /// The response that the same fields have selected.
    pub(super) fn same(&self, key: &CacheKey, selection: &Selection) -> Option<&Arc<Object>> {
        let variants = &self.entries[self.slot(key)?].variants;
        variants.get(selection).map(|variant| &variant.object)
    }

    /// Stores `object`, in place of those whose requests it answers as well.
    pub(super) fn insert(&mut self, key: &CacheKey, object: Arc<Object>) {
        self.number += 1;
        for content in object.content.parts() {
            work::count(1);
            self.shared += if content.store() > 0 { content.weight() } else { 0 };
        }
        let variant = Variant { object, number: self.number };
        let Some(slot) = self.slot(key) else { return self.insert_first(key, variant) };
        let uri = key.shared_uri();
        self.index.tag(uri, slot, &variant.object.tags);
        let most = self.most_variants;
        self.change(slot, |variants| variants.put(variant, most));
        self.order.hit(slot, self.entries[slot].weight);
    }

    fn insert_first(&mut self, key: &CacheKey, variant: Variant) {
        let object = Arc::clone(&variant.object);
        let mut entry = Entry { key: key.clone(), variants: Variants::One(variant), weight: 0 };
        entry.weight = entry.weigh();
        let weight = entry.weight;
        self.stored += weight;
        let slot = self.entries.insert(entry);
        self.slots.insert(key.clone(), slot);
        self.index.add(key.shared_uri(), slot);
        self.index.tag(key.shared_uri(), slot, &object.tags);
        self.order.insert(slot, key.hash(), weight);
    }

    /// Changes the responses of an entry, which hands out those that leave.
    fn change(&mut self, slot: usize, change: impl FnOnce(&mut Variants) -> Vec<Arc<Object>>) {
        let entry = &mut self.entries[slot];
        let leaving = change(&mut entry.variants);
        let weight = entry.weigh();
        self.stored = self.stored - std::mem::replace(&mut entry.weight, weight) + weight;
        let uri = Arc::clone(entry.key.shared_uri());
        leaving.iter().for_each(|object| self.leave(&uri, object));
    }

    /// An object leaves an entry.
    fn leave(&mut self, uri: &Arc<str>, object: &Arc<Object>) {
        self.index.untag(uri, &object.tags);
        for content in object.content.parts() {
            work::count(1);
            self.shared -= if content.unstore() > 0 { content.weight() } else { 0 };
        }
        self.detached.add(object);
    }

    /// Removes what is stored under `key`; returns true if something was.
    pub(super) fn remove(&mut self, key: &CacheKey) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        self.order.remove(slot);
        self.take(slot);
        true
    }

    /// URIs and tags of what is stored, in their order.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Removes what is stored in `slot`, all of it or what has `tag`; or, softly, makes it stale from
    /// now on. Returns how many responses that concerns. It does not count as a use.
    pub(super) fn purge(&mut self, slot: usize, tag: Option<&Tag>, soft: Option<Instant>) -> usize {
        let meant = |variant: &Variant| tag.is_none_or(|tag| variant.object.tags.has(tag));
        let entry = &self.entries[slot];
        let found = entry.variants.iter().filter(|variant| meant(variant));
        if let Some(now) = soft {
            return found.map(|variant| variant.object.outdate(now)).count();
        }
        let count = found.count();
        self.remove_meant(slot, meant);
        count
    }

    fn remove_meant(&mut self, slot: usize, meant: impl FnMut(&Variant) -> bool) {
        let mut all = false;
        self.change(slot, |variants| {
            let (leaving, every) = variants.remove(meant);
            all = every;
            leaving
        });
        if all {
            self.order.remove(slot);
            self.take(slot);
        }
    }

    /// Drops entries until at most `limit` bytes are held. Of those that come first, some that are
    /// in use are passed over; one with several responses loses those used least recently before it
    /// goes.
    pub(super) fn shrink_to(&mut self, limit: usize) {
        if self.bytes() > limit {
            self.detached.sweep();
        }
        let mut spared = 0;
        while self.bytes() > limit
            && let Some(slot) = self.order.first()
        {
            if spared < SPARED && self.entries[slot].variants.is_in_use() {
                spared += 1;
                self.order.defer(slot);
                continue;
            }
            if self.entries[slot].variants.len() > 1 {
                self.change(slot, Variants::halve);
                self.order.reweigh(slot, self.entries[slot].weight);
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
        self.slots.remove(&entry.key);
        self.stored -= entry.weight;
        for variant in entry.variants.iter() {
            self.leave(entry.key.shared_uri(), &variant.object);
        }
        self.index.remove(entry.key.shared_uri());
        if self.entries.is_empty() {
            (self.entries, self.slots) = (Slab::new(), HashMap::default());
        }
    }

    /// Forgets detached objects that were dropped.
    pub(super) fn sweep_detached(&mut self) {
        self.detached.sweep();
    }

    /// Bytes evicted and not yet let go of.
    pub(super) const fn detached_bytes(&self) -> usize {
        self.detached.bytes()
    }

    /// Bytes held: stored, with index and order, or evicted and not yet let go of.
    pub(super) fn bytes(&self) -> usize {
        self.stored - self.shared + self.detached.bytes() + self.tables()
    }

    /// Bytes that index, entries and order take, beside what the entries hold.
    fn tables(&self) -> usize {
        // Of eight places in a table, seven are used at most; each has a byte of its own.
        let places = self.slots.capacity() / 7 * 8;
        taken(places * (size_of::<(CacheKey, usize)>() + 1))
            + taken(self.entries.capacity() * (size_of::<Entry>() + size_of::<usize>()))
            + self.detached.weight()
            + self.order.weight()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Panics if the books do not agree with a recount.
    pub(super) fn check(&self) {
        let weights = self.entries.iter().map(|(_, entry)| entry.weigh()).sum::<usize>();
        assert_eq!(weights, self.stored, "stored bytes are counted");
        assert_eq!(self.slots.len(), self.entries.len(), "every entry has its key");
        assert_eq!(self.order.len(), self.entries.len(), "every entry has its place in the order");
        let found = |(slot, entry): (usize, &Entry)| self.slots.get(&entry.key) == Some(&slot);
        assert!(self.entries.iter().all(found), "keys lead to their entries");
        self.entries.iter().for_each(|(_, entry)| entry.variants.check());
        let variants = || {
            self.entries.iter().flat_map(|(slot, entry)| {
                let uri = entry.key.shared_uri();
                entry.variants.iter().map(move |variant| (uri, slot, &variant.object))
            })
        };
        let stored: HashSet<_> = variants().map(|(.., object)| Arc::as_ptr(object)).collect();
        self.detached.check(&stored);
        let (mut seen, mut shared) = (HashSet::new(), 0);
        for content in variants().flat_map(|(.., object)| object.content.parts()) {
            assert!(content.is_stored(), "stored content knows that it is");
            shared += if seen.insert(Arc::as_ptr(content)) { 0 } else { content.weight() };
        }
        assert_eq!(shared, self.shared, "content is counted once");
        self.index.check(
            self.entries.iter().map(|(slot, entry)| (entry.key.shared_uri(), slot)),
            variants().map(|(uri, slot, object)| (uri, slot, &object.tags)),
        );
    }
}
