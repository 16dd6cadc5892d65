//! What could be had by who knows the future: what is used again last goes first, and what is never
//! used again is not stored. The optimum where sizes are the same; where they differ, finding that is
//! hard, and this a mark to compare with.

use std::collections::{BTreeSet, HashMap};

use crate::Missed;
use crate::trace::Request;

/// Replays `requests` through `memory` bytes, where one of a class takes `weights` bytes.
pub fn replay(requests: &[Request], memory: usize, weights: &[usize]) -> Missed {
    let again = next_uses(requests);
    let mut stored: HashMap<u64, usize> = HashMap::new();
    let mut order = BTreeSet::new();
    let (mut held, mut missed) = (0, Missed::default());
    for (at, &(key, class)) in requests.iter().enumerate() {
        let weight = weights[class];
        let hit = stored.remove(&key);
        if let Some(used) = hit {
            order.remove(&(used, key, weight));
            held -= weight;
        }
        missed.count(hit.is_some(), class);
        if let Some(next) = again[at].filter(|_| weight <= memory / 8) {
            stored.insert(key, next);
            order.insert((next, key, weight));
            held += weight;
        }
        while held > memory
            && let Some((_, key, weight)) = order.pop_last()
        {
            stored.remove(&key);
            held -= weight;
        }
    }
    missed
}

/// For each request, which is the next for its key.
fn next_uses(requests: &[Request]) -> Vec<Option<usize>> {
    let mut last = HashMap::new();
    let backwards = requests.iter().enumerate().rev();
    let mut again: Vec<_> = backwards.map(|(at, (key, _))| last.insert(*key, at)).collect();
    again.reverse();
    again
}
