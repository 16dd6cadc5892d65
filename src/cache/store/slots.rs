//! Slots of the entries by key: a table in shards, of which only one grows at a time.

use std::collections::HashMap;

use crate::alloc_size::rounded_up;
use crate::cache::key::{BuildPrehashed, CacheKey};
use crate::work;

/// Number of shards. The first bits of a key's hash select its shard.
const SHARDS: usize = 64;

/// Slots of entries.
#[derive(Debug, Default)]
pub(super) struct Slots {
    shards: Vec<HashMap<CacheKey, usize, BuildPrehashed>>,
    len: usize,
    /// Bytes that the shards take on the heap.
    weight: usize,
}

impl Slots {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: &CacheKey) -> Option<usize> {
        work::count(work::LOOK_UP);
        self.shards.get(shard(key))?.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: CacheKey, slot: usize) {
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, HashMap::default);
        }
        let shard = &mut self.shards[shard(&key)];
        let before = weight(shard);
        work::count(work::LOOK_UP + if shard.len() == shard.capacity() { shard.len() } else { 0 });
        self.len += usize::from(shard.insert(key, slot).is_none());
        self.weight = self.weight - before + weight(shard);
    }

    /// Removes a key. Removing the last key frees the shards.
    pub(super) fn remove(&mut self, key: &CacheKey) {
        work::count(work::LOOK_UP);
        let Some(shard) = self.shards.get_mut(shard(key)) else { return };
        self.len -= usize::from(shard.remove(key).is_some());
        if self.len == 0 {
            *self = Self::default();
        }
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        self.weight
            + rounded_up(
                self.shards.capacity() * size_of::<HashMap<CacheKey, usize, BuildPrehashed>>(),
            )
    }
}

fn shard(key: &CacheKey) -> usize {
    usize::try_from(key.hash() >> (u64::BITS - SHARDS.ilog2())).unwrap_or(0)
}

fn weight(shard: &HashMap<CacheKey, usize, BuildPrehashed>) -> usize {
    // A table uses at most seven of eight places, and has one byte of control for each place.
    let places = shard.capacity() / 7 * 8;
    rounded_up(places * (size_of::<(CacheKey, usize)>() + 1))
}
