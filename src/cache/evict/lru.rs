//! The least recently used first: what other orders are measured against.

use std::hash::{BuildHasherDefault, Hasher};

use ::lru::LruCache;

use super::Order;

/// Slots in the order of their last use.
#[derive(Debug)]
pub(super) struct Lru {
    slots: LruCache<usize, (), BuildHasherDefault<Spread>>,
}

impl Default for Lru {
    fn default() -> Self {
        Self { slots: LruCache::unbounded_with_hasher(BuildHasherDefault::default()) }
    }
}

impl Order for Lru {
    fn insert(&mut self, slot: usize, _hash: u64, _weight: usize) {
        self.slots.put(slot, ());
    }

    fn hit(&mut self, slot: usize, _weight: usize) {
        self.slots.promote(&slot);
    }

    fn reweigh(&mut self, _slot: usize, _weight: usize) {}

    fn has(&self, slot: usize) -> bool {
        self.slots.contains(&slot)
    }

    fn first(&mut self) -> Option<usize> {
        self.slots.peek_lru().map(|(slot, ())| *slot)
    }

    fn defer(&mut self, slot: usize) {
        self.slots.promote(&slot);
    }

    fn evict(&mut self, slot: usize) {
        self.remove(slot);
    }

    fn remove(&mut self, slot: usize) {
        self.slots.pop(&slot);
    }

    fn weight(&self) -> usize {
        // A node on the heap, with what the allocator adds, and a place in a table half full.
        const EACH: usize = 32 + 16 + 2 * (2 * size_of::<usize>() + 1);
        self.slots.len() * EACH
    }

    fn len(&self) -> usize {
        self.slots.len()
    }
}

/// Hashes slots, which nobody outside chooses.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a slot is a number");
    }

    fn write_usize(&mut self, slot: usize) {
        self.0 = (slot as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
