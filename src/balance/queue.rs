//! Requests that wait for a place at an endpoint: a place goes to the first that may have it.

use std::collections::BTreeMap;
use std::fmt;

use crate::work::{LOOK_UP, count};

use super::ask::Wish;
use super::endpoint::EndpointId;

/// Error: as many requests wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full")
    }
}

impl std::error::Error for QueueFull {}

/// State of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiter {
    /// The waiter waits behind those with lower numbers.
    Waiting(u64),
    /// The waiter has a place that it did not take yet.
    Granted(EndpointId),
}

/// Waiters, and places granted to them.
#[derive(Clone, Debug)]
pub(super) struct Queue<W> {
    waiters: BTreeMap<W, Waiter>,
    line: BTreeMap<u64, (W, Wish)>,
    /// Number of waiters with a sticky value.
    sticky: usize,
    next: u64,
    woken: Vec<W>,
}

impl<W: Copy + Ord> Queue<W> {
    pub(super) const fn new() -> Self {
        Self {
            waiters: BTreeMap::new(),
            line: BTreeMap::new(),
            sticky: 0,
            next: 0,
            woken: Vec::new(),
        }
    }

    /// Returns the number of waiters without a place.
    pub(super) fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Puts `waiter` at the end, unless it is in the queue already.
    pub(super) fn push(&mut self, waiter: W, wish: Wish, most: usize) -> Result<(), QueueFull> {
        count(2 * LOOK_UP);
        if self.waiters.contains_key(&waiter) {
            return Ok(());
        }
        if self.line.len() >= most {
            return Err(QueueFull);
        }
        self.waiters.insert(waiter, Waiter::Waiting(self.next));
        self.sticky += usize::from(wish.sticky.is_some());
        self.line.insert(self.next, (waiter, wish));
        self.next += 1;
        Ok(())
    }

    /// Returns the number and the wish of the first waiter whose number is at least this.
    pub(super) fn first_from(&self, number: u64) -> Option<(u64, &Wish)> {
        count(LOOK_UP);
        self.line.range(number..).next().map(|(number, (_, wish))| (*number, wish))
    }

    /// Returns true if a waiter has a sticky value.
    pub(super) const fn has_sticky(&self) -> bool {
        self.sticky > 0
    }

    /// Grants a place to the waiter with this number.
    pub(super) fn grant(&mut self, number: u64, id: EndpointId) {
        count(2 * LOOK_UP);
        if let Some(waiter) = self.leave_line(number) {
            self.waiters.insert(waiter, Waiter::Granted(id));
            self.woken.push(waiter);
        }
    }

    /// Wakes the waiter with this number, without a place, and removes it from the queue.
    pub(super) fn dismiss(&mut self, number: u64) {
        count(2 * LOOK_UP);
        if let Some(waiter) = self.leave_line(number) {
            self.waiters.remove(&waiter);
            self.woken.push(waiter);
        }
    }

    fn leave_line(&mut self, number: u64) -> Option<W> {
        let (waiter, wish) = self.line.remove(&number)?;
        self.sticky -= usize::from(wish.sticky.is_some());
        Some(waiter)
    }

    /// Removes `waiter`, and returns the place granted to it.
    pub(super) fn remove(&mut self, waiter: &W) -> Option<EndpointId> {
        count(2 * LOOK_UP);
        match self.waiters.remove(waiter)? {
            Waiter::Granted(id) => Some(id),
            Waiter::Waiting(number) => {
                self.leave_line(number);
                None
            }
        }
    }

    /// Removes `waiter` if a place was granted to it, and returns the place.
    pub(super) fn take(&mut self, waiter: &W) -> Option<EndpointId> {
        count(LOOK_UP);
        match self.waiters.get(waiter)? {
            Waiter::Granted(_) => self.remove(waiter),
            Waiter::Waiting(_) => None,
        }
    }

    /// Returns the waiters to wake, each once.
    pub(super) fn take_woken(&mut self) -> Vec<W> {
        std::mem::take(&mut self.woken)
    }

    /// Returns all places granted and not taken.
    pub(super) fn granted(&self) -> impl Iterator<Item = EndpointId> {
        self.waiters.values().filter_map(|waiter| match waiter {
            Waiter::Granted(id) => Some(*id),
            Waiter::Waiting(_) => None,
        })
    }

    /// Asserts that the line and the states of waiters agree.
    pub(super) fn check(&self) {
        let sticky = self.line.values().filter(|(_, wish)| wish.sticky.is_some());
        assert_eq!(sticky.count(), self.sticky);
        for (number, (waiter, _)) in &self.line {
            assert!(self.waiters.get(waiter) == Some(&Waiter::Waiting(*number)), "a waiter waits");
        }
        let waiting = self.waiters.len() - self.granted().count();
        assert_eq!(waiting, self.line.len(), "each waiter is in the line");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: EndpointId = EndpointId { index: 1, generation: 1 };

    #[test]
    fn places_are_granted_in_the_order_of_arrival() {
        let mut queue = Queue::new();
        let wish = Wish::default;
        assert!([3, 1, 2, 4].iter().all(|&waiter| queue.push(waiter, wish(), 4).is_ok()));
        assert_eq!(queue.push(5, wish(), 4), Err(QueueFull));
        assert_eq!(queue.push(1, wish(), 4), Ok(()), "it waits already");
        assert_eq!(queue.remove(&1), None);
        for from in [0, 1] {
            let (number, _) = queue.first_from(from).unwrap();
            queue.grant(number, ID);
        }
        assert_eq!(queue.take_woken(), [3, 2]);
        assert_eq!(queue.take(&4), None);
        assert_eq!((queue.take(&3), queue.take(&3)), (Some(ID), None));
        assert_eq!((queue.remove(&2), queue.waiting()), (Some(ID), 1));
        let (number, _) = queue.first_from(0).unwrap();
        queue.dismiss(number);
        assert_eq!((queue.take_woken(), queue.waiting()), (vec![4], 0));
        queue.check();
    }
}
