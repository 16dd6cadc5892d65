//! Least recently used first: the order that others are compared with.

use crate::cache::store::paged::Paged;

use super::eviction_policy::EvictionPolicy;

/// Mark for no slot.
const NONE: usize = usize::MAX;

/// Slots in the order of their last use: a linked list whose links are stored by slot.
#[derive(Debug)]
pub(super) struct Lru {
    links: Paged<Link>,
    /// Least recently used slot, and most recently used slot.
    first: usize,
    last: usize,
    len: usize,
}

/// Neighbours of a slot in the list.
#[derive(Clone, Copy, Debug)]
struct Link {
    before: usize,
    after: usize,
    is_taken: bool,
}

const FREE: Link = Link { before: NONE, after: NONE, is_taken: false };

impl Default for Lru {
    fn default() -> Self {
        Self { links: Paged::default(), first: NONE, last: NONE, len: 0 }
    }
}

impl Lru {
    fn link(&mut self, slot: usize) {
        while self.links.len() <= slot {
            self.links.push(FREE);
        }
        self.links[slot] = Link { before: self.last, after: NONE, is_taken: true };
        match self.links.get_mut(self.last) {
            Some(last) => last.after = slot,
            None => self.first = slot,
        }
        self.last = slot;
        self.len += 1;
    }

    /// Takes a slot out of the list. Returns true if it was there.
    fn unlink(&mut self, slot: usize) -> bool {
        let Some(link) = self.links.get_mut(slot).filter(|link| link.is_taken) else {
            return false;
        };
        let Link { before, after, .. } = std::mem::replace(link, FREE);
        match self.links.get_mut(before) {
            Some(before) => before.after = after,
            None => self.first = after,
        }
        match self.links.get_mut(after) {
            Some(after) => after.before = before,
            None => self.last = before,
        }
        self.len -= 1;
        true
    }
}

impl EvictionPolicy for Lru {
    fn insert(&mut self, slot: usize, _hash: u64, _weight: usize) {
        self.link(slot);
    }

    fn hit(&mut self, slot: usize, _weight: usize) {
        if self.unlink(slot) {
            self.link(slot);
        }
    }

    fn reweigh(&mut self, _slot: usize, _weight: usize) {}

    fn has(&self, slot: usize) -> bool {
        self.links.get(slot).is_some_and(|link| link.is_taken)
    }

    fn first(&mut self) -> Option<usize> {
        (self.first != NONE).then_some(self.first)
    }

    fn defer(&mut self, slot: usize) {
        self.hit(slot, 0);
    }

    fn evict(&mut self, slot: usize) {
        self.remove(slot);
    }

    fn remove(&mut self, slot: usize) {
        self.unlink(slot);
        if self.len == 0 {
            *self = Self::default();
        }
    }

    fn weight(&self) -> usize {
        self.links.weight()
    }

    fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_evicted_in_the_order_of_their_last_use() {
        let mut order = Lru::default();
        (0..5).for_each(|slot| order.insert(slot, 0, 1));
        order.hit(0, 1);
        order.defer(1);
        order.reweigh(2, 1);
        order.hit(9, 1); // unknown to the order
        let gone = std::iter::from_fn(|| {
            let first = order.first()?;
            order.evict(first);
            Some(first)
        });
        assert_eq!(gone.collect::<Vec<_>>(), [2, 3, 4, 0, 1]);
    }
}
