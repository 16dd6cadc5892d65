//! Places of endpoints in their tiers, which follow from their states; and what becomes due.

use std::time::Instant;

use super::Group;
use crate::balance::endpoint::Endpoint;
use crate::balance::order::Use;
use crate::balance::settings::{MOST_WEIGHT, Policy};
use crate::balance::slow_start::SlowStart;
use crate::balance::tier::{Standing, load};

impl<W: Copy + Ord> Group<W> {
    /// Returns the index of the tier of a member.
    pub(super) fn tier_of(&self, member: usize) -> usize {
        usize::from(self.settings.members[member].backup)
    }

    /// Returns the weight of a member: the operator's, or that in the settings.
    pub(super) fn weight_of(&self, member: usize) -> u32 {
        let ordered = self.members[member].orders.weight;
        ordered.unwrap_or(self.settings.members[member].weight).clamp(1, MOST_WEIGHT)
    }

    /// Returns true if an endpoint may have another request.
    pub(super) fn is_free(&self, endpoint: &Endpoint) -> bool {
        let most = self.settings.members[endpoint.member].max_requests;
        most.is_none_or(|most| endpoint.in_flight < most.max(1))
    }

    /// Returns the standing of an endpoint by its state; `None` if it is not usable.
    pub(super) fn standing(&self, endpoint: &Endpoint) -> Option<Standing> {
        let is_ordered_out = self.members[endpoint.member].orders.used != Use::Ready;
        if is_ordered_out || !endpoint.is_good() {
            return None;
        }
        let weight = u64::from(self.weight_of(endpoint.member)) * endpoint.thousandths();
        let rank = match self.settings.policy {
            Policy::LeastRequests => load(endpoint.in_flight, weight),
            Policy::RoundRobin | Policy::TwoChoices | Policy::Hash => 0,
        };
        let is_free = self.is_free(endpoint);
        Some(Standing { weight, in_flight: endpoint.in_flight, is_free, rank })
    }

    /// Moves an endpoint to the place that its state gives it.
    pub(super) fn place(&mut self, index: usize) {
        let standing = self.standing(&self.endpoints[index]);
        let tier = self.tier_of(self.endpoints[index].member);
        if let (Some(old), Some(new)) = (self.endpoints[index].standing, standing)
            && self.tiers[tier].recount(old, new)
        {
            self.endpoints[index].standing = standing;
            return;
        }
        self.displace(index);
        let endpoint = &mut self.endpoints[index];
        endpoint.standing = standing;
        if let Some(standing) = standing {
            self.tiers[tier].add(index, standing, &mut endpoint.turn);
        }
    }

    /// Removes an endpoint from its tier.
    pub(super) fn displace(&mut self, index: usize) {
        let tier = self.tier_of(self.endpoints[index].member);
        let endpoint = &mut self.endpoints[index];
        if let Some(standing) = endpoint.standing.take() {
            self.tiers[tier].remove(index, standing, &endpoint.turn);
        }
    }

    /// Carries out what is due: ends of ejections and steps of slow starts.
    pub(super) fn advance(&mut self, now: Instant) {
        let mut is_changed = false;
        while let Some(&(at, index)) = self.ejected.first()
            && at <= now
        {
            self.end_ejection(index, now);
            is_changed = true;
        }
        while let Some(&(at, index)) = self.slow_starts.first()
            && at <= now
        {
            let slow_start = self.endpoints[index].slow_start;
            let time = self.settings.slow_start;
            self.set_slow_start(index, slow_start.and_then(|slow| slow.advance(time, now)));
            self.place(index);
        }
        if is_changed {
            self.grant();
        }
    }

    /// Begins the slow start of an endpoint that came up again.
    pub(super) fn warm_up(&mut self, index: usize, now: Instant) {
        self.set_slow_start(index, SlowStart::begin(self.settings.slow_start, now));
    }

    /// Sets the state of a slow start, and the time of its next step.
    pub(super) fn set_slow_start(&mut self, index: usize, slow_start: Option<SlowStart>) {
        let old = std::mem::replace(&mut self.endpoints[index].slow_start, slow_start);
        if let Some(old) = old {
            self.slow_starts.remove(&(old.next, index));
        }
        if let Some(new) = slow_start {
            self.slow_starts.insert((new.next, index));
        }
    }

    /// Ends ejections that the group cannot afford, and grants free places to waiters.
    pub(super) fn settle(&mut self, now: Instant) {
        self.bound_ejections(now);
        self.grant();
    }

    /// Returns true if any endpoint is usable.
    pub(super) fn has_usable(&self) -> bool {
        self.tiers.iter().any(|tier| tier.usable() > 0)
    }
}
