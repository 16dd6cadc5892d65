//! Interface of the orders in which entries are evicted.

use std::fmt::Debug;

/// An order of slots. It decides by what it is told alone: no time, no chance.
pub(super) trait EvictionPolicy: Debug {
    /// `slot` is taken, by an entry of `weight` bytes whose key has `hash`.
    fn insert(&mut self, slot: usize, hash: u64, weight: usize);

    /// The entry in `slot` was used, or replaced; its weight now.
    fn hit(&mut self, slot: usize, weight: usize);

    /// The entry in `slot` has lost some of its weight; its weight now.
    fn reweigh(&mut self, slot: usize, weight: usize);

    /// Returns true if the order knows the entry in `slot`.
    fn has(&self, slot: usize) -> bool;

    /// The slot whose entry should go first.
    fn first(&mut self) -> Option<usize>;

    /// That one cannot go yet: another will be the first.
    fn defer(&mut self, slot: usize);

    /// The entry in `slot` has to go for want of room. An order may remember that it was there.
    fn evict(&mut self, slot: usize);

    /// The entry in `slot` is gone for another reason.
    fn remove(&mut self, slot: usize);

    /// Bytes that the order itself takes.
    fn weight(&self) -> usize;

    /// How many slots it knows.
    fn len(&self) -> usize;
}
