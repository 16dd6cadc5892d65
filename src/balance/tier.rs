//! Usable endpoints of the primary or of the backup members, and the selection among them.

use std::collections::BTreeSet;

use crate::work::{LOOK_UP, count};

use super::random::{Random, mix};
use super::ring::Ring;
use super::turn::Turn;
use super::weights::Weights;

/// Most points of the ring that one selection visits.
const MOST_STEPS: usize = 64;

/// Properties of a usable endpoint that decide its selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Weight in thousandths; not zero.
    pub(super) weight: u64,
    pub(super) in_flight: u32,
    /// True if the endpoint may have another request.
    pub(super) is_free: bool,
    /// Key of the order before the turn: 0, or the load under `LeastRequests`.
    pub(super) rank: u64,
}

/// Returns the load of an endpoint, in 2⁻³² requests per unit of weight.
pub(super) fn load(in_flight: u32, weight: u64) -> u64 {
    (u64::from(in_flight) << 32) / weight
}

/// Place of a free endpoint in the order of selection: rank, turn and index.
type Place = (u64, u128, usize);

/// Usable endpoints of one kind of members.
#[derive(Debug, Default)]
pub(super) struct Tier {
    usable: usize,
    /// Sums over the usable endpoints.
    weight: u64,
    in_flight: u64,
    /// Free endpoints.
    order: BTreeSet<Place>,
    weights: Weights,
    /// Time of the newest turn.
    clock: u128,
    /// Ring of all endpoints; `None` if it is out of date.
    ring: Option<Ring>,
}

impl Tier {
    /// Returns the number of usable endpoints.
    pub(super) const fn usable(&self) -> usize {
        self.usable
    }

    /// Returns the number of usable endpoints that may have another request.
    pub(super) fn free(&self) -> usize {
        self.order.len()
    }

    /// Adds a usable endpoint.
    pub(super) fn add(&mut self, index: usize, standing: Standing, turn: &mut Turn) {
        count(2 * LOOK_UP);
        self.usable += 1;
        self.weight += standing.weight;
        self.in_flight += u64::from(standing.in_flight);
        turn.enter(self.clock, standing.weight);
        if standing.is_free {
            self.order.insert((standing.rank, turn.at(), index));
            self.weights.set(index, standing.weight);
        }
    }

    /// Removes an endpoint that was added with this standing.
    pub(super) fn remove(&mut self, index: usize, standing: Standing, turn: &Turn) {
        count(2 * LOOK_UP);
        self.usable -= 1;
        self.weight -= standing.weight;
        self.in_flight -= u64::from(standing.in_flight);
        if standing.is_free {
            self.order.remove(&(standing.rank, turn.at(), index));
            self.weights.set(index, 0);
        }
    }

    /// Counts the requests of an endpoint anew, and returns true, if its standing changes in nothing
    /// else: then its place is the same.
    pub(super) fn recount(&mut self, old: Standing, new: Standing) -> bool {
        let is_same_place = Standing { in_flight: new.in_flight, ..old } == new;
        if is_same_place {
            self.in_flight = self.in_flight - u64::from(old.in_flight) + u64::from(new.in_flight);
        }
        is_same_place
    }

    /// Moves a free endpoint, which was selected at its turn, to its next turn.
    pub(super) fn advance(&mut self, index: usize, standing: Standing, turn: &mut Turn) {
        count(2 * LOOK_UP);
        self.order.remove(&(standing.rank, turn.at(), index));
        self.clock = self.clock.max(turn.at());
        turn.advance();
        self.order.insert((standing.rank, turn.at(), index));
    }

    /// Returns the free endpoint that is first in the order and not among those `tried`.
    pub(super) fn first(&self, tried: &[usize]) -> Option<usize> {
        let mut indexes = self.order.iter().map(|&(_, _, index)| index);
        indexes.find(|index| {
            count(LOOK_UP);
            !tried.contains(index)
        })
    }

    /// Draws two free endpoints by weight, not among those `tried`; the second is `None` if there
    /// is only one.
    pub(super) fn draw_two(
        &mut self,
        tried: &[usize],
        random: &mut Random,
    ) -> Option<(usize, Option<usize>)> {
        let mut hidden: Vec<(usize, u64)> = tried.iter().map(|&index| self.hide(index)).collect();
        let first = self.draw(random);
        let second = first.and_then(|first| {
            hidden.push(self.hide(first));
            self.draw(random)
        });
        // In reverse, so that an endpoint that was hidden twice gets its weight back.
        for (index, weight) in hidden.into_iter().rev() {
            self.weights.set(index, weight);
        }
        Some((first?, second))
    }

    fn draw(&self, random: &mut Random) -> Option<usize> {
        self.weights.at(random.below(self.weights.total()))
    }

    /// Takes an endpoint out of draws, and returns its index and weight.
    fn hide(&mut self, index: usize) -> (usize, u64) {
        let weight = self.weights.get(index);
        if weight > 0 {
            self.weights.set(index, 0);
        }
        (index, weight)
    }

    /// Returns true if the ring is out of date.
    pub(super) const fn lacks_ring(&self) -> bool {
        self.ring.is_none()
    }

    /// Sets the ring, or drops one that is out of date.
    pub(super) fn set_ring(&mut self, ring: Option<Ring>) {
        self.ring = ring;
    }

    /// Returns the free endpoint for `key` that is not among those `tried`: the first clockwise
    /// whose load is within `balance` percent of its share, or without one the first at all. If the
    /// ring has no free endpoint nearby, the key selects one by weight.
    pub(super) fn hashed(
        &mut self,
        key: u64,
        tried: &[usize],
        balance: u32,
        standing: impl Fn(usize) -> Option<Standing>,
    ) -> Option<usize> {
        let mut fallback = None;
        for index in self.ring.iter().flat_map(|ring| ring.walk(key)).take(MOST_STEPS) {
            count(LOOK_UP);
            let free = standing(index).filter(|standing| standing.is_free);
            let Some(standing) = free.filter(|_| !tried.contains(&index)) else { continue };
            if self.is_within(balance, standing) {
                return Some(index);
            }
            fallback = fallback.or(Some(index));
        }
        fallback.or_else(|| Some(self.draw_two(tried, &mut Random::new(mix(key)))?.0))
    }

    /// Returns true if an endpoint stays within `balance` percent of its share, rounded up, with
    /// another request (Mirrokni, Thorup and Zadimoghaddam, 2018).
    fn is_within(&self, balance: u32, standing: Standing) -> bool {
        let all = u128::from(self.in_flight) + 1;
        let most = u128::from(balance.max(100)) * all * u128::from(standing.weight);
        let load = u128::from(standing.in_flight) * 100 * u128::from(self.weight);
        balance == 0 || load < most
    }

    /// Asserts that the sums and the order are those of `endpoints`, the usable ones.
    pub(super) fn check<'a>(&self, endpoints: impl Iterator<Item = (usize, Standing, &'a Turn)>) {
        let (mut usable, mut weight, mut in_flight, mut free) = (0, 0, 0, 0);
        for (index, standing, turn) in endpoints {
            usable += 1;
            weight += standing.weight;
            in_flight += u64::from(standing.in_flight);
            let place = (standing.rank, turn.at(), index);
            assert_eq!(
                self.order.contains(&place),
                standing.is_free,
                "a free endpoint is in order"
            );
            let drawn = if standing.is_free { standing.weight } else { 0 };
            assert_eq!(self.weights.get(index), drawn, "a free endpoint is drawn by its weight");
            free += usize::from(standing.is_free);
        }
        assert_eq!((usable, free), (self.usable, self.order.len()));
        assert_eq!((weight, in_flight), (self.weight, self.in_flight));
    }
}
