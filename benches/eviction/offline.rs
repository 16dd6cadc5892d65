//! Eviction with knowledge of the future (Belady): evicts the object whose next use is last, and
//! does not store one without a next use. This is the optimum if all sizes are equal; finding the
//! optimum for different sizes is hard, and this a reference point.

use std::collections::{BTreeSet, HashMap};

use crate::Missed;
use crate::trace::Request;

/// Replays `requests` through `memory` bytes, where an object takes the weight of its class.
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

/// Returns for each request the position of the next one for its key.
fn next_uses(requests: &[Request]) -> Vec<Option<usize>> {
    let mut last = HashMap::new();
    let backwards = requests.iter().enumerate().rev();
    let mut again: Vec<_> = backwards.map(|(at, (key, _))| last.insert(*key, at)).collect();
    again.reverse();
    again
}
