//! The order in which entries are evicted, and the one before, from which they are moved little by
//! little when another is chosen.

use super::Eviction;
use super::eviction_policy::EvictionPolicy;

/// The order of all entries. Each is known to one of two: entries of the former order go first.
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

    /// Chooses another order, if it is another. Entries are moved there as they are used, and by
    /// [`run_slice`](Self::run_slice); their uses until then are forgotten.
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

    /// Moves an entry that still has its place in the former order; `entry` tells the hash of its key,
    /// and its weight.
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

    /// The order that knows `slot`.
    fn of(&mut self, slot: usize) -> &mut Box<dyn EvictionPolicy> {
        match &mut self.former {
            Some((_, former)) if former.has(slot) => former,
            _ => &mut self.current,
        }
    }

    /// `slot` is taken, by an entry of `weight` bytes whose key has `hash`.
    pub(crate) fn insert(&mut self, slot: usize, hash: u64, weight: usize) {
        self.current.insert(slot, hash, weight);
    }

    /// The entry in `slot` was used, or replaced; the hash of its key, and its weight now.
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

    /// The entry in `slot` has lost some of its weight; its weight now.
    pub(crate) fn reweigh(&mut self, slot: usize, weight: usize) {
        self.of(slot).reweigh(slot, weight);
    }

    /// The slot whose entry should go first.
    pub(crate) fn first(&mut self) -> Option<usize> {
        let former = self.former.as_mut().and_then(|(_, former)| former.first());
        former.or_else(|| self.current.first())
    }

    /// That one cannot go yet: another will be the first.
    pub(crate) fn defer(&mut self, slot: usize) {
        self.of(slot).defer(slot);
    }

    /// The entry in `slot` has to go for want of room.
    pub(crate) fn evict(&mut self, slot: usize) {
        self.of(slot).evict(slot);
        self.forget_empty();
    }

    /// The entry in `slot` is gone for another reason.
    pub(crate) fn remove(&mut self, slot: usize) {
        self.of(slot).remove(slot);
        self.forget_empty();
    }

    /// Bytes that the orders themselves take.
    pub(crate) fn weight(&self) -> usize {
        self.current.weight() + self.former.as_ref().map_or(0, |(_, former)| former.weight())
    }

    /// Returns the number of slots they know.
    pub(crate) fn len(&self) -> usize {
        self.current.len() + self.former.as_ref().map_or(0, |(_, former)| former.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_moved_one_by_one_and_none_is_lost() {
        let mut orders = Orders::new(Eviction::Lru);
        (0..10).for_each(|slot| orders.insert(slot, slot as u64, 1));
        orders.choose(Eviction::Gdsf);
        assert!(orders.is_moving() && orders.len() == 10);
        orders.hit(3, 3, 1);
        orders.insert(10, 10, 1);
        assert_eq!(orders.first(), Some(0), "the former order goes first");
        orders.evict(0);
        orders.run_slice(|slot| (slot as u64, 1));
        orders.choose(Eviction::Lru); // and back again
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
    fn entries_of_both_orders_are_used_and_spared() {
        let mut orders = Orders::new(Eviction::Lru);
        (0..4).for_each(|slot| orders.insert(slot, slot as u64, 1000));
        orders.choose(Eviction::Gdsf);
        (4..7).for_each(|slot| orders.insert(slot, slot as u64, 1000));
        orders.defer(0);
        orders.hit(1, 1, 1000); // which moves it
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
        assert_eq!(gone[3..5], [1, 4], "one that was used is in the order now: {gone:?}");
        assert_eq!(gone.len(), 6);
    }
}
