//! Bounded map that forgets the key used least recently.

use std::collections::HashMap;
use std::hash::Hash;

use crate::work::{LOOK_UP, count};

/// Map of at most `bound` keys, in order of use. Peers choose the keys: the hash is a keyed one,
/// and no operation but [`retain`](Self::retain) takes longer in a large map than in a small one.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    places: HashMap<K, usize>,
    nodes: Vec<Node<K, V>>,
    newest: usize,
    oldest: usize,
    bound: usize,
}

#[derive(Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    newer: usize,
    older: usize,
}

/// Place of no node.
const NONE: usize = usize::MAX;

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// Returns an empty map of at most `bound` keys, or one if `bound` is 0.
    pub(super) fn new(bound: usize) -> Self {
        let (places, nodes) = (HashMap::new(), Vec::new());
        Self { places, nodes, newest: NONE, oldest: NONE, bound: bound.max(1) }
    }

    /// Returns the value of `key`, which becomes the newest. A new key has the value `new`, and
    /// replaces the oldest if the map is full.
    pub(super) fn touch(&mut self, key: &K, new: impl FnOnce() -> V) -> &mut V {
        count(LOOK_UP);
        let place = match self.places.get(key) {
            Some(&place) => {
                self.unlink(place);
                place
            }
            None => self.insert(key.clone(), new()),
        };
        self.link(place);
        &mut self.nodes[place].value
    }

    /// Returns the value of `key`, which keeps its place in the order.
    pub(super) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        count(LOOK_UP);
        self.places.get(key).map(|&place| &mut self.nodes[place].value)
    }

    /// Removes `key`.
    pub(super) fn remove(&mut self, key: &K) {
        count(LOOK_UP);
        let Some(place) = self.places.remove(key) else { return };
        self.unlink(place);
        self.nodes.swap_remove(place);
        let Some(moved) = self.nodes.get(place) else { return };
        let (newer, older) = (moved.newer, moved.older);
        self.places.insert(moved.key.clone(), place);
        self.set_older(newer, place);
        self.set_newer(older, place);
    }

    /// Removes the keys that `keeps` rejects. Takes a step for each key of the map.
    pub(super) fn retain(&mut self, keeps: impl Fn(&K) -> bool) {
        count(self.nodes.len());
        let keys = self.nodes.iter().map(|node| &node.key).filter(|key| !keeps(key));
        let removed: Vec<K> = keys.cloned().collect();
        removed.iter().for_each(|key| self.remove(key));
    }

    /// Removes all keys.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.bound);
    }

    /// Stores a new key, and returns its place, which is not in the order yet.
    fn insert(&mut self, key: K, value: V) -> usize {
        let node = Node { key: key.clone(), value, newer: NONE, older: NONE };
        let place = if self.nodes.len() < self.bound {
            self.nodes.push(node);
            self.nodes.len() - 1
        } else {
            let place = self.oldest;
            self.unlink(place);
            let forgotten = std::mem::replace(&mut self.nodes[place], node);
            self.places.remove(&forgotten.key);
            place
        };
        self.places.insert(key, place);
        place
    }

    /// Makes the node at `place`, which is not in the order, the newest.
    fn link(&mut self, place: usize) {
        let before = self.newest;
        (self.nodes[place].newer, self.nodes[place].older) = (NONE, before);
        self.set_newer(before, place);
        self.newest = place;
    }

    fn unlink(&mut self, place: usize) {
        let Node { newer, older, .. } = self.nodes[place];
        self.set_older(newer, older);
        self.set_newer(older, newer);
    }

    /// Sets the newer neighbour of the node at `place`; of none, the oldest node.
    fn set_newer(&mut self, place: usize, newer: usize) {
        match self.nodes.get_mut(place) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Sets the older neighbour of the node at `place`; of none, the newest node.
    fn set_older(&mut self, place: usize, older: usize) {
        match self.nodes.get_mut(place) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
impl<K, V> Recent<K, V> {
    /// Returns the number of keys.
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.places.len(), self.nodes.len());
        self.nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Keys from the newest to the oldest, and the other way round.
    fn orders(map: &Recent<u8, u32>) -> (Vec<u8>, Vec<u8>) {
        let walk = |first: usize, next: fn(&Node<u8, u32>) -> usize| {
            let nodes =
                std::iter::successors(map.nodes.get(first), |node| map.nodes.get(next(node)));
            nodes.map(|node| node.key).collect()
        };
        (walk(map.newest, |node| node.older), walk(map.oldest, |node| node.newer))
    }

    #[test]
    fn full_map_forgets_the_key_used_least_recently() {
        let mut map = Recent::new(2);
        for key in [1, 2, 1, 3] {
            *map.touch(&key, || 0) += 1;
        }
        assert_eq!(map.peek_mut(&1), Some(&mut 2));
        assert_eq!(map.peek_mut(&2), None);
        assert_eq!(orders(&map).0, [3, 1]);
        let mut one = Recent::new(0);
        one.touch(&1, || 0);
        one.touch(&2, || 0);
        assert_eq!(orders(&one).0, [2]);
    }

    proptest! {
        /// Any sequence of operations leaves the keys and values of a list in order of use.
        #[test]
        fn map_agrees_with_a_list(bound in 1usize..6, steps in vec((0u8..4, 0u8..10), 0..200)) {
            let (mut map, mut list) = (Recent::new(bound), Vec::<(u8, u32)>::new());
            for (step, key) in steps {
                let at = list.iter().position(|&(held, _)| held == key);
                match step {
                    0 | 1 => {
                        *map.touch(&key, || 0) += 1;
                        let value = at.map_or(0, |at| list.remove(at).1);
                        list.insert(0, (key, value + 1));
                        list.truncate(bound);
                    }
                    2 => {
                        map.remove(&key);
                        list.retain(|&(held, _)| held != key);
                    }
                    _ => {
                        map.retain(|held| held % 3 != key % 3);
                        list.retain(|(held, _)| held % 3 != key % 3);
                    }
                }
                let (newest_first, mut oldest_first) = orders(&map);
                let keys: Vec<u8> = list.iter().map(|&(key, _)| key).collect();
                prop_assert_eq!(&newest_first, &keys);
                oldest_first.reverse();
                prop_assert_eq!(&oldest_first, &keys);
                prop_assert_eq!(map.len(), keys.len());
                for &(key, mut value) in &list {
                    prop_assert_eq!(map.peek_mut(&key), Some(&mut value));
                }
            }
            map.clear();
            prop_assert_eq!(map.len(), 0);
        }
    }
}
