//! Greedy dual, by size and frequency: the entry of the least worth goes first. An entry's worth is
//! its value, which grows with its uses and falls with its size, above the worth of the last that
//! went; so what is not used any more is overtaken.
//!
//! How much uses and sizes count is learnt, by comparing what was missed with what plain LRU would
//! have missed.

use crate::cache::store::paged::Paged;

use super::Order;
use super::ghosts::{Ghost, Ghosts};
use super::lean::{Lean, MOST, USE};
use super::queue::Queue;
use super::rival::Rival;

/// Ghosts have their credit in steps of this: it fits a byte.
const STEP: u64 = MOST / 256;

/// Slots by worth.
#[derive(Debug, Default)]
pub(super) struct Gdsf {
    /// By slot.
    nodes: Paged<Node>,
    len: usize,
    /// Bytes of all entries.
    held: usize,
    queue: Queue,
    /// The worth of the last that was evicted.
    floor: u64,
    ghosts: Ghosts,
    rival: Rival,
    lean: Lean,
}

/// An entry; without weight, there is none.
#[derive(Clone, Debug, Default)]
struct Node {
    hash: u64,
    weight: usize,
    worth: u64,
    credit: u64,
    /// When it was used last.
    epoch: u16,
}

impl Gdsf {
    fn node(&mut self, slot: usize) -> Option<&mut Node> {
        self.nodes.get_mut(slot).filter(|node| node.weight > 0)
    }

    /// Takes an entry out. Its place in the queue stays, until that is mostly such places.
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

    /// An entry is used, or something that is or was none. The epoch of that.
    fn used(&mut self, last: Option<u16>, weight: usize, hit: bool) -> u16 {
        let epoch = self.rival.used(last, weight, hit);
        if let Some(ahead) = self.rival.judge(self.held) {
            self.lean.shift(ahead);
        }
        epoch
    }
}

impl Order for Gdsf {
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
        // A replacement may be larger, and worth less; in the queue it would come up too late.
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
