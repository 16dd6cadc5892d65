//! Deadlines, one per object, cheap to move.
//!
//! An idle timeout moves with every byte and almost never fires. The queue is therefore lazy: each
//! object has at most one live entry in a heap, whose time is a lower bound of the deadline. Moving
//! a deadline later does not touch the heap; the entry reaches the top early and is pushed back
//! then. Moving a deadline earlier, or removing the object, leaves a dead entry behind. Dead
//! entries are removed once they are the majority.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::arena::{Token, TokenMap};

/// Number of entries below which dead ones are not worth removing.
const FEW: usize = 64;

/// Deadlines of all objects.
#[derive(Debug)]
pub(super) struct TimerQueue {
    heap: BinaryHeap<Reverse<(Instant, Token)>>,
    slots: TokenMap<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    deadline: Option<Instant>,
    /// Time of the object's live entry in the heap; entries with another time are dead.
    entry: Option<Instant>,
}

impl Default for TimerQueue {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), slots: TokenMap::new() }
    }
}

impl TimerQueue {
    /// Sets the deadline of `token`, or removes it (`None`).
    pub(super) fn set(&mut self, token: Token, deadline: Option<Instant>) {
        let Some(slot) = self.slots.get_mut(token) else { return };
        slot.deadline = deadline;
        if let Some(at) = deadline
            && slot.entry.is_none_or(|entry| at < entry)
        {
            slot.entry = Some(at);
            self.heap.push(Reverse((at, token)));
            self.sweep();
        }
    }

    /// Removes and returns the next token whose deadline is not after `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Token> {
        while let Some(&Reverse((at, token))) = self.heap.peek()
            && at <= now
        {
            self.heap.pop();
            let Some(slot) = self.slots.get_mut(token).filter(|slot| slot.entry == Some(at)) else {
                continue;
            };
            slot.entry = slot.deadline;
            match slot.deadline {
                Some(deadline) if deadline > now => self.heap.push(Reverse((deadline, token))),
                Some(_) => {
                    *slot = Slot::default();
                    return Some(token);
                }
                None => {}
            }
        }
        None
    }

    /// Rebuilds the heap from the live entries once most entries are dead. The size of the heap
    /// then follows from the number of objects, not from how often deadlines moved or how many
    /// objects were removed before their deadlines.
    fn sweep(&mut self) {
        if self.heap.len() > FEW + 2 * self.slots.places() {
            let entries = self.slots.iter().filter_map(|(token, slot)| Some((slot.entry?, token)));
            self.heap = entries.map(Reverse).collect();
        }
    }

    /// Returns a time before which no deadline is due: a lower bound, seldom the deadline itself.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::arena::{Arena, Driven};
    use crate::reactor::clock::{Clock, SystemClock};
    use std::time::Duration;

    struct Thing;
    impl Driven for Thing {
        const KIND: u8 = 0;
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn deadline_fires_once_and_not_before_its_time() {
        let (mut queue, start) = (TimerQueue::default(), SystemClock.now().mono);
        let token = Arena::new().insert(Thing).token();
        queue.set(token, Some(start + seconds(5)));
        assert_eq!(queue.pop_due(start + seconds(4)), None);
        assert_eq!(queue.pop_due(start + seconds(5)), Some(token));
        assert_eq!(queue.pop_due(start + seconds(9)), None);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn deadline_moved_later_keeps_one_entry() {
        let (mut queue, start) = (TimerQueue::default(), SystemClock.now().mono);
        let token = Arena::new().insert(Thing).token();
        for n in 1..1000 {
            queue.set(token, Some(start + seconds(n)));
        }
        assert_eq!(queue.heap.len(), 1);
        assert_eq!(
            queue.pop_due(start + seconds(998)),
            None,
            "the entry came up early and was pushed back"
        );
        assert_eq!(queue.next(), Some(start + seconds(999)));
    }

    #[test]
    fn deadline_moved_earlier_fires_at_the_earlier_time_only() {
        let (mut queue, start) = (TimerQueue::default(), SystemClock.now().mono);
        let token = Arena::new().insert(Thing).token();
        queue.set(token, Some(start + seconds(9)));
        queue.set(token, Some(start + seconds(3)));
        assert_eq!(queue.pop_due(start + seconds(3)), Some(token));
        assert_eq!(queue.pop_due(start + seconds(9)), None, "the dead entry fires nothing");
    }

    #[test]
    fn removed_deadline_does_not_fire() {
        let (mut queue, start) = (TimerQueue::default(), SystemClock.now().mono);
        let token = Arena::new().insert(Thing).token();
        queue.set(token, Some(start + seconds(1)));
        queue.set(token, None);
        assert_eq!(queue.pop_due(start + seconds(2)), None);
        queue.set(token, Some(start + seconds(3)));
        assert_eq!(queue.pop_due(start + seconds(3)), Some(token));
    }

    #[test]
    fn dead_entries_are_removed_before_they_are_many() {
        let (mut queue, start) = (TimerQueue::default(), SystemClock.now().mono);
        let mut arena = Arena::new();
        let (far, near) = (start + seconds(3600), start + seconds(1));
        for _ in 0..1000 {
            let brief = arena.insert(Thing);
            queue.set(brief.token(), Some(far)); // a dead entry once the object is removed
            arena.remove(brief);
        }
        let token = arena.insert(Thing).token();
        for n in 0..1000 {
            queue.set(token, Some(far));
            queue.set(token, Some(start + Duration::from_millis(n)));
            assert_eq!(queue.pop_due(start + Duration::from_millis(n)), Some(token));
        }
        assert!(queue.heap.len() <= FEW + 2, "{}", queue.heap.len());
        queue.set(token, Some(near));
        assert_eq!(queue.pop_due(far), Some(token));
        assert_eq!(queue.pop_due(far), None);
    }

    #[test]
    fn deadline_does_not_drive_the_next_object_of_its_place() {
        let (mut queue, start) = (TimerQueue::default(), SystemClock.now().mono);
        let mut arena = Arena::new();
        let old = arena.insert(Thing);
        queue.set(old.token(), Some(start + seconds(1)));
        arena.remove(old);
        let new = arena.insert(Thing);
        queue.set(new.token(), Some(start + seconds(5)));
        assert_eq!(queue.pop_due(start + seconds(4)), None);
        assert_eq!(queue.pop_due(start + seconds(5)), Some(new.token()));
    }
}
