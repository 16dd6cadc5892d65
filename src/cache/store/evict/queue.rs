//! Priority queue of slots by worth: heaps in shards, of which only one grows or is compacted at a
//! time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::alloc_size::rounded_up;
use crate::work;

/// Number of shards. The last bits of a slot select its shard.
const SHARDS: usize = 64;

/// Queue of all slots, each with a lower bound of its worth, which is corrected when the slot comes
/// up. It may also hold free slots, and slots twice.
#[derive(Debug, Default)]
pub(super) struct Queue {
    shards: Vec<Shard>,
    /// Bytes that the shards take on the heap.
    weight: usize,
}

#[derive(Clone, Debug, Default)]
struct Shard {
    heap: BinaryHeap<Reverse<(u64, usize)>>,
    /// Number of slots that are not free.
    taken: usize,
}

impl Shard {
    fn weight(&self) -> usize {
        rounded_up(self.heap.capacity() * size_of::<Reverse<(u64, usize)>>())
    }

    /// Returns the least worth and its slot.
    fn least(&self) -> Option<(u64, usize)> {
        self.heap.peek().map(|Reverse(least)| *least)
    }
}

impl Queue {
    /// Adds a slot.
    pub(super) fn push(&mut self, slot: usize, worth: u64) {
        if self.shards.is_empty() {
            self.shards.resize(SHARDS, Shard::default());
        }
        let shard = &mut self.shards[slot % SHARDS];
        self.weight -= shard.weight();
        if shard.heap.len() == shard.heap.capacity() {
            // The heap grows by an eighth, because its spare room is taken from the entries.
            work::count(shard.heap.len());
            shard.heap.reserve_exact(1 + shard.heap.len() / 8);
        }
        shard.heap.push(Reverse((worth, slot)));
        shard.taken += 1;
        self.weight += shard.weight();
    }

    /// Returns the slot of the least worth. `worth` returns the current worth of a slot, or `None`
    /// if it is free.
    pub(super) fn first(&mut self, worth: impl Fn(usize) -> Option<u64>) -> Option<usize> {
        loop {
            work::count(self.shards.len());
            let least = |shard: &&mut Shard| shard.least().unwrap_or((u64::MAX, usize::MAX));
            let shard = self.shards.iter_mut().min_by_key(least)?;
            let mut first = shard.heap.peek_mut()?;
            let Reverse((queued, slot)) = *first;
            match worth(slot) {
                Some(worth) if worth == queued => return Some(slot),
                Some(worth) => *first = Reverse((worth, slot)),
                None => drop(PeekMut::pop(first)),
            }
        }
    }

    /// Removes a slot, if it is the first of its shard.
    pub(super) fn pop(&mut self, slot: usize) {
        let Some(shard) = self.shards.get_mut(slot % SHARDS) else { return };
        if shard.least().is_some_and(|(_, first)| first == slot) {
            shard.heap.pop();
        }
    }

    /// Records that a slot is free. Its place stays until most places of the shard are stale; then
    /// the shard is compacted. `worth` returns the current worth of a slot, or `None` if it is
    /// free.
    pub(super) fn left(&mut self, slot: usize, worth: impl Fn(usize) -> Option<u64>) {
        const FEW: usize = 16;
        let Some(shard) = self.shards.get_mut(slot % SHARDS) else { return };
        shard.taken -= 1;
        if shard.heap.len() > 2 * shard.taken + FEW {
            work::count(shard.heap.len());
            self.weight -= shard.weight();
            let mut slots: Vec<_> = shard.heap.drain().map(|Reverse((_, slot))| slot).collect();
            slots.sort_unstable();
            slots.dedup();
            let valued = slots.into_iter().filter_map(|slot| Some(Reverse((worth(slot)?, slot))));
            shard.heap = valued.collect();
            self.weight += shard.weight();
        }
    }

    /// Returns the bytes on the heap.
    pub(super) fn weight(&self) -> usize {
        self.weight + rounded_up(self.shards.capacity() * size_of::<Shard>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bytes that the heaps take.
    fn heaps(queue: &Queue) -> usize {
        queue.shards.iter().map(Shard::weight).sum()
    }

    fn places(queue: &Queue) -> usize {
        queue.shards.iter().map(|shard| shard.heap.len()).sum()
    }

    #[test]
    fn slots_come_in_the_order_of_their_current_worth() {
        let mut queue = Queue::default();
        let mut worth: Vec<Option<u64>> = (0..300).map(|slot| Some((slot * 7 % 300) + 1)).collect();
        worth.iter().enumerate().for_each(|(slot, worth)| queue.push(slot, worth.unwrap()));
        worth[3] = None; // it is free
        worth[0] = Some(1000);
        let mut gone = Vec::new();
        while let Some(slot) = queue.first(|slot| worth[slot]) {
            gone.push(worth[slot].take().unwrap());
            queue.pop(slot);
            queue.left(slot, |slot| worth[slot]);
        }
        assert!(gone.is_sorted() && gone.len() == 299 && gone[298] == 1000, "{gone:?}");
    }

    #[test]
    fn popped_slot_leaves_no_place() {
        let mut queue = Queue::default();
        (0..1000).for_each(|slot| queue.push(slot, slot as u64));
        (0..500).for_each(|slot| queue.pop(slot));
        assert_eq!(places(&queue), 500);
        queue.pop(999);
        assert_eq!(places(&queue), 500, "this slot is not the first of its shard");
    }

    #[test]
    fn places_of_free_slots_are_bounded() {
        let mut queue = Queue::default();
        let count = 101 * SHARDS;
        (0..count).for_each(|slot| queue.push(slot, slot as u64));
        assert_eq!(queue.weight, heaps(&queue));
        assert!(queue.weight() >= heaps(&queue) + SHARDS * size_of::<Shard>());
        let least = rounded_up(SHARDS * size_of::<Shard>()) + count * size_of::<(u64, usize)>();
        assert!((least..least * 5 / 4).contains(&queue.weight()), "{} bytes", queue.weight());
        for slot in (0..count).rev() {
            queue.left(slot, |other| (other < slot).then_some(other as u64));
            assert!(places(&queue) <= 2 * (slot + SHARDS) + 16 * SHARDS);
        }
        assert_eq!(queue.weight, heaps(&queue));
    }

    #[test]
    fn heaps_seldom_grow_and_compact() {
        let mut queue = Queue::default();
        let count = 1000 * SHARDS;
        let before = work::Mark::now();
        (0..count).for_each(|slot| queue.push(slot, slot as u64));
        assert!(before.steps() < 20 * count as u64, "{} steps to grow", before.steps());
        let before = work::Mark::now();
        for slot in (0..count).rev() {
            queue.left(slot, |other| (other < slot).then_some(other as u64));
        }
        assert!(before.steps() < 4 * count as u64, "{} steps", before.steps());
    }
}
