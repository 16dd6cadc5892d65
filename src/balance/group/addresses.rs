//! Addresses of members.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::work::{LOOK_UP, count};

use super::Group;
use crate::balance::address::OriginAddress;
use crate::balance::change::ChangeKind;
use crate::balance::ejection::Passive;
use crate::balance::endpoint::{Endpoint, Probe};
use crate::balance::health::{Down, Health};
use crate::balance::identity::hash;
use crate::balance::turn::Turn;

/// Key of the hashes that place endpoints on the ring: the same in every process, so that several
/// proxies agree.
const RING_KEY: [u8; 16] = *b"tidegate balance";

impl<W: Copy + Ord> Group<W> {
    /// Sets the addresses of a member, to which its name has resolved. Endpoints whose address
    /// remains keep their id and state; the others are removed, and their ids are stale. An empty
    /// list removes all and counts as a failure to resolve the name.
    pub fn set_addresses(&mut self, member: usize, addresses: &[OriginAddress], now: Instant) {
        self.advance(now);
        if member >= self.members.len() {
            return;
        }
        count(LOOK_UP * addresses.len());
        let mut wanted: BTreeSet<&OriginAddress> = addresses.iter().collect();
        let present: Vec<usize> = self.members[member].endpoints.iter().copied().collect();
        for index in present {
            if !wanted.remove(&self.endpoints[index].address) {
                self.remove_endpoint(index);
            }
        }
        for address in wanted {
            self.add_endpoint(member, address.clone(), now);
        }
        if addresses.is_empty() {
            self.set_unresolved(member, "the name has no address".into(), now);
        } else {
            self.set_resolved(member);
        }
        self.settle(now);
    }

    /// Records that the name of a member does not resolve, and why. Addresses that are known
    /// remain; a member without any is down.
    pub fn set_unresolved(&mut self, member: usize, why: Arc<str>, now: Instant) {
        self.advance(now);
        let Some(state) = self.members.get_mut(member) else { return };
        let since = state.unresolved.take().map_or(now, |before| before.since);
        state.unresolved = Some(Down { since, why: Arc::clone(&why) });
        if state.endpoints.is_empty() && !state.is_down {
            state.is_down = true;
            self.note(member, None, ChangeKind::Down(why));
        }
    }

    /// Returns true while no member has an address, and some member has neither addresses nor a
    /// failure: the caller waits for the names to be resolved.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.endpoints.is_empty() && self.members.iter().any(|member| member.unresolved.is_none())
    }

    fn set_resolved(&mut self, member: usize) {
        let state = &mut self.members[member];
        state.unresolved = None;
        if std::mem::take(&mut state.is_down) {
            self.note(member, None, ChangeKind::Up);
        }
    }

    fn add_endpoint(&mut self, member: usize, address: OriginAddress, now: Instant) {
        let name = &self.settings.members[member].name;
        self.generation = self.generation.wrapping_add(1);
        let sticky = hash(&self.seed.sticky, name, &address);
        let index = self.endpoints.insert(Endpoint {
            generation: self.generation,
            member,
            sticky,
            identity: hash(&RING_KEY, name, &address),
            address,
            in_flight: 0,
            requests: 0,
            failures: 0,
            health: Health::default(),
            passive: Passive::default(),
            slow_start: None,
            probe: Probe::Off,
            turn: Turn::default(),
            standing: None,
        });
        self.members[member].endpoints.insert(index);
        self.sticky.insert(sticky, index);
        self.drop_ring(member);
        self.schedule_probe(index, now);
        self.place(index);
    }

    pub(super) fn remove_endpoint(&mut self, index: usize) {
        self.displace(index);
        self.set_slow_start(index, None);
        self.set_probe(index, Probe::Off);
        let endpoint = self.endpoints.remove(index);
        if let Some(ejection) = endpoint.passive.ejection() {
            self.ejected.remove(&(ejection.until, index));
        }
        if self.sticky.get(&endpoint.sticky) == Some(&index) {
            self.sticky.remove(&endpoint.sticky);
        }
        self.members[endpoint.member].endpoints.remove(&index);
        self.drop_ring(endpoint.member);
    }

    /// Drops the ring of a member's tier, because it is out of date.
    pub(super) fn drop_ring(&mut self, member: usize) {
        let tier = self.tier_of(member);
        self.tiers[tier].set_ring(None);
    }
}
