//! Requests: their begin and end, their queue, and their retries.

use std::sync::Arc;
use std::time::Instant;

use super::Group;
use crate::balance::ask::{Ask, Outcome, Selection, Wish};
use crate::balance::endpoint::EndpointId;
use crate::balance::queue::QueueFull;

impl<W: Copy + Ord> Group<W> {
    /// Counts a request that is under way at an endpoint from now on.
    pub fn begin(&mut self, id: EndpointId) {
        if let Some(index) = self.index(id) {
            self.begin_at(index);
        }
    }

    /// Ends a request at an endpoint. An `outcome` of `None` says nothing about the endpoint,
    /// because the client has left. The place may be granted to a waiter.
    pub fn end(&mut self, id: EndpointId, outcome: Option<Outcome>, now: Instant) {
        self.advance(now);
        let Some(index) = self.index(id) else { return };
        self.leave(index);
        match outcome {
            Some(Outcome::Success) => self.endpoints[index].passive.succeeded(),
            Some(Outcome::Failure(why)) => self.failed(index, why, now),
            None => {}
        }
        self.settle(now);
    }

    /// Records that an endpoint has answered a request that keeps its place: the protocol was switched.
    pub fn note_success(&mut self, id: EndpointId) {
        if let Some(index) = self.index(id) {
            self.endpoints[index].passive.succeeded();
        }
    }

    /// Puts `waiter` into the queue, unless it is there already. If a place is free that its request may
    /// have, the place is granted at once.
    ///
    /// # Errors
    /// [`QueueFull`] if as many waiters as [`queue`](crate::balance::GroupSettings::queue) are there.
    pub fn enqueue(&mut self, waiter: W, ask: &Ask<'_>) -> Result<(), QueueFull> {
        self.queue.push(waiter, Wish::of(ask), self.settings.queue)?;
        self.grant();
        Ok(())
    }

    /// Removes `waiter` from the queue. A place that was granted to it goes to the next waiter.
    pub fn leave_queue(&mut self, waiter: &W) {
        let granted = self.queue.remove(waiter).and_then(|id| self.index(id));
        if let Some(index) = granted {
            self.leave(index);
            self.grant();
        }
    }

    /// Returns the endpoint granted to `waiter`, once. The request counts as begun there. A waiter
    /// that was woken without a grant, because no endpoint is usable or its endpoint was removed,
    /// is no longer in the queue: it selects again.
    pub fn take_grant(&mut self, waiter: &W) -> Option<EndpointId> {
        let granted = self.queue.take(waiter)?;
        self.index(granted).map(|_| granted)
    }

    /// Returns the waiters to wake. Each has a grant to take, or is to select again.
    pub fn take_woken(&mut self) -> Vec<W> {
        self.queue.take_woken()
    }

    /// Returns the number of waiters without a grant.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Counts a request that is no retry; retries are a share of them.
    pub fn note_request(&mut self, now: Instant) {
        self.retries.note_request(now);
    }

    /// Returns true if the budget allows a retry, which counts then.
    pub fn may_retry(&mut self, now: Instant) -> bool {
        self.retries.may_retry(self.settings.retry_budget, now)
    }

    /// Grants free places to waiters, in the order of their arrival: a waiter that cannot have a place that
    /// is free holds up none behind it. Waiters that no endpoint can serve are woken without a place.
    pub(super) fn grant(&mut self) {
        let mut from = 0;
        while !self.is_full_for_all()
            && let Some((number, wish)) = self.queue.first_from(from)
        {
            let wish = wish.clone();
            match self.choose(&wish.ask()) {
                Selection::Endpoint(id) => {
                    self.begin(id);
                    self.queue.grant(number, id);
                }
                Selection::None => self.queue.dismiss(number),
                Selection::Full => {}
            }
            from = number + 1;
        }
    }

    /// Returns true if no endpoint has a free place for any waiter, but one may have.
    fn is_full_for_all(&self) -> bool {
        let is_full = self.has_usable() && self.tiers.iter().all(|tier| tier.free() == 0);
        // An endpoint that drains is in no tier, and serves clients with its sticky value.
        is_full && !self.queue.has_sticky()
    }

    fn begin_at(&mut self, index: usize) {
        let endpoint = &mut self.endpoints[index];
        endpoint.in_flight = endpoint.in_flight.saturating_add(1);
        endpoint.requests = endpoint.requests.saturating_add(1);
        let member = &mut self.members[endpoint.member];
        member.requests = member.requests.saturating_add(1);
        self.place(index);
    }

    fn leave(&mut self, index: usize) {
        let endpoint = &mut self.endpoints[index];
        endpoint.in_flight = endpoint.in_flight.saturating_sub(1);
        self.place(index);
    }

    fn failed(&mut self, index: usize, why: Arc<str>, now: Instant) {
        let endpoint = &mut self.endpoints[index];
        endpoint.failures = endpoint.failures.saturating_add(1);
        let member = &mut self.members[endpoint.member];
        member.failures = member.failures.saturating_add(1);
        if endpoint.passive.failed(&self.settings.passive) && self.may_eject(index) {
            self.eject(index, why, now);
        }
    }
}
