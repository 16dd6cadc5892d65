//! Ejection of endpoints that fail requests, within bounds.

use std::sync::Arc;
use std::time::Instant;

use super::Group;
use crate::balance::change::ChangeKind;
use crate::balance::order::Use;

impl<W: Copy + Ord> Group<W> {
    /// Returns true if an endpoint may be ejected: at most half of all endpoints are then, and
    /// another one is usable. One that is down already is not ejected.
    pub(super) fn may_eject(&self, index: usize) -> bool {
        let endpoint = &self.endpoints[index];
        let usable: usize = self.tiers.iter().map(|tier| tier.usable()).sum();
        let others = usable - usize::from(endpoint.standing.is_some());
        let within_half = self.ejected.len() < self.most_ejected();
        within_half && others > 0 && endpoint.health.down().is_none()
    }

    pub(super) fn eject(&mut self, index: usize, why: Arc<str>, now: Instant) {
        let endpoint = &mut self.endpoints[index];
        let time = endpoint.passive.eject(Arc::clone(&why), &self.settings.passive, now);
        self.ejected.extend(endpoint.passive.ejection().map(|ejection| (ejection.until, index)));
        let member = endpoint.member;
        self.set_slow_start(index, None);
        self.place(index);
        self.note(member, Some(index), ChangeKind::Ejected { time, why });
    }

    pub(super) fn end_ejection(&mut self, index: usize, now: Instant) {
        let Some(ejection) = self.endpoints[index].passive.ejection() else { return };
        self.ejected.remove(&(ejection.until, index));
        self.endpoints[index].passive.end(now);
        self.warm_up(index, now);
        self.place(index);
        self.note(self.endpoints[index].member, Some(index), ChangeKind::Returned);
    }

    /// Ends the ejections that end soonest while too many endpoints are ejected, or while no
    /// endpoint is usable and one could be.
    pub(super) fn bound_ejections(&mut self, now: Instant) {
        while self.ejected.len() > self.most_ejected()
            && let Some(&(_, index)) = self.ejected.first()
        {
            self.end_ejection(index, now);
        }
        while !self.has_usable()
            && let Some(index) = self.first_needed(&[])
        {
            self.end_ejection(index, now);
        }
    }

    fn most_ejected(&self) -> usize {
        self.endpoints.len() / 2
    }

    /// Returns the endpoint that becomes usable first if its ejection ends, besides those `tried`.
    pub(super) fn first_needed(&self, tried: &[usize]) -> Option<usize> {
        let mut ejected = self.ejected.iter().map(|&(_, index)| index);
        ejected.find(|&index| {
            let endpoint = &self.endpoints[index];
            let is_ready = self.members[endpoint.member].orders.used == Use::Ready;
            is_ready && endpoint.health.down().is_none() && !tried.contains(&index)
        })
    }
}
