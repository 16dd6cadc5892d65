//! Bounds on counted work: no drive and no turn of a program may exceed them.

use crate::reactor::{App, Event, Reactor};
use crate::work;

/// Steps that one drive may take: about two milliseconds.
const DRIVE: u64 = 2_000_000;
/// Steps that one turn may take: about ten milliseconds.
const TURN: u64 = 10_000_000;

/// A program for one turn, in which every drive and the turn as a whole are bounded in
/// [counted work](crate::work).
#[derive(Debug)]
pub struct Metered<'a, A> {
    program: &'a mut A,
    began: u64,
}

impl<'a, A> Metered<'a, A> {
    /// Begins to count a turn of `program`.
    pub fn new(program: &'a mut A) -> Self {
        Self { program, began: work::counted() }
    }

    /// Ends the turn; returns its steps.
    ///
    /// # Panics
    /// If the turn has taken more than 10,000,000 steps.
    pub fn end(self) -> u64 {
        let steps = work::counted() - self.began;
        assert!(steps <= TURN, "a turn has taken {steps} steps, more than {TURN}");
        steps
    }
}

impl<A: App> App for Metered<'_, A> {
    type Mail = A::Mail;

    /// Lets the program handle `event`.
    ///
    /// # Panics
    /// If that has taken more than 2,000,000 steps.
    fn handle(&mut self, reactor: &mut Reactor<A::Mail>, event: Event<A::Mail>) {
        let driven = match &event {
            Event::Drive(token, why) => Some((*token, *why)),
            Event::Mail(_) | Event::Signal(_) => None,
        };
        let before = work::counted();
        self.program.handle(reactor, event);
        let steps = work::counted() - before;
        assert!(steps <= DRIVE, "{steps} steps, more than {DRIVE}, have gone into {driven:?}");
    }
}
