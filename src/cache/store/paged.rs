//! Tables that grow page by page: growth never moves existing items, so its cost does not depend on
//! their number.

use std::ops::{Index, IndexMut};

use crate::alloc_size::rounded_up;

/// Number of items per page.
const PAGE: usize = 256;

/// A vector in pages. The first page grows as it is filled, so that a few items take little memory.
#[derive(Clone, Debug)]
pub(super) struct Paged<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T> Paged<T> {
    pub(super) fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * PAGE + last.len())
    }

    pub(super) fn push(&mut self, item: T) {
        match self.pages.last_mut().filter(|last| last.len() < PAGE) {
            Some(last) => last.push(item),
            None => {
                let capacity = if self.pages.is_empty() { 0 } else { PAGE };
                let mut page = Vec::with_capacity(capacity);
                page.push(item);
                self.pages.push(page);
            }
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.pages.get(at / PAGE)?.get(at % PAGE)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.pages.get_mut(at / PAGE)?.get_mut(at % PAGE)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        let first = self.pages.first().map_or(0, Vec::capacity);
        let others = self.pages.len().saturating_sub(1);
        rounded_up(first * size_of::<T>())
            + others * rounded_up(PAGE * size_of::<T>())
            + rounded_up(self.pages.capacity() * size_of::<Vec<T>>())
    }
}

impl<T> Index<usize> for Paged<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.pages[at / PAGE][at % PAGE]
    }
}

impl<T> IndexMut<usize> for Paged<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.pages[at / PAGE][at % PAGE]
    }
}

/// Items in slots. Free slots are reused.
#[derive(Debug)]
pub(super) struct PagedSlab<T> {
    slots: Paged<Slot<T>>,
    len: usize,
    /// Free slot to use next; one past the last slot if none is free.
    free: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Taken(T),
    /// Free slot to use after this one.
    Free(usize),
}

impl<T> Default for PagedSlab<T> {
    fn default() -> Self {
        Self { slots: Paged::default(), len: 0, free: 0 }
    }
}

impl<T> PagedSlab<T> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an item. Returns its slot.
    pub(super) fn insert(&mut self, item: T) -> usize {
        let slot = self.free;
        match self.slots.get_mut(slot) {
            Some(free) => {
                if let Slot::Free(next) = std::mem::replace(free, Slot::Taken(item)) {
                    self.free = next;
                }
            }
            None => {
                self.slots.push(Slot::Taken(item));
                self.free = self.slots.len();
            }
        }
        self.len += 1;
        slot
    }

    /// Removes and returns the item of a slot, if there is one. Removing the last item frees all
    /// pages.
    pub(super) fn remove(&mut self, slot: usize) -> Option<T> {
        let place = self.slots.get_mut(slot).filter(|place| matches!(place, Slot::Taken(_)))?;
        let Slot::Taken(item) = std::mem::replace(place, Slot::Free(self.free)) else {
            return None;
        };
        self.free = slot;
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
        Some(item)
    }

    pub(super) fn get(&self, slot: usize) -> Option<&T> {
        match self.slots.get(slot) {
            Some(Slot::Taken(item)) => Some(item),
            _ => None,
        }
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut T> {
        match self.slots.get_mut(slot) {
            Some(Slot::Taken(item)) => Some(item),
            _ => None,
        }
    }

    /// Returns all items with their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| match place {
            Slot::Taken(item) => Some((slot, item)),
            Slot::Free(_) => None,
        })
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        self.slots.weight()
    }
}

impl<T> Index<usize> for PagedSlab<T> {
    type Output = T;

    fn index(&self, slot: usize) -> &T {
        self.get(slot).expect("a slot that is taken")
    }
}

impl<T> IndexMut<usize> for PagedSlab<T> {
    fn index_mut(&mut self, slot: usize) -> &mut T {
        self.get_mut(slot).expect("a slot that is taken")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_stay_in_their_slots(
            steps in prop::collection::vec((any::<bool>(), 0usize..5000, 1usize..1500), 1..12),
        ) {
            let (mut slab, mut model) = (PagedSlab::default(), HashMap::new());
            for (step, &(adds, from, count)) in steps.iter().enumerate() {
                for slot in from..from + count {
                    if adds {
                        prop_assert!(model.insert(slab.insert((step, slot)), (step, slot)).is_none());
                    } else {
                        prop_assert_eq!(slab.remove(slot), model.remove(&slot));
                    }
                }
                prop_assert_eq!(slab.len(), model.len());
                prop_assert!(slab.iter().all(|(slot, item)| model.get(&slot) == Some(item)));
                prop_assert_eq!(slab.iter().count(), model.len());
                prop_assert!(!slab.is_empty() || slab.weight() == 0);
            }
        }
    }
    #[test]
    fn item_is_found_on_any_page() {
        let mut paged = Paged::default();
        (0..3 * PAGE).for_each(|item| paged.push(item));
        assert!((0..3 * PAGE).all(|at| paged[at] == at));
    }

    #[test]
    fn weight_counts_pages_and_their_list() {
        let mut paged = Paged::default();
        (0..100 * PAGE).for_each(|_| paged.push(0_u8));
        assert!(paged.weight() >= 100 * (PAGE + size_of::<Vec<u8>>()), "{}", paged.weight());
    }
}
