//! Who is to be driven, in this turn or the next.
//!
//! A wake carries no data, so a second one for an object already queued is dropped. Each object is
//! driven at most once a turn: what wakes it after that waits for the next, and the poll between
//! them lets the others have their share.

use std::collections::VecDeque;
use std::fmt;

use super::arena::{Token, TokenMap};

/// What has happened to an object since it was last driven; several things may have.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct WakeReason(u8);

impl WakeReason {
    /// One of its sockets became readable or writable.
    pub const READY: Self = Self(1);
    /// Its deadline has passed.
    pub const TIMER: Self = Self(2);
    /// Another object woke it, or it asked for another turn.
    pub const WAKE: Self = Self(4);

    /// Whether all of `other` is among what happened.
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
    /// The turn in which it was last driven; 0 before the first.
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
    /// Has `token` driven: in this turn, or in the next if it has been already.
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

    /// The next to drive in this turn, and why.
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

    /// Ends the turn: what waited for the next one is current now, behind what is left.
    pub(super) fn end_turn(&mut self) {
        if self.current.is_empty() {
            std::mem::swap(&mut self.current, &mut self.next);
        } else {
            self.current.append(&mut self.next);
        }
        self.turn = self.turn.checked_add(1).unwrap_or(1);
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_empty() && self.next.is_empty()
    }

    /// How many wakes were for objects whose place belongs to another by now.
    pub(super) const fn stale(&self) -> u64 {
        self.stale
    }

    /// Those that wait in this turn, for a simulation to shuffle.
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
    fn a_doubled_wake_drives_once_with_both_reasons() {
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
    fn who_was_driven_waits_for_the_next_turn_and_who_was_not_does_not() {
        let mut queue = RunQueue::default();
        let mut arena = Arena::new();
        let (a, b) = (arena.insert(Thing).token(), arena.insert(Thing).token());
        queue.wake(a, WakeReason::READY);
        assert_eq!(queue.pop().unwrap().0, a);
        queue.wake(a, WakeReason::WAKE);
        queue.wake(b, WakeReason::WAKE);
        assert_eq!(queue.pop().unwrap().0, b, "b was not driven yet");
        assert_eq!(queue.pop(), None, "a was");
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
    fn a_stale_wake_drives_nobody_and_is_counted() {
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
