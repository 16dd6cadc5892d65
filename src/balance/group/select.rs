//! Selection of an endpoint for a request.

use std::time::Instant;

use crate::work::{LOOK_UP, count};

use super::Group;
use crate::balance::ask::{Ask, Selection};
use crate::balance::endpoint::EndpointId;
use crate::balance::order::Use;
use crate::balance::ring::Ring;
use crate::balance::settings::Policy;
use crate::balance::tier::load;

impl<W: Copy + Ord> Group<W> {
    /// Selects the endpoint for a request. The request does not count until [`begin`](Self::begin).
    ///
    /// A request does not overtake those in the queue: a place that is free is one that none of them
    /// may have. If the request has tried all others, the ejection of an endpoint ends early.
    pub fn select(&mut self, request: &Ask<'_>, now: Instant) -> Selection {
        self.advance(now);
        match self.choose(request) {
            Selection::None => {}
            selection => return selection,
        }
        let tried = self.tried(request.tried);
        let Some(index) = self.first_needed(&tried) else { return Selection::None };
        self.end_ejection(index, now);
        self.grant();
        self.choose(request)
    }

    /// Returns the endpoint for a request, as things stand.
    pub(super) fn choose(&mut self, request: &Ask<'_>) -> Selection {
        let tried = self.tried(request.tried);
        if let Some(index) = self.sticky_endpoint(request.sticky, &tried) {
            if self.is_free(&self.endpoints[index]) {
                return Selection::Endpoint(self.id(index));
            }
            // The client's session is there: it is worth a wait, but not a failure.
            if self.queue.waiting() < self.settings.queue {
                return Selection::Full;
            }
        }
        match self.open_tier(&tried) {
            Ok((tier, tried)) => {
                let picked = self.pick(tier, request.hash, &tried);
                picked.map_or(Selection::None, |index| Selection::Endpoint(self.id(index)))
            }
            Err(selection) => selection,
        }
    }

    /// Returns true if [`select`](Self::select) returns an endpoint for a request that has tried these.
    /// Unlike that, it takes no turn.
    pub fn may_select(&mut self, tried: &[EndpointId], now: Instant) -> bool {
        self.advance(now);
        let tried = self.tried(tried);
        self.open_tier(&tried).is_ok() || self.first_needed(&tried).is_some()
    }

    /// Returns true if an endpoint is there for a request that has tried these, which may have to wait for
    /// a place.
    pub fn has_other(&mut self, tried: &[EndpointId], now: Instant) -> bool {
        self.advance(now);
        let tried = self.tried(tried);
        let is_closed = self.open_tier(&tried) == Err(Selection::None);
        !is_closed || self.first_needed(&tried).is_some()
    }

    /// Returns true if an endpoint is usable for a request that is `sticky` or not, although the request may
    /// have to wait for a place there. Takes no turn.
    pub fn is_usable(&mut self, sticky: Option<u64>, now: Instant) -> bool {
        self.advance(now);
        self.sticky_endpoint(sticky, &[]).is_some()
            || self.tiers.iter().any(|tier| tier.usable() > 0)
    }

    /// Returns the tier in which a request gets an endpoint, and those `tried` there.
    ///
    /// # Errors
    /// The selection without an endpoint.
    pub(super) fn open_tier(&self, tried: &[usize]) -> Result<(usize, Vec<usize>), Selection> {
        for tier in 0..self.tiers.len() {
            let tried = self.tried_in(tier, tried);
            let free = tried.iter().filter(|&&index| self.is_free(&self.endpoints[index])).count();
            if self.tiers[tier].usable() == tried.len() {
                continue;
            }
            return match self.tiers[tier].free() == free {
                true => Err(Selection::Full),
                false => Ok((tier, tried)),
            };
        }
        Err(Selection::None)
    }

    /// Returns the value that names an endpoint to clients, for [`Ask::sticky`]. It depends on the
    /// name of the member, the address and the key in the [`Seed`](super::Seed).
    #[must_use]
    pub fn sticky_of(&self, id: EndpointId) -> Option<u64> {
        self.index(id).map(|index| self.endpoints[index].sticky)
    }

    /// Returns the indexes of endpoints, each once.
    pub(super) fn tried(&self, ids: &[EndpointId]) -> Vec<usize> {
        let mut tried: Vec<usize> = Vec::with_capacity(ids.len());
        for index in ids.iter().filter_map(|&id| self.index(id)) {
            count(1);
            if !tried.contains(&index) {
                tried.push(index);
            }
        }
        tried
    }

    /// Returns those of the `tried` endpoints that are usable and of a tier.
    fn tried_in(&self, tier: usize, tried: &[usize]) -> Vec<usize> {
        let is_in = |&index: &usize| {
            let endpoint = &self.endpoints[index];
            endpoint.standing.is_some() && self.tier_of(endpoint.member) == tier
        };
        tried.iter().copied().filter(is_in).collect()
    }

    /// Returns the endpoint that a client stays at, if that can serve requests.
    pub(super) fn sticky_endpoint(&self, sticky: Option<u64>, tried: &[usize]) -> Option<usize> {
        count(LOOK_UP);
        let &index = self.sticky.get(&sticky?)?;
        let endpoint = &self.endpoints[index];
        let is_disabled = self.members[endpoint.member].orders.used == Use::Disable;
        (endpoint.is_good() && !is_disabled && !tried.contains(&index)).then_some(index)
    }

    /// Returns a free endpoint of a tier by the policy.
    fn pick(&mut self, tier: usize, hash: Option<u64>, tried: &[usize]) -> Option<usize> {
        match (self.settings.policy, hash) {
            (Policy::RoundRobin | Policy::LeastRequests, _) | (Policy::Hash, None) => {
                self.pick_first(tier, tried)
            }
            (Policy::TwoChoices, _) => self.pick_of_two(tier, tried),
            (Policy::Hash, Some(key)) => {
                if self.tiers[tier].lacks_ring() {
                    let ring = self.ring(tier);
                    self.tiers[tier].set_ring(Some(ring));
                }
                let endpoints = &self.endpoints;
                let standing = |index: usize| endpoints[index].standing;
                self.tiers[tier].hashed(key, tried, self.settings.hash_balance, standing)
            }
        }
    }

    fn pick_first(&mut self, tier: usize, tried: &[usize]) -> Option<usize> {
        let index = self.tiers[tier].first(tried)?;
        let endpoint = &mut self.endpoints[index];
        if let Some(standing) = endpoint.standing {
            self.tiers[tier].advance(index, standing, &mut endpoint.turn);
        }
        Some(index)
    }

    fn pick_of_two(&mut self, tier: usize, tried: &[usize]) -> Option<usize> {
        let (first, second) = self.tiers[tier].draw_two(tried, &mut self.random)?;
        let load_of = |index: usize| {
            let standing = self.endpoints[index].standing;
            standing.map(|standing| load(standing.in_flight, standing.weight))
        };
        let second = second.filter(|&second| load_of(second) < load_of(first));
        Some(second.unwrap_or(first))
    }

    /// Builds the ring of all endpoints of a tier, whatever their state.
    fn ring(&self, tier: usize) -> Ring {
        let members = (0..self.members.len()).filter(|&member| self.tier_of(member) == tier);
        let points = members.flat_map(|member| {
            let weight = u64::from(self.weight_of(member));
            let endpoints = self.members[member].endpoints.iter();
            endpoints.map(move |&index| (index, self.endpoints[index].identity, weight))
        });
        Ring::new(&points.collect::<Vec<_>>())
    }
}
