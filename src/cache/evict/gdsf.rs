//! Greedy dual, by size and frequency: the entry of the least worth goes first. An entry's worth is
//! its value, which grows with its uses and falls with its size, above the worth of the last that
//! went; so what is not used any more is overtaken.
//!
//! A newcomer counts for a part of a use. How large a part is learnt: of those evicted without a
//! use, as compared with the others, how many were asked for again? Among one-hit wonders few are,
//! and newcomers leave quickly; when popularity drifts they are the future, and count like others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Order;
use super::ghosts::Ghosts;

/// The credit of one use.
const USE: u64 = 64;
/// The most credit that an entry ever has: what was popular once has to go within a while.
const MOST: u64 = 16 * USE;
/// The least credit of a newcomer.
const LEAST: u64 = USE / 16;
/// Credit is remembered in steps of this, to fit in a byte.
const STEP: u64 = 4;

/// Slots by worth.
#[derive(Debug, Default)]
pub(super) struct Gdsf {
    /// By slot.
    nodes: Vec<Option<Node>>,
    len: usize,
    /// Every slot with a worth that it has at least; and what is no longer so.
    queue: BinaryHeap<Reverse<(u64, usize)>>,
    /// The worth of the last that was evicted.
    floor: u64,
    ghosts: Ghosts,
    returns: Returns,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    hash: u64,
    credit: u64,
    /// What its credit is worth at its size.
    value: u64,
    worth: u64,
    /// The worth with which it stands in the queue, where it is put right when it comes up.
    queued: u64,
}

impl Gdsf {
    fn node(&mut self, slot: usize) -> Option<&mut Node> {
        self.nodes.get_mut(slot)?.as_mut()
    }

    fn enqueue(&mut self, slot: usize, worth: u64) {
        if self.queue.len() > 2 * self.len + 64 {
            let nodes = &self.nodes;
            let queued = |slot: usize| nodes[slot].as_ref().map(|node| node.queued);
            self.queue.retain(|Reverse((worth, slot))| queued(*slot) == Some(*worth));
        }
        self.queue.push(Reverse((worth, slot)));
    }

    fn take(&mut self, slot: usize) -> Option<Node> {
        let node = self.nodes.get_mut(slot)?.take()?;
        self.len -= 1;
        if self.len == 0 {
            (self.nodes, self.queue) = (Vec::new(), BinaryHeap::new());
        }
        Some(node)
    }
}

impl Order for Gdsf {
    fn insert(&mut self, slot: usize, hash: u64, weight: usize) {
        self.len += 1;
        self.ghosts.grow(self.len);
        let credit = match self.ghosts.take(hash) {
            Some(remembered) => {
                let credit = u64::from(remembered) * STEP;
                self.returns.came_back(credit);
                (credit + USE).min(self.returns.most())
            }
            None => self.returns.newcomer(),
        };
        let value = value(credit, weight);
        let worth = self.floor + value;
        if self.nodes.len() <= slot {
            self.nodes.resize(slot + 1, None);
        }
        self.nodes[slot] = Some(Node { hash, credit, value, worth, queued: worth });
        self.enqueue(slot, worth);
    }

    fn hit(&mut self, slot: usize, weight: usize) {
        let (floor, most) = (self.floor, self.returns.most());
        let Some(node) = self.node(slot) else { return };
        node.credit = (node.credit + USE).min(most);
        node.value = value(node.credit, weight);
        // A replacement may be larger, and worth less; in the queue it would come up too late.
        node.worth = (floor + node.value).max(node.queued);
    }

    fn first(&mut self) -> Option<usize> {
        while let Some(&Reverse((queued, slot))) = self.queue.peek() {
            let Some(node) = self.node(slot).filter(|node| node.queued == queued) else {
                self.queue.pop();
                continue;
            };
            if node.worth == queued {
                return Some(slot);
            }
            node.queued = node.worth;
            let worth = node.worth;
            self.queue.pop();
            self.enqueue(slot, worth);
        }
        None
    }

    fn defer(&mut self, slot: usize) {
        if let Some(node) = self.node(slot) {
            node.worth += node.value;
        }
    }

    fn evict(&mut self, slot: usize) {
        let Some(node) = self.take(slot) else { return };
        self.floor = self.floor.max(node.worth);
        let remembered = if node.credit < USE { 0 } else { node.credit / 2 / STEP };
        self.returns.left(node.credit, self.len);
        self.ghosts.put(node.hash, u8::try_from(remembered).unwrap_or(u8::MAX));
    }

    fn remove(&mut self, slot: usize) {
        self.take(slot);
    }

    fn weight(&self) -> usize {
        self.nodes.capacity() * size_of::<Option<Node>>()
            + self.queue.capacity() * size_of::<Reverse<(u64, usize)>>()
            + self.ghosts.weight()
    }

    fn len(&self) -> usize {
        self.len
    }
}

/// What `credit` is worth for an entry of `weight` bytes: the larger, the less, but not in
/// proportion. In proportion, the fewest requests would miss, and far too many bytes.
fn value(credit: u64, weight: usize) -> u64 {
    const SCALE: u64 = 1 << 24;
    let root = (weight as u64).isqrt();
    let fourth = (root << 16).isqrt(); // 8 bits of fraction
    // The power of 5/16: between the fourth root and the power of 3/8, which has 4 bits of fraction.
    let size = ((root * fourth).isqrt() * fourth).isqrt().max(1);
    (credit * SCALE / size).max(1)
}

/// How many of those that were evicted came back.
#[derive(Debug, Default)]
struct Returns {
    unused: Kind,
    used: Kind,
    /// The credit of newcomers, if it is not the least.
    newcomer: u64,
}

#[derive(Debug, Default)]
struct Kind {
    left: u64,
    back: u64,
}

impl Returns {
    /// An entry with `credit` is evicted, and `len` stay.
    fn left(&mut self, credit: u64, len: usize) {
        let kind = if credit < USE { &mut self.unused } else { &mut self.used };
        kind.left += 1;
        if self.unused.left + self.used.left > 2 * len as u64 {
            for kind in [&mut self.unused, &mut self.used] {
                kind.left /= 2;
                kind.back /= 2;
            }
        }
    }

    /// One that left with `credit` is here again.
    fn came_back(&mut self, credit: u64) {
        const EXPERIENCE: u64 = 10;
        let kind = if credit < USE / 2 { &mut self.unused } else { &mut self.used };
        kind.back += 1;
        let unused = self.unused.back * (self.used.left + 2 * EXPERIENCE);
        let used = (self.used.back + EXPERIENCE) * self.unused.left.max(1);
        let odds = (unused * USE / used).min(USE);
        self.newcomer = (3 * odds * odds / USE).min(USE - 1);
    }

    /// The credit of one that was never here: three times the square of what the odds of the unused
    /// are to those of the used, since even then some of the used are popular no more. Until there is experience, newcomers have the least.
    fn newcomer(&self) -> u64 {
        self.newcomer.max(LEAST)
    }

    /// The most credit there is: the more newcomers matter, the less past uses do.
    fn most(&self) -> u64 {
        (MOST * LEAST * 2 / self.newcomer()).clamp(2 * USE, MOST)
    }
}
