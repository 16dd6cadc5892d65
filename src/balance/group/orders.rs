//! Orders of the operator.

use std::sync::Arc;
use std::time::Instant;

use super::Group;
use crate::balance::order::Order;

impl<W: Copy + Ord> Group<W> {
    /// Carries out an order of the operator for a member. It holds for the member's endpoints of
    /// the future, too, and across [`reconfigure`](Self::reconfigure).
    pub fn order(&mut self, member: usize, order: Order, now: Instant) {
        self.advance(now);
        let Some(state) = self.members.get_mut(member) else { return };
        state.orders.take(order);
        if let Order::Weight(_) = order {
            self.drop_ring(member);
        }
        let indexes: Vec<usize> = self.members[member].endpoints.iter().copied().collect();
        for index in indexes {
            self.schedule_probe(index, now);
            self.place(index);
        }
        self.settle(now);
    }

    /// Returns the orders in force, by name of the member. Repeated for a new group with
    /// [`order`](Self::order), they have the same effect.
    #[must_use]
    pub fn orders(&self) -> Vec<(Arc<str>, Order)> {
        let members = self.settings.members.iter().zip(&self.members);
        let orders = members.flat_map(|(settings, state)| {
            state.orders.list().map(|order| (Arc::clone(&settings.name), order))
        });
        orders.collect()
    }
}
