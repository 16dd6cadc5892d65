//! Greedy dual size frequency (GDSF): the entry of the least worth is evicted first. The worth of
//! an entry is its value plus the worth of the entry evicted last (the floor). The value grows with
//! the number of uses and falls with the size. As the floor rises, entries that are not used are
//! overtaken.
//!
//! The weight of uses and sizes is learnt, by comparing the misses with those that plain LRU would
//! have had.

use crate::cache::store::paged::Paged;

use super::eviction_policy::EvictionPolicy;
use super::ghosts::{Ghost, Ghosts};
use super::lru_bias::{LruBias, MOST, USE};
use super::queue::Queue;
use super::shadow_lru::ShadowLru;

/// Unit of the credit that ghosts keep, so that it fits one byte.
const STEP: u64 = MOST / 256;

/// Entries ordered by worth.
#[derive(Debug, Default)]
pub(super) struct Gdsf {
    /// Entries by slot.
    nodes: Paged<Node>,
    len: usize,
    /// Bytes of all entries.
    held: usize,
    queue: Queue,
    /// Worth of the entry evicted last.
    floor: u64,
    ghosts: Ghosts,
    rival: ShadowLru,
    lean: LruBias,
}

/// An entry. A node of weight 0 is free.
#[derive(Clone, Debug, Default)]
struct Node {
    hash: u64,
    weight: usize,
    worth: u64,
    credit: u64,
    /// Epoch of the last use.
    epoch: u16,
}

impl Gdsf {
    fn node(&mut self, slot: usize) -> Option<&mut Node> {
        self.nodes.get_mut(slot).filter(|node| node.weight > 0)
    }

    /// Takes an entry out. Its place in the queue stays until most places there are stale.
    fn take(&mut self, slot: usize) -> Option<Node> {
        let node = std::mem::take(self.node(slot)?);
        self.len -= 1;
        self.held -= node.weight;
        if self.len == 0 {
            (self.nodes, self.queue) = (Paged::default(), Queue::default());
        } else {
            let nodes = &self.nodes;
            let worth = |slot| nodes.get(slot).filter(|node| node.weight > 0).map(|n| n.worth);
            self.queue.left(slot, worth);
        }
        Some(node)
    }

    /// Records a use of `weight` bytes for the comparison with LRU: a `hit`, or a miss. `last` is
    /// the epoch of the last use, if known. Returns the epoch of this use.
    fn used(&mut self, last: Option<u16>, weight: usize, hit: bool) -> u16 {
        let epoch = self.rival.used(last, weight, hit);
        if let Some(ahead) = self.rival.judge(self.held) {
            self.lean.shift(ahead);
        }
        epoch
    }
}

impl EvictionPolicy for Gdsf {
    fn insert(&mut self, slot: usize, hash: u64, weight: usize) {
        let weight = weight.max(1);
        self.len += 1;
        self.held += weight;
        self.ghosts.grow(self.len);
        let ghost = self.ghosts.take(hash);
        let epoch = self.used(ghost.map(|ghost| ghost.epoch), weight, false);
        let credit = match ghost {
            Some(ghost) => (u64::from(ghost.credit) * STEP + USE).min(self.lean.most()),
            None => self.lean.newcomer(),
        };
        let worth = self.floor + self.lean.value(credit, weight);
        while self.nodes.len() <= slot {
            self.nodes.push(Node::default());
        }
        self.nodes[slot] = Node { hash, weight, worth, credit, epoch };
        self.queue.push(slot, worth);
    }

    fn hit(&mut self, slot: usize, weight: usize) {
        let weight = weight.max(1);
        let Some(node) = self.node(slot) else { return };
        let (last, old) = (node.epoch, std::mem::replace(&mut node.weight, weight));
        self.held = self.held - old + weight;
        let epoch = self.used(Some(last), weight, true);
        let node = &mut self.nodes[slot];
        node.epoch = epoch;
        node.credit = (node.credit + USE).min(self.lean.most());
        // A replacement may be larger and worth less. The worth is not lowered, because the queue
        // would bring the entry up too late.
        node.worth = node.worth.max(self.floor + self.lean.value(node.credit, weight));
    }

    fn reweigh(&mut self, slot: usize, weight: usize) {
        let Some(node) = self.node(slot) else { return };
        let lost = node.weight.saturating_sub(weight.max(1));
        node.weight -= lost;
        let Node { epoch, credit, weight, .. } = *node;
        self.held -= lost;
        self.rival.gone(epoch, lost);
        let worth = self.floor + self.lean.value(credit, weight);
        self.nodes[slot].worth = self.nodes[slot].worth.max(worth);
    }

    fn has(&self, slot: usize) -> bool {
        self.nodes.get(slot).is_some_and(|node| node.weight > 0)
    }

    fn first(&mut self) -> Option<usize> {
        let nodes = &self.nodes;
        let worth = |slot| nodes.get(slot).filter(|node| node.weight > 0).map(|node| node.worth);
        self.queue.first(worth)
    }

    fn defer(&mut self, slot: usize) {
        let Some(Node { credit, weight, .. }) = self.node(slot).cloned() else { return };
        self.nodes[slot].worth += self.lean.value(credit, weight);
    }

    fn evict(&mut self, slot: usize) {
        self.queue.pop(slot);
        let Some(node) = self.take(slot) else { return };
        self.floor = self.floor.max(node.worth);
        let credit = u8::try_from(node.credit / STEP).unwrap_or(u8::MAX);
        self.ghosts.put(node.hash, Ghost { epoch: node.epoch, credit });
    }

    fn remove(&mut self, slot: usize) {
        if let Some(node) = self.take(slot) {
            self.rival.gone(node.epoch, node.weight);
        }
    }

    fn weight(&self) -> usize {
        self.nodes.weight() + self.queue.weight() + self.ghosts.weight() + self.rival.weight()
    }

    fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGHT: usize = 1000;

    fn hash(slot: usize) -> u64 {
        (slot as u64) << 58
    }

    fn filled(slots: usize) -> Gdsf {
        let mut order = Gdsf::default();
        (0..slots).for_each(|slot| order.insert(slot, hash(slot), WEIGHT));
        order
    }

    /// Returns the slots in the order of eviction.
    fn evicted(mut order: Gdsf) -> Vec<usize> {
        std::iter::from_fn(|| {
            let first = order.first()?;
            order.evict(first);
            Some(first)
        })
        .collect()
    }

    #[test]
    fn popular_entry_that_returns_is_worth_more_than_others() {
        let mut order = filled(8);
        (0..20).for_each(|_| order.hit(0, WEIGHT));
        order.hit(1, WEIGHT);
        (0..3).for_each(|slot| order.evict(slot));
        order.insert(0, hash(0), 4 * WEIGHT);
        (1..3).for_each(|slot| order.insert(slot, hash(slot), WEIGHT));
        order.insert(8, hash(8), WEIGHT);
        (3..8).for_each(|slot| order.remove(slot));
        assert_eq!(evicted(order), [8, 2, 1, 0], "a new entry is evicted first");
    }

    #[test]
    fn deferred_entry_is_evicted_after_others_of_its_worth() {
        let mut order = filled(3);
        order.defer(0);
        assert_eq!(evicted(order), [1, 2, 0]);
    }

    #[test]
    fn shrunk_entry_is_evicted_after_others_with_the_same_uses() {
        let mut order = filled(3);
        order.reweigh(0, WEIGHT / 10);
        assert_eq!(order.held, 2 * WEIGHT + WEIGHT / 10);
        order.reweigh(1, 2 * WEIGHT);
        assert_eq!(order.held, 2 * WEIGHT + WEIGHT / 10, "an entry only loses weight by that");
        assert_eq!(evicted(order), [1, 2, 0]);
    }

    #[test]
    fn entries_are_evicted_in_order_after_most_were_removed() {
        let mut order = filled(64 * 64);
        let weight = order.queue.weight();
        (128..64 * 64).for_each(|slot| order.remove(slot));
        assert!(order.queue.weight() < weight / 2);
        assert_eq!(evicted(order), (0..128).collect::<Vec<_>>());
    }

    #[test]
    fn held_bytes_follow_the_entries() {
        let mut order = filled(3);
        order.hit(0, 3 * WEIGHT);
        assert_eq!(order.held, 5 * WEIGHT);
        order.remove(1);
        assert_eq!(order.held, 4 * WEIGHT);
        order.evict(0);
        assert_eq!(order.held, WEIGHT);
    }

    /// Returns the number of misses among the requests for `keys`, with room for this number of
    /// entries, and the final bias towards LRU.
    fn missed(room: usize, keys: impl Iterator<Item = usize>) -> (usize, LruBias) {
        let (mut order, mut missed) = (Gdsf::default(), 0);
        for key in keys {
            if order.has(key) {
                order.hit(key, WEIGHT);
                continue;
            }
            missed += 1;
            if order.len() == room {
                let first = order.first().unwrap();
                order.evict(first);
            }
            order.insert(key, (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15), WEIGHT);
        }
        (missed, order.lean)
    }

    #[test]
    fn bias_follows_the_order_with_fewer_misses() {
        // Beside a scan, the popular keys are not used often enough for LRU to keep them.
        let scan = (0..60_000).map(|at| if at % 4 == 0 { at / 4 % 100 } else { 100 + at });
        let (missed_of_scan, lean) = missed(200, scan);
        assert!(missed_of_scan < 50_000, "{missed_of_scan} of 60,000");
        assert_eq!(lean.newcomer(), USE / 32);
        // Keys are popular for a while and never used again: LRU hits them during that time.
        let popular = (0..60_000).map(|at| at / 300 * 50 + at % 100);
        let (_, lean) = missed(200, popular);
        assert!(lean.newcomer() > USE / 4, "{lean:?}");
    }
}
