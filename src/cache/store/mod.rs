//! Store of responses within a limit of bytes. An eviction order decides which entry is evicted
//! first.

mod attach;
mod coded_forms;
pub(super) mod content;
mod detached;
pub(super) mod evict;
pub(super) mod extents;
mod index;
mod invalidated;
pub(super) mod object;
mod paged;
pub(super) mod purge;
pub(super) mod range;
pub(super) mod shared_content;
pub(super) mod slice;
mod slots;
mod tagged;
mod variants;

use std::collections::HashSet;
use std::sync::Arc;

use crate::cache::key::CacheKey;
use crate::cache::policy::presented::Presented;
use crate::cache::policy::selecting::VaryNames;
use crate::cache::policy::tags::Tag;
use crate::cache::policy::vary::Selection;
use crate::work;

use detached::Detached;
use evict::{Eviction, Orders};
use index::{Index, URI_WEIGHT};
use invalidated::Invalidated;
use object::Object;
use paged::PagedSlab;
use purge::Purge;
use range::Range;
use slice::Slice;
use slots::Slots;
use variants::{Variant, Variants};

/// Maximum number of entries in use that one eviction passes over: evicting them frees nothing yet.
const SPARED: usize = 32;

/// Stored responses by key, in an eviction order.
#[derive(Debug)]
pub(crate) struct Store {
    order: Orders,
    /// Slot of each entry, by key.
    slots: Slots,
    entries: PagedSlab<Entry>,
    index: Index,
    /// Bytes of all entries.
    stored: usize,
    /// Bytes of content that `stored` counts more than once.
    shared: usize,
    detached: Detached,
    evicted: u64,
    /// Maximum number of responses of one URI.
    most_variants: usize,
    /// Number of responses stored so far.
    number: u64,
    invalidated: Invalidated,
    /// Set while the store holds more than allowed, until enough was evicted.
    is_behind: bool,
}

/// Responses stored under one key.
#[derive(Debug)]
struct Entry {
    key: CacheKey,
    variants: Variants,
    weight: usize,
    /// Highest number of a response up to which a clear of the whole cache was applied to this entry.
    cleared: u64,
}

impl Entry {
    /// Returns the bytes that the entry takes, with its key.
    fn weigh(&self) -> usize {
        URI_WEIGHT + self.key.weight() + self.variants.weight()
    }
}

/// Result of looking up a request in the store.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Response that the request selects.
    pub(super) selected: Option<Arc<Object>>,
    /// Names in the `Vary` of the response stored last. `None` if nothing is stored.
    pub(super) names: Option<VaryNames>,
}

impl Store {
    pub(super) fn new(eviction: Eviction, most_variants: usize) -> Self {
        Self {
            order: Orders::new(eviction),
            slots: Slots::default(),
            entries: PagedSlab::default(),
            index: Index::default(),
            stored: 0,
            shared: 0,
            detached: Detached::default(),
            evicted: 0,
            most_variants,
            number: 0,
            invalidated: Invalidated::default(),
            is_behind: false,
        }
    }

    /// Changes the eviction order. The use history of the former order is forgotten.
    pub(super) fn set_eviction(&mut self, eviction: Eviction) {
        self.order.choose(eviction);
    }

    /// Changes the maximum number of responses of one URI.
    pub(super) const fn set_most_variants(&mut self, most: usize) {
        self.most_variants = most;
    }

    /// Returns the slot of an entry, after removing the responses that an invalidation of
    /// everything covers. `None` if no response remains.
    fn slot(&mut self, key: &CacheKey) -> Option<usize> {
        let slot = self.slots.get(key)?;
        let all = self.invalidated.all();
        let cleared = std::mem::replace(&mut self.entries[slot].cleared, all);
        let is_left = cleared == all || !self.remove_if(slot, |variant| variant.number <= all);
        is_left.then_some(slot)
    }

    /// Returns the names in the `Vary` of the response stored last under `key`.
    pub(super) fn names(&mut self, key: &CacheKey) -> Option<VaryNames> {
        self.slot(key).map(|slot| self.entries[slot].variants.names())
    }

    /// Looks for a response to `request`. Does not count as a use.
    pub(super) fn peek(&mut self, key: &CacheKey, request: &mut Presented) -> Found {
        let Some(slot) = self.slot(key) else { return Found::default() };
        let variants = &self.entries[slot].variants;
        let selected = variants.find(request);
        let selected = selected.filter(|variant| !self.invalidated.has(key.text(), variant));
        let selected = selected.map(|variant| Arc::clone(&variant.object));
        Found { selected, names: Some(variants.names()) }
    }

    /// Looks for a response to `request`. The entry and the selected response count as used.
    pub(super) fn find(&mut self, key: &CacheKey, request: &mut Presented) -> Found {
        let found = self.peek(key, request);
        if found.names.is_some()
            && let Some(slot) = self.slot(key)
        {
            let entry = &mut self.entries[slot];
            found.selected.iter().for_each(|object| entry.variants.used(object));
            self.order.hit(slot, key.hash(), entry.weight);
        }
        found
    }

    /// Returns the responses stored under `key`, the most recently used first.
    pub(super) fn variants(&mut self, key: &CacheKey) -> impl Iterator<Item = &Arc<Object>> {
        let variants = self.slot(key).map(|slot| self.entries[slot].variants.iter());
        variants.into_iter().flatten().map(|variant| &variant.object)
    }

    /// Returns the responses stored under `key` that one conditional request can validate together.
    pub(super) fn validation_candidates(&mut self, key: &CacheKey) -> Vec<Arc<Object>> {
        let slot = self.slot(key);
        slot.map(|slot| self.entries[slot].variants.validation_candidates()).unwrap_or_default()
    }

    /// Returns the response with the same selecting fields.
    pub(super) fn same(&mut self, key: &CacheKey, selection: &Selection) -> Option<&Arc<Object>> {
        let slot = self.slot(key)?;
        let variants = &self.entries[slot].variants;
        variants.get(selection).map(|variant| &variant.object)
    }

    /// Stores `object`, in place of the responses whose requests it also answers.
    pub(super) fn insert(&mut self, key: &CacheKey, object: Arc<Object>) {
        self.number += 1;
        for content in object.contents() {
            work::count(1);
            self.shared += if content.store() > 0 { content.weight() } else { 0 };
        }
        let variant = Variant { object, number: self.number };
        let Some(slot) = self.slot(key) else { return self.insert_first(key, variant) };
        let uri = key.text();
        self.index.tag(uri, slot, &variant.object.tags);
        let most = self.most_variants;
        self.change(slot, |variants| variants.put(variant, most));
        self.order.hit(slot, key.hash(), self.entries[slot].weight);
    }

    fn insert_first(&mut self, key: &CacheKey, variant: Variant) {
        let object = Arc::clone(&variant.object);
        let (variants, cleared) = (Variants::One(variant), self.invalidated.all());
        let mut entry = Entry { key: key.clone(), variants, weight: 0, cleared };
        entry.weight = entry.weigh();
        let weight = entry.weight;
        self.stored += weight;
        let slot = self.entries.insert(entry);
        self.slots.insert(key.clone(), slot);
        self.index.add(key.text(), slot);
        self.index.tag(key.text(), slot, &object.tags);
        self.order.insert(slot, key.hash(), weight);
    }

    /// Changes the responses of an entry. `change` returns those that leave it.
    fn change(&mut self, slot: usize, change: impl FnOnce(&mut Variants) -> Vec<Arc<Object>>) {
        let entry = &mut self.entries[slot];
        let leaving = change(&mut entry.variants);
        let weight = entry.weigh();
        self.stored = self.stored - std::mem::replace(&mut entry.weight, weight) + weight;
        let uri = Arc::clone(entry.key.text());
        leaving.iter().for_each(|object| self.leave(&uri, object));
    }

    /// Removes an object that leaves its entry from the index and the books.
    fn leave(&mut self, uri: &Arc<str>, object: &Arc<Object>) {
        self.index.untag(uri, &object.tags);
        for content in object.contents() {
            work::count(1);
            self.shared -= if content.unstore() > 0 { content.weight() } else { 0 };
        }
        self.detached.add(object);
    }

    /// Removes the responses stored under `key`. Returns true if there were any.
    pub(super) fn remove(&mut self, key: &CacheKey) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        self.order.remove(slot);
        self.take(slot);
        true
    }

    /// Runs one slice of a purge. Returns true when the purge is complete.
    pub(super) fn run_purge(&mut self, purge: &mut Purge, slice: &mut Slice) -> bool {
        while let Some(batch) = purge.next_batch(&self.index) {
            for (uri, slot) in batch.entries {
                let found = if purge.has(&uri) { self.purge(slot, purge, slice) } else { 0 };
                purge.advance(uri, found);
                if slice.is_over() {
                    return false;
                }
            }
            if batch.is_last {
                purge.finish_range();
            }
        }
        true
    }

    /// Removes the responses in `slot` that a purge covers, or makes them stale if the purge is
    /// soft. Returns the number of these responses. Does not count as a use.
    fn purge(&mut self, slot: usize, purge: &Purge, slice: &mut Slice) -> usize {
        let entry = &self.entries[slot];
        slice.spend_entry(entry.key.text(), &entry.variants);
        let found = entry.variants.iter().filter(|variant| purge.is_for(variant));
        if let Some(now) = purge.soft() {
            return found.map(|variant| variant.object.mark_stale(now)).count();
        }
        let count = found.count();
        self.remove_if(slot, |variant| purge.is_for(variant));
        count
    }

    /// Removes the responses in `slot` for which `is_removed` returns true. Returns true if none
    /// remains.
    fn remove_if(&mut self, slot: usize, is_removed: impl FnMut(&Variant) -> bool) -> bool {
        let mut all = false;
        self.change(slot, |variants| {
            let (leaving, every) = variants.remove(is_removed);
            all = every;
            leaving
        });
        if all {
            self.order.remove(slot);
            self.take(slot);
        }
        all
    }

    /// Returns the number of the response stored last.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Invalidates the stored responses of a group of the origin with that root. They are not used
    /// from now on, and removed slice by slice.
    pub(super) fn invalidate_group(&mut self, root: &Arc<str>, tag: &Tag) {
        if !self.index.after(&Range::tagged(tag.clone(), root), None, 1).is_empty() {
            self.invalidated.add_group(root, tag, self.number);
        }
    }

    /// Invalidates all stored responses.
    pub(super) fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.invalidated.add_all(self.number);
        }
    }

    /// Runs one slice of deferred work: removes invalidated responses, and moves entries to another
    /// eviction order.
    pub(super) fn run_slice(&mut self) {
        let mut slice = Slice::default();
        self.sweep(&mut slice);
        while !slice.is_over() && self.order.is_moving() {
            slice.spend(4 * work::LOOK_UP);
            work::count(4 * work::LOOK_UP);
            let entries = &self.entries;
            self.order.run_slice(|slot| (entries[slot].key.hash(), entries[slot].weight));
        }
    }

    /// Returns true if the store holds more than allowed and eviction continues.
    pub(super) const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Returns true if there is deferred work.
    pub(super) fn has_work(&self) -> bool {
        self.is_behind || self.invalidated.is_pending() || self.order.is_moving()
    }

    /// Removes invalidated responses.
    fn sweep(&mut self, slice: &mut Slice) {
        while !slice.is_over()
            && let Some(mut sweep) = self.invalidated.next()
        {
            match self.run_purge(&mut sweep.purge, slice) {
                true => self.invalidated.done(sweep),
                false => self.invalidated.put_back(sweep),
            }
        }
    }

    /// Evicts until at most `limit` bytes are held, or the slice is used up; in the latter case the
    /// store is behind. Invalidated responses are removed first. A few entries that are in use are
    /// passed over. An entry with several responses loses its least recently used responses before
    /// it is evicted itself. Returns true if at most `limit` bytes are held.
    pub(super) fn shrink_to(&mut self, limit: usize) -> bool {
        self.is_behind = false;
        if self.bytes() <= limit {
            return true;
        }
        self.detached.sweep();
        let mut slice = Slice::default();
        if self.bytes() > limit {
            self.sweep(&mut slice);
        }
        self.evict(limit, &mut slice);
        let fits = self.bytes() <= limit;
        self.is_behind = !fits && !self.entries.is_empty();
        fits
    }

    fn evict(&mut self, limit: usize, slice: &mut Slice) {
        let mut spared = 0;
        while self.bytes() > limit
            && !slice.is_over()
            && let Some(slot) = self.order.first()
        {
            let entry = &self.entries[slot];
            slice.spend_entry(entry.key.text(), &entry.variants);
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

    /// Takes an entry out that the eviction order has already removed.
    fn take(&mut self, slot: usize) {
        let Some(entry) = self.entries.remove(slot) else { return };
        self.slots.remove(&entry.key);
        self.stored -= entry.weight;
        for variant in entry.variants.iter() {
            self.leave(entry.key.text(), &variant.object);
        }
        self.index.remove(entry.key.text());
    }

    /// Forgets detached objects that were dropped.
    pub(super) fn sweep_detached(&mut self) {
        self.detached.sweep();
    }

    /// Returns the bytes of objects that were evicted and are still in use.
    pub(super) const fn detached_bytes(&self) -> usize {
        self.detached.bytes()
    }

    /// Returns the bytes held: stored responses, index, eviction order, and evicted objects that
    /// are still in use.
    pub(super) fn bytes(&self) -> usize {
        self.stored - self.shared + self.detached.bytes() + self.tables()
    }

    /// Returns the bytes of the tables, without the contents of the entries.
    fn tables(&self) -> usize {
        self.slots.weight() + self.entries.weight() + self.detached.weight() + self.order.weight()
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
        let found = |(slot, entry): (usize, &Entry)| self.slots.get(&entry.key) == Some(slot);
        assert!(self.entries.iter().all(found), "keys lead to their entries");
        self.entries.iter().for_each(|(_, entry)| entry.variants.check());
        let variants = || {
            self.entries.iter().flat_map(|(slot, entry)| {
                let uri = entry.key.text();
                entry.variants.iter().map(move |variant| (uri, slot, &variant.object))
            })
        };
        let stored: HashSet<_> = variants().map(|(.., object)| Arc::as_ptr(object)).collect();
        self.detached.check(&stored);
        let (mut seen, mut shared) = (HashSet::new(), 0);
        for content in variants().flat_map(|(.., object)| object.contents()) {
            assert!(content.is_stored(), "stored content is counted as stored");
            shared += if seen.insert(Arc::as_ptr(content)) { 0 } else { content.weight() };
        }
        assert_eq!(shared, self.shared, "content is counted once");
        self.invalidated.check();
        self.index.check(
            self.entries.iter().map(|(slot, entry)| (entry.key.text(), slot)),
            variants().map(|(uri, slot, object)| (uri, slot, &object.tags)),
        );
    }
}
