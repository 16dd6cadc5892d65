//! Reports of members and endpoints.

use std::time::Instant;

use super::Group;
use crate::balance::endpoint::{Endpoint, EndpointId, EndpointView};
use crate::balance::order::Use;
use crate::balance::report::{EndpointReport, EndpointState, MemberReport, Unresolved};

impl<W: Copy + Ord> Group<W> {
    /// Returns the properties of an endpoint; `None` if it was removed.
    #[must_use]
    pub fn endpoint(&self, id: EndpointId) -> Option<EndpointView<'_>> {
        let endpoint = &self.endpoints[self.index(id)?];
        Some(EndpointView {
            member: endpoint.member,
            name: &self.settings.members[endpoint.member].name,
            address: &endpoint.address,
            in_flight: endpoint.in_flight,
            is_up: endpoint.health.down().is_none(),
        })
    }

    /// Returns the index of the member of an endpoint; `None` if the endpoint was removed.
    #[must_use]
    pub fn member_of(&self, id: EndpointId) -> Option<usize> {
        self.index(id).map(|index| self.endpoints[index].member)
    }

    /// Returns the states of all members, in the order of the settings.
    pub fn members(&self, now: Instant) -> impl Iterator<Item = MemberReport> {
        (0..self.members.len()).map(move |member| self.member(member, now))
    }

    fn member(&self, member: usize, now: Instant) -> MemberReport {
        let (settings, state) = (&self.settings.members[member], &self.members[member]);
        let mut endpoints: Vec<EndpointReport> =
            state.endpoints.iter().map(|&index| self.report(index, now)).collect();
        endpoints.sort_by(|one, other| one.address.cmp(&other.address));
        MemberReport {
            name: settings.name.clone(),
            backup: settings.backup,
            weight: self.weight_of(member),
            overridden: state.orders.weight.map(|_| settings.weight),
            draining: state.orders.used == Use::Drain,
            disabled: state.orders.used == Use::Disable,
            unresolved: state.unresolved.as_ref().map(|down| Unresolved {
                lasted: now.saturating_duration_since(down.since),
                why: down.why.clone(),
            }),
            in_flight: endpoints.iter().map(|endpoint| u64::from(endpoint.in_flight)).sum(),
            requests: state.requests,
            failures: state.failures,
            endpoints,
        }
    }

    fn report(&self, index: usize, now: Instant) -> EndpointReport {
        let endpoint = &self.endpoints[index];
        EndpointReport {
            id: self.id(index),
            address: endpoint.address.clone(),
            state: self.state(endpoint, now),
            thousandths: u32::try_from(endpoint.thousandths()).unwrap_or(u32::MAX),
            in_flight: endpoint.in_flight,
            requests: endpoint.requests,
            failures: endpoint.failures,
        }
    }

    fn state(&self, endpoint: &Endpoint, now: Instant) -> EndpointState {
        let used = self.members[endpoint.member].orders.used;
        if used == Use::Disable {
            EndpointState::Disabled
        } else if let Some(down) = endpoint.health.down() {
            let lasted = now.saturating_duration_since(down.since);
            EndpointState::Down { lasted, why: down.why.clone() }
        } else if let Some(ejection) = endpoint.passive.ejection() {
            let left = ejection.until.saturating_duration_since(now);
            EndpointState::Ejected { left, why: ejection.why.clone() }
        } else if used == Use::Drain {
            EndpointState::Draining
        } else {
            EndpointState::Up
        }
    }
}
