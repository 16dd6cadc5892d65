//! The current eviction order, and the former one, from which entries are moved slice by slice
//! after a change.

use super::Eviction;
use super::eviction_policy::EvictionPolicy;

/// The eviction order of all entries. Each entry is in one of two orders; those of the former order
/// are evicted first.
#[derive(Debug)]
pub(crate) struct Orders {
    kind: Eviction,
    current: Box<dyn EvictionPolicy>,
    former: Option<(Eviction, Box<dyn EvictionPolicy>)>,
}

impl Orders {
    pub(crate) fn new(kind: Eviction) -> Self {
        Self { kind, current: kind.order(), former: None }
    }

    /// Changes to another order. Entries move to it as they are used, and by
    /// [`run_slice`](Self::run_slice). Their use history is forgotten.
    pub(crate) fn choose(&mut self, kind: Eviction) {
        if self.kind == kind {
            return;
        }
        let returns = self.former.take_if(|(former, _)| *former == kind);
        let next = returns.map_or_else(|| kind.order(), |(_, order)| order);
        let current = std::mem::replace(&mut self.current, next);
        self.former = Some((std::mem::replace(&mut self.kind, kind), current));
        self.forget_empty();
    }

    /// Moves one entry from the former order to the current one. `entry` returns the hash of its
    /// key and its weight.
    pub(crate) fn run_slice(&mut self, entry: impl FnOnce(usize) -> (u64, usize)) {
        let Some((_, former)) = &mut self.former else { return };
        if let Some(slot) = former.first() {
            let (hash, weight) = entry(slot);
            former.remove(slot);
            self.current.insert(slot, hash, weight);
        }
        self.forget_empty();
    }

    pub(crate) const fn is_moving(&self) -> bool {
        self.former.is_some()
    }

    fn forget_empty(&mut self) {
        self.former.take_if(|(_, former)| former.len() == 0);
    }

    /// Returns the order that has `slot`.
    fn of(&mut self, slot: usize) -> &mut Box<dyn EvictionPolicy> {
        match &mut self.former {
            Some((_, former)) if former.has(slot) => former,
            _ => &mut self.current,
        }
    }

    /// Adds the entry in `slot`, which has `weight` bytes and a key with `hash`.
    pub(crate) fn insert(&mut self, slot: usize, hash: u64, weight: usize) {
        self.current.insert(slot, hash, weight);
    }

    /// Records that the entry in `slot` was used or replaced, and has `weight` bytes now. Moves it
    /// to the current order.
    pub(crate) fn hit(&mut self, slot: usize, hash: u64, weight: usize) {
        match &mut self.former {
            Some((_, former)) if former.has(slot) => {
                former.remove(slot);
                self.current.insert(slot, hash, weight);
                self.forget_empty();
            }
            _ => self.current.hit(slot, weight),
        }
    }

    /// Records that the entry in `slot` has shrunk to `weight` bytes.
    pub(crate) fn reweigh(&mut self, slot: usize, weight: usize) {
        self.of(slot).reweigh(slot, weight);
    }

    /// Returns the slot of the entry to evict first.
    pub(crate) fn first(&mut self) -> Option<usize> {
        let former = self.former.as_mut().and_then(|(_, former)| former.first());
        former.or_else(|| self.current.first())
    }

    /// Postpones the entry in `slot`, which [`first`](Self::first) returned and which cannot be
    /// evicted yet.
    pub(crate) fn defer(&mut self, slot: usize) {
        self.of(slot).defer(slot);
    }

    /// Removes the entry in `slot` because memory is short.
    pub(crate) fn evict(&mut self, slot: usize) {
        self.of(slot).evict(slot);
        self.forget_empty();
    }

    /// Removes the entry in `slot` for another reason.
    pub(crate) fn remove(&mut self, slot: usize) {
        self.of(slot).remove(slot);
        self.forget_empty();
    }

    /// Returns the bytes that both orders take on the heap.
    pub(crate) fn weight(&self) -> usize {
        self.current.weight() + self.former.as_ref().map_or(0, |(_, former)| former.weight())
    }

    /// Returns the number of entries.
    pub(crate) fn len(&self) -> usize {
        self.current.len() + self.former.as_ref().map_or(0, |(_, former)| former.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_move_one_by_one_and_none_is_lost() {
        let mut orders = Orders::new(Eviction::Lru);
        (0..10).for_each(|slot| orders.insert(slot, slot as u64, 1));
        orders.choose(Eviction::Gdsf);
        assert!(orders.is_moving() && orders.len() == 10);
        orders.hit(3, 3, 1);
        orders.insert(10, 10, 1);
        assert_eq!(orders.first(), Some(0), "the former order goes first");
        orders.evict(0);
        orders.run_slice(|slot| (slot as u64, 1));
        orders.choose(Eviction::Lru); // and back
        orders.choose(Eviction::Gdsf);
        assert_eq!(orders.len(), 10);
        while orders.is_moving() {
            orders.run_slice(|slot| (slot as u64, 1));
        }
        assert!(!orders.is_moving() && orders.len() == 10);
        let mut gone: Vec<usize> = std::iter::from_fn(|| {
            let first = orders.first()?;
            orders.remove(first);
            Some(first)
        })
        .collect();
        gone.sort_unstable();
        assert_eq!(gone, (1..=10).collect::<Vec<_>>());
    }

    #[test]
    fn entries_of_both_orders_are_used_and_deferred() {
        let mut orders = Orders::new(Eviction::Lru);
        (0..4).for_each(|slot| orders.insert(slot, slot as u64, 1000));
        orders.choose(Eviction::Gdsf);
        (4..7).for_each(|slot| orders.insert(slot, slot as u64, 1000));
        orders.defer(0);
        orders.hit(1, 1, 1000); // moves it to the current order
        orders.defer(4);
        orders.hit(5, 5, 1000);
        orders.reweigh(6, 10);
        orders.remove(5);
        assert_eq!(orders.len(), 6);
        let gone = std::iter::from_fn(|| {
            let first = orders.first()?;
            orders.evict(first);
            Some(first)
        });
        let gone: Vec<usize> = gone.collect();
        assert_eq!(gone[..3], [2, 3, 0], "the former order goes first");
        assert_eq!(gone[3..5], [1, 4], "a used entry is in the current order: {gone:?}");
        assert_eq!(gone.len(), 6);
    }
}
