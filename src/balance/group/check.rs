//! Consistency of a group, for simulations.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, MOST_CHANGES, MOST_PROBES};
use crate::balance::endpoint::Probe;

impl<W: Copy + Ord> Group<W> {
    /// Compares all bookkeeping with the states of the endpoints.
    ///
    /// # Panics
    /// If they do not agree.
    pub fn check(&self) {
        self.check_members();
        self.check_places();
        self.check_deadlines();
        self.check_ejections();
        self.check_queue();
        assert!(self.changes.len() <= MOST_CHANGES);
    }

    fn check_members(&self) {
        assert_eq!(self.settings.members.len(), self.members.len());
        let of_members =
            self.members.iter().enumerate().flat_map(|(member, state)| {
                state.endpoints.iter().map(move |&index| (index, member))
            });
        let of_endpoints = self.endpoints.iter().map(|(index, endpoint)| (index, endpoint.member));
        let of_members: BTreeMap<usize, usize> = of_members.collect();
        assert_eq!(of_members, of_endpoints.collect(), "each endpoint has its member");
        assert!(self.sticky.len() <= self.endpoints.len());
        for (sticky, &index) in &self.sticky {
            assert_eq!(self.endpoints[index].sticky, *sticky, "a sticky value names its endpoint");
        }
    }

    fn check_places(&self) {
        for (_, endpoint) in &self.endpoints {
            assert_eq!(endpoint.standing, self.standing(endpoint), "an endpoint has its place");
        }
        for (number, tier) in self.tiers.iter().enumerate() {
            tier.check(self.endpoints.iter().filter_map(|(index, endpoint)| {
                let standing = endpoint.standing?;
                let is_in = self.tier_of(endpoint.member) == number;
                is_in.then_some((index, standing, &endpoint.turn))
            }));
        }
    }

    fn check_deadlines(&self) {
        let (mut probes, mut slow_starts, mut probing) = (BTreeSet::new(), BTreeSet::new(), 0);
        for (index, endpoint) in &self.endpoints {
            match endpoint.probe {
                Probe::Off => {}
                Probe::At(at) => _ = probes.insert((at, index)),
                Probe::UnderWay => probing += 1,
            }
            slow_starts.extend(endpoint.slow_start.map(|slow| (slow.next, index)));
        }
        assert_eq!((&probes, &slow_starts), (&self.probes, &self.slow_starts));
        assert_eq!(probing, self.probing);
        assert!(probing <= MOST_PROBES, "{probing} probes are under way");
    }

    fn check_ejections(&self) {
        let ejected = self.endpoints.iter().filter_map(|(index, endpoint)| {
            endpoint.passive.ejection().map(|ejection| (ejection.until, index))
        });
        assert_eq!(ejected.collect::<BTreeSet<_>>(), self.ejected);
        assert!(self.ejected.len() <= self.endpoints.len() / 2, "at most half are ejected");
        let is_needed = !self.has_usable() && self.first_needed(&[]).is_some();
        assert!(!is_needed, "the last usable endpoint is not ejected");
    }

    fn check_queue(&self) {
        self.queue.check();
        let mut granted: BTreeMap<usize, u32> = BTreeMap::new();
        for index in self.queue.granted().filter_map(|id| self.index(id)) {
            *granted.entry(index).or_default() += 1;
        }
        for (index, granted) in granted {
            assert!(self.endpoints[index].in_flight >= granted, "a grant counts as a request");
        }
        let mut from = 0;
        while let Some((number, wish)) = self.queue.first_from(from) {
            let (ask, tried) = (wish.ask(), self.tried(wish.ask().tried));
            let is_free = match self.sticky_endpoint(ask.sticky, &tried) {
                Some(index) => self.is_free(&self.endpoints[index]),
                None => self.open_tier(&tried).is_ok(),
            };
            assert!(!is_free, "no place is free for a request that waits");
            from = number + 1;
        }
    }
}
