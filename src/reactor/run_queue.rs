//! Queues of the objects to be driven, in this turn and in the next.
//!
//! A wake carries no data, so wakes of an object that is queued already are merged. Each object is
//! driven at most once a turn. An object woken after its drive waits for the next turn; the poll
//! between the two turns gives other objects their share.

use std::collections::VecDeque;
use std::fmt;

use super::arena::{Token, TokenMap};

/// Reasons of a drive, as a set of flags: everything that has happened to the object since its last
/// drive.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct WakeReason(u8);

impl WakeReason {
    /// A socket of the object has become readable or writable.
    pub const READY: Self = Self(1);
    /// The deadline of the object has passed.
    pub const TIMER: Self = Self(2);
    /// Another object or thread has woken the object, or the object has woken itself.
    pub const WAKE: Self = Self(4);

    /// Returns true if all reasons of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Debug for WakeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(Self::READY, "READY"), (Self::TIMER, "TIMER"), (Self::WAKE, "WAKE")];
        f.debug_set().entries(names.iter().filter(|n| self.contains(n.0)).map(|n| n.1)).finish()
    }
}

/// Two queues, swapped at the end of a turn.
#[derive(Debug)]
pub(super) struct RunQueue {
    current: VecDeque<Token>,
    next: VecDeque<Token>,
    slots: TokenMap<Slot>,
    turn: u32,
    stale: u64,
}

#[derive(Debug, Default)]
struct Slot {
    why: WakeReason,
    queued: bool,
    /// Turn of the last drive; 0 before the first.
    driven: u32,
}

impl Default for RunQueue {
    fn default() -> Self {
        Self {
            current: VecDeque::new(),
            next: VecDeque::new(),
            slots: TokenMap::new(),
            turn: 1,
            stale: 0,
        }
    }
}

impl RunQueue {
    /// Queues `token` for a drive: in this turn, or in the next if this turn has driven it already.
    pub(super) fn wake(&mut self, token: Token, why: WakeReason) {
        let Some(slot) = self.slots.get_mut(token) else {
            self.stale += 1;
            return;
        };
        slot.why.0 |= why.0;
        if std::mem::replace(&mut slot.queued, true) {
            return;
        }
        let queue = if slot.driven == self.turn { &mut self.next } else { &mut self.current };
        queue.push_back(token);
    }

    /// Returns the next object to drive in this turn, and the reasons.
    pub(super) fn pop(&mut self) -> Option<(Token, WakeReason)> {
        while let Some(token) = self.current.pop_front() {
            if let Some(slot) = self.slots.get_mut(token) {
                slot.queued = false;
                slot.driven = self.turn;
                return Some((token, std::mem::take(&mut slot.why)));
            }
            self.stale += 1;
        }
        None
    }

    /// Ends the turn: objects queued for the next turn become current, behind those that this turn
    /// has left.
    pub(super) fn end_turn(&mut self) {
        if self.current.is_empty() {
            std::mem::swap(&mut self.current, &mut self.next);
        } else {
            self.current.append(&mut self.next);
        }
        self.turn = self.turn.checked_add(1).unwrap_or(1);
    }

    /// Returns true if no object is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty() && self.next.is_empty()
    }

    /// Returns the number of wakes for objects whose place was reused in the meantime.
    pub(super) const fn stale(&self) -> u64 {
        self.stale
    }

    /// Returns the queue of this turn, for a simulation to shuffle.
    pub(super) fn current_mut(&mut self) -> &mut VecDeque<Token> {
        &mut self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::arena::{Arena, Driven};

    struct Thing;
    impl Driven for Thing {
        const KIND: u8 = 0;
    }

    #[test]
    fn two_wakes_make_one_drive_with_both_reasons() {
        let mut queue = RunQueue::default();
        let token = Arena::new().insert(Thing).token();
        queue.wake(token, WakeReason::READY);
        queue.wake(token, WakeReason::TIMER);
        let (driven, why) = queue.pop().unwrap();
        assert_eq!(driven, token);
        assert!(
            why.contains(WakeReason::READY)
                && why.contains(WakeReason::TIMER)
                && !why.contains(WakeReason::WAKE)
        );
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn object_woken_after_its_drive_waits_for_the_next_turn() {
        let mut queue = RunQueue::default();
        let mut arena = Arena::new();
        let (a, b) = (arena.insert(Thing).token(), arena.insert(Thing).token());
        queue.wake(a, WakeReason::READY);
        assert_eq!(queue.pop().unwrap().0, a);
        queue.wake(a, WakeReason::WAKE);
        queue.wake(b, WakeReason::WAKE);
        assert_eq!(queue.pop().unwrap().0, b, "b was not driven in this turn");
        assert_eq!(queue.pop(), None, "a was driven in this turn");
        queue.end_turn();
        assert_eq!(queue.pop().unwrap().0, a);
    }

    #[test]
    fn objects_left_by_a_turn_are_driven_first_in_the_next() {
        let mut queue = RunQueue::default();
        let mut arena = Arena::new();
        let (a, b) = (arena.insert(Thing).token(), arena.insert(Thing).token());
        queue.wake(a, WakeReason::READY);
        queue.wake(b, WakeReason::READY);
        assert_eq!(queue.pop().unwrap().0, a);
        queue.wake(a, WakeReason::WAKE);
        queue.end_turn();
        assert_eq!(queue.pop().unwrap(), (b, WakeReason::READY));
        assert_eq!(queue.pop().unwrap(), (a, WakeReason::WAKE));
        assert!(queue.is_empty());
    }

    #[test]
    fn stale_wake_is_dropped_and_counted() {
        let mut queue = RunQueue::default();
        let mut arena = Arena::new();
        let old = arena.insert(Thing);
        arena.remove(old);
        let new = arena.insert(Thing).token();
        queue.wake(new, WakeReason::READY);
        queue.wake(old.token(), WakeReason::WAKE);
        assert_eq!(queue.pop(), Some((new, WakeReason::READY)));
        assert_eq!(queue.stale(), 1);
    }
}
