//! Interface of the eviction orders.

use std::fmt::Debug;

/// An eviction order of slots. It depends only on the calls made to it, not on time or chance.
pub(super) trait EvictionPolicy: Debug {
    /// Adds the entry in `slot`, which has `weight` bytes and a key with `hash`.
    fn insert(&mut self, slot: usize, hash: u64, weight: usize);

    /// Records that the entry in `slot` was used or replaced, and has `weight` bytes now.
    fn hit(&mut self, slot: usize, weight: usize);

    /// Records that the entry in `slot` has shrunk to `weight` bytes.
    fn reweigh(&mut self, slot: usize, weight: usize);

    /// Returns true if the order has an entry in `slot`.
    fn has(&self, slot: usize) -> bool;

    /// Returns the slot of the entry to evict first.
    fn first(&mut self) -> Option<usize>;

    /// Postpones the entry in `slot`, which [`first`](Self::first) returned and which cannot be
    /// evicted yet.
    fn defer(&mut self, slot: usize);

    /// Removes the entry in `slot` because memory is short. An order may remember that it was
    /// there.
    fn evict(&mut self, slot: usize);

    /// Removes the entry in `slot` for another reason.
    fn remove(&mut self, slot: usize);

    /// Returns the bytes that the order itself takes on the heap.
    fn weight(&self) -> usize;

    /// Returns the number of entries.
    fn len(&self) -> usize;
}
