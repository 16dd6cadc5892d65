//! Ring of consistent hashing (Karger et al., 1997).

use crate::work::{LOOK_UP, count};

use super::random::mix;

/// Points of an endpoint of average weight.
const POINTS: u64 = 160;
/// Most points of a ring, beside one for each endpoint: they bound its memory and the time to build
/// it.
const MOST_POINTS: u64 = 1 << 16;
/// Distance of the seeds of two points of one endpoint; odd, so that all are different.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Points of endpoints in the order of their hashes. A key belongs to the first point at or behind
/// it.
///
/// Points depend on the identity of an endpoint only, and their number on its weight in proportion
/// to the average. Thus another endpoint takes about its share of keys, and few others move.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    points: Vec<(u64, usize)>,
}

impl Ring {
    /// Builds the ring of endpoints, each with its index, its identity and its weight.
    pub(super) fn new(endpoints: &[(usize, u64, u64)]) -> Self {
        let number = endpoints.len() as u64;
        let total: u64 = endpoints.iter().map(|&(_, _, weight)| weight).sum();
        let all = (POINTS * number).min(MOST_POINTS);
        let mut points = Vec::new();
        for &(index, identity, weight) in endpoints {
            let own = (all * weight + total / 2) / total.max(1);
            let point = |number: u64| mix(identity.wrapping_add(number.wrapping_mul(STEP)));
            points.extend((0..own.max(1)).map(|number| (point(number), index)));
        }
        points.sort_unstable();
        count(points.len() * 16);
        Self { points }
    }

    /// Returns the endpoints at the points from that of `key` on, clockwise, once around.
    pub(super) fn walk(&self, key: u64) -> impl Iterator<Item = usize> {
        count(LOOK_UP);
        let key = mix(key);
        let start = self.points.partition_point(|&(point, _)| point < key);
        let (before, behind) = self.points.split_at(start);
        behind.iter().chain(before).map(|&(_, index)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: u64 = 20_000;

    fn endpoints(weights: &[u64]) -> Vec<(usize, u64, u64)> {
        let identity = |index: usize| mix(index as u64 + 1);
        weights
            .iter()
            .enumerate()
            .map(|(index, &weight)| (index, identity(index), weight))
            .collect()
    }

    fn owners(weights: &[u64]) -> Vec<usize> {
        let ring = Ring::new(&endpoints(weights));
        (0..KEYS).map(|key| ring.walk(key).next().unwrap()).collect()
    }

    fn moved(before: &[u64], after: &[u64]) -> f64 {
        let (before, after) = (owners(before), owners(after));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        moved as f64 / KEYS as f64
    }

    #[test]
    fn keys_are_shared_by_weight() {
        let owners = owners(&[1, 2, 3, 4]);
        for index in 0..4 {
            let own = owners.iter().filter(|&&owner| owner == index).count() as f64;
            let share = (index + 1) as f64 / 10.0;
            assert!((own / KEYS as f64 - share).abs() < 0.05, "{index}: {own}");
        }
    }

    #[test]
    fn another_endpoint_moves_its_share_of_keys() {
        let share = moved(&[1; 9], &[1; 10]);
        assert!((0.05..0.15).contains(&share), "{share}");
        let share = moved(&[1000; 99], &[1000; 100]);
        assert!((0.004..0.02).contains(&share), "{share}");
        let share = moved(&[3; 9], &[3, 3, 3, 3, 3, 3, 3, 3, 3, 6]);
        assert!((0.1..0.36).contains(&share), "{share}");
    }

    #[test]
    fn only_keys_of_a_removed_endpoint_move() {
        let (before, after) = (owners(&[1; 10]), owners(&[1; 9]));
        assert!(before.iter().zip(after).all(|(&before, after)| before == 9 || before == after));
    }

    #[test]
    fn number_of_points_is_bounded() {
        let ring = Ring::new(&endpoints(&[1000; 3000]));
        assert!(ring.points.len() <= (1 << 16) + 3000, "{}", ring.points.len());
        let uneven: Vec<u64> = (0..3000).map(|index| 1 + 999 * (index % 2)).collect();
        let ring = Ring::new(&endpoints(&uneven));
        assert!(ring.points.len() <= (1 << 16) + 3000, "{}", ring.points.len());
    }

    #[test]
    fn walk_visits_every_point_once() {
        let ring = Ring::new(&endpoints(&[1; 3]));
        assert_eq!(ring.walk(7).count(), ring.points.len());
        assert_eq!(Ring::new(&[]).walk(7).next(), None);
    }
}
